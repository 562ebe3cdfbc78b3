//! What a block printed, with a bound on what is kept.

use std::collections::VecDeque;

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
}

impl Capture {
    pub(super) fn from(start: u64) -> Self {
        Self { start, end: start, head: Vec::new(), tail: VecDeque::new(), kept: KEPT }
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

    fn small() -> Capture {
        let mut capture = Capture { kept: 4, ..Capture::from(100) };
        for text in ["ab", "cde", "f", "ghijkl"] {
            capture.push(text);
        }
        capture
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
