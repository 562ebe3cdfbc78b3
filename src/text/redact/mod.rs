//! Nothing that is secret leaves: the one place through which everything that is written passes.
//!
//! A text is looked at as it stands and as it reads without quotes, blanks, escapes, base64 and hexadecimal, one
//! within the other (see [`view`]), so that no spelling of a secret has to be foreseen. Whoever shortens, wraps,
//! splits or escapes a text redacts it first.

mod index;
mod parts;
mod short;
mod stream;
#[cfg(test)]
mod tests;
mod view;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{LazyLock, PoisonError, RwLock};

use index::{Found, Index, SHORTEST};
use short::Shorts;
use stream::Held;
pub use stream::Redacted;
use view::{ESCAPES, View, squeeze};

/// Of a secret that is one word (a token, a key, a password), so many bytes are hidden wherever they stand.
const PART_OF_WORD: usize = 12;
/// Of one with blanks in it, which may be a file's text, more of it.
const PART_OF_TEXT: usize = 32;
/// Encodings within each other that are read.
const DEEPEST: u8 = 4;
/// A longer text is looked at piece by piece, so that it takes no multiple of its memory.
const AT_ONCE: usize = 256 << 10;

/// What the process knows to be secret. It only grows: what was secret in one lab is hidden in all.
static KNOWN: LazyLock<RwLock<Redactor>> = LazyLock::new(RwLock::default);

/// From now on these are never written.
pub fn keep_secret(secrets: impl IntoIterator<Item = impl AsRef<[u8]>>) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).extend(secrets);
}

/// The text without what is secret, to be shortened, wrapped or written.
pub fn redact(text: &str) -> Cow<'_, str> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).redact(text)
}

/// The text with a star for each byte of what is secret, where places in it must stay what they are.
pub fn mask(text: &str) -> Cow<'_, str> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).masked(text)
}

/// What stands where a secret of so many bytes stood.
pub fn hidden_bytes(count: usize) -> String {
    format!("<{count} bytes, hidden>")
}

/// Replaces every secret, however it is spelled, by `<N bytes, hidden>`.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    index: Index,
    shorts: Shorts,
}

impl Redactor {
    pub fn new(secrets: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let mut redactor = Self::default();
        redactor.extend(secrets);
        redactor
    }

    /// Takes more secrets in, as the journal shows them.
    pub fn extend(&mut self, secrets: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        for secret in secrets {
            for part in parts::parts(secret.as_ref()) {
                self.insert(&part);
            }
        }
    }

    fn insert(&mut self, secret: &[u8]) {
        let text = String::from_utf8_lossy(secret);
        let least = if text.trim().contains(char::is_whitespace) { PART_OF_TEXT } else { PART_OF_WORD };
        self.insert_squeezed(secret, &text, least);
        if let Cow::Owned(lossy) = &text {
            self.insert_squeezed(lossy.as_bytes(), &text, least);
        }
        // As a form's encoding writes blanks.
        if text.contains(' ') {
            self.insert_squeezed(text.replace(' ', "+").as_bytes(), &text, least);
        }
    }

    fn insert_squeezed(&mut self, secret: &[u8], text: &str, least: usize) {
        let mut squeezed = Vec::with_capacity(secret.len());
        squeeze(secret, |_, byte| squeezed.push(byte));
        if squeezed.len() >= SHORTEST {
            self.index.insert(&squeezed, least);
        } else if !text.trim().is_empty() {
            self.shorts.insert(text);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty() && self.shorts.is_empty()
    }

    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.is_empty() || text.is_empty() {
            return Cow::Borrowed(text);
        }
        if text.len() > AT_ONCE {
            let mut held = Held::default();
            let mut out = Vec::with_capacity(text.len());
            for chunk in text.as_bytes().chunks(AT_ONCE) {
                out.extend(held.feed(self, chunk, false));
            }
            out.extend(held.feed(self, &[], true));
            return Cow::Owned(String::from_utf8_lossy(&out).into_owned());
        }
        let (found, _) = self.find(text.as_bytes(), false);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(String::from_utf8_lossy(&replaced(text.as_bytes(), &found)).into_owned())
    }

    fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = if self.is_empty() { Vec::new() } else { self.find(text.as_bytes(), false).0 };
        let mut out = Cow::Borrowed(text);
        for range in found {
            out.to_mut().replace_range(range.clone(), &"*".repeat(range.len()));
        }
        out
    }

    /// Where secrets stand, in order and apart; and where one begins that the end of an open text breaks off.
    fn find(&self, text: &[u8], is_open: bool) -> (Vec<Range<usize>>, Option<usize>) {
        if self.shorts.failed {
            // Nothing can be told apart any more: nothing comes out.
            return (std::iter::once(0..text.len()).collect(), None);
        }
        let mut search = Search { index: &self.index, found: Vec::new(), open: None };
        search.look(&View::whole(text, is_open), 0);
        self.shorts.find(text, |range| search.found.push(range));
        let Search { mut found, open, .. } = search;
        for range in &mut found {
            // Half a character is no text, and what fills up base64 belongs to it.
            let inside = |at: usize| text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
            while inside(range.start) {
                range.start -= 1;
            }
            while inside(range.end) || (range.end - range.start >= SHORTEST && text.get(range.end) == Some(&b'=')) {
                range.end += 1;
            }
        }
        found.sort_unstable_by_key(|range| (range.start, range.end));
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match apart.last_mut() {
                // Overlapping ones are one, so that no end of a secret stays behind another one.
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        (apart, open)
    }
}

struct Search<'a> {
    index: &'a Index,
    found: Vec<Range<usize>>,
    open: Option<usize>,
}

impl Search<'_> {
    fn look(&mut self, view: &View, depth: u8) {
        self.scan(view);
        if depth == DEEPEST {
            return;
        }
        for begins in ESCAPES {
            if let Some(unescaped) = view.unescaped(begins) {
                self.look(&unescaped, depth + 1);
            }
        }
        // So many characters hold the shortest secret that is looked for.
        let least = if self.index.has_short() { 6 } else { 11 };
        view.base64(least, |inner| self.inner(&inner, depth));
        view.hexadecimal(|inner| self.inner(&inner, depth));
    }

    fn inner(&mut self, view: &View, depth: u8) {
        if view.is_text() {
            self.look(view, depth + 1);
        } else {
            self.scan(view);
        }
    }

    fn scan(&mut self, view: &View) {
        let squeezed = view.squeezed();
        let Self { index, found, open } = self;
        index.find(&squeezed.bytes, squeezed.is_open, |part| match part {
            Found::Part(range) => found.push(squeezed.place(range)),
            Found::Open(at) => {
                let start = squeezed.place(at..at + 1).start;
                *open = Some(open.map_or(start, |known| known.min(start)));
            }
        });
    }
}

fn replaced(text: &[u8], found: &[Range<usize>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut from = 0;
    for range in found {
        out.extend_from_slice(&text[from..range.start]);
        out.extend_from_slice(hidden_bytes(range.len()).as_bytes());
        from = range.end;
    }
    out.extend_from_slice(&text[from..]);
    out
}
