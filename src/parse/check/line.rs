use std::time::Duration;

use super::cursor::Cursor;
use super::key;
use super::slips;
use crate::expr::{Scope, Subject, Writes};
use crate::lab::keywords::CHECKS;
use crate::lab::{Check, CheckKind, Compare, EventKind, EventOrder, OutputTest, PartId, Pattern};
use crate::parse::context::Context;
use crate::parse::findings::{CHECK_NUMBER, CHECK_SYNTAX, UNKNOWN_CHECK};
use crate::parse::words;
use crate::text::{Spanned, did_you_mean, is_lower_case, one_of};

/// Reads the check at the cursor; `None` after a finding.
pub(super) fn check(cursor: &mut Cursor<'_>, cx: &mut Context<'_>) -> Option<Check> {
    let start = cursor.at();
    if cursor.text()[start..].starts_with([' ', '\t']) {
        let next = cursor.next().unwrap_or(start);
        let span = cursor.span(next..next + cursor.run(next).len());
        cx.findings
            .add(CHECK_SYNTAX, span, "an indented line continues a check, but there is none before it")
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

pub(super) struct Line<'a, 'c, 's> {
    pub(super) cursor: &'a mut Cursor<'c>,
    pub(super) cx: &'a mut Context<'s>,
}

impl Line<'_, '_, '_> {
    fn finish(&self, start: usize, kind: CheckKind, within: Option<Duration>, hold_for: Option<Duration>) -> Check {
        let text = self.cursor.written(start..self.cursor.at());
        Check { id: PartId::default(), text, span: self.cursor.span(start..self.cursor.at()), kind, within, hold_for }
    }

    fn key(&mut self) -> Option<CheckKind> {
        let key = key::key(self.cursor, self.cx)?;
        let subject = self.subject(&key, false);
        let holds = self.holds(Scope::Key, &subject)?;
        Some(CheckKind::Key { key, holds })
    }

    fn keys(&mut self) -> Option<CheckKind> {
        let glob = key::glob(self.cursor, self.cx)?;
        self.word("count")?;
        let compare = self.one(Compare::SIGNS)?;
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
        let subject = self.subject(&glob.0, true);
        let condition = self.maybe_where(Scope::Key, &subject)?;
        Some(CheckKind::Keys { glob, compare, count, condition })
    }

    fn resource(&mut self) -> Option<CheckKind> {
        let word = key::required(self.cursor, self.cx, "KIND/NAME, such as deployment/web")?.range;
        let text = &self.cursor.text()[word.clone()];
        let Some(slash) = text.find('/') else {
            let span = self.cursor.span(word);
            let next = self.cursor.peek();
            let is_name = !next.is_empty() && !["exists", "absent", "where", "in"].contains(&next);
            let hint = if is_name {
                format!("write {text}/{next}")
            } else {
                "such as deployment/web, or pod/web in demo".to_owned()
            };
            self.cx.findings.add(CHECK_SYNTAX, span, "a resource is written KIND/NAME").hint(hint);
            return None;
        };
        let kind_text = &text[..slash];
        let plain = kind_text.starts_with(|c: char| c.is_ascii_lowercase()) && is_lower_case(kind_text, &['.', '-']);
        let kind_span = self.cursor.span(word.start..word.start + slash);
        if !plain {
            self.cx
                .findings
                .add(CHECK_SYNTAX, kind_span, format!("`{kind_text}` is not a resource kind as kubectl writes it"))
                .hint("write it in lower case, such as `deployment` or `deployments.apps`");
            return None;
        }
        let name = key::part_template(word.start + slash + 1..word.end, "the resource's name", self.cursor, self.cx)?;
        if matches!(self.cursor.peek(), "-n" | "--namespace" | "namespace" | "ns") {
            let message = format!("`{}` is not expected here", self.cursor.peek());
            return self.refuse(&message, "write `in NAMESPACE` after KIND/NAME");
        }
        let namespace = if self.cursor.peek() == "in" {
            self.cursor.take();
            let range = key::required(self.cursor, self.cx, "a namespace")?.range;
            let text = &self.cursor.text()[range.clone()];
            let next = self.cursor.peek();
            if matches!(text, "namespace" | "ns") && !["exists", "absent", "where", ""].contains(&next) {
                let span = self.cursor.span(range);
                let message = format!("`{text}` is not expected here");
                self.cx.findings.add(CHECK_SYNTAX, span, message).hint(format!("write `in {next}`"));
                return None;
            }
            Some(key::part_template(range, "the namespace", self.cursor, self.cx)?)
        } else {
            None
        };
        let kind = Spanned::new(kind_text.to_owned(), kind_span);
        let subject = Subject::of_resource(&kind.value, self.cx.definitions());
        let holds = self.holds(Scope::Resource, &subject)?;
        Some(CheckKind::Resource { kind, name, namespace, holds })
    }

    fn output(&mut self) -> Option<CheckKind> {
        let tests = ["contains", "matches", "where"];
        let next = self.cursor.peek();
        if next.starts_with(['"', '\'']) {
            return self.refuse("a text follows `contains`", &format!("write `output contains {next}`"));
        }
        let action = if tests.contains(&next) || next.is_empty() { None } else { Some(self.id(&tests)?) };
        let test = match self.one(&[("contains", 0), ("matches", 1), ("where", 2)])? {
            0 => OutputTest::Contains(self.string()?),
            1 => {
                let pattern = self.string()?;
                self.cx.regex(&pattern);
                OutputTest::Matches(pattern)
            }
            _ => OutputTest::Where(self.expr(Scope::Output, &Subject::any())?),
        };
        Some(CheckKind::Output { action, test })
    }

    fn etcd(&mut self) -> Option<CheckKind> {
        let first = self.cursor.next();
        if let Some(next) = first
            && slips::begins_expression(self.cursor.run(next))
            && !self.followed_by_where(next)
        {
            let message = format!("`{}` is not expected here", self.cursor.peek());
            return self.refuse(&message, "write `where` before an expression");
        }
        let member = if self.cursor.peek() == "where" { None } else { Some(self.id(&["where"])?) };
        self.word("where")?;
        Some(CheckKind::Etcd { member, condition: self.expr(Scope::Etcd, &Subject::any())? })
    }

    /// Whether the run at `at` is a member's name, with `where` after it.
    fn followed_by_where(&self, at: usize) -> bool {
        let after = at + self.cursor.run(at).len();
        crate::expr::gap(self.cursor.text(), after).is_some_and(|gap| self.cursor.run(gap.next) == "where")
    }

    fn snapshot(&mut self) -> Option<CheckKind> {
        let word = key::required(self.cursor, self.cx, "the snapshot's file")?;
        let file = key::text(&word, self.cursor, self.cx)?;
        self.word("where")?;
        Some(CheckKind::Snapshot { file, condition: self.expr(Scope::Snapshot, &Subject::any())? })
    }

    fn run(&mut self) -> Option<CheckKind> {
        let command = self.string()?;
        let condition = self.maybe_where(Scope::Run, &Subject::any())?;
        Some(CheckKind::Run { command, condition })
    }

    /// `never DELETE KEY`: the words in the other order.
    fn event_first(&mut self, check: &str) -> Option<()> {
        let found = self.cursor.peek();
        match slips::event_of(found) {
            None => Some(()),
            Some(_) if check == "never" => self.refuse(
                "write the key before the event",
                &format!("write `never KEY {} for 2s`", found.to_uppercase()),
            ),
            Some(_) => self.refuse(
                "write the key before the events",
                &format!("write `events KEY`, and `{}` on an indented line below", found.to_uppercase()),
            ),
        }
    }

    fn never(mut self, start: usize) -> Option<Check> {
        self.event_first("never")?;
        let glob = key::glob(self.cursor, self.cx)?;
        let kind = self.maybe_kind();
        let found = self.cursor.peek();
        if let Some(event) = slips::event_of(found).filter(|_| kind.is_none()) {
            return self.refuse(&format!("`{found}` is not an etcd event"), &format!("write `{event}`, in capitals"));
        }
        let subject = self.subject(&glob.0, true).on(writes(kind));
        let condition = self.maybe_where(Scope::Event, &subject)?;
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
        self.event_first("events")?;
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
        let subject = self.subject(&glob.0, true);
        let mut text = self.cursor.written(start..self.cursor.at());
        let mut patterns = Vec::new();
        let mut broken = false;
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
                    "within" => self.refuse("`within` belongs in the first line, after the key", "move it up"),
                    word if slips::event_of(word).is_some() => {
                        self.refuse("each event needs a line of its own", "begin an indented line here")
                    }
                    "strict" | "unordered" => {
                        self.refuse("this word must come directly after the key", "move it before `within`")
                    }
                    word => {
                        let message = format!("`{word}` is not expected here");
                        let known: &[&str] =
                            if patterns.is_empty() { &["strict", "unordered", "within"] } else { &["where"] };
                        let hint = did_you_mean(word, known.iter().copied()).unwrap_or_else(|| {
                            "after the key come `strict` or `unordered`, `within D`, and then the events, each on an indented line".to_owned()
                        });
                        self.refuse(&message, &hint)
                    }
                };
            };
            let Some(kind) = self.maybe_kind() else {
                let found = self.cursor.run(next);
                let message = format!("`{found}` is not an event");
                let hint = did_you_mean(found, EventKind::ALL.map(EventKind::name))
                    .unwrap_or_else(|| "an indented line here is `PUT [where …]` or `DELETE [where …]`".to_owned());
                return self.refuse(&message, &hint);
            };
            let subject = subject.clone().on(writes(Some(kind)));
            let from = self.cursor.at();
            match self.maybe_where_in(Scope::Event, &subject, true) {
                Some(condition) => {
                    text.push_str("\n  ");
                    text.push_str(&self.cursor.written(next..self.cursor.at()));
                    patterns.push(Pattern { kind, condition, span: self.cursor.span(next..self.cursor.at()) });
                }
                // It is known where the expression ends, so the events after it can be read.
                None if self.cursor.written(from..self.cursor.at()).trim() != "where" => broken = true,
                None => return None,
            }
        }
        if broken {
            return None;
        }
        if patterns.is_empty() {
            return self.refuse("`events` needs at least one event", "add an indented line: `  PUT where …`");
        }
        let kind = CheckKind::Events { glob, order, patterns };
        Some(Check { text, ..self.finish(start, kind, within, None) })
    }
}

fn writes(kind: Option<EventKind>) -> Writes {
    match kind {
        None => Writes::Any,
        Some(EventKind::Put) => Writes::Put,
        Some(EventKind::Delete) => Writes::Delete,
    }
}
