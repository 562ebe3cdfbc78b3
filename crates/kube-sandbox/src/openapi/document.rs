//! The document of one group version: its paths, by which clients find a kind and learn which
//! parameters it takes, and the schemas that they refer to.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::definitions::{KINDS, PREFIX};
use super::{custom, definitions, paths, plain};
use crate::resource::Resource;
use crate::version::KUBERNETES_VERSION;

/// Every group has these; a document names those of its own only.
const SHARED: [&str; 2] =
    ["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent"];

/// The paths of the resources of a group version, and its own.
pub(super) fn build(resources: &[&Arc<Resource>]) -> Value {
    let mut all = Map::new();
    let mut schemas = Map::new();
    for resource in resources {
        paths::add(resource, &mut all);
        if resource.custom.is_some() {
            schemas.extend(custom::schemas(resource));
        }
    }
    let custom = resources.first().is_none_or(|first| first.custom.is_some());
    if let Some(first) = resources.first().filter(|_| !custom) {
        all.extend([plain::of_group_version(&first.group, &first.version)]);
    }
    whole(all, schemas, resources.first().filter(|_| !custom).map(|first| (&*first.group, &*first.version)))
}

/// A document of these paths, with all that they and the schemas refer to. `own` is the group version that the kinds
/// of options are named of; of none, all are.
pub(super) fn whole(paths: Map<String, Value>, mut schemas: Map<String, Value>, own: Option<(&str, &str)>) -> Value {
    let mut wanted = Vec::new();
    paths.values().chain(schemas.values()).for_each(|value| references(value, &mut wanted));
    while let Some(name) = wanted.pop() {
        if schemas.contains_key(&name) {
            continue;
        }
        let mut schema = definitions::component(&name).unwrap_or_else(|| json!({"type": "object"}));
        if let (true, Some((group, version))) = (SHARED.contains(&&*name), own) {
            let named = schema[KINDS].as_array_mut().map(std::mem::take).unwrap_or_default();
            let is_own = |kind: &Value| {
                kind["version"] == "v1" && kind["group"] == "" || kind["group"] == *group && kind["version"] == *version
            };
            schema[KINDS] = named.into_iter().filter(is_own).collect();
        }
        references(&schema, &mut wanted);
        schemas.insert(name, schema);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": KUBERNETES_VERSION},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"BearerToken": bearer()}},
    })
}

/// How clients say who they are, in both versions.
pub(super) fn bearer() -> Value {
    json!({"type": "apiKey", "description": "Bearer Token authentication", "name": "authorization", "in": "header"})
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match value.as_str().and_then(|text| text.strip_prefix(PREFIX)) {
                    Some(to) if name == "$ref" => found.push(to.to_owned()),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}
