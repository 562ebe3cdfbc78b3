//! Strategic merge patch: as a merge patch, but lists whose items have a merge key are merged item by
//! item, and directives (`$patch`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`, `$retainKeys`) are obeyed.

use serde_json::{Map, Value};

use super::refused::go_text;
use crate::api::shape::Shape;
use crate::api::status::ApiError;

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const REMOVE: &str = "$deleteFromPrimitiveList/";

pub(super) fn merge(shape: Shape<'_>, target: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return Ok(());
    };
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => {
            let mut new = patch.clone();
            new.remove(DIRECTIVE);
            *target = Value::Object(new);
            return Ok(());
        }
        Some("delete") => {
            *target = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(ApiError::bad_request(format!("unrecognized type of patch directive: {other}"))),
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(map) = target.as_object_mut() else { return Ok(()) };
    if let Some(retained) = patch.get(RETAIN).and_then(Value::as_array) {
        map.retain(|key, _| retained.iter().any(|one| one == key));
    }
    for (key, removed) in patch.iter().filter_map(|(key, value)| Some((key.strip_prefix(REMOVE)?, value))) {
        if let Some(list) = map.get_mut(key).and_then(Value::as_array_mut) {
            list.retain(|item| !removed.as_array().is_some_and(|removed| removed.contains(item)));
        }
    }
    for (key, value) in patch {
        if key == DIRECTIVE || key == RETAIN || key.starts_with(ORDER) || key.starts_with(REMOVE) {
            continue;
        }
        let field = shape.child(key);
        match value {
            Value::Null => {
                map.remove(key);
            }
            Value::Object(inner) if !field.strategies().contains(&"replace") => {
                if inner.get(DIRECTIVE).and_then(Value::as_str) == Some("delete") {
                    map.remove(key);
                    continue;
                }
                merge(field, map.entry(key.clone()).or_insert(Value::Null), value)?;
            }
            Value::Array(items) if field.strategies().contains(&"merge") => {
                let list = map.entry(key.clone()).or_insert_with(|| Value::Array(Vec::new()));
                let mut merged = list.as_array().cloned().unwrap_or_default();
                let before = merged.clone();
                merge_list(field, &mut merged, items)?;
                if let Some(order) = patch.get(&format!("{ORDER}{key}")).and_then(Value::as_array) {
                    merged = ordered(field.patch_key(), merged, order, &before);
                }
                *list = Value::Array(merged);
            }
            other => {
                map.insert(key.clone(), other.clone());
            }
        }
    }
    // An order may come without any change to the list itself.
    for (key, order) in patch.iter().filter_map(|(key, value)| Some((key.strip_prefix(ORDER)?, value))) {
        if patch.contains_key(key) {
            continue;
        }
        let field = shape.child(key);
        if let (Some(list), Some(order)) = (map.get_mut(key).and_then(Value::as_array_mut), order.as_array()) {
            let before = list.clone();
            *list = ordered(field.patch_key(), std::mem::take(list), order, &before);
        }
    }
    Ok(())
}

fn merge_list(field: Shape<'_>, list: &mut Vec<Value>, items: &[Value]) -> Result<(), ApiError> {
    let Some(key) = field.patch_key() else {
        // Without a key the items are texts and numbers, each there once.
        for item in items {
            if !list.contains(item) {
                list.push(item.clone());
            }
        }
        return Ok(());
    };
    if items.iter().any(|item| item.get(DIRECTIVE).and_then(Value::as_str) == Some("replace")) {
        *list = items.iter().filter(|item| item.get(DIRECTIVE).is_none()).cloned().collect();
        return Ok(());
    }
    for item in items {
        let Some(wanted) = item.get(key) else {
            return Err(ApiError::plain(format!("map: {} does not contain declared merge key: {key}", go_text(item))));
        };
        let at = list.iter().position(|one| one.get(key) == Some(wanted));
        let delete = item.get(DIRECTIVE).and_then(Value::as_str) == Some("delete");
        match (at, delete) {
            (Some(at), true) => {
                list.remove(at);
            }
            (None, true) => {}
            (Some(at), false) => merge(field.item(), &mut list[at], item)?,
            (None, false) => {
                let mut new = Value::Object(Map::new());
                merge(field.item(), &mut new, item)?;
                list.push(new);
            }
        }
    }
    Ok(())
}

/// Items that the patch orders stand in its order; the others keep their place among what was before.
fn ordered(key: Option<&str>, items: Vec<Value>, order: &[Value], before: &[Value]) -> Vec<Value> {
    let identity = |item: &Value| key.map_or_else(|| item.clone(), |key| item.get(key).cloned().unwrap_or(Value::Null));
    let rank = |item: &Value| order.iter().position(|one| identity(one) == identity(item));
    let old_rank = |item: &Value| before.iter().position(|one| identity(one) == identity(item));
    let (mut named, others): (Vec<Value>, Vec<Value>) = items.into_iter().partition(|item| rank(item).is_some());
    named.sort_by_key(|item| rank(item));
    let mut result = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let (Some(one), Some(other)) = (named.peek(), others.peek()) {
        let other_first = match (old_rank(one), old_rank(other)) {
            (Some(one), Some(other)) => other < one,
            _ => false,
        };
        result.extend(if other_first { others.next() } else { named.next() });
    }
    result.extend(named);
    result.extend(others);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::registry::Registry;
    use serde_json::json;

    #[track_caller]
    fn patched(plural: &str, object: Value, patch: &Value) -> Value {
        let served = Registry::default().served();
        let group = if plural == "deployments" { "apps" } else { "" };
        let resource = served.find(group, "v1", plural).expect("a built-in kind");
        let mut object = object;
        merge(Shape::of(&resource), &mut object, patch).expect("the patch applies");
        object
    }

    #[test]
    fn containers_are_merged_by_name() {
        let object = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "b:1"}]}}}});
        let patch = json!({"spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
            "containers": [{"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}]}, {"name": "c", "image": "c:1"},
                           {"name": "b", "$patch": "delete"}]}}}});
        assert_eq!(
            patched("deployments", object, &patch),
            json!({"spec": {"template": {"spec": {"containers": [
                {"name": "c", "image": "c:1"},
                {"name": "a", "image": "a:2", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]}}}})
        );
    }

    #[test]
    fn lists_without_a_key_are_replaced_and_null_removes() {
        let object = json!({"metadata": {"labels": {"a": "1", "b": "2"}, "finalizers": ["x"]},
            "spec": {"containers": [{"name": "a", "args": ["1", "2"]}]}});
        let patch = json!({"metadata": {"labels": {"a": null}, "finalizers": ["y"]},
            "spec": {"containers": [{"name": "a", "args": ["3"]}]}});
        assert_eq!(
            patched("pods", object, &patch),
            json!({"metadata": {"labels": {"b": "2"}, "finalizers": ["x", "y"]},
                   "spec": {"containers": [{"name": "a", "args": ["3"]}]}})
        );
    }
}
