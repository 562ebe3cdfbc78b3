//! What a person needs about a failed check without a second run.

use std::collections::VecDeque;

use super::plan::PlannedStep;
use super::runner::Runner;
use crate::grade::{Judgement, what_changed};
use crate::journal::{Entry, Heartbeat, JournalView, Mark, Seq};
use crate::lab::{Action, CheckBlock};
use crate::outcome::{Failure, RunEvent, WitnessedEvent};
use crate::text::redact;

const OUTPUT_LINES: usize = 12;
const JOURNAL_LINES: usize = 20;
/// How much of what etcd reported during a step is kept for the report: a loop may write without end.
const EVENTS_KEPT: usize = 200;

impl Runner<'_> {
    pub(super) fn failure(
        &self,
        block: &CheckBlock,
        judgement: &Judgement,
        mark: Mark,
        actions: &[&Action],
    ) -> Failure {
        Failure {
            author: block.fail.as_ref().and_then(|fail| fail.render(&self.vars.values).ok()),
            explanation: judgement.explanation.iter().cloned().chain(self.stuck_pods()).collect(),
            output: self.last_output(actions),
            journal: journal_lines(&self.witness.journal(), mark, &self.info.prefix),
        }
    }

    /// Tells what came over the watch since then.
    pub(super) fn witnessed(&self, step: &PlannedStep, since: Seq) {
        let view = self.witness.journal();
        let entries = view.entries(since, |entry| {
            entry.change().is_none_or(|change| Heartbeat::of(&self.info.prefix, &change.key).is_none())
        });
        if entries.is_empty() {
            return;
        }
        let left_out = entries.len().saturating_sub(EVENTS_KEPT);
        let events = entries[left_out..].iter().map(|recorded| {
            let entry = &recorded.entry;
            let (kind, at_ms) = (entry.name().to_owned(), self.emitter.ms_at(entry.at()));
            match entry.as_ref() {
                Entry::Put(change) | Entry::Delete(change) => {
                    let (revision, key) = (Some(change.revision), Some(change.key.to_string()));
                    WitnessedEvent { at_ms, kind, revision, key, detail: Some(what_changed(change)) }
                }
                Entry::Gap { reason, .. } | Entry::Epoch { reason, .. } => {
                    WitnessedEvent { at_ms, kind, revision: None, key: None, detail: Some(reason.clone()) }
                }
            }
        });
        let (lab, events) = (self.emitter.lab(), events.collect());
        self.emitter.emit(RunEvent::StepWitnessed { lab, step: step.id.clone(), events, left_out });
    }

    fn last_output(&self, actions: &[&Action]) -> Vec<String> {
        let texts = actions.iter().filter_map(|action| {
            let block = action.id;
            let running = self.backgrounds.iter().find(|running| running.action.id == block);
            match (running, self.outputs.get(&block)) {
                (Some(running), _) => Some(running.handle.since(running.mark).text.to_string()),
                (None, Some(printed)) => Some(printed.printed.text.to_string()),
                (None, None) => None,
            }
        });
        output_lines(texts)
    }
}

/// The last lines of what blocks printed.
pub(super) fn output_lines(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines = VecDeque::new();
    for text in texts {
        // What is secret is looked for in the whole: a line of it may be too little to be known.
        lines.extend(redact(&text).lines().map(str::to_owned));
    }
    let left_out = lines.len().saturating_sub(OUTPUT_LINES);
    lines.drain(..left_out);
    lines.into()
}

/// What the store went through since the mark, but for what moves all the time.
pub(super) fn journal_lines(view: &JournalView, mark: Mark, prefix: &str) -> Vec<String> {
    let since = view.at(&mark).unwrap_or_default();
    let entries =
        view.entries(since, |entry| entry.change().is_none_or(|change| Heartbeat::of(prefix, &change.key).is_none()));
    let left_out = entries.len().saturating_sub(JOURNAL_LINES);
    let mut lines: Vec<String> = Vec::new();
    if left_out > 0 {
        lines.push(format!("… {left_out} entries before"));
    }
    lines.extend(entries[left_out..].iter().map(|recorded| {
        let entry = &recorded.entry;
        let after = entry.at().duration_since(mark.at).unwrap_or_default().as_secs_f64();
        match entry.as_ref() {
            Entry::Put(change) | Entry::Delete(change) => {
                format!("revision {} +{after:.1}s {:<6} {}", change.revision, entry.name(), change.key)
            }
            Entry::Gap { reason, .. } | Entry::Epoch { reason, .. } => {
                format!("+{after:.1}s {}: {reason}", entry.name())
            }
        }
    }));
    lines
}
