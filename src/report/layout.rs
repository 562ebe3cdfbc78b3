//! Widths, times and blocks of lines, as every text output has them.

use crate::outcome::{Failure, RunReport, WitnessedEvent};

/// Narrower and wider screens are written for as these.
const NARROWEST: usize = 40;
const WIDEST: usize = 100;
/// Where there is no screen to ask.
const WITHOUT_SCREEN: usize = 80;

pub(super) fn screen_width() -> usize {
    screen_columns().unwrap_or(WITHOUT_SCREEN).clamp(NARROWEST, WIDEST)
}

/// None where standard output is no terminal.
pub(super) fn screen_columns() -> Option<usize> {
    let columns = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    columns.filter(|columns| *columns > 0)
}

/// A check's text where there is room for a line only.
pub(super) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Which of several runs of a lab it is.
pub(super) fn run_of(repeat: u32, repeats: u32, retry: u32) -> String {
    let mut run = if repeats > 1 { format!(" (run {repeat} of {repeats})") } else { String::new() };
    if retry > 0 {
        run.push_str(&format!(" (retry {retry})"));
    }
    run
}

/// How the labs ended, in one line: `3 passed, 1 failed`.
pub(super) fn headline(report: &RunReport) -> String {
    let counts = &report.totals.labs;
    let parts = [
        (counts.pass, "passed"),
        (counts.fail, "failed"),
        (counts.cannot_judge, "cannot be judged"),
        (counts.skipped, "skipped"),
        (report.totals.flaky, "flaky"),
    ];
    let counted: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    match (counted.is_empty(), report.diagnostics.len()) {
        (false, _) => counted.join(", "),
        (true, 0) => "nothing found".to_owned(),
        (true, findings) => plural(findings, "finding"),
    }
}

/// Three figures are enough for a person.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms}ms"),
        1_000..=59_999 => {
            let hundredths = (ms + 5) / 10;
            format!("{}.{:02}s", hundredths / 100, hundredths % 100)
        }
        _ => format!("{}m{:02}s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

pub(super) fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("{count} {one}") } else { format!("{count} {one}s") }
}

/// What is known about a failure beside its reason, in the order in which a person wants it.
pub(super) fn failure_lines(failure: &Failure) -> Vec<String> {
    let mut lines = failure.explanation.clone();
    lines.extend(surroundings(failure));
    lines
}

/// What the whole step did, which its failed checks have in common.
pub(super) fn surroundings(failure: &Failure) -> Vec<String> {
    let mut lines = Vec::new();
    for (title, block) in [("output of the step", &failure.output), ("journal of the step", &failure.journal)] {
        if !block.is_empty() {
            lines.push(format!("{title}:"));
            lines.extend(block.iter().map(|line| format!("│ {line}")));
        }
    }
    lines
}

/// What etcd reported, in one line.
pub(super) fn event_lines(event: &WitnessedEvent) -> String {
    let revision = event.revision.map(|revision| format!("revision {revision} ")).unwrap_or_default();
    let key = event.key.as_deref().unwrap_or_default();
    let detail = event.detail.as_ref().map(|detail| format!("  {detail}")).unwrap_or_default();
    format!("+{:.2}s {revision}{:<6} {key}{detail}", event.at_ms as f64 / 1000.0, event.kind)
}
