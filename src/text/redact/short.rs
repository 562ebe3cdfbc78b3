//! Secrets of one to three bytes. They stand in every text by chance, so they are hidden only where they stand as
//! a word of their own, and a single character only where it stands as a value.

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

#[derive(Debug, Clone, Default)]
pub(super) struct Shorts {
    words: BTreeSet<String>,
    matcher: Option<AhoCorasick>,
    /// It could not be built: then nothing may come out.
    pub(super) failed: bool,
}

impl Shorts {
    pub(super) fn insert(&mut self, secret: &str) {
        let before = self.words.len();
        for text in [secret, secret.trim()] {
            self.words.insert(text.trim().to_owned());
            self.words.insert(STANDARD.encode(text));
            self.words.insert(STANDARD_NO_PAD.encode(text));
            self.words.insert(STANDARD.encode(format!("{text}\n")));
            let escaped = serde_json::Value::from(text.trim()).to_string();
            self.words.insert(escaped[1..escaped.len() - 1].to_owned());
        }
        if self.words.len() != before {
            let built = AhoCorasick::new(&self.words);
            self.failed |= built.is_err();
            self.matcher = built.ok();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(super) fn find(&self, text: &[u8], mut tell: impl FnMut(Range<usize>)) {
        let Some(matcher) = &self.matcher else { return };
        for found in matcher.find_overlapping_iter(text) {
            let range = found.range();
            let hidden = if range.len() == 1 { is_value(text, &range) } else { is_word(text, &range) };
            if hidden {
                tell(range);
            }
        }
    }
}

fn is_word(text: &[u8], range: &Range<usize>) -> bool {
    let inside = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    !inside(text[..range.start].last()) && !inside(text.get(range.end))
}

/// The whole of a line, of what quotes enclose, or of what follows `:`, `=` or a bar.
fn is_value(text: &[u8], range: &Range<usize>) -> bool {
    let (before, after) = (&text[..range.start], &text[range.end..]);
    if let (Some(open @ (b'"' | b'\'' | b'`')), Some(close)) = (before.last(), after.first())
        && open == close
    {
        return true;
    }
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let before = before.iter().rev().find(|byte| !blank(byte));
    let closes = after.iter().find(|byte| !blank(byte));
    let ends = matches!(closes, None | Some(b'\n' | b'\r' | b',' | b'}' | b']'));
    ends && matches!(before, None | Some(b'\n' | b'\r' | b':' | b'=' | b'|'))
}
