//! SARIF 2.1.0, which code scanning and editors read.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::problems::{ProblemKind, finding_lines, problems};
use crate::outcome::RunReport;

/// A kind of finding, as SARIF lists those that a tool knows.
#[derive(Debug, Clone, Copy)]
pub struct SarifRule<'a> {
    pub code: &'a str,
    /// `error` or `warning`.
    pub level: &'a str,
    pub meaning: &'a str,
    /// Why it is one, and an example, in Markdown.
    pub help: &'a str,
}

/// Findings and failures as one run of the tool, which knows these rules.
pub fn sarif(report: &RunReport, rules: &[SarifRule<'_>], to: &mut dyn Write) -> io::Result<()> {
    let problems = problems(report);
    let mut known: Vec<Value> = rules
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code,
                "shortDescription": { "text": rule.meaning },
                "help": { "text": rule.help, "markdown": rule.help },
                "defaultConfiguration": { "level": rule.level },
            })
        })
        .collect();
    // Of what a run may end with, only what it did end with: a lint's log need not list it.
    for kind in ProblemKind::ALL.iter().filter(|kind| problems.iter().any(|problem| problem.kind == **kind)) {
        known.push(json!({
            "id": kind.name(),
            "shortDescription": { "text": kind.meaning() },
            "defaultConfiguration": { "level": "error" },
        }));
    }
    let index = |id: &str| known.iter().position(|rule| rule["id"] == id);
    let findings = report.diagnostics.iter().map(|finding| {
        let lines: Vec<&str> = finding_lines(finding).collect();
        let region = json!({
            "startLine": finding.line,
            "startColumn": finding.column,
            "endLine": finding.end_line,
            "endColumn": finding.end_column,
        });
        let level = json!(finding.severity);
        result(&finding.code, index(&finding.code), level, lines.join("\n"), &finding.file, region)
    });
    let failures = problems.iter().map(|problem| {
        let mut region = json!({ "startLine": problem.line });
        if let Some(column) = problem.column {
            region["startColumn"] = json!(column);
        }
        if let Some((line, column)) = problem.end {
            (region["endLine"], region["endColumn"]) = (json!(line), json!(column));
        }
        let lines: Vec<&str> = problem.all_lines().collect();
        let text = format!("{}: {}", problem.place(), lines.join("\n"));
        let code = problem.kind.name();
        let mut result = result(code, index(code), json!("error"), text, &problem.file, region);
        result["properties"] = json!({ "verdict": problem.verdict, "lab": problem.lab });
        result
    });
    let results: Vec<Value> = findings.chain(failures).collect();
    let version = report.tool.rsplit(' ').next().unwrap_or_default();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "keywitness", "version": version, "rules": known } },
            // Columns count characters, not UTF-16's units.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *to, &log)?;
    to.write_all(b"\n")
}

fn result(code: &str, index: Option<usize>, level: Value, text: String, file: &str, region: Value) -> Value {
    let mut result = json!({
        "ruleId": code,
        "level": level,
        "message": { "text": text },
        "locations": [{
            "physicalLocation": { "artifactLocation": { "uri": uri(file) }, "region": region },
        }],
    });
    if let Some(index) = index {
        result["ruleIndex"] = json!(index);
    }
    result
}

/// A path as a relative reference: `/` stays, and everything that is no part of a path's own letters is escaped.
fn uri(path: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    let path = path.strip_prefix("./").unwrap_or(path);
    let escaped = utf8_percent_encode(path, KEPT).to_string();
    if path.starts_with('/') { format!("file://{escaped}") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_reference() {
        assert_eq!(uri("./labs/a b/README.md"), "labs/a%20b/README.md");
        assert_eq!(uri("a:b%.md"), "a%3Ab%25.md");
        assert_eq!(uri("/tmp/ü.md"), "file:///tmp/%C3%BC.md");
    }
}
