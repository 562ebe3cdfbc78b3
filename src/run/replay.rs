//! A run judged again by what it left, with the checks that the lab has now. Nothing is run and nothing is asked: what
//! the recording does not hold is not judged.

mod judged;
mod seat;

use std::collections::BTreeMap;
use std::time::Instant;

use seat::{is_hidden, is_same};

use super::act::{Compare, Outcome, first_code_line};
use super::emit::Emitter;
use super::judge::{Placed, Probed};
use super::lab::{begin, millis};
use super::named::{EARLIER_IN_STEP, EARLIER_STEP, Named};
use super::plan::{Act, Judged, PlannedStep, Stretch};
use super::recording::{RecordedAct, RecordedStretch, Recording, identity};
use super::{EventSink, Mode, Plan};
use crate::journal::{Journal, Mark};
use crate::lab::{Action, Lab, PartId, Question, Role};
use crate::outcome::{ActionReport, RunEvent, Spent, StopCause, Verdict};
use crate::terminal::CommandResult;

const CHANGED: &str = "its commands have changed since this run was saved: run the lab again";
const OTHER_SETUP: &str = "the lab's variables or its cluster have changed since this run was saved: run the lab again";
const STOPPED_BEFORE: &str = "the saved run stopped before this: run the lab again";
const NOT_LOOKED_AT: &str = "nothing looked at this in the saved run: run the lab again";
const NOT_ASKED: &str = "the lab has changed since this run was saved, and a replay answers no questions";

/// A saved run, and the lab as it is now.
pub struct ReplayRequest<'a> {
    pub index: usize,
    pub lab: &'a Lab,
    pub plan: &'a Plan,
    pub mode: Mode,
    pub recording: &'a Recording,
    pub journal: &'a Journal,
    /// The events of the lab in the saved run.
    pub events: &'a [RunEvent],
    /// The lab is word for word the one that ran.
    pub is_same_lab: bool,
    /// It says the same of its variables and of its cluster.
    pub is_same_setup: bool,
}

/// How far a saved run tells of the lab as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// For each step of the plan that was come to, how many blocks had run when it began; and for the end of the last.
    pub begins: Vec<usize>,
    /// The first step that cannot be judged by it.
    pub unknown: Option<usize>,
    /// The clean-up is not the one that ran.
    pub cleans_otherwise: bool,
    /// Which recorded act each block came to.
    pub(super) blocks: BTreeMap<PartId, usize>,
    /// A step did not hold, so that no later one is judged.
    pub(super) stopped: bool,
}

/// Judges the lab by a saved run, and reports it as a run does.
pub fn replay_lab(request: &ReplayRequest<'_>, sink: &dyn EventSink) -> Replayed {
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
    let mut replay = Replay::new(request, &emitter);
    let mut replayed = Replayed::default();
    if request.recording.acts.is_empty() && request.recording.stretches.is_empty() {
        replay.named.not_started(request.plan);
    } else {
        replayed = replay.steps(request.plan.steps.len());
        replayed.cleans_otherwise = !replay.clean_up();
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
    replayed
}

/// Reports the steps before one of the plan by an earlier run, where a run goes on from there.
pub(super) fn replayed_upto(request: &ReplayRequest<'_>, emitter: &Emitter<'_>, upto: usize) -> Replayed {
    let mut replay = Replay::new(request, emitter);
    let replayed = replay.steps(upto);
    Replayed { blocks: replay.blocks, ..replayed }
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
    /// Which recorded act each block of the lab came to.
    blocks: BTreeMap<PartId, usize>,
    has_changed: bool,
}

/// The step does not go on; the reason has been reported.
struct Ended;

/// What checks of one stretch are judged by.
struct Ground<'r> {
    mark: Mark,
    stretch: Option<&'r RecordedStretch>,
}

impl<'a> Replay<'a> {
    fn new(request: &'a ReplayRequest<'a>, emitter: &'a Emitter<'a>) -> Self {
        Self {
            request,
            named: Named { lab: request.lab, emitter, counted: &request.plan.counted },
            emitter,
            done: 0,
            stretches: 0,
            looks: 0,
            blocks: BTreeMap::new(),
            has_changed: false,
        }
    }

    fn recording(&self) -> &'a Recording {
        self.request.recording
    }

    /// The blocks that ran, but for the clean-up.
    fn acts(&self) -> &'a [RecordedAct] {
        let acts = &self.recording().acts;
        let end = acts.iter().position(|act| act.report.role == Role::Cleanup).unwrap_or(acts.len());
        &acts[..end]
    }

    fn steps(&mut self, upto: usize) -> Replayed {
        let mut replayed = Replayed::default();
        for (index, step) in self.request.plan.steps.iter().enumerate().take(upto) {
            if !replayed.stopped {
                replayed.begins.push(self.done);
            }
            if step.is_empty() {
                continue;
            }
            let started = Instant::now();
            self.named.start_step(step);
            if replayed.stopped {
                self.named.skip_step(step, EARLIER_STEP);
            } else {
                replayed.stopped = self.step(step).is_err();
            }
            self.named.finish_step(step, started);
            if replayed.unknown.is_none() && self.emitter.lab_verdict() == Verdict::CannotJudge {
                replayed.unknown = Some(index);
            }
        }
        if !replayed.stopped {
            replayed.begins.push(self.done);
        }
        replayed
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
        if !self.request.is_same_setup {
            self.has_changed = true;
            self.named.stop_step(step, StopCause::CannotJudge, OTHER_SETUP);
            return Err(Ended);
        }
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
        self.blocks.insert(action.id, self.done);
        self.done += 1;
        let verdict = self.tell(step, action, act);
        if verdict == Verdict::Pass { Ok(()) } else { Err(Ended) }
    }

    /// Reports a block as it ran, held against what is expected of it now.
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

    /// The clean-up as it ran, where it is the same; whether it is.
    fn clean_up(&mut self) -> bool {
        let recorded = &self.recording().acts[self.acts().len()..];
        let cleanup = &self.request.plan.cleanup;
        if recorded.len() != cleanup.len()
            || !recorded.iter().zip(cleanup).all(|(act, (_, action))| is_same(&act.identity, &identity(action)))
        {
            self.has_changed = true;
            return false;
        }
        for (act, (index, action)) in recorded.iter().zip(cleanup) {
            let Some(step) = self.request.plan.steps.get(*index) else { continue };
            let started = Instant::now();
            self.named.start_step(step);
            self.tell(step, action, act);
            self.named.finish_step(step, started);
        }
        true
    }
}
