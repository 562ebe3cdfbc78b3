//! Answers and events of a session as lines for a person.

use std::collections::BTreeMap;

use super::look::Look;
use super::page::check_lines;
use crate::lab::{Item, Lab, Vars};
use crate::learn::{Standing, StepState};
use crate::session::{CheckView, EventLine, HintView, SessionEvent, StepLine, Summary, View, Why};
use crate::text::{CROSS, EventKind, TICK, redact, wrapped};

/// The checks of a lab in plain words, by the line that they begin in.
pub struct InWords {
    by_line: BTreeMap<usize, String>,
}

impl InWords {
    pub fn of(lab: &Lab, vars: &Vars) -> Self {
        let items = lab.steps.iter().flat_map(|step| &step.items);
        let checks = items.filter_map(|item| match item {
            Item::Check(block) | Item::Wait(block) => Some(&block.checks),
            _ => None,
        });
        let line = |at: usize| lab.source.position(at).line;
        let by_line = checks.flatten().map(|check| (line(check.span.start), check.in_words(vars))).collect();
        Self { by_line }
    }

    pub(super) fn check<'a>(&'a self, check: &'a CheckView) -> &'a str {
        self.by_line.get(&check.line).map_or(&check.text, String::as_str)
    }
}

/// Says what there is to say of a session on this terminal.
pub struct Teller<'a> {
    pub look: Look,
    pub words: &'a InWords,
}

impl Teller<'_> {
    fn fold(&self, lines: impl IntoIterator<Item = String>) -> Vec<String> {
        let width = self.look.width();
        lines.into_iter().flat_map(|line| wrapped(&redact(&line), width)).collect()
    }

    /// A line for what turned, and nothing for what is reported elsewhere or has not changed.
    pub(super) fn event(&self, event: &SessionEvent) -> Vec<String> {
        let look = self.look;
        let line = |text: String| vec![text];
        let lines = match event {
            SessionEvent::CheckTurned { check, was, now, .. } => return self.turned(check, *was, *now),
            SessionEvent::StepBroke { held, of, .. } => {
                line(format!("  The step is not done any more: {held} of {of} hold."))
            }
            SessionEvent::ClusterLost { reason } => return look.etcd_is_away(reason),
            SessionEvent::ClusterBack => line("  etcd answers again; the checks are looked at as before.".to_owned()),
            SessionEvent::Noticed { message } => line(format!("  {message}")),
            SessionEvent::BlockFinished { name, verdict, reason: Some(reason), .. }
                if *verdict != crate::outcome::Verdict::Pass =>
            {
                line(format!("  The block {} did not end well: {reason}", name.as_deref().unwrap_or("above")))
            }
            SessionEvent::Missed { .. } => {
                line(format!("  Much has happened at once: {} shows how things stand.", look.quoted("lab")))
            }
            _ => Vec::new(),
        };
        self.fold(lines)
    }

    fn turned(&self, check: &CheckView, was: Standing, now: Standing) -> Vec<String> {
        let look = self.look;
        let words = self.words.check(check).lines().next().unwrap_or_default().trim_end_matches(':');
        let words = look.sentence(words);
        let text = match (was, now) {
            (_, Standing::Holds) if look.plain => format!("Done: {words}"),
            (_, Standing::Holds) => format!("  {} {words}", look.good().apply_to(TICK)),
            (Standing::Holds, Standing::NotYet) if look.plain => format!("No longer so: {words}"),
            (Standing::Holds, Standing::NotYet) => format!("  {} no longer so: {words}", look.bad().apply_to(CROSS)),
            (_, Standing::Broken) => {
                let reason = check.reason.as_deref().map_or(String::new(), |reason| format!(" ({reason})"));
                let sign = if look.plain { String::new() } else { format!("  {} ", look.bad().apply_to(CROSS)) };
                let back = look.quoted("lab reset");
                format!("{sign}Broken: {words}{reason}. {back} goes back to the start of the step.")
            }
            (_, Standing::CannotJudge) => {
                let reason = check.reason.as_deref().unwrap_or("not known why");
                let sign = if look.plain { String::new() } else { format!("  {} ", look.unsure().apply_to("?")) };
                format!("{sign}Cannot be judged now: {words} ({reason})")
            }
            _ => return Vec::new(),
        };
        self.fold([text])
    }

    /// Where the learner stands.
    pub(super) fn status(&self, view: &View) -> String {
        let step = &view.step;
        let judged = || step.checks.iter().filter(|check| check.left.is_none() && !check.wait);
        let held = judged().filter(|check| check.standing == Standing::Holds).count();
        let asked = step.questions.iter().filter(|question| question.left.is_none() && !question.right).count();
        let mut parts = vec![format!("step {} of {}", step.number, view.of)];
        if judged().next().is_some() {
            parts.push(format!("{held} of {}", judged().count()));
        }
        if asked > 0 {
            parts.push(format!("{asked} question{}", if asked == 1 { "" } else { "s" }));
        }
        let look = self.look;
        let sign = if look.plain { ", " } else { " · " };
        let mut text = look.dim().apply_to(parts.join(sign)).to_string();
        if step.green && asked == 0 {
            let done = if look.plain { "Step done." } else { "done:" };
            text.push_str(&format!("{sign}{done} {} goes on", look.quoted("lab next")));
        }
        if look.plain { text } else { format!("  {text}") }
    }

    /// What each check wants that does not hold.
    pub(super) fn why(&self, checks: &[Why], notes: &[String]) -> Vec<String> {
        let look = self.look;
        let mut lines: Vec<String> = notes.iter().map(|note| format!("  {}", look.sentence(note))).collect();
        if checks.is_empty() && notes.is_empty() {
            lines.push(format!("  Every check of this step holds. {} goes on.", look.quoted("lab next")));
        }
        for why in checks {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.extend(check_lines(look, look.width(), self.words.check(&why.check), Some(&why.check)));
            if let Some(fail) = &why.check.fail {
                lines.push(format!("    {}", look.bold().apply_to(fail)));
            }
            lines.extend(why.causes.iter().map(|cause| format!("    {}", look.sentence(cause))));
            if let Some(reason) = why.check.reason.as_ref().filter(|reason| !why.causes.contains(reason)) {
                lines.push(format!("    {reason}"));
            }
            lines.extend(why.explanation.iter().map(|line| format!("    {}", look.dim().apply_to(line))));
        }
        self.fold(lines)
    }

    pub(super) fn hint(&self, hint: &HintView) -> Vec<String> {
        let look = self.look;
        // What follows the word itself, where the author wrote more.
        let summary = hint.summary.split_once(':').map_or("", |(_, more)| more.trim());
        let head = if look.plain {
            format!("Hint {} of {}: {summary}", hint.number, hint.of)
        } else {
            let place = look.dim().apply_to(format!("Hint {} of {}", hint.number, hint.of));
            let more =
                if summary.is_empty() { String::new() } else { format!(" · {}", look.bold().apply_to(summary)) };
            format!("  {place}{more}")
        };
        let mut lines = self.fold([head]);
        lines.extend(super::page::markdown(&hint.markdown, look).into_iter().map(|line| format!("  {line}")));
        lines
    }

    pub(super) fn events(&self, events: &[EventLine], left_out: usize) -> Vec<String> {
        let look = self.look;
        if events.is_empty() {
            return vec!["  etcd has seen no change since this step began.".to_owned()];
        }
        let mut lines = Vec::new();
        if left_out > 0 {
            lines.push(look.dim().apply_to(format!("  … {left_out} before")).to_string());
        }
        for event in events {
            let style = if event.kind == EventKind::Delete.name() { look.bad() } else { look.good() };
            lines.push(format!("  {:>6}  {:<6}  {}", event.revision, style.apply_to(&event.kind), event.key));
            if !event.what.is_empty() {
                lines.push(format!("                  {}", look.dim().apply_to(&event.what)));
            }
        }
        self.fold(lines)
    }

    pub(super) fn steps(&self, steps: &[StepLine], points: u32, max_points: u32) -> Vec<String> {
        let mut lines: Vec<String> = steps.iter().map(|step| self.step_line(step)).collect();
        if max_points > 0 {
            lines.push(self.look.dim().apply_to(format!("  {points} of {max_points} points")).to_string());
        }
        self.fold(lines)
    }

    fn step_line(&self, step: &StepLine) -> String {
        let look = self.look;
        let (sign, style, word) = match step.state {
            StepState::Done if step.solved => (TICK, look.dim(), "solved"),
            StepState::Done => (TICK, look.good(), "done"),
            StepState::Skipped => ("-", look.dim(), "skipped"),
            StepState::Open => ("▸", look.bold(), "open"),
            StepState::Untouched => (" ", look.dim(), "to come"),
        };
        let mut text = if look.plain {
            format!("{}. {}: {word}", step.number, step.title)
        } else {
            format!("  {} {:>2}  {}", style.apply_to(sign), step.number, step.title)
        };
        if !look.plain && (step.solved || step.state == StepState::Skipped) {
            text.push_str(&look.dim().apply_to(format!(" ({word})")).to_string());
        }
        if step.state == StepState::Open && step.checks > 0 {
            text.push_str(&look.dim().apply_to(format!("  {} of {}", step.held, step.checks)).to_string());
        }
        if let Some(elsewhere) = &step.elsewhere {
            text.push_str(&look.dim().apply_to(format!("  not here: {elsewhere}")).to_string());
        }
        text
    }

    pub(super) fn handed_in(&self, file: &str, points: (u32, u32), learner: Option<&str>) -> Vec<String> {
        let by = learner.map(|name| format!(" by {name}")).unwrap_or_default();
        let mut lines = vec![format!("  Written, to be handed in{by}, with {} of {} points:", points.0, points.1)];
        lines.push(format!("  {file}"));
        if learner.is_none() {
            lines.push(format!(
                "  No name stands in it: {} sets one.",
                self.look.quoted("keywitness learn --name NAME")
            ));
        }
        self.fold(lines)
    }

    /// How the lab came out.
    pub(super) fn summary(&self, summary: &Summary) -> Vec<String> {
        let look = self.look;
        let head = match summary.finished {
            true if look.plain => format!("Finished: {}", summary.title),
            true => format!("{} {}", look.good().apply_to(TICK), look.bold().apply_to(&summary.title)),
            false => look.bold().apply_to(&summary.title).to_string(),
        };
        let mut lines = vec![head];
        lines.extend(
            summary.steps.iter().filter(|step| step.checks > 0 || step.max_points > 0).map(|step| self.step_line(step)),
        );
        let mut parts = Vec::new();
        if summary.max_points > 0 {
            parts.push(format!("{} of {} points", summary.points, summary.max_points));
        }
        parts.push(match summary.seconds {
            seconds @ 0..90 => format!("{seconds} s"),
            seconds => format!("{} min", (seconds + 30) / 60),
        });
        let counted = |count: u32, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        if summary.hints > 0 {
            parts.push(counted(summary.hints, "hint", "hints"));
        }
        if summary.wrong_answers > 0 {
            parts.push(counted(summary.wrong_answers, "wrong answer", "wrong answers"));
        }
        lines.push(format!("  {}", parts.join(if look.plain { ", " } else { " · " })));
        if let Some(file) = &summary.hand_in {
            lines.push(format!("  To hand in: {file}"));
        }
        self.fold(lines)
    }
}
