//! `run` and `test`: from paths to a report.

mod mutate;
mod needs;
mod turns;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{Instrument, error_span};

use super::args::{ChoiceArgs, Format, RunArgs, RunCommand, TestArgs};
use super::choose::{self, choose};
use super::error::CliError;
use super::lint::{self, Linted};
use super::saving::Saver;
use super::{findings, outputs, screen};
use crate::lab::Lab;
use crate::outcome::{self, Exit, RunEvent, RunReport, Spent, StopCause, Terms};
use crate::report::{Broken, Fanout};
use crate::run::{EventSink, Mode};
use crate::text::Severity;

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

/// The fan-out, shared by labs that run side by side.
pub(super) struct Sink(pub(super) Mutex<Fanout>);

impl EventSink for Sink {
    fn emit(&self, event: RunEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).event(event);
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
        let read = if self.mode == Mode::Test { lint::read_whole } else { lint::read };
        let (files, others) = read(&self.args.labs)?;
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
}

/// A report that could not be written is reported, and makes an otherwise good run unusable. A reader that went
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
