//! What is proposed, for a person and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::line;
use crate::author::record::{Draft, KilledBy, Layout, Proposal, Recorded, Weighed, What, difference};
use crate::cli::error::CliError;
use crate::text::{SourceFile, redact};

/// The diff, and what it comes to.
pub(super) fn as_text(source: &SourceFile, drafted: &Draft, found: &Recorded, text: &str) -> String {
    let mut out = String::new();
    // A text is written without failing.
    let diff = difference(source.name(), source.text(), text);
    let _ = if diff.is_empty() { writeln!(out, "nothing to add") } else { write!(out, "{}", redact(&diff)) };
    let accepted = |what: What| found.proposals.iter().filter(move |p| p.accepted && p.what == what).count();
    let is_killed = |command: &&Weighed| match command.killed_by {
        Some(KilledBy::Proposal(_)) => found.proposals.iter().any(|p| p.accepted && p.kills.contains(&command.line)),
        Some(_) => true,
        None => false,
    };
    let killed = found.commands.iter().filter(is_killed).count();
    let (checks, outputs) = (accepted(What::Check), accepted(What::Output));
    let _ = writeln!(
        out,
        "\n{checks} check{}, {outputs} expected output{}; {killed} of {} commands are missed where they are left out",
        s(checks),
        s(outputs),
        found.commands.len()
    );
    for command in found.commands.iter().filter(|command| !is_killed(command)) {
        let first = command.text.lines().next().unwrap_or_default();
        let _ = writeln!(out, "  no check looks at line {}: {}", drafted.added.original(command.line), redact(first));
    }
    for (line, language) in &drafted.shown {
        let _ = writeln!(out, "  line {line}: a fence of `{language}` is only shown; `bash` runs");
    }
    out
}

fn s(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

pub(super) fn as_json(layout: &Layout, drafted: &Draft, found: &Recorded) -> String {
    let proposal = |proposal: &Proposal| {
        let mut value = json!(proposal);
        value["line"] = json!(line(drafted, proposal));
        value["kills"] = proposal.kills.iter().map(|line| drafted.added.original(*line)).collect();
        value
    };
    let killed_by = |command: &Weighed| match &command.killed_by {
        Some(KilledBy::Lab) => json!("the lab"),
        Some(KilledBy::Block) => json!("its block"),
        Some(KilledBy::Later) => json!("a later block"),
        Some(KilledBy::Proposal(at)) => json!(found.proposals.get(*at).map(|proposal| &proposal.id)),
        None => Value::Null,
    };
    let command = |command: &Weighed| {
        json!({
            "line": drafted.added.original(command.line),
            "text": redact(&command.text),
            "killed_by": killed_by(command),
        })
    };
    let whole = json!({
        "lab": layout.lab.id,
        "proposals": found.proposals.iter().map(proposal).collect::<Vec<_>>(),
        "commands": found.commands.iter().map(command).collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}

/// The proposals of a file that `--format json` printed, as a review left them.
pub(super) fn reviewed(file: &Path, layout: &Layout, drafted: &Draft) -> Result<Vec<Proposal>, CliError> {
    let wrong = |why: String| {
        let message = format!("{} is no review: {why}", file.display());
        CliError::wrong_call(message, "`keywitness record PATH --format json` prints what can be reviewed")
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let mut value: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let proposals: Vec<Proposal> =
        serde_json::from_value(value["proposals"].take()).map_err(|error| wrong(error.to_string()))?;
    let placed = |mut proposal: Proposal| {
        let own = proposal.line;
        if proposal.what != What::Cleanup {
            let found = layout.blocks.iter().position(|block| drafted.added.original(block.line) == own);
            let block = found.ok_or_else(|| wrong(format!("no block begins at line {own}: the lab has changed")))?;
            proposal.place(block, layout);
        }
        Ok(proposal)
    };
    proposals.into_iter().map(placed).collect()
}
