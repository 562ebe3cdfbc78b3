//! A check while a learner works: how it stands now, without a time by which it must hold.

use std::time::{Duration, SystemTime};

use super::clocks::Timeline;
use super::events::EventCheck;
use super::judge::{Judge, hopeless, present, ruled, sharpen};
use super::keys::KeyCheck;
use super::names::Truth;
use super::sampled::Sample;
use super::{Evidence, Judgement, clocks::Clocks};
use crate::journal::JournalView;
use crate::lab::{Check, CheckKind};
use crate::outcome::Verdict;

/// How a check stands.
#[derive(Debug, Clone)]
pub struct Look {
    pub stands: Stands,
    pub judgement: Judgement,
    /// It may stand otherwise then, although nothing happens until then.
    pub again: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    NotYet,
    Holds,
    /// What it forbids has happened, and cannot be taken back.
    Broken,
    CannotJudge,
}

/// Whether what a check is about can change back: the state of something, and not what once happened.
pub fn can_turn_back(check: &Check) -> bool {
    match check.kind {
        CheckKind::Events { .. } | CheckKind::Never { .. } | CheckKind::Output { .. } => false,
        CheckKind::Key { .. }
        | CheckKind::Keys { .. }
        | CheckKind::Resource { .. }
        | CheckKind::Etcd { .. }
        | CheckKind::Snapshot { .. }
        | CheckKind::Run { .. } => true,
    }
}

impl Look {
    fn new(stands: Stands, judgement: Judgement) -> Self {
        Self { stands, judgement, again: None }
    }

    fn cannot_judge(reason: impl Into<String>) -> Self {
        Self::new(Stands::CannotJudge, Judgement::cannot_judge(reason))
    }

    fn of(judgement: Judgement) -> Self {
        let stands = match judgement.verdict {
            Verdict::Pass => Stands::Holds,
            Verdict::Fail | Verdict::Skipped => Stands::NotYet,
            Verdict::CannotJudge => Stands::CannotJudge,
        };
        Self::new(stands, judgement)
    }

    /// It is so, but must be so for longer.
    fn holding(mut judgement: Judgement, hold_for: Duration, until: SystemTime) -> Self {
        judgement.verdict = Verdict::Fail;
        judgement.reason = Some(format!("it holds, and must keep holding for {hold_for:?}"));
        Self { again: Some(until), ..Self::new(Stands::NotYet, judgement) }
    }
}

impl Judge<'_> {
    /// How the check stands at the end of the journal, or by the last observation. `mark` and `end` of the evidence are
    /// both the mark of the stretch. `since` is when the other checks of the stretch began to hold: a `never` holds when
    /// nothing of what it forbids has come for its time from then on.
    pub fn look(&mut self, evidence: &Evidence, journal: &JournalView, since: Option<SystemTime>) -> Look {
        if let Some(hopeless) = hopeless(self.check, evidence, journal) {
            return Look::of(hopeless);
        }
        match &self.check.kind {
            CheckKind::Key { .. } | CheckKind::Keys { .. } => self.look_at_keys(evidence, journal),
            CheckKind::Events { .. } => self.look_at_events(evidence, journal),
            CheckKind::Never { .. } => self.look_at_never(evidence, journal, since),
            CheckKind::Resource { .. }
            | CheckKind::Output { .. }
            | CheckKind::Etcd { .. }
            | CheckKind::Snapshot { .. }
            | CheckKind::Run { .. } => self.look_at_samples(evidence),
        }
    }

    fn look_at_keys(&mut self, evidence: &Evidence, journal: &JournalView) -> Look {
        let Some(check) = KeyCheck::new(&self.check.kind, evidence, journal) else {
            return Look::cannot_judge("the check is of another kind than it is judged as");
        };
        let (line, seqs) = check.line(&mut self.keys);
        let clocks = clocks(evidence, self.check);
        let Some(seq) = seqs.last().copied() else {
            return Look::cannot_judge("the watch has not reached the mark");
        };
        let mut judgement = ruled(&present(&line), &line, &clocks);
        check.evidence(&mut judgement, seq, &mut self.keys);
        if judgement.verdict == Verdict::Fail {
            sharpen(&mut judgement, || check.reason(seq));
            judgement.explanation.splice(0..0, check.explain(seq, &mut self.keys));
        }
        held(judgement, &line, &clocks)
    }

    fn look_at_events(&mut self, evidence: &Evidence, journal: &JournalView) -> Look {
        let Some(check) = EventCheck::new(self.check, evidence, journal) else {
            return Look::cannot_judge("the watch has not reached the mark");
        };
        Look::of(check.until_now(&mut self.events))
    }

    fn look_at_never(&mut self, evidence: &Evidence, journal: &JournalView, since: Option<SystemTime>) -> Look {
        let Some(check) = EventCheck::new(self.check, evidence, journal) else {
            return Look::cannot_judge("the watch has not reached the mark");
        };
        if let Some(violated) = check.violated_by_now(&mut self.events) {
            return match violated.verdict {
                Verdict::Fail => Look::new(Stands::Broken, violated),
                _ => Look::of(violated),
            };
        }
        let hold_for = self.check.hold_for.unwrap_or_default();
        let so_far = |reason: String| Judgement { reason: Some(reason), ..Judgement::new(Verdict::Fail) };
        let Some(since) = since else {
            return Look::new(
                Stands::NotYet,
                so_far("no such event has come yet; it holds together with the others".to_owned()),
            );
        };
        let end = since + hold_for;
        let Some(delivered) = journal.delivered().filter(|delivered| delivered.at >= end) else {
            let reason = format!("no such event has come, and none may come for {hold_for:?}");
            return Look { again: Some(end), ..Look::new(Stands::NotYet, so_far(reason)) };
        };
        let passed = Judgement { revision: Some(delivered.revision), ..Judgement::new(Verdict::Pass) };
        Look::new(Stands::Holds, passed)
    }

    fn look_at_samples(&mut self, evidence: &Evidence) -> Look {
        let sample = Sample::new(self.check, evidence);
        let clocks = clocks(evidence, self.check);
        let line = sample.line(&clocks);
        let Some(last) = evidence.observations.last() else {
            return Look::cannot_judge("nothing has been looked at yet");
        };
        let mut judgement = ruled(&present(&line), &line, &clocks);
        judgement.sampled = true;
        if judgement.verdict == Verdict::Fail {
            sharpen(&mut judgement, || sample.reason(last));
            judgement.explanation.splice(0..0, sample.explain(last));
        }
        held(judgement, &line, &clocks)
    }
}

/// A pass counts when it has been so for as long as the check wants, as far as is known.
fn held(judgement: Judgement, line: &Timeline, clocks: &Clocks) -> Look {
    if judgement.verdict != Verdict::Pass {
        return Look::of(judgement);
    }
    let broken = line.moments.iter().rposition(|moment| moment.truth != Truth::Yes);
    let began = line.moments.get(broken.map_or(0, |at| at + 1)).map_or(clocks.start, |moment| moment.at);
    let until = began.max(clocks.start) + clocks.hold_for;
    match line.known {
        // Nothing is known of the time after the mark yet: a key that is absent may have come meanwhile.
        None => Look { again: Some(clocks.start), ..Look::cannot_judge("etcd has not answered since the mark") },
        Some(known) if known < clocks.start && clocks.hold_for.is_zero() => {
            Look { again: Some(clocks.start), ..Look::cannot_judge("etcd has not answered since the mark") }
        }
        Some(known) if known < until && !clocks.hold_for.is_zero() => Look::holding(judgement, clocks.hold_for, until),
        Some(_) => Look::of(judgement),
    }
}

/// Longer than any session.
const NO_LIMIT: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Only the time for which it must hold counts.
fn clocks(evidence: &Evidence, check: &Check) -> Clocks {
    Clocks { start: evidence.end.at, within: NO_LIMIT, hold_for: check.hold_for.unwrap_or_default() }
}
