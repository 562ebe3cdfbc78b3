//! The syntax of attributes: a fence's info string and the inside of a `lab:` comment.

use super::findings::{ATTRIBUTE_SYNTAX, DOUBLED_ATTRIBUTE, Findings};
use crate::lab::keywords::{ATTRIBUTES, CLUSTERS, Takes};
use crate::text::{SourceFile, Span, Spanned};

#[derive(Debug, Clone)]
pub(super) struct Attr {
    pub(super) name: Spanned<String>,
    pub(super) value: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    /// `ready="watch"` is a text, `ready=watch` a keyword.
    pub(super) quoted: bool,
    /// Without the quotes.
    pub(super) span: Span,
}

impl Attr {
    pub(super) fn span(&self) -> Span {
        let end = self.value.as_ref().map_or(self.name.span.end, |v| v.span.end + usize::from(v.quoted));
        Span::new(self.name.span.start, end)
    }
}

/// An info string: its language, and what stands in the braces after it.
#[derive(Debug)]
pub(super) struct Info {
    pub(super) language: Spanned<String>,
    /// The braces and all, where there are any.
    pub(super) braces: Option<Span>,
    /// The text after the language that is no braces.
    pub(super) rest: Option<Span>,
}

pub(super) fn info(source: &SourceFile, span: Span) -> Info {
    let text = source.slice(span);
    let start = text.len() - text.trim_start().len();
    let word = text[start..].find([' ', '\t', '{']).map_or(text.len(), |at| start + at);
    let language = Spanned::new(text[start..word].to_owned(), Span::new(span.start + start, span.start + word));
    let rest_start = word + (text[word..].len() - text[word..].trim_start().len());
    let rest_end = text.trim_end().len().max(rest_start);
    let rest = (rest_end > rest_start).then(|| Span::new(span.start + rest_start, span.start + rest_end));
    let braces = rest.filter(|_| text[rest_start..].starts_with('{'));
    Info { language, braces, rest: rest.filter(|_| braces.is_none()) }
}

/// Reads `{name=value …}`.
pub(super) fn in_braces(source: &SourceFile, braces: Span, findings: &mut Findings) -> Vec<Attr> {
    let mut reader = Reader::new(source, braces.start + 1, braces.end, "}");
    let attrs = reader.attrs(findings);
    reader.say_slip(&attrs, findings);
    if !source.slice(Span::new(reader.at, braces.end)).starts_with('}') {
        return attrs;
    }
    if reader.at + 1 < braces.end {
        let rest = Span::new(reader.at + 1, braces.end);
        findings
            .add(ATTRIBUTE_SYNTAX, rest, "nothing may follow the attributes' closing `}`")
            .hint("put all attributes into one pair of braces");
    }
    attrs
}

/// Reads the attributes between the name and the `-->` of a comment.
pub(super) fn in_comment(source: &SourceFile, span: Span, findings: &mut Findings) -> Vec<Attr> {
    let mut reader = Reader::new(source, span.start, span.end, "");
    let attrs = reader.attrs(findings);
    reader.say_slip(&attrs, findings);
    attrs
}

/// Attributes without braces, or in other brackets: one finding, and they are read all the same.
pub(super) fn without_braces(source: &SourceFile, info: &Info, rest: Span, findings: &mut Findings) -> Vec<Attr> {
    let text = source.slice(rest);
    let inner = text.trim_start_matches(['[', '(', '<']).trim_end_matches([']', ')', '>', '}']);
    let start = rest.start + (text.len() - text.trim_start_matches(['[', '(', '<']).len());
    let inner = Span::new(start, start + inner.len());
    let mut ignored = Findings::default();
    let attrs = Reader::new(source, inner.start, inner.end, "").attrs(&mut ignored);
    let language = &info.language.value;
    findings
        .add(ATTRIBUTE_SYNTAX, rest, "write attributes in braces")
        .hint(format!("write `{language} {}`", written(source, &attrs)));
    attrs
}

/// The attributes as they should be written.
fn written(source: &SourceFile, attrs: &[Attr]) -> String {
    let shown: Vec<String> = attrs
        .iter()
        .map(|attr| match &attr.value {
            None => attr.name.value.clone(),
            Some(value) if !value.quoted => format!("{}={}", attr.name.value, value.text),
            Some(value) => {
                let single = source.text()[..value.span.start].ends_with('\'');
                let quoted = if single {
                    format!("'{}'", value.text)
                } else {
                    format!("\"{}\"", value.text.replace('\\', "\\\\").replace('"', "\\\""))
                };
                format!("{}={quoted}", attr.name.value)
            }
        })
        .collect();
    format!("{{{}}}", shown.join(" "))
}

/// Quotes that a word processor makes of straight ones.
const CURLY: [char; 6] = ['“', '”', '„', '‘', '’', '«'];

struct Reader<'a> {
    source: &'a SourceFile,
    at: usize,
    end: usize,
    closing: &'static str,
    /// The first slip of a kind that can be read all the same.
    slip: Option<(Span, &'static str)>,
}

impl<'a> Reader<'a> {
    fn new(source: &'a SourceFile, at: usize, end: usize, closing: &'static str) -> Self {
        Self { source, at, end, closing, slip: None }
    }

    fn attrs(&mut self, findings: &mut Findings) -> Vec<Attr> {
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
            self.fail(findings, "a typographic quote quotes nothing", "write straight quotes: \"…\"");
            return None;
        };
        let closing = rest[start + length..].chars().next().map_or(1, char::len_utf8);
        self.slip(self.at, start, "a typographic quote quotes nothing");
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

    fn say_slip(&self, attrs: &[Attr], findings: &mut Findings) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let source = SourceFile::new("lab.md", "lab.md", text);
        let mut findings = Findings::default();
        let found = info(&source, Span::new(0, text.len()));
        let attrs = found.braces.map(|braces| in_braces(&source, braces, &mut findings)).unwrap_or_default();
        let shown = attrs
            .iter()
            .map(|attr| match &attr.value {
                None => attr.name.value.clone(),
                Some(value) => format!("{}={:?}{}", attr.name.value, value.text, if value.quoted { "q" } else { "" }),
            })
            .collect();
        (shown, findings.finish().into_iter().map(|f| format!("{}: {}", f.span.start, f.message)).collect())
    }

    #[test]
    fn attributes_are_read_from_the_files_bytes() {
        let (attrs, found) = read(r#"bash {name=a  background ready="say \"x\\y\" &amp;" fail='it"s' on=kind,attach}"#);
        assert_eq!(
            attrs,
            ["name=\"a\"", "background", r#"ready="say \"x\\y\" &amp;"q"#, r#"fail="it\"s"q"#, "on=\"kind,attach\""]
        );
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn slips_are_found_at_their_place() {
        assert_eq!(read("bash {name=a name=b}").1, ["13: attribute `name` is given twice"]);
        assert_eq!(read("bash {name = a}").1, ["11: blanks around `=` are not allowed"]);
        assert_eq!(read("bash {name=a").1, ["11: the attributes are not closed by `}`"]);
        assert_eq!(read("bash {fail=\"abc}").1, ["11: this value's closing quote is missing"]);
        assert_eq!(read("bash {a} {b}").1, ["8: nothing may follow the attributes' closing `}`"]);
        assert_eq!(read("bash {a=\"x\"b}").1, ["11: text directly after the value's closing quote"]);
        assert_eq!(read("bash {a=x{y}").1, ["9: an unquoted value may not hold this"]);
        assert_eq!(read("bash {}").1, Vec::<String>::new());
    }

    #[test]
    fn a_slip_of_one_kind_is_one_finding_and_the_attributes_are_read() {
        let comma = "attributes are separated by blanks, not by commas";
        for (written, attrs, found) in [
            ("bash {name=pods, terminal=2, opens}", "name=\"pods\" terminal=\"2\" opens", format!("15: {comma}")),
            ("bash {timeout=3s,opens}", "timeout=\"3s\" opens", format!("16: {comma}")),
            ("bash {name=a;opens}", "name=\"a\" opens", format!("12: {comma}")),
            ("bash {name: a, opens}", "name=\"a\" opens", "10: an attribute's value follows `=`, not `:`".to_owned()),
            ("bash {terminal:2}", "terminal=\"2\"", "14: an attribute's value follows `=`, not `:`".to_owned()),
            ("bash {name= a exit =1}", "name=\"a\" exit=\"1\"", "10: blanks around `=` are not allowed".to_owned()),
            (
                "bash {on=kind, attach}",
                "on=\"kind,attach\"",
                "13: blanks in a list of clusters are not allowed".to_owned(),
            ),
            (
                "check {fail=Don't panic, it is late points=3}",
                "fail=\"Don't panic, it is late\"q points=\"3\"",
                "12: a text with blanks needs quotes".to_owned(),
            ),
            (
                "check {fail=“No.” points=3}",
                "fail=\"No.\"q points=\"3\"",
                "12: a typographic quote quotes nothing".to_owned(),
            ),
        ] {
            let (read, all) = read(written);
            assert_eq!((read.join(" "), all), (attrs.to_owned(), vec![found]), "{written}");
        }
        assert_eq!(read("bash {on=kind,attach ready=port:$PORT}").1, Vec::<String>::new());
    }
}
