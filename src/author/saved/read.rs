//! Back from a folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Cast, EVENTS, EVIDENCE, FORMAT, HEAD, Head, JOURNAL, LAB, LOG, PRIVATE, REPORT, SavedError, SavedRun};
use crate::journal::Journal;
use crate::outcome::{CheckFact, RunEvent};

/// What every format has.
#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

impl SavedRun {
    /// The folders of saved runs: this one, or those in it by their names.
    pub fn folders(folder: &Path) -> Result<Vec<PathBuf>, SavedError> {
        if folder.join(HEAD).is_file() {
            return Ok(vec![folder.to_owned()]);
        }
        let none = || SavedError::None(folder.display().to_string());
        let entries = fs::read_dir(folder).map_err(|_| none())?;
        let mut found: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.join(HEAD).is_file()).collect();
        found.sort();
        if found.is_empty() { Err(none()) } else { Ok(found) }
    }

    /// What it was, without what happened in it.
    pub fn head(folder: &Path) -> Option<Head> {
        serde_json::from_str(&fs::read_to_string(folder.join(HEAD)).ok()?)
            .ok()
            .filter(|head: &Head| head.format == FORMAT)
    }

    /// How its checks came out, with what else is told of each.
    pub fn verdicts(folder: &Path) -> Vec<CheckFact> {
        let text = fs::read_to_string(folder.join(EVENTS)).unwrap_or_default();
        let facts = text.lines().filter_map(|line| match serde_json::from_str(line).ok()? {
            RunEvent::CheckFinished { check, .. } => Some(check),
            _ => None,
        });
        facts.collect()
    }

    pub fn read(folder: &Path) -> Result<Self, SavedError> {
        let of = |name: &str, reason: String| {
            let file = folder.join(name).display().to_string();
            SavedError::Unreadable { file, reason }
        };
        let text = |name: &str| fs::read_to_string(folder.join(name)).map_err(|error| of(name, error.to_string()));
        let head = text(HEAD)?;
        let Versioned { format } = serde_json::from_str(&head).map_err(|error| of(HEAD, error.to_string()))?;
        if format != FORMAT {
            return Err(SavedError::Format { found: format });
        }
        let head = serde_json::from_str(&head).map_err(|error| of(HEAD, error.to_string()))?;
        let event = |(number, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|error| of(EVENTS, format!("line {}: {error}", number + 1)))
        };
        let events = text(EVENTS)?.lines().enumerate().map(event).collect::<Result<_, _>>()?;
        let evidence = text(EVIDENCE)?;
        let recording = serde_json::from_str(&evidence).map_err(|error| of(EVIDENCE, error.to_string()))?;
        let journal = fs::File::open(folder.join(JOURNAL)).map_err(|error| of(JOURNAL, error.to_string()))?;
        let journal =
            Journal::load(std::io::BufReader::new(journal)).map_err(|error| of(JOURNAL, error.to_string()))?;
        let optional = |name: &str| if folder.join(name).exists() { text(name) } else { Ok(String::new()) };
        Ok(Self {
            head,
            lab: text(LAB)?,
            private: folder.join(PRIVATE).exists().then(|| text(PRIVATE)).transpose()?,
            events,
            recording,
            journal,
            casts: casts(folder)?,
            report: optional(REPORT)?,
            log: optional(LOG)?,
        })
    }
}

fn casts(folder: &Path) -> Result<Vec<Cast>, SavedError> {
    let unreadable = |file: &Path, reason: String| SavedError::Unreadable { file: file.display().to_string(), reason };
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, error.to_string()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "cast"));
    paths.sort();
    let cast = |path: PathBuf| {
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error.to_string()))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Cast::read(&name, &text).map_err(|reason| unreadable(&path, reason))
    };
    paths.into_iter().map(cast).collect()
}
