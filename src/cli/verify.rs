//! `keywitness verify`: what learners handed in, judged again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::error::CliError;
use super::{grade, lint, screen};
use crate::journal::printable;
use crate::lab::{ClusterKind, Lab};
use crate::learn::handin::{
    Body, LabSide, Private, Sealed, Tampering, Trace, Verified, digest, doubled, judge_further, read, verify,
};
use crate::outcome::{Exit, Verdict};
use crate::run::{CheckPlace, Mode, Plan, Stretch, judged_checks, random_values, score};
use crate::text::redact;
use crate::text::wrapped;

/// Verify files that learners handed in, without a cluster
///
/// Every check is judged by the evidence in the file, and the file is searched for what was changed in it. A file that
/// was forged with care cannot be recognised: docs/tools.md says what this proves and what it cannot.
#[derive(Debug, Args)]
#[command(after_help = "Example: keywitness verify --lab labs/make-it-so class/*.handin --format csv > class.csv\n\n\
    Exit status: 0 all files are as handed in · 1 one is not · 2 the call is wrong, or a file is not a hand-in · \
    3 a file is of a newer keywitness")]
pub(super) struct VerifyArgs {
    /// Files that learners handed in
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The lab that they did
    #[arg(long, value_name = "LAB")]
    lab: PathBuf,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    /// The same as --format csv
    #[arg(long, conflicts_with = "format")]
    csv: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
    Csv,
}

/// A file, and what came of it.
struct Row {
    name: String,
    came: Result<Verified, String>,
}

pub(super) fn main(args: &VerifyArgs) -> Result<Exit, CliError> {
    // What was handed in is of the lab as learners have it.
    let lab = grade::one_lab(&args.lab, false, lint::read)?;
    let whole = grade::one_lab(&args.lab, true, lint::read_whole)?;
    let mut sides = Sides { lab: &lab, whole: &whole, plans: BTreeMap::new() };
    let now = SystemTime::now();
    let mut rows: Vec<Row> =
        args.files.iter().map(|file| Row { name: file.display().to_string(), came: sides.file(file, now) }).collect();
    mark_doubled(&mut rows);
    let text = match if args.csv { Format::Csv } else { args.format } {
        Format::Human => human(&rows),
        Format::Json => json(&rows),
        Format::Csv => csv(&rows),
    };
    for row in &rows {
        if let Err(why) = &row.came {
            screen::error(&CliError::wrong_call(
                format!("{}: {why}", row.name),
                "is it a file that `--hand-in` wrote?",
            ));
        }
    }
    std::io::stdout()
        .write_all(redact(&text).as_bytes())
        .map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
    Ok(exit(&rows))
}

fn exit(rows: &[Row]) -> Exit {
    let traces = || rows.iter().filter_map(|row| row.came.as_ref().ok()).flat_map(|verified| &verified.traces);
    if rows.iter().any(|row| row.came.is_err()) {
        Exit::WrongInput
    } else if traces().any(|trace| trace.tampering != Tampering::FutureVersion) {
        Exit::CheckFailed
    } else if traces().next().is_some() {
        Exit::CannotJudge
    } else {
        Exit::Passed
    }
}

/// The lab as it is on each kind of cluster that a file names.
struct Sides<'l> {
    lab: &'l Lab,
    /// With its private part.
    whole: &'l Lab,
    plans: BTreeMap<String, Option<Plan>>,
}

impl Sides<'_> {
    fn file(&mut self, file: &Path, now: SystemTime) -> Result<Verified, String> {
        let text = std::fs::read(file).map_err(|error| error.to_string())?;
        let text = String::from_utf8(text).map_err(|_| "it is not text".to_owned())?;
        let sealed = read(&text)?;
        let lab = self.lab;
        let (kind, seed) = head(&sealed);
        let plan = &*self.plans.entry(kind.clone()).or_insert_with(|| plan_of(lab, &kind));
        let checks = plan.as_ref().map(|plan| judged_checks(lab, plan)).unwrap_or_default();
        let points = |verdicts: &BTreeMap<CheckPlace, Verdict>, right: &BTreeSet<usize>| match plan {
            Some(plan) => score(lab, plan, verdicts, right),
            None => (0, 0),
        };
        let side = LabSide {
            digest: digest(lab.source.text()),
            checks,
            random: seed.map(|seed| random_values(lab, seed)).unwrap_or_default(),
            secret: lab.vars.iter().filter(|var| var.secret).map(|var| var.name.value.clone()).collect(),
            score: &points,
        };
        let mut verified = verify(&sealed, &side, now);
        if self.whole.source.other().is_some()
            && let Some(plan) = plan_of(self.whole, &kind)
        {
            verified.private = private(self.whole, &plan, &sealed, &side);
        }
        Ok(verified)
    }
}

fn head(sealed: &Sealed) -> (String, Option<u64>) {
    let (mut kind, mut seed) = (String::new(), None);
    for (_, body) in &sealed.bodies {
        match body {
            Body::Cluster { kind: named, .. } => kind.clone_from(named),
            Body::Seed { seed: named } => seed = named.parse().ok(),
            _ => {}
        }
    }
    (kind, seed)
}

/// The checks of the lab's private part, by what was handed in.
fn private(lab: &Lab, plan: &Plan, sealed: &Sealed, side: &LabSide<'_>) -> Vec<Private> {
    let all = plan.steps.iter().flat_map(|step| {
        let checks = step.stretches.iter().flat_map(Stretch::checks).flat_map(|checks| &checks.block.checks);
        checks.map(move |check| (step, check))
    });
    all.filter(|(_, check)| lab.source.is_other(check.span.start))
        .map(|(step, check)| {
            let further = judge_further(sealed, side, &step.id, check);
            Private {
                file: lab.source.name_at(check.span.start).to_owned(),
                line: lab.source.position(check.span.start).line,
                text: check.text.clone(),
                verdict: further.verdict,
                reason: further.reason,
            }
        })
        .collect()
}

fn plan_of(lab: &Lab, kind: &str) -> Option<Plan> {
    let kinds = [ClusterKind::Sandbox, ClusterKind::Kind, ClusterKind::Attach, ClusterKind::Bare];
    let kind = kinds.into_iter().find(|known| known.name() == kind)?;
    Plan::new(lab, kind, Mode::Grade).ok()
}

fn mark_doubled(rows: &mut [Row]) {
    let verified: Vec<Option<&Verified>> = rows.iter().map(|row| row.came.as_ref().ok()).collect();
    let found = doubled(&verified);
    for double in found {
        let (of, learner) =
            (rows[double.of].name.clone(), rows[double.of].came.as_ref().ok().and_then(|of| of.learner.clone()));
        let learner = learner.map(|learner| format!(" of {learner}")).unwrap_or_default();
        if let Ok(verified) = &mut rows[double.file].came {
            let text = format!("it is the same attempt as {of}{learner}");
            verified.traces.push(Trace { tampering: Tampering::DoubledFile, line: None, text });
            verified.traces.sort_by_key(|trace| (trace.tampering, trace.line));
        }
    }
}

fn result(verified: &Verified) -> String {
    let mut kinds: Vec<&str> = verified.traces.iter().map(|trace| trace.tampering.name()).collect();
    kinds.dedup();
    if kinds.is_empty() { "as handed in".to_owned() } else { kinds.join(", ") }
}

fn counts(verified: &Verified) -> (usize, usize, usize) {
    let passed = verified.checks.iter().filter(|check| check.found.unwrap_or(check.recorded) == Verdict::Pass).count();
    (passed, verified.checks.len(), verified.checks.iter().filter(|check| check.found.is_none()).count())
}

/// How many checks of the private part hold, and how many there are.
fn private_counts(verified: &Verified) -> (usize, usize) {
    let hold = verified.private.iter().filter(|check| check.verdict == Verdict::Pass).count();
    (hold, verified.private.len())
}

fn one_line(text: &str) -> String {
    printable(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn human(rows: &[Row]) -> String {
    let columns = console::Term::stdout().size_checked().map_or(usize::MAX, |(_, columns)| usize::from(columns));
    let cells: Vec<[String; 5]> = rows
        .iter()
        .map(|row| match &row.came {
            Err(why) => [row.name.clone(), String::new(), String::new(), String::new(), format!("not readable: {why}")],
            Ok(verified) => {
                let (passed, all, trusted) = counts(verified);
                let hidden = if trusted > 0 { format!(", {trusted} hidden") } else { String::new() };
                [
                    printable(&row.name),
                    printable(verified.learner.as_deref().unwrap_or("-")),
                    format!("{}/{}", verified.points, verified.max_points),
                    format!("{passed} of {all} checks{hidden}"),
                    result(verified),
                ]
            }
        })
        .collect();
    let mut widths = [0; 5];
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(console::measure_text_width(cell));
        }
    }
    let mut out = String::new();
    let mut push = |line: &str| {
        for line in wrapped(line, columns) {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    };
    for (row, cells) in rows.iter().zip(&cells) {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - console::measure_text_width(cell))))
            .collect();
        push(padded.join("  ").trim_end());
        let Ok(verified) = &row.came else { continue };
        for alike in verified.traces.chunk_by(|a, b| (a.tampering, &a.text) == (b.tampering, &b.text)) {
            let Trace { tampering, line, text } = &alike[0];
            let line = match (line, alike.len()) {
                (None, _) => String::new(),
                (Some(line), 1) => format!(" in line {line}"),
                (Some(line), count) => format!(" in {count} lines from {line} on"),
            };
            push(&format!("    {}{line}: {}", tampering.name(), printable(text)));
        }
        if !verified.given.is_empty() {
            push(&format!("    set by hand: {}", verified.given.join(", ")));
        }
        if let (hold, all @ 1..) = private_counts(verified) {
            push(&format!("    private part: {hold} of {all} checks"));
        }
        for check in verified.private.iter().filter(|check| check.verdict != Verdict::Pass) {
            let reason = check.reason.as_ref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
            let (file, line, word) = (&check.file, check.line, check.verdict.word());
            push(&format!("    {word} {file}:{line} `{}`{reason}", one_line(&check.text)));
        }
        for check in verified.checks.iter().filter(|check| check.found.is_none()) {
            push(&format!("    taken as handed in, since it rests on hidden text: `{}`", printable(&check.text)));
        }
    }
    out
}

fn json(rows: &[Row]) -> String {
    let files: Vec<_> = rows
        .iter()
        .map(|row| match &row.came {
            Err(why) => json!({"file": row.name, "readable": false, "reason": why}),
            Ok(verified) => {
                let checks: Vec<_> = verified
                    .checks
                    .iter()
                    .map(|check| json!({"line": check.line, "check": check.text, "recorded": check.recorded, "found": check.found}))
                    .collect();
                let private: Vec<_> = verified
                    .private
                    .iter()
                    .map(|check| {
                        json!({"file": check.file, "line": check.line, "check": check.text, "verdict": check.verdict,
                            "reason": check.reason})
                    })
                    .collect();
                json!({
                    "file": row.name, "readable": true, "private": private, "learner": verified.learner, "lab": verified.lab,
                    "cluster": verified.cluster, "points": verified.points, "max_points": verified.max_points,
                    "hints": verified.hints, "solutions": verified.solutions, "set_by_hand": verified.given,
                    "as_handed_in": verified.traces.is_empty(), "traces": verified.traces, "checks": checks,
                })
            }
        })
        .collect();
    let text = serde_json::to_string_pretty(&json!({"schema": 1, "files": files})).unwrap_or_default();
    format!("{text}\n")
}

fn csv(rows: &[Row]) -> String {
    let mut out = String::from(
        "file,learner,lab,points,max_points,checks_passed,checks,hidden,hints,solutions,result,details,private_passed,private\n",
    );
    for row in rows {
        let cells = match &row.came {
            Err(why) => {
                let mut cells = vec![row.name.clone()];
                cells.extend(std::iter::repeat_n(String::new(), 9));
                cells.extend(["not readable".to_owned(), why.clone(), String::new(), String::new()]);
                cells
            }
            Ok(verified) => {
                let (passed, all, hidden) = counts(verified);
                let details: Vec<&str> = verified.traces.iter().map(|trace| trace.text.as_str()).collect();
                vec![
                    row.name.clone(),
                    verified.learner.clone().unwrap_or_default(),
                    verified.lab.clone(),
                    verified.points.to_string(),
                    verified.max_points.to_string(),
                    passed.to_string(),
                    all.to_string(),
                    hidden.to_string(),
                    verified.hints.to_string(),
                    verified.solutions.to_string(),
                    result(verified),
                    details.join("; "),
                    private_counts(verified).0.to_string(),
                    private_counts(verified).1.to_string(),
                ]
            }
        };
        out.push_str(&cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(","));
        out.push('\n');
    }
    out
}

/// As spreadsheets read it: what begins like a formula is no formula.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn cells_are_texts() {
        assert_eq!(quoted("Anna"), "Anna");
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(quoted("=HYPERLINK(1)"), "'=HYPERLINK(1)");
    }
}
