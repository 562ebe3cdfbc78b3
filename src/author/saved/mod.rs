//! What a run of a lab leaves in a folder: the lab's text, every event, the journal, what checks were
//! judged by, and what the terminals showed. Secrets are hidden when it is written. `docs/saved-runs.md` has the form.

mod cache;
mod cast;
mod read;
mod write;

use serde::{Deserialize, Serialize};

pub use cache::{CACHED_BYTES, CACHED_RUNS, make_room};
pub use cast::Cast;

use crate::journal::Journal;
use crate::outcome::{ClusterReport, RunEvent, Verdict};
use crate::run::Recording;

/// Of the form of the folder.
pub const FORMAT: u32 = 1;

const HEAD: &str = "run.json";
const LAB: &str = "lab.md";
const PRIVATE: &str = "lab.private.md";
const EVENTS: &str = "events.jsonl";
const JOURNAL: &str = "journal.jsonl";
const EVIDENCE: &str = "evidence.json";
const REPORT: &str = "report.txt";
const LOG: &str = "log.txt";

/// One lab's run.
pub struct SavedRun {
    pub head: Head,
    pub lab: String,
    /// Its private part, where it has one.
    pub private: Option<String>,
    pub events: Vec<RunEvent>,
    pub recording: Recording,
    pub journal: Journal,
    pub casts: Vec<Cast>,
    /// As a person reads it.
    pub report: String,
    /// What the program itself logged.
    pub log: String,
}

/// What it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub format: u32,
    pub tool: String,
    /// `run` or `test`, and whether solutions ran.
    pub command: String,
    pub solved: bool,
    /// A uint64 as text: JSON numbers lose it.
    pub seed: String,
    pub started_at: String,
    pub lab: LabHead,
    pub cluster: ClusterReport,
    pub verdict: Verdict,
    pub duration_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabHead {
    pub id: String,
    pub title: String,
    /// As it was named.
    pub file: String,
    /// Where it lay.
    pub path: String,
}

#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    #[error("there is no saved run in {0}")]
    None(String),
    #[error("{file} cannot be read: {reason}")]
    Unreadable { file: String, reason: String },
    #[error("this run was saved in format {found}; this keywitness reads format {FORMAT}")]
    Format { found: u32 },
}
