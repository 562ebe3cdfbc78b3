//! clap types, settings, and the only place that builds concrete parts.

mod args;
mod changed;
mod choose;
mod cluster;
mod control_plane;
mod decode;
mod doctor;
mod error;
mod events;
mod export;
mod filter;
mod findings;
mod get;
mod grade;
mod here;
mod hold;
mod labs;
mod learn;
mod lint;
mod list;
mod log;
mod lsp;
mod merge;
mod new;
mod object;
mod outputs;
mod packaged;
mod place;
mod provider;
mod record;
mod replay;
mod run;
mod saving;
mod screen;
mod scrub;
mod serve;
mod session;
mod shard;
mod stages;
mod verify;
mod watch;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use crate::outcome::{Exit, HostReport};
use clap::Parser;

use args::{Cli, Command};
use error::CliError;

/// Entry points that are no part of the command line: this binary starts itself under them.
/// They are looked up before clap, so that they cost no start-up time and show in no help.
type Hidden = fn(&[OsString]) -> ExitCode;
const HIDDEN: &[(&str, Hidden)] = &[
    (owned_processes::WATCHDOG, owned_processes::watchdog_main),
    ("__lab", learn::lab),
    ("__sandbox", control_plane::sandbox),
    ("__control-plane", control_plane::control_plane),
    (cluster::standing::STANDING, cluster::standing::main),
];

/// With room on each thread's stack for what is nested as deeply as requests and labs may be.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    const STACK: usize = 8 << 20;
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build()
}

pub fn main() -> ExitCode {
    panics_redacted();
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(hidden) = args.get(1).and_then(|name| HIDDEN.iter().find(|(known, _)| name == known)) {
        return hidden.1(&args[2..]);
    }
    if packaged::asks_for_origin(&args) {
        return packaged::origin();
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match dispatch(cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            screen::error(&error);
            ExitCode::from(error.exit().code())
        }
    }
}

/// A panic may quote what it stumbled over.
fn panics_redacted() {
    std::panic::set_hook(Box::new(|info| {
        // First of all, so that the message is not lost in a terminal that is raw.
        crate::terminal::restore_after_panic();
        let mut stderr = crate::text::Redacted::new(std::io::stderr().lock());
        drop(writeln!(stderr, "{info}\n{}", std::backtrace::Backtrace::capture()));
    }));
}

fn dispatch(cli: Cli) -> Result<Exit, CliError> {
    screen::colors(cli.color);
    let keeps = matches!(cli.command, Some(Command::Run(_) | Command::Test(_)));
    log::start(&cli.log, keeps)?;
    let Some(command) = cli.command else { return here::main() };
    match command {
        Command::Run(args) => run::run(&args),
        Command::Test(args) => run::test(&args),
        Command::Grade(args) => grade::main(&args),
        Command::Verify(args) => verify::main(&args),
        Command::Learn(args) => learn::learn(&args),
        Command::Serve(args) => serve::main(&args),
        Command::Shell(args) => learn::shell(&args),
        Command::Merge(args) => merge::main(&args),
        Command::Record(args) => record::main(&args),
        Command::Replay(args) => replay::main(&args),
        Command::Watch(args) => watch::main(&args),
        Command::Scrub(args) => scrub::main(&args),
        Command::New(args) => new::main(&args),
        Command::Lint(args) => lint::main(&args),
        Command::Export(args) => export::main(&args),
        Command::Lsp(args) => lsp::main(&args),
        Command::List(args) => list::main(&args),
        Command::Decode(args) => decode::main(&args),
        Command::Events(args) => events::main(&args),
        Command::Get(args) => get::main(&args),
        Command::Doctor(args) => doctor::main(&args),
        Command::Completions(args) => packaged::completions(&args),
        Command::Man(args) => packaged::man(&args),
        Command::Cluster(args) => cluster::main(&args),
    }
}

/// clap's own exit statuses are 0 for help and 2 for a wrong call, which are ours too.
fn usage(error: &clap::Error) -> ExitCode {
    let exit = if error.use_stderr() { Exit::WrongInput } else { Exit::Passed };
    // A closed pipe while printing help leaves nobody to tell.
    drop(error.print());
    ExitCode::from(exit.code())
}

/// What a report says of this machine.
fn host() -> HostReport {
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    HostReport {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        cpus: std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX)),
        memory_mb: memory.map(|kib| kib / 1024),
    }
}

/// As reports name this program.
const TOOL: &str = concat!("keywitness ", env!("CARGO_PKG_VERSION"));

/// The time, as a report's head shows it.
fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Second).unwrap_or(now).to_string()
}
