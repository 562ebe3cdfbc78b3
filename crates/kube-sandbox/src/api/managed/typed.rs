//! Whether a configuration to apply is of its kind's types, in the words of the library that merges it.

use serde_json::Value;

use crate::crd;
use crate::object::meta;
use crate::resource::Resource;
use crate::status::ApiError;
use kube_etcd_codec::{Field, Message, Shape, Type};

pub fn check(resource: &Resource, namespace: Option<&str>, configuration: &Value) -> Result<(), ApiError> {
    let mut errors = Vec::new();
    if let Some(custom) = &resource.custom {
        let unknown = crd::schema::prune(&custom.schema, &mut configuration.clone());
        errors.extend(unknown.iter().map(|field| format!(".{field}: field not declared in schema")));
    } else if let Some(message) = kube_etcd_codec::message_of(&resource.api_version(), &resource.kind) {
        walk(message, configuration, "", &mut errors);
    }
    let said = match &errors[..] {
        [] => return Ok(()),
        [one] => one.clone(),
        several => format!("errors:\n{}", several.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n")),
    };
    let place = namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
    let group = format!("{}/{}", resource.group, resource.version);
    let (name, kind) = (meta::name(configuration), &resource.kind);
    Err(ApiError::plain(format!("failed to create typed patch object ({place}{name}; {group}, Kind={kind}): {said}")))
}

fn walk(message: &'static Message, value: &Value, path: &str, errors: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let here = format!("{path}.{name}");
        let Some(field) = message.field(name) else {
            if !(message.is_kind && matches!(name.as_str(), "apiVersion" | "kind")) {
                errors.push(format!("{here}: field not declared in schema"));
            }
            continue;
        };
        match (field.shape, value) {
            (_, Value::Null) => {}
            (Shape::One, value) => one(field, value, &here, errors),
            (Shape::Map, Value::Object(entries)) => {
                entries.iter().for_each(|(key, value)| one(field, value, &format!("{here}.{key}"), errors));
            }
            (Shape::Map, value) => errors.push(format!("{here}: expected map, got {}", go_value(value))),
            (Shape::List, Value::Array(items)) => list(field, items, &here, errors),
            (Shape::List, value) => errors.push(format!("{here}: expected list, got {}", go_value(value))),
        }
    }
}

fn list(field: &Field, items: &[Value], path: &str, errors: &mut Vec<String>) {
    let mut seen: Vec<String> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let Some(key) = key_of(field, item) else {
            one(field, item, &format!("{path}[{at}]"), errors);
            continue;
        };
        if seen.contains(&key) {
            errors.push(format!("{path}: duplicate entries for key {key}"));
        }
        one(field, item, &format!("{path}{key}"), errors);
        seen.push(key);
    }
}

/// `[containerPort=80,protocol="TCP"]`.
fn key_of(field: &Field, item: &Value) -> Option<String> {
    if field.list != Some("map") || field.list_keys.is_empty() {
        return None;
    }
    let parts = field.list_keys.iter().map(|key| {
        let default = || field.message()?.field(key)?.default.map(str::to_owned);
        item.get(*key).map(ToString::to_string).or_else(default).map(|value| format!("{key}={value}"))
    });
    parts.collect::<Option<Vec<_>>>().map(|parts| format!("[{}]", parts.join(",")))
}

fn one(field: &Field, value: &Value, path: &str, errors: &mut Vec<String>) {
    if let (Some(message), true) = (field.message(), value.is_object()) {
        return walk(message, value, path, errors);
    }
    let wanted = match field.kind {
        Type::String if !value.is_string() => "string",
        Type::Bool if !value.is_boolean() => "boolean",
        Type::Int32 | Type::Int64 if !value.is_i64() => "numeric (int or float)",
        Type::Message(_) if !value.is_null() && !value.is_object() => "map",
        _ => return,
    };
    errors.push(format!("{path}: expected {wanted}, got {}", go_value(value)));
}

fn go_value(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("&value.valueUnstructured{{Value:{}}}", if value.is_string() { format!("{text:?}") } else { text })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn wrong(object: &Value) -> Vec<String> {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let mut errors = Vec::new();
        walk(kube_etcd_codec::message_of(text("apiVersion"), text("kind")).expect("a kind"), object, "", &mut errors);
        errors
    }

    #[test]
    fn types_fields_and_keys_are_checked() {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": 1}, "nosuch": "x"});
        assert_eq!(
            wrong(&map),
            [
                ".data.a: expected string, got &value.valueUnstructured{Value:1}",
                ".nosuch: field not declared in schema",
            ]
        );
        let ports = json!([{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]);
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "ports": ports}]}});
        assert_eq!(
            wrong(&pod),
            [".spec.containers[name=\"a\"].ports: duplicate entries for key [containerPort=80,protocol=\"TCP\"]"]
        );
    }
}
