//! `learn` and `shell`, and the word `lab` behind them: where a session gets its lab, its cluster and its terminals.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::args::{ClusterFlags, Color, Format, LabArgs, SettingArgs};
use super::error::CliError;
use super::lint::{self, Linted};
use super::session::{Wanted, not_started, request};
use super::stages::StageLines;
use super::{findings, screen};
use crate::lab::Lab;
use crate::outcome::Exit;
use crate::session::{Found, Left as Kept, Request, door, running, start};
use crate::shell::{self, FaceSettings, Left, Look, Setting};
use crate::terminal::Screen;
use crate::text::SourceFile;
use owned_processes::{Guard, GuardSettings, Interrupt, state_folder};

/// The folder that a lab's name is looked for in.
const LABS: &str = "labs";

#[derive(Debug, Args)]
pub(super) struct LearnArgs {
    /// A lab: its file, its folder, or its name in `labs/` [default: the one you left last, or the first that is new]
    #[arg(value_name = "LAB")]
    lab: Option<PathBuf>,
    /// Plain text, line by line, for screen readers [also: ACCESSIBLE=1, TERM=dumb]
    #[arg(long)]
    plain: bool,
    /// Start the lab from the beginning, and drop the saved progress
    #[arg(long)]
    reset: bool,
    /// Your name in what you hand in
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    cluster: ClusterFlags,
    #[command(flatten)]
    settings: SettingArgs,
}

#[derive(Debug, Args)]
pub(super) struct ShellArgs {
    /// The lab, where several are being learned at once
    #[arg(value_name = "LAB")]
    lab: Option<String>,
    /// Plain text, line by line, for screen readers [also: ACCESSIBLE=1, TERM=dumb]
    #[arg(long)]
    plain: bool,
    /// The session's socket
    #[arg(long, value_name = "PATH", hide = true)]
    door: Option<PathBuf>,
}

pub(super) fn learn(args: &LearnArgs) -> Result<Exit, CliError> {
    let lab = Arc::new(chosen(args.lab.as_deref())?);
    let runtime = tokio::runtime::Runtime::new().map_err(|error| unusable(&error))?;
    let left = runtime.block_on(session(args, lab));
    // Whatever still runs belongs to no session any more.
    runtime.shutdown_background();
    left
}

/// Joins a session that goes on in another process.
pub(super) fn shell(args: &ShellArgs) -> Result<Exit, CliError> {
    let door = match &args.door {
        Some(door) => door.clone(),
        None => joined(args.lab.as_deref(), running(&state_folder()))?.door,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let left = runtime.map_err(|error| unusable(&error))?.block_on(async {
        let cancel = Interrupt::listen().map_err(|error| unusable(&error))?.token();
        let guard = Guard::start(GuardSettings::with_watchdog()).map_err(|error| unusable(&error))?;
        let name = format!("terminal-{}", std::process::id());
        let left = Box::pin(face(door, guard.clone(), name, false, args.plain, cancel)).await;
        guard.end().await;
        left
    })?;
    Ok(match left {
        Left::Cancelled => Exit::Interrupted,
        Left::Ended { .. } => {
            println!("The session has ended.");
            Exit::Passed
        }
        Left::Lost => return Err(lost()),
        Left::Alone => Exit::Passed,
    })
}

fn lost() -> CliError {
    CliError::unavailable("the session has ended unexpectedly", "`keywitness learn` takes the lab up again")
}

/// The one session that is meant.
fn joined(lab: Option<&str>, sessions: Vec<Found>) -> Result<Found, CliError> {
    let names: Vec<String> = sessions.iter().map(|found| found.lab.clone()).collect();
    let mut meant: Vec<Found> = sessions.into_iter().filter(|found| lab.is_none_or(|lab| found.lab == lab)).collect();
    match (meant.len(), lab) {
        (1, _) => Ok(meant.remove(0)),
        (0, _) if names.is_empty() => {
            Err(CliError::wrong_call("no lab is being learned now", "begin one: keywitness learn [LAB]"))
        }
        (0, lab) => {
            let lab = lab.unwrap_or_default();
            let hint = crate::text::did_you_mean(lab, names.iter().map(String::as_str));
            let hint = hint.unwrap_or_else(|| format!("going on now: {}", names.join(", ")));
            Err(CliError::wrong_call(format!("no session of the lab {lab} goes on"), hint))
        }
        _ => Err(CliError::wrong_call(
            "several labs are being learned now",
            format!("name one: keywitness shell {}", names.join(" | ")),
        )),
    }
}

async fn session(args: &LearnArgs, lab: Arc<Lab>) -> Result<Exit, CliError> {
    let wanted = Wanted {
        lab: Arc::clone(&lab),
        cluster: &args.cluster,
        seed: args.settings.seed,
        vars: &args.settings.vars,
        asks: true,
        fresh: args.reset,
        learner: args.name.clone(),
    };
    let request = request(wanted, || Ok(Interrupt::listen()?.token())).await?;
    let (guard, interrupt) = (request.guard.clone(), request.interrupt.clone());
    let session = match start(request, &StageLines::new()).await {
        Ok(session) => session,
        Err(error) => {
            guard.end().await;
            return if interrupt.is_cancelled() { Ok(Exit::Interrupted) } else { Err(not_started(error, &lab)) };
        }
    };
    for note in &session.notes {
        println!("{note}");
    }
    if session.resumed {
        println!("You go on where you were.");
    }
    let door = session.handle.door().to_owned();
    let plain = args.plain;
    // It waits for the terminal now and then, and must not hold up the session with that.
    let face = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| unusable(&error))?;
        runtime.block_on(async {
            // Of its own: the session's end is shown before the shell ends.
            let guard = Guard::start(GuardSettings::with_watchdog()).map_err(|error| unusable(&error))?;
            let left = Box::pin(face(door, guard.clone(), "terminal-1".to_owned(), true, plain, interrupt)).await;
            guard.end().await;
            left
        })
    });
    let left = tokio::task::spawn_blocking(move || face.join()).await;
    let left = left.ok().and_then(Result::ok).unwrap_or_else(|| Err(lost()));
    if !matches!(left, Ok(Left::Ended { .. })) {
        // It has not been shown; where it has ended by itself nobody answers.
        drop(session.handle.request(Request::Quit { keep: true }).await);
    }
    let remains = session.ended().await;
    for line in remains {
        eprintln!("{line}");
    }
    match left? {
        Left::Ended { kept: true } | Left::Alone => {
            println!("`keywitness learn {}` takes it up again.", lab.id);
            Ok(Exit::Passed)
        }
        Left::Ended { kept: false } => Ok(Exit::Passed),
        Left::Cancelled => Ok(Exit::Interrupted),
        Left::Lost => Err(lost()),
    }
}

fn unusable(error: &std::io::Error) -> CliError {
    CliError::unavailable(error.to_string(), "try again")
}

async fn face(
    door: PathBuf,
    guard: Guard,
    name: String,
    is_first: bool,
    plain: bool,
    cancel: CancellationToken,
) -> Result<Left, CliError> {
    let program = std::env::current_exe().map_err(|error| unusable(&error))?;
    let screen = seen_by(plain);
    let settings = FaceSettings { door, guard, program, name, is_first, screen, load: &load, cancel };
    Box::pin(shell::face(settings)).await.map_err(|error| unusable(&error))
}

/// Whether there is a terminal, and what may be drawn on it.
fn seen_by(plain: bool) -> Screen {
    let is_terminal = console::user_attended() && std::io::stdin().is_terminal();
    let is_plain = plain || !is_terminal || wants_plain();
    Screen { is_terminal, is_plain, color: console::colors_enabled() && !is_plain }
}

fn wants_plain() -> bool {
    let is = |name: &str, value: &str| std::env::var_os(name).is_some_and(|found| found == value);
    is("TERM", "dumb") || is("ACCESSIBLE", "1")
}

/// A lab's name in `labs/` stands for its path.
pub(super) fn in_labs(name: &Path) -> PathBuf {
    let below = Path::new(LABS).join(name);
    if !name.exists() && below.exists() { below } else { name.to_owned() }
}

/// The lab that is named, or the one to go on with.
fn chosen(named: Option<&Path>) -> Result<Lab, CliError> {
    let paths = named.map(in_labs).into_iter().collect();
    let (labs, _) = lint::read(&LabArgs { paths })?;
    if labs.len() == 1 || named.is_some() {
        let mut labs = labs;
        if labs.len() > 1 {
            let ids: Vec<&str> =
                labs.iter().filter_map(|lab| lab.parsed.lab.as_ref()).map(|lab| lab.id.as_str()).collect();
            return Err(CliError::wrong_call(
                "this is a folder of several labs",
                format!("name one: {}", ids.join(", ")),
            ));
        }
        return sound(labs.remove(0));
    }
    let mut left: Option<(jiff::Timestamp, usize)> = None;
    let mut first = None;
    for (at, linted) in labs.iter().enumerate() {
        let Some(lab) = &linted.parsed.lab else { continue };
        match Kept::of(&state_folder(), lab) {
            Kept::Progress(progress) => left = left.max(Some((progress.updated, at))),
            Kept::Ended(progress) if progress.finished.is_some() => {}
            Kept::Nothing | Kept::Ended(_) | Kept::OtherText(_) | Kept::Unreadable(_) => first = first.or(Some(at)),
        }
    }
    let Some(at) = left.map(|(_, at)| at).or(first) else {
        return Err(CliError::wrong_call(
            "you have been through every lab here",
            "name one to do it again: keywitness learn LAB",
        ));
    };
    sound(labs.into_iter().nth(at).expect("its place in the list"))
}

/// A lab without errors, which are shown where it has some.
fn sound(linted: Linted) -> Result<Lab, CliError> {
    findings::emit_all(&linted.parsed.findings, &linted.file.source, Format::Human, &mut |_| {});
    let name = linted.file.source.name().to_owned();
    linted
        .parsed
        .lab
        .ok_or_else(|| CliError::wrong_call(format!("{name} has errors"), "fix them; `keywitness lint` shows all"))
}

/// The lab of a session, for a face.
fn load(file: &Path) -> Result<Lab, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let parsed = crate::parse::parse(&SourceFile::new(file.display().to_string(), file, text));
    parsed.lab.ok_or_else(|| format!("{} has errors: `keywitness lint` shows them", file.display()))
}

/// `__lab`: what the word `lab` of a learner's shell starts. `--words` prints what may come next.
pub(super) fn lab(args: &[OsString]) -> ExitCode {
    screen::colors(Color::Auto);
    let mut args: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let mut flag = |flag: &str| {
        let is_given = args.first().is_some_and(|arg| arg == flag);
        args.drain(..usize::from(is_given));
        is_given
    };
    let is_plain = flag("--plain");
    let is_attended = !flag("--unattended") && std::io::stdin().is_terminal();
    let Some(door) = std::env::var_os(door::VARIABLE).map(PathBuf::from) else {
        eprintln!("lab: this is no shell of a lab; `keywitness learn` opens one");
        return ExitCode::from(3);
    };
    if args.first().is_some_and(|arg| arg == "--words") {
        for word in shell::completions(&args[1..], &door) {
            println!("{word}");
        }
        return ExitCode::SUCCESS;
    }
    let columns = console::Term::stdout().size_checked().map_or(80, |(_, columns)| usize::from(columns));
    let plain = is_plain || wants_plain();
    let look = Look { columns, color: console::colors_enabled() && !plain, plain };
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("keywitness"));
    ExitCode::from(shell::lab(&args, &Setting { look, load: &load, program, door, is_attended }))
}
