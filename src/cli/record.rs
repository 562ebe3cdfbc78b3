//! `record`: from a lab, or a plain tutorial, to checks that are proposed from what etcd saw.

mod review;
mod runs;
mod show;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use self::runs::Stuck;
use super::args::Format;
use super::error::CliError;
use super::screen;
use crate::author::record::{
    Correction, Draft, KilledBy, Layout, Proposal, Recorded, converted, corrections, draft, only_shown, recorded,
    with_proposals,
};
use crate::lab::{ClusterKind, Item, Lab};
use crate::outcome::Exit;
use crate::parse::{ENDLESS, Heard, PLACEHOLDER, WAITS_FOR_INPUT, ask_bash, parse};
use crate::terminal::commands_of;
use crate::text::{Diagnostic, Severity, SourceFile};

/// Propose checks for a lab, or for a tutorial in plain Markdown, from what etcd saw of several runs of it
///
/// The file is run three times with different seeds and names, once on a slowed store, once without its commands, and
/// once without each command. What all runs have in common and what fails without a command of its own is proposed, at
/// most three checks under a heading. Without --write nothing is changed: on a terminal each proposal is reviewed, elsewhere they
/// are shown as a diff.
#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    /// The lab, or a Markdown file without any markup of a lab; or a folder with a README.md
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Write all proposals into the file without a review: lines are added, no line is changed. Refused in CI
    #[arg(long)]
    write: bool,
    /// Write the lab into a new file, and leave this one as it is. There lines may change: fences of `shell` become
    /// `bash`, those with prompts `console`, what these show becomes what the commands print, blocks that cannot run by
    /// themselves are only shown, and front matter that no lab has is left out
    #[arg(long, value_name = "FILE", conflicts_with = "write")]
    into: Option<PathBuf>,
    /// Write what a review left in a file that --format json printed; runs nothing
    #[arg(long, value_name = "FILE", requires = "write")]
    reviewed: Option<PathBuf>,
    /// Propose everything that holds, not only the best three checks under each heading
    #[arg(long)]
    all: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    /// As many runs at once [default: one more than there are CPUs]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Seed of the first run
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

pub(super) fn main(args: &RecordArgs) -> Result<Exit, CliError> {
    if (args.write || args.into.is_some()) && screen::in_ci() {
        let hint = "record on your own machine, look at what is proposed, and commit it";
        return Err(CliError::wrong_call("`record` writes nothing in CI", hint));
    }
    let (mut source, name) = read(&args.path)?;
    if let Some(into) = &args.into {
        if into.exists() {
            let message = format!("{} is there already", into.display());
            return Err(CliError::wrong_call(message, "name a file that is not there yet"));
        }
        source = converted(&source, into);
    }
    let runtime = super::runtime()
        .map_err(|error| CliError::unavailable(format!("no threads to run on: {error}"), "try again"))?;
    if args.into.is_some() {
        match runtime.block_on(Box::pin(that_runs(&source, args)))? {
            Some(runs) => source = runs,
            None => return Ok(Exit::Interrupted),
        }
    }
    let drafted = draft(&source);
    let lab = lab_of(&drafted)?;
    let kind = kind(&lab)?;
    let layout = runtime.block_on(layout(&lab, kind));
    if layout.mutants().is_empty() {
        return Err(nothing_runs(&drafted, &name));
    }
    let found = if let Some(file) = &args.reviewed {
        let found = Recorded { proposals: show::reviewed(file, &layout, &drafted)?, commands: Vec::new() };
        Some((found, Vec::new()))
    } else {
        let recording = recording(args, &layout, &drafted, kind);
        let bug = |why: String| CliError::unavailable(why, "please report this, with the file");
        match runtime.block_on(recording.all())? {
            None => None,
            Some(runs) => {
                let mut found = recorded(&layout, &runs, args.all).map_err(bug)?;
                let open: Vec<(usize, usize)> =
                    found.commands.iter().filter(|one| one.killed_by.is_none()).map(|one| one.of).collect();
                let needed = runtime.block_on(recording.needed(open))?;
                for command in found.commands.iter_mut().filter(|one| needed.contains(&one.of)) {
                    command.killed_by = Some(KilledBy::Later);
                }
                let wrong = corrections(&layout, &runs);
                Some((found, wrong))
            }
        }
    };
    runtime.shutdown_background();
    match found {
        Some((found, wrong)) => finish(args, &source, &drafted, &layout, found, &wrong),
        None => Ok(Exit::Interrupted),
    }
}

fn recording<'a>(args: &RecordArgs, layout: &'a Layout, drafted: &'a Draft, kind: ClusterKind) -> runs::Recording<'a> {
    let jobs = args.jobs.map_or_else(default_jobs, usize::from);
    runs::Recording { layout, added: &drafted.added, kind, seed: args.seed, jobs }
}

/// A file of its own whose blocks all run by themselves: those that wait for somebody, never end, or have a placeholder
/// in them are only shown, and so is what fails, with the rest of its block. Nothing where it was interrupted.
async fn that_runs(source: &SourceFile, args: &RecordArgs) -> Result<Option<SourceFile>, CliError> {
    let mut source = source.clone();
    // Each turn shows at least one block more.
    loop {
        let drafted = draft(&source);
        let mut found = waiting(&drafted);
        if found.is_empty() {
            let lab = lab_of(&drafted)?;
            let kind = kind(&lab)?;
            let layout = layout(&lab, kind).await;
            if layout.mutants().is_empty() {
                return Ok(Some(source));
            }
            match recording(args, &layout, &drafted, kind).failing().await? {
                Some(failing) => found = failing,
                None => return Ok(None),
            }
        }
        let own = |line: usize| drafted.added.original(line);
        let fences = found.iter().map(|stuck| (own(stuck.fence), stuck.command.map(own))).collect();
        let shown = only_shown(&source, &fences);
        if shown.text() == source.text() {
            return Ok(Some(source));
        }
        for Stuck { fence, command, why } in &found {
            let line = own(command.unwrap_or(*fence));
            screen::note(&format!("{}:{line}: what does not run is only shown (`norun`): {why}", source.name()));
        }
        source = shown;
    }
}

/// Blocks of which lint knows that they do not end by themselves. The whole of them is one thing to do: what stands before
/// an editor is of no use without it.
fn waiting(drafted: &Draft) -> Vec<Stuck> {
    let parsed = parse(&drafted.source);
    let items = parsed.lab.iter().flat_map(|lab| &lab.steps).flat_map(|step| &step.items);
    let blocks = items.filter_map(|item| match item {
        Item::Action(action) if !action.norun => Some(action.span),
        _ => None,
    });
    let codes = [PLACEHOLDER, WAITS_FOR_INPUT, ENDLESS].map(|rule| rule.code);
    let found = blocks.filter_map(|span| {
        let is_here = |finding: &&Diagnostic| {
            codes.contains(&finding.code) && finding.span.start >= span.start && finding.span.end <= span.end
        };
        let finding = parsed.findings.iter().find(is_here)?;
        let fence = drafted.source.position(span.start).line;
        Some(Stuck { fence, command: None, why: finding.message.clone() })
    });
    found.collect()
}

/// Shows what is proposed, has it reviewed, and writes it, as far as each is asked for.
fn finish(
    args: &RecordArgs,
    source: &SourceFile,
    drafted: &Draft,
    layout: &Layout,
    mut found: Recorded,
    wrong: &[Correction],
) -> Result<Exit, CliError> {
    let must_write = args.write || args.into.is_some();
    let reviews = screen::is_live() && !args.write && args.format == Format::Human;
    if args.format == Format::Json && !must_write {
        print(&show::as_json(layout, drafted, &found))?;
        return Ok(Exit::Passed);
    }
    // Lines that a person wrote are corrected in a new file only.
    let corrected = if args.into.is_some() { wrong } else { &[] };
    if reviews && !found.proposals.is_empty() && !review::review(layout, drafted, &mut found.proposals)? {
        return Ok(Exit::Passed);
    }
    let text = with_proposals(layout, &found.proposals, corrected);
    if args.format == Format::Human {
        print(&show::as_text(source, drafted, &found, &text))?;
    }
    if corrected.is_empty() {
        for correction in wrong {
            let line = drafted.added.original(correction.first);
            screen::note(&format!("{}:{line}: the commands do not print what is shown here", source.name()));
        }
    }
    check_again(source, &text)?;
    let is_new = args.into.is_some() || text != source.text();
    let writes = must_write || (reviews && is_new && review::writes(source.name())?);
    if writes && is_new {
        write(source.path(), &text)?;
        if args.format == Format::Human {
            let shown = source.name();
            print(&format!("\nwritten to {shown}\n\nNext:\n  keywitness test {shown}\n"))?;
        }
    }
    if args.format == Format::Json {
        print(&show::as_json(layout, drafted, &found))?;
    }
    Ok(Exit::Passed)
}

fn read(path: &Path) -> Result<(SourceFile, String), CliError> {
    let file = if path.is_dir() { path.join("README.md") } else { path.to_owned() };
    let text = std::fs::read_to_string(&file).map_err(|error| {
        let hint = "name a Markdown file, or a folder with a README.md";
        CliError::wrong_call(format!("cannot read {}: {error}", file.display()), hint)
    })?;
    let name = file.display().to_string();
    Ok((SourceFile::new(name.clone(), file, text), name))
}

fn lab_of(drafted: &Draft) -> Result<Lab, CliError> {
    let source = &drafted.source;
    let mut parsed = parse(source);
    ask_bash(&mut parsed, source, &mut Heard::default());
    if let Some(lab) = parsed.lab {
        return Ok(lab);
    }
    let mut stderr = std::io::stderr().lock();
    for finding in parsed.findings.iter().filter(|finding| finding.severity == Severity::Error) {
        // With stderr gone the exit status is all that is left to say it.
        drop(writeln!(stderr, "{}", finding.draw(source, console::colors_enabled_stderr())));
    }
    let hint = if drafted.added.is_empty() {
        "mend it first; `keywitness lint` finds the same"
    } else {
        "mend it first; the lines are those of the file with what would be added to it"
    };
    Err(CliError::wrong_call(format!("{} has errors", source.name()), hint))
}

/// Where it is recorded: each run has a cluster of its own, which must cost nothing.
fn kind(lab: &Lab) -> Result<ClusterKind, CliError> {
    let kinds = [ClusterKind::Bare, ClusterKind::Sandbox];
    let own = |kind: &&ClusterKind| lab.clusters.iter().any(|own| own.value == **kind);
    let Some(kind) = kinds.iter().find(own) else {
        let names: Vec<&str> = lab.clusters.iter().map(|kind| kind.value.name()).collect();
        let hint = "a recording runs a lab many times, each on a fresh cluster: a sandbox, or a bare etcd";
        return Err(CliError::wrong_call(format!("this lab runs on {} only", names.join(", ")), hint));
    };
    match super::provider::obstacle(*kind) {
        Some(why) => Err(CliError::unavailable(why, "`keywitness doctor` tells what this machine has")),
        None => Ok(*kind),
    }
}

async fn layout(lab: &Lab, kind: ClusterKind) -> Layout {
    let mut commands = Vec::new();
    for lines in Layout::lines(lab, kind) {
        commands.push(commands_of(&lines).await);
    }
    Layout::new(lab, kind, commands)
}

fn nothing_runs(drafted: &Draft, name: &str) -> CliError {
    let message = format!("{name} has no block that runs");
    match drafted.shown.first() {
        Some((line, language)) => CliError::wrong_call(
            message,
            format!(
                "`bash`, `sh` and `console` fences run, and every other language is only shown: write `bash` for \
                 `{language}`, first at line {line}, and `console` where the commands have prompts; or --into FILE, \
                 which does it in a new file"
            ),
        ),
        None => CliError::wrong_call(message, "write the commands in fences of `bash`, or of `console` with prompts"),
    }
}

fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, |cpus| cpus.get() + 1)
}

/// Nothing is written that is no lab.
fn check_again(source: &SourceFile, text: &str) -> Result<(), CliError> {
    let written = SourceFile::new(source.name().to_owned(), source.path(), text.to_owned());
    let parsed = parse(&written);
    if parsed.lab.is_some() {
        return Ok(());
    }
    let first = parsed.findings.iter().find(|finding| finding.severity == Severity::Error);
    let what = first.map(|finding| finding.draw(&written, false)).unwrap_or_default();
    Err(CliError::wrong_call(format!("with the proposals the lab has errors:\n{what}"), "edit or reject the proposal"))
}

/// Whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |source: std::io::Error| CliError::Output { what: path.display().to_string(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    if let Ok(known) = std::fs::metadata(path) {
        file.as_file().set_permissions(known.permissions()).map_err(failed)?;
    }
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn print(text: &str) -> Result<(), CliError> {
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    written.map_err(|source| CliError::Output { what: "standard output".to_owned(), source })
}

/// The line of a proposal's block in the file as it is.
fn line(drafted: &Draft, proposal: &Proposal) -> usize {
    drafted.added.original(proposal.line)
}
