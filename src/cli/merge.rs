//! `keywitness merge`: the reports of all parts of a course become the report of the whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::args::{FileArgs, Format};
use super::error::CliError;
use super::outputs;
use crate::outcome::{Exit, RunReport};
use crate::report::json;

/// Put the reports of all parts of a course together
///
/// Each FILE is what `test --shard I/N --json FILE` wrote. A part that is missing, is there twice or belongs to another
/// course is an error: what is merged is the whole, or nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keywitness test --shard 1/2 --json 1.json; keywitness test --shard 2/2 --json 2.json\n  \
    keywitness merge 1.json 2.json --junit all.xml --html all.html"
)]
pub(super) struct MergeArgs {
    /// JSON reports of `test --shard`
    #[arg(value_name = "FILE", required = true)]
    reports: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    #[command(flatten)]
    files: FileArgs,
    /// Write how long each lab took, for `test --shard`
    #[arg(long, value_name = "FILE")]
    write_durations: Option<PathBuf>,
}

pub(super) fn main(args: &MergeArgs) -> Result<Exit, CliError> {
    let mut parts = Vec::new();
    for path in &args.reports {
        parts.push((path.clone(), read(path)?));
    }
    let merged = merged(parts)?;
    let written = match args.format {
        Format::Human => outputs::write_human(&merged),
        Format::Json => json(&merged, &mut std::io::stdout().lock()),
    };
    written.map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
    Ok(outputs::write_beside(&merged, &args.files, args.write_durations.as_ref(), true))
}

fn read(path: &Path) -> Result<RunReport, CliError> {
    let wrong = |why: String| {
        let hint = "name what `keywitness test --shard I/N --json FILE` wrote";
        CliError::wrong_call(format!("{} is no report that can be merged: {why}", path.display()), hint)
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let report: RunReport = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if report.schema != 1 {
        return Err(wrong(format!("its schema is {}, not 1", report.schema)));
    }
    if report.shard.is_none() {
        return Err(wrong("it is of a whole run, not of a part".to_owned()));
    }
    Ok(report)
}

fn merged(parts: Vec<(PathBuf, RunReport)>) -> Result<RunReport, CliError> {
    let mut by_index: BTreeMap<u32, (PathBuf, RunReport)> = BTreeMap::new();
    let wrong = |message: String| CliError::wrong_call(message, "merge the parts of one run, each once");
    let mut first: Option<(PathBuf, RunReport)> = None;
    for (path, report) in parts {
        let shard = report.shard.clone().unwrap_or_default();
        if let Some((first_path, first)) = &first {
            let known = first.shard.clone().unwrap_or_default();
            let differs = [
                ("number of parts", shard.of.to_string(), known.of.to_string()),
                ("course", shard.course.clone(), known.course.clone()),
                ("command", report.command.clone(), first.command.clone()),
                ("version", report.tool.clone(), first.tool.clone()),
                ("--allow-flaky", report.allow_flaky.to_string(), first.allow_flaky.to_string()),
            ];
            if let Some((what, own, other)) = differs.iter().find(|(_, own, other)| own != other) {
                let (path, first_path) = (path.display(), first_path.display());
                return Err(wrong(format!(
                    "{path} and {first_path} are not parts of one run: {what} {own} and {other}"
                )));
            }
        } else {
            first = Some((path.clone(), report.clone()));
        }
        if let Some((other, _)) = by_index.get(&shard.index) {
            let (path, other) = (path.display(), other.display());
            return Err(wrong(format!("part {}/{} is there twice: {other} and {path}", shard.index, shard.of)));
        }
        by_index.insert(shard.index, (path, report));
    }
    let of = first.as_ref().and_then(|(_, report)| report.shard.as_ref()).map_or(0, |shard| shard.of);
    let missing: Vec<String> =
        (1..=of).filter(|index| !by_index.contains_key(index)).map(|index| format!("{index}/{of}")).collect();
    if !missing.is_empty() {
        let message = format!("the report of part {} is missing: the whole cannot be judged", missing.join(", "));
        return Err(CliError::unavailable(message, "run that part again, and merge when all are there"));
    }
    let parts: Vec<RunReport> = by_index.into_values().map(|(_, report)| report).collect();
    let whole = together(parts);
    let (found, labs) = (whole.results.len(), whole.shard_labs);
    if found != labs {
        return Err(wrong(format!("the parts hold {found} of the course's {labs} labs")));
    }
    Ok(whole.report)
}

struct Whole {
    report: RunReport,
    results: Vec<String>,
    shard_labs: usize,
}

/// The parts are those of one run, in their order.
fn together(parts: Vec<RunReport>) -> Whole {
    let shard_labs = parts[0].shard.as_ref().map_or(0, |shard| shard.labs as usize);
    let exit = Exit::worst(parts.iter().map(|part| Exit::from_code(part.exit)));
    let duration_ms = parts.iter().map(|part| part.duration_ms).max().unwrap_or_default();
    let started_at = parts.iter().map(|part| part.started_at.clone()).min().unwrap_or_default();
    let is_one_seed = parts.iter().all(|part| part.seed == parts[0].seed);
    let mut all = parts.into_iter();
    let mut report = all.next().unwrap_or_default();
    for part in all {
        report.labs.extend(part.labs);
        report.diagnostics.extend(part.diagnostics);
        report.left_out.extend(part.left_out);
        report.notices.extend(part.notices);
    }
    let mut files: Vec<String> = report.labs.iter().map(|lab| lab.file.clone()).collect();
    files.sort();
    files.dedup();
    // As in a whole run: in the order of the course.
    let order: BTreeMap<String, u32> = report.labs.iter().map(|lab| (lab.file.clone(), lab.order)).collect();
    report.diagnostics.sort_by_key(|finding| order.get(&finding.file).copied().unwrap_or(u32::MAX));
    // What one part left is in another.
    report.left_out.retain(|left| files.binary_search(&left.file).is_err());
    report.left_out.sort_by(|a, b| a.file.cmp(&b.file));
    report.left_out.dedup();
    report.notices.retain(|notice| notice.lab.is_some() || !notice.message.starts_with("--shard "));
    report.notices.dedup();
    report.shard = None;
    if !is_one_seed {
        // Each lab has its own.
        report.seed = String::new();
    }
    (report.exit, report.duration_ms, report.started_at) = (exit.code(), duration_ms, started_at);
    report.sum_up();
    Whole { report, results: files, shard_labs }
}
