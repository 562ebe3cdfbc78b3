//! The syntax of attributes: a fence's info string and the inside of a `lab:` comment.

use super::findings::{ATTRIBUTE_SYNTAX, DOUBLED_ATTRIBUTE, Findings};
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
    let mut reader = Reader { source, at: braces.start + 1, end: braces.end, closing: "}" };
    let attrs = reader.attrs(findings);
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
    Reader { source, at: span.start, end: span.end, closing: "" }.attrs(findings)
}

struct Reader<'a> {
    source: &'a SourceFile,
    at: usize,
    end: usize,
    closing: &'static str,
}

impl<'a> Reader<'a> {
    fn attrs(&mut self, findings: &mut Findings) -> Vec<Attr> {
        let mut attrs: Vec<Attr> = Vec::new();
        loop {
            let before = self.at;
            self.blanks();
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
            if !attrs.is_empty() && before == self.at {
                self.fail(findings, "a blank is missing between two attributes", "put a blank here");
                return attrs;
            }
            let Some(attr) = self.attr(findings) else {
                return attrs;
            };
            if attrs.iter().any(|known| known.name.value == attr.name.value) {
                let message = format!("attribute `{}` stands twice", attr.name.value);
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
                ',' | ';' => "separate attributes by blanks",
                '=' => "no blanks stand around `=`",
                _ => "attributes are written `name` or `name=value`",
            };
            self.fail(findings, &format!("`{}` begins no attribute", found.escape_debug()), hint);
            return None;
        }
        let span = Span::new(self.at, self.at + length);
        self.at += length;
        let name = Spanned::new(name, span);
        if !self.rest().starts_with('=') {
            return Some(Attr { name, value: None });
        }
        self.at += 1;
        let value = self.value(findings)?;
        Some(Attr { name, value: Some(value) })
    }

    fn value(&mut self, findings: &mut Findings) -> Option<Value> {
        let rest = self.rest();
        if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
            return self.quoted(quote, findings);
        }
        let length = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '{' | '}' | '\\' | '`'))
            .unwrap_or(rest.len());
        if length == 0 {
            self.fail(findings, "a value is missing after `=`", "no blanks stand around `=`");
            return None;
        }
        if rest[length..].starts_with(['"', '\'', '{', '\\', '`']) {
            self.at += length;
            self.fail(findings, "an unquoted value may not hold this", "put the value in quotes");
            return None;
        }
        let span = Span::new(self.at, self.at + length);
        self.at += length;
        Some(Value { text: rest[..length].to_owned(), quoted: false, span })
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
        findings
            .add(ATTRIBUTE_SYNTAX, span, "this value's closing quote is missing")
            .hint(format!("close it with {quote}"));
        None
    }

    fn fail(&self, findings: &mut Findings, message: &str, hint: &str) {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
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
        assert_eq!(read("bash {name=a name=b}").1, ["13: attribute `name` stands twice"]);
        assert_eq!(read("bash {name = a}").1, ["11: `=` begins no attribute"]);
        assert_eq!(read("bash {name=a").1, ["11: the attributes are not closed by `}`"]);
        assert_eq!(read("bash {fail=\"abc}").1, ["11: this value's closing quote is missing"]);
        assert_eq!(read("bash {a} {b}").1, ["8: nothing may follow the attributes' closing `}`"]);
        assert_eq!(read("bash {a=\"x\"b}").1, ["11: a blank is missing between two attributes"]);
        assert_eq!(read("bash {a=x{y}").1, ["9: an unquoted value may not hold this"]);
        assert_eq!(read("bash {}").1, Vec::<String>::new());
    }
}
