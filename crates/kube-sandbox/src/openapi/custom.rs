//! What a definition's schema lacks to be a document's: metadata, a kind, and the list of its objects.

use serde_json::{Value, json};

use super::definitions::{component, refer};
use crate::resource::Resource;

const PARTS: &str = "io.k8s.api.core.v1.ConfigMap";
const METADATA: &str = "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
const LIST_METADATA: &str = "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

/// The names of the component of a custom kind and of its list.
pub(super) fn names(resource: &Resource) -> [String; 2] {
    let reversed: Vec<&str> = resource.group.split('.').rev().collect();
    let name = |kind: &str| format!("{}.{}.{kind}", reversed.join("."), resource.version);
    [name(&resource.kind), name(&resource.list_kind)]
}

pub(super) fn schemas(resource: &Resource) -> [(String, Value); 2] {
    let [one, many] = names(resource);
    let custom = resource.custom.as_ref();
    let mut schema = custom.map(|custom| (*custom.schema).clone()).unwrap_or_default();
    if !schema.is_object() {
        schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    }
    open_numbers(&mut schema);
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    let mut list = json!({
        "description": format!("{} is a list of {}", resource.list_kind, resource.kind),
        "type": "object",
        "required": ["items"],
        "properties": {"items": {
            "type": "array",
            "items": refer(&one),
            "description": format!("List of {}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md", resource.plural),
        }},
    });
    // What every kind has, and what says which it is.
    let parts = component(PARTS).unwrap_or_default();
    let selectable = custom.map(|custom| custom.selectable.iter()).into_iter().flatten();
    let selectable: Vec<Value> = selectable.map(|field| json!({"fieldPath": field})).collect();
    let both = [
        (&mut schema, &resource.kind, "ObjectMeta", METADATA),
        (&mut list, &resource.list_kind, "ListMeta", LIST_METADATA),
    ];
    for (schema, kind, metadata, text) in both {
        for field in ["apiVersion", "kind"] {
            schema["properties"][field] = parts["properties"][field].clone();
        }
        let metadata = refer(&format!("io.k8s.apimachinery.pkg.apis.meta.v1.{metadata}"));
        schema["properties"]["metadata"] = json!({"allOf": [metadata], "description": text});
        schema["x-kubernetes-group-version-kind"] =
            json!([{"group": resource.group, "kind": kind, "version": resource.version}]);
        if !selectable.is_empty() {
            schema["x-kubernetes-selectable-fields"] = json!(selectable);
        }
    }
    [(one, schema), (many, list)]
}

/// What may be a number or a text says so for those who do not know Kubernetes' own word for it.
fn open_numbers(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true))
                && !map.contains_key("anyOf")
                && !map.contains_key("allOf")
            {
                map.insert("anyOf".to_owned(), json!([{"type": "integer"}, {"type": "string"}]));
            }
            for below in ["items", "additionalProperties"] {
                map.get_mut(below).into_iter().for_each(open_numbers);
            }
            map.get_mut("properties")
                .and_then(Value::as_object_mut)
                .into_iter()
                .flatten()
                .for_each(|(_, field)| open_numbers(field));
        }
        Value::Array(items) => items.iter_mut().for_each(open_numbers),
        _ => {}
    }
}
