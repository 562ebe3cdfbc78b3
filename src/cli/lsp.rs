//! `keywitness lsp`: the language server on standard input and output.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use clap::Args;
use lsp_server::Connection;

use super::error::CliError;
use super::labs::{Course, find};
use super::lint::odd;
use super::saving::cache;
use crate::author::SavedRun;
use crate::editor::{Around, Host, Judged, serve};
use crate::outcome::{CheckFact, Exit};
use crate::parse::{is_private, lab_of_private, private_path, secret_defaults};
use crate::text::{SourceFile, keep_secret};

#[derive(Debug, Args)]
pub(super) struct LspArgs {
    /// What most editors pass: standard input and output are the one way there is
    #[arg(long, hide = true)]
    stdio: bool,
}

pub(super) fn main(_: &LspArgs) -> Result<Exit, CliError> {
    let (connection, threads) = Connection::stdio();
    let served = serve(&connection, Arc::new(Disk));
    // The writer ends when nobody can send any more.
    drop(connection);
    let written = threads.join();
    served.map_err(|error| {
        CliError::wrong_call(
            format!("the editor does not speak the language server protocol: {error}"),
            "this command is started by an editor, see docs/editors.md",
        )
    })?;
    written.map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
    Ok(Exit::Passed)
}

/// Labs as they lie on the disk.
struct Disk;

impl Host for Disk {
    fn around(&self, file: &Path, roots: &[PathBuf]) -> Around {
        let path = if is_private(file) { lab_of_private(file) } else { private_path(file) };
        let beside = path.and_then(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            Some(SourceFile::new(path.display().to_string(), path, text))
        });
        let alone = |beside| Around { beside, ..Around::default() };
        let Some(collection) = collection(file, roots) else { return alone(beside) };
        let Ok(Course { labs, .. }) = find(&[collection]) else { return alone(beside) };
        let Some(own) = labs.iter().position(|lab| is_same(lab.source.path(), file)) else {
            return alone(beside);
        };
        let odd = labs[own].oddity.map(|oddity| odd(oddity, &labs[own].source));
        let mut before: Vec<SourceFile> = labs.into_iter().map(|lab| lab.source).collect();
        let after = before.split_off(own).split_off(1);
        Around { before, after, odd, beside }
    }

    fn keep_secrets(&self, source: &SourceFile) {
        keep_secret(secret_defaults(source));
    }

    fn describe(&self, field: &str) -> Option<String> {
        kube_sandbox::description(field)
    }

    fn judged(&self, file: &Path) -> Vec<Judged> {
        let (Some(failed), Some(last)) = (cache(), last_runs()) else { return Vec::new() };
        let folders = [failed, last].into_iter().filter_map(|folder| SavedRun::folders(&folder).ok()).flatten();
        let of_file = folders.filter_map(|folder| {
            let head = SavedRun::head(&folder)?;
            is_same(Path::new(&head.lab.path), file).then_some((head.started_at, folder))
        });
        let Some((at, folder)) = of_file.max() else { return Vec::new() };
        let judged = |fact: CheckFact| Judged {
            text: fact.text,
            line: fact.line,
            verdict: fact.verdict.word().to_owned(),
            reason: fact.reason,
            at: at.clone(),
        };
        SavedRun::verdicts(&folder).into_iter().map(judged).collect()
    }

    fn test(&self, file: &Path) -> (bool, String) {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("keywitness"));
        let mut command = Command::new(program);
        command.arg("test").arg(file).stdin(Stdio::null());
        if let Some(folder) = last_runs() {
            command.arg("--save").arg(folder);
        }
        let output = command.output();
        match output {
            Ok(output) => {
                let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
                (output.status.success(), printed.concat())
            }
            Err(error) => (false, format!("keywitness cannot be started: {error}")),
        }
    }
}

/// Where the last run of each lab that an editor had tested is saved.
fn last_runs() -> Option<PathBuf> {
    Some(cache()?.with_file_name("editor"))
}

/// The collection that a lab belongs to: the folder that the editor has open; of a large one, the labs beside it.
fn collection(file: &Path, roots: &[PathBuf]) -> Option<PathBuf> {
    let root = roots.iter().filter(|root| file.starts_with(root)).max_by_key(|root| root.components().count())?;
    let mut left = MOST_ENTRIES;
    if is_small(root, &mut left) {
        return Some(root.clone());
    }
    let folder = file.parent()?;
    let is_readme = file.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("readme"));
    let around = if is_readme { folder.parent()? } else { folder };
    let mut left = MOST_ENTRIES;
    (around.starts_with(root) && is_small(around, &mut left)).then(|| around.to_owned())
}

/// A folder with more files and folders is no collection of labs.
const MOST_ENTRIES: usize = 5000;

fn is_small(folder: &Path, left: &mut usize) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return true };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') || name == "node_modules" {
            continue;
        }
        let Some(less) = left.checked_sub(1) else { return false };
        *left = less;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_small(&entry.path(), left) {
            return false;
        }
    }
    true
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || std::fs::canonicalize(one).ok().is_some_and(|one| std::fs::canonicalize(other).ok() == Some(one))
}
