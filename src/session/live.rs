//! The open stretch's checks, looked at whenever something may have changed them.

use std::time::{Duration, SystemTime};

use super::outline::{Course, PlacedCheck};
use super::printed::Candidate;
use crate::grade::{Evidence, Judge, Look, Need, Observation, Seen, Stands, can_turn_back, needs};
use crate::journal::{Clock, JournalView, Mark, Seq};
use crate::lab::{Check, CheckKind, Vars};
use crate::learn::{Place, Standing};
use crate::text::Printed;

/// Observations of one thing that are remembered, for checks that must hold for a time.
const REMEMBERED: usize = 256;

/// The checks of the stretch that is open.
pub(super) struct Live<'a> {
    pub(super) mark: Mark,
    /// The journal has been looked at up to here.
    pub(super) seen: Seq,
    checks: Vec<Open<'a>>,
    pub(super) samples: Vec<Sampled>,
    /// When the checks that forbid nothing began to hold.
    since: Option<SystemTime>,
}

struct Open<'a> {
    place: Place,
    placed: PlacedCheck<'a>,
    judge: Judge<'a>,
    evidence: Evidence,
    needs: Vec<Need>,
    /// What it says already of an empty output says nothing: only its own block counts.
    own_only: bool,
    /// As it was last found.
    look: Option<Look>,
    held: bool,
}

/// Something that is looked at now and then.
pub(super) struct Sampled {
    pub(super) need: Need,
    /// Something moved since the last look.
    pub(super) moved: bool,
    pub(super) last: Option<tokio::time::Instant>,
    pub(super) in_flight: bool,
}

/// A check that stands otherwise than before, or for another reason.
pub(super) struct Turn {
    pub(super) place: Place,
    pub(super) standing: Standing,
    pub(super) look: Look,
}

impl Sampled {
    /// How long after the last look the next is due, where something moved, and where nothing did.
    fn every(&self) -> Duration {
        let (busy, idle) = match self.need {
            Need::Resource { .. } | Need::Output { .. } => (100, 1000),
            Need::Etcd { .. } => (200, 2000),
            Need::Snapshot { .. } => (300, 2000),
            Need::Run { .. } => (500, 3000),
        };
        Duration::from_millis(if self.moved { busy } else { idle })
    }

    pub(super) fn due(&self) -> tokio::time::Instant {
        self.last.map_or_else(tokio::time::Instant::now, |last| last + self.every())
    }
}

impl<'a> Live<'a> {
    pub(super) fn new(
        course: &Course<'a>,
        places: &[(Place, bool)],
        mark: Mark,
        seen: Seq,
        vars: &Vars,
        prefix: &str,
    ) -> Self {
        let mut samples: Vec<Sampled> = Vec::new();
        let mut checks = Vec::new();
        for (place, held) in places {
            let placed = course.steps.get(place.step).and_then(|step| step.checks.get(place.check));
            let Some(placed) = placed.copied() else { continue };
            let wanted = needs(placed.check, vars);
            for need in &wanted {
                let known = samples.iter().any(|sampled| sampled.need == *need);
                if !known && !matches!(need, Need::Output { .. }) {
                    samples.push(Sampled { need: need.clone(), moved: true, last: None, in_flight: false });
                }
            }
            let evidence =
                Evidence { mark, end: mark, observations: Vec::new(), vars: vars.clone(), prefix: prefix.to_owned() };
            let mut open = Open {
                place: *place,
                placed,
                judge: Judge::new(placed.check),
                evidence,
                needs: wanted,
                own_only: false,
                look: None,
                held: *held,
            };
            open.own_only = open.holds_of_nothing();
            checks.push(open);
        }
        Self { mark, seen, checks, samples, since: None }
    }

    /// By the journal up to the view's end, and by what was observed. The first time at which it has to be looked again
    /// although nothing happens is reported too.
    pub(super) fn look(&mut self, view: &JournalView) -> (Vec<Turn>, Option<SystemTime>) {
        let mut turns = Vec::new();
        let mut again: Option<SystemTime> = None;
        for forbids in [false, true] {
            if forbids {
                let others_hold = self.checks.iter().filter(|open| !open.forbids()).all(|open| open.held);
                self.since = if others_hold { self.since.or_else(|| Some(Clock::now())) } else { None };
            }
            let since = self.since;
            let looked_at = |open: &&mut Open<'_>| open.forbids() == forbids && !open.is_output() && !open.is_settled();
            for open in self.checks.iter_mut().filter(looked_at) {
                let look = open.judge.look(&open.evidence, view, since);
                if let Some(at) = look.again {
                    again = Some(again.map_or(at, |known| known.min(at)));
                }
                turns.extend(open.take(look));
            }
        }
        (turns, again)
    }

    /// What was seen of something that is sampled.
    pub(super) fn observed(&mut self, need: &Need, at: SystemTime, seen: &Seen) {
        if let Some(sampled) = self.samples.iter_mut().find(|sampled| sampled.need == *need) {
            sampled.in_flight = false;
            sampled.last = Some(tokio::time::Instant::now());
        }
        for open in self.checks.iter_mut().filter(|open| open.needs.contains(need)) {
            open.observe(Observation { need: need.clone(), at, seen: seen.clone() });
        }
    }

    /// Whether any output is still waited for, by the block it names or that stands above it.
    pub(super) fn outputs(&self) -> impl Iterator<Item = (Place, PlacedCheck<'a>)> + '_ {
        self.checks.iter().filter(|open| open.is_output() && !open.held).map(|open| (open.place, open.placed))
    }

    /// What a command printed, for one check that waits for an output.
    pub(super) fn printed(&mut self, place: Place, candidate: &Candidate, view: &JournalView) -> Option<Turn> {
        let open = self.checks.iter_mut().find(|open| open.place == place && !open.held)?;
        if open.own_only && !candidate.own {
            return None;
        }
        let need = open.needs.first()?.clone();
        let seen = Seen::Output { printed: candidate.printed.clone(), exit: candidate.exit };
        open.evidence.observations = vec![Observation { need, at: Clock::now(), seen }];
        let mut look = open.judge.look(&open.evidence, view, None);
        // What some other command printed is no news, unless it is what was looked for.
        if look.stands != Stands::Holds
            && !candidate.own
            && open.look.as_ref().is_some_and(|look| look.stands != Stands::Holds)
        {
            return None;
        }
        if look.stands == Stands::Holds {
            look.judgement.reason = Some(format!("printed by `{}`", first_line(&candidate.by)));
        }
        open.take(look)
    }

    /// What a check is judged by.
    pub(super) fn judged(&self, place: Place) -> Option<(&'a Check, &Evidence, Option<SystemTime>)> {
        let open = self.checks.iter().find(|open| open.place == place)?;
        Some((open.placed.check, &open.evidence, self.since.filter(|_| open.forbids())))
    }

    /// The last look at a check.
    pub(super) fn found(&self, place: Place) -> Option<(&Look, PlacedCheck<'a>)> {
        let open = self.checks.iter().find(|open| open.place == place)?;
        Some((open.look.as_ref()?, open.placed))
    }
}

impl Open<'_> {
    fn forbids(&self) -> bool {
        matches!(self.placed.check.kind, CheckKind::Never { .. })
    }

    fn is_output(&self) -> bool {
        matches!(self.placed.check.kind, CheckKind::Output { .. })
    }

    /// What happened once stays so.
    fn is_settled(&self) -> bool {
        self.held && !self.forbids() && !can_turn_back(self.placed.check)
    }

    /// Whether an output check holds of a command that prints nothing.
    fn holds_of_nothing(&mut self) -> bool {
        let Some(need) = self.needs.first().cloned().filter(|_| self.is_output()) else { return false };
        let nothing = |exit| Seen::Output { printed: Printed::whole(""), exit: Some(exit) };
        [0, 1].into_iter().any(|exit| {
            let mut evidence = self.evidence.clone();
            evidence.observations = vec![Observation { need: need.clone(), at: Clock::now(), seen: nothing(exit) }];
            let journal = crate::journal::Journal::new("");
            let look = Judge::new(self.placed.check).look(&evidence, &journal.view(), None);
            look.stands == Stands::Holds
        })
    }

    fn observe(&mut self, observation: Observation) {
        let observations = &mut self.evidence.observations;
        if self.placed.check.hold_for.is_none_or(|time| time.is_zero()) {
            observations.clear();
        } else if observations.len() >= REMEMBERED {
            observations.drain(..REMEMBERED / 2);
        }
        observations.push(observation);
    }

    fn take(&mut self, look: Look) -> Option<Turn> {
        // Not known yet is no news while an answer is on its way.
        if look.stands == Stands::CannotJudge && (look.again.is_some() || self.is_waiting()) {
            return None;
        }
        let standing = match look.stands {
            Stands::NotYet => Standing::NotYet,
            Stands::Holds => Standing::Holds,
            Stands::Broken => Standing::Broken,
            Stands::CannotJudge => Standing::CannotJudge,
        };
        let news = self
            .look
            .as_ref()
            .is_none_or(|known| known.stands != look.stands || known.judgement.reason != look.judgement.reason);
        self.held = standing == Standing::Holds;
        self.look = Some(look.clone());
        news.then_some(Turn { place: self.place, standing, look })
    }

    /// Nothing has been looked at yet.
    fn is_waiting(&self) -> bool {
        !self.needs.is_empty() && self.evidence.observations.is_empty()
    }
}

pub(super) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
