use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Standing;
use crate::outcome::EvidenceRef;

/// The version of the file's form.
pub const SCHEMA: u32 = 1;

/// How far a learner has come in a lab: all that a later session needs, and no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub schema: u32,
    pub lab: String,
    pub title: String,
    /// The lab's file, absolute.
    pub file: String,
    /// Of the lab's text: another text is another lab.
    pub digest: String,
    /// A uint64 as text: JSON numbers lose it.
    pub seed: String,
    pub cluster: String,
    /// The values of the variables, but for secret ones.
    pub vars: BTreeMap<String, String>,
    pub started: Timestamp,
    pub updated: Timestamp,
    /// The step in progress, by its number from 0.
    pub open: usize,
    /// The stretch of it that is open.
    pub stretch: usize,
    /// The revision of that stretch's mark, once it is set: events before a break count after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<i64>,
    /// The cluster is on its way back to the beginning of this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub going_back: Option<usize>,
    pub finished: Option<Timestamp>,
    /// As it shall stand in what is handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learner: Option<String>,
    /// How long the lab was open, by a clock that nobody sets.
    #[serde(default)]
    pub worked_ms: u64,
    pub points: u32,
    pub max_points: u32,
    /// In the lab's order.
    pub steps: Vec<StepProgress>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepProgress {
    pub id: String,
    pub title: String,
    pub state: StepState,
    pub entered: Option<Timestamp>,
    pub left: Option<Timestamp>,
    pub checks: Vec<CheckProgress>,
    pub questions: Vec<QuestionProgress>,
    pub hints: u32,
    /// The solution was shown.
    pub solution: bool,
    /// The session ran it: its checks earn nothing.
    pub solved: bool,
    pub resets: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    #[default]
    Untouched,
    Open,
    /// All its checks were green when the learner went on.
    Done,
    Skipped,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckProgress {
    pub standing: Standing,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceRef>,
    /// When it last turned green.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionProgress {
    pub attempts: u32,
    pub right: bool,
}
