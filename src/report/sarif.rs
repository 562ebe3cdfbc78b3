//! Findings as SARIF 2.1.0, which code scanning and editors read.

use serde_json::{Value, json};

use crate::outcome::DiagnosticReport;

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

/// One run of `lint`.
pub fn sarif(findings: &[DiagnosticReport], rules: &[SarifRule<'_>], version: &str) -> String {
    let known: Vec<Value> = rules
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
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let hint = finding.hint.iter().map(String::as_str);
            let lines: Vec<&str> = std::iter::once(finding.message.as_str()).chain(hint).collect();
            let mut result = json!({
                "ruleId": finding.code,
                "level": finding.severity,
                "message": { "text": lines.join("\n") },
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": { "uri": uri(&finding.file) },
                        "region": {
                            "startLine": finding.line,
                            "startColumn": finding.column,
                            "endLine": finding.end_line,
                            "endColumn": finding.end_column,
                        },
                    },
                }],
            });
            if let Some(index) = rules.iter().position(|rule| rule.code == finding.code) {
                result["ruleIndex"] = json!(index);
            }
            result
        })
        .collect();
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
    serde_json::to_string_pretty(&log).unwrap_or_default()
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
