//! The labs of one call, each with its cluster, its repeats and its retries.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error_span};

use super::needs::Needs;
use super::{Call, Chosen, Sink};
use crate::cli::args::Format;
use crate::cli::error::CliError;
use crate::cli::hold::OwnShell;
use crate::cli::provider::{self, NoCluster};
use crate::cli::saving::{Saver, Saving};
use crate::cli::{now, screen};
use crate::cluster::Agreed;
use crate::lab::{ClusterKind, Lab};
use crate::outcome::{self, RunEvent, StopCause, Verdict};
use crate::run::{Ask, EventSink, Hold, LabRequest, Mode, Plan, Stopped, Vars, resolve, run_lab, stop_lab};
use owned_processes::{Guard, GuardSettings, Interrupt};

/// The cluster that a lab gets, what the lab comes to on it, and what was agreed to.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) kind: ClusterKind,
    pub(super) plan: Plan,
    pub(super) agreed: Agreed,
}

/// A lab about to run.
pub(super) struct Attempt {
    pub(super) place: Place,
    pub(super) vars: Vars,
}

/// A run of a lab that was asked for, retries aside.
struct Turn<'a> {
    lab: &'a Lab,
    number: outcome::Attempt,
    attempt: Result<Attempt, (Plan, Stopped)>,
}

/// What labs that run side by side share.
pub(super) struct Shared<'a> {
    pub(super) given: &'a BTreeMap<String, String>,
    pub(super) interrupt: CancellationToken,
    /// Counts the runs of labs.
    pub(super) next: AtomicUsize,
    /// The lab after which no other begins.
    pub(super) failed: OnceLock<String>,
    needs: Needs,
    pub(super) sink: &'a Sink,
    pub(super) saver: Option<&'a Saver<'a>>,
}

impl<'a> Shared<'a> {
    /// What labs share that belong to no report.
    pub(super) fn alone(given: &'a BTreeMap<String, String>, interrupt: CancellationToken, sink: &'a Sink) -> Self {
        let needs = Needs::of(std::iter::empty(), &[], 0);
        Self { given, interrupt, next: AtomicUsize::new(0), failed: OnceLock::new(), needs, sink, saver: None }
    }
}

impl Call<'_> {
    pub(super) async fn run_all(
        &self,
        labs: &[Chosen],
        wrong: &[String],
        seed: u64,
        sink: &Sink,
        saver: &Saver<'_>,
    ) -> Result<(), CliError> {
        let given: BTreeMap<String, String> = self.args.settings.vars.iter().cloned().collect();
        // Whatever is asked is asked here: before anything is started, and before anything moves on the screen.
        let mut places = Vec::new();
        for chosen in labs {
            places.push((chosen, self.place(chosen).await));
        }
        let mut turns = Vec::new();
        for repeat in 0..self.repeats {
            for (chosen, place) in &places {
                let seed = seed.wrapping_add(u64::from(repeat));
                let attempt = place.clone().and_then(|place| self.attempt(&chosen.lab, place, seed, &given));
                let number = outcome::Attempt {
                    order: chosen.order,
                    repeat: repeat + 1,
                    repeats: self.repeats,
                    seed,
                    ..outcome::Attempt::default()
                };
                turns.push(Turn { lab: &chosen.lab, number, attempt });
            }
        }
        let interrupt = Interrupt::listen()
            .map_err(|error| CliError::unavailable(format!("cannot listen for Ctrl-C: {error}"), "try again"))?
            .token();
        let alone = Shared::alone(&given, interrupt.clone(), sink);
        let needs = Needs::of(labs.iter().map(|chosen| chosen.lab.id.as_str()), wrong, self.repeats);
        let shared = Shared { next: AtomicUsize::new(wrong.len()), needs, saver: Some(saver), ..alone };
        if let Some(id) = wrong.first().filter(|_| self.fail_fast) {
            // It is empty until now.
            drop(shared.failed.set(id.clone()));
        }
        let running = futures::stream::iter(turns)
            .map(|turn| {
                let span = error_span!("lab", id = turn.lab.id);
                self.take_turn(turn, &shared).instrument(span)
            })
            .buffer_unordered(self.jobs)
            .collect::<()>();
        let watching = async {
            interrupt.cancelled().await;
            sink.emit(RunEvent::Interrupted);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = running => {}
            () = watching => {}
        }
        Ok(())
    }

    pub(super) fn attempt(
        &self,
        lab: &Lab,
        place: Place,
        seed: u64,
        given: &BTreeMap<String, String>,
    ) -> Result<Attempt, (Plan, Stopped)> {
        match self.vars(lab, seed, given) {
            Ok(vars) => Ok(Attempt { place, vars }),
            Err(problems) => Err((place.plan, Stopped::new(StopCause::Wrong, problems.join("; ")))),
        }
    }

    /// Runs the lab, and again while it does not pass and may be retried.
    async fn take_turn(&self, turn: Turn<'_>, shared: &Shared<'_>) {
        let Turn { lab, mut number, attempt } = turn;
        let unmet = shared.needs.unmet(lab, number.repeat).await;
        let is_unmet = unmet.is_some();
        let mut attempt = match (shared.failed.get(), attempt) {
            (Some(first), Ok(Attempt { place, .. })) => {
                let reason = format!("not begun: {first} has not passed, and --fail-fast ends the run then");
                Err((place.plan, Stopped::new(StopCause::FailFast, reason)))
            }
            (None, Ok(Attempt { place, .. })) if is_unmet => {
                Err((place.plan, Stopped::new(StopCause::EarlierFailed, unmet.unwrap_or_default())))
            }
            (_, attempt) => attempt,
        };
        loop {
            let again = attempt.as_ref().ok().map(|attempt| attempt.place.clone());
            let index = shared.next.fetch_add(1, Ordering::Relaxed);
            number.started_at = now();
            self.run_one(index, lab, &number, attempt, shared, self.timeout).await;
            let verdict = shared.sink.0.lock().unwrap_or_else(PoisonError::into_inner).verdict(index);
            if matches!(verdict, Verdict::Pass | Verdict::Skipped) {
                return shared.needs.ended(&lab.id, number.repeat, !is_unmet);
            }
            match again {
                Some(place) if number.retry < self.retries && !shared.interrupt.is_cancelled() => {
                    number.retry += 1;
                    attempt = self.attempt(lab, place, number.seed, shared.given);
                }
                _ => break,
            }
        }
        shared.needs.ended(&lab.id, number.repeat, false);
        if self.fail_fast {
            // The first to fail is named.
            drop(shared.failed.set(lab.id.clone()));
        }
    }

    /// Somebody sits there who can look at a cluster that is kept, and has this one alone to look at.
    fn is_watched(&self) -> bool {
        use std::io::IsTerminal as _;
        let has_screen = std::io::stdin().is_terminal() && console::user_attended();
        let is_alone = self.jobs == 1 && self.args.report.format == Format::Human && !screen::in_ci();
        self.args.cluster.keep && has_screen && is_alone
    }

    pub(super) fn vars(&self, lab: &Lab, seed: u64, given: &BTreeMap<String, String>) -> Result<Vars, Vec<String>> {
        let asks = self.mode != Mode::Test && screen::is_live() && console::user_attended();
        let mut ask = screen::ask;
        let ask: Option<&mut Ask<'_>> = if asks { Some(&mut ask) } else { None };
        resolve(lab, seed, given, ask)
    }

    /// Where a lab runs, once that is agreed to.
    pub(super) async fn place(&self, chosen: &Chosen) -> Result<Place, (Plan, Stopped)> {
        let lab = &chosen.lab;
        let flags = &self.args.cluster;
        let kind = provider::choose(lab, flags).map_err(|NoCluster { reason, detail }| {
            // Its points are counted as on the cluster that it would rather have.
            let first = lab.clusters.first().map_or(ClusterKind::Sandbox, |kind| kind.value);
            let plan = Plan::new(lab, first, self.mode).unwrap_or_default();
            (plan, Stopped { detail, ..Stopped::new(StopCause::CannotJudge, reason) })
        })?;
        let skipped = if chosen.alone { StopCause::NothingToDo } else { StopCause::NotHere };
        let mut plan =
            Plan::new(lab, kind, self.mode).map_err(|skip| (Plan::default(), Stopped::new(skipped, skip.0)))?;
        if let Some(step) = &chosen.step {
            plan.only(lab, step).map_err(|skip| (Plan::default(), Stopped::new(StopCause::Wrong, skip.0)))?;
        }
        if let Some(longest) = self.args.max_wait {
            plan.cap(longest);
        }
        match provider::agree(lab, kind, flags).await {
            Ok(agreed) => Ok(Place { kind, plan, agreed }),
            Err(error) => Err((plan, error.into())),
        }
    }

    pub(super) async fn run_one(
        &self,
        index: usize,
        lab: &Lab,
        number: &outcome::Attempt,
        attempt: Result<Attempt, (Plan, Stopped)>,
        shared: &Shared<'_>,
        limit: Option<Duration>,
    ) {
        let sink = &Saving { sink: shared.sink, saver: shared.saver };
        let stop = |plan: &Plan, stopped| stop_lab(sink, (index, number.clone()), self.mode, lab, plan, stopped);
        let (Place { kind, plan, agreed }, vars) = match attempt {
            Ok(Attempt { place, vars }) => (place, vars),
            Err((plan, stopped)) => return stop(&plan, stopped),
        };
        let interrupt = shared.interrupt.child_token();
        if interrupt.is_cancelled() {
            return stop(&plan, Stopped::new(StopCause::Interrupted, "interrupted"));
        }
        let guard = match Guard::start(GuardSettings::with_watchdog()) {
            Ok(guard) => guard,
            Err(error) => {
                let reason = format!("no private folder to work in: {error}");
                return stop(&plan, Stopped::new(StopCause::CannotJudge, reason));
            }
        };
        let provider = provider::build(kind, &self.args.cluster, agreed, &guard);
        let hold = self.is_watched().then(|| OwnShell { interrupt: interrupt.clone() });
        let request = LabRequest {
            index,
            attempt: number.clone(),
            lab,
            plan,
            mode: self.mode,
            kind,
            vars,
            provider: provider.as_ref(),
            guard,
            keep: self.args.cluster.keep,
            hold: hold.as_ref().map(|shell| shell as &dyn Hold),
            keep_going: self.args.keep_going,
            settle: None,
            interrupt: interrupt.clone(),
        };
        let recorded = {
            let mut running = std::pin::pin!(run_lab(request, sink));
            match limit {
                None => running.await,
                Some(limit) => tokio::select! {
                    recorded = &mut running => recorded,
                    () = tokio::time::sleep(limit) => {
                        let reason = format!("it had not ended after {} s, the limit of --timeout", limit.as_secs_f64());
                        let (lab, cause) = (index, StopCause::TimedOut);
                        sink.emit(RunEvent::LabStopped { lab, cause, reason, detail: Vec::new() });
                        interrupt.cancel();
                        running.await
                    }
                },
            }
        };
        match shared.saver.and_then(|saver| saver.save(index, lab, number, recorded)) {
            Some(Ok(folder)) => sink.emit(RunEvent::RunSaved { lab: index, folder: folder.display().to_string() }),
            Some(Err(message)) => sink.emit(RunEvent::Noticed { lab: Some(index), message }),
            None => {}
        }
    }
}
