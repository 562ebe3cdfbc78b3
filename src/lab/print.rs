//! Checks as a lab writes them: what was read prints back to an equal check.

use std::fmt;
use std::time::Duration;

use super::{Check, CheckKind, EventOrder, Holds, OutputTest, Pattern, Template, TemplatePart};
use crate::expr::Expr;

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            CheckKind::Key { key, holds } => write!(f, "key {} {}", Word(key, false), Shown(holds))?,
            CheckKind::Keys { glob, compare, count, condition } => {
                write!(f, "keys {} count {} {count}", Word(&glob.0, true), compare.sign())?;
                condition_of(f, condition.as_ref())?;
            }
            CheckKind::Resource { kind, name, namespace, holds } => {
                write!(f, "resource {}/{}", kind.value, Bare(name))?;
                if let Some(namespace) = namespace {
                    write!(f, " in {}", Bare(namespace))?;
                }
                write!(f, " {}", Shown(holds))?;
            }
            CheckKind::Output { action, test } => {
                f.write_str("output")?;
                if let Some(action) = action {
                    write!(f, " {}", action.value)?;
                }
                match test {
                    OutputTest::Contains(text) => write!(f, " contains {}", Quoted(text))?,
                    OutputTest::Matches(text) => write!(f, " matches {}", Quoted(text))?,
                    OutputTest::Where(expr) => condition_of(f, Some(expr))?,
                }
            }
            CheckKind::Etcd { member, condition } => {
                f.write_str("etcd")?;
                if let Some(member) = member {
                    write!(f, " {}", member.value)?;
                }
                condition_of(f, Some(condition))?;
            }
            CheckKind::Snapshot { file, condition } => {
                write!(f, "snapshot {}", Word(file, true))?;
                condition_of(f, Some(condition))?;
            }
            CheckKind::Run { command, condition } => {
                write!(f, "run {}", Quoted(command))?;
                condition_of(f, condition.as_ref())?;
            }
            CheckKind::Never { glob, kind, condition } => {
                write!(f, "never {}", Word(&glob.0, true))?;
                if let Some(kind) = kind {
                    write!(f, " {kind}")?;
                }
                condition_of(f, condition.as_ref())?;
            }
            CheckKind::Events { glob, order, patterns } => return self.events(f, &glob.0, *order, patterns),
        }
        time(f, "within", self.within)?;
        time(f, "for", self.hold_for)
    }
}

impl Check {
    fn events(
        &self,
        f: &mut fmt::Formatter<'_>,
        glob: &Template,
        order: EventOrder,
        patterns: &[Pattern],
    ) -> fmt::Result {
        write!(f, "events {}", Word(glob, true))?;
        match order {
            EventOrder::Ordered => {}
            EventOrder::Strict => f.write_str(" strict")?,
            EventOrder::Unordered => f.write_str(" unordered")?,
        }
        time(f, "within", self.within)?;
        for pattern in patterns {
            write!(f, "\n  {}", pattern.kind)?;
            condition_of(f, pattern.condition.as_ref())?;
        }
        Ok(())
    }
}

struct Shown<'a>(&'a Holds);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Holds::Exists => f.write_str("exists"),
            Holds::Absent => f.write_str("absent"),
            Holds::Where(expr) => write!(f, "where {}", expr.text),
        }
    }
}

fn condition_of(f: &mut fmt::Formatter<'_>, condition: Option<&Expr>) -> fmt::Result {
    condition.map_or(Ok(()), |expr| write!(f, " where {}", expr.text))
}

fn time(f: &mut fmt::Formatter<'_>, word: &str, time: Option<Duration>) -> fmt::Result {
    let Some(millis) = time.map(|time| time.as_millis()) else {
        return Ok(());
    };
    match (millis % 60_000, millis % 1000) {
        (0, _) => write!(f, " {word} {}m", millis / 60_000),
        (_, 0) => write!(f, " {word} {}s", millis / 1000),
        _ => write!(f, " {word} {millis}ms"),
    }
}

fn written(template: &Template) -> String {
    template
        .parts
        .iter()
        .map(|part| match part {
            TemplatePart::Text(text) => text.replace("${", "$${"),
            TemplatePart::Var(name) => format!("${{{}}}", name.value),
        })
        .collect()
}

struct Bare<'a>(&'a Template);

impl fmt::Display for Bare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(self.0))
    }
}

struct Quoted<'a>(&'a Template);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // JSON's escapes are among CEL's.
        write!(f, "{}", serde_json::Value::from(written(self.0)))
    }
}

/// Without quotes where it can stand so; whether an unquoted star may stand in it.
struct Word<'a>(&'a Template, bool);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = written(self.0);
        let dollar = self.0.parts.iter().any(|part| matches!(part, TemplatePart::Text(text) if text.contains('$')));
        let plain = !text.is_empty()
            && !text.starts_with(['#', 'r', 'R', 'b', 'B'])
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\''))
            && !dollar
            && (self.1 || !text.contains('*'));
        if plain { f.write_str(&text) } else { write!(f, "{}", Quoted(self.0)) }
    }
}
