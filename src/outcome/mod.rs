//! Verdicts, past-tense run events, and the report that is a fold over them: the only place that
//! decides pass or fail, and the exit statuses.

mod event;
mod report;

pub use event::{EvidenceRef, Failure, RunEvent};
pub use report::{
    ActionReport, CheckReport, ClusterReport, DiagnosticReport, LabReport, QuestionReport, RunReport, StepReport,
};

use serde::{Deserialize, Serialize};

/// Only `pass` passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    Skipped,
    CannotJudge,
    Fail,
}

/// Whether a check was red before its stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    Red,
    ProvesNothing,
    Exempt,
    NotRun,
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
}
