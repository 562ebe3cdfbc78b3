//! `keywitness export`: a lab for learners.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::LabArgs;
use super::error::CliError;
use super::lint;
use crate::author::{Form, export};
use crate::outcome::Exit;
use crate::web::paper;

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("form").required(true)))]
pub(super) struct ExportArgs {
    /// The lab
    #[arg(value_name = "LAB")]
    lab: PathBuf,
    /// The lab without its solutions and answers; as Markdown it is a lab still
    #[arg(long, group = "form")]
    without_solutions: bool,
    /// A text to read and to print: no hints, checks to tick, room for answers
    #[arg(long, group = "form")]
    handout: bool,
    /// Markdown, or one HTML page with its pictures in it
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    format: ExportFormat,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    Markdown,
    Html,
}

pub(super) fn main(args: &ExportArgs) -> Result<Exit, CliError> {
    let (labs, _) = lint::read(&LabArgs { paths: vec![args.lab.clone()] })?;
    let [linted] = &labs[..] else {
        let message = format!("{} holds {} labs", args.lab.display(), labs.len());
        return Err(CliError::wrong_call(message, "name one: a Markdown file, or a lab's folder"));
    };
    let Some(lab) = &linted.parsed.lab else {
        lint::draw(&labs);
        return Ok(Exit::WrongInput);
    };
    let form = match (args.handout, args.format) {
        (true, _) => Form::Text { hints: false },
        (false, ExportFormat::Html) => Form::Text { hints: true },
        (false, ExportFormat::Markdown) => Form::Lab,
    };
    let markdown = export(lab, form);
    let text = match args.format {
        ExportFormat::Markdown => markdown,
        ExportFormat::Html => paper(&lab.title, lab.language.code(), &markdown, &lab.dir),
    };
    match &args.output {
        // A lab must not be lost to its own copy.
        Some(file) if is_same(file, lab.source.path()) => {
            return Err(CliError::wrong_call(
                format!("{} is the lab itself", file.display()),
                "name another file with --output",
            ));
        }
        Some(file) => std::fs::write(file, text)
            .map_err(|source| CliError::Output { what: file.display().to_string(), source })?,
        None => std::io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?,
    }
    Ok(Exit::Passed)
}

fn is_same(one: &std::path::Path, other: &std::path::Path) -> bool {
    std::fs::canonicalize(one).is_ok_and(|one| std::fs::canonicalize(other).is_ok_and(|other| one == other))
}
