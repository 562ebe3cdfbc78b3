//! One definition to the resources that it has served.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::cel::rules;
use crate::resource::custom::{Conversion, CustomVersion};
use crate::resource::{Resource, ScalePaths};
use kube_etcd_codec::join_group;

/// In the order in which the server of custom resources names them.
const CUSTOM_VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

fn deprecation(definition: &Value, version: &Value) -> Option<String> {
    if version["deprecated"] != true {
        return None;
    }
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let own = version.get("deprecationWarning").and_then(Value::as_str).map(str::to_owned);
    let name = version["name"].as_str().unwrap_or_default();
    Some(own.unwrap_or_else(|| format!("{}/{name} {} is deprecated", text("/spec/group"), text("/spec/names/kind"))))
}

/// The served versions of a definition (as v1 has it); none before its names were accepted.
pub fn resources_of(definition: &Value) -> Vec<Arc<Resource>> {
    let spec = &definition["spec"];
    let names = if definition
        .pointer("/status/acceptedNames/plural")
        .and_then(Value::as_str)
        .is_some_and(|plural| !plural.is_empty())
    {
        &definition["status"]["acceptedNames"]
    } else {
        return Vec::new();
    };
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |value: &Value, field: &str| -> Vec<String> {
        let items = value.get(field).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let versions: Vec<&Value> = spec.get("versions").and_then(Value::as_array).into_iter().flatten().collect();
    let stored = versions.iter().find(|version| version["storage"] == true).map(|version| text(version, "name"));
    let schema_of =
        |version: &Value| Arc::new(version.pointer("/schema/openAPIV3Schema").cloned().unwrap_or(Value::Null));
    let named = |version: &&Value| join_group(&text(spec, "group"), &text(version, "name"));
    let schemas: Arc<BTreeMap<String, Arc<Value>>> =
        Arc::new(versions.iter().map(|version| (named(version), schema_of(version))).collect());
    let conversion = spec.get("conversion").filter(|conversion| conversion["strategy"] == "Webhook");
    let conversion = conversion.map(|conversion| Conversion {
        client: conversion["webhook"]["clientConfig"].clone(),
        review_versions: list(&conversion["webhook"], "conversionReviewVersions"),
    });
    let mut served: Vec<Arc<Resource>> = versions
        .iter()
        .filter(|version| version["served"] == true)
        .map(|version| {
            let scale = version.pointer("/subresources/scale").map(|scale| ScalePaths {
                spec: pointer(&text(scale, "specReplicasPath")),
                status: pointer(&text(scale, "statusReplicasPath")),
                selector: scale.get("labelSelectorPath").and_then(Value::as_str).map(pointer),
            });
            let selectable = version.get("selectableFields").and_then(Value::as_array);
            Arc::new(Resource {
                group: text(spec, "group"),
                version: text(version, "name"),
                stored: stored.clone().unwrap_or_else(|| text(version, "name")),
                kind: text(names, "kind"),
                list_kind: text(names, "listKind"),
                plural: text(names, "plural"),
                singular: text(names, "singular"),
                short_names: list(names, "shortNames"),
                categories: list(names, "categories"),
                namespaced: spec["scope"] == "Namespaced",
                folder: format!("{}/{}", text(spec, "group"), text(names, "plural")),
                verbs: CUSTOM_VERBS.map(str::to_owned).to_vec(),
                status: version.pointer("/subresources/status").is_some(),
                scale,
                builtin: None,
                custom: Some(Arc::new(CustomVersion {
                    terminating: definition.pointer("/metadata/deletionTimestamp").is_some(),
                    deprecated: deprecation(definition, version),
                    schema: schemas.get(&named(version)).cloned().unwrap_or_default(),
                    schemas: Arc::clone(&schemas),
                    conversion: conversion.clone(),
                    has_rules: version.pointer("/schema/openAPIV3Schema").is_some_and(rules::any),
                    rules: OnceLock::new(),
                    columns: version
                        .get("additionalPrinterColumns")
                        .and_then(Value::as_array)
                        .cloned()
                        .unwrap_or_default(),
                    selectable: selectable
                        .into_iter()
                        .flatten()
                        .map(|field| text(field, "jsonPath").trim_start_matches('.').to_owned())
                        .collect(),
                })),
            })
        })
        .collect();
    served.sort_by_key(|one| std::cmp::Reverse(priority(&one.version)));
    served
}

/// `.spec.replicas` as a JSON pointer.
fn pointer(path: &str) -> String {
    path.replace('.', "/")
}

/// Kubernetes' order of versions: stable before beta before alpha, newer before older.
fn priority(version: &str) -> (u8, u32, u32) {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let Some(rest) = version.strip_prefix('v') else { return (0, 0, 0) };
    let major = digits(rest);
    let tail = &rest[major.len()..];
    let Ok(major) = major.parse() else { return (0, 0, 0) };
    match tail {
        "" => (3, major, 0),
        _ if tail.starts_with("beta") => (2, major, tail[4..].parse().unwrap_or(0)),
        _ if tail.starts_with("alpha") => (1, major, tail[5..].parse().unwrap_or(0)),
        _ => (0, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_kubernetes_orders_them() {
        let mut versions = vec!["v1alpha1", "v2", "v1", "v1beta2", "foo", "v10", "v1beta10"];
        versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta10", "v1beta2", "v1alpha1", "foo"]);
    }
}
