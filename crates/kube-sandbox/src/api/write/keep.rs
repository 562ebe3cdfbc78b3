//! What an update may not touch: parts that belong to another subresource, and what no client decides.

use serde_json::{Value, json};

use super::{Part, Write};
use crate::object::field_error::{FieldError, FieldErrorKind};
use crate::object::{copy_field, meta};
use crate::resource::Resource;
use crate::status::ApiError;
use kube_etcd_codec::names;

impl Write {
    /// What no client decides, and what this part of the object does not hold.
    pub(super) fn keep_what_is_kept(&self, old: &Value, new: &mut Value) -> Result<(), ApiError> {
        let resource = &self.resource;
        new["apiVersion"] = old["apiVersion"].clone();
        new["kind"] = old["kind"].clone();
        let has_status = resource.status;
        match self.part {
            Part::Main if has_status => copy_field(old, new, "status"),
            Part::Status => keep_all_but_status(resource, old, new),
            Part::EphemeralContainers => {
                let given = new.pointer("/spec/ephemeralContainers").cloned();
                keep_all_but_version(old, new);
                if let Some(given) = given {
                    new["spec"]["ephemeralContainers"] = given;
                }
            }
            Part::Approval => {
                let given = new.pointer("/status/conditions").cloned();
                let metadata = new["metadata"].clone();
                keep_all_but_version(old, new);
                new["metadata"] = metadata;
                if let Some(given) = given {
                    new["status"]["conditions"] = stamped(given);
                }
            }
            Part::Main | Part::All => {}
        }
        for field in ["name", "namespace", "uid", "creationTimestamp", "generation", "selfLink", "generateName"] {
            keep_meta(old, new, field);
        }
        if self.part != Part::All {
            for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
                keep_meta(old, new, field);
            }
            let before = meta::finalizers(old);
            if meta::is_terminating(old) {
                let added: Vec<String> =
                    meta::finalizers(new).into_iter().filter(|one| !before.contains(one)).collect();
                if !added.is_empty() {
                    let list = added.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ");
                    let error = FieldError::new(
                        "metadata.finalizers",
                        FieldErrorKind::Forbidden,
                        format!(
                            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{list}}}"
                        ),
                    );
                    return Err(ApiError::invalid(resource, meta::name(old), &[error]));
                }
            }
        }
        if new["metadata"].get("managedFields").is_none_or(|fields| fields.as_array().is_none_or(Vec::is_empty)) {
            // An empty list resets them; leaving them out does not.
            keep_meta(old, new, "managedFields");
        }
        Ok(())
    }

    pub(super) fn count_generation(&self, old: &Value, new: &mut Value) {
        // Binding a pod to its node is not a change of what was asked for.
        if self.part == Part::All || !self.resource.counts_generations() {
            return;
        }
        let wish = |object: &Value| -> Value {
            let mut wish = object.clone();
            if let Some(map) = wish.as_object_mut() {
                for field in ["metadata", "status", "apiVersion", "kind"] {
                    map.remove(field);
                }
            }
            wish
        };
        let before = old["metadata"]["generation"].as_i64().unwrap_or(0);
        let deletion = !meta::is_terminating(old) && meta::is_terminating(new);
        // A deployment's annotations are handed on to its replica sets, so that they count as part of what is asked for.
        let handed_on = |object: &Value| -> Value { object["metadata"]["annotations"].clone() };
        let annotated =
            self.part == Part::Main && self.resource.is(names::DEPLOYMENTS) && handed_on(old) != handed_on(new);
        if wish(old) != wish(new) || annotated || deletion {
            meta::set(new, "generation", before + 1);
        }
    }
}

fn keep_all_but_status(resource: &Resource, old: &Value, new: &mut Value) {
    for field in old.as_object().into_iter().flat_map(|map| map.keys()) {
        if !matches!(field.as_str(), "status" | "metadata") {
            copy_field(old, new, field);
        }
    }
    if let Some(map) = new.as_object_mut() {
        map.retain(|field, _| matches!(field.as_str(), "status" | "metadata") || old.get(field).is_some());
    }
    // Built-in kinds let a status update change metadata: a deployment's revision is written so.
    if resource.builtin.is_none() {
        let managed = new["metadata"].get("managedFields").cloned();
        let version = new["metadata"].get("resourceVersion").cloned();
        new["metadata"] = old["metadata"].clone();
        if let Some(managed) = managed {
            new["metadata"]["managedFields"] = managed;
        }
        if let Some(version) = version {
            new["metadata"]["resourceVersion"] = version;
        }
    }
}

fn keep_all_but_version(old: &Value, new: &mut Value) {
    let version = new["metadata"].get("resourceVersion").cloned();
    *new = old.clone();
    if let Some(version) = version {
        meta::set(new, "resourceVersion", version);
    }
}

/// The conditions of a signing request, each with its times.
fn stamped(mut conditions: Value) -> Value {
    for condition in conditions.as_array_mut().into_iter().flatten() {
        for field in ["lastTransitionTime", "lastUpdateTime"] {
            if condition.get(field).is_none_or(Value::is_null) {
                condition[field] = json!(meta::now_text());
            }
        }
    }
    conditions
}

fn keep_meta(old: &Value, new: &mut Value, field: &str) {
    match old["metadata"].get(field) {
        Some(value) => meta::set(new, field, value.clone()),
        None => {
            meta::remove(new, field);
        }
    }
}

/// Whether writing would change nothing but times of managed fields: then nothing is written.
pub(super) fn same(old: &Value, new: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        meta::remove(&mut object, "resourceVersion");
        if let Some(fields) = object.pointer_mut("/metadata/managedFields").and_then(Value::as_array_mut) {
            for field in fields {
                field.as_object_mut().map(|map| map.remove("time"));
            }
        }
        prune_empty(&mut object);
        object
    };
    bare(old) == bare(new)
}

/// What protobuf does not tell apart from a field that is not there.
fn prune_empty(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(prune_empty);
            map.retain(|_, value| !value.is_null());
        }
        Value::Array(list) => list.iter_mut().for_each(prune_empty),
        _ => {}
    }
}
