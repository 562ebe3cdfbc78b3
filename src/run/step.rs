//! A step: for each stretch mark, probe, act, judge.

use std::time::Instant;

use super::Mode;
use super::judge::{Placed, Probed};
use super::plan::{Act, Checks, Judged, PlannedStep, Stretch};
use super::runner::{Runner, Stopped};
use crate::grade;
use crate::journal::Mark;
use crate::lab::{Action, CheckBlock, Question};
use crate::outcome::{ActionReport, Proof, RunEvent, StopCause, Verdict};

const EARLIER_IN_STEP: &str = "something before it in the step failed";
const EARLIER_STEP: &str = "an earlier step failed";
const INTERRUPTED: &str = "interrupted";

impl Runner<'_> {
    /// Every step in order; after one that failed, the others are only named.
    pub(super) async fn steps(&mut self, steps: &[PlannedStep]) {
        let mut stopped = false;
        for step in steps {
            let started = Instant::now();
            // A step that only cleans up takes place at the end.
            if step.stretches.is_empty() && step.skip.is_none() {
                continue;
            }
            self.start_step(step);
            if self.is_interrupted() {
                self.skip_step(step, INTERRUPTED);
            } else if stopped {
                self.skip_step(step, EARLIER_STEP);
            } else {
                stopped = self.step(step).await.is_err();
            }
            self.finish_step(step, started);
        }
    }

    pub(super) fn start_step(&self, step: &PlannedStep) {
        let (lab, line) = (self.tell.lab(), self.line(step.offset));
        self.tell.tell(RunEvent::StepStarted { lab, step: step.id.clone(), title: step.title.clone(), line });
    }

    pub(super) fn finish_step(&self, step: &PlannedStep, started: Instant) {
        let (lab, duration_ms) = (self.tell.lab(), Self::clock(started));
        self.tell.tell(RunEvent::StepFinished { lab, step: step.id.clone(), duration_ms });
    }

    fn stop_step(&self, step: &PlannedStep, cause: StopCause, reason: impl Into<String>) {
        let (lab, reason) = (self.tell.lab(), reason.into());
        self.tell.tell(RunEvent::StepStopped { lab, step: step.id.clone(), cause, reason });
    }

    async fn step(&mut self, step: &PlannedStep) -> Result<(), Stopped> {
        let mut result = Ok(());
        for stretch in &step.stretches {
            if result.is_ok() {
                result = self.stretch(step, stretch).await;
            } else {
                self.skip_stretch(step, stretch, EARLIER_IN_STEP);
            }
        }
        if self.is_interrupted() {
            self.stop_step(step, StopCause::Interrupted, INTERRUPTED);
            return Err(Stopped);
        }
        if let Some(reason) = &step.skip {
            self.leave_out(step, reason);
        }
        result
    }

    /// What is not for this cluster or mode is named, and counts nowhere.
    fn leave_out(&self, step: &PlannedStep, reason: &str) {
        for block in &step.skipped_checks {
            self.skip_checks(step, block, reason, true);
        }
        for question in &step.skipped_questions {
            self.skip_question(step, question, reason, true);
        }
        self.stop_step(step, StopCause::NotHere, reason);
    }

    fn skip_step(&self, step: &PlannedStep, why: &str) {
        if let Some(reason) = &step.skip {
            self.leave_out(step, reason);
            return;
        }
        for stretch in &step.stretches {
            self.skip_stretch(step, stretch, why);
        }
        self.stop_step(step, StopCause::EarlierFailed, why);
    }

    /// Everything that gives points is named wherever a run stops, so that their sum is always the same.
    fn skip_stretch(&self, step: &PlannedStep, stretch: &Stretch, reason: &str) {
        self.skip_acts(step, &stretch.acts, reason);
        self.skip_judged(step, &stretch.judged, reason);
    }

    fn skip_acts(&self, step: &PlannedStep, acts: &[Act], reason: &str) {
        for act in acts {
            match act {
                Act::Ask(question) => self.skip_question(step, question, reason, false),
                Act::LeftAsk(question, skip) => self.skip_question(step, question, &skip.0, true),
                Act::Run(_) | Act::Wait(_) | Act::Left(..) | Act::LeftWait(..) => {}
            }
        }
    }

    fn skip_question(&self, step: &PlannedStep, question: &Question, reason: &str, neutral: bool) {
        self.tell_question(step, question, Verdict::Skipped, Some(reason.to_owned()), neutral);
    }

    fn leave_wait(&self, step: &PlannedStep, block: &CheckBlock, reason: &str) {
        for check in &block.checks {
            let wait = self.skipped_fact(block, check, reason, true);
            let (lab, step) = (self.tell.lab(), step.id.clone());
            self.tell.tell(RunEvent::WaitFinished { lab, step, wait, failure: None });
        }
    }

    fn skip_judged(&self, step: &PlannedStep, judged: &[Judged], reason: &str) {
        for judged in judged {
            match judged {
                Judged::Checks(checks) => self.skip_checks(step, &checks.block, reason, false),
                Judged::Left(block, skip) => self.skip_checks(step, block, &skip.0, true),
                Judged::LeftWait(block, skip) => self.leave_wait(step, block, &skip.0),
                Judged::Ask(question) => self.skip_question(step, question, reason, false),
                Judged::LeftAsk(question, skip) => self.skip_question(step, question, &skip.0, true),
                Judged::Wait(_) => {}
            }
        }
    }

    fn skip_checks(&self, step: &PlannedStep, block: &CheckBlock, reason: &str, neutral: bool) {
        for check in &block.checks {
            let check = self.skipped_fact(block, check, reason, neutral);
            let (lab, step) = (self.tell.lab(), step.id.clone());
            self.tell.tell(RunEvent::CheckFinished { lab, step, check, failure: None });
        }
    }

    async fn stretch(&mut self, step: &PlannedStep, stretch: &Stretch) -> Result<(), Stopped> {
        let mut undone = stretch.acts.as_slice();
        let begun = self.begin(step, stretch, &mut undone).await;
        if begun.is_err() {
            self.skip_acts(step, undone, EARLIER_IN_STEP);
            self.skip_judged(step, &stretch.judged, EARLIER_IN_STEP);
        }
        let (mark, probed) = begun?;
        self.judged(step, stretch, mark, probed).await
    }

    /// Up to the end of the stretch's last action; what is still to be done is counted down.
    async fn begin<'s>(
        &mut self,
        step: &PlannedStep,
        stretch: &'s Stretch,
        undone: &mut &'s [Act],
    ) -> Result<(Mark, Vec<Probed>), Stopped> {
        for action in &stretch.setup {
            self.act(step, action).await?;
        }
        let checks = Placed::all(stretch.checks());
        let checking = Instant::now();
        self.quiet(step, &checks).await?;
        for running in &mut self.backgrounds {
            running.mark = running.handle.mark();
        }
        let mark = self.witness.mark().await;
        let probed = self.probe(&checks, mark).await;
        self.spent.checks += checking.elapsed();
        while let Some((act, rest)) = undone.split_first() {
            *undone = rest;
            match act {
                Act::Run(action) => self.act(step, action).await?,
                Act::Wait(checks) => self.wait(step, checks, mark).await?,
                Act::Ask(question) => self.ask(step, question).await,
                Act::Left(action, skip) => self.leave_action(step, action, &skip.0),
                Act::LeftWait(block, skip) => self.leave_wait(step, block, &skip.0),
                Act::LeftAsk(question, skip) => self.skip_question(step, question, &skip.0, true),
            }
            self.watch_backgrounds(step)?;
        }
        Ok((mark, probed))
    }

    /// A test's marks must not fall into the changes of what came before.
    async fn quiet(&self, step: &PlannedStep, checks: &[Placed<'_>]) -> Result<(), Stopped> {
        if self.mode != Mode::Test || !step.quiet {
            return Ok(());
        }
        let prefix = &self.info.prefix;
        let globs: Vec<_> =
            checks.iter().filter_map(|placed| grade::watched(placed.check, &self.vars.values, prefix)).collect();
        if globs.is_empty() {
            return Ok(());
        }
        let rested = tokio::select! {
            rested = self.witness.quiet(&globs) => rested,
            () = self.interrupt.cancelled() => return Err(Stopped),
        };
        let Err(moving) = rested else {
            return Ok(());
        };
        if let Some(why) = self.store_is_gone().await {
            self.stop_step(step, StopCause::CannotJudge, why);
        } else {
            let moving = moving.join(", ");
            let reason = format!(
                "the keys that its checks name do not rest: {moving} still changes after 10 s \
                 (where that is meant: <!-- lab:step quiet=no -->)"
            );
            self.stop_step(step, StopCause::Wrong, reason);
        }
        Err(Stopped)
    }

    fn leave_action(&self, step: &PlannedStep, action: &Action, reason: &str) {
        self.tell.tell(RunEvent::ActionFinished {
            lab: self.tell.lab(),
            step: step.id.clone(),
            action: ActionReport {
                name: action.name.as_ref().map(|name| name.value.clone()),
                line: self.line(action.span.start),
                role: action.role.name().to_owned(),
                terminal: action.terminal.clone(),
                verdict: Verdict::Skipped,
                reason: Some(reason.to_owned()),
                exit: None,
                failed_line: None,
                output: String::new(),
                truncated: false,
                duration_ms: 0,
                detail: Vec::new(),
            },
            detail: Vec::new(),
        });
    }

    fn watch_backgrounds(&mut self, step: &PlannedStep) -> Result<(), Stopped> {
        match self.ended_by_themselves() {
            Some((cause, reason)) if !self.is_interrupted() => {
                self.stop_step(step, cause, reason);
                Err(Stopped)
            }
            _ => Ok(()),
        }
    }

    async fn wait(&mut self, step: &PlannedStep, checks: &Checks, mark: Mark) -> Result<(), Stopped> {
        let started = Instant::now();
        let placed: Vec<Placed<'_>> = Placed::of(checks).collect();
        let end = self.witness.mark().await;
        let judged = self.judge(&step.id, &placed, mark, end).await;
        self.spent.checks += started.elapsed();
        self.hide_secrets().await;
        let mut came = Ok(());
        for (placed, (judgement, _)) in placed.iter().zip(judged.ok_or(Stopped)?) {
            let failed = judgement.verdict != Verdict::Pass;
            let failure = failed.then(|| self.failure(placed.block, &judgement, mark, &[]));
            let wait = self.fact(*placed, &judgement, Probed { proof: Proof::NotRun, reason: None });
            let (lab, step) = (self.tell.lab(), step.id.clone());
            self.tell.tell(RunEvent::WaitFinished { lab, step, wait, failure });
            if failed {
                came = Err(Stopped);
            }
        }
        came
    }

    async fn judged(
        &mut self,
        step: &PlannedStep,
        stretch: &Stretch,
        mark: Mark,
        probed: Vec<Probed>,
    ) -> Result<(), Stopped> {
        let mut probed = probed.into_iter();
        let mut rest = stretch.judged.as_slice();
        let mut all_passed = true;
        let actions = actions(stretch);
        while let Some(first) = rest.first() {
            let together = rest.iter().take_while(|judged| matches!(judged, Judged::Checks(_))).count();
            let (now, after) = rest.split_at(together.max(1));
            rest = after;
            let went = match first {
                Judged::Checks(_) => {
                    let passed = self.judge_group(step, now, mark, &mut probed, &actions).await;
                    passed.map(|passed| all_passed &= passed)
                }
                Judged::Wait(checks) => self.wait(step, checks, mark).await,
                Judged::Ask(question) => {
                    self.ask(step, question).await;
                    Ok(())
                }
                Judged::Left(..) | Judged::LeftWait(..) | Judged::LeftAsk(..) => {
                    self.skip_judged(step, now, EARLIER_IN_STEP);
                    Ok(())
                }
            };
            if went.and_then(|()| self.watch_backgrounds(step)).is_err() {
                self.skip_judged(step, rest, EARLIER_IN_STEP);
                return Err(Stopped);
            }
        }
        // A check that passes and proves nothing is the author's concern, and keeps nothing from going on.
        if all_passed { Ok(()) } else { Err(Stopped) }
    }

    /// Whether all passed. The checks between two waits share their clocks, and are looked at together.
    async fn judge_group(
        &mut self,
        step: &PlannedStep,
        group: &[Judged],
        mark: Mark,
        probed: &mut impl Iterator<Item = Probed>,
        actions: &[&Action],
    ) -> Result<bool, Stopped> {
        let started = Instant::now();
        let mut all_passed = true;
        let checks = group.iter().filter_map(|judged| match judged {
            Judged::Checks(checks) => Some(checks),
            Judged::Wait(_) | Judged::Ask(_) | Judged::Left(..) | Judged::LeftWait(..) | Judged::LeftAsk(..) => None,
        });
        let placed = Placed::all(checks);
        let end = self.witness.mark().await;
        let Some(judged) = self.judge(&step.id, &placed, mark, end).await else {
            self.skip_judged(step, group, INTERRUPTED);
            return Err(Stopped);
        };
        self.hide_secrets().await;
        for (placed, (judgement, evidence)) in placed.iter().zip(judged) {
            let mut probed = probed.next().unwrap_or(Probed { proof: Proof::NotRun, reason: None });
            if grade::folder_held(placed.check, &evidence, &self.witness.journal()) == Some(false) {
                let reason = "no key was ever in the folder that it watches".to_owned();
                probed = Probed { proof: Proof::ProvesNothing, reason: Some(reason) };
            }
            let failed = judgement.verdict != Verdict::Pass;
            all_passed &= !failed;
            let failure = failed.then(|| self.failure(placed.block, &judgement, mark, actions));
            let check = self.fact(*placed, &judgement, probed);
            let (lab, step) = (self.tell.lab(), step.id.clone());
            self.tell.tell(RunEvent::CheckFinished { lab, step, check, failure });
        }
        self.spent.checks += started.elapsed();
        Ok(all_passed)
    }
}

fn actions(stretch: &Stretch) -> Vec<&Action> {
    let acts = stretch.acts.iter().filter_map(|act| match act {
        Act::Run(action) => Some(action),
        Act::Wait(_) | Act::Ask(_) | Act::Left(..) | Act::LeftWait(..) | Act::LeftAsk(..) => None,
    });
    stretch.setup.iter().chain(acts).collect()
}
