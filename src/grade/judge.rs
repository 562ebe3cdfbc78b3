use std::time::{Duration, SystemTime};

use super::clocks::{Clocks, Ruling, Timeline, WITHIN};
use super::events::EventCheck;
use super::keys::KeyCheck;
use super::names::{NOT_SO, Truth};
use super::sampled::Sample;
use super::{Evidence, Judgement, Progress, events, fill, keys, show};
use crate::journal::{JournalView, KeyGlob};
use crate::lab::{Check, CheckKind};
use crate::outcome::Verdict;

/// A check under judgement. Remembers what it found about single revisions, so that judging again
/// costs only what is new: use one for one check after one stretch.
#[derive(Debug)]
pub struct Judge<'a> {
    pub(super) check: &'a Check,
    pub(super) keys: keys::Weighed,
    pub(super) events: events::Weighed,
}

impl<'a> Judge<'a> {
    pub fn new(check: &'a Check) -> Self {
        Self { check, keys: keys::Weighed::default(), events: events::Weighed::new() }
    }

    /// The check's outcome at `now`. Ask again when the journal or the observations have grown, and at
    /// the time that an open outcome names; past its clocks a check settles.
    pub fn judge(&mut self, evidence: &Evidence, journal: &JournalView, now: SystemTime) -> Progress {
        let clocks = clocks(self.check, evidence);
        if let Some(hopeless) = hopeless(self.check, evidence, journal) {
            return Progress::Settled(hopeless);
        }
        match &self.check.kind {
            CheckKind::Key { .. } | CheckKind::Keys { .. } => self.judge_keys(&clocks, evidence, journal, now),
            CheckKind::Events { .. } | CheckKind::Never { .. } => self.judge_events(&clocks, evidence, journal, now),
            CheckKind::Resource { .. }
            | CheckKind::Output { .. }
            | CheckKind::Etcd { .. }
            | CheckKind::Snapshot { .. }
            | CheckKind::Run { .. } => self.judge_samples(&clocks, evidence, now),
        }
    }

    /// Why no later event can make an `events` check whole that is not.
    pub fn broken(&mut self, evidence: &Evidence, journal: &JournalView) -> Option<String> {
        EventCheck::new(self.check, evidence, journal)?.broken(&mut self.events)
    }

    fn judge_keys(&mut self, clocks: &Clocks, evidence: &Evidence, journal: &JournalView, now: SystemTime) -> Progress {
        let Some(check) = KeyCheck::new(&self.check.kind, evidence, journal) else { return mismatched() };
        let (line, seqs) = check.line(&mut self.keys);
        let ruling = clocks.rule(&line, now);
        let weighed = &mut self.keys;
        let mut finish = |ruling: Ruling| {
            let index = match ruling {
                Ruling::Pass(index) => Some(index),
                Ruling::Fail { moment, .. } => moment,
                Ruling::CannotJudge(_) | Ruling::Silent(_) | Ruling::Open { .. } => None,
            };
            let mut judgement = ruled(&ruling, &line, clocks);
            if let Some(seq) = index.map(|index| seqs[index]) {
                check.evidence(&mut judgement, seq, weighed);
                if judgement.verdict == Verdict::Fail {
                    sharpen(&mut judgement, || check.reason(seq));
                    judgement.explanation.splice(0..0, check.explain(seq, weighed));
                }
            }
            judgement
        };
        match ruling {
            Ruling::Open { until } => Progress::Open { so_far: finish(present(&line)), until },
            settled => Progress::Settled(finish(settled)),
        }
    }

    fn judge_events(
        &mut self,
        clocks: &Clocks,
        evidence: &Evidence,
        journal: &JournalView,
        now: SystemTime,
    ) -> Progress {
        let end = match self.check.kind {
            CheckKind::Never { .. } => clocks.start + clocks.hold_for,
            _ => clocks.deadline(),
        };
        let Some(check) = EventCheck::new(self.check, evidence, journal) else {
            return match Clocks::wait(end, clocks.start, now) {
                Ruling::Open { until } => {
                    Progress::Open { so_far: Judgement::cannot_judge("the watch has not reached the mark"), until }
                }
                _ => Progress::Settled(Judgement::cannot_judge("the watch has not reached the mark")),
            };
        };
        match check.judge(clocks, now, &mut self.events) {
            Ok(judgement) => Progress::Settled(judgement),
            Err(until) => Progress::Open { so_far: check.so_far(clocks, &mut self.events), until },
        }
    }

    fn judge_samples(&mut self, clocks: &Clocks, evidence: &Evidence, now: SystemTime) -> Progress {
        let sample = Sample::new(self.check, evidence);
        let line = sample.line(clocks);
        let finish = |ruling: Ruling| {
            let mut judgement = ruled(&ruling, &line, clocks);
            judgement.sampled = true;
            if let Ruling::Fail { moment: Some(index), .. } = ruling {
                sharpen(&mut judgement, || sample.reason(&evidence.observations[index]));
                judgement.explanation.splice(0..0, sample.explain(&evidence.observations[index]));
            }
            judgement
        };
        match clocks.rule(&line, now) {
            Ruling::Open { until } => Progress::Open { so_far: finish(present(&line)), until },
            settled => Progress::Settled(finish(settled)),
        }
    }
}

/// The check just before its stretch, without `within` and `for`. Red is [`Verdict::Fail`].
pub fn probe(check: &Check, evidence: &Evidence, journal: &JournalView) -> Judgement {
    if let Some(hopeless) = hopeless(check, evidence, journal) {
        return hopeless;
    }
    let clocks = Clocks { start: evidence.end.at, within: Duration::ZERO, hold_for: Duration::ZERO };
    match &check.kind {
        CheckKind::Key { .. } | CheckKind::Keys { .. } => {
            let (Some(key), Some(seq)) = (KeyCheck::new(&check.kind, evidence, journal), journal.at(&evidence.end))
            else {
                return Judgement::cannot_judge("the watch has not reached the mark");
            };
            let mut weighed = keys::Weighed::default();
            let mut judgement = judged(key.truth(seq, &mut weighed));
            key.evidence(&mut judgement, seq, &mut weighed);
            if judgement.verdict == Verdict::Fail {
                judgement.explanation = key.explain(seq, &mut weighed);
            }
            judgement
        }
        // Nothing can have come after the mark when the mark is now.
        CheckKind::Events { .. } => match EventCheck::new(check, evidence, journal) {
            Some(events) => events.so_far(&clocks, &mut events::Weighed::new()),
            None => Judgement::cannot_judge("the watch has not reached the mark"),
        },
        CheckKind::Never { .. } => Judgement::new(Verdict::Pass),
        CheckKind::Resource { .. }
        | CheckKind::Output { .. }
        | CheckKind::Etcd { .. }
        | CheckKind::Snapshot { .. }
        | CheckKind::Run { .. } => {
            let sample = Sample::new(check, evidence);
            let Some(last) = evidence.observations.last() else {
                return Judgement::cannot_judge("nothing was looked at");
            };
            let mut judgement = judged(sample.truth(last));
            judgement.sampled = true;
            if judgement.verdict == Verdict::Fail {
                judgement.explanation = sample.explain(last);
            }
            judgement
        }
    }
}

/// Whether the folder that a `never` names has held a key: without that it watches nothing.
pub fn folder_held(check: &Check, evidence: &Evidence, journal: &JournalView) -> Option<bool> {
    let CheckKind::Never { glob, .. } = &check.kind else { return None };
    let glob = fill::glob(glob, &evidence.vars, &evidence.prefix);
    let folder = glob.prefix().rfind('/').map_or("", |end| &glob.prefix()[..=end]);
    Some(journal.has_held(folder))
}

/// A variable without a value, or a key that the watch does not see at all: whatever is true of it, it
/// cannot be judged.
pub(super) fn hopeless(check: &Check, evidence: &Evidence, journal: &JournalView) -> Option<Judgement> {
    if let Some(name) = fill::unbound(check, &evidence.vars) {
        return Some(Judgement::cannot_judge(format!("the variable {name} has no value")));
    }
    let glob = match &check.kind {
        CheckKind::Key { key, .. } => KeyGlob::literal(&fill::key(key, &evidence.vars, &evidence.prefix)),
        CheckKind::Keys { glob, .. } | CheckKind::Events { glob, .. } | CheckKind::Never { glob, .. } => {
            fill::glob(glob, &evidence.vars, &evidence.prefix)
        }
        CheckKind::Resource { .. }
        | CheckKind::Output { .. }
        | CheckKind::Etcd { .. }
        | CheckKind::Snapshot { .. }
        | CheckKind::Run { .. } => return None,
    };
    (!journal.covers(glob.prefix())).then(|| {
        Judgement::cannot_judge(format!("{glob} is not below {}, which is all that is watched here", journal.scope()))
    })
}

fn clocks(check: &Check, evidence: &Evidence) -> Clocks {
    Clocks {
        start: evidence.end.at,
        within: check.within.unwrap_or(WITHIN),
        hold_for: check.hold_for.unwrap_or(Duration::ZERO),
    }
}

fn mismatched() -> Progress {
    Progress::Settled(Judgement::cannot_judge("the check is of another kind than it is judged as"))
}

/// The values in place of a mere "it is not so".
pub(super) fn sharpen(judgement: &mut Judgement, reason: impl FnOnce() -> Option<String>) {
    if let Some(text) = &mut judgement.reason
        && text.ends_with(NOT_SO)
        && let Some(reason) = reason()
    {
        *text = text.replace(NOT_SO, &reason);
    }
}

/// What it would be if time were up.
pub(super) fn present(line: &Timeline) -> Ruling {
    match line.moments.last().map(|moment| &moment.truth) {
        Some(Truth::Yes) => Ruling::Pass(line.moments.len() - 1),
        Some(Truth::Unknown(reason)) => Ruling::CannotJudge(reason.clone()),
        Some(Truth::No(_)) => Ruling::Fail { moment: Some(line.moments.len() - 1), held: None },
        None => Ruling::CannotJudge("nothing has been looked at yet".to_owned()),
    }
}

pub(super) fn ruled(ruling: &Ruling, line: &Timeline, clocks: &Clocks) -> Judgement {
    match ruling {
        Ruling::Pass(_) => Judgement::new(Verdict::Pass),
        Ruling::CannotJudge(reason) => Judgement::cannot_judge(reason.clone()),
        Ruling::Silent(time) => Judgement::cannot_judge(silence(*time)),
        Ruling::Open { .. } => Judgement::cannot_judge("it has not settled"),
        Ruling::Fail { moment, held } => {
            let mut judgement = Judgement::new(Verdict::Fail);
            judgement.reason = match moment.map(|index| &line.moments[index].truth) {
                Some(Truth::No(reason) | Truth::Unknown(reason)) => Some(show::cut(reason, 300)),
                Some(Truth::Yes) | None => Some("nothing was seen in time".to_owned()),
            };
            if let Some(held) = held {
                let reason = judgement.reason.take().unwrap_or_default();
                judgement.reason = Some(format!("it held for {} only, then {reason}", seconds(*held)));
                judgement.explanation.push(format!(
                    "held:   for {}, but {:?} is required",
                    seconds(*held),
                    clocks.hold_for
                ));
            }
            judgement
        }
    }
}

/// Why nothing is known, where etcd or whatever else was asked stayed silent.
pub(super) fn silence(time: Duration) -> String {
    format!(
        "there was no answer for the last {} of the check's time, so what happened then is not known",
        seconds(time)
    )
}

fn judged(truth: Truth) -> Judgement {
    match truth {
        Truth::Yes => Judgement::new(Verdict::Pass),
        Truth::No(reason) => Judgement { reason: Some(show::cut(&reason, 300)), ..Judgement::new(Verdict::Fail) },
        Truth::Unknown(reason) => Judgement::cannot_judge(reason),
    }
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{:.0}ms", seconds * 1000.0),
        seconds => format!("{seconds:.2}s"),
    }
}
