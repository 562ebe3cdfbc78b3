mod fix;
mod minutes;

use std::collections::{BTreeSet, HashMap};
use std::io::Write as _;

use clap::{Args, ValueEnum};

use super::args::{FileArgs, LabArgs};
use super::error::CliError;
use super::labs::{Course, LabFile, NoLab, Oddity};
use crate::outcome::{DiagnosticReport, Exit, LeftOut, RunReport};
use crate::parse::{FILE_NAME, NOT_UTF8, Parsed, RULES, ask_bash_of_all, explain, parse_all, rule};
use crate::report::{SarifRule, github, json, sarif};
use crate::text::{Diagnostic, Severity, SourceFile, Span};

#[derive(Debug, Args)]
pub(super) struct LintArgs {
    #[command(flatten)]
    pub(super) labs: LabArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: LintFormat,
    /// Apply the fixes that need no decision, and show the other findings
    #[arg(long)]
    pub(super) fix: bool,
    /// Explain a finding's code: why it is reported, an example, and the fix
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "format", "fix", "runs"])]
    pub(super) explain: Option<String>,
    /// Hold `minutes` against the runs that are saved in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "fix")]
    pub(super) runs: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub(super) files: FileArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LintFormat {
    Human,
    Json,
    /// Annotations of a pull request
    Github,
    /// For code scanning
    Sarif,
}

/// A lab file with what parsing it gave.
pub(super) struct Linted {
    pub(super) file: LabFile,
    pub(super) parsed: Parsed,
}

/// The labs under the given paths, all of them, whatever is wrong with some: in the order of their needs, and else as
/// they came. And the Markdown files that are none.
pub(super) fn read(args: &LabArgs) -> Result<(Vec<Linted>, Vec<NoLab>), CliError> {
    let Course { labs, others } = super::labs::find(&args.paths)?;
    Ok((parsed(labs), others))
}

/// The same for those who write and grade labs: with the private parts beside them.
pub(super) fn read_whole(args: &LabArgs) -> Result<(Vec<Linted>, Vec<NoLab>), CliError> {
    let Course { mut labs, others } = super::labs::find(&args.paths)?;
    for lab in &mut labs {
        lab.source = super::labs::whole(&lab.source)?;
    }
    Ok((parsed(labs), others))
}

fn parsed(labs: Vec<LabFile>) -> Vec<Linted> {
    let sources: Vec<SourceFile> = labs.iter().map(|file| file.source.clone()).collect();
    let mut parsed = parse_all(&sources);
    ask_bash_of_all(&mut parsed, &sources);
    let mut labs: Vec<Linted> = labs.into_iter().zip(parsed).map(|(file, parsed)| Linted { file, parsed }).collect();
    for lab in &mut labs {
        if let Some(oddity) = lab.file.oddity {
            let finding = odd(oddity, &lab.file.source);
            if finding.severity == Severity::Error {
                lab.parsed.refuse();
            }
            lab.parsed.findings.insert(0, finding);
        }
    }
    in_course_order(labs)
}

pub(super) fn odd(oddity: Oddity, source: &SourceFile) -> Diagnostic {
    let name = source.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match oddity {
        Oddity::NearReadme => FILE_NAME.finding(
            Span::new(0, 0),
            format!("`{name}` is not `README.md`, which is the file of a folder's lab"),
            Some("rename it: where upper and lower case differ, other tools do not find it".to_owned()),
        ),
        Oddity::AloneInFolder => {
            let stem = source.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let message = format!("this lab has the id `{stem}`, and the file of a folder's lab is `README.md`");
            FILE_NAME.finding(Span::new(0, 0), message, Some("rename it: its id is the folder's name then".to_owned()))
        }
        Oddity::NotUtf8(at) => NOT_UTF8.finding(
            Span::new(at, at),
            "this file is not UTF-8".to_owned(),
            Some("save it as UTF-8".to_owned()),
        ),
    }
}

/// A lab after those that it needs.
fn in_course_order(labs: Vec<Linted>) -> Vec<Linted> {
    let mut waiting: HashMap<String, usize> = HashMap::new();
    for lab in &labs {
        *waiting.entry(id(lab).to_owned()).or_default() += 1;
    }
    let mut needed_by: HashMap<String, Vec<usize>> = HashMap::new();
    let mut open = vec![0; labs.len()];
    for (at, lab) in labs.iter().enumerate() {
        let needed: BTreeSet<&str> = needs(lab).filter(|need| waiting.contains_key(*need)).collect();
        open[at] = needed.len();
        for need in needed {
            needed_by.entry(need.to_owned()).or_default().push(at);
        }
    }
    let mut left: BTreeSet<usize> = (0..labs.len()).collect();
    let mut ready: BTreeSet<usize> = left.iter().copied().filter(|at| open[*at] == 0).collect();
    let mut labs: Vec<Option<Linted>> = labs.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(labs.len());
    // Those that need one another have no order.
    while let Some(at) = ready.pop_first().or_else(|| left.first().copied()) {
        left.remove(&at);
        let Some(lab) = labs[at].take() else { continue };
        if let Some(count) = waiting.get_mut(id(&lab)) {
            *count -= 1;
            if *count == 0 {
                for user in needed_by.remove(id(&lab)).unwrap_or_default() {
                    open[user] -= 1;
                    if open[user] == 0 && left.contains(&user) {
                        ready.insert(user);
                    }
                }
            }
        }
        ordered.push(lab);
    }
    ordered
}

fn id(lab: &Linted) -> &str {
    lab.parsed.lab.as_ref().map_or("", |lab| lab.id.as_str())
}

fn needs(lab: &Linted) -> impl Iterator<Item = &str> {
    lab.parsed.lab.iter().flat_map(|lab| &lab.needs).map(|need| need.value.as_str())
}

/// Names on standard error the Markdown files that are no labs.
pub(super) fn name_others(others: &[NoLab]) {
    const SHOWN: usize = 20;
    let mut stderr = std::io::stderr().lock();
    for other in others.iter().take(SHOWN) {
        drop(writeln!(stderr, "no lab: {}: {}", other.path.display(), other.reason));
    }
    if others.len() > SHOWN {
        drop(writeln!(stderr, "no lab: {} more Markdown files", others.len() - SHOWN));
    }
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
    if let Some(code) = &args.explain {
        return print(&explained(code)?).map(|()| Exit::Passed);
    }
    let (mut labs, others) = match args.labs.paths.as_slice() {
        [path] if path.as_os_str() == "-" => {
            if args.fix {
                return Err(CliError::wrong_call("standard input cannot be changed", "save it, and name the file"));
            }
            (parsed(vec![super::labs::from_stdin()?]), Vec::new())
        }
        paths if paths.iter().any(|path| path.as_os_str() == "-") => {
            return Err(CliError::wrong_call(
                "`-` cannot be combined with other paths",
                "give it alone: keywitness lint -",
            ));
        }
        // What is written back is the lab alone.
        _ if args.fix => read(&args.labs)?,
        _ => read_whole(&args.labs)?,
    };
    if args.fix {
        labs = fix::all(labs)?;
    }
    if let Some(runs) = &args.runs {
        minutes::look(&mut labs, runs)?;
    }
    let (errors, warnings) = count(&labs);
    let exit = if errors > 0 { Exit::WrongInput } else { Exit::Passed };
    let report = run_report(&labs, &others, exit);
    let mut stdout = std::io::stdout().lock();
    let written = match args.format {
        LintFormat::Human => {
            draw(&labs);
            name_others(&others);
            writeln!(stdout, "{}", summary(labs.len(), errors, warnings))
        }
        LintFormat::Json => json(&report, &mut stdout),
        LintFormat::Github => github(&report, &mut stdout),
        LintFormat::Sarif => sarif_of(&report, &mut stdout),
    };
    written.map_err(unwritten)?;
    Ok(super::outputs::write_beside(&report, &args.files, None, args.format != LintFormat::Github))
}

fn print(text: &str) -> Result<(), CliError> {
    writeln!(std::io::stdout().lock(), "{text}").map_err(unwritten)
}

fn unwritten(source: std::io::Error) -> CliError {
    CliError::Output { what: "standard output".to_owned(), source }
}

/// With the rules of every finding.
pub(super) fn sarif_of(report: &RunReport, to: &mut dyn std::io::Write) -> std::io::Result<()> {
    sarif(report, &sarif_rules(), to)
}

fn sarif_rules() -> Vec<SarifRule<'static>> {
    RULES
        .iter()
        .map(|rule| SarifRule {
            code: rule.code.0,
            level: rule.severity.name(),
            meaning: rule.meaning,
            help: explain(rule.code.0).unwrap_or(rule.meaning),
        })
        .collect()
}

/// What `--explain` prints.
fn explained(code: &str) -> Result<String, CliError> {
    let rule =
        rule(code).map_err(|hint| CliError::wrong_call(format!("`{code}` is not the code of a finding"), hint))?;
    let section = explain(rule.code.0).unwrap_or_default();
    Ok(format!("{} ({}): {}\n\n{section}", rule.code.0, rule.severity.name(), rule.meaning))
}

fn summary(labs: usize, errors: usize, warnings: usize) -> String {
    let count = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let labs = count(labs, "lab");
    match (errors, warnings) {
        (0, 0) => format!("{labs}: no findings"),
        (0, _) => format!("{labs}: {}", count(warnings, "warning")),
        (_, 0) => format!("{labs}: {}", count(errors, "error")),
        _ => format!("{labs}: {}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

/// What is to be reported of Markdown files that are no labs.
pub(super) fn left_out(others: &[NoLab]) -> impl Iterator<Item = LeftOut> {
    others.iter().map(|other| LeftOut { file: other.path.display().to_string(), reason: other.reason.clone() })
}

fn run_report(labs: &[Linted], others: &[NoLab], exit: Exit) -> RunReport {
    RunReport {
        schema: 1,
        tool: format!("keywitness {}", env!("CARGO_PKG_VERSION")),
        command: "lint".to_owned(),
        seed: "0".to_owned(),
        exit: exit.code(),
        started_at: super::now(),
        host: super::host(),
        diagnostics: reports(labs),
        left_out: left_out(others).collect(),
        ..RunReport::default()
    }
}
