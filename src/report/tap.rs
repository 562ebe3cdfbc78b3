//! TAP version 14: a test a lab, its checks as a subtest, with YAML about what failed.

use std::io::{self, Write};

use super::layout::{one_line, run_of};
use super::problems::{Problem, finding_lines, is_error, problems_of};
use crate::outcome::{LabReport, RunReport, StepReport, Verdict};

pub fn tap(report: &RunReport, to: &mut dyn Write) -> io::Result<()> {
    writeln!(to, "TAP version 14")?;
    let errors: Vec<_> = report.diagnostics.iter().filter(|finding| is_error(finding)).collect();
    writeln!(to, "1..{}", report.labs.len() + errors.len())?;
    writeln!(to, "# {} {}, seed {}", report.tool, plain(&report.command), report.seed)?;
    for (index, finding) in errors.iter().enumerate() {
        let what = format!("{} {}:{}:{}", finding.code, finding.file, finding.line, finding.column);
        writeln!(to, "not ok {} - {}", index + 1, plain(&what))?;
        let lines: Vec<String> = finding_lines(finding).map(str::to_owned).collect();
        yaml(to, "  ", &[("severity", "error"), ("file", &finding.file), ("line", &finding.line.to_string())], &lines)?;
    }
    for (index, lab) in report.labs.iter().enumerate() {
        write_lab(report, lab, errors.len() + index + 1, to)?;
    }
    for finding in report.diagnostics.iter().filter(|finding| !is_error(finding)) {
        writeln!(to, "# warning {} {}:{}:{}", finding.code, finding.file, finding.line, finding.column)?;
        for line in finding_lines(finding).flat_map(str::lines) {
            writeln!(to, "#   {}", plain(line))?;
        }
    }
    for notice in &report.notices {
        writeln!(to, "# {}", plain(&notice.message))?;
    }
    Ok(())
}

fn write_lab(report: &RunReport, lab: &LabReport, number: usize, to: &mut dyn Write) -> io::Result<()> {
    let run = run_of(lab.repeat, lab.repeats, lab.retry);
    let name = plain(&format!("{}{run}", lab.id));
    writeln!(to, "# Subtest: {name}")?;
    let mut inner = Inner { tests: 0, to };
    let problems = problems_of(lab);
    for step in &lab.steps {
        inner.step(step)?;
    }
    for problem in &problems {
        inner.problem(problem)?;
    }
    if lab.steps.is_empty() && problems.is_empty() {
        let reason = plain(lab.reason.as_deref().unwrap_or_default());
        inner.line(lab.verdict, "the lab", lab.verdict == Verdict::Skipped, &reason)?;
    }
    let tests = inner.tests;
    writeln!(to, "    1..{tests}")?;
    let is_forgiven = lab.flaky && report.allow_flaky;
    let (ok, directive) = match lab.verdict {
        Verdict::Pass => (true, ""),
        Verdict::Skipped => (true, " # SKIP"),
        // A TODO that fails does not fail the whole.
        Verdict::Fail | Verdict::CannotJudge if is_forgiven => (false, " # TODO flaky, which --allow-flaky allows"),
        Verdict::Fail | Verdict::CannotJudge => (false, ""),
    };
    let flaky = if lab.flaky { " (flaky)" } else { "" };
    writeln!(to, "{}ok {number} - {name}{flaky}{directive}", if ok { "" } else { "not " })?;
    let reason: Vec<String> = lab.reason.iter().cloned().collect();
    if lab.verdict != Verdict::Pass {
        let fields = [("verdict", lab.verdict.word()), ("file", lab.file.as_str()), ("seed", lab.seed.as_str())];
        yaml(to, "  ", &fields, &reason)?;
    }
    Ok(())
}

struct Inner<'w> {
    tests: usize,
    to: &'w mut dyn Write,
}

impl Inner<'_> {
    /// What passed or was left of a step; what failed stands among the problems.
    fn step(&mut self, step: &StepReport) -> io::Result<()> {
        let waits = step.waits.iter().map(|wait| (format!("wait: {}", one_line(&wait.text)), wait));
        let checks = step.checks.iter().map(|check| (one_line(&check.text), check));
        let mut told = 0;
        for (text, check) in waits.chain(checks) {
            told += 1;
            if matches!(check.verdict, Verdict::Pass | Verdict::Skipped) {
                let reason = check.reason.as_deref().unwrap_or_default();
                self.line(check.verdict, &format!("{}: {text}", step.title), check.verdict != Verdict::Pass, reason)?;
            }
        }
        for question in &step.questions {
            told += 1;
            if matches!(question.verdict, Verdict::Pass | Verdict::Skipped) {
                let what = format!("{}: question at line {}", step.title, question.line);
                let reason = question.reason.as_deref().unwrap_or_default();
                self.line(question.verdict, &what, question.verdict != Verdict::Pass, reason)?;
            }
        }
        if told == 0 && matches!(step.verdict, Verdict::Pass | Verdict::Skipped) {
            let reason = step.reason.as_deref().unwrap_or_default();
            self.line(step.verdict, &step.title, step.verdict == Verdict::Skipped, reason)?;
        }
        Ok(())
    }

    fn line(&mut self, verdict: Verdict, what: &str, skipped: bool, reason: &str) -> io::Result<()> {
        self.tests += 1;
        let not = if matches!(verdict, Verdict::Pass | Verdict::Skipped) { "" } else { "not " };
        let skip = if skipped { format!(" # SKIP {}", plain(reason)) } else { String::new() };
        writeln!(self.to, "    {not}ok {} - {}{}", self.tests, plain(what), skip.trim_end())
    }

    fn problem(&mut self, problem: &Problem) -> io::Result<()> {
        self.tests += 1;
        writeln!(self.to, "    not ok {} - {}", self.tests, plain(&format!("{}: {}", problem.title, problem.what)))?;
        let line = problem.line.to_string();
        let fields = [
            ("kind", problem.kind.name()),
            ("verdict", problem.verdict.word()),
            ("file", problem.file.as_str()),
            ("line", line.as_str()),
        ];
        yaml(self.to, "      ", &fields, &problem.lines)
    }
}

/// A diagnostic block: a few fields, and the lines as one text.
fn yaml(to: &mut dyn Write, indent: &str, fields: &[(&str, &str)], lines: &[String]) -> io::Result<()> {
    writeln!(to, "{indent}---")?;
    for (name, value) in fields {
        // A JSON text is a YAML text.
        writeln!(to, "{indent}{name}: {}", serde_json::Value::from(*value))?;
    }
    if !lines.is_empty() {
        writeln!(to, "{indent}message: {}", serde_json::Value::from(lines.join("\n")))?;
    }
    writeln!(to, "{indent}...")
}

/// One line, in which `#` begins no directive.
fn plain(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.replace('\\', "\\\\").replace('#', "\\#")
}
