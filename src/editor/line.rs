//! What a check says up to a place, and so what can stand there, while it is being written.

use crate::expr::{Literal, Piece, Scope, Subject, Writes, gap, literal, split, string_value};
use crate::text::{EventKind, Joined, VarPiece, var_pieces};

/// A word of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) text: String,
    pub(super) quoted: bool,
    /// It begins an indented line.
    pub(super) folded: bool,
}

/// What can stand at a place of a check.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    Verb,
    /// One of these words.
    Words(Vec<&'static str>),
    /// A key, or a pattern of keys.
    Key,
    /// KIND/NAME.
    Resource,
    /// A block's name, or one of these words.
    Block(&'static [&'static str]),
    /// The name of a member of a lab's own etcd, or `where`.
    Member,
    Expression(Expression),
    Nothing,
}

/// The expression that is being written.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    /// Where it begins in the fence.
    pub(super) start: usize,
    pub(super) scope: Scope,
    /// The key, pattern or kind that says what `object` is.
    pub(super) subject: String,
    pub(super) writes: Writes,
}

/// Where the check begins that this place belongs to.
pub(super) fn start_of(content: &str, at: usize) -> usize {
    let mut start = content[..at].rfind('\n').map_or(0, |end| end + 1);
    while start > 0 && content[start..].starts_with([' ', '\t']) {
        start = content[..start - 1].rfind('\n').map_or(0, |end| end + 1);
    }
    start
}

/// The words of a check from `from` on; what is written in an expression is none.
pub(super) fn words(content: &str, from: usize) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut at = from;
    loop {
        let (next, folded) = if words.is_empty() {
            (at, false)
        } else {
            match gap(content, at) {
                Some(gap) => (gap.next, gap.folded),
                None => return words,
            }
        };
        let rest = &content[next..];
        let run = rest.find([' ', '\t', '\n']).unwrap_or(rest.len());
        let (length, quoted) = match literal(rest) {
            Some(Literal::Closed(length)) => (length, true),
            _ => (run, false),
        };
        if length == 0 {
            return words;
        }
        at = next + length;
        words.push(Word { start: next, text: rest[..length].to_owned(), quoted, folded });
    }
}

/// What can stand at `at`, the beginning of the word that is being written there, or the place after a blank.
pub(super) fn wanted(content: &str, at: usize) -> Wanted {
    let start = start_of(content, at);
    let lead = &content[start..at];
    let line = lead.rsplit('\n').next().unwrap_or_default();
    if in_comment(line) {
        return Wanted::Nothing;
    }
    if start == at {
        return Wanted::Verb;
    }
    let folded = lead.contains('\n') && line.trim().is_empty();
    Reader { content: lead, words: words(lead, 0), start, folded }.wanted()
}

/// Whether a line's end is a comment: `#` after a blank, outside of a text.
fn in_comment(line: &str) -> bool {
    let mut at = 0;
    while at < line.len() {
        let rest = &line[at..];
        if let Some(Literal::Closed(length)) =
            literal(rest).filter(|_| at == 0 || line[..at].ends_with([' ', '(', ',']))
        {
            at += length;
            continue;
        }
        if rest.starts_with('#') && (at == 0 || line[..at].ends_with([' ', '\t'])) {
            return true;
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    false
}

struct Reader<'a> {
    /// The check up to the place.
    content: &'a str,
    words: Vec<Word>,
    /// Where it begins in the fence.
    start: usize,
    /// The place begins an indented line.
    folded: bool,
}

impl Reader<'_> {
    fn wanted(&self) -> Wanted {
        let Some(verb) = self.words.first() else { return Wanted::Verb };
        let rest = &self.words[1..];
        match verb.text.as_str() {
            "key" => match rest {
                [] => Wanted::Key,
                [key, rest @ ..] => self.holds(Scope::Key, key, rest),
            },
            "keys" => match rest {
                [] => Wanted::Key,
                [_] => Wanted::Words(vec!["count"]),
                [_, _] => Wanted::Words(vec!["==", "!=", "<", "<=", ">", ">="]),
                [_, _, _] => Wanted::Nothing,
                [glob, _, _, _, rest @ ..] => self.maybe_where(Scope::Key, glob, Writes::Any, rest, &["within", "for"]),
            },
            "never" => match rest {
                [] => Wanted::Key,
                [_] => Wanted::Words(vec!["PUT", "DELETE", "where", "for"]),
                [glob, rest @ ..] => {
                    let kind = EventKind::of(&rest[0].text);
                    let rest = if kind.is_some() { &rest[1..] } else { rest };
                    self.maybe_where(Scope::Event, glob, writes(kind), rest, &["for"])
                }
            },
            "events" => match rest {
                [] => Wanted::Key,
                [glob, rest @ ..] => self.events(glob, rest),
            },
            "resource" => match rest {
                [] => Wanted::Resource,
                [named, inner, _, rest @ ..] if inner.text == "in" => self.holds(Scope::Resource, named, rest),
                [_, inner] if inner.text == "in" => Wanted::Nothing,
                [named, rest @ ..] => match self.holds(Scope::Resource, named, rest) {
                    Wanted::Words(words) if rest.is_empty() => Wanted::Words([words, vec!["in"]].concat()),
                    wanted => wanted,
                },
            },
            "output" => {
                const TESTS: &[&str] = &["contains", "matches", "where"];
                match rest {
                    [] => Wanted::Block(TESTS),
                    [first, rest @ ..] => {
                        let tests = if TESTS.contains(&first.text.as_str()) { &self.words[1..] } else { rest };
                        match tests {
                            [] => Wanted::Words(TESTS.to_vec()),
                            [test, ..] if test.text == "where" => self.expression(Scope::Output, "", Writes::Any, test),
                            [_] => Wanted::Nothing,
                            [_, _, rest @ ..] => times(rest, &["within", "for"]),
                        }
                    }
                }
            }
            "etcd" => match rest {
                [] => Wanted::Member,
                [word, ..] if word.text == "where" => self.expression(Scope::Etcd, "", Writes::Any, word),
                [_] => Wanted::Words(vec!["where"]),
                [_, word, ..] => self.expression(Scope::Etcd, "", Writes::Any, word),
            },
            "snapshot" => match rest {
                [] => Wanted::Nothing,
                [_] => Wanted::Words(vec!["where"]),
                [_, word, ..] => self.expression(Scope::Snapshot, "", Writes::Any, word),
            },
            "run" => match rest {
                [] => Wanted::Nothing,
                [_, rest @ ..] => self.maybe_where(
                    Scope::Run,
                    &Word { text: String::new(), ..verb.clone() },
                    Writes::Any,
                    rest,
                    &["within", "for"],
                ),
            },
            _ => Wanted::Nothing,
        }
    }

    fn holds(&self, scope: Scope, subject: &Word, rest: &[Word]) -> Wanted {
        match rest {
            [] => Wanted::Words(vec!["exists", "absent", "where"]),
            [word, ..] if word.text == "where" => self.expression(scope, &subject.text, Writes::Any, word),
            [_, rest @ ..] => times(rest, &["within", "for"]),
        }
    }

    fn maybe_where(
        &self,
        scope: Scope,
        subject: &Word,
        writes: Writes,
        rest: &[Word],
        after: &'static [&'static str],
    ) -> Wanted {
        match rest {
            [] => Wanted::Words([&["where"], after].concat()),
            [word, ..] if word.text == "where" => self.expression(scope, &subject.text, writes, word),
            rest => times(rest, after),
        }
    }

    /// The events of an `events` check stand on lines of their own.
    fn events(&self, glob: &Word, rest: &[Word]) -> Wanted {
        let last = rest.iter().rposition(|word| word.folded && EventKind::of(&word.text).is_some());
        match last {
            None if self.folded => Wanted::Words(vec!["PUT", "DELETE"]),
            None => match rest {
                [] => Wanted::Words(vec!["strict", "unordered", "within"]),
                rest => times(rest, &["within"]),
            },
            Some(at) => match &rest[at + 1..] {
                [] if self.folded => Wanted::Words(vec!["where", "PUT", "DELETE"]),
                [] => Wanted::Words(vec!["where"]),
                [word, ..] if word.text == "where" => {
                    let wanted = self.expression(Scope::Event, &glob.text, writes(EventKind::of(&rest[at].text)), word);
                    match wanted {
                        Wanted::Words(_) | Wanted::Nothing if self.folded => Wanted::Words(vec!["PUT", "DELETE"]),
                        wanted => wanted,
                    }
                }
                _ => Wanted::Nothing,
            },
        }
    }

    /// In the expression after this `where`, or behind it.
    fn expression(&self, scope: Scope, subject: &str, writes: Writes, word: &Word) -> Wanted {
        if word.text != "where" {
            return Wanted::Nothing;
        }
        let from = word.start + word.text.len();
        let joined = Joined::whole(self.content, 0);
        let behind = match split(&joined, from, scope == Scope::Event) {
            Ok(range) if range.end < self.content.trim_end().len() => Some(&self.content[range.end..]),
            _ => None,
        };
        match behind {
            Some(behind) => times(&words(behind.trim_start(), 0), &["within", "for"]),
            None => {
                Wanted::Expression(Expression { start: self.start + from, scope, subject: subject.to_owned(), writes })
            }
        }
    }
}

fn writes(kind: Option<EventKind>) -> Writes {
    match kind {
        None => Writes::Any,
        Some(EventKind::Put) => Writes::Put,
        Some(EventKind::Delete) => Writes::Delete,
    }
}

/// After `within` comes a duration, and then what has not been said.
fn times(rest: &[Word], known: &[&'static str]) -> Wanted {
    let said = |word: &str| rest.iter().any(|said| said.text == word);
    match rest.last() {
        Some(last) if known.contains(&last.text.as_str()) => Wanted::Nothing,
        _ => Wanted::Words(known.iter().copied().filter(|word| !said(word)).collect()),
    }
}

/// The kinds that a key, a pattern or KIND/NAME of a check names.
pub(super) fn subject(expression: &Expression, definitions: &[crate::expr::Definition]) -> Subject {
    let written = &expression.subject;
    if expression.scope == Scope::Resource {
        let kind = written.split('/').next().unwrap_or_default();
        return Subject::of_resource(kind, definitions).on(expression.writes);
    }
    let quoted = literal(written).is_some();
    let text = if quoted { string_value(written).unwrap_or_default() } else { written.clone() };
    if text.is_empty() {
        return Subject::any();
    }
    let pieces: Vec<Piece<'_>> = var_pieces(&text)
        .into_iter()
        .map(|piece| match piece {
            VarPiece::Var { .. } => Piece::Var,
            VarPiece::Text(range) | VarPiece::Escaped(range) | VarPiece::Broken { range, .. } => {
                Piece::Pattern(&text[range])
            }
        })
        .collect();
    Subject::under(&pieces, definitions).on(expression.writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wanted at the `|` of a fence's text.
    fn at(text: &str) -> String {
        let place = text.find('|').unwrap_or(text.len());
        let content = text.replacen('|', "", 1);
        match wanted(&content, place) {
            Wanted::Words(words) => words.join(" "),
            Wanted::Expression(found) => {
                format!("{:?} of {}: {}", found.scope, found.subject, content[found.start..place].trim_start())
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_can_follow_is_known_word_by_word() {
        for (text, wanted) in [
            ("|", "Verb"),
            ("key /a exists\n|", "Verb"),
            ("key |", "Key"),
            ("key /a |", "exists absent where"),
            ("key /a exists |", "within for"),
            ("key /a exists within |", "Nothing"),
            ("key /a exists within 3s |", "for"),
            ("key /a where |", "Key of /a: "),
            ("key /a where object.|", "Key of /a: object."),
            ("key /a where object.a == \"x\" && |", "Key of /a: object.a == \"x\" && "),
            ("key /a where object.a == 1 within 3s |", "for"),
            ("key /a\n  where object.|", "Key of /a: object."),
            ("keys /a/* |", "count"),
            ("keys /a/* count |", "== != < <= > >="),
            ("keys /a/* count == 3 |", "where within for"),
            ("events /a |", "strict unordered within"),
            ("events /a within 3s\n  |", "PUT DELETE"),
            ("events /a\n  PUT |", "where"),
            ("events /a\n  PUT where oldObject == null\n  |", "Event of /a: oldObject == null\n  "),
            ("events /a\n  DELETE where oldObject.|", "Event of /a: oldObject."),
            ("never /a |", "PUT DELETE where for"),
            ("never /a PUT |", "where for"),
            ("resource |", "Resource"),
            ("resource pod/web |", "exists absent where in"),
            ("resource pod/web in demo |", "exists absent where"),
            ("resource pod/web in demo where object.|", "Resource of pod/web: object."),
            ("output |", "Block([\"contains\", \"matches\", \"where\"])"),
            ("output name |", "contains matches where"),
            ("output where |", "Output of : "),
            ("etcd |", "Member"),
            ("etcd where |", "Etcd of : "),
            ("snapshot x where |", "Snapshot of : "),
            ("run \"ls\" |", "where within for"),
            ("key /a exists # see |", "Nothing"),
        ] {
            assert_eq!(at(text), wanted, "{text}");
        }
    }
}
