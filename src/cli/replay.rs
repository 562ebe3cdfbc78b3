//! `replay`: a saved run under the checks that a lab has now.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Args;

use super::args::{Format, ReportArgs};
use super::error::CliError;
use super::lint::Linted;
use super::run::{Sink, exit};
use super::{findings, outputs};
use crate::author::{SavedError, SavedRun};
use crate::lab::keywords::{CLUSTERS, word};
use crate::lab::{ClusterKind, Lab};
use crate::outcome::{Attempt, Exit, RunEvent, StopCause, Terms};
use crate::parse::{parse, private_path, with_private};
use crate::run::{
    EventSink, Mode, Plan, ReplayRequest, Replayed, Setup, Stopped, is_text_as_saved, replay_lab, stop_lab,
};
use crate::text::SourceFile;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Folder of a saved run, or of several
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The lab with the checks to judge by [default: as it was when the run was saved]
    #[arg(long, value_name = "PATH")]
    lab: Option<PathBuf>,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) fn main(args: &ReplayArgs) -> Result<Exit, CliError> {
    let began = Instant::now();
    let folders = SavedRun::folders(&args.folder).map_err(wrong)?;
    if args.lab.is_some() && folders.len() > 1 {
        let hint = format!("name one of them: keywitness replay {} --lab …", folders[0].display());
        return Err(CliError::wrong_call(
            format!("there are {} saved runs in {}", folders.len(), args.folder.display()),
            hint,
        ));
    }
    let runs = folders.iter().map(|folder| SavedRun::read(folder).map_err(wrong)).collect::<Result<Vec<_>, _>>()?;
    let sink = Sink(Mutex::new(outputs::fanout(&args.report, false)));
    sink.emit(started(&runs[0]));
    for (index, run) in runs.iter().enumerate() {
        let linted = match &args.lab {
            Some(path) => of_path(path, run.head.command == "test")?,
            None => of_run(run),
        };
        one(index, run, linted, args.report.format, &sink);
    }
    sink.emit(RunEvent::RunFinished { duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) });
    let (report, broken) = sink.0.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    Ok(exit(&report, broken))
}

fn one(index: usize, run: &SavedRun, linted: Linted, format: Format, sink: &Sink) {
    let Linted { file, parsed } = linted;
    findings::emit_all(&parsed.findings, &file.source, format, &mut |event| sink.emit(event));
    let Some(lab) = parsed.lab else {
        let id = crate::parse::id(file.source.path());
        let name = file.source.name().to_owned();
        let attempt = Attempt::default();
        sink.emit(RunEvent::LabStarted { lab: index, title: id.clone(), id, file: name, attempt });
        let reason = "it has errors".to_owned();
        sink.emit(RunEvent::LabStopped { lab: index, cause: StopCause::Wrong, reason, detail: Vec::new() });
        sink.emit(RunEvent::LabFinished { lab: index, duration_ms: 0, spent: crate::outcome::Spent::default() });
        return;
    };
    judge(index, run, &lab, sink);
}

/// Judges the lab by the run; how far the run tells of it.
pub(super) fn judge(index: usize, run: &SavedRun, lab: &Lab, sink: &Sink) -> Replayed {
    let head = &run.head;
    let mode = match (head.command.as_str(), head.solved) {
        ("test", _) => Mode::Test,
        (_, true) => Mode::Solve,
        (_, false) => Mode::Run,
    };
    let plan = word(CLUSTERS, &head.cluster.kind)
        .ok_or_else(|| format!("the run was saved on `{}`, which is no kind of cluster", head.cluster.kind))
        .and_then(|kind: ClusterKind| Plan::new(lab, kind, mode).map_err(|skip| skip.0));
    match plan {
        Ok(plan) => replay_lab(&request(index, run, lab, &plan, mode), sink),
        Err(why) => {
            let stopped = Stopped::new(StopCause::NothingToDo, why);
            stop_lab(sink, (index, Attempt::default()), mode, lab, &Plan::default(), stopped);
            Replayed::default()
        }
    }
}

fn request<'a>(index: usize, run: &'a SavedRun, lab: &'a Lab, plan: &'a Plan, mode: Mode) -> ReplayRequest<'a> {
    let is_same_lab = is_text_as_saved(&run.lab, lab.source.own().text())
        && match (&run.private, lab.source.other()) {
            (Some(saved), Some(private)) => is_text_as_saved(saved, private.text()),
            (None, None) => true,
            _ => false,
        };
    ReplayRequest {
        index,
        lab,
        plan,
        mode,
        recording: &run.recording,
        journal: &run.journal,
        events: &run.events,
        is_same_lab,
        is_same_setup: is_same_lab || is_set_up_alike(run, lab),
    }
}

/// Whether the lab's shells and its cluster would be those of the saved run.
pub(super) fn is_set_up_alike(run: &SavedRun, lab: &Lab) -> bool {
    let saved = parse(&SourceFile::new(lab.source.name(), lab.source.path(), run.lab.clone()));
    saved.lab.is_some_and(|saved| Setup::of(lab).is_as_saved(&Setup::of(&saved)))
}

/// As the run was asked to begin.
pub(super) fn started(run: &SavedRun) -> RunEvent {
    let head = &run.head;
    RunEvent::RunStarted {
        tool: super::TOOL.to_owned(),
        command: head.command.clone(),
        seed: head.seed.parse().unwrap_or_default(),
        started_at: head.started_at.clone(),
        terms: Terms::default(),
    }
}

/// The lab as it was saved, known by where it lay.
fn of_run(run: &SavedRun) -> Linted {
    let mut source = SourceFile::new(run.head.lab.file.clone(), Path::new(&run.head.lab.path), run.lab.clone());
    if let Some(private) = &run.private
        && let (Some(name), Some(path)) = (private_path(Path::new(&run.head.lab.file)), private_path(source.path()))
    {
        source = with_private(&source, &SourceFile::new(name.display().to_string(), path, private.clone()));
    }
    let parsed = parse(&source);
    Linted { file: super::labs::LabFile { source, named: true, oddity: None, step: None }, parsed }
}

/// A test reads the private part too.
fn of_path(path: &Path, whole: bool) -> Result<Linted, CliError> {
    let mut labs = super::labs::find(&[path.to_owned()])?.labs;
    if labs.len() > 1 {
        return Err(CliError::wrong_call(
            format!("there are {} labs in {}", labs.len(), path.display()),
            "name one of them",
        ));
    }
    let file = labs.pop();
    let mut file =
        file.ok_or_else(|| CliError::wrong_call(format!("there is no lab at {}", path.display()), "name a lab"))?;
    if whole {
        file.source = super::labs::whole(&file.source)?;
    }
    let parsed = parse(&file.source);
    Ok(Linted { file, parsed })
}

pub(super) fn wrong(error: SavedError) -> CliError {
    let hint = match &error {
        SavedError::None(_) => "`keywitness test LAB --save DIR` saves one; a failed run names its folder",
        SavedError::Unreadable { .. } => "save the run again",
        SavedError::Format { .. } => "replay it by the keywitness that saved it, or save the run again",
    };
    CliError::wrong_call(error.to_string(), hint)
}
