use std::borrow::Cow;
use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// A part of a secret shorter than this (a closing brace, a lone digit) says nothing by itself, and
/// hiding every such letter would make a report unreadable.
const SHORTEST_PART: usize = 4;

/// Replaces every secret text, also in base64 and line by line, by `<N bytes, hidden>`.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    secrets: BTreeSet<String>,
    matcher: Option<AhoCorasick>,
}

impl Redactor {
    pub fn new(secrets: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut redactor = Self::default();
        redactor.extend(secrets);
        redactor
    }

    /// Takes more secrets in, as the journal shows them.
    pub fn extend(&mut self, secrets: impl IntoIterator<Item = impl Into<String>>) {
        let before = self.secrets.len();
        for secret in secrets {
            self.secrets.extend(forms(&secret.into()));
        }
        if self.secrets.len() != before {
            self.matcher = AhoCorasick::new(&self.secrets).ok();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(matcher) = &self.matcher else {
            return Cow::Borrowed(text);
        };
        // Overlapping matches are merged, so that no end of a secret stays behind another one.
        let mut hidden: Vec<(usize, usize)> = Vec::new();
        let mut found: Vec<(usize, usize)> = matcher
            .find_overlapping_iter(text)
            .map(|found| (found.start(), found.end()))
            .filter(|(start, end)| end - start >= SHORTEST_PART || stands_alone(text, *start, *end))
            .collect();
        found.sort_unstable();
        for (start, end) in found {
            match hidden.last_mut() {
                Some((_, last)) if start < *last => *last = end.max(*last),
                _ => hidden.push((start, end)),
            }
        }
        if hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for (start, end) in hidden {
            out.push_str(&text[from..start]);
            out.push_str(&hidden_bytes(end - start));
            from = end;
        }
        out.push_str(&text[from..]);
        Cow::Owned(out)
    }
}

/// What stands where a secret of so many bytes stood.
pub fn hidden_bytes(count: usize) -> String {
    format!("<{count} bytes, hidden>")
}

/// A short secret is hidden as a word of its own only: `1` is not hidden inside `2019`.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !inside(text[..start].chars().next_back()) && !inside(text[end..].chars().next())
}

fn forms(secret: &str) -> Vec<String> {
    let trimmed = secret.trim();
    if trimmed.is_empty() {
        return Vec::new();
    }
    let mut forms = vec![secret.to_owned(), trimmed.to_owned()];
    for text in [secret, trimmed, &format!("{trimmed}\n")] {
        forms.extend([STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().map(|engine| engine.encode(text)));
    }
    // JSON and YAML show a line end as \n and a quote as \".
    let escaped = serde_json::Value::from(secret).to_string();
    forms.push(escaped[1..escaped.len() - 1].to_owned());
    if secret.trim().contains('\n') {
        forms.extend(secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_PART).map(str::to_owned));
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_base64_and_lines_are_hidden() {
        let redactor = Redactor::new(["hunter2secret", "-----BEGIN-----\nMIIEow\n-----END-----\n"]);
        assert_eq!(redactor.redact("pw=hunter2secret;"), "pw=<13 bytes, hidden>;");
        assert_eq!(redactor.redact(&STANDARD.encode("hunter2secret")), "<20 bytes, hidden>");
        assert_eq!(redactor.redact("x MIIEow y"), "x <6 bytes, hidden> y");
        assert_eq!(redactor.redact("nothing here"), "nothing here");
    }

    #[test]
    fn the_longest_wins_and_overlaps_leave_no_end() {
        let redactor = Redactor::new(["abcd", "abcdefgh", "ghijkl"]);
        assert_eq!(redactor.redact("abcdefgh"), "<8 bytes, hidden>");
        assert_eq!(redactor.redact("abcdefghijkl"), "<12 bytes, hidden>");
    }

    #[test]
    fn a_short_secret_is_hidden_as_a_word_only() {
        let redactor = Redactor::new(["1"]);
        assert_eq!(redactor.redact("in 2019: 1"), "in 2019: <1 bytes, hidden>");
    }

    #[test]
    fn an_empty_secret_hides_nothing() {
        let redactor = Redactor::new(["", "  \n"]);
        assert!(redactor.is_empty());
        assert_eq!(redactor.redact("text"), "text");
    }
}
