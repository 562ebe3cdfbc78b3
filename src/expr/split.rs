use std::ops::Range;

use super::token::{Kind, NoToken, token};
use super::{Fault, FaultKind};
use crate::text::{EventKind, Joined};

/// How deep brackets may nest: far beyond what a person reads, far below what ends a stack.
const DEEPEST: usize = 32;

/// So many tokens in one expression are a program, which belongs in a `run` check.
const LONGEST: usize = 1000;

/// Operators of other languages, and what CEL has.
const OPERATORS: &[(&str, &str)] = &[
    ("===", "`==`"),
    ("!==", "`!=`"),
    ("<>", "`!=`"),
    ("=~", "`.matches(\"…\")` after the value"),
    ("!~", "`!` before the value, and `.matches(\"…\")` after it"),
    ("=>", "`>=`"),
    ("=<", "`<=`"),
    ("≠", "`!=`"),
    ("≥", "`>=`"),
    ("≤", "`<=`"),
    ("&&&", "`&&`"),
    ("**", "`*`"),
    ("[*]", "`.exists(item, …)`, or an index such as `[0]`"),
    ("{.", "`object.` in place of `{.`, and no braces"),
];

/// Finds where the expression that begins at `from` ends, as the grammar's `ctoken` rule has it:
/// before `within` or `for` after an operand, in `events` also before a folded `PUT` or `DELETE`,
/// and else at the end of the check. Two operands never stand side by side in CEL.
pub fn split(source: &Joined, from: usize, in_events: bool) -> Result<Range<usize>, Fault> {
    let text = source.text();
    let mut end = from;
    let mut open: Vec<usize> = Vec::new();
    let mut count = 0;
    let mut after_operand = false;
    let mut at = from;
    let mut last = from..from;
    let fault = |range: Range<usize>, message: String, hint: Option<&str>| Fault {
        kind: FaultKind::Syntax,
        span: source.span(range),
        message,
        hint: hint.map(str::to_owned),
    };
    while let Some(Gap { next, folded }) = gap(text, at) {
        let word = word_at(text, next);
        let times = matches!(word, "within" | "for")
            && text[next + word.len()..].trim_start().starts_with(|c: char| c.is_ascii_digit());
        if let Some(bracket) = open.last().filter(|_| after_operand && times) {
            return Err(not_closed(source, *bracket));
        }
        if after_operand && open.is_empty() {
            let ends = matches!(word, "within" | "for") || (in_events && folded && EventKind::of(word).is_some());
            if ends {
                break;
            }
        }
        if let Some((wrong, right)) = OPERATORS.iter().find(|(wrong, _)| text[next..].starts_with(wrong)) {
            let range = next..next + wrong.len();
            return Err(fault(range, format!("CEL has no `{wrong}`"), Some(&format!("write {right}"))));
        }
        let (kind, range) = token(text, next).map_err(|no| no_token(source, next, no))?;
        count += 1;
        if count > LONGEST {
            return Err(fault(range, format!("this expression has more than {LONGEST} tokens"), None));
        }
        match kind {
            Kind::Ident | Kind::Literal if after_operand => {
                let found = &text[range.clone()];
                if matches!(&text[last.clone()], "not" | "NOT") {
                    return Err(fault(last, "CEL has no `not`".to_owned(), Some("write `!`: `!has(…)`, `!(a == b)`")));
                }
                let hint = match found {
                    "and" | "AND" => "CEL writes `&&`".to_owned(),
                    "or" | "OR" => "CEL writes `||`".to_owned(),
                    "not" => "CEL writes `!`".to_owned(),
                    "is" | "equals" | "eq" => "CEL writes `==`".to_owned(),
                    "contains" | "matches" | "startsWith" | "endsWith" | "includes" => {
                        format!("CEL writes `.{}(\"…\")` after the value", if found == "includes" { "contains" } else { found })
                    }
                    "timeout" | "after" | "until" => "write `within 30s`".to_owned(),
                    "during" => "write `for 30s`".to_owned(),
                    "where" => "say `where` once, and join conditions with `&&`".to_owned(),
                    "exists" | "absent" => {
                        "a check says `exists`, `absent` or `where …`, one of them; put a second check on a line of its own"
                            .to_owned()
                    }
                    word if in_events && EventKind::of(word).is_some() => {
                        format!("put `{found}` on an indented line of its own")
                    }
                    _ if found.starts_with('.') => format!("an element of a list is written `[{}]`", &found[1..]),
                    _ => "write one, such as `==` or `&&`, or quote a text that has blanks".to_owned(),
                };
                return Err(fault(range.clone(), format!("an operator is missing before `{found}`"), Some(&hint)));
            }
            Kind::Open => {
                open.push(range.start);
                if open.len() > DEEPEST {
                    return Err(fault(range, format!("brackets nest deeper than {DEEPEST}"), None));
                }
            }
            Kind::Close if open.pop().is_none() => {
                let found = &text[range.clone()];
                return Err(fault(range.clone(), format!("`{found}` closes nothing"), Some("delete it")));
            }
            _ => {}
        }
        after_operand = matches!(kind, Kind::Ident | Kind::Literal | Kind::Close);
        end = range.end;
        at = range.end;
        last = range;
    }
    if let Some(bracket) = open.last() {
        return Err(not_closed(source, *bracket));
    }
    if end == from {
        let here = at.min(text.len());
        let at = text[..here].trim_end().len().saturating_sub(1);
        return Err(fault(at..at + 1, "an expression is missing here".to_owned(), None));
    }
    Ok(from..end)
}

/// What the beginning of an expression leaves open: the closing brackets that are to come, and where a text begins that
/// has no closing quote.
pub(super) fn left_open(lead: &str) -> (Vec<&'static str>, Option<usize>) {
    let mut open = Vec::new();
    let mut at = 0;
    while at < lead.len() {
        match token(lead, at) {
            _ if lead[at..].starts_with(' ') => at += 1,
            Ok((kind, range)) => {
                match (kind, &lead[range.clone()]) {
                    (Kind::Open, "(") => open.push(")"),
                    (Kind::Open, "[") => open.push("]"),
                    (Kind::Open, _) => open.push("}"),
                    (Kind::Close, _) => drop(open.pop()),
                    _ => {}
                }
                at = range.end;
            }
            Err(NoToken::OpenString) => return (open, Some(at)),
            Err(_) => at += lead[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    (open, None)
}

/// What lies between two words of a check.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    /// Where the next word begins.
    pub next: usize,
    /// Whether a line end lies between.
    pub folded: bool,
}

/// Passes blanks, comments and folds; `None` where the check ends.
pub fn gap(text: &str, from: usize) -> Option<Gap> {
    let bytes = text.as_bytes();
    let mut at = from;
    let mut folded = false;
    loop {
        match bytes.get(at)? {
            b' ' | b'\t' => at += 1,
            b'#' if at > 0 && matches!(bytes[at - 1], b' ' | b'\t' | b'\n') => {
                at += text[at..].find('\n').unwrap_or(text.len() - at);
            }
            b'\n' => {
                if !matches!(bytes.get(at + 1), Some(b' ' | b'\t')) {
                    return None;
                }
                folded = true;
                at += 1;
            }
            _ => return Some(Gap { next: at, folded }),
        }
    }
}

fn not_closed(source: &Joined, at: usize) -> Fault {
    let found = &source.text()[at..=at];
    let closing = match found {
        "(" => ")",
        "[" => "]",
        _ => "}",
    };
    Fault {
        kind: FaultKind::Syntax,
        span: source.span(at..at + 1),
        message: format!("`{found}` is not closed"),
        hint: Some(format!("add `{closing}`")),
    }
}

fn word_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    &rest[..length]
}

fn no_token(source: &Joined, at: usize, no: NoToken) -> Fault {
    let rest = &source.text()[at..];
    let line = rest.find('\n').unwrap_or(rest.len());
    let (length, message, hint): (usize, String, Option<String>) = match no {
        NoToken::OpenString => (
            line,
            "this text has no closing quote on its line".to_owned(),
            Some("close it before the line ends".to_owned()),
        ),
        NoToken::Comment => (
            2,
            "`//` does not begin a comment in a check".to_owned(),
            Some("write a comment as ` # …`; a key as a text is written in quotes".to_owned()),
        ),
        NoToken::Variable => (
            rest[..line].find('}').map_or(2, |close| close + 1),
            "a variable is allowed in a quoted text only".to_owned(),
            Some("write \"${NAME}\"".to_owned()),
        ),
        NoToken::Half('=') => (1, "CEL has no `=`".to_owned(), Some("compare with `==`".to_owned())),
        NoToken::Half(c) => (1, format!("CEL has no single `{c}`"), Some(format!("write `{c}{c}`"))),
        NoToken::Unknown(c @ ('“' | '”' | '‘' | '’')) => {
            (c.len_utf8(), format!("`{c}` is a typographic quote"), Some("write a straight one: \"".to_owned()))
        }
        NoToken::Unknown(c) => (c.len_utf8(), format!("`{}` has no meaning in an expression", c.escape_debug()), None),
    };
    Fault { kind: FaultKind::Syntax, span: source.span(at..at + length), message, hint }
}
