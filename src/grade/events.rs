//! `events` and `never`: what etcd's watch delivered since the mark.

use std::collections::HashMap;
use std::time::SystemTime;

use super::clocks::{Clocks, Ruling};
use super::judge::silence;
use super::keys::{label, neighbours, values};
use super::matching::{Matched, ordered, strict, unordered};
use super::names::{Truth, after, visible_change, weigh_change};
use super::{Evidence, Judgement, fill, show};
use crate::expr::Expr;
use crate::journal::{Change, Entry, Hole, JournalView, KeyGlob, Recorded, Seq};
use crate::lab::{Check, CheckKind, EventKind, EventOrder};
use crate::outcome::{EvidenceRef, Verdict};

const TOO_LATE: &str = "it came after the time was over";
/// More events than this are shown with their middle left out.
const SHOWN: usize = 16;

/// What a pattern came to for an event, once and for all: by the pattern's number and the entry's.
pub(super) type Weighed = HashMap<(usize, Seq), Truth>;

/// A line of an `events` check, or what a `never` forbids.
struct Line<'a> {
    /// `None`: either.
    kind: Option<EventKind>,
    condition: Option<&'a Expr>,
}

pub(super) struct EventCheck<'a> {
    check: &'a Check,
    glob: KeyGlob,
    lines: Vec<Line<'a>>,
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
                let line = |pattern: &'a crate::lab::Pattern| Line {
                    kind: Some(pattern.kind),
                    condition: pattern.condition.as_ref(),
                };
                (glob, Some(*order), patterns.iter().map(line).collect())
            }
            CheckKind::Never { glob, kind, condition } => {
                (glob, None, vec![Line { kind: *kind, condition: condition.as_ref() }])
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
            Some(order) => self.failure(&self.matched(order, false, usize::MAX, weighed), clocks),
            None => Judgement::new(Verdict::Pass),
        }
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
        let mut judgement = self.failure(&matched, clocks);
        judgement.explanation = self.explain(&matched, in_time, weighed);
        Ok(judgement)
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
            Entry::Gap { .. } | Entry::Epoch { .. } => return Truth::No("it is no event".to_owned()),
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

    fn failure(&self, matched: &Matched, clocks: &Clocks) -> Judgement {
        let mut judgement = Judgement::new(Verdict::Fail);
        judgement.revision = self.view.delivered().map(|delivered| delivered.revision);
        let open = matched.first_open().unwrap_or_default();
        let within = clocks.within;
        judgement.reason = Some(match (self.events.is_empty(), self.lines.len()) {
            (true, _) => format!("no event of {} came within {within:?}", self.glob),
            (false, 1) => format!("no such event came within {within:?}"),
            (false, lines) => {
                format!("event {} of {lines} ({}) did not come within {within:?}", open + 1, self.text(open))
            }
        });
        judgement.evidence =
            matched.events.iter().flatten().filter_map(|event| reference(&self.events[*event])).collect();
        judgement
    }

    /// The wanted events, each beside the one that came for it; then all that came, the first difference
    /// marked in both.
    fn explain(&self, matched: &Matched, in_time: usize, weighed: &mut Weighed) -> Vec<String> {
        let open = matched.first_open().unwrap_or_default();
        let order = match self.order {
            Some(EventOrder::Strict) => ", one right after the other",
            Some(EventOrder::Unordered) => ", in any order",
            _ if self.lines.len() > 1 => ", each later than the one before",
            _ => "",
        };
        let mark = self.evidence.mark.revision;
        let mut lines = vec![format!("wanted after revision {mark} on {}{order}:", self.glob)];
        let width = (0..self.lines.len()).map(|line| self.text(line).chars().count()).max().unwrap_or_default().min(60);
        for (number, event) in matched.events.iter().enumerate() {
            let change = event.and_then(|event| self.events[event].entry.change());
            let (sign, came) = match change {
                Some(change) => ('=', format!("came as revision {}", change.revision)),
                None if number == open => ('>', "did not come: the first difference".to_owned()),
                None => (' ', String::new()),
            };
            let line = format!("  {sign} {}  {:<width$}  {came}", number + 1, self.text(number));
            lines.push(line.trim_end().to_owned());
        }
        if self.events.is_empty() {
            lines.push("came:   nothing on these keys".to_owned());
            self.elsewhere(&mut lines);
            return lines;
        }
        lines.push("came, in seconds from the mark:".to_owned());
        let key_width =
            self.events.iter().filter_map(|e| e.entry.change()).map(|c| c.key.len()).max().unwrap_or_default();
        let suspects = self.suspects(matched, open, weighed);
        for (index, recorded) in self.events.iter().enumerate() {
            let elided = self.events.len() > SHOWN && index >= SHOWN / 2 && index < self.events.len() - SHOWN / 2;
            let number = matched.events.iter().position(|event| *event == Some(index));
            if elided && number.is_none() && !suspects.contains(&index) {
                if index == SHOWN / 2 {
                    lines.push(format!(
                        "    … {} more between, of which only those that matter are shown",
                        self.events.len() - SHOWN
                    ));
                }
                continue;
            }
            let first = suspects.first() == Some(&index);
            let sign = if number.is_some() {
                '='
            } else if first {
                '>'
            } else {
                ' '
            };
            let as_number = number.map_or(String::new(), |number| format!("   ({})", number + 1));
            lines.push(format!("  {sign} {}{as_number}", self.row(recorded, key_width)));
            if suspects.contains(&index) {
                let why = if index < in_time { self.against(open, index, weighed) } else { vec![TOO_LATE.to_owned()] };
                lines.extend(why.iter().map(|line| format!("        {line}")));
            }
        }
        lines
    }

    /// The events that could have been the one that is missing.
    fn suspects(&self, matched: &Matched, open: usize, weighed: &mut Weighed) -> Vec<usize> {
        let taken: Vec<usize> = matched.events.iter().copied().flatten().collect();
        let fitting = (0..self.events.len()).filter(|event| !taken.contains(event));
        let fitting: Vec<usize> =
            fitting.filter(|event| self.weigh(open, *event, weighed) == Truth::Yes).take(2).collect();
        let after = matched.events[..open].iter().flatten().last().map(|event| event + 1);
        if !fitting.is_empty() {
            // What lies between is as telling as what came too late.
            let between = after.filter(|event| self.order == Some(EventOrder::Strict) && *event < self.events.len());
            let mut both: Vec<usize> = between.into_iter().chain(fitting).collect();
            both.sort_unstable();
            both.dedup();
            return both;
        }
        let from = match self.order {
            Some(EventOrder::Unordered) => 0,
            _ => after.unwrap_or(0),
        };
        let mut free: Vec<usize> = (from..self.events.len()).filter(|event| !taken.contains(event)).collect();
        if self.order == Some(EventOrder::Strict) && open > 0 {
            free.truncate(1);
        }
        let wanted = self.lines[open].kind;
        let same_kind = |event: &&usize| wanted.is_none_or(|kind| kind.name() == self.events[**event].entry.name());
        let alike: Vec<usize> = free.iter().filter(same_kind).copied().take(3).collect();
        if alike.is_empty() { free.into_iter().take(1).collect() } else { alike }
    }

    /// Why an event is not the one of a line.
    fn against(&self, line: usize, event: usize, weighed: &mut Weighed) -> Vec<String> {
        let wanted = line + 1;
        match self.weigh(line, event, weighed) {
            Truth::Yes => vec![match self.order {
                Some(EventOrder::Strict) if line > 0 => format!("it fits {wanted}, but does not follow {line} at once"),
                _ if line > 0 => format!("it fits {wanted}, but came before {line}"),
                _ => format!("it fits {wanted}, but not with the others"),
            }],
            Truth::Unknown(reason) => vec![format!("not to be told whether it is {wanted}: {reason}")],
            Truth::No(reason) => {
                let change = self.events[event].entry.change();
                let kind_fits = self.lines[line].kind.is_none_or(|kind| kind.name() == self.events[event].entry.name());
                match (self.lines[line].condition, change) {
                    (Some(condition), Some(change)) if kind_fits => {
                        let why = self.why(change, condition);
                        why.into_iter().map(|why| format!("not {wanted}: {why}")).collect()
                    }
                    _ => vec![format!("not {wanted}: {reason}")],
                }
            }
        }
    }

    fn why(&self, change: &Change, condition: &Expr) -> Vec<String> {
        values(&visible_change(change, condition, &self.evidence.mark), condition)
    }

    /// `1204  PUT     /registry/namespaces/demo  +0.31s  metadata.labels.purpose: + "demo"`
    fn row(&self, recorded: &Recorded, key_width: usize) -> String {
        let Some(change) = recorded.entry.change() else { return String::new() };
        let age = after(self.evidence.mark.at, change.at);
        let what = show::change(change);
        format!("{:<6} {:<6} {:<key_width$}  {age}  {what}", change.revision, recorded.entry.name(), change.key)
    }

    /// What moved nearby, where nothing moved that was looked for.
    fn elsewhere(&self, lines: &mut Vec<String>) {
        let prefix = self.glob.prefix();
        let folder = prefix.trim_end_matches('/').rfind('/').map_or(prefix, |end| &prefix[..=end]);
        let near = self.view.entries(self.since, |entry| entry.change().is_some_and(|c| c.key.starts_with(folder)));
        if near.is_empty() {
            let seq = self.view.end();
            let keys = neighbours(self.view, prefix, seq);
            lines.extend(keys.iter().enumerate().map(|(index, key)| format!("{}{key}", label("near:", index))));
            return;
        }
        lines.push(format!("but below {folder}, in seconds from the mark:"));
        lines.extend(near.iter().take(5).map(|recorded| format!("    {}", self.row(recorded, 0))));
    }

    fn text(&self, line: usize) -> String {
        let pattern = &self.lines[line];
        let kind = pattern.kind.map_or("PUT or DELETE", EventKind::name);
        pattern.condition.map_or_else(
            || kind.to_owned(),
            |condition| format!("{kind} where {}", show::filled(&condition.text, &self.evidence.vars)),
        )
    }
}

fn reference(recorded: &Recorded) -> Option<EvidenceRef> {
    let change = recorded.entry.change()?;
    Some(EvidenceRef { revision: change.revision, kind: recorded.entry.name().to_owned(), key: change.key.to_string() })
}

impl EventKind {
    fn name(self) -> &'static str {
        match self {
            EventKind::Put => "PUT",
            EventKind::Delete => "DELETE",
        }
    }
}
