use std::fmt::Write as _;
use std::io::{self, Write};

use super::Reporter;
use crate::outcome::{CheckReport, Fold, LabReport, RunEvent, RunReport, StepReport, Verdict};

/// Workflow commands, which GitHub shows at the lines of a pull request.
pub struct Github<W>(W);

impl<W: Write> Github<W> {
    pub fn new(writer: W) -> Self {
        Self(writer)
    }
}

impl<W: Write + Send> Reporter for Github<W> {
    fn event(&mut self, _event: &RunEvent, _so_far: &Fold) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        let mut out = String::new();
        for finding in &report.diagnostics {
            let place = Place {
                file: &finding.file,
                line: finding.line,
                column: Some(finding.column),
                end: Some((finding.end_line, finding.end_column)),
            };
            let hint = finding.hint.iter().map(String::as_str);
            let lines = std::iter::once(finding.message.as_str()).chain(hint);
            command(&mut out, finding.severity.name(), &place, &finding.code, lines);
        }
        for lab in &report.labs {
            annotate_lab(&mut out, lab);
        }
        self.0.write_all(out.as_bytes())?;
        self.0.flush()
    }
}

struct Place<'a> {
    file: &'a str,
    line: usize,
    column: Option<usize>,
    /// The line and the column after the last character.
    end: Option<(usize, usize)>,
}

fn annotate_lab(out: &mut String, lab: &LabReport) {
    for step in &lab.steps {
        for action in &step.actions {
            if matters(action.verdict) {
                let line = action.failed_line.unwrap_or(action.line);
                let place = Place { file: &lab.file, line, column: None, end: None };
                let lines = action.reason.iter().chain(&action.detail).map(String::as_str);
                command(out, "error", &place, &title(lab, step), lines);
            }
        }
        let waits = step.waits.iter().map(|wait| (Some("waited for"), wait));
        let checks = waits.chain(step.checks.iter().map(|check| (None, check)));
        for (head, check) in checks.filter(|(_, check)| matters(check.verdict)) {
            let place = Place { file: &check.file, line: check.line, column: Some(check.column), end: None };
            command(out, "error", &place, &title(lab, step), head.into_iter().chain(check_lines(check)));
        }
        for question in step.questions.iter().filter(|question| matters(question.verdict)) {
            let place = Place { file: &lab.file, line: question.line, column: None, end: None };
            command(out, "error", &place, &title(lab, step), question.reason.iter().map(String::as_str));
        }
        if matters(step.verdict) && !step.is_explained_by_a_part() {
            let place = Place { file: &lab.file, line: step.line, column: None, end: None };
            command(out, "error", &place, &title(lab, step), step.reason.iter().map(String::as_str));
        }
    }
    let place = Place { file: &lab.file, line: 1, column: None, end: None };
    if lab.stopped && matters(lab.verdict) {
        command(out, "error", &place, &lab.id, lab.reason.iter().chain(&lab.detail).map(String::as_str));
    }
    if !lab.keys_left.is_empty() {
        let lines = std::iter::once("the clean-up left").chain(lab.keys_left.iter().map(String::as_str));
        command(out, "error", &place, &lab.id, lines);
    }
}

fn check_lines(check: &CheckReport) -> impl Iterator<Item = &str> {
    let failure = check.failure.as_ref();
    let author = failure.and_then(|failure| failure.author.as_deref());
    let explanation = failure.map(|failure| failure.explanation.as_slice()).unwrap_or_default();
    std::iter::once(check.text.as_str())
        .chain(author)
        .chain(check.reason.as_deref())
        .chain(explanation.iter().map(String::as_str))
}

fn matters(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Fail | Verdict::CannotJudge => true,
        Verdict::Pass | Verdict::Skipped => false,
    }
}

fn title(lab: &LabReport, step: &StepReport) -> String {
    format!("{}: {}", lab.id, step.title)
}

fn command<'a>(out: &mut String, level: &str, place: &Place, title: &str, lines: impl Iterator<Item = &'a str>) {
    let text: Vec<&str> = lines.collect();
    let _ = write!(out, "::{level} file={},line={}", property(place.file), place.line);
    if let Some(column) = place.column {
        let _ = write!(out, ",col={column}");
    }
    // GitHub takes an end column on the same line only.
    if let Some((line, column)) = place.end {
        let _ = write!(out, ",endLine={line}");
        if line == place.line {
            let _ = write!(out, ",endColumn={column}");
        }
    }
    let _ = writeln!(out, ",title={}::{}", property(title), data(&text.join("\n")));
}

/// GitHub's own escapes for what follows `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
