//! `run` and `test`: from paths to a report.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error_span};

use super::args::{Format, RunArgs, RunCommand, TestArgs};
use super::error::CliError;
use super::lint::{self, Linted};
use super::provider::NoCluster;
use super::{findings, outputs, provider, screen};
use crate::cluster::Agreed;
use crate::lab::{ClusterKind, Lab};
use crate::outcome::{Exit, RunEvent, RunReport, Spent, StopCause};
use crate::report::{Broken, Fanout};
use crate::run::{Ask, EventSink, LabRequest, Mode, Plan, Stopped, Vars, resolve, run_lab, stop_lab};
use crate::text::Severity;
use owned_processes::{Guard, GuardSettings, Interrupt};

pub(super) fn run(args: &RunCommand) -> Result<Exit, CliError> {
    let mode = if args.solve { Mode::Solve } else { Mode::Run };
    Call { args: &args.run, mode, jobs: 1, repeat: 1 }.execute()
}

pub(super) fn test(args: &TestArgs) -> Result<Exit, CliError> {
    let (jobs, repeat) = (usize::from(args.jobs), usize::from(args.repeat));
    Call { args: &args.run, mode: Mode::Test, jobs, repeat }.execute()
}

struct Call<'a> {
    args: &'a RunArgs,
    mode: Mode,
    jobs: usize,
    repeat: usize,
}

/// A lab that parsed, and whether it was the only one named.
struct Chosen {
    lab: Lab,
    alone: bool,
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

/// The fan-out, shared by labs that run side by side.
pub(super) struct Sink(pub(super) Mutex<Fanout>);

impl EventSink for Sink {
    fn emit(&self, event: RunEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).event(event);
    }
}

impl Call<'_> {
    fn execute(&self) -> Result<Exit, CliError> {
        let started = Instant::now();
        let (files, others) = lint::read(&self.args.labs)?;
        if self.args.report.format == Format::Human {
            lint::name_others(&others);
        }
        let sink = Sink(Mutex::new(outputs::fanout(&self.args.report, self.jobs > 1)));
        let seed = self.args.settings.seed.unwrap_or_else(rand::random);
        sink.emit(RunEvent::RunStarted {
            tool: concat!("keywitness ", env!("CARGO_PKG_VERSION")).to_owned(),
            command: self.mode.command().to_owned(),
            seed,
            started_at: super::now(),
        });
        let (labs, wrong) = self.sort_out(files, &sink);
        if !labs.is_empty() {
            self.check_vars(&labs)?;
            let runtime = super::runtime()
                .map_err(|error| CliError::unavailable(format!("no threads to run on: {error}"), "try again"))?;
            runtime.block_on(self.run_all(&labs, wrong, seed, &sink).instrument(error_span!("run")))?;
            // Whatever still runs belongs to no lab any more.
            runtime.shutdown_background();
        }
        sink.emit(RunEvent::RunFinished { duration_ms: millis(started) });
        let fanout = sink.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (report, broken) = fanout.finish();
        Ok(exit(&report, broken))
    }

    /// The labs that can run; how many cannot, each of which is stopped with its errors and keeps no other from running.
    fn sort_out(&self, files: Vec<Linted>, sink: &Sink) -> (Vec<Chosen>, usize) {
        let alone = files.len() == 1 && files[0].file.named;
        let mut labs = Vec::new();
        let mut wrong = 0;
        for Linted { file, parsed } in files {
            let format = self.args.report.format;
            findings::emit_all(&parsed.findings, &file.source, format, &mut |event| sink.emit(event));
            if let Some(lab) = parsed.lab {
                labs.push(Chosen { lab, alone });
                continue;
            }
            let errors = parsed.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
            let (name, path) = (file.source.name().to_owned(), file.source.path());
            let id = crate::parse::id(path);
            sink.emit(RunEvent::LabStarted { lab: wrong, title: id.clone(), id, file: name });
            let reason = format!("it has {errors} error{}", if errors == 1 { "" } else { "s" });
            sink.emit(RunEvent::LabStopped { lab: wrong, cause: StopCause::Wrong, reason, detail: Vec::new() });
            sink.emit(RunEvent::LabFinished { lab: wrong, duration_ms: 0, spent: Spent::default() });
            wrong += 1;
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

    async fn run_all(&self, labs: &[Chosen], first: usize, seed: u64, sink: &Sink) -> Result<(), CliError> {
        let given: BTreeMap<String, String> = self.args.settings.vars.iter().cloned().collect();
        // Whatever is asked is asked here: before anything is started, and before anything moves on the screen.
        let mut places = Vec::new();
        for chosen in labs {
            places.push((chosen, self.place(chosen).await));
        }
        let mut attempts = Vec::new();
        for repeat in 0..self.repeat {
            for (chosen, place) in &places {
                let seed = seed.wrapping_add(repeat as u64);
                let attempt = place.clone().and_then(|place| match self.vars(&chosen.lab, seed, &given) {
                    Ok(vars) => Ok(Attempt { place, vars }),
                    Err(problems) => Err((place.plan, Stopped::new(StopCause::Wrong, problems.join("; ")))),
                });
                attempts.push((first + attempts.len(), &chosen.lab, attempt));
            }
        }
        let interrupt = Interrupt::listen()
            .map_err(|error| CliError::unavailable(format!("cannot listen for Ctrl-C: {error}"), "try again"))?
            .token();
        let running = futures::stream::iter(attempts)
            .map(|(index, lab, attempt)| {
                let span = error_span!("lab", id = lab.id);
                self.run_one(index, lab, attempt, &interrupt, sink).instrument(span)
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
        let plan = Plan::new(lab, kind, self.mode).map_err(|skip| (Plan::default(), Stopped::new(skipped, skip.0)))?;
        match provider::agree(lab, kind, flags).await {
            Ok(agreed) => Ok(Place { kind, plan, agreed }),
            Err(error) => Err((plan, error.into())),
        }
    }

    async fn run_one(
        &self,
        index: usize,
        lab: &Lab,
        attempt: Result<Attempt, (Plan, Stopped)>,
        interrupt: &CancellationToken,
        sink: &Sink,
    ) {
        let stop = |plan: &Plan, stopped| stop_lab(sink, index, self.mode, lab, plan, stopped);
        let (Place { kind, plan, agreed }, vars) = match attempt {
            Ok(Attempt { place, vars }) => (place, vars),
            Err((plan, stopped)) => return stop(&plan, stopped),
        };
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
            lab,
            plan,
            mode: self.mode,
            kind,
            vars,
            provider: provider.as_ref(),
            guard,
            keep: self.args.cluster.keep,
            interrupt: interrupt.clone(),
        };
        Box::pin(run_lab(request, sink)).await;
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
