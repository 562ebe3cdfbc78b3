//! `keywitness lsp`: the language server on standard input and output.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use clap::Args;
use lsp_server::Connection;

use super::error::CliError;
use super::labs::{Course, find};
use super::lint::odd;
use crate::editor::{Around, Host, serve};
use crate::outcome::Exit;
use crate::parse::secret_defaults;
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
        let Some(collection) = collection(file, roots) else { return Around::default() };
        let Ok(Course { labs, .. }) = find(&[collection]) else { return Around::default() };
        let Some(own) = labs.iter().position(|lab| is_same(lab.source.path(), file)) else {
            return Around::default();
        };
        let odd = labs[own].oddity.map(|oddity| odd(oddity, &labs[own].source));
        let mut before: Vec<SourceFile> = labs.into_iter().map(|lab| lab.source).collect();
        let after = before.split_off(own).split_off(1);
        Around { before, after, odd }
    }

    fn keep_secrets(&self, source: &SourceFile) {
        keep_secret(secret_defaults(source));
    }

    fn describe(&self, field: &str) -> Option<String> {
        kube_sandbox::description(field)
    }

    fn test(&self, file: &Path) -> (bool, String) {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("keywitness"));
        let output = Command::new(program).arg("test").arg(file).stdin(Stdio::null()).output();
        match output {
            Ok(output) => {
                let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
                (output.status.success(), printed.concat())
            }
            Err(error) => (false, format!("keywitness cannot be started: {error}")),
        }
    }
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
