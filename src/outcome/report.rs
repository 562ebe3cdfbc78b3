use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EvidenceRef, Failure, Proof, Spent, Verdict};
use crate::lab::Role;
use crate::text::Severity;

/// The whole run as one tree; serialises to the documented JSON. What is marked `skip` serves the other
/// formats, which come from this same tree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    pub schema: u32,
    pub tool: String,
    pub command: String,
    /// A uint64 as text: JSON numbers lose it.
    pub seed: String,
    pub exit: u8,
    pub started_at: String,
    pub diagnostics: Vec<DiagnosticReport>,
    pub labs: Vec<LabReport>,
    #[serde(skip)]
    pub duration_ms: u64,
    #[serde(skip)]
    pub notices: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosticReport {
    pub code: String,
    pub severity: Severity,
    pub file: String,
    pub line: usize,
    pub column: usize,
    /// Of the character after the last one that is meant.
    pub end_line: usize,
    pub end_column: usize,
    pub message: String,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterReport {
    pub kind: String,
    pub kubernetes: Option<String>,
    pub etcd: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabReport {
    pub id: String,
    pub file: String,
    pub title: String,
    pub cluster: ClusterReport,
    pub vars: BTreeMap<String, String>,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub points: u32,
    pub max_points: u32,
    pub duration_ms: u64,
    pub steps: Vec<StepReport>,
    /// Its reason is the lab's own, told by no step.
    #[serde(skip)]
    pub stopped: bool,
    #[serde(skip)]
    pub detail: Vec<String>,
    #[serde(skip)]
    pub keys_left: Vec<String>,
    #[serde(skip)]
    pub spent: Spent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    pub id: String,
    pub title: String,
    pub line: usize,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub points: u32,
    pub max_points: u32,
    pub hints_used: u32,
    pub duration_ms: u64,
    pub actions: Vec<ActionReport>,
    /// The lines of `wait` fences, which earn nothing.
    pub waits: Vec<CheckReport>,
    pub checks: Vec<CheckReport>,
    pub questions: Vec<QuestionReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionReport {
    pub name: Option<String>,
    pub line: usize,
    pub role: Role,
    pub terminal: String,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub exit: Option<i32>,
    pub failed_line: Option<usize>,
    pub output: String,
    pub truncated: bool,
    pub duration_ms: u64,
    #[serde(skip)]
    pub detail: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    pub text: String,
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub points: u32,
    pub max_points: u32,
    pub proof: Proof,
    pub sampled: bool,
    pub revision: Option<i64>,
    pub evidence: Vec<EvidenceRef>,
    #[serde(skip)]
    pub failure: Option<Failure>,
    /// Not judged because it is not for this cluster or mode, so that it counts nowhere.
    #[serde(skip)]
    pub neutral: bool,
}

impl LabReport {
    /// Of a lab of which nothing is known.
    pub(super) fn empty() -> Self {
        Self {
            id: String::new(),
            file: String::new(),
            title: String::new(),
            cluster: ClusterReport::default(),
            vars: BTreeMap::new(),
            verdict: Verdict::Skipped,
            reason: None,
            points: 0,
            max_points: 0,
            duration_ms: 0,
            steps: Vec::new(),
            stopped: false,
            detail: Vec::new(),
            keys_left: Vec::new(),
            spent: Spent::default(),
        }
    }
}

impl StepReport {
    /// Whether its verdict is that of one of its parts; otherwise it has a reason of its own.
    pub fn is_explained_by_a_part(&self) -> bool {
        let actions = self.actions.iter().map(|action| action.verdict);
        let checks = self.waits.iter().chain(&self.checks).map(|check| check.verdict);
        let questions = self.questions.iter().map(|question| question.verdict);
        actions.chain(checks).chain(questions).any(|verdict| verdict == self.verdict)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionReport {
    pub line: usize,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub points: u32,
    pub max_points: u32,
}
