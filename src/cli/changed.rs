//! `test --changed-since REV`: the labs of which git says that a file has changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::CliError;
use crate::text::SourceFile;

/// The files that differ from a revision, by their real paths.
pub(super) struct Changed(BTreeSet<PathBuf>);

impl Changed {
    /// Of the repository in which that folder lies; files that git does not know yet have changed too.
    pub(super) fn since(revision: &str, folder: &Path) -> Result<Self, CliError> {
        if revision.starts_with('-') || revision.is_empty() {
            let message = format!("--changed-since `{revision}` is no revision");
            return Err(CliError::wrong_call(message, "a branch, a tag or a commit: --changed-since main"));
        }
        let root = git(folder, &["rev-parse", "--show-toplevel"])?;
        let root = PathBuf::from(String::from_utf8_lossy(&root).trim_end_matches('\n').to_owned());
        let known = git(&root, &["diff", "--name-only", "--no-renames", "-z", revision, "--"])?;
        let new = git(&root, &["ls-files", "--others", "--exclude-standard", "-z"])?;
        let names = known.split(|byte| *byte == 0).chain(new.split(|byte| *byte == 0));
        let paths = names.filter(|name| !name.is_empty()).map(|name| real(&root.join(path(name))));
        Ok(Self(paths.collect()))
    }

    /// A lab that is a folder's page has all files below that folder, another one itself.
    pub(super) fn concerns(&self, source: &SourceFile) -> bool {
        let file = real(source.path());
        let is_page = file.file_name().is_some_and(|name| name == "README.md");
        match file.parent().filter(|_| is_page) {
            Some(folder) => self.0.iter().any(|changed| changed.starts_with(folder)),
            None => self.0.contains(&file),
        }
    }
}

fn git(folder: &Path, args: &[&str]) -> Result<Vec<u8>, CliError> {
    let done = Command::new("git").arg("-C").arg(folder).args(args).output().map_err(|error| {
        CliError::unavailable(format!("--changed-since asks git, which cannot be started: {error}"), "install git")
    })?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let said = said.lines().next().unwrap_or_default().to_owned();
    let hint = "name a revision that is here; a shallow clone has few: git fetch --unshallow";
    Err(CliError::wrong_call(format!("git {}: {said}", args[0]), hint))
}

#[cfg(unix)]
fn path(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(name))
}

/// A file that is gone is where its folder is.
fn real(path: &Path) -> PathBuf {
    if let Ok(real) = std::fs::canonicalize(path) {
        return real;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if parent != path => real(parent).join(name),
        _ => path.to_owned(),
    }
}
