//! `events` and `never`: what etcd's watch delivered since the mark.

mod explain;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::clocks::{Clocks, Ruling};
use super::judge::silence;
use super::matching::{Matched, ordered, strict, unordered};
use super::names::{Truth, weigh_change};
use super::{Evidence, Judgement, fill, show};
use crate::expr::Expr;
use crate::journal::{Entry, Hole, JournalView, KeyGlob, Recorded, Seq};
use crate::lab::{Check, CheckKind, EventKind, EventOrder};
use crate::outcome::{EvidenceRef, Verdict};

/// What a pattern came to for an event, once and for all: by the pattern's number and the entry's.
pub(super) type Weighed = HashMap<(usize, Seq), Truth>;

/// A line of an `events` check, or what a `never` forbids.
struct WantedEvent<'a> {
    /// `None`: either.
    kind: Option<EventKind>,
    condition: Option<&'a Expr>,
}

pub(super) struct EventCheck<'a> {
    check: &'a Check,
    glob: KeyGlob,
    lines: Vec<WantedEvent<'a>>,
    /// `None` for `never`.
    order: Option<EventOrder>,
    evidence: &'a Evidence,
    view: &'a JournalView,
    since: Seq,
    events: Vec<Recorded>,
    holes: Vec<Hole>,
}

impl<'a> EventCheck<'a> {
    /// `None`: the journal does not reach to the mark yet, or this is another check.
    pub(super) fn new(check: &'a Check, evidence: &'a Evidence, view: &'a JournalView) -> Option<Self> {
        let (glob, order, lines) = match &check.kind {
            CheckKind::Events { glob, order, patterns } => {
                let line = |pattern: &'a crate::lab::Pattern| WantedEvent {
                    kind: Some(pattern.kind),
                    condition: pattern.condition.as_ref(),
                };
                (glob, Some(*order), patterns.iter().map(line).collect())
            }
            CheckKind::Never { glob, kind, condition } => {
                (glob, None, vec![WantedEvent { kind: *kind, condition: condition.as_ref() }])
            }
            _ => return None,
        };
        let glob = fill::glob(glob, &evidence.vars, &evidence.prefix);
        let since = view.at(&evidence.mark)?;
        let holes = view.holes(since);
        // Beyond another store's beginning the mark means nothing.
        let end = holes.iter().find(|hole| hole.new_store).map_or(Seq::MAX, |hole| hole.seq);
        let mut events = view.changes(&glob, since);
        events.retain(|recorded| recorded.seq < end);
        Some(Self { check, glob, lines, order, evidence, view, since, events, holes })
    }

    pub(super) fn judge(
        &self,
        clocks: &Clocks,
        now: SystemTime,
        weighed: &mut Weighed,
    ) -> Result<Judgement, SystemTime> {
        match self.order {
            Some(order) => self.judge_events(order, clocks, now, weighed),
            None => self.judge_never(clocks, now, weighed),
        }
    }

    /// What it would be if time were up.
    pub(super) fn so_far(&self, clocks: &Clocks, weighed: &mut Weighed) -> Judgement {
        match self.order {
            Some(order) => self.failure(&self.matched(order, false, usize::MAX, weighed), Some(clocks.within)),
            None => Judgement::new(Verdict::Pass),
        }
    }

    /// What has come until now, whenever it had to.
    pub(super) fn until_now(&self, weighed: &mut Weighed) -> Judgement {
        let order = self.order.unwrap_or(EventOrder::Ordered);
        let all = self.events.len();
        let matched = self.matched(order, false, all, weighed);
        if matched.is_whole() {
            return self.proved(matched.events.iter().flatten().map(|event| &self.events[*event]));
        }
        if let Some(hole) = self.holes.first() {
            return Judgement::cannot_judge(hole.reason.clone());
        }
        if self.matched(order, true, all, weighed).is_whole()
            && let Some(reason) = self.doubt(all, weighed)
        {
            return Judgement::cannot_judge(reason);
        }
        let mut judgement = self.failure(&matched, None);
        judgement.explanation = self.explain(&matched, all, weighed);
        judgement
    }

    /// What a `never` forbids and has come; or why that is not known.
    pub(super) fn violated_by_now(&self, weighed: &mut Weighed) -> Option<Judgement> {
        let mut doubt = None;
        for event in 0..self.events.len() {
            match self.weigh(0, event, weighed) {
                Truth::Yes => return Some(self.violated(event)),
                Truth::Unknown(reason) => doubt = doubt.or(Some(reason)),
                Truth::No(_) => {}
            }
        }
        doubt.or_else(|| self.holes.first().map(|hole| hole.reason.clone())).map(Judgement::cannot_judge)
    }

    fn judge_events(
        &self,
        order: EventOrder,
        clocks: &Clocks,
        now: SystemTime,
        weighed: &mut Weighed,
    ) -> Result<Judgement, SystemTime> {
        let deadline = clocks.deadline();
        let in_time = self.events.iter().take_while(|recorded| recorded.entry.at() <= deadline).count();
        let matched = self.matched(order, false, in_time, weighed);
        if matched.is_whole() {
            return Ok(self.proved(matched.events.iter().flatten().map(|event| &self.events[*event])));
        }
        let known = self.view.delivered().map(|delivered| delivered.at);
        if let Some(hole) = self.holes.iter().find(|hole| hole.at <= deadline) {
            // What follows a gap may still make it whole; another store's events may not.
            if hole.new_store || known.is_some_and(|known| known >= deadline) {
                return Ok(Judgement::cannot_judge(hole.reason.clone()));
            }
        }
        if known.is_none_or(|known| known < deadline) {
            return match Clocks::wait(deadline, known.unwrap_or(clocks.start), now) {
                Ruling::Silent(time) => Ok(Judgement::cannot_judge(silence(time))),
                Ruling::Open { until } => Err(until),
                Ruling::Pass(_) | Ruling::Fail { .. } | Ruling::CannotJudge(_) => Err(deadline),
            };
        }
        // With the benefit of every doubt it would hold: then the doubt decides.
        if self.matched(order, true, in_time, weighed).is_whole()
            && let Some(reason) = self.doubt(in_time, weighed)
        {
            return Ok(Judgement::cannot_judge(reason));
        }
        let mut judgement = self.failure(&matched, Some(clocks.within));
        judgement.explanation = self.explain(&matched, in_time, weighed);
        Ok(judgement)
    }

    /// Why nothing that comes makes a `strict` check whole: it begins with the creation of one key, the events after that
    /// are others, and the key is still there, so that it is not created again. What has an owner may be made anew.
    pub(super) fn broken(&self, weighed: &mut Weighed) -> Option<String> {
        let (Some(EventOrder::Strict), Some(key), true) = (self.order, self.glob.exact(), self.holes.is_empty()) else {
            return None;
        };
        // All that the commands wrote must have come.
        if self.view.delivered().is_none_or(|delivered| delivered.revision < self.evidence.end.revision) {
            return None;
        }
        let first = &self.lines[0];
        if first.kind != Some(EventKind::Put) || !first.condition.is_some_and(|condition| is_creation(&condition.text))
        {
            return None;
        }
        let present = self.view.state(key, self.view.end())?;
        let is_owned = present.value.as_ref()?.object().map_or(true, |object| {
            object["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty())
        });
        if is_owned {
            return None;
        }
        let is_created = |recorded: &Recorded| matches!(recorded.entry.as_ref(), Entry::Put(c) if c.version == 1);
        let Some(start) = self.events.iter().rposition(is_created) else {
            return Some(format!("{key} was there before, and is not created again"));
        };
        let lines = self.lines.len().min(self.events.len() - start);
        let line = (0..lines).find(|line| matches!(self.weigh(*line, start + line, weighed), Truth::No(_)))?;
        let revision = self.events[start + line].entry.change()?.revision;
        Some(format!("what came in place of event {} is revision {revision}, and {key} is not created again", line + 1))
    }

    fn judge_never(&self, clocks: &Clocks, now: SystemTime, weighed: &mut Weighed) -> Result<Judgement, SystemTime> {
        let end = clocks.start + clocks.hold_for;
        let in_time = self.events.iter().take_while(|recorded| recorded.entry.at() <= end).count();
        let mut doubt = None;
        for event in 0..in_time {
            match self.weigh(0, event, weighed) {
                Truth::Yes => return Ok(self.violated(event)),
                Truth::Unknown(reason) => doubt = doubt.or(Some(reason)),
                Truth::No(_) => {}
            }
        }
        if let Some(hole) = self.holes.iter().find(|hole| hole.at <= end) {
            return Ok(Judgement::cannot_judge(hole.reason.clone()));
        }
        let known = self.view.delivered().map(|delivered| delivered.at);
        if known.is_none_or(|known| known < end) {
            return match Clocks::wait(end, known.unwrap_or(clocks.start), now) {
                Ruling::Silent(time) => Ok(Judgement::cannot_judge(silence(time))),
                Ruling::Open { until } => Err(until),
                Ruling::Pass(_) | Ruling::Fail { .. } | Ruling::CannotJudge(_) => Err(end),
            };
        }
        Ok(doubt.map_or_else(|| self.proved(std::iter::empty()), Judgement::cannot_judge))
    }

    fn matched(&self, order: EventOrder, doubt_fits: bool, in_time: usize, weighed: &mut Weighed) -> Matched {
        let events = in_time.min(self.events.len());
        let mut fits = |line: usize, event: usize| match self.weigh(line, event, weighed) {
            Truth::Yes => true,
            Truth::Unknown(_) => doubt_fits,
            Truth::No(_) => false,
        };
        match order {
            EventOrder::Ordered => ordered(self.lines.len(), events, &mut fits),
            EventOrder::Unordered => unordered(self.lines.len(), events, &mut fits),
            EventOrder::Strict => strict(self.lines.len(), events, &mut fits, &|event| {
                let (this, next) = (self.events[event].seq, self.events[event + 1].seq);
                self.holes.iter().any(|hole| this < hole.seq && hole.seq < next)
            }),
        }
    }

    fn weigh(&self, line: usize, event: usize, weighed: &mut Weighed) -> Truth {
        let recorded = &self.events[event];
        let pattern = &self.lines[line];
        let (kind, change) = match recorded.entry.as_ref() {
            Entry::Put(change) => (EventKind::Put, change),
            Entry::Delete(change) => (EventKind::Delete, change),
            Entry::Gap { .. } | Entry::Epoch { .. } => return Truth::No("it is not an event".to_owned()),
        };
        if pattern.kind.is_some_and(|wanted| wanted != kind) {
            return Truth::No(format!("it is a {}", kind.name()));
        }
        let Some(condition) = pattern.condition else { return Truth::Yes };
        let weigh = || weigh_change(change, condition, &self.evidence.mark, &self.evidence.vars);
        weighed.entry((line, recorded.seq)).or_insert_with(weigh).clone()
    }

    fn doubt(&self, in_time: usize, weighed: &mut Weighed) -> Option<String> {
        (0..in_time).find_map(|event| {
            (0..self.lines.len()).find_map(|line| match self.weigh(line, event, weighed) {
                Truth::Unknown(reason) => {
                    let revision = self.events[event].entry.change().map_or(0, |change| change.revision);
                    Some(format!("the event of revision {revision}: {reason}"))
                }
                Truth::Yes | Truth::No(_) => None,
            })
        })
    }

    fn proved<'e>(&self, events: impl Iterator<Item = &'e Recorded>) -> Judgement {
        let mut judgement = Judgement::new(Verdict::Pass);
        judgement.evidence = events.filter_map(reference).collect();
        judgement.evidence.sort_by_key(|evidence| evidence.revision);
        let last = judgement.evidence.last().map(|evidence| evidence.revision);
        judgement.revision = last.or_else(|| self.view.delivered().map(|delivered| delivered.revision));
        judgement
    }

    fn violated(&self, event: usize) -> Judgement {
        let recorded = &self.events[event];
        let mut judgement = Judgement::new(Verdict::Fail);
        judgement.evidence = reference(recorded).into_iter().collect();
        judgement.revision = judgement.evidence.first().map(|evidence| evidence.revision);
        let Some(change) = recorded.entry.change() else { return judgement };
        judgement.reason = Some(format!("a {} came at revision {}", recorded.entry.name(), change.revision));
        judgement.explanation = vec![
            format!("wanted: {}", show::filled(&self.check.text, &self.evidence.vars)),
            format!("saw:    {}", self.row(recorded, 0)),
        ];
        if let Some(condition) = self.lines[0].condition {
            judgement.explanation.extend(self.why(change, condition).iter().map(|line| format!("        {line}")));
        }
        judgement
    }

    /// `within`: the time that is over; `None` where a learner has all the time there is.
    fn failure(&self, matched: &Matched, within: Option<Duration>) -> Judgement {
        let mut judgement = Judgement::new(Verdict::Fail);
        judgement.revision = self.view.delivered().map(|delivered| delivered.revision);
        let open = matched.first_open().unwrap_or_default();
        let (came, did_not_come) = within.map_or_else(
            || ("has come".to_owned(), "has not come".to_owned()),
            |within| (format!("came within {within:?}"), format!("did not come within {within:?}")),
        );
        judgement.reason = Some(match (self.events.is_empty(), self.lines.len()) {
            (true, _) => format!("no event of {} {came}", self.glob),
            (false, 1) => format!("no such event {came}"),
            (false, lines) => format!("event {} of {lines} ({}) {did_not_come}", open + 1, self.text(open)),
        });
        judgement.evidence =
            matched.events.iter().flatten().filter_map(|event| reference(&self.events[*event])).collect();
        judgement
    }
}

/// Whether only a new key fulfils it.
fn is_creation(condition: &str) -> bool {
    let is_open = ["||", "?"].iter().any(|other| condition.contains(other));
    let parts = || condition.split("&&").map(|part| part.split_whitespace().collect::<String>());
    !is_open && parts().any(|part| part == "oldObject==null" || part == "version==1")
}

fn reference(recorded: &Recorded) -> Option<EvidenceRef> {
    let (kind, change) = recorded.entry.event()?;
    Some(EvidenceRef { revision: change.revision, kind, key: change.key.to_string() })
}
