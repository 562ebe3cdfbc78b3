//! Attributes by name: each is asked for once, and what nobody asked for was refused before.

use std::time::Duration;

use super::attrs::{Attr, Value};
use super::context::Context;
use super::findings::{ATTRIBUTE_VALUE, MISPLACED_ATTRIBUTE, UNKNOWN_ATTRIBUTE};
use super::words::{self, Wrong};
use crate::lab::keywords::{ATTRIBUTES, FenceKind, Takes};
use crate::lab::{On, Template};
use crate::text::{Joined, Span, Spanned, did_you_mean, nearest, one_of};

/// Words of other tools for what an attribute here says.
const SYNONYMS: &[(&str, &str)] = &[
    ("id", "name"),
    ("label", "name"),
    ("title", "name"),
    ("term", "terminal"),
    ("tty", "terminal"),
    ("shell", "terminal"),
    ("session", "terminal"),
    ("bg", "background"),
    ("async", "background"),
    ("daemon", "background"),
    ("status", "exit"),
    ("exit-code", "exit"),
    ("exitcode", "exit"),
    ("code", "exit"),
    ("error", "fails"),
    ("failure", "fails"),
    ("message", "fail"),
    ("score", "points"),
    ("wait", "timeout"),
    ("within", "timeout"),
    ("skip", "norun"),
    ("noexec", "norun"),
    ("no-run", "norun"),
    ("teardown", "cleanup"),
    ("clean", "cleanup"),
    ("env", "vars"),
    ("node", "in"),
    ("cluster", "on"),
];

/// The attribute that was most likely meant.
fn meant(name: &str, kind: FenceKind) -> Option<&'static str> {
    let lower = name.to_lowercase();
    let synonym = SYNONYMS.iter().find(|(other, _)| *other == lower).map(|(_, name)| *name);
    let here = || kind.attributes().map(|attribute| attribute.name);
    synonym
        .filter(|name| here().any(|known| known == *name))
        .or_else(|| nearest(name, here()))
        .or_else(|| nearest(name, ATTRIBUTES.iter().map(|attribute| attribute.name)))
}

pub(super) struct Fields {
    attrs: Vec<Attr>,
    /// Where to point when something is missing.
    pub(super) span: Span,
}

impl Fields {
    /// Refuses what does not belong on this kind of fence.
    pub(super) fn of_fence(kind: FenceKind, attrs: Vec<Attr>, span: Span, cx: &mut Context<'_>) -> Self {
        let mut kept = Vec::new();
        let is_ready = attrs.iter().any(|attr| attr.name.value == "ready");
        for mut attr in attrs {
            let name = attr.name.value.as_str();
            let known = ATTRIBUTES.iter().find(|known| known.name == name).or_else(|| {
                let near = meant(name, kind);
                let hint = near.map_or_else(
                    || format!("{} takes {}", kind.noun(), one_of(kind.attributes().map(|a| a.name))),
                    |near| format!("did you mean `{near}`?"),
                );
                cx.findings.add(UNKNOWN_ATTRIBUTE, attr.name.span, format!("unknown attribute `{name}`")).hint(hint);
                // Read as what it is nearly, so that nothing else seems to be missing.
                ATTRIBUTES.iter().find(|known| Some(known.name) == near)
            });
            let Some(known) = known else { continue };
            if known.name == "background" && name != known.name && !is_ready {
                // It would seem to lack a `ready` too.
                continue;
            }
            let name = known.name;
            known.name.clone_into(&mut attr.name.value);
            if !known.on.contains(&kind) {
                let message = format!("`{name}` does not belong on {}", kind.noun());
                let owners: Vec<&str> = known.on.iter().map(|kind| kind.noun()).collect();
                cx.findings
                    .add(MISPLACED_ATTRIBUTE, attr.name.span, message)
                    .hint(format!("it is allowed on {}", owners.join(" or ")));
                continue;
            }
            match (known.takes, &attr.value) {
                (Takes::Value, None) => {
                    cx.findings.unread |= name == "name";
                    let message = format!("`{name}` needs a value");
                    cx.findings.add(ATTRIBUTE_VALUE, attr.name.span, message).hint(format!("write `{name}=…`"));
                }
                (Takes::Nothing, Some(_)) => {
                    let message = format!("`{name}` takes no value");
                    cx.findings.add(ATTRIBUTE_VALUE, attr.span(), message).hint(format!("write `{name}` alone"));
                    kept.push(Attr { value: None, ..attr });
                }
                _ => kept.push(attr),
            }
        }
        Self { attrs: kept, span }
    }

    /// The attributes of a comment, which all take values.
    pub(super) fn of_comment(
        known: &'static [&'static str],
        attrs: Vec<Attr>,
        span: Span,
        cx: &mut Context<'_>,
    ) -> Self {
        let mut kept = Vec::new();
        for attr in attrs {
            let name = attr.name.value.as_str();
            if !known.contains(&name) {
                let hint = did_you_mean(name, known.iter().copied())
                    .unwrap_or_else(|| format!("`lab:step` takes {}", one_of(known.iter().copied())));
                cx.findings.add(UNKNOWN_ATTRIBUTE, attr.name.span, format!("unknown attribute `{name}`")).hint(hint);
            } else if attr.value.is_none() {
                let message = format!("`{name}` needs a value");
                cx.findings.add(ATTRIBUTE_VALUE, attr.name.span, message).hint(format!("write `{name}=…`"));
            } else {
                kept.push(attr);
            }
        }
        Self { attrs: kept, span }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Attr> {
        self.attrs.iter().find(|attr| attr.name.value == name)
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.get(name).and_then(|attr| attr.value.as_ref())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.attrs.iter().map(|attr| &attr.name)
    }

    /// Reads a value, or says why it cannot be read.
    pub(super) fn read<T>(
        &self,
        name: &str,
        cx: &mut Context<'_>,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Spanned<T>> {
        let value = self.value(name)?;
        match read(&value.text) {
            Ok(found) => Some(Spanned::new(found, value.span)),
            Err(Wrong { message, hint }) => {
                cx.findings.unread |= name == "name";
                cx.findings.add(ATTRIBUTE_VALUE, value.span, message).maybe_hint(hint);
                None
            }
        }
    }

    pub(super) fn id(&self, name: &str, cx: &mut Context<'_>) -> Option<Spanned<String>> {
        self.read(name, cx, words::id)
    }

    pub(super) fn duration(&self, name: &str, cx: &mut Context<'_>) -> Option<Duration> {
        self.read(name, cx, words::duration).map(|found| found.value)
    }

    pub(super) fn points(&self, cx: &mut Context<'_>) -> Option<u32> {
        self.read("points", cx, |text| words::whole::<u32>(text, "number of points")).map(|found| found.value)
    }

    pub(super) fn on(&self, cx: &mut Context<'_>) -> On {
        self.read("on", cx, words::clusters).map(|found| found.value).unwrap_or_default()
    }

    /// A value in which `${NAME}` is a variable.
    pub(super) fn template(&self, name: &str, cx: &mut Context<'_>) -> Option<Template> {
        let value = self.value(name)?;
        let raw = Joined::whole(cx.source.slice(value.span), value.span.start);
        let length = raw.text().len();
        Some(cx.unescaped_template(&value.text, &raw, 0..length))
    }
}
