//! From paths on the command line to lab files.

use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::text::SourceFile;

/// What nothing on the command line stands for.
const DEFAULT_FOLDER: &str = "labs";

/// A lab file, and whether the user named this very lab.
#[derive(Debug)]
pub(super) struct LabFile {
    pub(super) source: SourceFile,
    pub(super) named: bool,
}

/// The lab files under the given paths, each once, folders in the order of their names.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<LabFile>, CliError> {
    let default = [PathBuf::from(DEFAULT_FOLDER)];
    let given = if paths.is_empty() { &default[..] } else { paths };
    if paths.is_empty() && !default[0].is_dir() {
        return Err(CliError::wrong_call(
            "no lab was named, and there is no folder `labs` here",
            "name a lab: keywitness run PATH",
        ));
    }
    let mut found: Vec<(PathBuf, bool)> = Vec::new();
    for path in given {
        let (files, named) = files_of(path)?;
        for file in files {
            if !found.iter().any(|(known, _)| *known == file) {
                found.push((file, named && !paths.is_empty()));
            }
        }
    }
    found.into_iter().map(|(path, named)| Ok(LabFile { source: read(&path)?, named })).collect()
}

/// A file is a lab; a folder with a `README.md` that has front matter is one; another folder holds labs.
fn files_of(path: &Path) -> Result<(Vec<PathBuf>, bool), CliError> {
    if path.is_file() {
        return Ok((vec![path.to_owned()], true));
    }
    if !path.is_dir() {
        return Err(CliError::wrong_call(
            format!("there is no lab at {}", path.display()),
            "a lab is a Markdown file, or a folder with a README.md",
        ));
    }
    let readme = path.join("README.md");
    if is_lab(&readme) {
        return Ok((vec![readme], true));
    }
    let mut files = Vec::new();
    collect(path, &mut files)?;
    if files.is_empty() && readme.is_file() {
        // Named outright, so that the missing front matter is a finding rather than silence.
        return Ok((vec![readme], true));
    }
    if files.is_empty() {
        return Err(CliError::wrong_call(
            format!("there is no lab in {}", path.display()),
            "a folder of labs holds Markdown files with front matter, or folders with such a README.md",
        ));
    }
    Ok((files, false))
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let entries = std::fs::read_dir(dir).map_err(|error| unreadable(dir, &error))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        let readme = path.join("README.md");
        if is_lab(&readme) {
            files.push(readme);
        } else if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ext| ext == "md") && is_lab(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Front matter tells a lab from other Markdown that lies in the same folder.
fn is_lab(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && (start.starts_with(b"---\n") || start.starts_with(b"---\r") || start.starts_with(b"\xEF\xBB\xBF-"))
}

fn read(path: &Path) -> Result<SourceFile, CliError> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        CliError::wrong_call(
            format!("{} is not UTF-8 (byte {})", path.display(), error.utf8_error().valid_up_to()),
            "save it as UTF-8",
        )
    })?;
    Ok(SourceFile::new(path.display().to_string(), path, text))
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::wrong_call(format!("cannot read {}: {error}", path.display()), "check the path and its permissions")
}
