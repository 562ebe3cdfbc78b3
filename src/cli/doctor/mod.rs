//! `keywitness doctor`: what this machine has, what is missing, and what to do about it.

mod machine;
mod tools;

use std::io::Write;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::args::Format;
use super::error::CliError;
use super::provider;
use crate::lab::ClusterKind;
use crate::outcome::Exit;
use crate::text::wrapped;
use crate::text::{CROSS, TICK, redact};

/// Check what this machine has: tools, container engine, limits, space
///
/// Exit status 0 when labs can run here on the sandbox, on kind or bare, else 3.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    name: &'static str,
    state: State,
    detail: String,
    /// What does not work as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    prevents: Option<String>,
    /// A command, or what else to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    Warning,
    Missing,
}

impl Finding {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Good, detail: detail.into(), prevents: None, fix: None }
    }

    fn warning(name: &'static str, detail: impl Into<String>, prevents: &str, fix: &str) -> Self {
        Self::bad(State::Warning, name, detail, prevents, fix)
    }

    fn missing(name: &'static str, detail: impl Into<String>, prevents: &str, fix: &str) -> Self {
        Self::bad(State::Missing, name, detail, prevents, fix)
    }

    fn bad(state: State, name: &'static str, detail: impl Into<String>, prevents: &str, fix: &str) -> Self {
        let (prevents, fix) = (Some(prevents.to_owned()), Some(fix.to_owned()));
        Self { name, state, detail: detail.into(), prevents, fix }
    }
}

/// Whether labs can run on one kind of cluster, or why not.
#[derive(Debug, Serialize)]
struct Usable {
    cluster: &'static str,
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(super) fn main(args: &DoctorArgs) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| CliError::unavailable(format!("no threads to run on: {error}"), "try again"))?;
    let (mut findings, engine, machine) =
        runtime.block_on(async { tokio::join!(tools::look(), tools::engine(), machine::look()) });
    runtime.shutdown_background();
    let no_engine = (engine.state == State::Missing).then(|| engine.detail.clone());
    let bash = findings.iter().any(|finding| finding.name == "bash" && finding.state == State::Missing);
    let work = machine.iter().find(|finding| finding.name == "work folder" && finding.state == State::Missing);
    let everywhere = work.map(|work| work.detail.clone()).or_else(|| bash.then(|| "bash is not installed".to_owned()));
    let usable: Vec<Usable> = [ClusterKind::Sandbox, ClusterKind::Bare, ClusterKind::Kind]
        .into_iter()
        .map(|kind| {
            let engine = no_engine.clone().filter(|_| kind == ClusterKind::Kind);
            let reason = everywhere.clone().or_else(|| provider::obstacle(kind)).or(engine);
            Usable { cluster: kind.name(), usable: reason.is_none(), reason }
        })
        .collect();
    findings.push(engine);
    findings.extend(machine);
    let text = match args.format {
        Format::Human => human(&usable, &findings),
        Format::Json => {
            let whole = json!({"schema": 1, "tool": TOOL, "clusters": usable, "findings": findings});
            format!("{}\n", serde_json::to_string_pretty(&whole).unwrap_or_default())
        }
    };
    std::io::stdout()
        .write_all(redact(&text).as_bytes())
        .map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
    Ok(if usable.iter().any(|one| one.usable) { Exit::Passed } else { Exit::CannotJudge })
}

use super::TOOL;

fn human(usable: &[Usable], findings: &[Finding]) -> String {
    let columns = console::Term::stdout().size_checked().map_or(usize::MAX, |(_, columns)| usize::from(columns));
    let mut lines = vec![TOOL.to_owned(), String::new(), "Labs run here on:".to_owned()];
    for Usable { cluster, usable, reason } in usable {
        let reason = reason.as_deref().unwrap_or("");
        lines.push(format!("  {} {cluster:<10}  {reason}", sign(if *usable { State::Good } else { State::Missing })));
    }
    lines.push(format!(
        "  {} {:<10}  an existing cluster, only on request: --on attach",
        sign(State::Good),
        ClusterKind::Attach.name()
    ));
    lines.push(String::new());
    for Finding { name, state, detail, prevents, fix } in findings {
        lines.push(format!("{} {name:<12}  {detail}", sign(*state)));
        for (what, text) in [("prevents", prevents), ("to fix", fix)] {
            lines.extend(text.as_ref().map(|text| format!("    {what}: {text}")));
        }
    }
    let mut out = String::new();
    for line in lines {
        for line in wrapped(&line, columns) {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}

fn sign(state: State) -> console::StyledObject<&'static str> {
    match state {
        State::Good => console::style(TICK).green(),
        State::Warning => console::style("!").yellow(),
        State::Missing => console::style(CROSS).red(),
    }
}
