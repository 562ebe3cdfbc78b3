use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EvidenceRef, Failure, Fault, Proof, Spent, StopCause, Verdict, WitnessedEvent};
use crate::lab::Role;
use crate::text::Severity;

/// The whole run as one tree; serialises to the documented JSON, of which `schemas/report.json` is the schema. Every
/// other format comes from this same tree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunReport {
    pub schema: u32,
    pub tool: String,
    pub command: String,
    /// A uint64 as text: JSON numbers lose it.
    pub seed: String,
    pub exit: u8,
    pub started_at: String,
    pub duration_ms: u64,
    pub host: HostReport,
    /// Which part of a course this run was.
    pub shard: Option<ShardReport>,
    /// Labs that passed only sometimes do not fail the run.
    pub allow_flaky: bool,
    pub totals: Totals,
    /// How each lab came out over all its runs.
    pub results: Vec<LabResult>,
    pub diagnostics: Vec<DiagnosticReport>,
    /// Markdown files that are no labs, and labs that this run was told to leave.
    pub left_out: Vec<LeftOut>,
    pub notices: Vec<Notice>,
    /// Every run of every lab.
    pub labs: Vec<LabReport>,
}

/// What the run took place on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HostReport {
    pub os: String,
    pub arch: String,
    pub cpus: u32,
    pub memory_mb: Option<u64>,
}

/// One of the parts into which a course was divided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShardReport {
    /// From 1.
    pub index: u32,
    pub of: u32,
    /// The labs of the whole course, of which each part must be one.
    pub course: String,
    pub labs: u32,
}

/// A file or a lab that was not run, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeftOut {
    pub file: String,
    pub reason: String,
}

/// Something that decides nothing, but that a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Notice {
    /// The lab's id.
    pub lab: Option<String>,
    pub message: String,
}

/// Sums over the runs of all labs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Totals {
    pub labs: Counts,
    /// Labs that passed only sometimes.
    pub flaky: u32,
    pub checks: Counts,
    /// Of the checks that passed, those that were red before.
    pub proved: u32,
    pub points: u32,
    pub max_points: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    pub pass: u32,
    pub fail: u32,
    pub cannot_judge: u32,
    pub skipped: u32,
}

/// A lab over all its runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LabResult {
    pub id: String,
    pub file: String,
    /// That of the worst run; a flaky lab passes where that is allowed.
    pub verdict: Verdict,
    /// It passed sometimes, and sometimes not.
    pub flaky: bool,
    pub runs: u32,
    pub passed: u32,
    /// The longest of its runs.
    pub duration_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClusterReport {
    pub kind: String,
    pub kubernetes: Option<String>,
    pub etcd: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LabReport {
    pub id: String,
    pub file: String,
    pub title: String,
    /// Its place in the course, from 0.
    pub order: u32,
    /// From 1, of so many that were asked for.
    pub repeat: u32,
    pub repeats: u32,
    /// How often it had been tried before without passing.
    pub retry: u32,
    /// Other runs of the same lab came out otherwise.
    pub flaky: bool,
    /// A uint64 as text.
    pub seed: String,
    pub started_at: String,
    pub cluster: ClusterReport,
    pub vars: BTreeMap<String, String>,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub points: u32,
    pub max_points: u32,
    pub duration_ms: u64,
    /// The folder that keeps what this run left, if it was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<String>,
    /// Its reason is the lab's own, reported by no step.
    pub stop: Option<StopCause>,
    pub detail: Vec<String>,
    /// Keys that the lab created and its clean-up left.
    pub keys_left: Vec<String>,
    pub spent: Spent,
    pub steps: Vec<StepReport>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepReport {
    pub id: String,
    pub title: String,
    pub line: usize,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub points: u32,
    pub max_points: u32,
    pub hints_used: u32,
    /// In milliseconds from the lab's start.
    pub started_ms: u64,
    pub duration_ms: u64,
    /// What stopped it beside its parts.
    pub stop: Option<StopCause>,
    pub actions: Vec<ActionReport>,
    /// The lines of `wait` fences, which earn nothing.
    pub waits: Vec<CheckReport>,
    pub checks: Vec<CheckReport>,
    pub questions: Vec<QuestionReport>,
    /// What etcd reported meanwhile, heartbeats aside: the last of it where it is much.
    #[serde(default)]
    pub events: Vec<WitnessedEvent>,
    #[serde(default)]
    pub events_left_out: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ActionReport {
    pub name: Option<String>,
    /// Where that is another one than the lab's: its private part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    pub line: usize,
    /// Its commands.
    #[serde(default)]
    pub text: String,
    pub role: Role,
    pub terminal: String,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub exit: Option<i32>,
    pub failed_line: Option<usize>,
    pub fault: Option<Fault>,
    pub output: String,
    pub truncated: bool,
    #[serde(default)]
    pub started_ms: u64,
    pub duration_ms: u64,
    /// What more a person needs where it failed: the difference to the expected output.
    #[serde(default)]
    pub detail: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CheckReport {
    pub text: String,
    pub file: String,
    pub line: usize,
    pub column: usize,
    /// Of the character after its last one.
    pub end_line: usize,
    pub end_column: usize,
    /// When it was settled, in milliseconds from the lab's start.
    pub at_ms: u64,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub points: u32,
    pub max_points: u32,
    pub proof: Proof,
    /// It passed, and fails for want of its proof.
    pub unproved: bool,
    pub sampled: bool,
    pub revision: Option<i64>,
    pub evidence: Vec<EvidenceRef>,
    pub failure: Option<Failure>,
    /// Of the failure's explanation, part by part.
    #[serde(default)]
    pub against: Against,
    /// Not judged because it is not for this cluster or mode, so that it counts nowhere.
    pub neutral: bool,
}

/// What was wanted against what was there, without the words that head each part of an explanation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Against {
    pub wanted: Vec<String>,
    /// What came, or was there.
    pub saw: Vec<String>,
    /// What is like what was wanted: keys beside it, objects of which the condition is not true.
    pub near: Vec<String>,
}

impl Against {
    /// The parts of an explanation begin with a word and a colon, and go on indented.
    pub fn of(explanation: &[String]) -> Self {
        let mut all = Self::default();
        let mut part = None;
        for line in explanation {
            let is_head = !line.starts_with(' ');
            let (head, rest) = line.split_once(':').filter(|_| is_head).unwrap_or(("", line));
            let word = head.split([' ', ',']).next().unwrap_or_default();
            if is_head {
                part = match word {
                    "wanted" => Some(0),
                    "saw" | "came" | "output" | "stdout" | "stderr" => Some(1),
                    "near" | "not" => Some(2),
                    _ => None,
                };
            }
            let lines = match part {
                Some(0) => &mut all.wanted,
                Some(1) => &mut all.saw,
                Some(2) => &mut all.near,
                _ => continue,
            };
            // A head of several words says something itself.
            let text = if rest.trim().is_empty() && head.contains(' ') { line.as_str() } else { rest };
            if !text.trim().is_empty() {
                lines.push(text.trim().to_owned());
            }
        }
        all
    }
}

impl ActionReport {
    /// The file that it stands in.
    pub fn file_in<'a>(&'a self, lab: &'a LabReport) -> &'a str {
        self.file.as_deref().unwrap_or(&lab.file)
    }
}

impl LabReport {
    /// Of a lab of which nothing is known.
    pub(super) fn empty() -> Self {
        Self {
            id: String::new(),
            file: String::new(),
            title: String::new(),
            order: 0,
            repeat: 1,
            repeats: 1,
            retry: 0,
            flaky: false,
            seed: "0".to_owned(),
            started_at: String::new(),
            cluster: ClusterReport::default(),
            vars: BTreeMap::new(),
            verdict: Verdict::Skipped,
            reason: None,
            points: 0,
            max_points: 0,
            duration_ms: 0,
            steps: Vec::new(),
            saved: None,
            stop: None,
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct QuestionReport {
    pub line: usize,
    pub name: Option<String>,
    pub text: String,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub points: u32,
    pub max_points: u32,
}
