//! What a saved run says of a check, and the verdict that follows.

use std::time::{Duration, SystemTime};

use super::seat::{Seat, is_same, uses_any};
use super::{Ended, Ground, NOT_LOOKED_AT, Replay, STOPPED_BEFORE};
use crate::grade::{self, Evidence, Judge, Judgement, Need, Observation, Progress, Seen};
use crate::journal::{Journal, JournalView, Mark};
use crate::lab::{Action, Check, CheckKind, Item, PartId};
use crate::outcome::{CheckFact, Failure, Proof, RunEvent, Verdict};
use crate::run::context::{journal_lines, output_lines};
use crate::run::judge::{Placed, Probed, fact, probed};
use crate::run::plan::{Checks, Judged, PlannedStep};
use crate::run::recording::{Moment, RecordedLook, SampleOf, Sampled, SavedOutput};
use crate::text::Printed;

const HIDDEN: &str = "it rests on what is secret, which a saved run does not hold: run the lab again";

/// Longer than any clock of a check.
const LONG: Duration = Duration::from_secs(24 * 3600);

impl<'a> Replay<'a> {
    /// Where the stretch that comes now began.
    pub(super) fn ground(&mut self) -> Option<Ground<'a>> {
        let recorded = self.recording().stretches.iter().enumerate().skip(self.stretches);
        let found = recorded.into_iter().find(|(_, stretch)| stretch.position == self.done);
        if let Some((index, stretch)) = found {
            self.stretches = index + 1;
            return Some(Ground { mark: stretch.mark.into(), stretch: Some(stretch) });
        }
        // A stretch that the lab did not have then: it began when the block before had ended.
        let moment = match self.acts().get(self.done) {
            Some(next) => next.before,
            None => self.recording().finished.filter(|_| self.done == self.acts().len())?,
        };
        Some(Ground { mark: moment.mark.into(), stretch: None })
    }

    pub(super) fn probe(&self, placed: Placed<'_>, ground: &Ground<'_>) -> Probed {
        let mut evidence = self.evidence(ground.mark, ground.mark);
        for need in grade::needs(placed.check, &evidence.vars) {
            let samples = ground.stretch.map_or(&[][..], |stretch| &stretch.before);
            let seen = self.seen(&need, placed.nearest, samples, &[], ground.mark.at, ground.mark.at);
            let Some(seen) = seen else {
                let reason = format!("before its stretch {NOT_LOOKED_AT}");
                return Probed { proof: Proof::NotRun, reason: Some(reason) };
            };
            evidence.observations.extend(seen);
        }
        let moment = Moment { mark: ground.mark.into(), known: None };
        let view = self.view(&moment).unwrap_or_else(|| self.view_before());
        probed(placed, &evidence, &view)
    }

    /// What was known of the store before the block that comes now, where etcd did not answer then: nothing, before it runs.
    fn view_before(&self) -> JournalView {
        let before = self.acts().get(self.done).map(|act| act.before).filter(|moment| moment.known.is_some());
        before.and_then(|moment| self.view(&moment)).unwrap_or_else(|| Journal::new("").view())
    }

    fn evidence(&self, mark: Mark, end: Mark) -> Evidence {
        let (vars, prefix) = (self.recording().vars.clone(), self.recording().prefix.clone());
        Evidence { mark, end, observations: Vec::new(), vars, prefix }
    }

    fn view(&self, moment: &Moment) -> Option<JournalView> {
        self.request.journal.view_at(moment.delivered()?)
    }

    /// What was seen of the thing from one moment on; `None`: nothing looked.
    fn seen(
        &self,
        need: &Need,
        nearest: Option<PartId>,
        samples: &[Sampled],
        more: &[Sampled],
        from: SystemTime,
        until: SystemTime,
    ) -> Option<Vec<Observation>> {
        let recorded = |of: &SampleOf| {
            let all = samples.iter().chain(more).filter(|sampled| sampled.of == *of);
            let mut seen: Vec<Observation> =
                all.flat_map(|sampled| sampled.seen.iter().cloned()).map(|seen| seen.restore(need)).collect();
            seen.sort_by_key(|seen| seen.at);
            (!seen.is_empty()).then_some(seen)
        };
        let Need::Output { action } = need else { return recorded(&SampleOf::Need(need.clone())) };
        let (id, who) = match action {
            Some(name) => (self.id_of(name), format!("the block `{name}`")),
            None => (nearest, "the block above".to_owned()),
        };
        let at = |at: SystemTime, seen: Seen| Observation { need: need.clone(), at, seen };
        let Some(block) = id.and_then(|id| self.blocks.get(&id)) else {
            let why = format!("{who} has not run");
            return Some(vec![at(from, Seen::Nothing(why.clone())), at(until, Seen::Nothing(why))]);
        };
        let said = self.recording().acts.get(*block)?.said.iter().rev().find(|said| said.from <= self.done)?;
        let Some(SavedOutput { text, exit }) = &said.output else { return recorded(&SampleOf::Block(*block)) };
        let printed: Printed = text.clone().restore();
        Some(vec![at(from, Seen::Output { printed, exit: Some(exit.unwrap_or_default()) })])
    }

    fn id_of(&self, name: &str) -> Option<PartId> {
        let items = self.request.lab.steps.iter().flat_map(|step| &step.items);
        let mut actions = items.filter_map(|item| match item {
            Item::Action(action) => Some(action),
            _ => None,
        });
        let named = |action: &&Action| action.name.as_ref().is_some_and(|known| known.value == name);
        actions.find(named).map(|action| action.id)
    }

    /// The look that was taken at this place, and when its clocks began.
    fn look(&mut self) -> Option<(Mark, Option<&'a RecordedLook>)> {
        let recorded = self.recording().looks.iter().enumerate().skip(self.looks);
        let found = recorded.into_iter().find(|(_, look)| look.position == self.done);
        if let Some((index, look)) = found {
            self.looks = index + 1;
            return Some((look.end.into(), Some(look)));
        }
        let last = self.done.checked_sub(1).and_then(|last| self.acts().get(last))?;
        Some((last.after?.mark.into(), None))
    }

    /// When the next block was begun: until then the store was what this place had led to.
    fn until(&self) -> Option<Moment> {
        if let Some(over) = self.recording().over_at(self.done) {
            return Some(over);
        }
        match self.acts().get(self.done) {
            Some(next) => Some(next.before),
            None => self.recording().finished,
        }
    }

    fn judge(&self, placed: Placed<'_>, ground: &Ground<'_>, look: Option<(Mark, Option<&RecordedLook>)>) -> Seat {
        let Some(((end, look), until)) = look.zip(self.until()) else {
            return Seat::of(self.evidence(ground.mark, ground.mark), Judgement::cannot_judge(STOPPED_BEFORE));
        };
        let mut evidence = self.evidence(ground.mark, end);
        if uses_any(placed.check, &self.recording().secret) {
            return Seat::of(evidence, Judgement::cannot_judge(HIDDEN));
        }
        let over: SystemTime = until.mark.at.into();
        for need in grade::needs(placed.check, &evidence.vars) {
            let samples = look.map_or(&[][..], |look| &look.samples);
            let more = ground.stretch.map_or(&[][..], |stretch| &stretch.backgrounds);
            match self.seen(&need, placed.nearest, samples, more, end.at, over) {
                Some(seen) => evidence.observations.extend(seen.into_iter().filter(|seen| seen.at >= end.at)),
                None => return Seat::of(evidence, Judgement::cannot_judge(NOT_LOOKED_AT)),
            }
        }
        let view = self.view(&until).unwrap_or_else(|| Journal::new("").view());
        // Long enough for every clock of a thing that cannot change any more.
        let now = match placed.check.kind {
            CheckKind::Output { .. } => over.max(end.at + LONG),
            _ => over,
        };
        let judgement = match Judge::new(placed.check).judge(&evidence, &view, now) {
            Progress::Settled(judgement) => judgement,
            Progress::Open { so_far, .. } => {
                let after = over.duration_since(end.at).unwrap_or_default().as_secs_f64();
                let so_far = so_far.reason.map(|reason| format!(" (until then: {reason})")).unwrap_or_default();
                Judgement::cannot_judge(format!(
                    "the saved run went on after {after:.1} s, before this could be told{so_far}: run the lab again"
                ))
            }
        };
        Seat { judgement, evidence, view: Some(view) }
    }

    /// The verdict that the run itself gave to a check of the same text, where what decides is not in the recording.
    fn given(&self, step: &PlannedStep, check: &Check) -> Option<&'a CheckFact> {
        self.request.events.iter().find_map(|event| match event {
            RunEvent::CheckFinished { step: id, check: fact, .. }
            | RunEvent::WaitFinished { step: id, wait: fact, .. }
                if *id == step.id && is_same(&fact.text, &check.text) =>
            {
                Some(fact)
            }
            _ => None,
        })
    }

    /// A check whose evidence is hidden has the verdict that it had, or none.
    fn settled(&self, step: &PlannedStep, placed: Placed<'_>, seat: Seat) -> Seat {
        if !uses_any(placed.check, &self.recording().secret) && !seat.rests_on_hidden(placed.check) {
            return seat;
        }
        let judgement = match self.given(step, placed.check) {
            Some(fact) if fact.verdict == seat.judgement.verdict => return seat,
            Some(fact) => Judgement {
                verdict: fact.verdict,
                revision: fact.revision,
                sampled: fact.sampled,
                ..Judgement::cannot_judge(fact.reason.clone().unwrap_or_default())
            },
            None if seat.judgement.verdict == Verdict::CannotJudge => return seat,
            None => Judgement::cannot_judge(HIDDEN),
        };
        Seat { judgement, ..seat }
    }

    pub(super) fn judge_group(
        &mut self,
        step: &PlannedStep,
        group: &[Judged],
        ground: &Ground<'_>,
        probes: &mut impl Iterator<Item = Probed>,
    ) -> bool {
        let checks = group.iter().filter_map(|judged| match judged {
            Judged::Checks(checks) => Some(checks),
            Judged::Wait(_) | Judged::Ask(_) | Judged::Left(..) | Judged::LeftWait(..) | Judged::LeftAsk(..) => None,
        });
        let look = self.look();
        let mut all_passed = true;
        for placed in Placed::all(checks) {
            let seat = self.settled(step, placed, self.judge(placed, ground, look));
            let mut probed = probes.next().unwrap_or(Probed { proof: Proof::NotRun, reason: None });
            if let (true, Some(given)) = (seat.rests_on_hidden(placed.check), self.given(step, placed.check)) {
                probed = Probed { proof: given.proof, reason: given.proof_reason.clone() };
            }
            let whole = self.request.journal.view();
            if grade::folder_held(placed.check, &seat.evidence, seat.view.as_ref().unwrap_or(&whole)) == Some(false) {
                let reason = "no key was ever in the folder that it watches".to_owned();
                probed = Probed { proof: Proof::ProvesNothing, reason: Some(reason) };
            }
            all_passed &= seat.judgement.verdict == Verdict::Pass;
            let failure = self.failure(placed, &seat);
            let check = fact(self.named, placed, &seat.judgement, probed);
            let (lab, step) = (self.emitter.lab(), step.id.clone());
            self.named.emit_of(placed.check, RunEvent::CheckFinished { lab, step, check, failure });
        }
        all_passed
    }

    pub(super) fn wait(&mut self, step: &PlannedStep, checks: &Checks, ground: &Ground<'_>) -> Result<(), Ended> {
        let look = self.look();
        let mut came = Ok(());
        for placed in Placed::of(checks) {
            let seat = self.settled(step, placed, self.judge(placed, ground, look));
            if seat.judgement.verdict != Verdict::Pass {
                came = Err(Ended);
            }
            let failure = self.failure(placed, &seat);
            let wait = fact(self.named, placed, &seat.judgement, Probed { proof: Proof::NotRun, reason: None });
            let (lab, step) = (self.emitter.lab(), step.id.clone());
            self.named.emit_of(placed.check, RunEvent::WaitFinished { lab, step, wait, failure });
        }
        came
    }

    fn failure(&self, placed: Placed<'_>, seat: &Seat) -> Option<Failure> {
        if seat.judgement.verdict == Verdict::Pass {
            return None;
        }
        let texts = self.blocks.values().max().and_then(|last| self.recording().acts.get(*last));
        let text = texts.map(|act| act.report.output.clone());
        let view = seat.view.as_ref();
        Some(Failure {
            author: placed.block.fail.as_ref().and_then(|fail| fail.render(&seat.evidence.vars).ok()),
            explanation: seat.judgement.explanation.clone(),
            output: output_lines(text.into_iter()),
            journal: view
                .map(|view| journal_lines(view, seat.evidence.mark, &seat.evidence.prefix))
                .unwrap_or_default(),
        })
    }
}
