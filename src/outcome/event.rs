use serde::{Deserialize, Serialize};

use super::report::{ClusterReport, DiagnosticReport};
use super::{Proof, Verdict};

/// A fact of a run, in the past tense: owned and serialisable, so that a recorded run replays through
/// the same reporters.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    RunStarted {
        command: String,
        seed: u64,
        started_at: String,
        labs: usize,
    },
    DiagnosticFound {
        diagnostic: DiagnosticReport,
    },
    LabStarted {
        lab: String,
        file: String,
        title: String,
    },
    /// A stage of bringing the cluster up or down.
    StagePassed {
        lab: String,
        stage: String,
        detail: Option<String>,
        duration_ms: u64,
    },
    ClusterReady {
        lab: String,
        cluster: ClusterReport,
        vars: Vec<(String, String)>,
    },
    StepStarted {
        lab: String,
        step: String,
        title: String,
        line: usize,
    },
    ActionStarted {
        lab: String,
        step: String,
        action: String,
        line: usize,
        role: String,
        terminal: String,
        text: String,
    },
    ActionFinished {
        lab: String,
        step: String,
        action: super::ActionReport,
    },
    /// Judged, still open: for live progress only.
    CheckPending {
        lab: String,
        step: String,
        line: usize,
        text: String,
        so_far: String,
    },
    CheckFinished {
        lab: String,
        step: String,
        check: super::CheckReport,
        failure: Option<Failure>,
    },
    QuestionFinished {
        lab: String,
        step: String,
        question: super::QuestionReport,
    },
    StepFinished {
        lab: String,
        step: String,
        verdict: Verdict,
        reason: Option<String>,
        duration_ms: u64,
    },
    LabFinished {
        lab: String,
        verdict: Verdict,
        reason: Option<String>,
        duration_ms: u64,
    },
    /// Something that does not decide, but that a person should know.
    Noticed {
        lab: String,
        message: String,
    },
    Interrupted,
    RunFinished {
        duration_ms: u64,
    },
}

/// What a person needs about a failed check without a second run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Failure {
    /// The author's word.
    pub author: Option<String>,
    /// Wanted against seen, line by line, already redacted.
    pub explanation: Vec<String>,
    /// The end of the output of the step's actions.
    pub output: Vec<String>,
    /// The step's part of the journal.
    pub journal: Vec<String>,
}

/// An event that a verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRef {
    pub revision: i64,
    #[serde(rename = "type")]
    pub kind: String,
    pub key: String,
}

impl Proof {
    /// Whether a check with this proof may count as proved when a lab is tested.
    pub fn is_proved(self) -> bool {
        matches!(self, Proof::Red | Proof::Exempt)
    }
}
