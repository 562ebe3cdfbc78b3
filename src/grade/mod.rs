//! Evidence, evaluating a check against it, explaining why not. Pure: observations carry their time.
//!
//! A check is judged by a [`Judge`] again and again while the clocks of `within` and `for` run, and is
//! [`probe`]d once before its stretch for the proof that it was red. While a learner works, [`Judge::look`] says how it
//! stands just now.

mod clocks;
mod events;
mod fill;
mod judge;
mod keys;
mod live;
mod matching;
mod names;
mod sampled;
mod show;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use crate::journal::{Mark, Revision};
use crate::lab::Vars;
use crate::outcome::{EvidenceRef, Verdict};

pub use crate::journal::{Need, Observation, Seen};
pub use clocks::WITHIN;
pub use fill::{concerns, needs, searched, watched};
pub use judge::{Judge, folder_held, probe};
pub use live::{Look, Stands, can_turn_back};
pub use show::change as what_changed;

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
    pub vars: Vars,
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

impl Judgement {
    fn new(verdict: Verdict) -> Self {
        Self { verdict, reason: None, explanation: Vec::new(), evidence: Vec::new(), sampled: false, revision: None }
    }

    pub fn cannot_judge(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::new(Verdict::CannotJudge) }
    }
}
