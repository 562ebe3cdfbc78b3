//! `test --mutate`: for every command of every lab, the lab without that one command must fail its test. One that still
//! passes is a command that no check looks at.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use futures::StreamExt as _;
use owned_processes::{Guard, GuardSettings, Interrupt};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::turns::{Attempt, Shared};
use super::{Call, Chosen, Sink};
use crate::cli::args::Format;
use crate::cli::error::CliError;
use crate::lab::{Action, Item, Lab, Role};
use crate::outcome::{self, Exit, Verdict};
use crate::parse::parse;
use crate::report::Fanout;
use crate::terminal::commands_of;
use crate::text::{SourceFile, redact};

/// What a mutant may take where `--timeout` says nothing: one that waits for what never comes ends by its own limits.
const PATIENCE: Duration = Duration::from_secs(600);

/// A lab with one command less; none less is the lab as it is.
struct Mutant<'a> {
    of: &'a Chosen,
    removed: Option<Removed>,
}

#[derive(Debug, Clone)]
struct Removed {
    /// The lines of the file, from 1.
    first: usize,
    last: usize,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Killed,
    Survived,
    /// It could not be judged, so that nothing is known.
    Unknown(String),
}

struct Judged {
    lab: String,
    file: String,
    removed: Option<Removed>,
    end: End,
}

/// Commands whose mutants may survive, each with its reason: `lab | first line of the command | reason`.
struct Survivors {
    path: PathBuf,
    lines: Vec<(String, String, String)>,
}

impl Survivors {
    fn read(path: &Path) -> Result<Self, CliError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                return Err(CliError::wrong_call(message, "it lists the commands that no check looks at"));
            }
        };
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
            let [lab, command, reason] = parts.as_slice() else {
                let message = format!("{}:{}: not `lab | command | reason`", path.display(), number + 1);
                return Err(CliError::wrong_call(
                    message,
                    "write the first line of the command, and why it may survive",
                ));
            };
            lines.push(((*lab).to_owned(), (*command).to_owned(), (*reason).to_owned()));
        }
        Ok(Self { path: path.to_owned(), lines })
    }

    fn reason(&self, lab: &str, command: &str) -> Option<&str> {
        let found = self.lines.iter().find(|(of, text, _)| of == lab && text == command);
        found.map(|(_, _, reason)| reason.as_str())
    }
}

impl Call<'_> {
    pub(super) async fn mutate(&self, labs: &[Chosen], folder: &Path, seed: u64) -> Result<Exit, CliError> {
        let survivors = Survivors::read(&folder.join("survivors.txt"))?;
        let interrupt = Interrupt::listen()
            .map_err(|error| CliError::unavailable(format!("cannot listen for Ctrl-C: {error}"), "try again"))?
            .token();
        // What does not pass as it is proves nothing by failing.
        let whole = labs.iter().map(|of| Mutant { of, removed: None });
        let whole = self.judge_all(whole.collect(), seed, &interrupt).await;
        let passes = |id: &str| whole.iter().any(|judged| judged.lab == id && judged.end == End::Survived);
        let mut mutants = Vec::new();
        for of in labs.iter().filter(|of| passes(&of.lab.id)) {
            for removed in commands(&of.lab).await {
                mutants.push(Mutant { of, removed: Some(removed) });
            }
        }
        let mut judged = self.judge_all(mutants, seed, &interrupt).await;
        judged.sort_by(|a, b| (&a.file, a.line()).cmp(&(&b.file, b.line())));
        let failing: Vec<&str> =
            whole.iter().filter(|judged| judged.end != End::Survived).map(|judged| judged.lab.as_str()).collect();
        let unused = unused(&survivors, labs, &failing, &judged);
        let text = match self.args.report.format {
            Format::Human => table(labs, &failing, &judged, &survivors, &unused),
            Format::Json => as_json(&failing, &judged, &survivors, &unused),
        };
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(text.as_bytes());
        written.map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
        let unexplained = |one: &&Judged| one.reason(&survivors).is_none();
        Ok(if interrupt.is_cancelled() {
            Exit::Interrupted
        } else if judged.iter().filter(unexplained).any(|one| one.end == End::Survived)
            || !unused.is_empty()
            || !failing.is_empty()
        {
            Exit::CheckFailed
        } else if judged.iter().filter(unexplained).any(|one| matches!(one.end, End::Unknown(_))) {
            Exit::CannotJudge
        } else {
            Exit::Passed
        })
    }

    async fn judge_all(&self, mutants: Vec<Mutant<'_>>, seed: u64, interrupt: &CancellationToken) -> Vec<Judged> {
        let all = mutants.len();
        let mut running = std::pin::pin!(
            futures::stream::iter(mutants)
                .map(|mutant| async move {
                    let end = self.judge(&mutant, seed, interrupt).await;
                    let lab = &mutant.of.lab;
                    Judged { lab: lab.id.clone(), file: lab.source.name().to_owned(), removed: mutant.removed, end }
                })
                .buffer_unordered(self.jobs)
        );
        let mut judged = Vec::new();
        while let Some(one) = running.next().await {
            if self.args.report.verbose > 0 {
                let count = judged.len() + 1;
                crate::cli::screen::note(&format!("{count} of {all}: {}: {}", one.place(), one.end.word()));
            }
            judged.push(one);
        }
        judged
    }

    async fn judge(&self, mutant: &Mutant<'_>, seed: u64, interrupt: &CancellationToken) -> End {
        if interrupt.is_cancelled() {
            return End::Unknown("interrupted".to_owned());
        }
        let unusable = |error: std::io::Error| End::Unknown(format!("no private folder to work in: {error}"));
        let guard = match Guard::start(GuardSettings::with_watchdog()) {
            Ok(guard) => guard,
            Err(error) => return unusable(error),
        };
        let copied = guard.folder("lab").and_then(|folder| copy(mutant, &folder));
        let end = match copied {
            Err(error) => unusable(error),
            Ok(source) => match parse(&source).lab {
                // The rest of the lab needs the command: without it the lab is wrong.
                None => End::Killed,
                Some(lab) => self.run_mutant(lab, mutant.of.order, seed, interrupt).await,
            },
        };
        guard.end().await;
        end
    }

    async fn run_mutant(&self, lab: Lab, order: usize, seed: u64, interrupt: &CancellationToken) -> End {
        let given: BTreeMap<String, String> = self.args.settings.vars.iter().cloned().collect();
        let sink = Sink(Mutex::new(Fanout::default()));
        let command = self.mode.command().to_owned();
        let started = outcome::RunEvent::RunStarted {
            tool: String::new(),
            command,
            seed,
            started_at: String::new(),
            terms: outcome::Terms::default(),
        };
        crate::run::EventSink::emit(&sink, started);
        let chosen = Chosen { lab, alone: false, order, step: None };
        let place = match self.place(&chosen).await {
            Ok(place) => place,
            Err((_, stopped)) => return End::Unknown(stopped.reason),
        };
        let attempt: Result<Attempt, _> = self.attempt(&chosen.lab, place, seed, &given);
        let interrupt = interrupt.child_token();
        let shared = Shared::alone(&given, interrupt, &sink);
        let number = outcome::Attempt { order, seed, ..outcome::Attempt::default() };
        self.run_one(0, &chosen.lab, &number, attempt, &shared, self.timeout.or(Some(PATIENCE))).await;
        let (report, _) = sink.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).finish();
        match report.labs.first() {
            Some(lab) if lab.verdict == Verdict::Pass => End::Survived,
            Some(lab) if lab.verdict == Verdict::Fail => End::Killed,
            Some(lab) => End::Unknown(lab.reason.clone().unwrap_or_else(|| lab.verdict.word().to_owned())),
            None => End::Unknown("it did not start".to_owned()),
        }
    }
}

/// A private copy of the lab and what lies beside it, without that command.
fn copy(mutant: &Mutant<'_>, folder: &Path) -> std::io::Result<SourceFile> {
    let source = &mutant.of.lab.source;
    let path = source.path();
    let name = path.file_name().unwrap_or_default();
    let is_page = name == "README.md";
    let beside = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The folder's name is the lab's id.
    let copied = folder.join(&mutant.of.lab.id);
    if is_page {
        copy_folder(beside, &copied)?;
    } else {
        std::fs::create_dir_all(&copied)?;
    }
    let text = without(source.text(), mutant.removed.as_ref());
    let path = copied.join(name);
    std::fs::write(&path, &text)?;
    Ok(SourceFile::new(source.name().to_owned(), path, text))
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (path, kind) = (to.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            copy_folder(&entry.path(), &path)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, path)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), path)?;
        }
    }
    Ok(())
}

/// `:` in place of the command: a block must not be empty.
fn without(text: &str, removed: Option<&Removed>) -> String {
    let Some(Removed { first, last, .. }) = removed else { return text.to_owned() };
    let mut out = String::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if number == *first {
            let indent = &line[..line.len() - line.trim_start().len()];
            let prompt = if line.trim_start().starts_with("$ ") { "$ " } else { "" };
            out.push_str(&format!("{indent}{prompt}:\n"));
        } else if number < *first || number > *last {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Every command of every block that runs, `setup` aside.
async fn commands(lab: &Lab) -> Vec<Removed> {
    let mut found = Vec::new();
    let items = lab.steps.iter().flat_map(|step| &step.items);
    let actions = items.filter_map(|item| if let Item::Action(action) = item { Some(action) } else { None });
    let runs = |action: &&Action| action.role != Role::Setup && !action.norun;
    for action in actions.filter(runs) {
        let lines: Vec<(usize, String)> = action.code.lines().map(|line| (line.number, line.text.clone())).collect();
        for (first, text) in commands_of(&lines).await {
            let last = first + text.lines().count().saturating_sub(1);
            found.push(Removed { first, last, text });
        }
    }
    found
}

impl End {
    fn word(&self) -> String {
        match self {
            End::Killed => "failed, as it should".to_owned(),
            End::Survived => "passed".to_owned(),
            End::Unknown(why) => format!("cannot judge: {why}"),
        }
    }
}

impl Judged {
    fn line(&self) -> usize {
        self.removed.as_ref().map_or(0, |removed| removed.first)
    }

    fn command(&self) -> &str {
        self.removed.as_ref().and_then(|removed| removed.text.lines().next()).unwrap_or("the lab as it is")
    }

    fn place(&self) -> String {
        format!("{}:{}: without `{}`", self.file, self.line(), redact(self.command()))
    }

    fn reason<'s>(&self, survivors: &'s Survivors) -> Option<&'s str> {
        survivors.reason(&self.lab, self.command().trim())
    }
}

/// Lines of the file of survivors whose command is gone or does not survive.
fn unused<'s>(
    survivors: &'s Survivors,
    labs: &[Chosen],
    failing: &[&str],
    judged: &[Judged],
) -> Vec<&'s (String, String, String)> {
    let was_judged = |id: &str| labs.iter().any(|chosen| chosen.lab.id == id) && !failing.contains(&id);
    let survives = |(lab, command, _): &&(String, String, String)| {
        judged.iter().any(|one| one.end != End::Killed && one.lab == *lab && one.command().trim() == command)
    };
    survivors.lines.iter().filter(|line| was_judged(&line.0) && !survives(line)).collect()
}

fn table(
    labs: &[Chosen],
    failing: &[&str],
    judged: &[Judged],
    survivors: &Survivors,
    unused: &[&(String, String, String)],
) -> String {
    let mut out = format!("{:<24} {:>8} {:>8} {:>9}\n", "lab", "commands", "killed", "survived");
    for chosen in labs {
        let id = chosen.lab.id.as_str();
        if failing.contains(&id) {
            out.push_str(&format!("{id:<24} it does not pass as it is: keywitness test shows why\n"));
            continue;
        }
        let own: Vec<&Judged> = judged.iter().filter(|one| one.lab == id).collect();
        let killed = own.iter().filter(|one| one.end == End::Killed).count();
        let survived = own.iter().filter(|one| one.end == End::Survived).count();
        out.push_str(&format!("{id:<24} {:>8} {killed:>8} {survived:>9}\n", own.len()));
        for one in own.iter().filter(|one| one.end != End::Killed) {
            let end = match &one.end {
                End::Survived => "passes".to_owned(),
                other => other.word(),
            };
            let why = match (one.reason(survivors), &one.end) {
                (Some(reason), _) => format!("{end}, allowed: {reason}"),
                (None, End::Survived) => "passes: no check looks at what it does".to_owned(),
                (None, _) => end,
            };
            out.push_str(&format!("  {}\n      {}\n", one.place(), redact(&why)));
        }
    }
    for (lab, command, _) in unused {
        let path = survivors.path.display();
        out.push_str(&format!("{path}: `{command}` of {lab} does not survive: take the line out\n"));
    }
    out
}

fn as_json(failing: &[&str], judged: &[Judged], survivors: &Survivors, unused: &[&(String, String, String)]) -> String {
    let mutants: Vec<serde_json::Value> = judged
        .iter()
        .map(|one| {
            let (end, why) = match &one.end {
                End::Killed => ("killed", None),
                End::Survived => ("survived", None),
                End::Unknown(why) => ("cannot_judge", Some(redact(why).into_owned())),
            };
            json!({
                "lab": one.lab,
                "file": one.file,
                "line": one.line(),
                "command": redact(one.command()),
                "end": end,
                "reason": why,
                "allowed": one.reason(survivors),
            })
        })
        .collect();
    let unused: Vec<_> = unused.iter().map(|(lab, command, _)| json!({"lab": lab, "command": command})).collect();
    let all = json!({ "schema": 1, "failing_labs": failing, "mutants": mutants, "unused_survivors": unused });
    serde_json::to_string_pretty(&all).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_replaced_in_its_place() {
        let text = "a\n  cat <<E\n  x\n  E\nb\n";
        let removed = |first, last| Removed { first, last, text: String::new() };
        assert_eq!(without(text, Some(&removed(2, 4))), "a\n  :\nb\n");
        assert_eq!(without("$ ls\nout\n", Some(&removed(1, 1))), "$ :\nout\n");
        assert_eq!(without(text, None), text);
    }
}
