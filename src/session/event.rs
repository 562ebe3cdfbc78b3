use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::api::{CheckView, Summary};
use crate::learn::Standing;
use crate::outcome::{EvidenceRef, Verdict};

/// What came about in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SessionEvent {
    StepOpened {
        step: String,
        title: String,
        number: usize,
        of: usize,
    },
    /// Its mark is set, and its checks are looked at.
    StretchOpened {
        step: String,
        stretch: usize,
        of: usize,
    },
    CheckTurned {
        step: String,
        check: CheckView,
        was: Standing,
        now: Standing,
        evidence: Vec<EvidenceRef>,
    },
    /// Every check of the step holds; it waits for `next`.
    StepGreen {
        step: String,
        held: usize,
        of: usize,
    },
    StepBroke {
        step: String,
        held: usize,
        of: usize,
    },
    StepDone {
        step: String,
        points: u32,
        max_points: u32,
    },
    StepSkipped {
        step: String,
        cost: u32,
    },
    StepShown {
        step: String,
        number: usize,
    },
    HintGiven {
        step: String,
        number: u32,
        of: u32,
    },
    SolutionShown {
        step: String,
    },
    QuestionAnswered {
        step: String,
        question: String,
        right: bool,
        attempts: u32,
    },
    BlockStarted {
        line: usize,
        role: String,
        text: String,
    },
    BlockFinished {
        line: usize,
        name: Option<String>,
        role: String,
        verdict: Verdict,
        reason: Option<String>,
    },
    /// A shell of the learner's has begun a command.
    CommandBegan {
        terminal: String,
        text: String,
        began: Timestamp,
    },
    /// A shell of the learner's has run a command to its end.
    CommandFinished {
        terminal: String,
        text: String,
        status: i32,
        began: Timestamp,
        ended: Timestamp,
    },
    /// A shell of the learner's has ended, and with it what ran in it.
    TerminalLeft {
        terminal: String,
        at: Timestamp,
    },
    WentBack {
        step: String,
        left: Vec<String>,
    },
    Noticed {
        message: String,
    },
    /// Etcd does not answer; nothing can be judged until it does.
    ClusterLost {
        reason: String,
    },
    ClusterBack,
    Finished {
        summary: Summary,
    },
    /// This hearer was too slow, and has missed so many.
    Missed {
        count: u64,
    },
    Ended {
        kept: bool,
    },
}
