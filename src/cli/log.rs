//! The log: what this program's own crates say of what they do, to standard error or a file. Silent unless asked for.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::Args;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};

use super::error::CliError;
use crate::report::above_bars;
use crate::text::{did_you_mean, redact};

const VARIABLE: &str = "KEYWITNESS_LOG";
/// What a file is for: to be read, or handed on, after something went wrong.
const OF_A_FILE: &str = "debug";
/// Libraries write nothing into the log: at their lower levels they quote headers and bodies.
const CRATES: &[&str] = &["keywitness", "kube_cel", "kube_etcd_codec", "kube_sandbox", "owned_processes"];
const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(super) struct LogArgs {
    /// Log to standard error: a level (error, warn, info, debug, trace) or TARGET=LEVEL, separated by commas
    /// [env: KEYWITNESS_LOG]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// Log to a file instead [without a filter: debug]
    #[arg(long, global = true, value_name = "FILE")]
    log_file: Option<PathBuf>,
}

/// As the command line says, and where it says nothing, as the environment does.
/// With `keeps`, the last of it is also kept in memory, for runs that are saved.
pub(super) fn start(args: &LogArgs, keeps: bool) -> Result<(), CliError> {
    let asked = match &args.log {
        Some(filter) => Some(("--log", filter.clone())),
        None => from_environment()?.map(|filter| (VARIABLE, filter)),
    };
    let (from, filter) = match (asked, &args.log_file) {
        (Some(asked), _) => asked,
        (None, Some(_)) => ("--log-file", OF_A_FILE.to_owned()),
        (None, None) => {
            install(None, keeps);
            return Ok(());
        }
    };
    let filter = parse(&filter).map_err(|wrong| wrong.of(from))?;
    let to = match &args.log_file {
        Some(path) => To::File(create(path)?),
        None => To::Stderr,
    };
    install(Some((filter, to)), keeps);
    Ok(())
}

/// For entry points without a command line.
pub(super) fn start_from_environment() -> Result<(), String> {
    let started = start(&LogArgs { log: None, log_file: None }, false);
    started.map_err(|error| format!("{error}{}", error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default()))
}

fn from_environment() -> Result<Option<String>, CliError> {
    match std::env::var(VARIABLE) {
        Ok(filter) => Ok(Some(filter).filter(|filter| !filter.trim().is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(CliError::wrong_call(format!("{VARIABLE} is not UTF-8"), "set it to a level, such as debug"))
        }
    }
}

fn create(path: &Path) -> Result<File, CliError> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.map_err(|error| {
        let hint = "give --log-file a path in a folder that exists and that you may write to";
        CliError::wrong_call(format!("cannot write the log to {}: {error}", path.display()), hint)
    })
}

#[derive(Debug, PartialEq, Eq)]
struct WrongFilter {
    message: String,
    hint: String,
}

impl WrongFilter {
    fn of(self, from: &str) -> CliError {
        CliError::wrong_call(format!("{from}: {}", self.message), self.hint)
    }
}

/// A filter by `EnvFilter`'s rules, in which each target is one that this log can hold.
fn parse(filter: &str) -> Result<EnvFilter, WrongFilter> {
    let directives: Vec<&str> = filter.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    directives.iter().try_for_each(|directive| check(directive))?;
    let form = || format!("write a level ({}) or TARGET=LEVEL, separated by commas", LEVELS.join(", "));
    if directives.is_empty() {
        return Err(WrongFilter { message: "the filter is empty".to_owned(), hint: form() });
    }
    EnvFilter::builder()
        .parse(directives.join(","))
        .map_err(|error| WrongFilter { message: format!("`{filter}` is not a filter: {error}"), hint: form() })
}

fn check(directive: &str) -> Result<(), WrongFilter> {
    let target = directive.split(['[', '=']).next().unwrap_or_default().trim();
    if let Some((_, level)) =
        directive.rsplit_once('=').filter(|(before, _)| !before.contains('[') || before.ends_with(']'))
        && !is_level(level.trim())
    {
        let hint = did_you_mean(level.trim(), LEVELS.iter().copied())
            .unwrap_or_else(|| format!("the levels are {}", LEVELS.join(", ")));
        return Err(WrongFilter { message: format!("`{directive}`: `{}` is not a level", level.trim()), hint });
    }
    let is_bare = target == directive;
    if target.is_empty() || (is_bare && is_level(target)) || is_own(target) {
        return Ok(());
    }
    let known = || LEVELS.iter().filter(|_| is_bare).chain(CRATES).copied();
    let what = if is_bare { "neither a level nor a target" } else { "not a target" };
    let list = format!("the levels are {}, the targets {}", LEVELS.join(", "), CRATES.join(", "));
    let hint = did_you_mean(target, known()).unwrap_or(list);
    Err(WrongFilter { message: format!("`{target}` is {what} of this log"), hint })
}

fn is_level(text: &str) -> bool {
    !text.is_empty() && text.parse::<LevelFilter>().is_ok()
}

fn is_own(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    CRATES.contains(&name)
}

fn install(asked: Option<(EnvFilter, To)>, keeps: bool) {
    let own = || filter_fn(|metadata: &Metadata<'_>| is_own(metadata.target()));
    let layer = |to: To| {
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).log_internal_errors(false);
        lines.with_writer(Mutex::new(Lines { to }))
    };
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    if let Some((filter, to)) = asked {
        layers.push(layer(to).with_filter(filter.and(own())).boxed());
    }
    if keeps {
        layers.push(layer(To::Kept).with_filter(LevelFilter::DEBUG.and(own())).boxed());
    }
    if layers.is_empty() {
        return;
    }
    // Only a second log in one process fails, and there is none.
    drop(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layers)));
}

/// The last lines of the log, and how many bytes they are.
static KEPT: Mutex<(VecDeque<String>, usize)> = Mutex::new((VecDeque::new(), 0));
const KEPT_BYTES: usize = 1 << 20;

fn keep(line: String) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.1 += line.len();
    kept.0.push_back(line);
    while kept.1 > KEPT_BYTES {
        let first = kept.0.pop_front().map_or(0, |line| line.len());
        kept.1 -= first;
    }
}

/// What was kept of the log, but for what belongs to other labs.
pub(super) fn kept(lab: &str) -> String {
    let own = format!("lab{{id=\"{lab}\"");
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.0.iter().filter(|line| !line.contains("lab{id=") || line.contains(&own)).map(String::as_str).collect()
}

enum To {
    Stderr,
    File(File),
    Kept,
}

/// Takes one event at a time; a line that cannot be written is lost, and nothing stops for it.
struct Lines {
    to: To,
}

impl Write for Lines {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = line(&String::from_utf8_lossy(event));
        let written = match &mut self.to {
            To::Stderr => above_bars(|| io::stderr().lock().write_all(line.as_bytes())),
            To::File(file) => file.write_all(line.as_bytes()),
            To::Kept => {
                keep(line);
                Ok(())
            }
        };
        drop(written);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Without secrets, and on one line: what a command printed must not look like an entry of the log.
fn line(event: &str) -> String {
    let mut line = redact(event.trim_end()).replace('\r', "\\r").replace('\n', "\\n");
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_could_match_nothing_is_an_error() {
        for good in [
            "debug",
            "WARN",
            "keywitness=info",
            "info,kube_sandbox=debug,owned_processes=off",
            "keywitness::witness=trace",
            "keywitness",
            "[lab{id=first}]=debug",
            "kube_sandbox[request]=trace",
            " info , kube_sandbox=debug ",
        ] {
            assert_eq!(check_all(good), Ok(()), "{good}");
        }
        for (bad, message, hint) in [
            ("", "the filter is empty", "write a level"),
            (" , ", "the filter is empty", "write a level"),
            ("degub", "`degub` is neither a level nor a target of this log", "did you mean"),
            ("hyper=debug", "`hyper` is not a target of this log", "the targets keywitness"),
            ("keywitness=loud", "`keywitness=loud`: `loud` is not a level", "the levels are off"),
            ("keywitnes=debug", "`keywitnes` is not a target of this log", "did you mean"),
            ("info,kube_sandbox=", "`kube_sandbox=`: `` is not a level", "the levels are off"),
            ("keywitness[lab=debug", "`keywitness[lab=debug` is not a filter", "write a level"),
        ] {
            let wrong = check_all(bad).expect_err(bad);
            assert!(wrong.message.contains(message) && wrong.hint.contains(hint), "{bad}: {wrong:?}");
        }
    }

    fn check_all(filter: &str) -> Result<(), WrongFilter> {
        parse(filter).map(drop)
    }

    #[test]
    fn an_event_is_one_line() {
        assert_eq!(line("INFO said: a\r\nb\n"), "INFO said: a\\r\\nb\n");
    }
}
