use std::ops::Range;

use crate::expr::{Literal, gap, literal};
use crate::text::{Joined, Span};

/// A place in the lines of a `check` fence.
pub(super) struct Cursor<'a> {
    pub(super) joined: &'a Joined,
    at: usize,
}

/// A word of a check, as the file has it.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) range: Range<usize>,
    pub(super) quoted: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(joined: &'a Joined) -> Self {
        Self { joined, at: 0 }
    }

    pub(super) fn text(&self) -> &'a str {
        self.joined.text()
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn set(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn span(&self, range: Range<usize>) -> Span {
        self.joined.span(range)
    }

    /// Where the next token of this check begins, if one follows.
    pub(super) fn next(&self) -> Option<usize> {
        gap(self.text(), self.at).map(|gap| gap.next)
    }

    /// The same, if a line end lies between.
    pub(super) fn next_folded(&self) -> Option<usize> {
        gap(self.text(), self.at).filter(|gap| gap.folded).map(|gap| gap.next)
    }

    /// The run of characters up to the next blank, without moving.
    pub(super) fn peek(&self) -> &'a str {
        self.next().map_or("", |next| self.run(next))
    }

    pub(super) fn run(&self, from: usize) -> &'a str {
        let rest = &self.text()[from..];
        &rest[..rest.find([' ', '\t', '\n']).unwrap_or(rest.len())]
    }

    /// Takes the run that `peek` shows.
    pub(super) fn take(&mut self) -> Option<Range<usize>> {
        let next = self.next()?;
        let end = next + self.run(next).len();
        self.at = end;
        Some(next..end)
    }

    /// Takes a word: a quoted text, or a run of characters. A quote that is not closed ends with its line.
    pub(super) fn word(&mut self) -> Option<Word> {
        let next = self.next()?;
        match literal(&self.text()[next..]) {
            Some(Literal::Closed(length)) => {
                self.at = next + length;
                Some(Word { range: next..self.at, quoted: true })
            }
            _ => self.take().map(|range| Word { range, quoted: false }),
        }
    }

    /// To the next line that begins in column 1.
    pub(super) fn skip_check(&mut self) {
        let text = self.text();
        loop {
            match text[self.at..].find('\n') {
                None => {
                    self.at = text.len();
                    return;
                }
                Some(found) => self.at += found + 1,
            }
            if !text[self.at..].starts_with([' ', '\t']) {
                return;
            }
        }
    }

    /// The text of a part, as one line.
    pub(super) fn written(&self, part: std::ops::Range<usize>) -> String {
        let std::ops::Range { start: from, end } = part;
        let text = &self.text()[from..end];
        if !text.contains(['\n', '\t', '#']) {
            return text.trim_end().to_owned();
        }
        let mut out = String::new();
        let mut at = from;
        while let Some(next) = gap(&self.text()[..end], at).map(|gap| gap.next) {
            if next > at && !out.is_empty() {
                out.push(' ');
            }
            let rest = &self.text()[next..end];
            let length = match literal(rest) {
                Some(Literal::Closed(length)) => length,
                _ => rest.chars().next().map_or(1, char::len_utf8),
            };
            out.push_str(&rest[..length]);
            at = next + length;
        }
        out
    }
}
