//! Reads the attributes one by one. What can be read in spite of a slip is read, and the slip is one finding.

use super::{Attr, Value, written};
use crate::lab::keywords::{ATTRIBUTES, CLUSTERS, Takes};
use crate::parse::findings::{ATTRIBUTE_SYNTAX, DOUBLED_ATTRIBUTE, Findings};
use crate::text::{SourceFile, Span, Spanned};

/// Quotes that a word processor makes of straight ones.
const CURLY: [char; 6] = ['“', '”', '„', '‘', '’', '«'];

pub(super) struct Reader<'a> {
    source: &'a SourceFile,
    pub(super) at: usize,
    end: usize,
    closing: &'static str,
    /// The first slip of a kind that can be read all the same.
    slip: Option<(Span, &'static str)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a SourceFile, at: usize, end: usize, closing: &'static str) -> Self {
        Self { source, at, end, closing, slip: None }
    }

    pub(super) fn attrs(&mut self, findings: &mut Findings) -> Vec<Attr> {
        let mut attrs: Vec<Attr> = Vec::new();
        loop {
            let before = self.at;
            self.blanks();
            let separated = before != self.at || self.separators();
            if self.rest().is_empty() {
                if !self.closing.is_empty() {
                    let here = Span::new(self.end.saturating_sub(1), self.end);
                    findings
                        .add(ATTRIBUTE_SYNTAX, here, "the attributes are not closed by `}`")
                        .hint("add `}` at the end of the line");
                }
                return attrs;
            }
            if !self.closing.is_empty() && self.rest().starts_with(self.closing) {
                return attrs;
            }
            if self.separators() {
                continue;
            }
            if let Some(last) = attrs.last().filter(|_| !separated) {
                let (message, hint) = if last.value.as_ref().is_some_and(|value| value.quoted) {
                    (
                        "text directly after the value's closing quote",
                        "write \\\" for a quote inside \"…\", and a blank between two attributes",
                    )
                } else {
                    ("a blank is missing between two attributes", "put a blank here")
                };
                self.fail(findings, message, hint);
                return attrs;
            }
            let Some(attr) = self.attr(findings) else {
                return attrs;
            };
            if attrs.iter().any(|known| known.name.value == attr.name.value) {
                let message = format!("attribute `{}` is given twice", attr.name.value);
                findings.add(DOUBLED_ATTRIBUTE, attr.name.span, message).hint("keep one of them");
            } else {
                attrs.push(attr);
            }
        }
    }

    fn attr(&mut self, findings: &mut Findings) -> Option<Attr> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(rest.len());
        let name = rest[..length].to_owned();
        if length == 0 {
            let found = rest.chars().next().unwrap_or(' ');
            let hint = match found {
                '.' | '#' => "write the language before the braces, and a name as `name=…`",
                _ => "attributes are written `name` or `name=value`",
            };
            self.fail(findings, &format!("`{}` is not an attribute", found.escape_debug()), hint);
            return None;
        }
        let span = Span::new(self.at, self.at + length);
        self.at += length;
        let name = Spanned::new(name, span);
        let blanks = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        match self.rest()[blanks..].chars().next() {
            Some('=') => {
                self.at += blanks + 1;
                let after = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
                if blanks + after > 0 && !self.rest()[after..].is_empty() {
                    self.slip(self.at - 1, 1, "blanks around `=` are not allowed");
                    self.at += after;
                }
            }
            Some(':') => {
                self.at += blanks;
                self.slip(self.at, 1, "an attribute's value follows `=`, not `:`");
                self.at += 1;
                self.blanks();
            }
            _ => return Some(Attr { name, value: None }),
        }
        let value = self.value(&name.value, findings)?;
        Some(Attr { name, value: Some(value) })
    }

    fn value(&mut self, name: &str, findings: &mut Findings) -> Option<Value> {
        let rest = self.rest();
        match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => return self.quoted(quote, findings),
            Some(quote) if CURLY.contains(&quote) => return self.curly(quote, findings),
            _ => {}
        }
        if let Some(value) = self.unquoted_text(name) {
            return Some(value);
        }
        let mut length = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '{' | '}' | '\\' | '`'))
            .unwrap_or(rest.len());
        if let Some(comma) = rest[..length].char_indices().find(|(at, c)| is_separator(*c, &rest[at + c.len_utf8()..]))
        {
            length = comma.0;
        }
        if length == 0 {
            self.fail(findings, "a value is missing after `=`", "write no blanks around `=`");
            return None;
        }
        if rest[length..].starts_with(['"', '\'', '{', '\\', '`']) {
            self.at += length;
            let message = "an unquoted value may not hold this";
            let hint = if rest[length..].starts_with('{') {
                "put the value in quotes: \"…\"".to_owned()
            } else {
                "put the whole value in quotes: \"…\", with \\\" for a quote inside".to_owned()
            };
            self.fail(findings, message, &hint);
            return None;
        }
        let start = self.at;
        self.at += length;
        if name == "on" && self.more_clusters() {
            let span = Span::new(start, self.at);
            let text = self.source.slice(span).split_whitespace().collect::<String>();
            return Some(Value { text, quoted: false, span });
        }
        Some(Value { text: rest[..length].to_owned(), quoted: false, span: Span::new(start, self.at) })
    }

    /// `on=kind, attach`: a list with a blank in it.
    fn more_clusters(&mut self) -> bool {
        let mut found = false;
        loop {
            let rest = self.rest();
            let Some(after) = rest.strip_prefix(',') else { return found };
            let word = after.trim_start();
            let length = word.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(word.len());
            if !CLUSTERS.iter().any(|(name, _)| *name == &word[..length]) {
                return found;
            }
            self.slip(self.at, 1, "blanks in a list of clusters are not allowed");
            self.at += rest.len() - word.len() + length;
            found = true;
        }
    }

    /// `fail=The label is missing`: all the words up to the next attribute.
    fn unquoted_text(&mut self, name: &str) -> Option<Value> {
        if !matches!(name, "fail" | "ready") {
            return None;
        }
        let rest = self.rest();
        let inner = &rest[..rest.rfind('}').unwrap_or(rest.len())];
        let mut length = 0;
        for word in inner.split_inclusive(char::is_whitespace) {
            let head = word.split(['=', ',', ';']).next().unwrap_or("").trim();
            let known = ATTRIBUTES.iter().find(|known| known.name == head);
            let flag = name == "ready" && known.is_some_and(|known| known.takes == Takes::Nothing);
            if length > 0 && (flag || (known.is_some() && word.contains('='))) {
                break;
            }
            length += word.len();
        }
        let text = inner[..length].trim_end().trim_end_matches([',', ';']);
        if !text.contains(char::is_whitespace) {
            return None;
        }
        self.slip(self.at, text.len(), "a text with blanks needs quotes");
        let span = Span::new(self.at, self.at + text.len());
        self.at = span.end;
        Some(Value { text: text.to_owned(), quoted: true, span })
    }

    fn quoted(&mut self, quote: char, findings: &mut Findings) -> Option<Value> {
        let rest = self.rest();
        let mut text = String::new();
        let mut chars = rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if c == quote {
                let span = Span::new(self.at + 1, self.at + at);
                self.at += at + 1;
                return Some(Value { text, quoted: true, span });
            }
            if c == '\\' && quote == '"' {
                let Some((_, escaped @ ('"' | '\\'))) = chars.next() else {
                    self.at += at;
                    self.fail(
                        findings,
                        "only \\\" and \\\\ may be escaped here",
                        "write \\\\ for a backslash, or use '…'",
                    );
                    return None;
                };
                text.push(escaped);
            } else {
                text.push(c);
            }
        }
        let span = Span::new(self.at, self.end);
        findings.unread = true;
        findings
            .add(ATTRIBUTE_SYNTAX, span, "this value's closing quote is missing")
            .hint(format!("close it with {quote}"));
        None
    }

    /// A value in the quotes that a word processor makes.
    fn curly(&mut self, quote: char, findings: &mut Findings) -> Option<Value> {
        let rest = self.rest();
        let start = quote.len_utf8();
        let ends =
            |c: char| matches!((quote, c), ('‘' | '’', '‘' | '’') | ('“' | '”' | '„', '“' | '”' | '"') | ('«', '»'));
        let Some(length) = rest[start..].find(ends) else {
            self.fail(findings, "a typographic quote is not a quote here", "write straight quotes: \"…\"");
            return None;
        };
        let closing = rest[start + length..].chars().next().map_or(1, char::len_utf8);
        self.slip(self.at, start, "a typographic quote is not a quote here");
        let span = Span::new(self.at + start, self.at + start + length);
        self.at += start + length + closing;
        Some(Value { text: rest[start..start + length].to_owned(), quoted: true, span })
    }

    /// Commas and semicolons between attributes.
    fn separators(&mut self) -> bool {
        let mut found = false;
        while self.rest().starts_with([',', ';']) {
            self.slip(self.at, 1, "attributes are separated by blanks, not by commas");
            self.at += 1;
            self.blanks();
            found = true;
        }
        found
    }

    fn slip(&mut self, at: usize, length: usize, message: &'static str) {
        self.slip.get_or_insert((Span::new(at, at + length), message));
    }

    pub(super) fn say_slip(&self, attrs: &[Attr], findings: &mut Findings) {
        if let Some((span, message)) = self.slip {
            let mended = written(self.source, attrs);
            let mended = if self.closing.is_empty() { mended.trim_matches(['{', '}']) } else { &mended };
            findings.add(ATTRIBUTE_SYNTAX, span, message).hint(format!("write `{mended}`"));
        }
    }

    fn fail(&self, findings: &mut Findings, message: &str, hint: &str) {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        findings.unread = true;
        findings.add(ATTRIBUTE_SYNTAX, Span::new(self.at, self.at + length), message).hint(hint);
    }

    fn rest(&self) -> &'a str {
        self.source.slice(Span::new(self.at, self.end))
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }
}

/// Whether a comma ends the value before it: `on=kind,attach` is one value, `timeout=3s,opens` two attributes.
fn is_separator(c: char, after: &str) -> bool {
    if !matches!(c, ',' | ';') {
        return false;
    }
    let word = after.trim_start();
    let length = word.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(word.len());
    let known = ATTRIBUTES.iter().any(|known| known.name == &word[..length]);
    after.is_empty() || after.starts_with(char::is_whitespace) || after.starts_with('}') || known
}
