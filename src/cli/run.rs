//! `run` and `test`: from paths to a report.

mod mutate;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error_span};

use super::args::{ChoiceArgs, Format, RunArgs, RunCommand, TestArgs};
use super::choose::{self, choose};
use super::error::CliError;
use super::lint::{self, Linted};
use super::provider::NoCluster;
use super::saving::{Saver, Saving};
use super::{findings, outputs, provider, screen};
use crate::cluster::Agreed;
use crate::lab::{ClusterKind, Lab};
use crate::outcome::{self, Exit, RunEvent, RunReport, Spent, StopCause, Terms, Verdict};
use crate::report::{Broken, Fanout};
use crate::run::{Ask, EventSink, LabRequest, Mode, Plan, Stopped, Vars, resolve, run_lab, stop_lab};
use crate::text::Severity;
use owned_processes::{Guard, GuardSettings, Interrupt};

pub(super) fn run(args: &RunCommand) -> Result<Exit, CliError> {
    let mode = if args.solve { Mode::Solve } else { Mode::Run };
    Call::once(&args.run, mode).execute()
}

pub(super) fn test(args: &TestArgs) -> Result<Exit, CliError> {
    Call {
        jobs: usize::from(args.jobs),
        repeats: u32::from(args.repeat),
        retries: u32::from(args.retries),
        allow_flaky: args.allow_flaky,
        fail_fast: args.fail_fast,
        timeout: args.timeout,
        choice: Some(&args.choice),
        mutate: args.mutate,
        ..Call::once(&args.run, Mode::Test)
    }
    .execute()
}

struct Call<'a> {
    args: &'a RunArgs,
    mode: Mode,
    jobs: usize,
    repeats: u32,
    retries: u32,
    allow_flaky: bool,
    fail_fast: bool,
    /// Of one run of a lab.
    timeout: Option<Duration>,
    choice: Option<&'a ChoiceArgs>,
    mutate: bool,
}

/// A lab that parsed, and whether it was the only one named.
struct Chosen {
    lab: Lab,
    alone: bool,
    /// Its place in the course.
    order: usize,
    /// The only step that was asked for.
    step: Option<String>,
}

/// The cluster that a lab gets, what the lab comes to on it, and what was agreed to.
#[derive(Clone)]
struct Place {
    kind: ClusterKind,
    plan: Plan,
    agreed: Agreed,
}

/// A lab about to run.
struct Attempt {
    place: Place,
    vars: Vars,
}

/// A run of a lab that was asked for, retries aside.
struct Turn<'a> {
    lab: &'a Lab,
    number: outcome::Attempt,
    attempt: Result<Attempt, (Plan, Stopped)>,
}

/// What labs that run side by side share.
struct Shared<'a> {
    given: &'a BTreeMap<String, String>,
    interrupt: CancellationToken,
    /// Counts the runs of labs.
    next: AtomicUsize,
    /// The lab after which no other begins.
    failed: OnceLock<String>,
    sink: &'a Sink,
    saver: Option<&'a Saver<'a>>,
}

/// The fan-out, shared by labs that run side by side.
pub(super) struct Sink(pub(super) Mutex<Fanout>);

impl EventSink for Sink {
    fn emit(&self, event: RunEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).event(event);
    }
}

impl<'a> Shared<'a> {
    /// What labs share that belong to no report.
    fn alone(given: &'a BTreeMap<String, String>, interrupt: CancellationToken, sink: &'a Sink) -> Self {
        Self { given, interrupt, next: AtomicUsize::new(0), failed: OnceLock::new(), sink, saver: None }
    }
}

impl<'a> Call<'a> {
    fn once(args: &'a RunArgs, mode: Mode) -> Self {
        Self {
            args,
            mode,
            jobs: 1,
            repeats: 1,
            retries: 0,
            allow_flaky: false,
            fail_fast: false,
            timeout: None,
            choice: None,
            mutate: false,
        }
    }

    fn execute(&self) -> Result<Exit, CliError> {
        let started = Instant::now();
        let (files, others) = lint::read(&self.args.labs)?;
        if self.args.report.format == Format::Human {
            lint::name_others(&others);
        }
        let alone = files.len() == 1 && files[0].file.named;
        let choose::Chosen { labs: files, left_out, notes, shard } = match self.choice {
            Some(choice) => choose(files, &self.args.labs, choice)?,
            None => choose::Chosen { labs: files.into_iter().enumerate().collect(), ..choose::Chosen::default() },
        };
        let seed = self.args.settings.seed.unwrap_or_else(rand::random);
        let started_at = super::now();
        if self.mutate {
            return self.mutants(files, seed);
        }
        let sink = Sink(Mutex::new(outputs::fanout(&self.args.report, self.jobs > 1)));
        sink.emit(RunEvent::RunStarted {
            tool: super::TOOL.to_owned(),
            command: self.mode.command().to_owned(),
            seed,
            started_at: started_at.clone(),
            terms: Terms { allow_flaky: self.allow_flaky, shard, host: super::host() },
        });
        for left in lint::left_out(&others).chain(left_out) {
            sink.emit(RunEvent::LeftOut(left));
        }
        for message in notes {
            sink.emit(RunEvent::Noticed { lab: None, message });
        }
        let (labs, wrong) = self.sort_out(files, alone, &sink);
        if !labs.is_empty() {
            self.check_vars(&labs)?;
            let runtime = super::runtime()
                .map_err(|error| CliError::unavailable(format!("no threads to run on: {error}"), "try again"))?;
            let saver = Saver::new(&self.args.saving, self.mode, seed, started_at);
            runtime.block_on(self.run_all(&labs, &wrong, seed, &sink, &saver).instrument(error_span!("run")))?;
            // Whatever still runs belongs to no lab any more.
            runtime.shutdown_background();
        }
        sink.emit(RunEvent::RunFinished { duration_ms: millis(started) });
        let fanout = sink.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (report, broken) = fanout.finish();
        Ok(exit(&report, broken))
    }

    fn mutants(&self, files: Vec<(usize, Linted)>, seed: u64) -> Result<Exit, CliError> {
        let folder = choose::folder(&self.args.labs).to_owned();
        let mut labs = Vec::new();
        for (order, Linted { file, parsed }) in files {
            let Some(lab) = parsed.lab else {
                let message = format!("{} has errors", file.source.name());
                return Err(CliError::wrong_call(message, "`keywitness lint` shows them"));
            };
            labs.push(Chosen { lab, alone: false, order, step: None });
        }
        self.check_vars(&labs)?;
        let runtime = super::runtime()
            .map_err(|error| CliError::unavailable(format!("no threads to run on: {error}"), "try again"))?;
        let exit = runtime.block_on(Box::pin(self.mutate(&labs, &folder, seed)));
        runtime.shutdown_background();
        exit
    }

    /// The labs that can run, and those that cannot, each of which is stopped with its errors and keeps no other from
    /// running.
    fn sort_out(&self, files: Vec<(usize, Linted)>, alone: bool, sink: &Sink) -> (Vec<Chosen>, Vec<String>) {
        let mut labs = Vec::new();
        let mut wrong = Vec::new();
        for (order, Linted { file, parsed }) in files {
            let format = self.args.report.format;
            findings::emit_all(&parsed.findings, &file.source, format, &mut |event| sink.emit(event));
            if let Some(lab) = parsed.lab {
                labs.push(Chosen { lab, alone, order, step: file.step });
                continue;
            }
            let errors = parsed.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
            let (name, path, lab) = (file.source.name().to_owned(), file.source.path(), wrong.len());
            let id = crate::parse::id(path);
            let attempt = outcome::Attempt { order, started_at: super::now(), ..outcome::Attempt::default() };
            sink.emit(RunEvent::LabStarted { lab, title: id.clone(), id: id.clone(), file: name, attempt });
            let reason = format!("it has {errors} error{}", if errors == 1 { "" } else { "s" });
            sink.emit(RunEvent::LabStopped { lab, cause: StopCause::Wrong, reason, detail: Vec::new() });
            sink.emit(RunEvent::LabFinished { lab, duration_ms: 0, spent: Spent::default() });
            wrong.push(id);
        }
        (labs, wrong)
    }

    fn check_vars(&self, labs: &[Chosen]) -> Result<(), CliError> {
        let declared = || labs.iter().flat_map(|chosen| &chosen.lab.vars).map(|var| var.name.value.as_str());
        for (name, _) in &self.args.settings.vars {
            if !declared().any(|known| known == name) {
                let hint = match crate::text::did_you_mean(name, declared()) {
                    Some(hint) => hint,
                    None => "the front matter of a lab declares its variables under `vars`".to_owned(),
                };
                return Err(CliError::wrong_call(format!("no lab here has a variable {name}"), hint));
            }
        }
        Ok(())
    }

    async fn run_all(
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
        let shared = Shared { next: AtomicUsize::new(wrong.len()), saver: Some(saver), ..alone };
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

    fn attempt(
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
        let mut attempt = match (shared.failed.get(), attempt) {
            (Some(first), Ok(Attempt { place, .. })) => {
                let reason = format!("not begun: {first} has not passed, and --fail-fast ends the run then");
                Err((place.plan, Stopped::new(StopCause::FailFast, reason)))
            }
            (_, attempt) => attempt,
        };
        loop {
            let again = attempt.as_ref().ok().map(|attempt| attempt.place.clone());
            let index = shared.next.fetch_add(1, Ordering::Relaxed);
            number.started_at = super::now();
            self.run_one(index, lab, &number, attempt, shared, self.timeout).await;
            let verdict = shared.sink.0.lock().unwrap_or_else(PoisonError::into_inner).verdict(index);
            if matches!(verdict, Verdict::Pass | Verdict::Skipped) {
                return;
            }
            match again {
                Some(place) if number.retry < self.retries && !shared.interrupt.is_cancelled() => {
                    number.retry += 1;
                    attempt = self.attempt(lab, place, number.seed, shared.given);
                }
                _ => break,
            }
        }
        if self.fail_fast {
            // The first to fail is named.
            drop(shared.failed.set(lab.id.clone()));
        }
    }

    fn vars(&self, lab: &Lab, seed: u64, given: &BTreeMap<String, String>) -> Result<Vars, Vec<String>> {
        let asks = self.mode != Mode::Test && screen::is_live() && console::user_attended();
        let mut ask = screen::ask;
        let ask: Option<&mut Ask<'_>> = if asks { Some(&mut ask) } else { None };
        resolve(lab, seed, given, ask)
    }

    /// Where a lab runs, once that is agreed to.
    async fn place(&self, chosen: &Chosen) -> Result<Place, (Plan, Stopped)> {
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

    async fn run_one(
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
            keep_going: self.args.keep_going,
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

/// A report that could not be written is told, and makes an otherwise good run unusable. A reader that went
/// away (`| head`) has what it wanted.
pub(super) fn exit(report: &RunReport, broken: Vec<Broken>) -> Exit {
    let mut exit = Exit::from_code(report.exit);
    for Broken { name, error } in broken {
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            screen::error(&CliError::Output { what: name, source: error });
            if exit == Exit::Passed {
                exit = Exit::CannotJudge;
            }
        }
    }
    exit
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
