//! What several kinds of check have in common: keywords, times, texts and expressions.

use std::time::Duration;

use super::key;
use super::line::Line;
use super::slips;
use crate::expr::{self, Expr, FaultKind, Piece, Scope, Subject};
use crate::lab::{CheckKind, EventKind, Holds, Template, TemplatePart};
use crate::parse::findings::{
    BAD_REGEX, CHECK_NUMBER, CHECK_SYNTAX, EXPRESSION, HALF_WRITTEN, UNKNOWN_FIELD, UNKNOWN_FUNCTION, UNKNOWN_NAME,
    UNLIKELY_TEXT, WRONG_TYPE,
};
use crate::parse::words;
use crate::text::{Spanned, did_you_mean, one_of};

impl Line<'_, '_, '_> {
    pub(super) fn holds(&mut self, scope: Scope, subject: &Subject) -> Option<Holds> {
        match self.one(&[("exists", 0), ("absent", 1), ("where", 2)])? {
            0 => Some(Holds::Exists),
            1 => Some(Holds::Absent),
            _ => Some(Holds::Where(self.expr(scope, subject)?)),
        }
    }

    pub(super) fn maybe_kind(&mut self) -> Option<EventKind> {
        let kind = EventKind::of(self.cursor.peek())?;
        self.cursor.take();
        Some(kind)
    }

    #[expect(clippy::option_option, reason = "outside: a finding was made; inside: there is no `where`")]
    pub(super) fn maybe_where(&mut self, scope: Scope, subject: &Subject) -> Option<Option<Expr>> {
        self.maybe_where_in(scope, subject, false)
    }

    #[expect(clippy::option_option, reason = "outside: a finding was made; inside: there is no `where`")]
    pub(super) fn maybe_where_in(&mut self, scope: Scope, subject: &Subject, in_events: bool) -> Option<Option<Expr>> {
        let Some(next) = self.cursor.next() else {
            return Some(None);
        };
        if self.cursor.run(next) != "where" {
            return Some(None);
        }
        self.cursor.take();
        self.expr_in(scope, subject, in_events).map(Some)
    }

    pub(super) fn expr(&mut self, scope: Scope, subject: &Subject) -> Option<Expr> {
        self.expr_in(scope, subject, false)
    }

    /// The kinds that a key or a pattern can match.
    pub(super) fn subject(&mut self, key: &Template, is_glob: bool) -> Subject {
        // The keys of a lab's own etcd are its own, too.
        if self.cx.bare {
            return Subject::any();
        }
        let pieces: Vec<Piece<'_>> = key
            .parts
            .iter()
            .map(|part| match part {
                TemplatePart::Text(text) if is_glob => Piece::Pattern(text),
                TemplatePart::Text(text) => Piece::Data(text),
                TemplatePart::Var(_) => Piece::Var,
            })
            .collect();
        Subject::under(&pieces, self.cx.definitions())
    }

    fn expr_in(&mut self, scope: Scope, subject: &Subject, in_events: bool) -> Option<Expr> {
        let from = match self.cursor.next() {
            Some(next) => next,
            None => self.cursor.at(),
        };
        let (expr, faults) = match expr::split(self.cursor.joined, from, in_events) {
            Ok(range) => {
                self.cursor.set(range.end);
                let found = expr::compile(self.cursor.joined, range.clone(), scope, subject);
                if let Some(slip) = slips::dotted(&self.cursor.text()[range.clone()]) {
                    let span = self.cursor.span(range.start + slip.at.start..range.start + slip.at.end);
                    // Where the types are known, they tell a map from an object.
                    let is_typed = !subject.is_any() && !slip.in_has && found.1.iter().all(is_of_types);
                    if !is_typed {
                        let message = "write a key with dots, dashes or slashes in brackets and quotes";
                        self.cx.findings.add(EXPRESSION, span, message).hint(slip.hint);
                        return None;
                    }
                }
                found
            }
            Err(fault) => (None, vec![fault]),
        };
        for fault in faults {
            let rule = match fault.kind {
                FaultKind::Syntax => EXPRESSION,
                FaultKind::UnknownName => UNKNOWN_NAME,
                FaultKind::UnknownFunction => UNKNOWN_FUNCTION,
                FaultKind::UnknownField => UNKNOWN_FIELD,
                FaultKind::WrongType => WRONG_TYPE,
                FaultKind::UnlikelyText => UNLIKELY_TEXT,
                FaultKind::BadRegex => BAD_REGEX,
                FaultKind::BadVariable => HALF_WRITTEN,
            };
            self.cx.findings.add(rule, fault.span, fault.message).maybe_hint(fault.hint);
        }
        let expr = expr?;
        self.cx.used.extend(expr.vars().iter().cloned());
        Some(expr)
    }

    /// A quoted text.
    pub(super) fn string(&mut self) -> Option<Template> {
        let word = key::required(self.cursor, self.cx, "a text in quotes")?;
        if !word.quoted {
            let raw = &self.cursor.text()[word.range.clone()];
            let (message, hint) = if raw.starts_with(['"', '\'']) {
                ("this text has no closing quote on its line", "close it before the line ends".to_owned())
            } else {
                let line = self.cursor.text()[word.range.start..].split('\n').next().unwrap_or("").trim_end();
                let hint =
                    if line.contains(['"', '\\']) { "write \"…\"".to_owned() } else { format!("write \"{line}\"") };
                ("a text must be in quotes here", hint)
            };
            self.cx.findings.add(CHECK_SYNTAX, self.cursor.span(word.range), message).hint(hint);
            return None;
        }
        key::text(&word, self.cursor, self.cx)
    }

    pub(super) fn id(&mut self, after: &[&'static str]) -> Option<Spanned<String>> {
        let word = key::required(self.cursor, self.cx, "a name")?;
        let span = self.cursor.span(word.range.clone());
        let text = &self.cursor.text()[word.range];
        match words::id(text) {
            Ok(id) => {
                // `output containz "x"`: a slip in the word after the name, or in the word itself.
                if self.cursor.peek().starts_with(['"', '\'']) {
                    let hint = did_you_mean(text, after.iter().copied())
                        .unwrap_or_else(|| format!("next comes {}", one_of(after.iter().copied())));
                    self.cx.findings.add(CHECK_SYNTAX, span, format!("`{text}` is not expected here")).hint(hint);
                    return None;
                }
                Some(Spanned::new(id, span))
            }
            Err(wrong) => {
                self.cx.findings.add(CHECK_SYNTAX, span, wrong.message).maybe_hint(wrong.hint);
                None
            }
        }
    }

    /// One keyword that must come here.
    pub(super) fn word(&mut self, word: &'static str) -> Option<()> {
        self.one(&[(word, ())])
    }

    /// One of several keywords.
    pub(super) fn one<T: Copy>(&mut self, table: &[(&'static str, T)]) -> Option<T> {
        let found = self.cursor.peek();
        if let Some((_, value)) = table.iter().find(|(word, _)| *word == found) {
            self.cursor.take();
            return Some(*value);
        }
        let choices = || table.iter().map(|(word, _)| *word);
        if found.is_empty() {
            let end = self.cursor.at();
            let span = self.cursor.span(end.saturating_sub(1)..end);
            let hint = format!("next comes {}", one_of(choices()));
            self.cx.findings.add(CHECK_SYNTAX, span, "the check ends before it is complete").hint(hint);
            return None;
        }
        let hint = if let Some(meant) = slips::meant(found, choices()) {
            format!("write `{meant}`")
        } else if choices().any(|word| word == "where") && slips::begins_expression(found) {
            "write `where` before an expression".to_owned()
        } else if let Some(operator) =
            choices().find(|word| *word == "==").filter(|_| found.starts_with(|c: char| c.is_ascii_digit()))
        {
            format!("write `{operator} {found}`")
        } else if let Some(glued) = glued(found, choices()) {
            glued
        } else {
            did_you_mean(found, choices()).unwrap_or_else(|| format!("next comes {}", one_of(choices())))
        };
        self.refuse(&format!("`{found}` is not expected here"), &hint)
    }

    /// `within D` or `for D`, if it comes here.
    #[expect(clippy::option_option, reason = "outside: a finding was made; inside: there is none")]
    pub(super) fn time(&mut self, word: &'static str) -> Option<Option<Duration>> {
        if self.cursor.peek() != word {
            return Some(None);
        }
        self.cursor.take();
        let mut range = key::required(self.cursor, self.cx, "a duration, such as 30s")?.range;
        match words::duration(&self.cursor.text()[range.clone()]) {
            Ok(duration) => Some(Some(duration)),
            Err(mut wrong) => {
                // `30 s`: the unit stands by itself.
                let apart = format!("{}{}", &self.cursor.text()[range.clone()], self.cursor.peek());
                let unit = self.cursor.peek().starts_with(|c: char| c.is_ascii_alphabetic());
                if let Some(meant) = words::meant(&apart).filter(|_| unit) {
                    range.end = self.cursor.take()?.end;
                    wrong.hint = Some(format!("write `{meant}`, without a blank"));
                }
                self.cx.findings.add(CHECK_NUMBER, self.cursor.span(range), wrong.message).maybe_hint(wrong.hint);
                None
            }
        }
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self, kind: &CheckKind, within: bool, hold_for: bool) -> Option<()> {
        let found = self.cursor.peek();
        if found.is_empty() {
            return Some(());
        }
        let hint = match found {
            "within" if hold_for && !within => "`within` comes before `for`".to_owned(),
            "within" | "for" => "say it once".to_owned(),
            "where" if matches!(kind, CheckKind::Output { .. }) => {
                "an `output` check has one test; put the other on a line of its own".to_owned()
            }
            _ => Self::after_all(found, kind),
        };
        self.refuse(&format!("`{found}` is not expected here"), &hint)
    }

    /// What was meant by a word behind a whole check.
    fn after_all(found: &str, kind: &CheckKind) -> String {
        if let Some(next) = found.split_once(['=', ':']).and_then(|(word, rest)| Some((slips::time_word(word)?, rest)))
        {
            let duration = if next.1.is_empty() { "30s" } else { next.1 };
            return format!("write `{} {}`", next.0, words::meant(duration).unwrap_or_else(|| duration.to_owned()));
        }
        if let CheckKind::Resource { namespace: None, .. } = kind
            && matches!(found, "-n" | "--namespace" | "namespace" | "ns" | "in")
        {
            return "write `in NAMESPACE` right after KIND/NAME".to_owned();
        }
        if let Some(word) = slips::time_word(found) {
            return format!("write `{word} 30s` for a time");
        }
        did_you_mean(found, ["within", "for", "where"])
            .unwrap_or_else(|| "put the next check on a line of its own, in column 1".to_owned())
    }

    pub(super) fn refuse<T>(&mut self, message: &str, hint: &str) -> Option<T> {
        let (from, to) = match self.cursor.next() {
            Some(next) => (next, next + self.cursor.run(next).len()),
            None => (self.cursor.at().saturating_sub(1), self.cursor.at()),
        };
        self.cx.findings.add(CHECK_SYNTAX, self.cursor.span(from..to), message).hint(hint);
        None
    }
}

/// `==2`, `exists;`: a word that is glued to something else.
fn glued<'a>(found: &str, choices: impl Iterator<Item = &'a str>) -> Option<String> {
    let found_by_length = choices.filter(|word| found.starts_with(word)).max_by_key(|word| word.len())?;
    let rest = &found[found_by_length.len()..];
    if rest.starts_with(['=', '<', '>', '!']) {
        return Some(format!("put a blank after `{found_by_length}`, and around the operator"));
    }
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(format!("put a blank after `{found_by_length}`: `{found_by_length} {rest}`"));
    }
    rest.chars().all(|c| c.is_ascii_punctuation()).then(|| format!("write `{found_by_length}`, without `{rest}`"))
}

/// Whether a fault comes from what is known of types, so that its reader was not misled by the syntax.
fn is_of_types(fault: &expr::Fault) -> bool {
    match fault.kind {
        FaultKind::UnknownField | FaultKind::WrongType | FaultKind::UnlikelyText => true,
        FaultKind::Syntax
        | FaultKind::UnknownName
        | FaultKind::UnknownFunction
        | FaultKind::BadRegex
        | FaultKind::BadVariable => false,
    }
}
