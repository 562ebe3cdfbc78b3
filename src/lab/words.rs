//! Checks in plain words, for a learner who does not know their grammar.

use std::fmt::Write as _;
use std::time::Duration;

use super::{
    Check, CheckKind, Compare, EventKind, EventOrder, Holds, OutputTest, Pattern, Template, TemplatePart, Vars,
};
use crate::expr::Expr;
use crate::text::filled;

impl Check {
    /// What must be so, with the variables' values: `etcd holds the key /registry/namespaces/demo`. Each of several
    /// events has an indented line of its own.
    pub fn in_words(&self, vars: &Vars) -> String {
        let words = Words { vars };
        let mut text = match &self.kind {
            CheckKind::Key { key, holds } => words.key(&words.template(key), holds),
            CheckKind::Keys { glob, compare, count, condition } => {
                words.keys(&glob.0, *compare, *count, condition.as_ref())
            }
            CheckKind::Events { glob, order, patterns } => return words.events(self, &glob.0, *order, patterns),
            CheckKind::Never { glob, kind, condition } => words.never(&glob.0, *kind, condition.as_ref()),
            CheckKind::Resource { kind, name, namespace, holds } => {
                words.resource(&kind.value, &words.template(name), namespace.as_ref(), holds)
            }
            CheckKind::Output { action, test } => {
                let what = action.as_ref().map_or("the last command".to_owned(), |name| format!("`{}`", name.value));
                words.output(&what, test)
            }
            CheckKind::Etcd { member, condition } => {
                let who = member.as_ref().map_or("etcd".to_owned(), |name| format!("etcd's member {}", name.value));
                format!("of {who}: {}", words.expr(condition))
            }
            CheckKind::Snapshot { file, condition } => {
                format!("the file {} is an etcd snapshot with {}", words.template(file), words.expr(condition))
            }
            CheckKind::Run { command, condition } => {
                format!("the command `{}` succeeds{}", words.template(command), words.with(condition.as_ref()))
            }
        };
        if let Some(time) = self.hold_for {
            let so = if matches!(self.kind, CheckKind::Never { .. }) { "for" } else { "and that stays so for" };
            let _ = write!(text, ", {so} {}", span(time));
        }
        if let Some(time) = self.within {
            let _ = write!(text, ", within {}", span(time));
        }
        text
    }
}

struct Words<'a> {
    vars: &'a Vars,
}

impl Words<'_> {
    fn template(&self, template: &Template) -> String {
        let part = |part: &TemplatePart| match part {
            TemplatePart::Text(text) => text.clone(),
            TemplatePart::Var(name) => {
                self.vars.get(&name.value).cloned().unwrap_or_else(|| format!("${{{}}}", name.value))
            }
        };
        template.parts.iter().map(part).collect()
    }

    fn expr(&self, expr: &Expr) -> String {
        filled(&expr.text, |name| self.vars.get(name).cloned())
    }

    fn with(&self, condition: Option<&Expr>) -> String {
        condition.map_or(String::new(), |expr| format!(" with {}", self.expr(expr)))
    }

    fn key(&self, key: &str, holds: &Holds) -> String {
        match holds {
            Holds::Exists => format!("etcd holds the key {key}"),
            Holds::Absent => format!("etcd does not hold the key {key}"),
            Holds::Where(expr) => format!("etcd holds the key {key} with {}", self.expr(expr)),
        }
    }

    fn keys(&self, glob: &Template, compare: Compare, count: u64, condition: Option<&Expr>) -> String {
        let number = match (compare, count) {
            (Compare::Equal | Compare::LessOrEqual, 0) | (Compare::Less, 1) => "no".to_owned(),
            (Compare::Equal, count) => format!("exactly {count}"),
            (Compare::NotEqual, count) => format!("not {count}"),
            (Compare::Less, count) => format!("fewer than {count}"),
            (Compare::LessOrEqual, count) => format!("at most {count}"),
            (Compare::Greater, count) => format!("more than {count}"),
            (Compare::GreaterOrEqual, count) => format!("at least {count}"),
        };
        let keys = if count == 1 { "key" } else { "keys" };
        format!("etcd holds {number} {keys} of the form {}{}", self.template(glob), self.with(condition))
    }

    fn events(&self, check: &Check, glob: &Template, order: EventOrder, patterns: &[Pattern]) -> String {
        let mut text = format!("etcd sees {}", self.template(glob));
        if let [only] = patterns {
            text.push_str(match only.kind {
                EventKind::Put => " written",
                EventKind::Delete => " deleted",
            });
            text.push_str(&self.with(only.condition.as_ref()));
        } else {
            text.push_str(match order {
                EventOrder::Ordered => " change in this order",
                EventOrder::Strict => " change in this order, and not otherwise in between",
                EventOrder::Unordered => " change so, in any order",
            });
        }
        if let Some(time) = check.within {
            let _ = write!(text, ", within {}", span(time));
        }
        if patterns.len() > 1 {
            text.push(':');
            for pattern in patterns {
                let what = match pattern.kind {
                    EventKind::Put => "written",
                    EventKind::Delete => "deleted",
                };
                let _ = write!(text, "\n  {what}{}", self.with(pattern.condition.as_ref()));
            }
        }
        text
    }

    fn never(&self, glob: &Template, kind: Option<EventKind>, condition: Option<&Expr>) -> String {
        let what = match kind {
            Some(EventKind::Put) => "writes",
            Some(EventKind::Delete) => "deletes",
            None => "writes or deletes",
        };
        format!("nobody {what} {}{}", self.template(glob), self.with(condition))
    }

    fn resource(&self, kind: &str, name: &str, namespace: Option<&Template>, holds: &Holds) -> String {
        let place = namespace.map_or(String::new(), |name| format!(" in {}", self.template(name)));
        match holds {
            Holds::Exists => format!("the API shows {kind}/{name}{place}"),
            Holds::Absent => format!("the API shows no {kind}/{name}{place}"),
            Holds::Where(expr) => format!("the API shows {kind}/{name}{place} with {}", self.expr(expr)),
        }
    }

    fn output(&self, what: &str, test: &OutputTest) -> String {
        match test {
            OutputTest::Contains(text) => format!("{what} prints \"{}\"", self.template(text)),
            OutputTest::Matches(pattern) => format!("{what} prints what matches /{}/", self.template(pattern)),
            OutputTest::Where(expr) => format!("of what {what} prints: {}", self.expr(expr)),
        }
    }
}

fn span(time: Duration) -> String {
    match time.as_millis() {
        millis if millis % 60_000 == 0 => format!("{} min", millis / 60_000),
        millis if millis % 1000 == 0 => format!("{} s", millis / 1000),
        millis => format!("{millis} ms"),
    }
}

#[cfg(test)]
mod tests {
    use crate::text::SourceFile;

    fn words(check: &str) -> String {
        let text = format!(
            "---\ntitle: T\nvars: {{ NS: {{ default: demo }} }}\n---\n# T\n\n## Do\n\n```bash {{name=make}}\n\
             kubectl create namespace \"$NS\"\n```\n\n```check\nkey /registry/namespaces/${{NS}} exists\n{check}\n```\n"
        );
        let parsed = crate::parse::parse(&SourceFile::new("lab.md", "lab.md", text));
        let lab = parsed.lab.unwrap_or_else(|| panic!("{:#?}", parsed.findings));
        let items = lab.steps.iter().flat_map(|step| &step.items);
        let mut checks = items.filter_map(|item| match item {
            crate::lab::Item::Check(block) => block.checks.get(1),
            _ => None,
        });
        checks.next().expect("a check").in_words(&[("NS".to_owned(), "demo".to_owned())].into())
    }

    #[test]
    fn checks_read_as_sentences() {
        let table = [
            ("key /registry/namespaces/${NS} exists", "etcd holds the key /registry/namespaces/demo"),
            ("key /registry/pods/a/b absent", "etcd does not hold the key /registry/pods/a/b"),
            (
                "key /registry/namespaces/${NS} where object.metadata.labels.tier == \"${NS}\" for 2s",
                "etcd holds the key /registry/namespaces/demo with object.metadata.labels.tier == \"demo\", and that stays so for 2 s",
            ),
            ("keys /registry/pods/${NS}/* count == 3", "etcd holds exactly 3 keys of the form /registry/pods/demo/*"),
            ("keys /registry/pods/${NS}/* count == 0", "etcd holds no keys of the form /registry/pods/demo/*"),
            (
                "events /registry/namespaces/${NS} within 1m\n  DELETE",
                "etcd sees /registry/namespaces/demo deleted, within 1 min",
            ),
            (
                "events /registry/namespaces/${NS} strict\n  PUT where oldObject == null\n  DELETE",
                "etcd sees /registry/namespaces/demo change in this order, and not otherwise in between:\n  written with oldObject == null\n  deleted",
            ),
            (
                "never /registry/namespaces/${NS} DELETE for 100ms",
                "nobody deletes /registry/namespaces/demo, for 100 ms",
            ),
            ("resource namespace/${NS} exists", "the API shows namespace/demo"),
            ("output make contains \"created\"", "`make` prints \"created\""),
            ("output contains \"created\"", "the last command prints \"created\""),
            ("run \"true\"", "the command `true` succeeds"),
            ("etcd where healthy", "of etcd: healthy"),
        ];
        for (check, expected) in table {
            assert_eq!(words(check), expected);
        }
    }
}
