//! GitLab's code quality report, which a merge request shows.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::problems::{finding_lines, is_error, problems};
use crate::outcome::{RunReport, Verdict};
use crate::text::sha256;

pub fn gitlab(report: &RunReport, to: &mut dyn Write) -> io::Result<()> {
    let findings = report.diagnostics.iter().map(|finding| {
        let severity = if is_error(finding) { "major" } else { "minor" };
        let text = finding_lines(finding).collect::<Vec<_>>().join("\n");
        issue(&finding.code, &text, severity, &finding.file, (finding.line, finding.end_line))
    });
    let problems = problems(report).into_iter().map(|problem| {
        let severity = if problem.verdict == Verdict::CannotJudge { "blocker" } else { "critical" };
        let lines: Vec<&str> = problem.all_lines().collect();
        let text = format!("{}: {}", problem.place(), lines.join("\n"));
        let end = problem.end.map_or(problem.line, |(line, _)| line);
        issue(&problem.code(), &text, severity, &problem.file, (problem.line, end))
    });
    let mut issues: Vec<Value> = findings.chain(problems).collect();
    tell_apart(&mut issues);
    serde_json::to_writer_pretty(&mut *to, &issues)?;
    to.write_all(b"\n")
}

fn issue(name: &str, description: &str, severity: &str, file: &str, (begin, end): (usize, usize)) -> Value {
    json!({
        "check_name": name,
        "description": description,
        "severity": severity,
        "fingerprint": fingerprint(&format!("{name}\n{file}\n{description}")),
        "location": { "path": file.trim_start_matches("./"), "lines": { "begin": begin, "end": end.max(begin) } },
    })
}

/// The same for the same problem in the next run, wherever its lines have moved to.
fn fingerprint(text: &str) -> String {
    sha256(text.as_bytes())[..32].to_owned()
}

/// GitLab drops all but one issue of a fingerprint.
fn tell_apart(issues: &mut [Value]) {
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for issue in issues {
        let own = issue["fingerprint"].as_str().unwrap_or_default().to_owned();
        let count = seen.entry(own.clone()).or_default();
        if *count > 0 {
            issue["fingerprint"] = json!(fingerprint(&format!("{own} {count}")));
        }
        *count += 1;
    }
}
