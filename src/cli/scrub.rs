//! `scrub`: texts out of saved runs that nobody declared as secret.

use std::io::{BufRead, Write as _};
use std::path::PathBuf;

use clap::Args;
use regex::Regex;

use super::error::CliError;
use crate::author::SavedRun;
use crate::outcome::Exit;
use crate::text::keep_secret;

#[derive(Debug, Args)]
pub(super) struct ScrubArgs {
    /// Folder of a saved run, or of several
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Hide this text, in every spelling
    #[arg(long, value_name = "TEXT")]
    text: Vec<String>,
    /// Hide what this regular expression finds
    #[arg(long, value_name = "REGEX")]
    pattern: Vec<String>,
    /// Hide each line of this file; `-` is standard input
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
}

pub(super) fn main(args: &ScrubArgs) -> Result<Exit, CliError> {
    let mut texts = args.text.clone();
    for file in &args.from {
        texts.extend(lines(file)?);
    }
    let patterns = args.pattern.iter().map(|pattern| {
        let wrong = |error: regex::Error| {
            CliError::wrong_call(format!("--pattern: {error}"), "write a regular expression, as `matches` takes it")
        };
        Regex::new(pattern).map_err(wrong)
    });
    let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
    texts.retain(|text| !text.trim().is_empty());
    if texts.is_empty() && patterns.is_empty() {
        return Err(CliError::wrong_call(
            "nothing is named that must go",
            "name it: --text TEXT, --pattern REGEX or --from FILE",
        ));
    }
    let folders = SavedRun::folders(&args.folder).map_err(super::replay::wrong)?;
    let mut runs = Vec::new();
    for folder in folders {
        for text in files(&folder)? {
            let found = patterns.iter().flat_map(|pattern| pattern.find_iter(&text));
            texts.extend(found.map(|found| found.as_str().to_owned()).filter(|text| !text.trim().is_empty()));
        }
        runs.push((SavedRun::read(&folder).map_err(super::replay::wrong)?, folder));
    }
    texts.sort();
    texts.dedup();
    keep_secret(&texts);
    let mut stdout = std::io::stdout().lock();
    for (run, folder) in runs {
        let failed = |source| CliError::Output { what: folder.display().to_string(), source };
        run.write(&folder).map_err(failed)?;
        let left = files(&folder)?.iter().filter(|file| texts.iter().any(|text| file.contains(text.as_str()))).count();
        let said = match left {
            0 => format!("scrubbed {}", folder.display()),
            left => format!(
                "scrubbed {}, but {left} of its files still hold a text as it is written there",
                folder.display()
            ),
        };
        writeln!(stdout, "{said}").map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
        if left > 0 {
            return Ok(Exit::CannotJudge);
        }
    }
    Ok(Exit::Passed)
}

fn lines(file: &std::path::Path) -> Result<Vec<String>, CliError> {
    let unreadable = |error: std::io::Error| {
        CliError::wrong_call(format!("cannot read {}: {error}", file.display()), "check the path and its permissions")
    };
    let read = |from: &mut dyn BufRead| from.lines().collect::<Result<Vec<_>, _>>();
    if file.as_os_str() == "-" {
        return read(&mut std::io::stdin().lock()).map_err(unreadable);
    }
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    read(&mut std::io::BufReader::new(opened)).map_err(unreadable)
}

/// The text of every file of the folder.
fn files(folder: &std::path::Path) -> Result<Vec<String>, CliError> {
    let failed = |source| CliError::Output { what: folder.display().to_string(), source };
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            texts.push(String::from_utf8_lossy(&std::fs::read(&path).map_err(failed)?).into_owned());
        }
    }
    Ok(texts)
}
