//! Fields that the schema does not know.

use serde_json::Value;

use kube_etcd_codec::{Field, Message, Shape, Storage, Type};

/// Paths of the fields that the schema of the object's own version does not know; they are dropped.
pub(crate) fn unknown_fields(_kind: &str, object: &mut Value) -> Vec<String> {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(message) = kube_etcd_codec::message_of(&text("apiVersion"), &text("kind")) else { return Vec::new() };
    let mut unknown = Vec::new();
    walk(message, object, "", &mut unknown);
    unknown
}

fn walk(message: &'static Message, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    let Some(map) = value.as_object_mut() else { return };
    let mut strange = Vec::new();
    for (name, value) in map.iter_mut() {
        // Objects inside another, such as claim templates, say their type too.
        if (path.is_empty() || message.is_kind) && matches!(name.as_str(), "apiVersion" | "kind") {
            continue;
        }
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let Some(field) = message.field(name) else {
            strange.push(name.clone());
            unknown.push(here);
            continue;
        };
        let Some(inner) = field.message() else { continue };
        match (field.shape, value) {
            (Shape::List, Value::Array(items)) => {
                for (at, item) in items.iter_mut().enumerate() {
                    walk(inner, item, &format!("{here}[{at}]"), unknown);
                }
            }
            (Shape::Map, Value::Object(entries)) => {
                for (key, entry) in entries.iter_mut() {
                    walk(inner, entry, &format!("{here}.{key}"), unknown);
                }
            }
            (Shape::One, value) => walk(inner, value, &here, unknown),
            _ => {}
        }
    }
    map.retain(|name, _| !strange.contains(name));
}

/// Makes of an object what Go's structs hold of it: no empty lists, maps and texts, zeros and `false` where nothing tells
/// them from what is not there, quantities as texts, and the empty value in place of null in a list or a map. What is
/// stored is the same.
pub(crate) fn as_go_holds_it(object: &mut Value) {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    if let Some(message) = kube_etcd_codec::message_of(text("apiVersion"), text("kind")) {
        without_zeros(message, object);
    }
}

/// The other way about: with what Go prints of a struct though nobody said it. What is stored is the same.
pub(crate) fn as_go_prints_it(object: &mut Value) {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    if let Some(message) = kube_etcd_codec::message_of(text("apiVersion"), text("kind"))
        && let Some(map) = object.as_object_mut()
    {
        kube_etcd_codec::complete(message, map);
    }
}

/// As it is read again: of an empty list or map nothing is stored in protobuf, and Go prints null where a field is there
/// all the same.
pub(crate) fn as_go_reads_it(object: &mut Value) {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if kube_etcd_codec::kind_by_api_version(version, kind).is_some_and(|row| row.storage != Storage::Json)
        && let Some(message) = kube_etcd_codec::message_of(version, kind)
    {
        without_empty(message, object);
    }
}

fn without_empty(message: &'static Message, value: &mut Value) {
    for (name, value) in value.as_object_mut().into_iter().flatten() {
        let Some(field) = message.field(name) else { continue };
        let inner = |value: &mut Value| {
            if let Some(inner) = field.message() {
                without_empty(inner, value);
            }
        };
        match (field.shape, &mut *value) {
            (Shape::List, Value::Array(items)) if items.is_empty() => *value = Value::Null,
            (Shape::Map, Value::Object(entries)) if entries.is_empty() => *value = Value::Null,
            (Shape::List, Value::Array(items)) => items.iter_mut().for_each(inner),
            (Shape::Map, Value::Object(entries)) => entries.values_mut().for_each(inner),
            (_, value) => inner(value),
        }
    }
}

fn without_zeros(message: &'static Message, value: &mut Value) {
    let Some(map) = value.as_object_mut() else { return };
    map.retain(|name, value| {
        // An empty list of managers asks for something.
        let Some(field) = message.field(name).filter(|field| field.name != "managedFields") else { return true };
        match (field.shape, &mut *value) {
            (Shape::List, Value::Array(items)) => items.iter_mut().for_each(|item| held(field, item)),
            (Shape::Map, Value::Object(entries)) => entries.values_mut().for_each(|entry| held(field, entry)),
            (Shape::One, value) if !value.is_null() => held(field, value),
            _ => {}
        }
        let zero = match (field.shape, &*value) {
            (Shape::List, Value::Array(items)) => items.is_empty(),
            (Shape::Map, Value::Object(entries)) => entries.is_empty(),
            (Shape::One, Value::String(text)) => text.is_empty() && field.kind == Type::String,
            (Shape::One, Value::Bool(yes)) => !yes && field.kind == Type::Bool,
            (Shape::One, Value::Number(number)) => {
                number.as_i64() == Some(0) && matches!(field.kind, Type::Int32 | Type::Int64)
            }
            _ => false,
        };
        !zero || !field.omit_empty || field.pointer
    });
}

fn held(field: &'static Field, value: &mut Value) {
    if value.is_null() {
        *value = match field.kind {
            Type::String => Value::from(""),
            Type::Quantity => Value::from("0"),
            Type::Int32 | Type::Int64 => Value::from(0),
            Type::Bool => Value::from(false),
            Type::Message(_) => Value::Object(serde_json::Map::new()),
            _ => return,
        };
    }
    if let Some(inner) = field.message() {
        return without_zeros(inner, value);
    }
    if field.kind == Type::Quantity
        && let Value::Number(number) = value
    {
        let text = number.to_string();
        *value = kube_etcd_codec::canonical(&text).unwrap_or(text).into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claim_templates_are_whole_objects_and_pod_templates_are_not() {
        let typed = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "d"}, "bogus": 1});
        let mut set = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "spec": {"volumeClaimTemplates": [typed], "template": {"kind": "Pod", "metadata": {}}},
        });
        let mut unknown = unknown_fields("StatefulSet", &mut set);
        unknown.sort();
        assert_eq!(unknown, ["spec.template.kind", "spec.volumeClaimTemplates[0].bogus"]);
        assert_eq!(set["spec"]["volumeClaimTemplates"][0]["kind"], "PersistentVolumeClaim");
        assert_eq!(set["spec"]["template"], json!({"metadata": {}}));
    }

    #[test]
    fn what_go_does_not_write_is_not_there() {
        let mut deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "d", "labels": {}, "finalizers": [], "managedFields": []},
            "spec": {"replicas": 0, "paused": false, "minReadySeconds": 0, "template": {"spec": {
                "hostNetwork": false, "nodeName": "", "nodeSelector": {}, "automountServiceAccountToken": false,
                "containers": [{"name": "", "args": [], "resources": {}, "securityContext": {}}],
                "volumes": [{"name": "v", "emptyDir": {"medium": ""}}],
            }}},
        });
        as_go_holds_it(&mut deployment);
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"a": null}}, "spec": {
            "nodeSelector": null, "hostAliases": [{"ip": "::1", "hostnames": [null]}], "tolerations": [null],
            "containers": [{"name": "c", "resources": {"limits": {"cpu": 2, "memory": null}}}],
        }});
        as_go_holds_it(&mut pod);
        assert_eq!(pod["metadata"]["labels"], json!({"a": ""}));
        assert_eq!(pod["spec"]["hostAliases"][0]["hostnames"], json!([""]));
        assert_eq!(pod["spec"]["tolerations"], json!([{}]));
        assert_eq!(pod["spec"]["containers"][0]["resources"]["limits"], json!({"cpu": "2", "memory": "0"}));
        assert_eq!(deployment["metadata"], json!({"name": "d", "managedFields": []}));
        assert_eq!(deployment["spec"]["replicas"], 0);
        assert!(deployment["spec"].get("paused").is_none() && deployment["spec"].get("minReadySeconds").is_none());
        assert_eq!(
            deployment["spec"]["template"]["spec"],
            json!({
                "automountServiceAccountToken": false,
                "containers": [{"name": "", "resources": {}, "securityContext": {}}],
                "volumes": [{"name": "v", "emptyDir": {}}],
            })
        );
    }
}
