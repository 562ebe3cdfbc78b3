//! Verdicts, past-tense run events, and the report that is a fold over them: the only place that
//! decides pass or fail, and the exit statuses.

mod event;
mod fold;
mod redact;
mod report;
mod score;
mod totals;

pub use event::{
    Attempt, CheckFact, EvidenceRef, Failure, Fault, ProofRule, PullState, PulledLayer, QuestionFact, RunEvent, Spent,
    StopCause, Terms, WitnessedEvent,
};
pub use fold::{Fold, fold, lab_report};
pub use report::{
    ActionReport, Against, CheckReport, ClusterReport, Counts, DiagnosticReport, HostReport, LabReport, LabResult,
    LeftOut, Notice, QuestionReport, RunReport, ShardReport, StepReport, Totals,
};

use serde::{Deserialize, Serialize};

/// Only `pass` passes. In order of weight: the worst part decides the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Verdict {
    Pass,
    Skipped,
    CannotJudge,
    Fail,
}

impl Verdict {
    /// The word for it in every format.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Skipped => "skipped",
            Verdict::CannotJudge => "cannot judge",
            Verdict::Fail => "fail",
        }
    }
}

/// Whether a check was red before its stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Proof {
    Red,
    ProvesNothing,
    Exempt,
    NotRun,
}

impl Proof {
    /// Whether a check with this proof may count as proved when a lab is tested.
    pub fn is_proved(self) -> bool {
        matches!(self, Proof::Red | Proof::Exempt)
    }
}

/// Exit statuses, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Interrupted,
    WrongInput,
    CheckFailed,
    CannotJudge,
    Passed,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Interrupted => 130,
            Exit::WrongInput => 2,
            Exit::CheckFailed => 1,
            Exit::CannotJudge => 3,
            Exit::Passed => 0,
        }
    }

    /// The meaning of a status that a report carries; what no status of ours means is no pass.
    pub fn from_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::CannotJudge)
    }

    /// The one that comes first in the order of precedence.
    pub fn worst(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().min_by_key(|exit| *exit as u8).unwrap_or(Exit::Passed)
    }

    const ALL: [Exit; 5] = [Exit::Interrupted, Exit::WrongInput, Exit::CheckFailed, Exit::CannotJudge, Exit::Passed];
}

#[cfg(test)]
mod tests;
