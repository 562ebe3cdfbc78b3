//! Strategic merge patch: as a merge patch, but lists whose items have a merge key are merged item by
//! item, and directives (`$patch`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`, `$retainKeys`) are obeyed.

mod lists;

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::refused::go_text;
use crate::resource::shape::Shape;
use crate::status::ApiError;

pub(super) const DIRECTIVE: &str = "$patch";
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
        Some(other) => {
            let shown = go_text(&Value::Object(patch.clone()));
            return Err(ApiError::plain(format!("unknown patch type: {other} in map: {shown}")));
        }
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
            let removed: HashSet<String> = removed.as_array().into_iter().flatten().map(ToString::to_string).collect();
            list.retain(|item| !removed.contains(&item.to_string()));
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
                let order = patch.get(&format!("{ORDER}{key}")).and_then(Value::as_array);
                // Into a list that is not there the patch's own goes as it is.
                let list = map.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
                let merged = lists::merged(field, list, items, order.map(Vec::as_slice))?;
                map.insert(key.clone(), Value::Array(merged));
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
            *list = lists::ordered(field.patch_key(), std::mem::take(list), order);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::registry::Registry;
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
                {"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]}]}}}})
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
            json!({"metadata": {"labels": {"b": "2"}, "finalizers": ["y", "x"]},
                   "spec": {"containers": [{"name": "a", "args": ["3"]}]}})
        );
    }

    #[test]
    fn what_the_patch_adds_stands_first_in_the_patchs_own_order() {
        let object = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}});
        let names = |patch: Value| {
            let patched = patched("pods", object.clone(), &json!({"spec": {"containers": patch}}));
            let list = patched["spec"]["containers"].as_array().cloned().expect("a list");
            list.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(json!([{"name": "x"}])), "x a b c");
        assert_eq!(names(json!([{"name": "y"}, {"name": "x"}])), "y x a b c");
        // Those that are there already keep their place among the rest, and the patch's order among themselves.
        assert_eq!(names(json!([{"name": "b", "image": "i"}, {"name": "x"}])), "a b x c");
        assert_eq!(names(json!([{"name": "x"}, {"name": "b"}])), "x a b c");
        assert_eq!(names(json!([{"name": "c"}, {"name": "a"}])), "b c a");
        let finalizers = json!({"metadata": {"finalizers": ["x"]}});
        let merged = patched("pods", finalizers, &json!({"metadata": {"finalizers": ["y", "x", "z"]}}));
        assert_eq!(merged["metadata"]["finalizers"], json!(["y", "x", "z"]));
    }

    #[test]
    fn a_long_list_is_merged_in_little_time() {
        let many = |from: usize| (from..from + 50_000).map(|at| json!({"name": format!("c{at}")})).collect::<Vec<_>>();
        let patch = json!({"spec": {"containers": many(25_000), "$setElementOrder/containers": many(0)}});
        let merged = patched("pods", json!({"spec": {"containers": many(0)}}), &patch);
        assert_eq!(merged["spec"]["containers"].as_array().map(Vec::len), Some(75_000));
    }
}
