//! `watch`: a lab that is being written is looked at each time it is saved. What is known without a cluster is shown
//! at once: findings, and verdicts by the last run. The lab runs again where its commands have changed, or where the
//! last run does not show.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;

use super::args::{FileArgs, Format, ReportArgs};
use super::error::CliError;
use super::outputs;
use super::replay;
use super::run::Sink;
use crate::author::SavedRun;
use crate::lab::Lab;
use crate::outcome::{Exit, RunEvent, Verdict};
use crate::parse::{Heard, ask_bash, parse, private_path};
use crate::run::EventSink;
use crate::text::SourceFile;
use owned_processes::{Guard, GuardSettings, Interrupt, Process};

/// Editors write in several steps.
const SETTLES: Duration = Duration::from_millis(40);
/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// For a run that is in the way of a newer one.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// The lab: a Markdown file, or a folder with a README.md
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Begin with this saved run in place of a new one
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Run nothing: findings, and verdicts by the saved run
    #[arg(long, requires = "run")]
    no_run: bool,
    /// Wait for no check longer than this in a run
    #[arg(long, value_name = "D", value_parser = crate::parse::duration_flag)]
    max_wait: Option<Duration>,
    /// Kind of cluster to run on [default: as of `test`]
    #[arg(long, value_name = "KIND", value_parser = super::args::cluster_kind(&crate::lab::ClusterKind::ALL))]
    on: Option<crate::lab::ClusterKind>,
}

pub(super) fn main(args: &WatchArgs) -> Result<Exit, CliError> {
    let file = file(&args.path)?;
    let runtime = super::runtime()
        .map_err(|error| CliError::unavailable(format!("no threads to run on: {error}"), "try again"))?;
    let ended = runtime.block_on(watch(args, &file));
    runtime.shutdown_background();
    ended
}

fn file(path: &Path) -> Result<PathBuf, CliError> {
    let file = if path.is_dir() { path.join("README.md") } else { path.to_owned() };
    if file.is_file() {
        return Ok(file);
    }
    let hint = "`watch` takes one lab: a Markdown file, or a folder with a README.md";
    Err(CliError::wrong_call(format!("there is no lab at {}", path.display()), hint))
}

async fn watch(args: &WatchArgs, file: &Path) -> Result<Exit, CliError> {
    let unavailable =
        |what: &str, error: &dyn std::fmt::Display| CliError::unavailable(format!("{what}: {error}"), "try again");
    let interrupt = Interrupt::listen().map_err(|error| unavailable("cannot listen for Ctrl-C", &error))?.token();
    let guard = Guard::start(GuardSettings::with_watchdog())
        .map_err(|error| unavailable("no private folder to work in", &error))?;
    let runs = guard.folder("runs").map_err(|error| unavailable("no private folder to work in", &error))?;
    let saved = args.run.as_ref().map(|folder| SavedRun::read(folder).map_err(replay::wrong)).transpose()?;
    let mut desk = Desk { args, file, guard: guard.clone(), runs, saved, running: None, heard: Heard::default() };
    let private = private_path(file);
    let files: Vec<&Path> = std::iter::once(file).chain(private.as_deref()).collect();
    let (mut seen, mut known) = ((String::new(), None), None);
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let private = private.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        // Half-written, or away for a moment while an editor replaces it.
        if !text.is_empty() && (&text, &private) != (&seen.0, &seen.1) {
            desk.look(&text, Instant::now()).await?;
            seen = (text, private);
        }
        tokio::select! {
            () = interrupt.cancelled() => break,
            () = changed(&files, &mut known) => tokio::time::sleep(SETTLES).await,
            () = desk.run_over() => desk.take_in(),
        }
    }
    desk.stop_run().await;
    for left in guard.end().await {
        eprintln_line(&format!("could not be cleaned up: {left}"));
    }
    Ok(Exit::Passed)
}

/// Which file stands there, how long it is, and when it was written.
type Known = Vec<Option<(u64, u64, std::time::SystemTime)>>;

/// Returns when a file is another one than was known. It is asked for again and again: that works on every file
/// system, and for editors that put a new file in the place of the old one.
async fn changed(files: &[&Path], known: &mut Option<Known>) {
    loop {
        let mut now = Known::new();
        for file in files {
            let found = tokio::fs::metadata(file).await.ok();
            now.push(found.and_then(|found| Some((found.ino(), found.len(), found.modified().ok()?))));
        }
        if known.as_ref() != Some(&now) {
            *known = Some(now);
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

struct Desk<'a> {
    args: &'a WatchArgs,
    file: &'a Path,
    guard: Guard,
    /// Where runs are saved.
    runs: PathBuf,
    saved: Option<SavedRun>,
    running: Option<Process>,
    /// What bash has said of blocks before.
    heard: Heard,
}

impl Desk<'_> {
    /// What is known of the lab as it is now, and a run where that is not enough.
    async fn look(&mut self, text: &str, since: Instant) -> Result<(), CliError> {
        let source = SourceFile::new(self.file.display().to_string(), self.file, text.to_owned());
        let source = super::labs::whole(&source)?;
        let mut parsed = parse(&source);
        ask_bash(&mut parsed, &source, &mut self.heard);
        for finding in &parsed.findings {
            eprintln_line(&finding.draw(&source, console::colors_enabled_stderr()));
        }
        let Some(lab) = parsed.lab else {
            say(&format!("{} has errors ({} ms)", self.file.display(), since.elapsed().as_millis()));
            return Ok(());
        };
        if let Some(saved) = &self.saved {
            let sink = Sink(Mutex::new(outputs::fanout(&quiet(), false)));
            let verdict = judged(saved, &lab, &sink);
            let took = since.elapsed().as_millis();
            if verdict != Verdict::CannotJudge || self.args.no_run {
                say(&format!("judged by the last run in {took} ms"));
                return Ok(());
            }
            say(&format!("judged by the last run in {took} ms; what it does not tell takes a new one"));
        }
        if self.args.no_run {
            return Ok(());
        }
        self.stop_run().await;
        self.running = Some(self.start_run()?);
        Ok(())
    }

    fn start_run(&self) -> Result<Process, CliError> {
        let own = std::env::current_exe()
            .map_err(|error| CliError::unavailable(format!("this program is not found: {error}"), "try again"))?;
        let mut words: Vec<OsString> = vec!["test".into(), self.file.into(), "--save".into(), self.runs.clone().into()];
        if let Some(longest) = self.args.max_wait {
            words.extend(["--max-wait".into(), format!("{}ms", longest.as_millis()).into()]);
        }
        if let Some(kind) = self.args.on {
            words.extend(["--on".into(), kind.name().into()]);
        }
        let mut command = tokio::process::Command::new(own);
        command.args(words).stdin(std::process::Stdio::null());
        self.guard
            .spawn(&mut command)
            .map_err(|error| CliError::unavailable(format!("the lab cannot be run: {error}"), "try again"))
    }

    /// Returns when the run that is under way has ended.
    async fn run_over(&mut self) {
        match &mut self.running {
            // However it ended, what it saved shows it.
            Some(process) => drop(process.wait().await),
            None => std::future::pending().await,
        }
    }

    fn take_in(&mut self) {
        self.running = None;
        match SavedRun::folders(&self.runs).map(|folders| folders.first().map(|folder| SavedRun::read(folder))) {
            Ok(Some(Ok(run))) => self.saved = Some(run),
            Ok(Some(Err(error))) => say(&format!("the run cannot be judged again: {error}")),
            Ok(None) | Err(_) => {}
        }
        say(&format!("watching {}; Ctrl-C ends it", self.file.display()));
    }

    async fn stop_run(&mut self) {
        if let Some(mut process) = self.running.take() {
            // SIGTERM has it clean up first.
            drop(process.end(PATIENCE).await);
        }
    }
}

/// The lab by the saved run; how it came out.
fn judged(saved: &SavedRun, lab: &Lab, sink: &Sink) -> Verdict {
    sink.emit(replay::started(saved));
    replay::judge(0, saved, lab, sink);
    sink.emit(RunEvent::RunFinished { duration_ms: 0 });
    let mut fanout = sink.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (report, _) = std::mem::take(&mut *fanout).finish();
    report.labs.first().map_or(Verdict::CannotJudge, |lab| lab.verdict)
}

fn quiet() -> ReportArgs {
    ReportArgs { format: Format::Human, files: FileArgs::default(), write_durations: None, verbose: 0 }
}

fn eprintln_line(text: &str) {
    use std::io::Write as _;
    // With stderr gone there is nobody to tell.
    drop(writeln!(std::io::stderr(), "{text}"));
}

fn say(text: &str) {
    eprintln_line(&format!("watch: {text}"));
}
