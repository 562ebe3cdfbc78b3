//! `lint --fix`: what is mechanical, written into the files.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::{Linted, parsed};
use crate::cli::error::CliError;
use crate::cli::labs::{LabFile, Oddity};
use crate::parse::ROUNDS;
use crate::text::{SourceFile, mended};

/// Mends the files, and reads them again.
pub(super) fn all(mut labs: Vec<Linted>) -> Result<Vec<Linted>, CliError> {
    let mut cured = vec![0; labs.len()];
    // By path: reading again may change the order.
    let paths: Vec<_> = labs.iter().map(|lab| lab.file.source.path().to_owned()).collect();
    for _ in 0..ROUNDS {
        let mut changed = false;
        let mut files: Vec<LabFile> = Vec::new();
        for lab in labs {
            // What could not be read as text must not be written back as if it had been.
            let is_text = !matches!(lab.file.oddity, Some(Oddity::NotUtf8(_)));
            let (text, count) = mended(lab.file.source.text(), &lab.parsed.findings);
            let mut file = lab.file;
            if count > 0 && is_text {
                let path = file.source.path().to_owned();
                write(&path, &text)?;
                file.source = SourceFile::new(file.source.name(), path.clone(), text);
                changed = true;
                if let Some(at) = paths.iter().position(|known| *known == path) {
                    cured[at] += count;
                }
            }
            files.push(file);
        }
        labs = parsed(files);
        if !changed {
            break;
        }
    }
    for (path, count) in paths.iter().zip(cured).filter(|(_, count)| *count > 0) {
        let noun = if count == 1 { "finding" } else { "findings" };
        // With stderr gone there is nobody to tell.
        drop(writeln!(std::io::stderr(), "fixed {count} {noun} in {}", path.display()));
    }
    Ok(labs)
}

/// In one step, with the file's own permissions: an author's text is never half there.
fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |source: std::io::Error| CliError::Output { what: path.display().to_string(), source };
    // A link stays one.
    let real = fs::canonicalize(path).map_err(failed)?;
    let folder = real.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    let permissions = fs::metadata(&real).map_err(failed)?.permissions();
    file.as_file().set_permissions(permissions).map_err(failed)?;
    file.persist(&real).map_err(|error| failed(error.error))?;
    Ok(())
}
