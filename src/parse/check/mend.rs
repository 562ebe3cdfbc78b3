//! Slips in the lines of a `check` fence, found and mended before the checks are read, so that each is one finding and
//! nothing else seems to be wrong because of it.

use super::slips::{LEADS, event_of};
use crate::expr::{Literal, literal};
use crate::lab::keywords::CHECKS;
use crate::parse::context::Context;
use crate::parse::findings::CHECK_SYNTAX;
use crate::parse::markdown::lines;
use crate::text::{EventKind, Joined, Span};

/// Words that go on with a check and begin none.
const GOES_ON: &[&str] = &[
    EventKind::Put.name(),
    EventKind::Delete.name(),
    "where",
    "within",
    "for",
    "count",
    "exists",
    "absent",
    "contains",
    "matches",
    "strict",
    "unordered",
    "and",
    "or",
];

/// The lines as they were most likely meant; every byte keeps its place in the file.
pub(super) fn mend(content: &Joined, cx: &mut Context<'_>) -> Joined {
    let mut mender = Mender { cx, out: Joined::new(), verb: None, outdent: 0, shifted: false, broken_off: false };
    for (at, line) in lines(content.text(), 0) {
        let line = Draft::read(content, at, line, mender.cx);
        mender.line(line);
    }
    mender.out
}

/// A line in pieces, each with its place in the file.
struct Draft {
    pieces: Vec<(String, usize)>,
}

impl Draft {
    fn text(&self) -> String {
        self.pieces.iter().map(|(text, _)| text.as_str()).collect()
    }

    /// The place in the file of the byte at `at`.
    fn offset(&self, at: usize) -> usize {
        let mut before = 0;
        for (text, offset) in &self.pieces {
            if at < before + text.len() {
                return offset + (at - before);
            }
            before += text.len();
        }
        self.pieces.last().map_or(0, |(text, offset)| offset + text.len())
    }

    fn span(&self, from: usize, to: usize) -> Span {
        Span::new(self.offset(from), self.offset(to.max(from + 1) - 1) + 1)
    }

    /// Without its first bytes.
    fn cut(&mut self, mut bytes: usize) {
        while let Some((text, offset)) = self.pieces.first_mut() {
            if text.len() > bytes {
                text.drain(..bytes);
                *offset += bytes;
                return;
            }
            bytes -= text.len();
            self.pieces.remove(0);
        }
    }

    /// Takes characters that look like what they are not for what they look like.
    fn read(content: &Joined, at: usize, line: &str, cx: &mut Context<'_>) -> Self {
        let mut pieces: Vec<(String, usize)> = Vec::new();
        let mut from = 0;
        let mut here = 0;
        let mut said = false;
        let mut say = |cx: &mut Context<'_>, start: usize, length: usize, message: String, hint: &str| {
            if !std::mem::replace(&mut said, true) {
                cx.findings.add(CHECK_SYNTAX, content.span(at + start..at + start + length), message).hint(hint);
            }
        };
        let mut curly = false;
        while let Some(c) = line[here..].chars().next() {
            let rest = &line[here..];
            let before = line[..here].chars().next_back();
            let after_blank = before.is_none_or(char::is_whitespace);
            let starts_token = before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_');
            match literal(rest).filter(|_| starts_token && !curly) {
                Some(Literal::Closed(length)) => {
                    here += length;
                    continue;
                }
                Some(Literal::Open) => break,
                None => {}
            }
            if c == '#' && after_blank {
                break;
            }
            let is_comment = rest.starts_with("//") && after_blank && !rest.starts_with("//registry");
            if is_comment {
                say(cx, here, 2, "a comment begins with `#`, not `//`".to_owned(), "write ` # …`");
                pieces.push((line[from..here].trim_end_matches([' ', '\t']).to_owned(), content.offset(at + from)));
                from = line.trim_end_matches('\n').len();
                break;
            }
            let mended = match c {
                '“' | '”' | '„' => Some("\""),
                '‘' | '’' => Some("'"),
                '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => Some(""),
                c if c.is_whitespace() && !matches!(c, ' ' | '\t' | '\n' | '\r') => Some(" "),
                _ => None,
            };
            if let Some(mended) = mended {
                if matches!(mended, "\"" | "'") {
                    curly = !curly;
                    let message = "a typographic quote is not a quote here".to_owned();
                    say(cx, here, c.len_utf8(), message, "write straight quotes: \"…\"");
                } else {
                    let message = format!("invisible character: U+{:04X}", c as u32);
                    say(cx, here, c.len_utf8(), message, "delete it, and write a plain blank if one is meant");
                }
                pieces.push((line[from..here].to_owned(), content.offset(at + from)));
                pieces.push((mended.to_owned(), content.offset(at + here)));
                from = here + c.len_utf8();
            }
            here += c.len_utf8();
        }
        pieces.push((line[from..].to_owned(), content.offset(at + from)));
        pieces.retain(|(text, _)| !text.is_empty());
        Self { pieces }
    }
}

struct Mender<'c, 's> {
    cx: &'c mut Context<'s>,
    out: Joined,
    /// What the check that is being read begins with.
    verb: Option<String>,
    /// How far in the first check of the fence stands.
    outdent: usize,
    /// The line before was an indented check, or one that goes on without being indented: one finding is enough.
    shifted: bool,
    broken_off: bool,
}

impl Mender<'_, '_> {
    fn line(&mut self, mut line: Draft) {
        let text = line.text();
        let trimmed = text.trim_start_matches([' ', '\t']);
        if trimmed.trim().is_empty() || trimmed.starts_with('#') {
            return self.push(&line);
        }
        let indent = text.len() - trimmed.len();
        if indent < self.outdent {
            self.outdent = 0;
        }
        line.cut(indent.min(self.outdent));
        let indent = indent - indent.min(self.outdent);
        self.lead(&mut line, indent);
        let text = line.text();
        let begins = begins_check(&text[indent..]);
        let word = word(&text[indent..]).to_owned();
        if indent > 0 && begins {
            if !std::mem::replace(&mut self.shifted, true) {
                let message = if self.verb.is_some() {
                    format!("`{word}` begins a check, but an indented line continues the check above")
                } else {
                    format!("`{word}` begins a check, but it is indented")
                };
                let span = line.span(indent, indent + word.len());
                self.cx.findings.add(CHECK_SYNTAX, span, message).hint("begin it in column 1");
            }
            if self.verb.is_none() {
                self.outdent = indent;
            }
            line.cut(indent);
            self.begin(word);
        } else if indent > 0 {
            self.event(&mut line, indent, &word);
        } else if self.verb.is_some() && goes_on(&text, &word) {
            if !std::mem::replace(&mut self.broken_off, true) {
                let span = line.span(0, word.len());
                let message = format!("`{word}` is not a check: this line continues the one above");
                self.cx.findings.add(CHECK_SYNTAX, span, message).hint("indent it by two blanks");
            }
            self.out.push("  ", line.offset(0));
            self.event(&mut line, 0, &word);
        } else {
            self.shifted = false;
            self.begin(word);
        }
        self.push(&line);
    }

    fn begin(&mut self, verb: String) {
        self.verb = Some(verb);
        self.broken_off = false;
    }

    fn push(&mut self, line: &Draft) {
        for (text, at) in &line.pieces {
            self.out.push(text, *at);
        }
    }

    /// List marks, and verbs of other tools, before a check.
    fn lead(&mut self, line: &mut Draft, indent: usize) {
        let text = line.text();
        let rest = &text[indent..];
        let first = word(rest);
        let after = rest[first.len()..].trim_start_matches([' ', '\t']);
        let is_mark = matches!(first, "-" | "*" | "+" | "•" | "$" | ">")
            || first.strip_suffix(['.', ')']).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let is_lead = is_mark || LEADS.contains(&first.to_lowercase().trim_end_matches(':'));
        let next = word(after);
        if !is_lead || !(begins_check(after) || event_of(next).is_some()) {
            return;
        }
        let message = if is_mark {
            format!("`{first}` is not part of a check")
        } else {
            format!("`{first}` is not a check: the check begins here")
        };
        let span = line.span(indent, indent + first.len());
        self.cx.findings.add(CHECK_SYNTAX, span, message).hint(format!("begin with `{next}`"));
        let mut tail = Draft { pieces: std::mem::take(&mut line.pieces) };
        let cut = rest.len() - after.len();
        if indent > 0 {
            line.pieces.push((text[..indent].to_owned(), tail.offset(0)));
        }
        tail.cut(indent + cut);
        line.pieces.append(&mut tail.pieces);
    }

    /// `put`, or what `kubectl get --watch` says, in place of PUT.
    fn event(&mut self, line: &mut Draft, indent: usize, found: &str) {
        let Some(event) =
            event_of(found).filter(|event| event.name() != found && self.verb.as_deref() == Some("events"))
        else {
            return;
        };
        let text = line.text();
        let span = line.span(indent, indent + found.len());
        let message = format!("`{found}` is not an etcd event: write PUT or DELETE, in capitals");
        self.cx.findings.add(CHECK_SYNTAX, span, message).hint(format!("write `{event}`"));
        let start = line.offset(indent);
        let mut tail = Draft { pieces: std::mem::take(&mut line.pieces) };
        if indent > 0 {
            line.pieces.push((text[..indent].to_owned(), tail.offset(0)));
        }
        tail.cut(indent + found.len());
        line.pieces.push((event.to_string(), start));
        line.pieces.append(&mut tail.pieces);
    }
}

/// The first run of characters.
fn word(text: &str) -> &str {
    let text = text.trim_end();
    &text[..text.find([' ', '\t']).unwrap_or(text.len())]
}

/// A word that begins a check, and then an operand: `key == "a"` goes on with an expression.
fn begins_check(text: &str) -> bool {
    let first = word(text);
    let after = text[first.len()..].trim_start_matches([' ', '\t']);
    let operand = after.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '"' | '\'' | '$' | '_'));
    CHECKS.contains(&first) && operand && word(after) != "in"
}

fn goes_on(text: &str, word: &str) -> bool {
    let operator = ["&&", "||", "==", "!=", "<=", ">=", "? ", ": ", ")", "]"].iter().any(|op| text.starts_with(op));
    operator || GOES_ON.contains(&word) || event_of(word).is_some()
}
