//! What a part of an object was before a change of the object.

use std::collections::HashMap;

use serde_json::Value;

/// The items of a list as it was, where it is known which of them an item of today was: in lists with keys only.
pub(crate) struct Before<'a> {
    keys: &'a [String],
    items: HashMap<Vec<&'a Value>, &'a Value>,
}

fn identity<'a>(item: &'a Value, keys: &[String]) -> Vec<&'a Value> {
    keys.iter().map(|key| item.get(key).unwrap_or(&Value::Null)).collect()
}

impl<'a> Before<'a> {
    pub(crate) fn of(old: Option<&'a Value>, keys: &'a [String]) -> Self {
        let old = old.and_then(Value::as_array).filter(|_| !keys.is_empty());
        // Of two of one identity the first counts.
        let items = old.into_iter().flatten().rev().map(|item| (identity(item, keys), item)).collect();
        Self { keys, items }
    }

    pub(crate) fn of_item(&self, item: &Value) -> Option<&'a Value> {
        if self.items.is_empty() {
            return None;
        }
        self.items.get(&identity(item, self.keys)).copied()
    }
}

/// The fields that tell the items of a list apart, where there are any.
pub(crate) fn keys(schema: &Value) -> Vec<String> {
    if schema["x-kubernetes-list-type"] != "map" {
        return Vec::new();
    }
    let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
    keys.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether a value is what it was; the order of a list with keys does not matter.
pub(crate) fn is_same(schema: &Value, value: &Value, old: &Value) -> bool {
    match (value, old) {
        (Value::Object(map), Value::Object(before)) => {
            let below = |name: &str| {
                let known = schema.get("properties").and_then(|known| known.get(name));
                known.or_else(|| schema.get("additionalProperties")).unwrap_or(&Value::Null)
            };
            map.len() == before.len()
                && map.iter().all(|(name, value)| before.get(name).is_some_and(|old| is_same(below(name), value, old)))
        }
        (Value::Array(items), Value::Array(was)) if items.len() == was.len() => {
            let keys = keys(schema);
            if keys.is_empty() {
                return value == old;
            }
            let before = Before::of(Some(old), &keys);
            items.iter().all(|item| before.of_item(item).is_some_and(|old| is_same(&schema["items"], item, old)))
        }
        _ => value == old,
    }
}
