//! A check's place in a replay: the judgement with what it rests on, and whether that was hidden.

use std::collections::BTreeSet;

use crate::grade::{self, Evidence, Judgement, Seen};
use crate::journal::JournalView;
use crate::lab::Check;

/// A judgement with what it rests on.
pub(super) struct Seat {
    pub(super) judgement: Judgement,
    pub(super) evidence: Evidence,
    pub(super) view: Option<JournalView>,
}

impl Seat {
    pub(super) fn of(evidence: Evidence, judgement: Judgement) -> Self {
        Self { judgement, evidence, view: None }
    }

    /// Whether a value that decides may be one that was hidden when the run was saved.
    pub(super) fn rests_on_hidden(&self, check: &Check) -> bool {
        let Some(glob) = grade::concerns(check, &self.evidence.vars, &self.evidence.prefix) else {
            return self.evidence.observations.iter().any(|seen| match &seen.seen {
                Seen::Output { printed, .. } => is_hidden(&printed.text),
                Seen::Run { stdout, stderr, .. } => is_hidden(&stdout.text) || is_hidden(&stderr.text),
                Seen::Resource(Some(object)) => is_hidden(&object.to_string()),
                Seen::Etcd(state) | Seen::Snapshot(state) => is_hidden(&state.to_string()),
                Seen::Resource(None) | Seen::Nothing(_) | Seen::Unavailable(_) => false,
            });
        };
        let Some(view) = &self.view else { return false };
        let changes = view.changes(&glob, 0);
        let written = changes.iter().filter_map(|recorded| recorded.entry.change()?.value.clone());
        let states = view.states(&glob, view.end());
        written.chain(states.iter().filter_map(|state| state.value.clone())).any(|value| is_hidden(&value.text()))
    }
}

pub(super) fn uses_any(check: &Check, names: &BTreeSet<String>) -> bool {
    names.iter().any(|name| check.text.contains(&format!("${{{name}}}")))
}

pub(super) fn is_hidden(text: &str) -> bool {
    text.contains(" bytes, hidden>")
}

/// Whether a text is the one that was saved, where each `<N bytes, hidden>` of that stands for so many bytes.
pub(super) fn is_same(saved: &str, text: &str) -> bool {
    if saved == text {
        return true;
    }
    let (mut saved, mut text) = (saved, text);
    while let Some((count, at, end)) = next_hidden(saved) {
        let (before, after) = (&saved[..at], &saved[end..]);
        let Some(rest) = text.strip_prefix(before).and_then(|rest| rest.get(count..)) else { return false };
        (saved, text) = (after, rest);
    }
    saved == text
}

/// The first mark of a hidden text: how many bytes it had, where the mark begins and ends.
fn next_hidden(text: &str) -> Option<(usize, usize, usize)> {
    text.match_indices('<').find_map(|(at, _)| {
        let rest = &text[at + 1..];
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count = rest[..digits].parse().ok()?;
        let tail = rest[digits..].strip_prefix(" bytes, hidden>")?;
        Some((count, at, text.len() - tail.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn a_hidden_text_is_as_long_as_it_was() {
        assert!(is_same("echo <3 bytes, hidden> | tee a", "echo abc | tee a"));
        assert!(is_same("<3 bytes, hidden><2 bytes, hidden>", "abcde"));
        for other in ["echo abcd | tee a", "echo abc | tee b", "echo abc", "print abc | tee a", ""] {
            assert!(!is_same("echo <3 bytes, hidden> | tee a", other), "{other}");
        }
        assert!(is_same("a < b", "a < b") && !is_same("a <x bytes, hidden>", "a 1"));
    }
}
