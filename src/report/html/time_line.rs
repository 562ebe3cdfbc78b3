//! Blocks, verdicts and events over a lab's time: a picture, and the same as a table.

use std::fmt::Write as _;

use super::duration;
use crate::outcome::{LabReport, Verdict};
use crate::text::html_escaped;

const WIDTH: f64 = 1000.0;
/// Of the names at the left.
const LEFT: f64 = 90.0;
/// More events than this are a band in the picture; the table has them all.
const DOTS: usize = 400;

/// A moment of the lab, for the table.
struct Moment {
    at_ms: u64,
    what: &'static str,
    text: String,
}

pub(super) fn write(out: &mut String, lab: &LabReport, index: usize) {
    let moments = moments(lab);
    if moments.is_empty() {
        return;
    }
    let ends = lab.steps.iter().flat_map(|step| &step.actions).map(|action| action.started_ms + action.duration_ms);
    let last = moments.iter().map(|moment| moment.at_ms).chain(ends).max().unwrap_or_default().max(1);
    let x = |ms: u64| LEFT + (WIDTH - LEFT - 10.0) * (ms as f64 / last as f64);
    let actions = lab.steps.iter().flat_map(|step| &step.actions).filter(|a| a.verdict != Verdict::Skipped);
    let (mut blocks, mut count) = (String::new(), 0);
    for action in actions {
        let width = (x(action.started_ms + action.duration_ms) - x(action.started_ms)).max(2.0);
        let class = if action.verdict == Verdict::Pass { "pass" } else { "fail" };
        let _ = write!(
            blocks,
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"8\" width=\"{width:.1}\" height=\"16\" rx=\"2\"/>",
            x(action.started_ms)
        );
        count += 1;
    }
    let mut verdicts = String::new();
    let checks = lab.steps.iter().flat_map(|step| step.waits.iter().chain(&step.checks));
    for check in checks.filter(|check| check.verdict != Verdict::Skipped) {
        let class = if check.verdict == Verdict::Pass { "pass" } else { "fail" };
        let at = x(check.at_ms);
        let _ = write!(verdicts, "<path class=\"{class}\" d=\"M{at:.1} 34 l5 8 l-5 8 l-5 -8 z\"/>");
    }
    let events: Vec<u64> = lab.steps.iter().flat_map(|step| &step.events).map(|event| event.at_ms).collect();
    let mut dots = String::new();
    for at in events.iter().take(DOTS) {
        let _ = write!(dots, "<circle class=\"event\" cx=\"{:.1}\" cy=\"68\" r=\"3\"/>", x(*at));
    }
    let _ = writeln!(
        out,
        "<figure><svg viewBox=\"0 0 {WIDTH} 100\" role=\"img\" aria-label=\"Time line: {count} blocks and {} events of etcd \
         in {}; the table below has them all\">\
         <text x=\"0\" y=\"21\">blocks</text><text x=\"0\" y=\"47\">checks</text><text x=\"0\" y=\"73\">etcd</text>\
         {blocks}{verdicts}{dots}\
         <line class=\"axis\" x1=\"{LEFT}\" y1=\"82\" x2=\"{:.1}\" y2=\"82\"/>\
         <text x=\"{LEFT}\" y=\"97\">0</text><text x=\"{:.1}\" y=\"97\" text-anchor=\"end\">{}</text></svg></figure>",
        events.len(),
        duration(last),
        WIDTH - 10.0,
        WIDTH - 10.0,
        duration(last),
    );
    let _ = write!(
        out,
        "<details class=\"moments\"><summary>Time line as a table</summary>\n<div class=\"wide\" tabindex=\"0\" \
         role=\"region\" aria-label=\"time line {}\"><table><thead><tr><th scope=\"col\">Time</th>\
         <th scope=\"col\">What</th><th scope=\"col\">In full</th></tr></thead><tbody>\n",
        index + 1
    );
    for moment in moments {
        let _ = writeln!(
            out,
            "<tr><td>+{:.2}s</td><td>{}</td><td><code>{}</code></td></tr>",
            moment.at_ms as f64 / 1000.0,
            moment.what,
            html_escaped(&moment.text)
        );
    }
    out.push_str("</tbody></table></div></details>\n");
}

fn moments(lab: &LabReport) -> Vec<Moment> {
    let mut moments = Vec::new();
    for step in &lab.steps {
        for action in step.actions.iter().filter(|action| action.verdict != Verdict::Skipped) {
            let first = action.text.lines().find(|line| !line.trim().is_empty()).unwrap_or("block");
            moments.push(Moment { at_ms: action.started_ms, what: "block", text: first.to_owned() });
        }
        for check in step.waits.iter().chain(&step.checks).filter(|check| check.verdict != Verdict::Skipped) {
            let first = check.text.lines().next().unwrap_or_default();
            let text = format!("{}: {first}", check.verdict.word());
            moments.push(Moment { at_ms: check.at_ms, what: "check", text });
        }
        for event in &step.events {
            let revision = event.revision.map(|revision| format!(" at revision {revision}")).unwrap_or_default();
            let (key, detail) = (event.key.as_deref().unwrap_or_default(), event.detail.as_deref().unwrap_or_default());
            let text = format!("{} {key}{revision}  {detail}", event.kind);
            moments.push(Moment { at_ms: event.at_ms, what: "etcd", text: text.trim_end().to_owned() });
        }
    }
    moments.sort_by_key(|moment| moment.at_ms);
    moments
}
