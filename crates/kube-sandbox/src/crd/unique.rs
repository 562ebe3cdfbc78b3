//! Items that must not stand twice in a list.

use std::collections::HashSet;

use serde_json::Value;

use crate::object::before::keys;
use crate::object::field_error::{FieldError, FieldErrorKind};

/// Items that stand twice in lists that are sets or have keys. Nothing excuses them, not even that they were there.
pub(super) fn unique(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let known = schema.get("properties").and_then(|known| known.get(name));
                if let Some(below) = known.or_else(|| schema.get("additionalProperties")) {
                    let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    unique(below, inner, &here, errors);
                }
            }
        }
        Value::Array(items) => {
            unique_items(schema, items, path, errors);
            if let Some(below) = schema.get("items") {
                for (at, item) in items.iter().enumerate() {
                    unique(below, item, &format!("{path}[{at}]"), errors);
                }
            }
        }
        _ => {}
    }
}

fn unique_items(schema: &Value, items: &[Value], path: &str, errors: &mut Vec<FieldError>) {
    let keys = keys(schema);
    let key = |item: &Value| match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => Some(item.clone()),
        Some("map") => Some(keys.iter().filter_map(|name| Some((name.clone(), item.get(name)?.clone()))).collect()),
        _ => None,
    };
    let mut seen: HashSet<Value> = HashSet::new();
    for (at, item) in items.iter().enumerate() {
        let Some(key) = key(item) else { return };
        if seen.contains(&key) {
            errors.push(FieldError::new(format!("{path}[{at}]"), FieldErrorKind::Duplicate, key.to_string()));
        }
        seen.insert(key);
    }
}
