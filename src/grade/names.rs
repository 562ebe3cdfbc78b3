//! The names of an expression bound to what was seen, and what the expression then comes to.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::expr::{Expr, Outcome};
use crate::journal::{Change, Mark, Object, Stored};
use crate::lab::Vars;
use crate::text::hidden_bytes;

/// Why an expression does not hold that could be evaluated; its values say more.
pub(super) const NOT_SO: &str = "it is not so";

/// Whether something holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    /// In one line, why not.
    No(String),
    /// It cannot be judged, and why.
    Unknown(String),
}

impl From<Outcome> for Truth {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Holds => Truth::Yes,
            Outcome::DoesNotHold => Truth::No(NOT_SO.to_owned()),
            Outcome::Missing(path) => Truth::No(format!("no such field: {path}")),
            Outcome::Error(error) => Truth::Unknown(error),
        }
    }
}

/// Names with their values; those that the expression does not use are left out.
pub(super) struct Names {
    owned: Vec<(&'static str, Value)>,
    shared: Vec<(&'static str, Object)>,
}

impl Names {
    pub(super) fn new(mark: &Mark) -> Self {
        let time = jiff::Timestamp::try_from(mark.wall).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string();
        let mark = json!({ "revision": mark.revision, "time": time });
        Self { owned: vec![("mark", mark)], shared: Vec::new() }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.owned.push((name, value.into()));
        self
    }

    /// Every field of a map as a name, where the name is one of these.
    #[must_use]
    pub(super) fn with_fields(mut self, names: impl IntoIterator<Item = &'static str>, fields: &Value) -> Self {
        for name in names {
            if let Some(value) = fields.get(name) {
                self.owned.push((name, value.clone()));
            }
        }
        self
    }

    fn borrowed(&self) -> Vec<(&str, &Value)> {
        let owned = self.owned.iter().map(|(name, value)| (*name, value));
        owned.chain(self.shared.iter().map(|(name, object)| (*name, &**object))).collect()
    }

    pub(super) fn weigh(&self, expr: &Expr, vars: &Vars) -> Truth {
        expr.evaluate(&self.borrowed(), vars).into()
    }

    /// The value at a path as [`crate::expr::Path`] writes it.
    pub(super) fn at(&self, path: &str) -> Option<Value> {
        let names = self.borrowed();
        let (name, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
        let mut value = names.into_iter().find(|(known, _)| *known == name)?.1;
        let mut rest = rest;
        while !rest.is_empty() {
            if let Some(field) = rest.strip_prefix('.') {
                let end = field.find(['.', '[']).unwrap_or(field.len());
                value = value.get(&field[..end])?;
                rest = &field[end..];
            } else {
                let inner = rest.strip_prefix('[')?;
                let mut parsed = serde_json::Deserializer::from_str(inner).into_iter::<Value>();
                let index = parsed.next()?.ok()?;
                rest = inner[parsed.byte_offset()..].strip_prefix(']')?;
                value = match index {
                    Value::String(name) => value.get(&name)?,
                    index => value.get(usize::try_from(index.as_u64()?).ok()?)?,
                };
            }
        }
        Some(value.clone())
    }

    pub(super) fn explain(&self, expr: &Expr) -> Vec<crate::expr::PathValue> {
        expr.explain(&self.borrowed())
    }
}

/// Whether a key's value, or an event, satisfies an expression.
pub(super) fn weigh_change(change: &Change, expr: &Expr, mark: &Mark, vars: &Vars) -> Truth {
    let mut names = Names::new(mark);
    for (name, stored) in [("object", change.value.as_ref()), ("oldObject", change.previous.as_ref())] {
        if !expr.uses(name) {
            continue;
        }
        match stored.map(|stored| stored.object()).transpose() {
            Ok(Some(object)) => names.shared.push((name, object)),
            Ok(None) => names.owned.push((name, Value::Null)),
            Err(error) => return Truth::Unknown(format!("{name} of {}: {error}", change.key)),
        }
    }
    let text = |stored: &Stored| stored.text();
    with_record(names, change, expr, text).weigh(expr, vars)
}

/// The same names as they may be shown.
pub(super) fn visible_change(change: &Change, expr: &Expr, mark: &Mark) -> Names {
    let mut names = Names::new(mark);
    for (name, stored) in [("object", change.value.as_ref()), ("oldObject", change.previous.as_ref())] {
        let shown = stored.and_then(|stored| stored.visible().ok()).unwrap_or(Value::Null);
        names.owned.push((name, shown));
    }
    let text = |stored: &Stored| if hides(stored) { hidden_bytes(stored.bytes().len()) } else { stored.text() };
    with_record(names, change, expr, text)
}

fn with_record(names: Names, change: &Change, expr: &Expr, text: impl Fn(&Stored) -> String) -> Names {
    let names = if expr.uses("value") {
        names.with("value", change.value.as_deref().map(text).unwrap_or_default())
    } else {
        names
    };
    names
        .with("key", change.key.as_ref())
        .with("revision", change.revision)
        .with("createRevision", change.create_revision)
        .with("version", change.version)
        .with("lease", change.lease)
}

/// Whether any part of the value must not be shown. What cannot be read may hold anything.
pub(super) fn hides(stored: &Stored) -> bool {
    stored.is_opaque()
        || stored.object().is_ok_and(|object: Object| kube_etcd_codec::conceal(&mut Value::clone(&*object)) > 0)
}

/// Seconds from `from` to `to`, for people.
pub(super) fn after(from: SystemTime, to: SystemTime) -> String {
    match to.duration_since(from) {
        Ok(later) => format!("+{:.2}s", later.as_secs_f64()),
        Err(earlier) => format!("-{:.2}s", earlier.duration().as_secs_f64()),
    }
}
