//! What a learner hands in: the lab and the attempt, every check with the evidence that it rests on, and the part of the
//! journal that the checks speak of, without secrets; a line of JSON each, every line sealed with the hash of the one
//! before. Whoever has the lab can judge the checks again, without a cluster.
//!
//! The seal shows what was changed without care. Who writes a new seal over a changed file is found only where what was
//! changed contradicts the rest.

mod chain;
mod more;
mod read;
#[cfg(test)]
mod tests;
mod times;
mod verify;
mod write;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::journal::{SavedMark, SavedObservation};
pub use more::{Further, judge_further};
pub use read::{Sealed, read};
pub use verify::{Doubled, LabSide, Private, Rejudged, Verified, doubled, verify};
pub use write::{Attempt, JudgedCheck, Part, write};

use crate::outcome::Verdict;
use crate::text::sha256;

/// Of the form of the file.
pub const VERSION: u32 = 1;

/// What a line holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    HandIn {
        version: u32,
        tool: String,
    },
    Lab {
        id: String,
        title: String,
        digest: String,
    },
    Seed {
        /// A uint64 as text: JSON numbers lose it.
        seed: String,
    },
    /// The values of the variables, but for secret ones.
    Vars {
        vars: BTreeMap<String, String>,
        /// Those that were set by hand, so that they need not follow from the seed.
        given: Vec<String>,
    },
    Learner {
        name: Option<String>,
    },
    Cluster {
        kind: String,
        kubernetes: Option<String>,
        etcd: Option<String>,
        /// Under which the cluster keeps its keys.
        prefix: String,
    },
    /// A line of a journal, as that is saved. An attempt that was resumed has several, in parts.
    Journal {
        part: u32,
        line: Value,
    },
    Check(Box<CheckRecord>),
    Question {
        step: String,
        line: usize,
        attempts: u32,
        right: bool,
    },
    Step {
        step: String,
        hints: u32,
        solution: bool,
    },
    Points {
        points: u32,
        max_points: u32,
    },
    End {
        started: Timestamp,
        finished: Timestamp,
        /// What really passed, by a clock that nobody sets.
        elapsed_ms: u64,
    },
}

/// A check, how it came out, and by what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// Whose journal it was judged by.
    pub part: u32,
    pub step: String,
    pub line: usize,
    pub column: usize,
    pub text: String,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub mark: SavedMark,
    pub end: SavedMark,
    /// From when on a `never` counts.
    pub since: Option<Timestamp>,
    /// The journal had come so far, and was known to be complete at that time.
    pub upto: i64,
    pub epoch: u32,
    pub at: Timestamp,
    pub observations: Vec<SavedObservation>,
}

/// What somebody did to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tampering {
    FutureVersion,
    CutFile,
    OtherLab,
    OtherSeed,
    ChangedValue,
    DroppedEntry,
    Reordered,
    EditedPoints,
    DoubledFile,
    ClockTurnedBack,
}

impl Tampering {
    pub fn name(self) -> &'static str {
        match self {
            Tampering::FutureVersion => "future version",
            Tampering::CutFile => "cut file",
            Tampering::OtherLab => "other lab text",
            Tampering::OtherSeed => "other seed",
            Tampering::ChangedValue => "changed value",
            Tampering::DroppedEntry => "dropped entry",
            Tampering::Reordered => "reordered",
            Tampering::EditedPoints => "edited points",
            Tampering::DoubledFile => "doubled file",
            Tampering::ClockTurnedBack => "clock turned back",
        }
    }
}

/// Where, and how it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    pub tampering: Tampering,
    /// Of the file.
    pub line: Option<usize>,
    pub text: String,
}

impl Trace {
    fn new(tampering: Tampering, line: Option<usize>, text: impl Into<String>) -> Self {
        Self { tampering, line, text: text.into() }
    }
}

/// Of a lab's text.
pub fn digest(text: &str) -> String {
    sha256(text.as_bytes())
}
