//! Evidence, evaluating a check against it, explaining why not. Pure: observations carry their time.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::Value;

use crate::journal::{Mark, Revision};
use crate::outcome::{EvidenceRef, Verdict};

/// What must be observed from outside the journal to judge a check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    Resource { kind: String, name: String, namespace: Option<String> },
    Etcd { member: Option<String> },
    Snapshot { file: String },
    Run { command: String },
}

/// One sample.
#[derive(Debug, Clone)]
pub struct Observation {
    pub need: Need,
    pub at: SystemTime,
    pub seen: Seen,
}

#[derive(Debug, Clone)]
pub enum Seen {
    /// `None`: the API answered that it does not exist.
    Resource(Option<Value>),
    /// The names of an `etcd` check: up, healthy, members, leader, term, ….
    Etcd(Value),
    /// valid, revision, keys, size.
    Snapshot(Value),
    Run {
        exit: i32,
        stdout: String,
        stderr: String,
    },
    /// The thing to ask did not answer: cannot judge.
    Unavailable(String),
}

/// What an action printed, as a person sees it.
#[derive(Debug, Clone)]
pub struct Output {
    pub text: String,
    pub exit: Option<i32>,
    /// Where this ended (a background block: still grows).
    pub at: SystemTime,
}

/// What a check is judged by, beside the journal.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub mark: Mark,
    /// When the stretch was over: the clocks of `within` and `for` start here.
    pub stretch_end: Option<SystemTime>,
    /// Everything up to this revision has been delivered, as of `delivered_at`.
    pub delivered: Revision,
    pub delivered_at: SystemTime,
    pub observations: Vec<Observation>,
    /// By the action's name, or by its fence's line where it has none.
    pub outputs: BTreeMap<String, Output>,
    pub vars: BTreeMap<String, String>,
    /// The cluster's own prefix, for which `/registry` stands.
    pub prefix: String,
}

/// A check's outcome so far.
#[derive(Debug, Clone)]
pub enum Progress {
    Settled(Judgement),
    /// May still change: what it would be if time were up, and when to look again at the latest.
    Open {
        so_far: Judgement,
        until: Option<SystemTime>,
    },
}

#[derive(Debug, Clone)]
pub struct Judgement {
    pub verdict: Verdict,
    pub reason: Option<String>,
    /// Wanted against seen.
    pub explanation: Vec<String>,
    pub evidence: Vec<EvidenceRef>,
    /// Rests on samples, not on every revision.
    pub sampled: bool,
    pub revision: Option<Revision>,
}
