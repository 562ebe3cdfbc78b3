//! What is written of a lab, a step, a check.

use console::{Style, style};

use crate::lab::Role;
use crate::outcome::{
    ActionReport, CheckReport, ClusterReport, LabReport, Proof, RunReport, Spent, StepReport, Verdict,
};
use crate::report::layout::{duration, plural, run_of, surroundings};
use crate::text::{CROSS, TICK, wrapped};

/// How many of its last lines stand for a failed action's output.
const OUTPUT_LINES: usize = 15;
/// Titles wider than this push the figures out of sight.
const WIDEST_TITLE: usize = 46;
/// Mark, checks, points and time, with the gaps between them.
const FIGURES: usize = 4 + 2 + 10 + 2 + 9 + 2 + 7;

/// Text that is gathered line by line, folded where there is a screen.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) text: String,
    pub(super) columns: Option<usize>,
}

impl Lines {
    pub(super) fn push(&mut self, indent: usize, line: impl std::fmt::Display) {
        let line = format!("{:indent$}{line}", "");
        let folded = match self.columns {
            Some(columns) => wrapped(line.trim_end(), columns),
            None => vec![line.trim_end().to_owned()],
        };
        for line in folded {
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }
}

fn accent(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => Style::new().green(),
        Verdict::Skipped => Style::new().dim(),
        Verdict::CannotJudge => Style::new().yellow(),
        Verdict::Fail => Style::new().red(),
    }
}

fn mark(verdict: Verdict) -> console::StyledObject<&'static str> {
    let mark = match verdict {
        Verdict::Pass => TICK,
        Verdict::Skipped => "-",
        Verdict::CannotJudge => "?",
        Verdict::Fail => CROSS,
    };
    accent(verdict).apply_to(mark)
}

pub(super) fn cluster_line(cluster: &ClusterReport) -> String {
    let kubernetes = cluster.kubernetes.as_ref().map(|version| format!("Kubernetes {version}"));
    let etcd = cluster.etcd.as_ref().map(|version| format!("etcd {version}"));
    let parts: Vec<String> = [Some(cluster.kind.clone()), kubernetes, etcd].into_iter().flatten().collect();
    parts.join(" · ")
}

/// What a step has at the lab's end, once its checks have been reported.
pub(super) fn cleaned_up(step: &StepReport) -> StepReport {
    let actions: Vec<ActionReport> =
        step.actions.iter().filter(|action| action.role == Role::Cleanup).cloned().collect();
    let worst = actions.iter().find(|action| action.verdict != Verdict::Pass);
    StepReport {
        id: step.id.clone(),
        title: format!("{}: clean-up", step.title),
        line: step.line,
        verdict: worst.map_or(Verdict::Pass, |action| action.verdict),
        reason: worst.and_then(|action| action.reason.clone()),
        duration_ms: actions.iter().map(|action| action.duration_ms).sum(),
        points: 0,
        max_points: 0,
        hints_used: 0,
        started_ms: actions.first().map_or(0, |action| action.started_ms),
        stop: None,
        actions,
        waits: Vec::new(),
        checks: Vec::new(),
        questions: Vec::new(),
        events: Vec::new(),
        events_left_out: 0,
    }
}

pub(super) fn step_line(step: &StepReport, width: usize) -> String {
    let room = width.saturating_sub(FIGURES).min(WIDEST_TITLE);
    let title = console::truncate_str(&step.title, room, "…");
    let title = console::pad_str(&title, room, console::Alignment::Left, None);
    let points = if step.max_points > 0 { format!("{}/{} pts", step.points, step.max_points) } else { String::new() };
    let time = if step.verdict == Verdict::Skipped { "skipped".to_owned() } else { duration(step.duration_ms) };
    format!("  {} {title}  {:<10}  {points:>9}  {:>7}", mark(step.verdict), checks(step), style(time).dim())
}

/// How many checks passed, of all; where all did, whether they were red before.
fn checks(step: &StepReport) -> String {
    let all = step.checks.len();
    if step.checks.iter().all(|check| check.verdict == Verdict::Skipped) {
        return if all == 0 || step.verdict == Verdict::Fail { String::new() } else { "not judged".to_owned() };
    }
    let passed = step.checks.iter().filter(|check| check.verdict == Verdict::Pass).count();
    let all_proved = passed == all && step.checks.iter().all(|check| check.proof.is_proved());
    let proof = if all_proved { " proved" } else { "" };
    format!("{passed}/{all}{proof}")
}

pub(super) fn step_detail(text: &mut Lines, lab: &LabReport, step: &StepReport, verbose: u8) {
    for action in &step.actions {
        action_detail(text, lab, action, verbose);
    }
    for wait in &step.waits {
        check_detail(text, wait, "wait: ", step, verbose);
    }
    let surroundings_of = |check: &CheckReport| check.failure.as_ref().map(surroundings).unwrap_or_default();
    for (nth, check) in step.checks.iter().enumerate() {
        check_detail(text, check, "", step, verbose);
        let lines = surroundings_of(check);
        // Checks that failed together share one report of what happened around them.
        let is_shown_later = step.checks[nth + 1..].iter().any(|later| surroundings_of(later) == lines);
        for line in lines.iter().filter(|_| !is_shown_later) {
            text.push(6, printable(line));
        }
    }
    for question in &step.questions {
        if matches!(question.verdict, Verdict::Fail | Verdict::CannotJudge) {
            let reason = question.reason.as_deref().unwrap_or_default();
            text.push(4, format!("{} question at {}:{}", mark(question.verdict), lab.file, question.line));
            text.push(6, reason);
        }
    }
    if let Some(reason) = &step.reason
        && (step.verdict == Verdict::Skipped || !step.is_explained_by_a_part())
    {
        text.push(4, style(reason).dim());
    }
}

fn action_detail(text: &mut Lines, lab: &LabReport, action: &ActionReport, verbose: u8) {
    let failed = matches!(action.verdict, Verdict::Fail | Verdict::CannotJudge);
    if !failed && verbose == 0 {
        return;
    }
    let name = action.name.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    let line = action.failed_line.unwrap_or(action.line);
    let head = format!("{} block{name} at {}:{line}", mark(action.verdict), action.file_in(lab));
    text.push(4, format!("{head}  {}", style(duration(action.duration_ms)).dim()));
    if let Some(reason) = &action.reason {
        text.push(6, reason);
    }
    for line in &action.detail {
        text.push(6, printable(line));
    }
    if failed || verbose > 1 {
        output(text, &action.output, if verbose > 1 { usize::MAX } else { OUTPUT_LINES });
    }
}

fn output(text: &mut Lines, output: &str, most: usize) {
    let lines: Vec<&str> = output.lines().collect();
    let left_out = lines.len().saturating_sub(most);
    if left_out > 0 {
        text.push(6, style(format!("│ … {} before", plural(left_out, "line"))).dim());
    }
    for line in &lines[left_out..] {
        text.push(6, format!("{} {}", style("│").dim(), printable(line)));
    }
}

/// What a command printed must not move the cursor of whoever reads the report.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn check_detail(text: &mut Lines, check: &CheckReport, what: &str, step: &StepReport, verbose: u8) {
    let failed = matches!(check.verdict, Verdict::Fail | Verdict::CannotJudge);
    // Where the whole step is left out, its own reason says so once.
    let is_whole_step = step.verdict == Verdict::Skipped && step.checks.iter().all(|c| c.reason == step.reason);
    let is_left = check.neutral && !is_whole_step;
    if !failed && !is_left && (verbose == 0 || check.verdict == Verdict::Skipped) {
        return;
    }
    let mut lines = check.text.lines();
    text.push(4, format!("{} {what}{}", mark(check.verdict), lines.next().unwrap_or_default()));
    for event in lines {
        text.push(6, event);
    }
    if is_left {
        let reason = check.reason.as_deref().unwrap_or_default();
        text.push(6, style(format!("not judged: {reason}")).dim());
        return;
    }
    if failed {
        text.push(6, style(format!("{}:{}:{}", check.file, check.line, check.column)).dim());
        if let Some(author) = check.failure.as_ref().and_then(|failure| failure.author.as_ref()) {
            text.push(6, style(author).bold());
        }
        if let Some(reason) = &check.reason {
            text.push(6, accent(check.verdict).apply_to(reason));
        }
        for line in check.failure.iter().flat_map(|failure| &failure.explanation) {
            text.push(6, printable(line));
        }
    } else {
        let revision = check.revision.map(|revision| format!(", at revision {revision}")).unwrap_or_default();
        let sampled = if check.sampled { ", sampled" } else { "" };
        text.push(6, style(format!("{}{revision}{sampled}", proof(check.proof))).dim());
    }
}

fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::Red => "red before, green after",
        Proof::ProvesNothing => "passed before its step already: proves nothing",
        Proof::Exempt => "exempt from the red-first check",
        Proof::NotRun => "not proved",
    }
}

/// What stopped the lab, where no step reports it, and what it left behind.
pub(super) fn lab_detail(text: &mut Lines, lab: &LabReport) {
    if lab.stop.is_some() {
        let reason = lab.reason.as_deref().unwrap_or_default();
        text.push(2, format!("{} {reason}", mark(lab.verdict)));
        for line in &lab.detail {
            text.push(4, line);
        }
    }
    if !lab.keys_left.is_empty() {
        let keys = plural(lab.keys_left.len(), "key");
        text.push(2, format!("{} the clean-up left {keys} that the lab created:", mark(Verdict::Fail)));
        for key in &lab.keys_left {
            text.push(4, key);
        }
    }
}

pub(super) fn summary(lab: &LabReport) -> String {
    let word = match lab.verdict {
        Verdict::Pass => "passed",
        Verdict::Skipped => "skipped",
        Verdict::CannotJudge => "cannot judge",
        Verdict::Fail => "failed",
    };
    let all = || lab.steps.iter().flat_map(|step| &step.checks);
    let total = all().count();
    let not_judged = all().filter(|check| check.verdict == Verdict::Skipped).count();
    let passed = all().filter(|check| check.verdict == Verdict::Pass).count();
    let proved = all().filter(|check| check.verdict == Verdict::Pass && check.proof.is_proved()).count();
    let mut parts = Vec::new();
    if total > 0 {
        let checks =
            if passed == total { plural(total, "check") } else { format!("{passed} of {}", plural(total, "check")) };
        let proof = match proved {
            0 => String::new(),
            _ if proved == total => ", all proved".to_owned(),
            _ => format!(", {proved} proved"),
        };
        let left = if not_judged > 0 { format!(", {not_judged} not judged") } else { String::new() };
        parts.push(format!("{checks}{proof}{left}"));
    }
    if lab.max_points > 0 {
        parts.push(format!("{}/{} points", lab.points, lab.max_points));
    }
    parts.push(duration(lab.duration_ms));
    format!("{}  {}", accent(lab.verdict).bold().apply_to(word), parts.join(" · "))
}

pub(super) fn spent(spent: &Spent) -> String {
    let parts = [
        ("cluster up", spent.up_ms),
        ("actions", spent.actions_ms),
        ("checks", spent.checks_ms),
        ("clean-up", spent.cleanup_ms),
        ("down", spent.down_ms),
    ];
    parts.map(|(what, ms)| format!("{what} {}", duration(ms))).join(" · ")
}

pub(super) fn header(lab: &LabReport) -> String {
    let run = run_of(lab.repeat, lab.repeats, lab.retry);
    format!("{}  {}{run}", style(&lab.id).bold(), lab.title)
}

pub(super) fn total(report: &RunReport) -> String {
    let counts = &report.totals.labs;
    let mut parts: Vec<String> = [
        (Verdict::Pass, counts.pass, "passed"),
        (Verdict::Fail, counts.fail, "failed"),
        (Verdict::CannotJudge, counts.cannot_judge, "cannot be judged"),
        (Verdict::Skipped, counts.skipped, "skipped"),
    ]
    .into_iter()
    .filter(|(_, count, _)| *count > 0)
    .map(|(verdict, count, word)| accent(verdict).apply_to(format!("{count} {word}")).to_string())
    .collect();
    if report.totals.flaky > 0 {
        parts.push(Style::new().yellow().apply_to(format!("{} flaky", report.totals.flaky)).to_string());
    }
    let labs = plural(report.results.len(), "lab");
    let runs = if report.labs.len() > report.results.len() {
        format!(" in {}", plural(report.labs.len(), "run"))
    } else {
        String::new()
    };
    format!("{labs}{runs}: {} · {}", parts.join(", "), duration(report.duration_ms))
}

/// How often each lab passed that was run more than once.
pub(super) fn several_runs(report: &RunReport) -> Vec<String> {
    let several = report.results.iter().filter(|result| result.runs > 1);
    several
        .map(|result| {
            let flaky = match (result.flaky, report.allow_flaky) {
                (true, true) => ": flaky, which --allow-flaky allows",
                (true, false) => ": flaky",
                (false, _) => "",
            };
            format!("{} {}: passed {} of {}{flaky}", mark(result.verdict), result.id, result.passed, result.runs)
        })
        .collect()
}

/// By which a run that did not pass is repeated.
pub(super) fn seed_line(report: &RunReport) -> Option<String> {
    let is_of_labs = matches!(report.command.as_str(), "run" | "test");
    let line = format!("seed {}: --seed repeats the run with the same random values", report.seed);
    (report.exit != 0 && is_of_labs && !report.seed.is_empty()).then_some(line)
}
