//! `metadata.managedFields`: who set which field. Plain writes take fields over; apply owns what it
//! states, gives up what it no longer states, and conflicts with what others own.

mod entries;
mod merge;
mod set;
mod typed;

use serde_json::{Value, json};

use crate::object::meta;
use crate::resource::Resource;
use crate::resource::shape::Shape;
use crate::status::ApiError;
use entries::{Entry, Operation};
use kube_etcd_codec::names;
use set::{Set, compare};
pub use typed::check;

/// The manager of writes that nobody is to own.
pub const NOBODY: &str = "";

/// A plain write: what it changed is its manager's from now on.
pub fn on_update(resource: &Resource, old: Option<&Value>, new: &mut Value, manager: &str, subresource: &str) {
    let shape = Shape::of(resource);
    let mut entries = Entry::read(new);
    let mut before = match old {
        Some(old) => bare(old),
        None => bare(&shape.empty_struct()),
    };
    // A custom resource has metadata before it has any of them.
    if old.is_none() && resource.custom.is_some() {
        before["metadata"] = json!({});
    }
    let mut after = bare(new);
    if old.is_none()
        && let Some(map) = after.as_object_mut()
    {
        map.retain(|field, _| !reset(resource, field));
    }
    let compared = compare(shape, &before, &after);
    let key = Entry::new(manager, Operation::Update, &resource.api_version(), subresource);
    for entry in &mut entries {
        entry.set.subtract_branches(&compared.removed);
        if !entry.is_of(&key) {
            entry.set.subtract(&compared.changed);
        }
    }
    if !compared.changed.is_empty() {
        let entry = Entry::find_or_add(&mut entries, key);
        entry.set.add(&compared.changed);
        // Who scales leaves no time.
        entry.time = (subresource != "scale").then(meta::now_text);
    }
    Entry::write(entries, new);
}

/// What no creation sets, whatever it says: nobody owns it by that.
fn reset(resource: &Resource, field: &str) -> bool {
    field == "status" && resource.status || field == "spec" && resource.is(names::SIGNING_REQUESTS)
}

/// The object with all that a configuration states, whoever's the fields are.
pub fn applied(resource: &Resource, live: &Value, configuration: &Value) -> Value {
    merge::merge(Shape::of(resource), live, configuration)
}

/// Apply of an object that is not there yet.
pub fn on_apply_create(resource: &Resource, object: &mut Value, configuration: &Value, manager: &str) {
    let mut entry = Entry::new(manager, Operation::Apply, &resource.api_version(), "");
    entry.set = stated(Shape::of(resource), &bare(configuration));
    entry.time = Some(meta::now_text());
    Entry::write(vec![entry], object);
}

/// What `configuration` makes of `current`.
pub fn apply(
    resource: &Resource,
    current: &Value,
    configuration: &Value,
    manager: &str,
    force: bool,
    subresource: &str,
) -> Result<Value, ApiError> {
    if configuration.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let shape = Shape::of(resource);
    let mut entries = Entry::read(current);
    let wanted = bare(configuration);
    let stated = stated(shape, &wanted);
    let key = Entry::new(manager, Operation::Apply, &resource.api_version(), subresource);
    let mine = |entry: &Entry| {
        entry.operation == Operation::Apply && entry.manager == manager && entry.subresource == subresource
    };
    let before = entries.iter().find(|entry| mine(entry)).and_then(|entry| entry.time.clone());
    let last = entries.iter().find(|entry| mine(entry)).map(|entry| entry.set.clone()).unwrap_or_default();

    let live = bare(current);
    let mut merged = merge::merge(shape, &live, &wanted);
    // What this manager stated before and states no longer goes, unless somebody else owns it too.
    let mut given_up = last;
    given_up.subtract(&stated);
    for entry in entries.iter().filter(|entry| !mine(entry)) {
        given_up.subtract(&entry.set);
        given_up.leave_parents_of(&entry.set);
    }
    merge::remove(shape, &mut merged, &given_up, &stated);

    let compared = compare(shape, &live, &merged);
    let mut conflicts = Vec::new();
    let given_over = if manager == "kubectl" { last_applied(shape, current, &live) } else { Set::default() };
    for entry in entries.iter().filter(|entry| !mine(entry)) {
        let mut overlap = compared.changed.intersect(&entry.set).intersect(&stated);
        overlap.subtract(&given_over);
        conflicts.extend(overlap.paths().into_iter().map(|path| (entry.describe(), path)));
    }
    if !conflicts.is_empty() && !force {
        return Err(conflict(&conflicts));
    }
    for entry in entries.iter_mut().filter(|entry| !mine(entry)) {
        entry.set.subtract_branches(&compared.removed);
        entry.set.subtract(&compared.changed);
    }
    entries.retain(|entry| !mine(entry));
    let mut entry = key;
    entry.set = stated;
    // To state what is so already is no change that would have a time.
    entry.time = if merged == live { before } else { Some(meta::now_text()) };
    entries.push(entry);

    let mut object = merged;
    let kept = current["metadata"].as_object().cloned().unwrap_or_default();
    for (field, value) in kept {
        if OWN.contains(&field.as_str()) {
            meta::set(&mut object, &field, value);
        }
    }
    object["apiVersion"] = current["apiVersion"].clone();
    object["kind"] = current["kind"].clone();
    if let Some(version) = configuration.pointer("/metadata/resourceVersion") {
        meta::set(&mut object, "resourceVersion", version.clone());
    }
    Entry::write(entries, &mut object);
    if manager == "kubectl" && object.pointer(LAST_APPLIED).is_some() {
        remember_applied(&mut object, configuration);
    }
    Ok(object)
}

const LAST_APPLIED: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

/// What client-side apply stated last, where it still is so: kubectl takes that over without a conflict.
fn last_applied(shape: Shape<'_>, current: &Value, live: &Value) -> Set {
    let text = current.pointer(LAST_APPLIED).and_then(Value::as_str).unwrap_or_default();
    let Ok(applied) = serde_json::from_str::<Value>(text) else { return Set::default() };
    if applied["apiVersion"] != current["apiVersion"] {
        return Set::default();
    }
    let applied = bare(&applied);
    let mut set = stated(shape, &applied);
    let compared = compare(shape, &applied, live);
    set.subtract(&compared.changed);
    set.subtract_branches(&compared.removed);
    set
}

/// Keeps the annotation of client-side apply in step, so that kubectl may go back to it.
fn remember_applied(object: &mut Value, configuration: &Value) {
    let mut applied = configuration.clone();
    meta::remove(&mut applied, "managedFields");
    if let Some(annotations) = applied.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    if let Some(held) = object.pointer_mut(LAST_APPLIED) {
        *held = format!("{applied}\n").into();
    }
}

fn stated(shape: Shape<'_>, configuration: &Value) -> Set {
    let mut set = Set::of(shape, configuration);
    // What is left of it when nothing in it is anybody's.
    if configuration.get("metadata").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
        set.children.remove("f:metadata");
    }
    set
}

fn conflict(conflicts: &[(String, String)]) -> ApiError {
    let message = match conflicts {
        [(who, path)] => format!("Apply failed with 1 conflict: conflict with {who}: {path}"),
        several => {
            let mut lines = Vec::new();
            let mut last = "";
            for (who, path) in several {
                if who != last {
                    lines.push(format!("conflicts with {who}:"));
                    last = who;
                }
                lines.push(format!("- {path}"));
            }
            format!("Apply failed with {} conflicts: {}", several.len(), lines.join("\n"))
        }
    };
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|(who, path)| {
            json!({"reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": path})
        })
        .collect();
    let mut error = ApiError::new(409, "Conflict", message);
    error.details = json!({"causes": causes});
    error
}

/// Metadata that the API itself keeps, and nobody manages.
const OWN: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "selfLink",
    "generation",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// The parts of an object that somebody can manage.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("apiVersion");
        map.remove("kind");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|field, _| !OWN.contains(&field.as_str()));
        }
    }
    object
}

#[cfg(test)]
mod tests;
