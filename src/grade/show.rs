//! Values, keys and changes as an explanation shows them: short, and without secrets.

use serde_json::Value;

use crate::expr::PathValue;
use crate::journal::{Change, Stored};
use crate::lab::Vars;
use crate::text::{VarPiece, hidden_bytes, redact, var_pieces};

/// Longer values lose their middle to a reader anyway.
const LONGEST: usize = 160;
const CHANGES_SHOWN: usize = 4;

/// Fields that change with every write and say nothing.
const NOISE: &[&str] = &["managedFields"];

pub(super) fn value(value: &Value) -> String {
    match value {
        // What stands for a secret is not a text of the object.
        Value::String(text) if text.starts_with('<') && text.ends_with(" bytes, hidden>") => text.clone(),
        Value::Array(items) if items.len() > 6 => {
            format!("{} items: {}", items.len(), cut(&Value::from(items.clone()).to_string(), 100))
        }
        other => cut(&other.to_string(), LONGEST),
    }
}

/// A text of a check with the variables' values in it.
pub(super) fn filled(text: &str, vars: &Vars) -> String {
    let piece = |piece: VarPiece| match piece {
        VarPiece::Var { name, range } => vars.get(&name).cloned().unwrap_or_else(|| text[range].to_owned()),
        VarPiece::Escaped(range) => text[range].replacen("$${", "${", 1),
        VarPiece::Text(range) | VarPiece::Broken { range, .. } => text[range].to_owned(),
    };
    var_pieces(text).into_iter().map(piece).collect()
}

/// In one line, why an expression is not true: the first values that it rests on.
pub(super) fn reason(lines: &[String]) -> Option<String> {
    let first: Vec<&str> = lines.iter().take(2).map(String::as_str).collect();
    (!first.is_empty()).then(|| cut(&first.join(", "), LONGEST))
}

/// Without what is secret, which must be looked for before anything of it is cut away.
pub(super) fn cut(text: &str, longest: usize) -> String {
    let text = &*redact(text);
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}

/// `object.status.phase = "Active"`, a line for each path that an expression reads; where one is missing, what is
/// there instead.
pub(super) fn paths(paths: &[PathValue], names: &dyn Fn(&str) -> Option<Value>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for path in paths {
        let line = match &path.value {
            Some(found) => format!("{} = {}", path.path, value(found)),
            None => missing(&path.path, names),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn missing(path: &str, names: &dyn Fn(&str) -> Option<Value>) -> String {
    let mut holder = path;
    while let Some(end) = holder.rfind(['.', '[']) {
        holder = &holder[..end];
        let Some(found) = names(holder) else { continue };
        return match &found {
            Value::Object(fields) if fields.is_empty() => format!("{path} is not there: {holder} is empty"),
            Value::Object(fields) => {
                let wanted = path[holder.len()..].trim_start_matches('.').split(['.', '[']).next().unwrap_or_default();
                let meant = crate::text::did_you_mean(wanted, fields.keys().map(String::as_str));
                let has = cut(&fields.keys().cloned().collect::<Vec<_>>().join(", "), LONGEST);
                let meant = meant.map_or(String::new(), |meant| format!("; {meant}"));
                format!("{path} is not there: {holder} has {has}{meant}")
            }
            other => format!("{path} is not there: {holder} is {}", value(other)),
        };
    }
    format!("{path} is not there")
}

/// What a change changed, in a few words.
pub fn change(change: &Change) -> String {
    let Some(now) = &change.value else { return "deleted".to_owned() };
    let Some(before) = &change.previous else {
        return if change.version <= 1 { created(now) } else { "changed; the value before is not known".to_owned() };
    };
    let (Ok(old), Ok(new)) = (before.object(), now.object()) else {
        return format!("{} bytes, before it {}", now.bytes().len(), before.bytes().len());
    };
    if old.is_null() && new.is_null() {
        return format!("{} -> {}", text(before), text(now));
    }
    let (Ok(old_shown), Ok(new_shown)) = (before.visible(), now.visible()) else { return "changed".to_owned() };
    let mut found = Vec::new();
    differ("", (&old, &old_shown), (&new, &new_shown), &mut found);
    if found.is_empty() {
        return "written again, unchanged".to_owned();
    }
    let more = found.len().saturating_sub(CHANGES_SHOWN);
    found.truncate(CHANGES_SHOWN);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found.join("; ")
}

fn created(now: &Stored) -> String {
    match now.object() {
        Ok(object) if object.is_null() => format!("created: {}", text(now)),
        _ => "created".to_owned(),
    }
}

fn text(stored: &Stored) -> String {
    if stored.is_opaque() {
        return hidden_bytes(stored.bytes().len());
    }
    cut(&Value::String(stored.text()).to_string(), 60)
}

/// Each pair is the value and the same value as it may be shown.
fn differ(path: &str, old: (&Value, &Value), new: (&Value, &Value), found: &mut Vec<String>) {
    if old.0 == new.0 {
        return;
    }
    let null = &Value::Null;
    match (old.0, new.0) {
        (Value::Object(old_fields), Value::Object(new_fields)) => {
            let names: std::collections::BTreeSet<&String> = old_fields.keys().chain(new_fields.keys()).collect();
            for name in names.into_iter().filter(|name| !NOISE.contains(&name.as_str())) {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let at = |fields: &serde_json::Map<String, Value>| fields.get(name).cloned();
                match (at(old_fields), at(new_fields)) {
                    (Some(a), Some(b)) => {
                        let shown = (old.1.get(name).unwrap_or(null), new.1.get(name).unwrap_or(null));
                        differ(&inner, (&a, shown.0), (&b, shown.1), found);
                    }
                    (None, Some(_)) => found.push(format!("{inner}: + {}", short(new.1.get(name).unwrap_or(null)))),
                    (Some(_), None) => found.push(format!("{inner}: - {}", short(old.1.get(name).unwrap_or(null)))),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(old_items), Value::Array(new_items)) if old_items.len() == new_items.len() => {
            for (index, (a, b)) in old_items.iter().zip(new_items).enumerate() {
                let shown = (old.1.get(index).unwrap_or(null), new.1.get(index).unwrap_or(null));
                differ(&format!("{path}[{index}]"), (a, shown.0), (b, shown.1), found);
            }
        }
        _ if old.1 == new.1 => found.push(format!("{path}: changed, {}", short(new.1))),
        _ => found.push(format!("{path}: {} -> {}", short(old.1), short(new.1))),
    }
}

fn short(shown: &Value) -> String {
    match shown {
        Value::Object(fields) if fields.len() > 4 => format!("{{{} fields}}", fields.len()),
        Value::Array(items) if items.len() > 4 => format!("[{} items]", items.len()),
        other => match value(other) {
            text if text.chars().count() > 60 && !text.ends_with("hidden>") => cut(&other.to_string(), 60),
            text => text,
        },
    }
}
