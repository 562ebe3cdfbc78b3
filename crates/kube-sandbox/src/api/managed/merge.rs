//! A configuration laid over an object, and fields taken out of one, by the schema.

use serde_json::{Map, Value};

use super::set::{Set, element};
use crate::resource::shape::{Items, Shape};

/// `live` with everything that `wanted` states.
pub(super) fn merge(shape: Shape<'_>, live: &Value, wanted: &Value) -> Value {
    if shape.is_atomic() {
        return wanted.clone();
    }
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            let mut merged = live.clone();
            for (name, value) in wanted {
                let field = shape.child(name);
                let value = match merged.get(name) {
                    Some(old) => merge(field, old, value),
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(wanted)) => {
            let kind = shape.items();
            if kind == Items::Atomic {
                return Value::Array(wanted.clone());
            }
            merge_list(shape, &kind, live, wanted)
        }
        _ => wanted.clone(),
    }
}

/// Items in the order of the configuration; what only the object has stays where it was among them.
fn merge_list(shape: Shape<'_>, kind: &Items<'_>, live: &[Value], wanted: &[Value]) -> Value {
    let stated: Vec<String> = wanted.iter().map(|item| element(kind, item)).collect();
    let mut rest = wanted.iter().zip(&stated).peekable();
    let mut merged = Vec::with_capacity(live.len() + wanted.len());
    for old in live {
        let name = element(kind, old);
        if !stated.contains(&name) {
            merged.push(old.clone());
            continue;
        }
        // Up to this one the configuration's order decides.
        if rest.clone().any(|(_, one)| *one == name) {
            for (item, one) in rest.by_ref() {
                let before = live.iter().find(|old| element(kind, old) == *one);
                merged.push(before.map_or_else(|| item.clone(), |old| merge_item(shape, kind, old, item)));
                if *one == name {
                    break;
                }
            }
        }
    }
    merged.extend(rest.map(|(item, _)| item.clone()));
    Value::Array(merged)
}

fn merge_item(shape: Shape<'_>, kind: &Items<'_>, old: &Value, item: &Value) -> Value {
    if *kind == Items::Set { item.clone() } else { merge(shape.item(), old, item) }
}

/// Takes the members of `gone` out of `value`; what `kept` states stays, and so does what holds it.
pub(super) fn remove(shape: Shape<'_>, value: &mut Value, gone: &Set, kept: &Set) {
    let none = Set::default();
    match value {
        Value::Object(map) => {
            for (key, child) in &gone.children {
                let Some(name) = key.strip_prefix("f:") else { continue };
                let still = kept.children.get(key).unwrap_or(&none);
                if child.member && still.is_empty() && child.children.is_empty() {
                    map.remove(name);
                } else if let Some(inner) = map.get_mut(name) {
                    remove(shape.child(name), inner, child, still);
                    let hollow =
                        inner.as_object().is_some_and(Map::is_empty) || inner.as_array().is_some_and(Vec::is_empty);
                    if hollow && still.is_empty() {
                        map.remove(name);
                    }
                }
            }
        }
        Value::Array(items) => {
            let kind = shape.items();
            items.retain_mut(|item| {
                let name = element(&kind, item);
                let Some(child) = gone.children.get(&name) else { return true };
                let still = kept.children.get(&name).unwrap_or(&none);
                if child.member && still.is_empty() {
                    return false;
                }
                remove(shape.item(), item, child, still);
                true
            });
        }
        _ => {}
    }
}
