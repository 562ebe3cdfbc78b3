//! Which reporters a call wants.

use std::io::{self, Write as _, stderr, stdout};
use std::path::PathBuf;

use super::args::{FileArgs, Format, ReportArgs};
use super::{lint, screen};
use crate::outcome::{Exit, RunReport};
use crate::report::{
    self, Fanout, Human, HumanOptions, Live, Log, Reporter, ToFile, ToStream, github, gitlab, html, json, junit,
    markdown, tap,
};

pub(super) fn fanout(report: &ReportArgs, side_by_side: bool) -> Fanout {
    let mut fanout = Fanout::default();
    match report.format {
        Format::Human => {
            let live = screen::is_live().then(Live::default);
            let options = HumanOptions { verbose: report.verbose, side_by_side, width: None };
            fanout.add("standard output", Human::new(stdout(), live, options));
        }
        Format::Json => fanout.add("standard output", ToStream::new(stdout(), json)),
    }
    for (name, reporter) in beside(&report.files, report.write_durations.as_ref(), true) {
        fanout.add(name, reporter);
    }
    fanout.add("the log", Log);
    fanout
}

/// What is written beside standard output, each with the name by which its failure is reported.
fn beside(files: &FileArgs, durations: Option<&PathBuf>, has_annotations: bool) -> Vec<(String, Box<dyn Reporter>)> {
    let all: [(Option<&PathBuf>, report::Format); 8] = [
        (files.json.as_ref(), json),
        (files.junit.as_ref(), junit),
        (files.tap.as_ref(), tap),
        (files.sarif.as_ref(), lint::sarif_of),
        (files.gitlab.as_ref(), gitlab),
        (files.markdown.as_ref(), markdown),
        (files.html.as_ref(), html),
        (durations, super::shard::durations),
    ];
    let named = all.into_iter().filter_map(|(path, format)| Some((path?.clone(), format)));
    let mut reporters: Vec<(String, Box<dyn Reporter>)> = named
        .map(|(path, format)| (path.display().to_string(), Box::new(ToFile::new(path, format)) as Box<dyn Reporter>))
        .collect();
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        if has_annotations {
            // Standard output belongs to the report; GitHub reads both.
            reporters.push(("standard error".to_owned(), Box::new(ToStream::new(stderr(), github))));
        }
        let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
        if let (None, Some(path)) = (&files.markdown, summary) {
            // A job's steps share the file.
            let reporter = ToFile::appending(PathBuf::from(path), markdown);
            reporters.push(("the job's summary".to_owned(), Box::new(reporter)));
        }
    }
    reporters
}

/// Writes what is written beside standard output, of a report that no run has folded.
pub(super) fn write_beside(
    report: &RunReport,
    files: &FileArgs,
    durations: Option<&PathBuf>,
    has_annotations: bool,
) -> Exit {
    let mut broken = Vec::new();
    for (name, mut reporter) in beside(files, durations, has_annotations) {
        if let Err(error) = reporter.finish(report) {
            broken.push(report::Broken { name, error });
        }
    }
    super::run::exit(report, broken)
}

/// The report as a person reads it, on standard output.
pub(super) fn write_human(report: &RunReport) -> io::Result<()> {
    let mut human = Human::new(stdout(), None, HumanOptions::default());
    human.whole(report)?;
    human.finish(report)?;
    stdout().flush()
}
