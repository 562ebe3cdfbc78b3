//! Variables put into the parts of a check, as data; `/registry` read as the cluster's own prefix.

use crate::journal::{KeyGlob, Need, Piece};
use crate::lab::{Check, CheckKind, Glob, OutputTest, Template, TemplatePart, Vars, WRITTEN_PREFIX};

/// The first variable of the check that has no value: then nothing of it can be judged.
pub(super) fn unbound(check: &Check, vars: &Vars) -> Option<String> {
    let templates: Vec<&Template> = match &check.kind {
        CheckKind::Key { key, .. } => vec![key],
        CheckKind::Keys { glob, .. } | CheckKind::Events { glob, .. } | CheckKind::Never { glob, .. } => vec![&glob.0],
        CheckKind::Resource { name, namespace, .. } => std::iter::once(name).chain(namespace).collect(),
        CheckKind::Output { test: OutputTest::Contains(text) | OutputTest::Matches(text), .. } => vec![text],
        CheckKind::Snapshot { file, .. } => vec![file],
        CheckKind::Run { command, .. } => vec![command],
        CheckKind::Output { test: OutputTest::Where(_), .. } | CheckKind::Etcd { .. } => Vec::new(),
    };
    let names = templates.into_iter().flat_map(Template::vars).map(|name| &name.value);
    names.into_iter().find(|name| !vars.contains_key(*name)).cloned()
}

/// The text with its variables; [`unbound`] has seen to it that each has a value.
pub(super) fn text(template: &Template, vars: &Vars) -> String {
    template.render(vars).unwrap_or_default()
}

/// A regular expression, in which a variable's value is text to be found.
pub(super) fn regex(template: &Template, vars: &Vars) -> String {
    template.render_regex(vars).unwrap_or_default()
}

pub(super) fn key(template: &Template, vars: &Vars, prefix: &str) -> String {
    template.render_key(vars, prefix.trim_end_matches('/')).unwrap_or_default()
}

/// A part's text, and whether it is a variable's.
fn piece<'a>(part: &'a TemplatePart, vars: &'a Vars) -> (&'a str, bool) {
    match part {
        TemplatePart::Text(text) => (text, false),
        TemplatePart::Var(name) => (vars.get(&name.value).map_or("", String::as_str), true),
    }
}

pub(super) fn glob(glob: &Glob, vars: &Vars, prefix: &str) -> KeyGlob {
    let prefix = prefix.trim_end_matches('/');
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for part in &glob.0.parts {
        let (text, is_data) = piece(part, vars);
        match below_registry(text) {
            Some(rest) if pieces.is_empty() && !is_data => {
                pieces.push(Piece::Data(prefix));
                pieces.push(Piece::Pattern(rest));
            }
            _ if is_data => pieces.push(Piece::Data(text)),
            _ => pieces.push(Piece::Pattern(text)),
        }
    }
    KeyGlob::from_pieces(&pieces)
}

fn below_registry(key: &str) -> Option<&str> {
    key.strip_prefix(WRITTEN_PREFIX).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What must be sampled while the check is judged; empty for keys and events, which the journal holds.
pub fn needs(check: &Check, vars: &Vars) -> Vec<Need> {
    let need = match &check.kind {
        CheckKind::Key { .. } | CheckKind::Keys { .. } | CheckKind::Events { .. } | CheckKind::Never { .. } => {
            return Vec::new();
        }
        CheckKind::Resource { kind, name, namespace, .. } => Need::Resource {
            kind: kind.value.clone(),
            name: text(name, vars),
            namespace: namespace.as_ref().map(|namespace| text(namespace, vars)),
        },
        CheckKind::Output { action, .. } => Need::Output { action: action.as_ref().map(|name| name.value.clone()) },
        CheckKind::Etcd { member, .. } => Need::Etcd { member: member.as_ref().map(|name| name.value.clone()) },
        CheckKind::Snapshot { file, .. } => Need::Snapshot { file: text(file, vars) },
        CheckKind::Run { command, .. } => Need::Run { command: text(command, vars) },
    };
    vec![need]
}

/// The regular expression that an output check looks for; `contains` is one that stands for itself.
pub fn searched(test: &OutputTest, vars: &Vars) -> Option<String> {
    match test {
        OutputTest::Contains(wanted) => Some(regex::escape(&text(wanted, vars))),
        OutputTest::Matches(wanted) => Some(regex(wanted, vars)),
        OutputTest::Where(_) => None,
    }
}

/// The keys whose changes the check judges: those that must be quiet before its mark.
pub fn watched(check: &Check, vars: &Vars, prefix: &str) -> Option<KeyGlob> {
    match &check.kind {
        CheckKind::Events { glob: pattern, .. } | CheckKind::Never { glob: pattern, .. } => {
            Some(glob(pattern, vars, prefix))
        }
        CheckKind::Key { .. }
        | CheckKind::Keys { .. }
        | CheckKind::Resource { .. }
        | CheckKind::Output { .. }
        | CheckKind::Etcd { .. }
        | CheckKind::Snapshot { .. }
        | CheckKind::Run { .. } => None,
    }
}

/// The keys that the check speaks of; `None` where it is judged by something else than the journal.
pub fn concerns(check: &Check, vars: &Vars, prefix: &str) -> Option<KeyGlob> {
    match &check.kind {
        CheckKind::Key { key: template, .. } => Some(KeyGlob::literal(&key(template, vars, prefix))),
        CheckKind::Keys { glob: pattern, .. }
        | CheckKind::Events { glob: pattern, .. }
        | CheckKind::Never { glob: pattern, .. } => Some(glob(pattern, vars, prefix)),
        CheckKind::Resource { .. }
        | CheckKind::Output { .. }
        | CheckKind::Etcd { .. }
        | CheckKind::Snapshot { .. }
        | CheckKind::Run { .. } => None,
    }
}
