//! Which of the labs that were found are to run: by an expression, by what has changed, by parts.

use std::path::Path;

use super::args::{ChoiceArgs, LabArgs};
use super::changed::Changed;
use super::error::CliError;
use super::filter::Filter;
use super::lint::Linted;
use super::shard::Durations;
use crate::outcome::{LeftOut, ShardReport};
use crate::parse::{Kind, kind_of};

/// What is left of the labs, and what is to be reported of the others.
#[derive(Default)]
pub(super) struct Chosen {
    /// Each with its place in the whole course.
    pub(super) labs: Vec<(usize, Linted)>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) notes: Vec<String>,
    pub(super) shard: Option<ShardReport>,
}

/// A lab with errors is never left out by what it says of itself: that is what cannot be read.
pub(super) fn choose(labs: Vec<Linted>, paths: &LabArgs, choice: &ChoiceArgs) -> Result<Chosen, CliError> {
    let mut chosen = Chosen { labs: labs.into_iter().enumerate().collect(), ..Chosen::default() };
    let folder = folder(paths);
    if let Some(text) = &choice.filter {
        let filter = Filter::new(text)?;
        let mut takes = Vec::new();
        for (_, lab) in &chosen.labs {
            takes.push(lab.parsed.lab.as_ref().map_or(Ok(true), |lab| filter.takes(lab))?);
        }
        let (all, left) = chosen.keep(&takes, "--filter is not true of it");
        if left == 0 {
            let message = format!("--filter `{text}` is true of none of {all} labs");
            return Err(CliError::wrong_call(message, "`keywitness list --format json` shows what it can ask for"));
        }
        chosen.notes.push(format!("--filter: {left} of {all} labs"));
    }
    if let Some(revision) = &choice.changed_since {
        let changed = Changed::since(revision, folder)?;
        let takes: Vec<bool> = chosen.labs.iter().map(|(_, lab)| changed.concerns(&lab.file.source)).collect();
        let (all, left) = chosen.keep(&takes, &format!("no file of it has changed since {revision}"));
        chosen.notes.push(format!("--changed-since {revision}: {left} of {all} labs"));
    }
    if let Some(spec) = choice.shard {
        let durations = Durations::read(choice.durations.as_deref(), folder)?;
        let ids: Vec<String> = chosen.labs.iter().map(|(_, lab)| crate::parse::id(lab.file.source.path())).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let report = spec.report(&ids);
        let part = format!("{}/{}", report.index, report.of);
        let (all, left) = chosen.keep(&spec.takes(&ids, &durations), &format!("it is not in part {part}"));
        chosen.notes.push(format!("--shard {part}: {left} of {all} labs"));
        chosen.shard = Some(report);
    }
    Ok(chosen)
}

/// In which the labs lie: the folder that is named; of one lab, the one around it.
pub(super) fn folder(paths: &LabArgs) -> &Path {
    let named = paths.paths.first().map_or_else(|| Path::new("labs"), |path| path.as_path());
    let is_lab = std::fs::read_to_string(named.join("README.md")).is_ok_and(|text| matches!(kind_of(&text), Kind::Lab));
    let folder = if is_lab || !named.is_dir() { named.parent().unwrap_or(named) } else { named };
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

impl Chosen {
    /// How many labs there were, and how many are left.
    fn keep(&mut self, takes: &[bool], why_not: &str) -> (usize, usize) {
        let all = self.labs.len();
        let labs = std::mem::take(&mut self.labs);
        for (lab, takes) in labs.into_iter().zip(takes) {
            if *takes {
                self.labs.push(lab);
            } else {
                let (file, reason) = (lab.1.file.source.name().to_owned(), why_not.to_owned());
                self.left_out.push(LeftOut { file, reason });
            }
        }
        (all, self.labs.len())
    }
}
