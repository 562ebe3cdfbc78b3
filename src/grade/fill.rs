//! Variables put into the parts of a check, as data; `/registry` read as the cluster's own prefix.

use std::collections::BTreeMap;

use crate::journal::{KeyGlob, Need, Piece};
use crate::lab::{Check, CheckKind, Glob, Template, TemplatePart};

pub(super) type Vars = BTreeMap<String, String>;

/// The prefix that stands in labs for the cluster's own.
const REGISTRY: &str = "/registry";

pub(super) fn text(template: &Template, vars: &Vars) -> String {
    template.parts.iter().map(|part| piece(part, vars).0).collect()
}

/// A regular expression, in which a variable's value is text to be found.
pub(super) fn regex(template: &Template, vars: &Vars) -> String {
    let part = |part| match piece(part, vars) {
        (text, true) => regex::escape(text),
        (text, false) => text.to_owned(),
    };
    template.parts.iter().map(part).collect()
}

/// A part's text, and whether it is a variable's.
fn piece<'a>(part: &'a TemplatePart, vars: &'a Vars) -> (&'a str, bool) {
    match part {
        TemplatePart::Text(text) => (text, false),
        TemplatePart::Var(name) => (vars.get(&name.value).map_or("", String::as_str), true),
    }
}

pub(super) fn key(template: &Template, vars: &Vars, prefix: &str) -> String {
    let key = text(template, vars);
    match below_registry(&key) {
        Some(rest) => format!("{}{rest}", prefix.trim_end_matches('/')),
        None => key,
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
    key.strip_prefix(REGISTRY).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What must be sampled while the check is judged; empty for keys and events, which the journal tells.
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

/// The keys whose changes the check judges: those that must be quiet before its mark.
pub fn watched(check: &Check, vars: &Vars, prefix: &str) -> Option<KeyGlob> {
    match &check.kind {
        CheckKind::Events { glob: pattern, .. } | CheckKind::Never { glob: pattern, .. } => {
            Some(glob(pattern, vars, prefix))
        }
        _ => None,
    }
}
