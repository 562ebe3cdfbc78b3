use std::io::Write as _;

use clap::Args;

use super::args::{Format, LabArgs};
use super::error::CliError;
use super::labs::LabFile;
use crate::outcome::{DiagnosticReport, Exit, RunReport};
use crate::parse::{Parsed, parse_all};
use crate::text::{Severity, SourceFile};

#[derive(Debug, Args)]
pub(super) struct LintArgs {
    #[command(flatten)]
    pub(super) labs: LabArgs,
    /// What standard output carries
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: Format,
}

/// A lab file with what parsing it gave.
pub(super) struct Linted {
    pub(super) file: LabFile,
    pub(super) parsed: Parsed,
}

/// Reads the labs under the given paths, all of them, whatever is wrong with some.
pub(super) fn read(args: &LabArgs) -> Result<Vec<Linted>, CliError> {
    let files = super::labs::find(&args.paths)?;
    let sources: Vec<SourceFile> = files.iter().map(|file| file.source.clone()).collect();
    let parsed = parse_all(&sources);
    Ok(files.into_iter().zip(parsed).map(|(file, parsed)| Linted { file, parsed }).collect())
}

/// How many errors and warnings there are.
pub(super) fn count(labs: &[Linted]) -> (usize, usize) {
    let all = || labs.iter().flat_map(|lab| &lab.parsed.findings);
    let errors = all().filter(|finding| finding.severity == Severity::Error).count();
    (errors, all().count() - errors)
}

/// Draws every finding on standard error.
pub(super) fn draw(labs: &[Linted]) {
    let color = console::colors_enabled_stderr();
    let mut stderr = std::io::stderr().lock();
    for lab in labs {
        for finding in &lab.parsed.findings {
            // With stderr gone the exit status is all that is left to say it.
            drop(writeln!(stderr, "{}", finding.draw(&lab.file.source, color)));
        }
    }
}

/// The findings of all labs as the report carries them.
pub(super) fn reports(labs: &[Linted]) -> Vec<DiagnosticReport> {
    labs.iter()
        .flat_map(|lab| lab.parsed.findings.iter().map(|finding| super::findings::report(finding, &lab.file.source)))
        .collect()
}

pub(super) fn main(args: &LintArgs) -> Result<Exit, CliError> {
    let labs = read(&args.labs)?;
    let (errors, warnings) = count(&labs);
    let exit = if errors > 0 { Exit::WrongInput } else { Exit::Passed };
    let text = match args.format {
        Format::Human => {
            draw(&labs);
            summary(labs.len(), errors, warnings)
        }
        Format::Json => json(&labs, exit),
    };
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}").map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
    Ok(exit)
}

fn summary(labs: usize, errors: usize, warnings: usize) -> String {
    let count = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let labs = count(labs, "lab");
    match (errors, warnings) {
        (0, 0) => format!("{labs}: nothing to complain about"),
        (0, _) => format!("{labs}: {}", count(warnings, "warning")),
        (_, 0) => format!("{labs}: {}", count(errors, "error")),
        _ => format!("{labs}: {}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

fn json(labs: &[Linted], exit: Exit) -> String {
    let report = RunReport {
        schema: 1,
        tool: format!("keywitness {}", env!("CARGO_PKG_VERSION")),
        command: "lint".to_owned(),
        seed: "0".to_owned(),
        exit: exit.code(),
        started_at: super::now(),
        diagnostics: reports(labs),
        ..RunReport::default()
    };
    serde_json::to_string_pretty(&report).unwrap_or_default()
}
