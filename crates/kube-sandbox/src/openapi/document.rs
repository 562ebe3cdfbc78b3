//! The document of one group version: its paths, by which clients find a kind and learn which
//! parameters it takes, and its schemas.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::components::{Components, metadata, refer, type_fields};
use super::extensions;
use crate::resource::Resource;
use crate::version::KUBERNETES_VERSION;

const STRATEGIC: &str = "application/strategic-merge-patch+json";

pub(super) fn build(resources: &[&Arc<Resource>]) -> Value {
    let (mut paths, mut components) = (Map::new(), Components::default());
    for resource in resources {
        let component = schema_of(resource, &mut components);
        let own = json!({"group": resource.group, "kind": resource.kind, "version": resource.version});
        if let Some(schema) = components.0.get_mut(&component) {
            schema["x-kubernetes-group-version-kind"] = json!([own]);
        }
        add_paths(resource, &own, &component, &mut paths);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": KUBERNETES_VERSION},
        "paths": paths,
        "components": {"schemas": components.0},
    })
}

/// Adds the schema of a kind, and says its name.
fn schema_of(resource: &Resource, components: &mut Components) -> String {
    if let Some(custom) = &resource.custom {
        let reversed: Vec<&str> = resource.group.split('.').rev().collect();
        let name = format!("{}.{}.{}", reversed.join("."), resource.version, resource.kind);
        let schema = whole((*custom.schema).clone(), components);
        components.0.insert(name.clone(), schema);
        return name;
    }
    if let Some(message) = kube_etcd_codec::message_of(&resource.api_version(), &resource.kind) {
        return components.add(message);
    }
    let (name, schema) = extensions::schema_of(&resource.kind);
    let schema = whole(schema, components);
    components.0.insert(name.clone(), schema);
    name
}

/// A definition's schema says nothing of what every object has.
fn whole(mut schema: Value, components: &mut Components) -> Value {
    if !schema.is_object() {
        schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    }
    let metadata = metadata(components);
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    schema["properties"]["metadata"] = metadata;
    for (name, text) in type_fields() {
        schema["properties"][name] = text;
    }
    schema
}

fn add_paths(resource: &Resource, kind: &Value, component: &str, paths: &mut Map<String, Value>) {
    let root = kube_etcd_codec::api_root(&resource.group, &resource.version);
    let list = if resource.namespaced {
        format!("{root}/namespaces/{{namespace}}/{}", resource.plural)
    } else {
        format!("{root}/{}", resource.plural)
    };
    let mut many = json!({"parameters": parameters(&list)});
    let mut one = json!({"parameters": parameters(&format!("{list}/{{name}}"))});
    for verb in &resource.verbs {
        let (path, method, action) = match verb.as_str() {
            "list" => (&mut many, "get", "list"),
            "create" => (&mut many, "post", "post"),
            "deletecollection" => (&mut many, "delete", "deletecollection"),
            "get" => (&mut one, "get", "get"),
            "update" => (&mut one, "put", "put"),
            "patch" => (&mut one, "patch", "patch"),
            "delete" => (&mut one, "delete", "delete"),
            _ => continue,
        };
        path[method] = operation(resource, kind, component, action);
    }
    if resource.namespaced && resource.verbs.iter().any(|verb| verb == "list") {
        let mut all = json!({"get": operation(resource, kind, component, "list")});
        all["parameters"] = parameters("");
        paths.insert(format!("{root}/{}", resource.plural), all);
    }
    if one.as_object().is_some_and(|one| one.len() > 1) {
        paths.insert(format!("{list}/{{name}}"), one);
    }
    paths.insert(list, many);
}

fn operation(resource: &Resource, kind: &Value, component: &str, action: &str) -> Value {
    let query = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let names: &[&str] = match action {
        "post" | "put" => &["dryRun", "fieldManager", "fieldValidation"],
        "patch" => &["dryRun", "fieldManager", "fieldValidation", "force"],
        "delete" => &["dryRun", "gracePeriodSeconds", "propagationPolicy"],
        "list" | "deletecollection" => {
            &["continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "watch"]
        }
        _ => &[],
    };
    let scope = if resource.namespaced { "Namespaced" } else { "" };
    let group: String = resource.group.split('.').next().map(capital).unwrap_or_default();
    let group = if group.is_empty() { "Core".to_owned() } else { group };
    let operation = format!("{action}{group}{}{scope}{}", capital(&resource.version), resource.kind);
    let media = json!({"application/json": {"schema": refer(component)["allOf"][0]}});
    let mut answer = json!({
        "operationId": operation,
        "parameters": names.iter().map(|name| query(name)).collect::<Vec<_>>(),
        "responses": {"200": {"description": "OK", "content": media}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind,
    });
    if ["post", "put"].contains(&action) {
        answer["requestBody"] = json!({"content": media, "required": true});
    }
    if action == "patch" {
        answer["requestBody"] = json!({"content": patches(resource), "required": true});
    }
    answer
}

/// `kubectl apply` sends a strategic merge patch wherever one is named here; no custom kind takes any.
fn patches(resource: &Resource) -> Value {
    let kinds =
        ["application/json-patch+json", "application/merge-patch+json", STRATEGIC, "application/apply-patch+yaml"];
    let taken = kinds.into_iter().filter(|kind| resource.custom.is_none() || *kind != STRATEGIC);
    taken.map(|kind| (kind.to_owned(), json!({"schema": {"type": "object"}}))).collect::<Map<_, _>>().into()
}

fn parameters(path: &str) -> Value {
    let names = ["namespace", "name"].into_iter().filter(|name| path.contains(&format!("{{{name}}}")));
    names.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})).collect()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
