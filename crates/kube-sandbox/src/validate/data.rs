//! Config maps, secrets, quotas, leases, nodes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::errors::{Errors, IMMUTABLE, is_empty};
use super::{internal, template};
use crate::object::{list, names, text};
use kube_etcd_codec::quantity;

const MOST: usize = 1024 * 1024;
const ACCOUNT: &str = "kubernetes.io/service-account.name";

pub(super) fn config_map(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in entries(object, "data") {
        errors.all_invalid(&format!("data[{key}]"), key, names::config_key(key));
        if object["binaryData"].get(key).is_some() {
            errors.invalid(
                format!("data[{key}]"),
                &Value::from(key.as_str()),
                "duplicate of key present in binaryData",
            );
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    for (key, value) in entries(object, "binaryData") {
        errors.all_invalid(&format!("binaryData[{key}]"), key, names::config_key(key));
        size += key.len() + value.as_str().map_or(0, str::len) / 4 * 3;
    }
    if size > MOST {
        // The object itself, as an empty path is written.
        errors.too_long("[]", MOST);
    }
    stays(object, old, &["data", "binaryData"], errors);
}

pub(super) fn secret(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in entries(object, "data") {
        errors.all_invalid(&format!("data[{key}]"), key, names::config_key(key));
        size += value.as_str().map_or(0, str::len) / 4 * 3;
    }
    if size > MOST {
        errors.too_long("data", MOST);
    }
    let data = &object["data"];
    let mut needs = |key: &str| {
        if data.get(key).is_none() {
            errors.required(format!("data[{key}]"), "");
        }
    };
    match text(object, "type") {
        "kubernetes.io/service-account-token" if text(&object["metadata"]["annotations"], ACCOUNT).is_empty() => {
            errors.required(format!("metadata.annotations[{ACCOUNT}]"), "");
        }
        "kubernetes.io/tls" => ["tls.crt", "tls.key"].into_iter().for_each(&mut needs),
        "kubernetes.io/dockerconfigjson" => needs(".dockerconfigjson"),
        "kubernetes.io/dockercfg" => needs(".dockercfg"),
        "kubernetes.io/ssh-auth" => needs("ssh-privatekey"),
        "kubernetes.io/basic-auth" if data.get("username").is_none() && data.get("password").is_none() => {
            ["username", "password"].into_iter().for_each(&mut needs);
        }
        _ => {}
    }
    if let Some(config) = data.get(".dockerconfigjson").and_then(Value::as_str) {
        let decoded = STANDARD.decode(config).unwrap_or_default();
        if serde_json::from_slice::<Value>(&decoded).is_err() {
            // The text itself is not repeated.
            let why = "invalid character, not valid JSON";
            errors.invalid("data[.dockerconfigjson]", &Value::from("<secret contents redacted>"), why);
        }
    }
    if let Some(old) = old
        && old.get("type") != object.get("type")
    {
        errors.invalid("type", &object["type"], IMMUTABLE);
    }
    stays(object, old, &["data"], errors);
}

/// What `immutable: true` forbids.
fn stays(object: &Value, old: Option<&Value>, parts: &[&str], errors: &mut Errors) {
    let Some(old) = old.filter(|old| old["immutable"] == true) else { return };
    let why = "field is immutable when `immutable` is set";
    if object["immutable"] != true {
        errors.forbidden("immutable", why);
    }
    for part in parts {
        if old.get(part) != object.get(part) {
            errors.forbidden(*part, why);
        }
    }
}

fn entries<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object.get(field).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

pub(super) fn quota(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    for (resource, amount) in entries(spec, "hard") {
        let here = format!("spec.hard[{resource}]");
        template::resource_name(resource, &here, errors);
        if !template::is_counted(resource) {
            errors.invalid(here.as_str(), &Value::from(resource.as_str()), "must be a standard resource for quota");
        }
        template::amount(resource, amount, &here, errors);
    }
    let scopes: Vec<&str> = list(spec, "scopes").iter().filter_map(Value::as_str).collect();
    for scope in &scopes {
        if !SCOPES.contains(scope) {
            errors.invalid("spec.scopes", &spec["scopes"], "unsupported scope");
            continue;
        }
        for (resource, _) in entries(spec, "hard").filter(|(name, _)| template::is_counted(name) && !name.contains('/'))
        {
            if !fits_scope(scope, resource) {
                errors.invalid("spec.scopes", &spec["scopes"], "unsupported scope applied to resource");
            }
        }
    }
    for pair in CONFLICTING {
        if pair.iter().all(|one| scopes.contains(one)) {
            errors.invalid("spec.scopes", &spec["scopes"], "conflicting scopes");
        }
    }
    scope_selector(spec, errors);
}

fn scope_selector(spec: &Value, errors: &mut Errors) {
    let field = "spec.scopeSelector.matchExpressions";
    let terms = list(&spec["scopeSelector"], "matchExpressions");
    for term in terms {
        let (scope, operator) = (text(term, "scopeName"), text(term, "operator"));
        if !SCOPES.contains(&scope) {
            errors.invalid(format!("{field}.scopeName"), &json!(scope), "unsupported scope");
        }
        for (resource, _) in entries(spec, "hard").filter(|(name, _)| template::is_counted(name) && !name.contains('/'))
        {
            if !fits_scope(scope, resource) {
                // Go prints the struct as JSON, by its own names.
                let terms: Vec<String> = terms.iter().map(go_json).collect();
                let selector = format!("{{\"MatchExpressions\":[{}]}}", terms.join(","));
                errors.invalid_text(field, &selector, "unsupported scope applied to resource");
            }
        }
        let by_itself = ["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"];
        if by_itself.contains(&scope) && operator != "Exists" {
            let why = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                       ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                       ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
            errors.invalid(format!("{field}.operator"), &json!(operator), why);
        }
        let values = list(term, "values");
        match operator {
            "In" | "NotIn" if values.is_empty() => {
                let why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                errors.required(format!("{field}.values"), why);
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                errors.invalid(format!("{field}.values"), &term["values"], why);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => errors.invalid(format!("{field}.operator"), &json!(operator), "not a valid selector operator"),
        }
    }
    for pair in CONFLICTING {
        if pair.iter().all(|one| terms.iter().any(|term| text(term, "scopeName") == *one)) {
            errors.invalid(field, &spec["scopes"], "conflicting scopes");
        }
    }
}

/// The three parts of a term in the order of Go's struct.
fn go_json(term: &Value) -> String {
    let (scope, operator, values) = (&term["scopeName"], &term["operator"], &term["values"]);
    format!("{{\"ScopeName\":{scope},\"Operator\":{operator},\"Values\":{values}}}")
}

const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];
const CONFLICTING: [[&str; 2]; 2] = [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];

fn fits_scope(scope: &str, resource: &str) -> bool {
    let computed = ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        _ => resource == "pods" || computed.contains(&resource),
    }
}

pub(super) fn limit_range(object: &Value, errors: &mut Errors) {
    let mut kinds: Vec<&str> = Vec::new();
    for (at, limit) in list(&object["spec"], "limits").iter().enumerate() {
        let here = format!("spec.limits[{at}]");
        let kind = text(limit, "type");
        if !["Container", "Pod", "PersistentVolumeClaim"].contains(&kind) && !kind.contains('/') {
            let why = "must be a standard limit type or fully qualified";
            errors.invalid(format!("{here}.type"), &limit["type"], why);
        }
        if kinds.contains(&kind) {
            errors.duplicate(format!("{here}.type"), &limit["type"]);
        }
        kinds.push(kind);
        if kind == "Pod" {
            for part in ["default", "defaultRequest"] {
                if !is_empty(limit.get(part)) {
                    errors.forbidden(format!("{here}.{part}"), "may not be specified when `type` is 'Pod'");
                }
            }
        }
        if kind == "PersistentVolumeClaim" && ["min", "max"].iter().all(|part| limit[part].get("storage").is_none()) {
            let why = "either minimum or maximum storage value is required, but neither was provided";
            errors.required(format!("{here}.limits"), why);
        }
        let mut resources: Vec<&String> = Vec::new();
        for part in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
            resources.extend(entries(limit, part).map(|(name, _)| name));
        }
        resources.sort();
        resources.dedup();
        for resource in resources {
            bounds(limit, resource, &here, errors);
        }
    }
}

/// Each bound of one resource against those that it must keep.
fn bounds(limit: &Value, resource: &str, field: &str, errors: &mut Errors) {
    let get = |part: &str| limit.get(part).and_then(|amounts| amounts.get(resource));
    let mut within = |part: &str, shown: &str, what: &str, other: &str, than: &str, less: bool| {
        let (Some(value), Some(bound)) = (get(part), get(other)) else { return };
        let (Some(amount), Some(most)) = (quantity(value), quantity(bound)) else { return };
        if (less && amount < most) || (!less && amount > most) {
            let word = if less { "less" } else { "greater" };
            let why = format!(
                "{what} value {} is {word} than {than} value {}",
                template::shown(value),
                template::shown(bound)
            );
            let shown = get(shown).map(template::shown).unwrap_or_default();
            errors.invalid(format!("{field}.{part}[{resource}]"), &Value::from(shown), &why);
        }
    };
    within("min", "min", "min", "max", "max", false);
    within("defaultRequest", "defaultRequest", "default request", "min", "min", true);
    within("defaultRequest", "defaultRequest", "default request", "max", "max", false);
    within("defaultRequest", "defaultRequest", "default request", "default", "default limit", false);
    within("default", "min", "default", "min", "min", true);
    within("default", "max", "default", "max", "max", false);
    if let Some(ratio) = get("maxLimitRequestRatio")
        && quantity(ratio).is_some_and(|ratio| ratio < 1.0)
    {
        let shown = template::shown(ratio);
        let why = format!("ratio {shown} is less than 1");
        errors.invalid(format!("{field}.maxLimitRequestRatio[{resource}]"), &Value::from(shown), &why);
    }
}

pub(super) fn namespace(object: &Value, errors: &mut Errors) {
    for finalizer in list(&object["spec"], "finalizers") {
        let name = finalizer.as_str().unwrap_or_default();
        if name != "kubernetes" && !name.contains('/') {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid("spec.finalizers", finalizer, why);
        }
    }
}

pub(super) fn lease(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    if let Some(seconds) = spec.get("leaseDurationSeconds").filter(|one| one.as_i64().is_some_and(|n| n <= 0)) {
        errors.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
    }
    errors.not_negative("spec.leaseTransitions", spec.get("leaseTransitions"));
}

pub(super) fn node(object: &Value, errors: &mut Errors) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (at, taint) in list(&object["spec"], "taints").iter().enumerate() {
        let (key, effect) = (text(taint, "key"), text(taint, "effect"));
        // In the metadata, says Kubernetes.
        let here = format!("metadata.taints[{at}]");
        errors.all_invalid(&format!("{here}.key"), key, names::qualified_name(key));
        let value = text(taint, "value");
        errors.all_invalid(&format!("{here}.value"), value, names::label_value(value));
        template::taint_effect(effect, &format!("{here}.effect"), errors);
        if seen.contains(&(key, effect)) {
            let shown = internal::text("Taint", taint);
            errors.duplicate_text(here, format!("{shown}: taints must be unique by key and effect pair"));
        }
        seen.push((key, effect));
    }
    let ranges = list(&object["spec"], "podCIDRs");
    let one = text(&object["spec"], "podCIDR");
    let all = if ranges.is_empty() && !one.is_empty() { vec![one] } else { texts(ranges) };
    for (at, range) in all.into_iter().enumerate() {
        errors.all_invalid(&format!("spec.podCIDRs[{at}]"), range, names::cidr(range));
    }
}

fn texts(values: &[Value]) -> Vec<&str> {
    values.iter().filter_map(Value::as_str).collect()
}
