//! The syntax of attributes: a fence's info string and the inside of a `lab:` comment.

mod reader;

use reader::Reader;

use super::findings::{ATTRIBUTE_SYNTAX, Findings};
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
                "12: a typographic quote is not a quote here".to_owned(),
            ),
        ] {
            let (read, all) = read(written);
            assert_eq!((read.join(" "), all), (attrs.to_owned(), vec![found]), "{written}");
        }
        assert_eq!(read("bash {on=kind,attach ready=port:$PORT}").1, Vec::<String>::new());
    }
}
