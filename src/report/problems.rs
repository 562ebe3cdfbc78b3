//! What went wrong, one by one: every format that lists problems lists these, with the same words.

use super::layout::{failure_lines, one_line};
use crate::lab::Role;
use crate::outcome::{
    ActionReport, CheckReport, DiagnosticReport, Fault, LabReport, RunReport, StepReport, StopCause, Verdict,
};
use crate::text::Severity;

/// What kind of thing did not come out, as formats name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    Check,
    Wait,
    /// A check that passed, and proves nothing.
    Proof,
    Command,
    Output,
    Question,
    Background,
    CleanUp,
    /// The lab did not start, or did not end.
    Lab,
}

impl ProblemKind {
    pub const ALL: [ProblemKind; 9] = [
        ProblemKind::Check,
        ProblemKind::Wait,
        ProblemKind::Proof,
        ProblemKind::Command,
        ProblemKind::Output,
        ProblemKind::Question,
        ProblemKind::Background,
        ProblemKind::CleanUp,
        ProblemKind::Lab,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            ProblemKind::Check => "check",
            ProblemKind::Wait => "wait",
            ProblemKind::Proof => "proof",
            ProblemKind::Command => "command",
            ProblemKind::Output => "output",
            ProblemKind::Question => "question",
            ProblemKind::Background => "background",
            ProblemKind::CleanUp => "clean-up",
            ProblemKind::Lab => "lab",
        }
    }

    pub const fn meaning(self) -> &'static str {
        match self {
            ProblemKind::Check => "A check did not come true",
            ProblemKind::Wait => "What the lab waits for did not come true",
            ProblemKind::Proof => "A check passes and proves nothing",
            ProblemKind::Command => "A command of a block failed",
            ProblemKind::Output => "A block printed something else than its `output` fence",
            ProblemKind::Question => "The right answer of a question cannot be computed",
            ProblemKind::Background => "A background block was not ready, or ended by itself",
            ProblemKind::CleanUp => "The clean-up failed, or left something behind",
            ProblemKind::Lab => "The lab did not start, or was stopped",
        }
    }
}

/// One thing that failed or cannot be judged.
#[derive(Debug, Clone)]
pub struct Problem {
    pub kind: ProblemKind,
    pub verdict: Verdict,
    /// The lab's id.
    pub lab: String,
    /// Of the step, or of the lab.
    pub title: String,
    pub file: String,
    pub line: usize,
    pub column: Option<usize>,
    /// The line and the column after the last character.
    pub end: Option<(usize, usize)>,
    /// In one line.
    pub what: String,
    /// Everything else that is known of it.
    pub lines: Vec<String>,
}

impl Problem {
    /// `check-fail`, `wait-cannot-judge`.
    pub fn code(&self) -> String {
        format!("{}-{}", self.kind.name(), self.verdict.word().replace(' ', "-"))
    }

    /// `label: Label it`, as a title.
    pub fn place(&self) -> String {
        if self.title == self.lab { self.lab.clone() } else { format!("{}: {}", self.lab, self.title) }
    }

    pub fn all_lines(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.what.as_str()).chain(self.lines.iter().map(String::as_str))
    }
}

/// Of the runs that decide: where a lab may be flaky, those of a flaky lab do not.
pub fn problems(report: &RunReport) -> Vec<Problem> {
    report.labs.iter().flat_map(problems_of).collect()
}

pub fn problems_of(lab: &LabReport) -> Vec<Problem> {
    let mut found: Vec<Problem> = lab.steps.iter().flat_map(|step| of_step(lab, step)).collect();
    if lab.stop.is_some() && matters(lab.verdict) {
        let reason = lab.reason.clone().unwrap_or_default();
        found.push(Problem { lines: lab.detail.clone(), ..of_lab(lab, ProblemKind::Lab, lab.verdict, reason) });
    }
    if !lab.keys_left.is_empty() {
        let what = "the clean-up left what the lab created".to_owned();
        let lines = lab.keys_left.clone();
        found.push(Problem { lines, ..of_lab(lab, ProblemKind::CleanUp, Verdict::Fail, what) });
    }
    found
}

fn of_lab(lab: &LabReport, kind: ProblemKind, verdict: Verdict, what: String) -> Problem {
    Problem {
        kind,
        verdict,
        lab: lab.id.clone(),
        title: lab.id.clone(),
        file: lab.file.clone(),
        line: 1,
        column: None,
        end: None,
        what,
        lines: Vec::new(),
    }
}

fn of_step(lab: &LabReport, step: &StepReport) -> Vec<Problem> {
    let here = |kind, verdict, line, what: &str| Problem {
        title: step.title.clone(),
        line,
        ..of_lab(lab, kind, verdict, what.to_owned())
    };
    let mut found = Vec::new();
    for action in step.actions.iter().filter(|action| matters(action.verdict)) {
        let line = action.failed_line.unwrap_or(action.line);
        let what = action.reason.as_deref().unwrap_or(action.verdict.word());
        let file = action.file_in(lab).to_owned();
        let lines = action_lines(action);
        found.push(Problem { file, lines, ..here(action_kind(action), action.verdict, line, what) });
    }
    let waits = step.waits.iter().map(|wait| (true, wait));
    for (is_wait, check) in waits.chain(step.checks.iter().map(|check| (false, check))) {
        if !matters(check.verdict) {
            continue;
        }
        let kind = match (is_wait, check.unproved) {
            (true, _) => ProblemKind::Wait,
            (false, true) => ProblemKind::Proof,
            (false, false) => ProblemKind::Check,
        };
        let head = if is_wait { "waited for " } else { "" };
        found.push(Problem {
            file: check.file.clone(),
            column: Some(check.column),
            end: (check.end_line > 0).then_some((check.end_line, check.end_column)),
            lines: check_lines(check),
            ..here(kind, check.verdict, check.line, &format!("{head}{}", one_line(&check.text)))
        });
    }
    for question in step.questions.iter().filter(|question| matters(question.verdict)) {
        let what = question.reason.as_deref().unwrap_or(question.verdict.word());
        let lines = question.text.lines().map(str::to_owned).collect();
        found.push(Problem { lines, ..here(ProblemKind::Question, question.verdict, question.line, what) });
    }
    if matters(step.verdict) && (found.is_empty() || !step.is_explained_by_a_part()) {
        let kind = match step.stop {
            Some(StopCause::Background) => ProblemKind::Background,
            // Its keys do not rest, so that its checks prove nothing.
            Some(StopCause::Wrong) => ProblemKind::Proof,
            _ => ProblemKind::Lab,
        };
        found.push(here(kind, step.verdict, step.line, step.reason.as_deref().unwrap_or(step.verdict.word())));
    }
    found
}

pub fn action_kind(action: &ActionReport) -> ProblemKind {
    match (action.role, action.fault) {
        (Role::Cleanup, _) => ProblemKind::CleanUp,
        (_, Some(Fault::Output)) => ProblemKind::Output,
        (_, Some(Fault::Background)) => ProblemKind::Background,
        (_, Some(Fault::Command) | None) => ProblemKind::Command,
    }
}

pub fn action_lines(action: &ActionReport) -> Vec<String> {
    let output = action.output.lines().map(|line| format!("│ {line}"));
    action.detail.iter().cloned().chain(output).collect()
}

/// The author's word, the reason, what was wanted against what came, and what happened around it.
pub fn check_lines(check: &CheckReport) -> Vec<String> {
    let failure = check.failure.as_ref();
    let author = failure.and_then(|failure| failure.author.clone());
    author.into_iter().chain(check.reason.clone()).chain(failure.map(failure_lines).unwrap_or_default()).collect()
}

pub fn matters(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Fail | Verdict::CannotJudge => true,
        Verdict::Pass | Verdict::Skipped => false,
    }
}

/// A finding's message with its hint.
pub fn finding_lines(finding: &DiagnosticReport) -> impl Iterator<Item = &str> {
    std::iter::once(finding.message.as_str()).chain(finding.hint.as_deref())
}

pub fn is_error(finding: &DiagnosticReport) -> bool {
    finding.severity == Severity::Error
}
