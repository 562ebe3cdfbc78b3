//! `watch`: a lab that is being written is looked at each time it is saved. What is known without a cluster is shown
//! at once: findings, and verdicts by the last run. The lab runs again from the step whose commands have changed, or of
//! which the last run does not tell.

mod pass;

use std::future::Future;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::args::{FileArgs, Format, ReportArgs};
use super::error::CliError;
use super::outputs;
use super::replay;
use super::run::Sink;
use crate::author::SavedRun;
use crate::lab::Lab;
use crate::outcome::{Exit, RunEvent, Verdict};
use crate::parse::{Heard, ask_bash, parse, private_path};
use crate::run::{EventSink, Replayed};
use crate::text::SourceFile;
use owned_processes::{Guard, GuardSettings, Interrupt};
use pass::{Ended, Job, Raised};

/// Editors write in several steps.
const SETTLES: Duration = Duration::from_millis(40);
/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// For a run that is in the way of a newer one: it cleans up first.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of the files beside a lab so many are looked at, in folders so deep.
const FILES: usize = 500;
const DEPTH: usize = 3;

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
    let mut desk = Desk {
        args,
        file,
        runs,
        seed: rand::random(),
        whole: interrupt.clone(),
        saved,
        raised: None,
        running: None,
        heard: Heard::default(),
    };
    let private = private_path(file);
    let own: Vec<PathBuf> = std::iter::once(file.to_owned()).chain(private.clone()).collect();
    let (mut seen, mut known, mut beside) = ((String::new(), None), None, Known::new());
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let private = private.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        let others = known_of(&files_beside(file, &own));
        let is_moved = std::mem::replace(&mut beside, others.clone()) != others && !seen.0.is_empty();
        // Half-written, or away for a moment while an editor replaces it.
        if !text.is_empty() && (is_moved || (&text, &private) != (&seen.0, &seen.1)) {
            desk.look(&text, is_moved, Instant::now()).await?;
            seen = (text, private);
        }
        tokio::select! {
            () = interrupt.cancelled() => break,
            () = changed(file, &own, &mut known) => tokio::time::sleep(SETTLES).await,
            ended = desk.run_over() => desk.take_in(ended),
        }
    }
    desk.stop_run().await;
    if let Some(raised) = desk.raised.take() {
        raised.close().await;
    }
    for left in guard.end().await {
        say(&format!("could not be cleaned up: {left}"));
    }
    Ok(Exit::Passed)
}

/// Which file stands there, how long it is, and when it was written.
type Known = Vec<Option<(u64, u64, std::time::SystemTime)>>;

fn known_of(files: &[PathBuf]) -> Known {
    let known = |file: &PathBuf| {
        let found = std::fs::metadata(file).ok()?;
        Some((found.ino(), found.len(), found.modified().ok()?))
    };
    files.iter().map(known).collect()
}

/// Returns when a file is another one than was known. It is asked for again and again: that works on every file
/// system, and for editors that put a new file in the place of the old one.
async fn changed(file: &Path, own: &[PathBuf], known: &mut Option<Known>) {
    loop {
        let mut files = own.to_vec();
        files.extend(files_beside(file, own));
        let now = known_of(&files);
        if known.as_ref() != Some(&now) {
            *known = Some(now);
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What lies in the lab's own folder: its commands may read it.
fn files_beside(file: &Path, own: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if file.file_name().is_some_and(|name| name == "README.md")
        && let Some(folder) = file.parent()
    {
        add_files(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }, DEPTH, own, &mut files);
    }
    files.sort();
    files
}

fn add_files(folder: &Path, depth: usize, own: &[PathBuf], files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        // What editors keep for themselves, and copies of what they replace.
        if files.len() >= FILES || name.starts_with('.') || name.starts_with('#') || name.ends_with('~') {
            continue;
        }
        let is_own = own.iter().any(|own| own.file_name() == path.file_name() && own.parent() == path.parent());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => add_files(&path, depth - 1, own, files),
            Ok(kind) if kind.is_file() && !is_own && Path::new(&*name).extension().is_none_or(|ext| ext != "tmp") => {
                files.push(path);
            }
            _ => {}
        }
    }
}

struct Desk<'a> {
    args: &'a WatchArgs,
    file: &'a Path,
    /// Where runs are saved.
    runs: PathBuf,
    /// Of all runs, so that names stay what they are.
    seed: u64,
    whole: CancellationToken,
    saved: Option<SavedRun>,
    /// A cluster that no run has at the moment.
    raised: Option<Raised>,
    running: Option<Running>,
    /// What bash has said of blocks before.
    heard: Heard,
}

/// A run under way.
struct Running {
    interrupt: CancellationToken,
    work: Pin<Box<dyn Future<Output = Ended>>>,
}

impl Desk<'_> {
    /// What is known of the lab as it is now, and a run where that is not enough.
    async fn look(&mut self, text: &str, files_changed: bool, since: Instant) -> Result<(), CliError> {
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
        let mut begins = vec![0];
        if let Some(saved) = &self.saved {
            let sink = Sink(Mutex::new(outputs::fanout(&quiet(), false)));
            let (verdict, replayed) = judged(saved, &lab, &sink);
            let took = since.elapsed().as_millis();
            let cure = is_stale(saved, &lab, &replayed, files_changed);
            let is_told = verdict != Verdict::CannotJudge && cure.is_none();
            if is_told || self.args.no_run {
                say(&format!("judged by the last run in {took} ms"));
                return Ok(());
            }
            let why = cure.unwrap_or("what it does not tell takes a new one");
            say(&format!("judged by the last run in {took} ms; {why}"));
            if !files_changed && !replayed.begins.is_empty() {
                begins = replayed.begins;
            }
        }
        if self.args.no_run {
            return Ok(());
        }
        self.stop_run().await;
        self.start_run(lab, begins);
        Ok(())
    }

    fn start_run(&mut self, lab: Lab, begins: Vec<usize>) {
        let interrupt = self.whole.child_token();
        let job = Job {
            lab,
            begins,
            raised: self.raised.take(),
            on: self.args.on,
            max_wait: self.args.max_wait,
            seed: self.seed,
            runs: self.runs.clone(),
            whole: self.whole.clone(),
            interrupt: interrupt.clone(),
        };
        self.running = Some(Running { interrupt, work: Box::pin(pass::run(job)) });
    }

    /// Returns when the run that is under way has ended.
    async fn run_over(&mut self) -> Ended {
        match &mut self.running {
            Some(running) => running.work.as_mut().await,
            None => std::future::pending().await,
        }
    }

    fn take_in(&mut self, ended: Ended) {
        self.running = None;
        self.raised = ended.raised;
        match ended.folder.map(|folder| SavedRun::read(&folder)) {
            Some(Ok(run)) => self.saved = Some(run),
            Some(Err(error)) => say(&format!("the run cannot be judged again: {error}")),
            None => {}
        }
        say(&format!("watching {}; Ctrl-C ends it", self.file.display()));
    }

    async fn stop_run(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.interrupt.cancel();
            match tokio::time::timeout(PATIENCE, running.work.as_mut()).await {
                Ok(ended) => self.raised = ended.raised,
                Err(_) => say("the run before does not end; it is dropped"),
            }
        }
    }
}

/// The lab by the saved run; how it came out.
fn judged(saved: &SavedRun, lab: &Lab, sink: &Sink) -> (Verdict, Replayed) {
    sink.emit(replay::started(saved));
    let replayed = replay::judge(0, saved, lab, sink);
    sink.emit(RunEvent::RunFinished { duration_ms: 0 });
    let mut fanout = sink.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (report, _) = std::mem::take(&mut *fanout).finish();
    (report.labs.first().map_or(Verdict::CannotJudge, |lab| lab.verdict), replayed)
}

/// Why a verdict by the last run would be one of another lab.
fn is_stale(saved: &SavedRun, lab: &Lab, replayed: &Replayed, files_changed: bool) -> Option<&'static str> {
    if files_changed {
        return Some("files beside the lab have changed since");
    }
    if !replay::is_set_up_alike(saved, lab) {
        return Some("the lab's variables or its cluster are others since");
    }
    // A step that failed leaves its clean-up to be looked at later.
    (replayed.cleans_otherwise && replayed.unknown.is_none()).then_some("the clean-up has changed since")
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
