//! Evidence, evaluating a check against it, explaining why not. Pure: observations carry their time.
//!
//! A check is judged by a [`Judge`] again and again while the clocks of `within` and `for` run, and is
//! [`probe`]d once before its stretch for the proof that it was red.

mod fill;

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::journal::{JournalView, Mark, Revision};
use crate::lab::{Check, CheckKind};
use crate::outcome::{EvidenceRef, Verdict};

pub use crate::journal::{Need, Observation, Seen};
pub use fill::{needs, watched};

/// What a check is judged by, beside the journal.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub mark: Mark,
    /// The mark read when the stretch was over: the clocks of `within` and `for` start at its time, and
    /// the state of keys is judged from its revision on. For a probe, the mark itself.
    pub end: Mark,
    /// Every sample of this check's needs since the end of the stretch, in order. A probe looks at the
    /// last one only.
    pub observations: Vec<Observation>,
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
        until: SystemTime,
    },
}

#[derive(Debug, Clone)]
pub struct Judgement {
    pub verdict: Verdict,
    /// In one line.
    pub reason: Option<String>,
    /// Wanted against seen.
    pub explanation: Vec<String>,
    pub evidence: Vec<EvidenceRef>,
    /// Rests on samples, not on every revision.
    pub sampled: bool,
    pub revision: Option<Revision>,
}

/// A check under judgement. Remembers what it found about single revisions, so that judging again
/// costs only what is new: use one for one check after one stretch.
#[derive(Debug)]
pub struct Judge<'a> {
    check: &'a Check,
}

impl<'a> Judge<'a> {
    pub fn new(check: &'a Check) -> Self {
        Self { check }
    }

    /// The check's outcome at `now`. Ask again when the journal or the observations have grown, and at
    /// the time that an open outcome names; past its clocks a check settles.
    pub fn judge(&mut self, _evidence: &Evidence, _journal: &JournalView, _now: SystemTime) -> Progress {
        Progress::Settled(Judgement::cannot_judge(format!("`{}` is not judged yet", self.check.text)))
    }
}

/// The check just before its stretch, without `within` and `for`. Red is [`Verdict::Fail`].
pub fn probe(check: &Check, _evidence: &Evidence, _journal: &JournalView) -> Judgement {
    Judgement::cannot_judge(format!("`{}` is not judged yet", check.text))
}

/// Whether the folder that a `never` names has held a key: without that it watches nothing.
pub fn folder_held(check: &Check, evidence: &Evidence, journal: &JournalView) -> Option<bool> {
    let CheckKind::Never { glob, .. } = &check.kind else { return None };
    let glob = fill::glob(glob, &evidence.vars, &evidence.prefix);
    let folder = glob.prefix().rfind('/').map_or("", |end| &glob.prefix()[..=end]);
    Some(journal.has_held(folder))
}

impl Judgement {
    pub fn cannot_judge(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::CannotJudge,
            reason: Some(reason.into()),
            explanation: Vec::new(),
            evidence: Vec::new(),
            sampled: false,
            revision: None,
        }
    }
}
