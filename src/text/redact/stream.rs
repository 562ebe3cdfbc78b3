//! Redaction of what comes piece by piece: what may be the beginning of a secret waits for what follows.

use std::io::{self, Write};
use std::sync::PoisonError;

use super::view::LONGEST_ESCAPE;
use super::{KNOWN, Redactor, replaced};

/// Longer than a group of base64 or a pair of hexadecimal digits.
const UNREADABLE: usize = LONGEST_ESCAPE;
/// So much before a secret is needed to read it again: the beginning of its group of base64.
const CONTEXT: usize = 24;
/// As in the views: a line of wrapped base64 has more than this.
const WRAPPED_LEAST: usize = 8;

/// The end of a stream that has not been let out yet.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// Shorter than this it is not looked at again, so that a long secret in small pieces costs no square of it.
    due: usize,
}

impl Held {
    /// Takes a piece and gives what can be written; everything with the last piece.
    pub(super) fn feed(&mut self, redactor: &Redactor, piece: &[u8], is_last: bool) -> Vec<u8> {
        self.bytes.extend_from_slice(piece);
        if redactor.is_empty() {
            return std::mem::take(&mut self.bytes);
        }
        if !is_last && self.bytes.len() < self.due {
            return Vec::new();
        }
        let (found, open) = redactor.find(&self.bytes, !is_last);
        let mut end = self.bytes.len();
        if !is_last {
            end -= unfinished(&self.bytes);
            if let Some(open) = open {
                end = end.min(open.saturating_sub(CONTEXT));
            }
            // A secret is let out whole: cut in two it would be known by neither half.
            while let Some(cut) = found.iter().find(|range| range.start < end + CONTEXT && end < range.end) {
                end = end.min(cut.start.saturating_sub(CONTEXT));
                if end == 0 {
                    break;
                }
            }
            while end > 0 && self.bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
                end -= 1;
            }
        }
        let found: Vec<_> = found.into_iter().filter(|range| range.end <= end).collect();
        let out = replaced(&self.bytes[..end], &found);
        self.bytes.drain(..end);
        self.due = self.bytes.len() + self.bytes.len() / 4;
        out
    }
}

/// How much of the end cannot be read before more comes: half an escape, half a group of base64, half a word.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(UNREADABLE)..];
    if let Some(escape) = tail.iter().position(|byte| matches!(byte, b'\\' | b'%' | b'&')) {
        return tail.len() - escape;
    }
    let blanks = bytes.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    let words = &bytes[..bytes.len() - blanks];
    let word = words.iter().rev().take_while(|byte| is_of_word(**byte)).count();
    if blanks > 0 && word < WRAPPED_LEAST { 0 } else { blanks + word.min(UNREADABLE) }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=') || byte >= 0x80
}

/// A writer through which no secret passes that the process knows, cut however the pieces may be. What it still
/// holds is written when it is dropped.
pub struct Redacted<W: Write> {
    inner: W,
    held: Held,
    own: Option<Redactor>,
}

impl<W: Write> Redacted<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, held: Held::default(), own: None }
    }

    /// With secrets of its own in place of the process's.
    pub fn with(redactor: Redactor, inner: W) -> Self {
        Self { inner, held: Held::default(), own: Some(redactor) }
    }

    /// Writes what is still held: nothing more comes.
    pub fn finish(mut self) -> io::Result<()> {
        self.pass(&[], true)
    }

    fn pass(&mut self, piece: &[u8], is_last: bool) -> io::Result<()> {
        let out = match &self.own {
            Some(own) => self.held.feed(own, piece, is_last),
            None => self.held.feed(&KNOWN.read().unwrap_or_else(PoisonError::into_inner), piece, is_last),
        };
        self.inner.write_all(&out)?;
        self.inner.flush()
    }
}

impl<W: Write> Write for Redacted<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.pass(piece, false)?;
        Ok(piece.len())
    }

    /// What may be the beginning of a secret stays.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Drop for Redacted<W> {
    fn drop(&mut self) {
        // Whoever wants to know calls `finish`.
        drop(self.pass(&[], true));
    }
}
