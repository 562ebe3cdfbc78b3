//! `keywitness` alone: what is here, where the learner left off, and what to type.

use std::io::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use jiff::Timestamp;

use super::args::{Cli, LabArgs};
use super::error::CliError;
use super::lint::{self, Linted};
use super::list::short_path;
use crate::learn::{Progress, StepState};
use crate::outcome::Exit;
use crate::session::lessons;
use owned_processes::state_folder;

/// More are only counted.
const SHOWN: usize = 12;

pub(super) fn main() -> Result<Exit, CliError> {
    let is_there = Path::new("labs").is_dir();
    let labs = if is_there { lint::read(&LabArgs { paths: Vec::new() })?.0 } else { Vec::new() };
    let begun = lessons(&state_folder());
    if labs.is_empty() && begun.is_empty() {
        // As clap itself answers a call without a command.
        drop(Cli::command().print_help());
        return Ok(Exit::WrongInput);
    }
    let text = screen(&labs, &begun, Timestamp::now());
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "{text}").map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
    Ok(Exit::Passed)
}

fn screen(labs: &[Linted], begun: &[Progress], now: Timestamp) -> String {
    let mut out = String::new();
    let readable: Vec<_> = labs.iter().filter_map(|lab| lab.parsed.lab.as_ref()).collect();
    if !labs.is_empty() {
        let count = if readable.len() == 1 { "1 lab".to_owned() } else { format!("{} labs", readable.len()) };
        out.push_str(&format!("{count} in labs/\n\n"));
        let width = readable.iter().take(SHOWN).map(|lab| lab.id.chars().count()).max().unwrap_or_default();
        for lab in readable.iter().take(SHOWN) {
            let progress = of(begun, lab.source.path());
            let state = progress.map_or_else(String::new, |progress| format!("  ({})", words(progress)));
            out.push_str(&format!("  {:<width$}  {}{state}\n", lab.id, lab.title));
        }
        if readable.len() > SHOWN {
            out.push_str(&format!("  and {} more: keywitness list\n", readable.len() - SHOWN));
        }
        out.push('\n');
    }
    if let Some(last) = begun.iter().find(|progress| progress.finished.is_none()) {
        let ago = ago(now.duration_since(last.updated).as_secs());
        out.push_str(&format!("You left off in \"{}\", {}, {ago}.\n", last.title, words(last)));
        out.push_str(&format!("Go on:       keywitness learn {}\n", short_path(Path::new(&last.file))));
    }
    let untouched = readable.iter().find(|lab| of(begun, lab.source.path()).is_none());
    if let Some(lab) = untouched {
        out.push_str(&format!("Begin one:   keywitness learn {}\n", short_path(lab.source.path())));
    }
    out.push_str("All labs:    keywitness list\nHelp:        keywitness --help\n");
    out
}

/// The progress in a lab, by its file.
pub(super) fn of<'a>(begun: &'a [Progress], file: &Path) -> Option<&'a Progress> {
    let file = std::fs::canonicalize(file).or_else(|_| std::path::absolute(file)).ok()?;
    begun.iter().find(|progress| {
        let known = Path::new(&progress.file);
        std::fs::canonicalize(known).unwrap_or_else(|_| known.to_owned()) == file
    })
}

/// `step 3 of 7, 4 of 10 points`.
pub(super) fn words(progress: &Progress) -> String {
    let points = format!("{} of {} points", progress.points, progress.max_points);
    if progress.finished.is_some() {
        return format!("finished, {points}");
    }
    let done = progress.steps.iter().filter(|step| matches!(step.state, StepState::Done | StepState::Skipped)).count();
    let step = (progress.open + 1).max(done.min(progress.steps.len()));
    format!("step {step} of {}, {points}", progress.steps.len())
}

fn ago(seconds: i64) -> String {
    let (count, unit) = match seconds {
        ..60 => return "a moment ago".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::ago;

    #[test]
    fn times_are_told_in_whole_units() {
        assert_eq!(ago(-5), "a moment ago");
        assert_eq!(ago(60), "1 minute ago");
        assert_eq!(ago(7300), "2 hours ago");
        assert_eq!(ago(200_000), "2 days ago");
    }
}
