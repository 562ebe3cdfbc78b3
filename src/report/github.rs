use std::fmt::Write as _;
use std::io::{self, Write};

use super::problems::{Problem, finding_lines, problems};
use crate::outcome::{RunReport, Verdict};

/// Workflow commands, which GitHub shows at the lines of a pull request.
pub fn github(report: &RunReport, to: &mut dyn Write) -> io::Result<()> {
    let mut out = String::new();
    for finding in &report.diagnostics {
        let place = Place {
            file: &finding.file,
            line: finding.line,
            column: Some(finding.column),
            end: Some((finding.end_line, finding.end_column)),
        };
        command(&mut out, finding.severity.name(), &place, &finding.code, finding_lines(finding));
    }
    for problem in problems(report) {
        let Problem { file, line, column, end, .. } = &problem;
        let place = Place { file, line: *line, column: *column, end: *end };
        let title = format!("{} ({})", problem.place(), words(&problem));
        command(&mut out, "error", &place, &title, problem.all_lines());
    }
    to.write_all(out.as_bytes())
}

/// `check failed`, `wait cannot be judged`.
fn words(problem: &Problem) -> String {
    let verdict = if problem.verdict == Verdict::CannotJudge { "cannot be judged" } else { "failed" };
    format!("{} {verdict}", problem.kind.name())
}

struct Place<'a> {
    file: &'a str,
    line: usize,
    column: Option<usize>,
    /// The line and the column after the last character.
    end: Option<(usize, usize)>,
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
