//! Keys and patterns that no object can have: of a kind that lies in namespaces and names none, or too deep.

use super::context::Context;
use super::findings::UNKNOWN_FOLDER;
use crate::lab::{Check, CheckKind, Item, Step, Template, TemplatePart, Var, VarDefault, WRITTEN_PREFIX};
use kube_etcd_codec::kind_by_folder;

pub(super) fn look(vars: &[Var], steps: &[Step], cx: &mut Context<'_>) {
    if cx.bare {
        return;
    }
    for item in steps.iter().flat_map(|step| &step.items) {
        let (Item::Check(block) | Item::Wait(block)) = item else { continue };
        for check in &block.checks {
            depth(check, vars, cx);
        }
    }
}

fn depth(check: &Check, vars: &[Var], cx: &mut Context<'_>) {
    let (template, is_glob) = match &check.kind {
        CheckKind::Key { key, .. } => (key, false),
        CheckKind::Keys { glob, .. } | CheckKind::Events { glob, .. } | CheckKind::Never { glob, .. } => {
            (&glob.0, true)
        }
        CheckKind::Resource { .. }
        | CheckKind::Output { .. }
        | CheckKind::Etcd { .. }
        | CheckKind::Snapshot { .. }
        | CheckKind::Run { .. } => return,
    };
    let Some(key) = sample(template, vars) else { return };
    let Some(path) = key.strip_prefix(WRITTEN_PREFIX).and_then(|path| path.strip_prefix('/')) else { return };
    let Some((kind, rest)) = kind_by_folder(path) else { return };
    if is_glob && rest.contains("**") {
        return;
    }
    let folder = kind.folder;
    let wanted = if kind.namespaced { 2 } else { 1 };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let (message, hint) = if rest.ends_with('/') || rest.is_empty() {
        let shown = cx.source.slice(template.span).trim_matches(['"', '\'']).trim_end_matches('/');
        let stars = if parts.len() < wanted { "**" } else { "*" };
        if parts.len() == wanted {
            ("no key ends in a slash".to_owned(), format!("write {shown}"))
        } else {
            (
                "this is a folder, not a key".to_owned(),
                format!("write `keys {shown}/{stars} count …` for the keys under it"),
            )
        }
    } else if parts.len() < wanted {
        let message = format!("{} lie in a namespace, and this names none", kind.plural);
        let name =
            parts.first().copied().filter(|_| !template.parts.iter().any(|part| matches!(part, TemplatePart::Var(_))));
        let hint = match name {
            Some(name) if is_glob && name == "*" => {
                format!("write /registry/{folder}/*/*, or /registry/{folder}/NAMESPACE/*")
            }
            Some(name) => format!("write /registry/{folder}/NAMESPACE/{name}"),
            None => format!("write /registry/{folder}/NAMESPACE/NAME"),
        };
        (message, hint)
    } else if parts.len() > wanted {
        let message = format!("no key has so many segments under /registry/{folder}");
        let form = if kind.namespaced { "NAMESPACE/NAME" } else { "NAME" };
        (message, format!("the keys of {} are /registry/{folder}/{form}", kind.plural))
    } else {
        return;
    };
    cx.findings.add(UNKNOWN_FOLDER, template.span, message).hint(hint);
}

/// The key with each variable's default; `None` where a value may hold a slash.
fn sample(template: &Template, vars: &[Var]) -> Option<String> {
    let mut key = String::new();
    for part in &template.parts {
        match part {
            TemplatePart::Text(text) => key.push_str(text),
            TemplatePart::Var(name) => {
                let var = vars.iter().find(|var| var.name.value == name.value)?;
                match &var.default {
                    VarDefault::Text(text) if text.contains('/') || text.is_empty() => return None,
                    VarDefault::Text(_) | VarDefault::Random(_) | VarDefault::Port => key.push('x'),
                }
            }
        }
    }
    Some(key)
}
