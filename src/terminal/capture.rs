//! What a block printed, with a bound on what is kept.

use std::collections::{BTreeMap, VecDeque};

use super::listener::Listener;

/// Kept of a block's beginning, and as much of its end: 8 MiB in all.
const KEPT: usize = 4 << 20;

/// Text by its offset in all that the shell ever printed: the beginning and the end of it.
#[derive(Debug, Clone)]
pub(super) struct Capture {
    start: u64,
    end: u64,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    kept: usize,
    listener: Option<Listener>,
    /// How far the listener has heard: nothing before the head is full, since a short text can be read whole.
    heard: u64,
}

impl Capture {
    pub(super) fn from(start: u64) -> Self {
        Self { start, end: start, head: Vec::new(), tail: VecDeque::new(), kept: KEPT, listener: None, heard: start }
    }

    /// From here on this looks for its patterns.
    pub(super) fn listen(&mut self, listener: Option<Listener>) {
        self.listener = listener;
        self.heard = self.end;
    }

    /// Nothing before this place counts any more for what is looked for.
    pub(super) fn mark(&mut self) {
        self.listener.iter_mut().for_each(Listener::restart);
        self.heard = self.end;
    }

    /// What is known of all that was printed since the mark, and of this after it; nothing while all is kept.
    pub(super) fn found(&self, rest: &str) -> BTreeMap<String, bool> {
        let Some(mut listener) = self.listener.clone().filter(|_| self.heard == self.end) else {
            return BTreeMap::new();
        };
        listener.hear(rest.as_bytes());
        listener.found()
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn push(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.end += bytes.len() as u64;
        let room = self.kept.saturating_sub(self.head.len()).min(bytes.len());
        let (head, tail) = bytes.split_at(room);
        self.head.extend_from_slice(head);
        self.tail.extend(tail);
        if let Some(listener) = self.listener.as_mut().filter(|_| !tail.is_empty()) {
            let untold = usize::try_from(self.heard - self.start).unwrap_or(usize::MAX).min(self.head.len());
            listener.hear(&self.head[untold..]);
            listener.hear(tail);
            self.heard = self.end;
        }
        self.tail.drain(..self.tail.len().saturating_sub(self.kept));
    }

    /// How much was printed since the beginning, kept or not.
    pub(super) fn printed(&self) -> u64 {
        self.end - self.start
    }

    /// The text from one offset to another, and whether some of it is not kept.
    pub(super) fn slice(&self, from: u64, to: u64) -> (String, bool) {
        let (from, to) = (from.max(self.start), to.min(self.end));
        let head_end = self.start + self.head.len() as u64;
        let tail_start = self.end - self.tail.len() as u64;
        let index = |offset: u64, base: u64| usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        if from < head_end {
            bytes.extend_from_slice(&self.head[index(from, self.start)..index(to.min(head_end), self.start)]);
        }
        let lost = tail_start.min(to).saturating_sub(head_end.max(from));
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if lost > 0 {
            text += "\n[... ";
            text += &lost.to_string();
            text += " bytes are not kept ...]\n";
        }
        if to > tail_start {
            let tail = self.tail.range(index(from.max(tail_start), tail_start)..index(to, tail_start));
            let tail: Vec<u8> = tail.copied().collect();
            text.push_str(&String::from_utf8_lossy(&tail));
        }
        (text, lost > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::{Block, Last};

    fn small() -> Capture {
        let mut capture = Capture { kept: 4, ..Capture::from(100) };
        capture.listen(listener(&["bcde", "^b", "lx$"]));
        for text in ["ab", "cde", "f", "ghijkl"] {
            capture.push(text);
        }
        capture
    }

    fn listener(patterns: &[&str]) -> Option<Listener> {
        let block = Block {
            lines: Vec::new(),
            opens: false,
            last: Last::Succeeds,
            searched: patterns.iter().map(ToString::to_string).collect(),
            timeout: std::time::Duration::ZERO,
        };
        Listener::of(&block, std::path::Path::new("/d"))
    }

    #[test]
    fn what_is_looked_for_is_found_where_nothing_is_kept_and_forgotten_at_a_mark() {
        let found = |capture: &Capture, pattern| capture.found("x").get(pattern).copied();
        let mut capture = small();
        assert_eq!(found(&capture, "bcde"), Some(true));
        assert_eq!(found(&capture, "^b"), Some(false));
        assert_eq!(found(&capture, "lx$"), Some(true), "what may still change counts as the end");
        capture.mark();
        capture.push("bx");
        assert_eq!(found(&capture, "bcde"), Some(false));
        assert_eq!(found(&capture, "^b"), Some(true));
        let mut whole = Capture::from(0);
        whole.listen(listener(&["b"]));
        whole.push("b");
        assert_eq!(found(&whole, "b"), None, "all of it is kept, and nobody needs to listen");
    }

    #[test]
    fn what_the_shell_adds_is_not_heard() {
        let mut capture = Capture { kept: 4, ..Capture::from(0) };
        capture.listen(listener(&["Done", "line 1"]));
        capture.push("some text\n[1]+  Done");
        capture.push("                    sleep 1\nbash: /d/f: line 1: no\n");
        assert_eq!(capture.found(""), [("Done".to_owned(), false), ("line 1".to_owned(), false)].into());
    }

    #[test]
    fn head_and_tail_are_kept_with_a_note_between() {
        let capture = small();
        assert_eq!(capture.slice(100, 112), ("abcd\n[... 4 bytes are not kept ...]\nijkl".to_owned(), true));
        assert_eq!((capture.printed(), capture.end()), (12, 112));
    }

    #[test]
    fn a_slice_that_lies_in_a_kept_part_is_whole() {
        let capture = small();
        assert_eq!(capture.slice(101, 103), ("bc".to_owned(), false));
        assert_eq!(capture.slice(109, 111), ("jk".to_owned(), false));
        assert_eq!(capture.slice(105, 110), ("\n[... 3 bytes are not kept ...]\nij".to_owned(), true));
        assert_eq!(capture.slice(112, 112), (String::new(), false));
        assert_eq!(capture.slice(0, 101), ("a".to_owned(), false));
    }

    #[test]
    fn nothing_is_lost_below_the_bound() {
        let mut capture = Capture::from(0);
        capture.push("äöü");
        assert_eq!(capture.slice(0, 6), ("äöü".to_owned(), false));
    }
}
