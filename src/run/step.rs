//! A step: for each stretch mark, probe, act, judge.

use std::collections::BTreeSet;
use std::time::Instant;

use tracing::{Instrument, error_span};

use super::judge::{Placed, Probed};
use super::named::{EARLIER_IN_STEP, EARLIER_STEP, INTERRUPTED};
use super::plan::{Act, Checks, Judged, PlannedStep, Stretch};
use super::runner::{Runner, Stopped};
use super::standing::Keeper;
use super::{Mode, depends};
use crate::grade::{self, Evidence, Judgement};
use crate::journal::Mark;
use crate::lab::{Action, Check, Lab};
use crate::outcome::{Proof, RunEvent, StopCause, Verdict};

impl Runner<'_> {
    /// Every step in order; after one that failed, the others are only named, or those of them that build on it.
    pub(super) async fn steps(&mut self, steps: &[PlannedStep]) {
        self.steps_from(steps, 0, None).await;
    }

    /// The same from one of them on; before each it is kept what it begins with.
    pub(super) async fn steps_from(&mut self, steps: &[PlannedStep], from: usize, mut keeper: Option<&mut Keeper<'_>>) {
        let mut stopped = false;
        let mut failed = Failed::default();
        for step in steps.iter().skip(from) {
            if let Some(keeper) = keeper.as_mut().filter(|_| !stopped && !self.is_interrupted()) {
                keeper.keep(self).await;
            }
            let (started, since) = (Instant::now(), self.witness.journal().end());
            // A step that only cleans up takes place at the end.
            if step.is_empty() {
                continue;
            }
            let span = error_span!("step", id = step.id);
            let went = async {
                self.named().start_step(step);
                self.casts.mark(format!("step: {}", step.title));
                let went = if self.is_interrupted() {
                    self.named().skip_step(step, INTERRUPTED);
                    Ok(())
                } else if stopped && !self.keep_going {
                    self.named().skip_step(step, EARLIER_STEP);
                    Ok(())
                } else if let Some(title) = failed.builds_on(self.lab, step) {
                    self.named().skip_step(step, &format!("it builds on “{title}”, which failed"));
                    failed.add(self.lab, step);
                    Ok(())
                } else {
                    self.step(step).await
                };
                self.witnessed(step, since);
                self.named().finish_step(step, started);
                went
            };
            if went.instrument(span).await.is_err() {
                stopped = true;
                failed.add(self.lab, step);
            }
        }
        if let Some(keeper) = keeper.filter(|_| !self.is_interrupted()) {
            keeper.keep(self).await;
        }
        self.recording.finish();
    }

    async fn step(&mut self, step: &PlannedStep) -> Result<(), Stopped> {
        let mut result = Ok(());
        for stretch in &step.stretches {
            if result.is_ok() {
                result = self.stretch(step, stretch).await;
            } else {
                self.named().skip_stretch(step, stretch, EARLIER_IN_STEP);
            }
        }
        if self.is_interrupted() {
            self.named().leave_parts(step);
            self.named().stop_step(step, StopCause::Interrupted, INTERRUPTED);
            return Err(Stopped);
        }
        match &step.skip {
            Some(reason) => self.named().leave_out(step, reason),
            None => self.named().leave_parts(step),
        }
        result
    }

    async fn stretch(&mut self, step: &PlannedStep, stretch: &Stretch) -> Result<(), Stopped> {
        let before = self.recording.stretches.len();
        let went = self.stretch_itself(step, stretch).await;
        if self.recording.stretches.len() > before {
            self.record_backgrounds();
        }
        went
    }

    async fn stretch_itself(&mut self, step: &PlannedStep, stretch: &Stretch) -> Result<(), Stopped> {
        let mut undone = stretch.acts.as_slice();
        let begun = self.begin(step, stretch, &mut undone).await;
        if begun.is_err() {
            self.named().skip_acts(step, undone, EARLIER_IN_STEP);
            self.named().skip_judged(step, &stretch.judged, EARLIER_IN_STEP);
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
        let (probed, looked) = self.probe(&checks, mark).await;
        self.record_stretch(mark, looked);
        self.spent.checks += checking.elapsed();
        while let Some((act, rest)) = undone.split_first() {
            *undone = rest;
            match act {
                Act::Run(action) => {
                    self.act(step, action).await?;
                    self.settle().await;
                }
                Act::Wait(checks) => self.wait(step, checks, mark).await?,
                Act::Ask(question) => self.ask(step, question).await,
                Act::Left(action, skip) => self.named().leave_action(step, action, &skip.0),
                Act::LeftWait(block, skip) => self.named().leave_wait(step, block, &skip.0),
                Act::LeftAsk(question, skip) => self.named().skip_question(step, question, &skip.0, true),
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
            self.named().stop_step(step, StopCause::CannotJudge, why);
        } else {
            let moving = moving.join(", ");
            let reason = format!(
                "the keys that its checks name do not settle: {moving} still changes after 10 s \
                 (if that is intended: <!-- lab:step quiet=no -->)"
            );
            self.named().stop_step(step, StopCause::Wrong, reason);
        }
        Err(Stopped)
    }

    fn watch_backgrounds(&mut self, step: &PlannedStep) -> Result<(), Stopped> {
        match self.ended_by_themselves() {
            Some((cause, reason)) if !self.is_interrupted() => {
                self.named().stop_step(step, cause, reason);
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
        let judged = judged.ok_or(Stopped)?;
        self.record_judged(mark, end, &placed, &judged);
        let mut came = Ok(());
        for (placed, (judgement, _)) in placed.iter().zip(judged) {
            let failed = judgement.verdict != Verdict::Pass;
            let failure = failed.then(|| self.failure(placed.block, &judgement, mark, &[]));
            self.mark_verdict(placed.check, judgement.verdict);
            let wait = self.fact(*placed, &judgement, Probed { proof: Proof::NotRun, reason: None });
            let (lab, step) = (self.emitter.lab(), step.id.clone());
            self.named().emit_of(placed.check, RunEvent::WaitFinished { lab, step, wait, failure });
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
                    self.named().skip_judged(step, now, EARLIER_IN_STEP);
                    Ok(())
                }
            };
            if went.and_then(|()| self.watch_backgrounds(step)).is_err() {
                self.named().skip_judged(step, rest, EARLIER_IN_STEP);
                return Err(Stopped);
            }
        }
        // A check that passes and proves nothing is the author's concern, and keeps nothing from going on.
        if all_passed { Ok(()) } else { Err(Stopped) }
    }

    fn mark_verdict(&self, check: &Check, verdict: Verdict) {
        self.casts.mark(format!("{}: {}", verdict.word(), check.text.lines().next().unwrap_or_default()));
    }

    fn record_judged(&mut self, mark: Mark, end: Mark, placed: &[Placed<'_>], judged: &[(Judgement, Evidence)]) {
        let by = placed.iter().zip(judged).map(|(placed, (_, evidence))| (placed.nearest, evidence));
        self.record_look(mark, end, by);
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
            self.named().skip_judged(step, group, INTERRUPTED);
            return Err(Stopped);
        };
        self.hide_secrets().await;
        self.record_judged(mark, end, &placed, &judged);
        for (placed, (judgement, evidence)) in placed.iter().zip(judged) {
            let mut probed = probed.next().unwrap_or(Probed { proof: Proof::NotRun, reason: None });
            if grade::folder_held(placed.check, &evidence, &self.witness.journal()) == Some(false) {
                let reason = "no key was ever in the folder that it watches".to_owned();
                probed = Probed { proof: Proof::ProvesNothing, reason: Some(reason) };
            }
            let failed = judgement.verdict != Verdict::Pass;
            all_passed &= !failed;
            let failure = failed.then(|| self.failure(placed.block, &judgement, mark, actions));
            self.mark_verdict(placed.check, judgement.verdict);
            let check = self.fact(*placed, &judgement, probed);
            let (lab, step) = (self.emitter.lab(), step.id.clone());
            self.named().emit_of(placed.check, RunEvent::CheckFinished { lab, step, check, failure });
        }
        self.spent.checks += started.elapsed();
        Ok(all_passed)
    }
}

/// Steps that failed, and those that were skipped for it.
#[derive(Default)]
struct Failed(Vec<(String, BTreeSet<String>)>);

impl Failed {
    fn add(&mut self, lab: &Lab, step: &PlannedStep) {
        self.0.push((step.title.clone(), depends::reach(lab, &step.id)));
    }

    /// The title of the first that the step builds on, as far as names show.
    fn builds_on(&self, lab: &Lab, step: &PlannedStep) -> Option<String> {
        let own = depends::reach(lab, &step.id);
        self.0.iter().find(|(_, names)| !names.is_disjoint(&own)).map(|(title, _)| title.clone())
    }
}

fn actions(stretch: &Stretch) -> Vec<&Action> {
    let acts = stretch.acts.iter().filter_map(|act| match act {
        Act::Run(action) => Some(action),
        Act::Wait(_) | Act::Ask(_) | Act::Left(..) | Act::LeftWait(..) | Act::LeftAsk(..) => None,
    });
    stretch.setup.iter().chain(acts).collect()
}
