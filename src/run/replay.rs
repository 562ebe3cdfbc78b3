//! A run judged again by what it left, with the checks that the lab has now. Nothing is run and nothing is asked: what
//! the recording does not tell is not judged.

mod seat;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use seat::{Seat, is_hidden, is_same, uses_any};

use super::act::{Compare, Outcome, first_code_line};
use super::context::{journal_lines, output_lines};
use super::emit::Emitter;
use super::judge::{Placed, Probed, fact, probed};
use super::lab::{begin, millis};
use super::named::{EARLIER_IN_STEP, EARLIER_STEP, Named};
use super::plan::{Act, Checks, Judged, PlannedStep, Stretch};
use super::recording::{
    Moment, RecordedAct, RecordedLook, RecordedStretch, Recording, SampleOf, Sampled, SavedOutput, identity,
};
use super::{EventSink, Mode, Plan};
use crate::grade::{self, Evidence, Judge, Judgement, Need, Observation, Progress, Seen};
use crate::journal::{Journal, JournalView, Mark};
use crate::lab::{Action, Check, CheckKind, Lab, Question, Role};
use crate::outcome::{ActionReport, CheckFact, Failure, Proof, RunEvent, Spent, StopCause, Verdict};
use crate::terminal::CommandResult;
use crate::text::Printed;

const CHANGED: &str = "its commands have changed since this run was saved: run the lab again";
const STOPPED_BEFORE: &str = "the saved run stopped before this: run the lab again";
const NOT_LOOKED_AT: &str = "nothing looked at this in the saved run: run the lab again";
const NOT_ASKED: &str = "the lab has changed since this run was saved, and a replay answers no questions";
const HIDDEN: &str = "it rests on what is secret, which a saved run does not hold: run the lab again";

/// A saved run, and the lab as it is now.
pub struct ReplayRequest<'a> {
    pub index: usize,
    pub lab: &'a Lab,
    pub plan: &'a Plan,
    pub mode: Mode,
    pub recording: &'a Recording,
    pub journal: &'a Journal,
    /// What was told of the lab in the saved run.
    pub events: &'a [RunEvent],
    /// The lab is word for word the one that ran.
    pub is_same_lab: bool,
}

/// Judges the lab by a saved run, and tells it as a run does.
pub fn replay_lab(request: &ReplayRequest<'_>, sink: &dyn EventSink) {
    let started = Instant::now();
    let emitter = Emitter::new(sink, request.index, request.mode);
    let attempt = request.events.iter().find_map(|event| match event {
        RunEvent::LabStarted { attempt, .. } => Some(attempt.clone()),
        _ => None,
    });
    begin(request.lab, &emitter, attempt.unwrap_or_default());
    let lab = emitter.lab();
    for event in request.events {
        if let RunEvent::ClusterReady { cluster, vars, .. } = event {
            emitter.emit(RunEvent::ClusterReady { lab, cluster: cluster.clone(), vars: vars.clone() });
        }
    }
    let mut replay = Replay {
        request,
        named: Named { lab: request.lab, emitter: &emitter, counted: &request.plan.counted },
        emitter: &emitter,
        done: 0,
        stretches: 0,
        looks: 0,
        blocks: BTreeMap::new(),
        has_changed: false,
    };
    if request.recording.acts.is_empty() && request.recording.stretches.is_empty() {
        replay.named.not_started(request.plan);
    } else {
        replay.steps();
        replay.clean_up();
    }
    for event in request.events {
        match event {
            RunEvent::LabStopped { cause, reason, detail, .. } => {
                let (cause, reason, detail) = (*cause, reason.clone(), detail.clone());
                emitter.emit(RunEvent::LabStopped { lab, cause, reason, detail });
            }
            RunEvent::KeysLeft { keys, .. } if !replay.has_changed && emitter.lab_verdict() == Verdict::Pass => {
                emitter.emit(RunEvent::KeysLeft { lab, keys: keys.clone() });
            }
            _ => {}
        }
    }
    let duration_ms = millis(started.elapsed());
    emitter.emit(RunEvent::LabFinished { lab, duration_ms, spent: Spent::default() });
}

struct Replay<'a> {
    request: &'a ReplayRequest<'a>,
    named: Named<'a>,
    emitter: &'a Emitter<'a>,
    /// So many blocks have been come to.
    done: usize,
    /// So many recorded stretches and looks have been passed.
    stretches: usize,
    looks: usize,
    /// The numbers of recorded blocks, by where their fences begin now.
    blocks: BTreeMap<usize, usize>,
    has_changed: bool,
}

/// The step does not go on; the reason has been told.
struct Ended;

/// What checks of one stretch are judged by.
struct Ground<'r> {
    mark: Mark,
    stretch: Option<&'r RecordedStretch>,
}

impl<'a> Replay<'a> {
    fn recording(&self) -> &'a Recording {
        self.request.recording
    }

    /// The blocks that ran, but for the clean-up.
    fn acts(&self) -> &'a [RecordedAct] {
        let acts = &self.recording().acts;
        let end = acts.iter().position(|act| act.report.role == Role::Cleanup).unwrap_or(acts.len());
        &acts[..end]
    }

    fn steps(&mut self) {
        let mut stopped = false;
        for step in &self.request.plan.steps {
            if step.is_empty() {
                continue;
            }
            let started = Instant::now();
            self.named.start_step(step);
            if stopped {
                self.named.skip_step(step, EARLIER_STEP);
            } else {
                stopped = self.step(step).is_err();
            }
            self.named.finish_step(step, started);
        }
    }

    fn step(&mut self, step: &'a PlannedStep) -> Result<(), Ended> {
        let mut result = Ok(());
        for stretch in &step.stretches {
            if result.is_ok() {
                result = self.stretch(step, stretch);
            } else {
                self.named.skip_stretch(step, stretch, EARLIER_IN_STEP);
            }
        }
        match &step.skip {
            Some(reason) => self.named.leave_out(step, reason),
            None => self.named.leave_parts(step),
        }
        for event in self.request.events {
            if let RunEvent::StepWitnessed { step: id, events, left_out, .. } = event
                && *id == step.id
            {
                let (lab, step, events) = (self.emitter.lab(), id.clone(), events.clone());
                self.emitter.emit(RunEvent::StepWitnessed { lab, step, events, left_out: *left_out });
            }
        }
        let told = self.request.events.iter().find_map(|event| match event {
            RunEvent::StepStopped { step: id, cause, reason, .. }
                if *id == step.id && !matches!(cause, StopCause::NotHere | StopCause::EarlierFailed) =>
            {
                Some((*cause, reason))
            }
            _ => None,
        });
        if let Some((cause, reason)) = told.filter(|_| result.is_ok()) {
            self.named.stop_step(step, cause, reason.clone());
            return Err(Ended);
        }
        result
    }

    fn stretch(&mut self, step: &'a PlannedStep, stretch: &'a Stretch) -> Result<(), Ended> {
        let mut undone = stretch.acts.as_slice();
        let begun = self.begin(step, stretch, &mut undone);
        if begun.is_err() {
            self.named.skip_acts(step, undone, EARLIER_IN_STEP);
            self.named.skip_judged(step, &stretch.judged, EARLIER_IN_STEP);
        }
        let (ground, mut probes) = begun?;
        let mut rest = stretch.judged.as_slice();
        let mut all_passed = true;
        while let Some(first) = rest.first() {
            let together = rest.iter().take_while(|judged| matches!(judged, Judged::Checks(_))).count();
            let (now, after) = rest.split_at(together.max(1));
            rest = after;
            let went = match first {
                Judged::Checks(_) => {
                    all_passed &= self.judge_group(step, now, &ground, &mut probes);
                    Ok(())
                }
                Judged::Wait(checks) => self.wait(step, checks, &ground),
                Judged::Ask(question) => {
                    self.ask(step, question);
                    Ok(())
                }
                Judged::Left(..) | Judged::LeftWait(..) | Judged::LeftAsk(..) => {
                    self.named.skip_judged(step, now, EARLIER_IN_STEP);
                    Ok(())
                }
            };
            if went.is_err() {
                self.named.skip_judged(step, rest, EARLIER_IN_STEP);
                return Err(Ended);
            }
        }
        if all_passed { Ok(()) } else { Err(Ended) }
    }

    fn begin(
        &mut self,
        step: &'a PlannedStep,
        stretch: &'a Stretch,
        undone: &mut &'a [Act],
    ) -> Result<(Ground<'a>, std::vec::IntoIter<Probed>), Ended> {
        for action in &stretch.setup {
            self.act(step, action)?;
        }
        let Some(ground) = self.ground() else {
            self.named.stop_step(step, StopCause::CannotJudge, STOPPED_BEFORE);
            return Err(Ended);
        };
        let probes: Vec<Probed> =
            Placed::all(stretch.checks()).into_iter().map(|placed| self.probe(placed, &ground)).collect();
        while let Some((act, rest)) = undone.split_first() {
            *undone = rest;
            match act {
                Act::Run(action) => self.act(step, action)?,
                Act::Wait(checks) => self.wait(step, checks, &ground)?,
                Act::Ask(question) => self.ask(step, question),
                Act::Left(action, skip) => self.named.leave_action(step, action, &skip.0),
                Act::LeftWait(block, skip) => self.named.leave_wait(step, block, &skip.0),
                Act::LeftAsk(question, skip) => self.named.skip_question(step, question, &skip.0, true),
            }
        }
        Ok((ground, probes.into_iter()))
    }

    /// Where the stretch that comes now began.
    fn ground(&mut self) -> Option<Ground<'a>> {
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

    fn act(&mut self, step: &PlannedStep, action: &Action) -> Result<(), Ended> {
        let Some(act) = self.acts().get(self.done) else {
            self.named.stop_step(step, StopCause::CannotJudge, STOPPED_BEFORE);
            return Err(Ended);
        };
        if !is_same(&act.identity, &identity(action)) {
            self.has_changed = true;
            let report = ActionReport { reason: Some(CHANGED.to_owned()), ..self.named.bare_action(action) };
            let (lab, id) = (self.emitter.lab(), step.id.clone());
            self.emitter.emit(RunEvent::ActionFinished { lab, step: id, action: report, detail: Vec::new() });
            self.named.stop_step(step, StopCause::CannotJudge, CHANGED);
            return Err(Ended);
        }
        self.blocks.insert(action.span.start, self.done);
        self.done += 1;
        let verdict = self.tell(step, action, act);
        if verdict == Verdict::Pass { Ok(()) } else { Err(Ended) }
    }

    /// Tells of a block as it ran, held against what is expected of it now.
    fn tell(&self, step: &PlannedStep, action: &Action, act: &RecordedAct) -> Verdict {
        let bare = self.named.bare_action(action);
        let moved = |line: usize| (line + bare.line).saturating_sub(act.report.line);
        let mut report = ActionReport {
            name: bare.name.clone(),
            line: bare.line,
            role: bare.role,
            failed_line: act.report.failed_line.map(moved),
            ..act.report.clone()
        };
        let mut detail = act.detail.clone();
        if act.commands_verdict == Verdict::Pass && action.background.is_none() && action.prints() {
            let mut outcome = Outcome::default();
            let first = first_code_line(action);
            let results: Vec<CommandResult> = act
                .commands
                .iter()
                .map(|command| CommandResult {
                    line: command.line + first,
                    exit: command.exit,
                    output: command.text.text.clone(),
                    truncated: command.text.cut,
                })
                .collect();
            let output = act.said.last().and_then(|said| said.output.as_ref());
            let (text, is_cut) = output.map_or(("", false), |output| (&output.text.text, output.text.cut));
            let compare = Compare { lab: self.request.lab, vars: &self.recording().vars };
            compare.compare(action, text, is_cut, &results, &mut outcome);
            let is_hidden = results.iter().any(|result| is_hidden(&result.output)) || is_hidden(text);
            if outcome.verdict.is_some() && is_hidden && act.report.verdict == Verdict::Pass {
                outcome = Outcome::default();
            }
            report.verdict = outcome.verdict.unwrap_or(Verdict::Pass);
            report.reason = outcome.reason;
            report.fault = outcome.fault;
            report.failed_line = outcome.failed_line;
            detail = outcome.detail;
        }
        let verdict = report.verdict;
        let (lab, step) = (self.emitter.lab(), step.id.clone());
        self.emitter.emit(RunEvent::ActionFinished { lab, step, action: report, detail });
        verdict
    }

    fn probe(&self, placed: Placed<'_>, ground: &Ground<'_>) -> Probed {
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
        let Some(view) = self.view(&moment) else {
            let reason = "the journal of this run does not reach its stretch".to_owned();
            return Probed { proof: Proof::NotRun, reason: Some(reason) };
        };
        probed(placed, &evidence, &view)
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
        nearest: Option<usize>,
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
        let (offset, who) = match action {
            Some(name) => (self.offset_of(name), format!("the block `{name}`")),
            None => (nearest, "the block above".to_owned()),
        };
        let at = |at: SystemTime, seen: Seen| Observation { need: need.clone(), at, seen };
        let Some(block) = offset.and_then(|offset| self.blocks.get(&offset)) else {
            let why = format!("{who} has not run");
            return Some(vec![at(from, Seen::Nothing(why.clone())), at(until, Seen::Nothing(why))]);
        };
        let said = self.recording().acts.get(*block)?.said.iter().rev().find(|said| said.from <= self.done)?;
        let Some(SavedOutput { text, exit }) = &said.output else { return recorded(&SampleOf::Block(*block)) };
        let printed: Printed = text.clone().restore();
        Some(vec![at(from, Seen::Output { printed, exit: Some(exit.unwrap_or_default()) })])
    }

    fn offset_of(&self, name: &str) -> Option<usize> {
        let items = self.request.lab.steps.iter().flat_map(|step| &step.items);
        let mut actions = items.filter_map(|item| match item {
            crate::lab::Item::Action(action) => Some(action),
            _ => None,
        });
        let named = |action: &&Action| action.name.as_ref().is_some_and(|known| known.value == name);
        actions.find(named).map(|action| action.span.start)
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

    fn judge_group(
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

    fn wait(&mut self, step: &PlannedStep, checks: &Checks, ground: &Ground<'_>) -> Result<(), Ended> {
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

    fn ask(&self, step: &PlannedStep, question: &Question) {
        let line = self.request.lab.source.position(question.span.start).line;
        let given = self.request.events.iter().find_map(|event| match event {
            RunEvent::QuestionFinished { question, .. } if question.line == line => Some(question),
            _ => None,
        });
        match given.filter(|_| self.request.is_same_lab) {
            Some(fact) => self.named.question(step, question, fact.verdict, fact.reason.clone(), fact.neutral),
            None => self.named.skip_question(step, question, NOT_ASKED, true),
        }
    }

    /// The clean-up as it ran, where it is the same.
    fn clean_up(&mut self) {
        let recorded = &self.recording().acts[self.acts().len()..];
        let cleanup = &self.request.plan.cleanup;
        if recorded.len() != cleanup.len()
            || !recorded.iter().zip(cleanup).all(|(act, (_, action))| is_same(&act.identity, &identity(action)))
        {
            self.has_changed = true;
            return;
        }
        for (act, (index, action)) in recorded.iter().zip(cleanup) {
            let Some(step) = self.request.plan.steps.get(*index) else { continue };
            let started = Instant::now();
            self.named.start_step(step);
            self.tell(step, action, act);
            self.named.finish_step(step, started);
        }
    }
}

/// Longer than any clock of a check.
const LONG: Duration = Duration::from_secs(24 * 3600);
