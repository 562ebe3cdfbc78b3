//! Names, labels, annotations, owners and finalizers, which all kinds have.

use serde_json::{Map, Value};

use super::errors::{Errors, IMMUTABLE};
use crate::object::{list, names, text};

const MOST_ANNOTATIONS: usize = 256 * 1024;

type NameRule = fn(&str) -> Vec<String>;

fn name_rule(kind: &str) -> NameRule {
    match kind {
        "Namespace" | "Service" => names::dns_label,
        "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" | "APIService" | "IPAddress" | "Event" => {
            names::path_segment
        }
        _ => names::dns_subdomain,
    }
}

pub(super) fn create(kind: &str, object: &Value, errors: &mut Errors) {
    let metadata = &object["metadata"];
    let rule = name_rule(kind);
    let name = text(metadata, "name");
    let generate = text(metadata, "generateName");
    if !generate.is_empty() {
        // What is drawn is added at the end, so a dash or a dot there is no mistake.
        let wrong = rule(&generate.replace(['-', '.'], "a"));
        errors.all_invalid("metadata.generateName", generate, wrong);
    }
    if name.is_empty() {
        if generate.is_empty() {
            errors.required("metadata.name", "name or generateName is required");
        }
    } else {
        errors.all_invalid("metadata.name", name, rule(name));
        if kind == "CronJob" && name.len() > 52 {
            errors.invalid("metadata.name", &metadata["name"], "must be no more than 52 characters");
        }
    }
    common(metadata, errors);
    if !kind.is_empty() {
        known_finalizers(metadata, errors);
    }
}

/// A name that says no domain and is none of Kubernetes' own; of a custom resource it is borne.
pub(super) fn is_bare(finalizer: &str) -> bool {
    !finalizer.contains('/') && !["orphan", "foregroundDeletion", "kubernetes"].contains(&finalizer)
}

fn known_finalizers(metadata: &Value, errors: &mut Errors) {
    for (at, finalizer) in list(metadata, "finalizers").iter().enumerate() {
        let name = finalizer.as_str().unwrap_or_default();
        if is_bare(name) && names::qualified_name(name).is_empty() {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(format!("metadata.finalizers[{at}]"), finalizer, why);
        }
    }
}

fn common(metadata: &Value, errors: &mut Errors) {
    labels(metadata.get("labels"), "metadata.labels", errors);
    annotations(metadata.get("annotations"), "metadata.annotations", errors);
    owners(list(metadata, "ownerReferences"), errors);
    for (at, finalizer) in list(metadata, "finalizers").iter().enumerate() {
        if errors.is_full() {
            return;
        }
        let here = format!("metadata.finalizers[{at}]");
        let name = finalizer.as_str().unwrap_or_default();
        errors.all_invalid(&here, name, names::qualified_name(name));
    }
}

pub(super) fn labels(labels: Option<&Value>, field: &str, errors: &mut Errors) {
    for (key, value) in map(labels) {
        if errors.is_full() {
            return;
        }
        errors.all_invalid(field, key, names::qualified_name(key));
        let value = value.as_str().unwrap_or_default();
        errors.all_invalid(field, value, names::label_value(value));
    }
}

pub(super) fn annotations(annotations: Option<&Value>, field: &str, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in map(annotations) {
        if errors.is_full() {
            return;
        }
        errors.all_invalid(field, key, names::qualified_name(&key.to_lowercase()));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > MOST_ANNOTATIONS {
        errors.too_long(field, MOST_ANNOTATIONS);
    }
}

fn owners(owners: &[Value], errors: &mut Errors) {
    let field = "metadata.ownerReferences";
    let mut controller: Option<String> = None;
    for owner in owners {
        if errors.is_full() {
            return;
        }
        if text(owner, "apiVersion").is_empty() {
            errors.invalid(format!("{field}.apiVersion"), &Value::from(""), "version must not be empty");
        }
        for part in ["kind", "name", "uid"] {
            if text(owner, part).is_empty() {
                errors.invalid(format!("{field}.{part}"), &Value::from(""), "must not be empty");
            }
        }
        if owner["controller"] == true {
            let this = format!("{}/{}", text(owner, "kind"), text(owner, "name"));
            if let Some(first) = &controller {
                let why = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                );
                errors.invalid(field, &Value::from(owners), &why);
            } else {
                controller = Some(this);
            }
        }
    }
}

pub(super) fn update(old: &Value, new: &Value, errors: &mut Errors) {
    let (old, new) = (&old["metadata"], &new["metadata"]);
    if !old["deletionTimestamp"].is_null() {
        let added: Vec<&Value> =
            list(new, "finalizers").iter().filter(|one| !list(old, "finalizers").contains(one)).collect();
        if !added.is_empty() {
            let added = added.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let why = "no new finalizers can be added if the object is being deleted, found new finalizers";
            errors.forbidden("metadata.finalizers", &format!("{why} []string{{{added}}}"));
        }
    }
    for part in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"] {
        if old[part] != new[part] {
            errors.invalid(format!("metadata.{part}"), &new[part], IMMUTABLE);
        }
    }
    common(new, errors);
    known_finalizers(new, errors);
}

fn map(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}
