//! A job's summary in Markdown: a table of the labs, then what failed.

use std::io::{self, Write};

use super::layout::{duration, headline, plural, run_of};
use super::problems::{finding_lines, problems_of};
use crate::outcome::{LabResult, RunReport, Verdict};

/// GitHub takes no summary of more than a mebibyte.
const LARGEST: usize = 900 * 1024;

pub fn markdown(report: &RunReport, to: &mut dyn Write) -> io::Result<()> {
    let mut out = String::new();
    out.push_str(&format!("## {}: {}\n\n", report.command, headline(report)));
    if !report.results.is_empty() {
        out.push_str("| | lab | checks | points | time | |\n|---|---|---|---|---|---|\n");
        for result in &report.results {
            out.push_str(&row(report, result));
        }
        out.push('\n');
    }
    for finding in &report.diagnostics {
        let place = format!("{}:{}:{}", finding.file, finding.line, finding.column);
        out.push_str(&format!("- **{} {}** `{place}`\n", finding.severity.name(), finding.code));
        finding_lines(finding).for_each(|line| out.push_str(&format!("  {}\n", inline(line))));
    }
    if !report.diagnostics.is_empty() {
        out.push('\n');
    }
    let mut left = 0;
    for lab in &report.labs {
        for problem in problems_of(lab) {
            let place = format!("{}:{}", problem.file, problem.line);
            let run = run_of(lab.repeat, lab.repeats, lab.retry);
            let head = format!("{}{run} · {}", inline(&problem.place()), problem.code());
            let fence = fence(problem.all_lines());
            let text: Vec<&str> = problem.all_lines().collect();
            let text = text.join("\n");
            let part = format!(
                "<details open><summary>{head}</summary>\n\n`{place}`\n\n{fence}text\n{text}\n{fence}\n\n</details>\n\n"
            );
            if out.len() + part.len() > LARGEST {
                left += 1;
            } else {
                out.push_str(&part);
            }
        }
    }
    if left > 0 {
        out.push_str(&format!("{} more: the other reports have them.\n\n", plural(left, "problem")));
    }
    for notice in &report.notices {
        let lab = notice.lab.as_ref().map_or_else(String::new, |lab| format!("{}: ", inline(lab)));
        out.push_str(&format!("- note: {lab}{}\n", inline(&notice.message)));
    }
    let shard =
        report.shard.as_ref().map_or_else(String::new, |shard| format!(" · shard {}/{}", shard.index, shard.of));
    out.push_str(&format!("\n{} · seed {}{shard} · {}\n", report.tool, report.seed, duration(report.duration_ms)));
    to.write_all(out.as_bytes())
}

fn row(report: &RunReport, result: &LabResult) -> String {
    let mark = match (result.flaky, result.verdict) {
        (true, _) => "⚠️",
        (_, Verdict::Pass) => "✅",
        (_, Verdict::Fail) => "❌",
        (_, Verdict::CannotJudge) => "❓",
        (_, Verdict::Skipped) => "➖",
    };
    let runs = || report.labs.iter().filter(|lab| lab.file == result.file);
    let last = runs().next_back();
    let checks: Vec<_> = last.iter().flat_map(|lab| &lab.steps).flat_map(|step| &step.checks).collect();
    let passed = checks.iter().filter(|check| check.verdict == Verdict::Pass).count();
    let points = last.map_or_else(String::new, |lab| format!("{}/{}", lab.points, lab.max_points));
    let reason = runs().find(|lab| lab.verdict == result.verdict).and_then(|lab| lab.reason.clone());
    let several = (result.runs > 1).then(|| format!("passed {} of {}", result.passed, result.runs));
    let flaky = result.flaky.then(|| "flaky".to_owned());
    let said: Vec<String> = several.into_iter().chain(flaky).chain(reason).collect();
    format!(
        "| {mark} | {} | {passed}/{} | {points} | {} | {} |\n",
        inline(&result.id),
        checks.len(),
        duration(result.duration_ms),
        inline(&said.join(" · ")).replace('|', "\\|"),
    )
}

/// What a lab or a program wrote is text here, in one line.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '*' | '_' | '`' | '[' | ']' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Longer than every run of backticks inside.
fn fence<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let longest = lines.flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}
