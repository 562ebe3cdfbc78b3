use std::time::Duration;

use super::cursor::Cursor;
use super::key;
use crate::expr::{self, Expr, FaultKind, Scope};
use crate::lab::keywords::CHECKS;
use crate::lab::{Check, CheckKind, Compare, EventKind, EventOrder, Holds, OutputTest, Pattern, Template};
use crate::parse::context::Context;
use crate::parse::findings::{
    BAD_REGEX, CHECK_NUMBER, CHECK_SYNTAX, EXPRESSION, HALF_WRITTEN, UNKNOWN_CHECK, UNKNOWN_FUNCTION, UNKNOWN_NAME,
};
use crate::parse::words;
use crate::text::{Spanned, did_you_mean, one_of};

/// Reads the check at the cursor; `None` after a finding.
pub(super) fn check(cursor: &mut Cursor<'_>, cx: &mut Context<'_>) -> Option<Check> {
    let start = cursor.at();
    if cursor.text()[start..].starts_with([' ', '\t']) {
        let next = cursor.next().unwrap_or(start);
        let span = cursor.span(next..next + cursor.run(next).len());
        cx.findings
            .add(CHECK_SYNTAX, span, "an indented line continues a check, and none stands before it")
            .hint("begin the check in column 1");
        return None;
    }
    let mut line = Line { cursor, cx };
    let verb = line.cursor.take()?;
    let kind = match &line.cursor.text()[verb.clone()] {
        "key" => line.key()?,
        "keys" => line.keys()?,
        "events" => return line.events(start),
        "never" => return line.never(start),
        "resource" => line.resource()?,
        "output" => line.output()?,
        "etcd" => line.etcd()?,
        "snapshot" => line.snapshot()?,
        "run" => line.run()?,
        word => {
            let hint = did_you_mean(word, CHECKS.iter().copied())
                .unwrap_or_else(|| format!("a check begins with {}", one_of(CHECKS.iter().copied())));
            line.cx.findings.add(UNKNOWN_CHECK, line.cursor.span(verb), format!("unknown check `{word}`")).hint(hint);
            return None;
        }
    };
    let within = line.time("within")?;
    let hold_for = line.time("for")?;
    line.end(&kind, within.is_some(), hold_for.is_some())?;
    Some(line.finish(start, kind, within, hold_for))
}

struct Line<'a, 'c, 's> {
    cursor: &'a mut Cursor<'c>,
    cx: &'a mut Context<'s>,
}

impl Line<'_, '_, '_> {
    fn finish(&self, start: usize, kind: CheckKind, within: Option<Duration>, hold_for: Option<Duration>) -> Check {
        let text = self.cursor.written(start);
        Check { text, span: self.cursor.span(start..self.cursor.at()), kind, within, hold_for }
    }

    fn key(&mut self) -> Option<CheckKind> {
        let key = key::key(self.cursor, self.cx)?;
        let holds = self.holds(Scope::Key)?;
        Some(CheckKind::Key { key, holds })
    }

    fn keys(&mut self) -> Option<CheckKind> {
        let glob = key::glob(self.cursor, self.cx)?;
        self.word("count")?;
        let compare = self.one(&[
            ("==", Compare::Equal),
            ("!=", Compare::NotEqual),
            ("<=", Compare::LessOrEqual),
            (">=", Compare::GreaterOrEqual),
            ("<", Compare::Less),
            (">", Compare::Greater),
        ])?;
        let number = key::required(self.cursor, self.cx, "a number")?;
        let text = &self.cursor.text()[number.range.clone()];
        let count = match words::whole::<u64>(text, "number") {
            Ok(count) => count,
            Err(wrong) => {
                let span = self.cursor.span(number.range);
                self.cx.findings.add(CHECK_NUMBER, span, wrong.message).maybe_hint(wrong.hint);
                return None;
            }
        };
        let condition = self.maybe_where(Scope::Key)?;
        Some(CheckKind::Keys { glob, compare, count, condition })
    }

    fn resource(&mut self) -> Option<CheckKind> {
        let word = key::required(self.cursor, self.cx, "KIND/NAME, such as deployment/web")?.range;
        let text = &self.cursor.text()[word.clone()];
        let Some(slash) = text.find('/') else {
            let span = self.cursor.span(word);
            self.cx
                .findings
                .add(CHECK_SYNTAX, span, "a resource is written KIND/NAME")
                .hint("such as deployment/web, or pod/web in demo");
            return None;
        };
        let kind_text = &text[..slash];
        let plain = kind_text.starts_with(|c: char| c.is_ascii_lowercase())
            && kind_text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-');
        let kind_span = self.cursor.span(word.start..word.start + slash);
        if !plain {
            self.cx
                .findings
                .add(CHECK_SYNTAX, kind_span, format!("`{kind_text}` is no kind as kubectl writes it"))
                .hint("write it in lower case, such as `deployment` or `deployments.apps`");
            return None;
        }
        let name = key::part_template(word.start + slash + 1..word.end, "the resource's name", self.cursor, self.cx)?;
        let namespace = if self.cursor.peek() == "in" {
            self.cursor.take();
            let range = key::required(self.cursor, self.cx, "a namespace")?.range;
            Some(key::part_template(range, "the namespace", self.cursor, self.cx)?)
        } else {
            None
        };
        let kind = Spanned::new(kind_text.to_owned(), kind_span);
        let holds = self.holds(Scope::Resource)?;
        Some(CheckKind::Resource { kind, name, namespace, holds })
    }

    fn output(&mut self) -> Option<CheckKind> {
        let tests = ["contains", "matches", "where"];
        let next = self.cursor.peek();
        let action = if tests.contains(&next) || next.is_empty() { None } else { Some(self.id(&tests)?) };
        let test = match self.one(&[("contains", 0), ("matches", 1), ("where", 2)])? {
            0 => OutputTest::Contains(self.string()?),
            1 => {
                let pattern = self.string()?;
                self.cx.regex(&pattern);
                OutputTest::Matches(pattern)
            }
            _ => OutputTest::Where(self.expr(Scope::Output)?),
        };
        Some(CheckKind::Output { action, test })
    }

    fn etcd(&mut self) -> Option<CheckKind> {
        let member = if self.cursor.peek() == "where" { None } else { Some(self.id(&["where"])?) };
        self.word("where")?;
        Some(CheckKind::Etcd { member, condition: self.expr(Scope::Etcd)? })
    }

    fn snapshot(&mut self) -> Option<CheckKind> {
        let word = key::required(self.cursor, self.cx, "the snapshot's file")?;
        let file = key::text(&word, self.cursor, self.cx)?;
        self.word("where")?;
        Some(CheckKind::Snapshot { file, condition: self.expr(Scope::Snapshot)? })
    }

    fn run(&mut self) -> Option<CheckKind> {
        let command = self.string()?;
        let condition = self.maybe_where(Scope::Run)?;
        Some(CheckKind::Run { command, condition })
    }

    fn never(mut self, start: usize) -> Option<Check> {
        let glob = key::glob(self.cursor, self.cx)?;
        let kind = self.maybe_kind();
        let condition = self.maybe_where(Scope::Event)?;
        if self.cursor.peek() == "within" {
            return self.refuse("`never` looks at a stretch of time: `for`", "write `for D`, such as `for 2s`");
        }
        let Some(hold_for) = self.time("for")? else {
            return self.refuse("`never` needs to know for how long", "end the check with `for D`, such as `for 2s`");
        };
        let kind = CheckKind::Never { glob, kind, condition };
        self.end(&kind, true, true)?;
        Some(self.finish(start, kind, None, Some(hold_for)))
    }

    fn events(mut self, start: usize) -> Option<Check> {
        let glob = key::glob(self.cursor, self.cx)?;
        let order = match self.cursor.peek() {
            "strict" => EventOrder::Strict,
            "unordered" => EventOrder::Unordered,
            _ => EventOrder::Ordered,
        };
        if order != EventOrder::Ordered {
            self.cursor.take();
        }
        let within = self.time("within")?;
        let mut patterns = Vec::new();
        loop {
            let Some(next) = self.cursor.next_folded() else {
                if self.cursor.next().is_none() {
                    break;
                }
                return match self.cursor.peek() {
                    "for" => self.refuse(
                        "`events` takes no `for`",
                        "write `within D`, and `never … for D` for what must not come",
                    ),
                    "within" => self.refuse("`within` stands in the first line, after the key", "move it up"),
                    "PUT" | "DELETE" => {
                        self.refuse("an event stands on a line of its own", "begin an indented line here")
                    }
                    "strict" | "unordered" => {
                        self.refuse("this word stands right after the key", "move it before `within`")
                    }
                    word => {
                        let message = format!("`{word}` is not expected here");
                        self.refuse(&message, "after the key come `strict` or `unordered`, `within D`, and then the events, each on an indented line")
                    }
                };
            };
            let Some(kind) = self.maybe_kind() else {
                let found = self.cursor.run(next);
                let message = format!("`{found}` begins no event");
                let hint = did_you_mean(found, ["PUT", "DELETE"])
                    .unwrap_or_else(|| "an indented line here is `PUT [where …]` or `DELETE [where …]`".to_owned());
                return self.refuse(&message, &hint);
            };
            let condition = self.maybe_where_in(Scope::Event, true)?;
            patterns.push(Pattern { kind, condition, span: self.cursor.span(next..self.cursor.at()) });
        }
        if patterns.is_empty() {
            return self.refuse("`events` needs at least one event", "add an indented line: `  PUT where …`");
        }
        Some(self.finish(start, CheckKind::Events { glob, order, patterns }, within, None))
    }

    fn holds(&mut self, scope: Scope) -> Option<Holds> {
        match self.one(&[("exists", 0), ("absent", 1), ("where", 2)])? {
            0 => Some(Holds::Exists),
            1 => Some(Holds::Absent),
            _ => Some(Holds::Where(self.expr(scope)?)),
        }
    }

    fn maybe_kind(&mut self) -> Option<EventKind> {
        let kind = match self.cursor.peek() {
            "PUT" => EventKind::Put,
            "DELETE" => EventKind::Delete,
            _ => return None,
        };
        self.cursor.take();
        Some(kind)
    }

    fn maybe_where(&mut self, scope: Scope) -> Option<Option<Expr>> {
        self.maybe_where_in(scope, false)
    }

    #[expect(clippy::option_option, reason = "outside: a finding was made; inside: there is no `where`")]
    fn maybe_where_in(&mut self, scope: Scope, in_events: bool) -> Option<Option<Expr>> {
        let Some(next) = self.cursor.next() else {
            return Some(None);
        };
        if self.cursor.run(next) != "where" {
            return Some(None);
        }
        self.cursor.take();
        self.expr_in(scope, in_events).map(Some)
    }

    fn expr(&mut self, scope: Scope) -> Option<Expr> {
        self.expr_in(scope, false)
    }

    fn expr_in(&mut self, scope: Scope, in_events: bool) -> Option<Expr> {
        let from = match self.cursor.next() {
            Some(next) => next,
            None => self.cursor.at(),
        };
        let faults = match expr::split(self.cursor.joined, from, in_events) {
            Ok(range) => {
                self.cursor.set(range.end);
                match expr::compile(self.cursor.joined, range, scope) {
                    Ok(expr) => {
                        self.cx.used.extend(expr.vars().iter().cloned());
                        return Some(expr);
                    }
                    Err(faults) => faults,
                }
            }
            Err(fault) => vec![fault],
        };
        for fault in faults {
            let rule = match fault.kind {
                FaultKind::Syntax => EXPRESSION,
                FaultKind::UnknownName => UNKNOWN_NAME,
                FaultKind::UnknownFunction => UNKNOWN_FUNCTION,
                FaultKind::BadRegex => BAD_REGEX,
                FaultKind::BadVariable => HALF_WRITTEN,
            };
            self.cx.findings.add(rule, fault.span, fault.message).maybe_hint(fault.hint);
        }
        None
    }

    /// A quoted text.
    fn string(&mut self) -> Option<Template> {
        let word = key::required(self.cursor, self.cx, "a text in quotes")?;
        if !word.quoted {
            let raw = &self.cursor.text()[word.range.clone()];
            let (message, hint) = if raw.starts_with(['"', '\'']) {
                ("this text has no closing quote on its line", "close it before the line ends")
            } else {
                ("a text stands in quotes here", "write \"…\"")
            };
            self.cx.findings.add(CHECK_SYNTAX, self.cursor.span(word.range), message).hint(hint);
            return None;
        }
        key::text(&word, self.cursor, self.cx)
    }

    fn id(&mut self, after: &[&'static str]) -> Option<Spanned<String>> {
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
    fn word(&mut self, word: &'static str) -> Option<()> {
        self.one(&[(word, ())])
    }

    /// One of several keywords.
    fn one<T: Copy>(&mut self, table: &[(&'static str, T)]) -> Option<T> {
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
        let hint = did_you_mean(found, choices()).unwrap_or_else(|| format!("next comes {}", one_of(choices())));
        self.refuse(&format!("`{found}` is not expected here"), &hint)
    }

    /// `within D` or `for D`, if it comes here.
    #[expect(clippy::option_option, reason = "outside: a finding was made; inside: there is none")]
    fn time(&mut self, word: &'static str) -> Option<Option<Duration>> {
        if self.cursor.peek() != word {
            return Some(None);
        }
        self.cursor.take();
        let range = key::required(self.cursor, self.cx, "a duration, such as 30s")?.range;
        match words::duration(&self.cursor.text()[range.clone()]) {
            Ok(duration) => Some(Some(duration)),
            Err(wrong) => {
                self.cx.findings.add(CHECK_NUMBER, self.cursor.span(range), wrong.message).maybe_hint(wrong.hint);
                None
            }
        }
    }

    /// Nothing may follow.
    fn end(&mut self, kind: &CheckKind, within: bool, hold_for: bool) -> Option<()> {
        let found = self.cursor.peek();
        if found.is_empty() {
            return Some(());
        }
        let hint = match found {
            "within" if hold_for && !within => "`within` stands before `for`".to_owned(),
            "within" | "for" => "say it once".to_owned(),
            "where" if matches!(kind, CheckKind::Output { .. }) => {
                "an `output` check has one test; put the other on a line of its own".to_owned()
            }
            _ => did_you_mean(found, ["within", "for", "where"])
                .unwrap_or_else(|| "put the next check on a line of its own, in column 1".to_owned()),
        };
        self.refuse(&format!("`{found}` is not expected here"), &hint)
    }

    fn refuse<T>(&mut self, message: &str, hint: &str) -> Option<T> {
        let (from, to) = match self.cursor.next() {
            Some(next) => (next, next + self.cursor.run(next).len()),
            None => (self.cursor.at().saturating_sub(1), self.cursor.at()),
        };
        self.cx.findings.add(CHECK_SYNTAX, self.cursor.span(from..to), message).hint(hint);
        None
    }
}
