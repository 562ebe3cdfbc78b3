//! Between the version that is stored and the one that is asked for: a new `apiVersion` for most, renamed
//! fields for the few kinds whose versions differ.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::resource::Resource;
use crate::resource::custom::CustomVersion;
use crate::{crd, defaults};
use kube_etcd_codec::names;

pub fn from_stored(resource: &Resource, mut object: Value) -> Value {
    if let Some(custom) = &resource.custom {
        as_own_version(custom, &mut object);
        return as_other_version(custom, &resource.api_version(), object);
    }
    defaults::on_read(&mut object);
    if object.get("apiVersion").and_then(Value::as_str) == Some(&resource.api_version()) {
        return object;
    }
    match (resource.name(), resource.version.as_str()) {
        (names::NEW_EVENTS, _) => rename(&mut object, EVENT_NAMES),
        (names::AUTOSCALERS, "v1") => autoscaler_to_v1(&mut object),
        (names::DEFINITIONS, _) => crd::convert::to_v1(&mut object),
        _ => {}
    }
    object["apiVersion"] = json!(resource.api_version());
    object
}

pub fn to_stored(resource: &Resource, mut object: Value) -> Value {
    let stored = resource.stored_api_version();
    if let Some(custom) = &resource.custom {
        return as_other_version(custom, &stored, object);
    }
    if object.get("apiVersion").and_then(Value::as_str) == Some(&stored) {
        return object;
    }
    match (resource.name(), resource.version.as_str()) {
        (names::NEW_EVENTS, _) => {
            let back: Vec<(&str, &str)> = EVENT_NAMES.iter().map(|(stored, shown)| (*shown, *stored)).collect();
            rename(&mut object, &back);
        }
        (names::AUTOSCALERS, "v1") => autoscaler_to_v2(&mut object),
        (names::DEFINITIONS, _) => crd::convert::to_v1beta1(&mut object),
        _ => {}
    }
    object["apiVersion"] = json!(stored);
    object
}

/// A custom resource as its own version knows it: what was stored may be older than the schema.
pub(super) fn as_own_version(custom: &CustomVersion, object: &mut Value) {
    let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let schema = Arc::clone(custom.schema_of(version));
    crd::schema::prune(&schema, object);
    crd::schema::default_fields(&schema, object);
}

/// A custom resource in another version, where nothing but the version's name differs.
fn as_other_version(custom: &CustomVersion, version: &str, mut object: Value) -> Value {
    if object.get("apiVersion").and_then(Value::as_str) != Some(version) {
        object["apiVersion"] = json!(version);
        pruned(custom, version, &mut object);
    }
    object
}

/// Leaves out what this version does not know.
pub(super) fn pruned(custom: &CustomVersion, version: &str, object: &mut Value) {
    crd::schema::prune(custom.schema_of(version), object);
}

/// The core group's Event and events.k8s.io's.
const EVENT_NAMES: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

fn rename(object: &mut Value, fields: &[(&str, &str)]) {
    let Some(map) = object.as_object_mut() else { return };
    for (from, to) in fields {
        if let Some(value) = map.remove(*from) {
            map.insert((*to).to_owned(), value);
        }
    }
}

fn autoscaler_to_v1(object: &mut Value) {
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let metrics = spec.remove("metrics");
        let cpu = metrics.as_ref().and_then(Value::as_array).into_iter().flatten().find_map(|metric| {
            let resource = metric.get("resource")?;
            (resource.get("name")? == "cpu").then(|| resource.pointer("/target/averageUtilization").cloned())?
        });
        if let Some(cpu) = cpu {
            spec.insert("targetCPUUtilizationPercentage".into(), cpu);
        }
        spec.remove("behavior");
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("currentMetrics");
        status.remove("conditions");
    }
}

fn autoscaler_to_v2(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let Some(cpu) = spec.remove("targetCPUUtilizationPercentage") else { return };
    let mut target = Map::new();
    target.insert("type".into(), json!("Utilization"));
    target.insert("averageUtilization".into(), cpu);
    spec.insert("metrics".into(), json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_autoscaler_keeps_its_cpu_target_in_both_versions() {
        let mut object = json!({"spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 80}});
        let before = object.clone();
        autoscaler_to_v2(&mut object);
        assert_eq!(object.pointer("/spec/metrics/0/resource/target/averageUtilization"), Some(&json!(80)));
        autoscaler_to_v1(&mut object);
        assert_eq!(object, before);
    }
}
