//! Volumes, claims, and their classes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::errors::Errors;
use super::{internal, template};
use crate::object::{copy_field, list, names, text};
use kube_etcd_codec::quantity;

/// All else in a volume's spec is the place where its data lie.
const NO_SOURCE: [&str; 10] = [
    "capacity",
    "accessModes",
    "claimRef",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "mountOptions",
    "volumeMode",
    "nodeAffinity",
    "volumeAttributesClassName",
    "status",
];

pub(super) fn volume(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    template::claim::modes(spec, "", "spec", errors);
    let capacity = spec.get("capacity").and_then(Value::as_object);
    if capacity.is_none_or(Map::is_empty) {
        errors.required("spec.capacity", "");
    }
    if capacity.is_none_or(|given| !given.contains_key("storage") || given.len() > 1) {
        errors.unsupported("spec.capacity", &spec["capacity"], &["storage"]);
    }
    for (name, amount) in capacity.into_iter().flatten() {
        template::claim::positive(amount, &format!("spec.capacity[{name}]"), errors);
    }
    let policies = ["Delete", "Recycle", "Retain"];
    errors.one_of("spec.persistentVolumeReclaimPolicy", &spec["persistentVolumeReclaimPolicy"], &policies);
    let required = spec.pointer("/nodeAffinity/required").filter(|one| one.is_object());
    match (spec.get("nodeAffinity").filter(|one| one.is_object()), required) {
        (Some(_), Some(required)) => template::node_selector(required, "spec.nodeAffinity.required", errors),
        (Some(_), None) => errors.required("spec.nodeAffinity.required", "must specify required node constraints"),
        (None, _) => {}
    }
    let sources: Vec<&String> =
        spec.as_object().into_iter().flat_map(Map::keys).filter(|key| !NO_SOURCE.contains(&key.as_str())).collect();
    match sources[..] {
        [] => errors.required("spec", "must specify a volume type"),
        [one] => source(one, &spec[one], required.is_some(), errors),
        [first, second, ..] => {
            // Paths of the node are looked for before anything else.
            let (first, second) = if second == "hostPath" { (second, first) } else { (first, second) };
            source(first, &spec[first], required.is_some(), errors);
            errors.forbidden(format!("spec.{second}"), "may not specify more than 1 volume type");
        }
    }
    template::claim::class_name(spec, "spec", errors);
    errors.one_of("spec.volumeMode", &spec["volumeMode"], &["Block", "Filesystem"]);
    if let (Some(old), [source]) = (old, &sources[..])
        && old["spec"].get(source.as_str()) != spec.get(source.as_str())
    {
        let field = "spec.persistentvolumesource";
        let shown = internal::difference("PersistentVolumeSource", &old["spec"], spec);
        errors.forbidden(field, &format!("{field} is immutable after creation\n{shown}"));
    }
}

fn source(kind: &str, source: &Value, has_node: bool, errors: &mut Errors) {
    let here = format!("spec.{kind}");
    match kind {
        "hostPath" => template::host_path(source, &here, errors),
        "local" => {
            if text(source, "path").is_empty() {
                errors.required("spec.local.path", "");
            }
            if !has_node {
                errors.required("spec.nodeAffinity", "Local volume requires node affinity");
            }
        }
        "nfs" => template::nfs(source, &here, errors),
        "csi" => {
            for part in ["driver", "volumeHandle"] {
                if text(source, part).is_empty() {
                    errors.required(format!("spec.csi.{part}"), "");
                }
            }
        }
        _ => {}
    }
}

pub(super) fn claim(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    template::claim::claim_spec(spec, "spec", errors);
    let Some(old) = old else { return };
    let bound = object.pointer("/status/phase").is_some_and(|phase| phase == "Bound");
    let mut allowed = old["spec"].clone();
    let mut may_change = |pointer: &str, allows: bool| {
        if allows {
            copy_field(spec, &mut allowed, pointer);
        }
    };
    may_change("volumeName", text(&old["spec"], "volumeName").is_empty());
    // A class may still come to a claim that has none.
    may_change("storageClassName", !old["spec"]["storageClassName"].is_string());
    may_change("volumeAttributesClassName", bound);
    may_change("resources", bound);
    if allowed != *spec {
        let why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n";
        errors
            .forbidden("spec", &format!("{why}{}", internal::difference("PersistentVolumeClaimSpec", &allowed, spec)));
    }
    let size = |object: &Value, pointer: &str| object.pointer(pointer).and_then(quantity);
    let (before, after) = ("/spec/resources/requests/storage", size(object, "/spec/resources/requests/storage"));
    if after < size(old, before) && after <= Some(size(old, "/status/capacity/storage").unwrap_or(0.0)) {
        errors.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity");
    }
    errors.unchanged("volumeMode", "/spec/volumeMode", old, object);
}

pub(super) fn class(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let provisioner = text(object, "provisioner");
    if provisioner.is_empty() {
        errors.required("provisioner", "");
    } else {
        let lower = provisioner.to_lowercase();
        errors.all_invalid("provisioner", &lower, names::qualified_name(&lower));
    }
    if object["parameters"].get("").is_some() {
        errors.invalid("parameters", &json!(""), "field can not be empty.");
    }
    if !text(object, "reclaimPolicy").is_empty() {
        errors.one_of("reclaimPolicy", &object["reclaimPolicy"], &["Delete", "Retain"]);
    }
    errors.one_of("volumeBindingMode", &object["volumeBindingMode"], &["Immediate", "WaitForFirstConsumer"]);
    topologies(list(object, "allowedTopologies"), errors);
    let Some(old) = old else { return };
    for part in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        errors.unchanged(part, &format!("/{part}"), old, object);
    }
}

/// Where volumes of a class may be. The real server compares each term with as many empty ones as there are terms.
fn topologies(terms: &[Value], errors: &mut Errors) {
    let mut before: Vec<BTreeMap<&str, BTreeSet<&str>>> = vec![BTreeMap::new(); terms.len()];
    for (at, term) in terms.iter().enumerate() {
        let field = format!("allowedTopologies[{at}].matchLabelExpressions");
        let mut keys = BTreeMap::new();
        for (at, one) in list(term, "matchLabelExpressions").iter().enumerate() {
            let (here, key) = (format!("{field}[{at}]"), text(one, "key"));
            let mut values = BTreeSet::new();
            if list(one, "values").is_empty() {
                errors.required(format!("{here}.values"), "");
            }
            for (at, value) in list(one, "values").iter().filter_map(Value::as_str).enumerate() {
                if !values.insert(value) {
                    errors.duplicate(format!("{here}.values[{at}]"), &json!(value));
                }
            }
            errors.all_invalid(&format!("{here}.key"), key, names::qualified_name(key));
            if keys.insert(key, values).is_some() {
                errors.duplicate(format!("{here}.key"), &json!(key));
            }
        }
        for _ in before.iter().filter(|other| **other == keys) {
            errors.duplicate(field.as_str(), &json!(""));
        }
        before.push(keys);
    }
}
