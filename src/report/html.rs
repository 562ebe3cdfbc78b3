//! One page that needs nothing else: the labs, their steps, the time line of commands and of etcd's events, and what
//! failed beside what came.

mod recordings;
mod time_line;

use std::fmt::Write as _;
use std::io::{self, Write};

use super::layout::{duration, headline, plural, run_of};
use super::problems::{Problem, finding_lines, problems_of};
use crate::outcome::{ActionReport, CheckReport, LabReport, LabResult, Proof, RunReport, StepReport, Verdict};
use crate::text::html_escaped;

const STYLE: &str = include_str!("html/report.css");

pub fn html(report: &RunReport, to: &mut dyn Write) -> io::Result<()> {
    let mut out = String::new();
    let title = format!("keywitness {}: {}", report.command, headline(report));
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{}</h1>\n<p class=\"facts\">{}</p>\n\
         </header>\n<main>\n",
        html_escaped(&title),
        html_escaped(&title),
        html_escaped(&facts(report)),
    );
    if report.labs.len() > 1 {
        table(&mut out, report);
    }
    findings(&mut out, report);
    for (index, lab) in report.labs.iter().enumerate() {
        write_lab(&mut out, lab, index, report.labs.len() == 1);
    }
    notes(&mut out, report);
    out.push_str("</main>\n</body>\n</html>\n");
    to.write_all(out.as_bytes())
}

fn facts(report: &RunReport) -> String {
    let host = &report.host;
    let shard = report.shard.as_ref().map(|shard| format!("shard {}/{}", shard.index, shard.of));
    let machine = (!host.os.is_empty())
        .then(|| format!("{} {}, {}", host.os, host.arch, plural(host.cpus as usize, "processor")));
    let all = [
        Some(report.started_at.clone()),
        Some(duration(report.duration_ms)),
        Some(report.tool.clone()),
        Some(format!("seed {}", report.seed)),
        shard,
        machine,
        Some(format!("exit status {}", report.exit)),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn table(out: &mut String, report: &RunReport) {
    out.push_str(
        "<section aria-labelledby=\"labs\">\n<h2 id=\"labs\">Labs</h2>\n<div class=\"wide\" tabindex=\"0\" \
         role=\"region\" aria-label=\"table of labs\"><table>\n<thead><tr><th scope=\"col\">Lab</th>\
         <th scope=\"col\">Outcome</th><th scope=\"col\">Points</th><th scope=\"col\">Time</th>\
         <th scope=\"col\">Why</th></tr></thead>\n<tbody>\n",
    );
    for (index, lab) in report.labs.iter().enumerate() {
        let run = run_of(lab.repeat, lab.repeats, lab.retry);
        let flaky = if lab.flaky { " <span class=\"flaky\">flaky</span>" } else { "" };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\"><a href=\"#lab-{index}\">{}{}</a></th><td>{}{flaky}</td><td>{}/{}</td><td>{}</td>\
             <td>{}</td></tr>",
            html_escaped(&lab.id),
            html_escaped(&run),
            badge(lab.verdict),
            lab.points,
            lab.max_points,
            duration(lab.duration_ms),
            html_escaped(lab.reason.as_deref().unwrap_or_default()),
        );
    }
    out.push_str("</tbody></table></div>\n");
    let several: Vec<&LabResult> = report.results.iter().filter(|result| result.runs > 1).collect();
    if !several.is_empty() {
        out.push_str("<ul>\n");
        for result in several {
            let flaky = if result.flaky { ": flaky" } else { "" };
            let _ = writeln!(
                out,
                "<li>{}: passed {} of {}{flaky}</li>",
                html_escaped(&result.id),
                result.passed,
                result.runs
            );
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</section>\n");
}

fn findings(out: &mut String, report: &RunReport) {
    if report.diagnostics.is_empty() {
        return;
    }
    out.push_str("<section aria-labelledby=\"findings\">\n<h2 id=\"findings\">Findings</h2>\n<ul>\n");
    for finding in &report.diagnostics {
        let lines: Vec<String> = finding_lines(finding).map(|line| html_escaped(line).clone()).collect();
        let _ = writeln!(
            out,
            "<li><strong>{} {}</strong> <code>{}:{}:{}</code><br>{}</li>",
            finding.severity.name(),
            html_escaped(&finding.code),
            html_escaped(&finding.file),
            finding.line,
            finding.column,
            lines.join("<br>"),
        );
    }
    out.push_str("</ul>\n</section>\n");
}

fn write_lab(out: &mut String, lab: &LabReport, index: usize, alone: bool) {
    let run = run_of(lab.repeat, lab.repeats, lab.retry);
    let cluster = &lab.cluster;
    let kubernetes = cluster.kubernetes.as_ref().map(|version| format!("Kubernetes {version}"));
    let etcd = cluster.etcd.as_ref().map(|version| format!("etcd {version}"));
    let kind = (!cluster.kind.is_empty()).then(|| cluster.kind.clone());
    let given = [Some(lab.file.clone()), kind, kubernetes, etcd, Some(format!("seed {}", lab.seed))];
    let facts: Vec<String> = given.into_iter().flatten().collect();
    let _ = write!(
        out,
        "<section class=\"lab\" aria-labelledby=\"lab-{index}\">\n<h2 id=\"lab-{index}\">{} {}{}</h2>\n\
         <p class=\"facts\">{}</p>\n",
        badge(lab.verdict),
        html_escaped(&lab.title),
        html_escaped(&run),
        html_escaped(&facts.join(" · ")),
    );
    if !lab.vars.is_empty() {
        let vars: Vec<String> = lab
            .vars
            .iter()
            .map(|(name, value)| format!("<code>{}={}</code>", html_escaped(name), html_escaped(value)))
            .collect();
        let _ = writeln!(out, "<p class=\"facts\">{}</p>", vars.join(" "));
    }
    for problem in problems_of(lab).iter().filter(|problem| problem.title == problem.lab) {
        whole_problem(out, problem);
    }
    time_line::write(out, lab, index);
    for step in &lab.steps {
        write_step(out, lab, step, alone);
    }
    recordings::write(out, lab);
    out.push_str("</section>\n");
}

fn whole_problem(out: &mut String, problem: &Problem) {
    let _ = writeln!(out, "<p class=\"reason\">{}: {}</p>", problem.kind.name(), html_escaped(&problem.what));
    block(out, &problem.what, &problem.lines.join("\n"));
}

fn write_step(out: &mut String, lab: &LabReport, step: &StepReport, alone: bool) {
    let failed = matches!(step.verdict, Verdict::Fail | Verdict::CannotJudge);
    let open = if failed || alone { " open" } else { "" };
    let points =
        if step.max_points > 0 { format!(" · {}/{} points", step.points, step.max_points) } else { String::new() };
    let _ = writeln!(
        out,
        "<details class=\"step\"{open}><summary>{} {} <span class=\"facts\">{}{points}</span></summary>",
        badge(step.verdict),
        html_escaped(&step.title),
        duration(step.duration_ms),
    );
    if let Some(reason) = &step.reason
        && (step.verdict == Verdict::Skipped || !step.is_explained_by_a_part())
    {
        let _ = writeln!(out, "<p class=\"reason\">{}</p>", html_escaped(reason));
    }
    for action in &step.actions {
        write_action(out, lab, action);
    }
    for wait in &step.waits {
        write_check(out, wait, "wait: ");
    }
    for check in &step.checks {
        write_check(out, check, "");
    }
    for question in &step.questions {
        let reason = question.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", html_escaped(reason)));
        let _ = writeln!(
            out,
            "<div class=\"part\"><p>{} question at line {}{reason}</p><blockquote>{}</blockquote></div>",
            badge(question.verdict),
            question.line,
            html_escaped(&question.text),
        );
    }
    out.push_str("</details>\n");
}

fn write_action(out: &mut String, lab: &LabReport, action: &ActionReport) {
    let name = action.name.as_ref().map_or_else(String::new, |name| format!(" <code>{}</code>", html_escaped(name)));
    let line = action.failed_line.unwrap_or(action.line);
    let _ = writeln!(
        out,
        "<div class=\"part\"><p>{} {}{name} <code>{}:{line}</code> <span class=\"facts\">{}</span></p>",
        badge(action.verdict),
        action.role.name(),
        html_escaped(action.file_in(lab)),
        duration(action.duration_ms),
    );
    if let Some(reason) = &action.reason {
        let _ = writeln!(out, "<p class=\"reason\">{}</p>", html_escaped(reason));
    }
    block(out, &format!("commands at line {}", action.line), &action.text);
    block(out, &format!("what differs at line {}", action.line), &action.detail.join("\n"));
    block(out, &format!("output at line {}", action.line), &action.output);
    out.push_str("</div>\n");
}

fn write_check(out: &mut String, check: &CheckReport, what: &str) {
    let proof = match (check.verdict, check.proof) {
        (Verdict::Pass, Proof::Red) => "red before, green after",
        (Verdict::Pass, Proof::Exempt) => "exempt from the red-first check",
        _ => "",
    };
    let revision = check.revision.map(|revision| format!(" at revision {revision}")).unwrap_or_default();
    let sampled = if check.sampled { " sampled" } else { "" };
    let _ = writeln!(
        out,
        "<div class=\"part\"><p>{} {what}<code>{}:{}:{}</code> <span class=\"facts\">{proof}{revision}{sampled}</span></p>",
        badge(check.verdict),
        html_escaped(&check.file),
        check.line,
        check.column,
    );
    if check.verdict == Verdict::Pass || check.verdict == Verdict::Skipped {
        block(out, &format!("check at line {}", check.line), &check.text);
        if let Some(reason) = &check.reason {
            let _ = writeln!(out, "<p class=\"facts\">{}</p>", html_escaped(reason));
        }
        out.push_str("</div>\n");
        return;
    }
    let failure = check.failure.clone().unwrap_or_default();
    if let Some(author) = &failure.author {
        let _ = writeln!(out, "<p class=\"author\">{}</p>", html_escaped(author));
    }
    if let Some(reason) = &check.reason {
        let _ = writeln!(out, "<p class=\"reason\">{}</p>", html_escaped(reason));
    }
    out.push_str("<div class=\"beside\"><div>\n<p class=\"facts\">wanted</p>\n");
    block(out, &format!("check at line {}", check.line), &check.text);
    out.push_str("</div><div>\n<p class=\"facts\">came</p>\n");
    block(out, &format!("against the check at line {}", check.line), &failure.explanation.join("\n"));
    out.push_str("</div></div>\n");
    for (title, lines) in [("output of the step", &failure.output), ("journal of the step", &failure.journal)] {
        if !lines.is_empty() {
            let _ = writeln!(out, "<p class=\"facts\">{title}</p>");
            block(out, &format!("{title}, for the check at line {}", check.line), &lines.join("\n"));
        }
    }
    out.push_str("</div>\n");
}

/// Text as it was printed, which the keyboard can scroll.
fn block(out: &mut String, label: &str, content: &str) {
    if !content.trim().is_empty() {
        let _ = writeln!(
            out,
            "<pre tabindex=\"0\" role=\"group\" aria-label=\"{}\">{}</pre>",
            html_escaped(label),
            html_escaped(content.trim_end())
        );
    }
}

fn notes(out: &mut String, report: &RunReport) {
    if report.notices.is_empty() && report.left_out.is_empty() {
        return;
    }
    out.push_str("<section aria-labelledby=\"notes\">\n<h2 id=\"notes\">Notes</h2>\n<ul>\n");
    for notice in &report.notices {
        let lab = notice.lab.as_ref().map_or_else(String::new, |lab| format!("{}: ", html_escaped(lab)));
        let _ = writeln!(out, "<li>{lab}{}</li>", html_escaped(&notice.message));
    }
    for left in &report.left_out {
        let _ = writeln!(
            out,
            "<li>left out: <code>{}</code>: {}</li>",
            html_escaped(&left.file),
            html_escaped(&left.reason)
        );
    }
    out.push_str("</ul>\n</section>\n");
}

fn badge(verdict: Verdict) -> String {
    let class = match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::CannotJudge => "unknown",
        Verdict::Skipped => "skipped",
    };
    format!("<span class=\"badge {class}\">{}</span>", verdict.word())
}
