//! What containers ask for and may have at most, and the names of resources.

use serde_json::{Map, Value, json};

use super::super::errors::Errors;
use crate::object::names;

/// What a quota or a container may name without a domain; the first four are for containers.
const STANDARD: [&str; 20] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
/// Those at the end of [`STANDARD`] that are counted in whole numbers.
const WHOLE: usize = 9;

fn is_huge(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Not of a vendor.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && names::qualified_name(&format!("requests.{name}")).is_empty()
}

/// Whether `name` is one that a resource may have.
pub(in super::super) fn resource_name(name: &str, field: &str, errors: &mut Errors) -> bool {
    let wrong = names::qualified_name(name);
    let is_name = wrong.is_empty();
    errors.all_invalid(field, name, wrong);
    let known =
        name.contains('/') || STANDARD.contains(&name) || is_huge(name) || name.starts_with("requests.hugepages-");
    if is_name && !known {
        errors.invalid(field, &json!(name), "must be a standard resource type or fully qualified");
    }
    is_name && known
}

/// Whether a quota can count it.
pub(in super::super) fn is_counted(name: &str) -> bool {
    name.contains('/')
        || (STANDARD.contains(&name) && name != "storage")
        || is_huge(name)
        || name.starts_with("requests.hugepages-")
}

/// As Go writes it, whichever way it was given.
pub(in super::super) fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    kube_etcd_codec::canonical(&text).unwrap_or(text)
}

/// Not below nothing, and no fraction of what comes in pieces.
pub(in super::super) fn quantity(name: &str, value: &Value, field: &str, errors: &mut Errors) {
    let Some(amount) = kube_etcd_codec::quantity(value) else { return };
    if amount < 0.0 {
        errors.invalid(field, &json!(shown(value)), "must be greater than or equal to 0");
    }
    if (STANDARD[STANDARD.len() - WHOLE..].contains(&name) || is_extended(name)) && amount.fract() != 0.0 {
        errors.invalid(field, &json!(shown(value)), "must be an integer");
    }
}

fn container_name(name: &str, field: &str, errors: &mut Errors) {
    resource_name(name, field, errors);
    if !name.contains('/') {
        if !["cpu", "memory", "ephemeral-storage"].contains(&name) && !is_huge(name) {
            errors.invalid(field, &json!(name), "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        errors.invalid(field, &json!(name), "doesn't follow extended resource name standard");
    }
}

fn entries<'a>(resources: &'a Value, side: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    resources.get(side).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

pub(super) fn check(resources: &Value, field: &str, errors: &mut Errors) {
    for (name, amount) in entries(resources, "limits") {
        let here = format!("{field}.limits[{name}]");
        container_name(name, &here, errors);
        quantity(name, amount, &here, errors);
    }
    for (name, asked) in entries(resources, "requests") {
        let here = format!("{field}.requests[{name}]");
        container_name(name, &here, errors);
        quantity(name, asked, &here, errors);
        let more_than_there_is = is_native(name) && !is_huge(name);
        match resources["limits"].get(name) {
            Some(limit) => {
                let (wanted, most) = (kube_etcd_codec::quantity(asked), kube_etcd_codec::quantity(limit));
                let why = if wanted != most && !more_than_there_is {
                    "must be equal to"
                } else if wanted > most {
                    "must be less than or equal to"
                } else {
                    continue;
                };
                let why = format!("{why} {name} limit of {}", shown(limit));
                errors.invalid(format!("{field}.requests"), &json!(shown(asked)), &why);
            }
            None if !more_than_there_is => {
                errors.required(format!("{field}.limits"), "Limit must be set for non overcommitable resources");
            }
            None => {}
        }
    }
    let named = |wanted: &dyn Fn(&str) -> bool| {
        ["limits", "requests"].into_iter().any(|side| entries(resources, side).any(|(name, _)| wanted(name)))
    };
    if named(&is_huge) && !named(&|name| name == "cpu" || name == "memory") {
        errors.forbidden(field, "HugePages require cpu or memory");
    }
}
