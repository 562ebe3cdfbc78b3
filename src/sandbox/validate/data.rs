//! Config maps, secrets, quotas, leases, nodes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::errors::{Errors, IMMUTABLE, is_empty, list, text};
use super::rules;
use crate::codec::quantity;

const MOST: usize = 1024 * 1024;
const ACCOUNT: &str = "kubernetes.io/service-account.name";

pub(super) fn config_map(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in entries(object, "data") {
        errors.all_invalid(&format!("data[{key}]"), key, rules::config_key(key));
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
        errors.all_invalid(&format!("binaryData[{key}]"), key, rules::config_key(key));
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
        errors.all_invalid(&format!("data[{key}]"), key, rules::config_key(key));
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
    for (resource, amount) in entries(&object["spec"], "hard") {
        errors.all_invalid(&format!("spec.hard[{resource}]"), resource, rules::qualified_name(resource));
        if quantity(amount).is_some_and(|amount| amount < 0.0) {
            errors.invalid(format!("spec.hard[{resource}]"), amount, "must be greater than or equal to 0");
        }
    }
}

pub(super) fn limit_range(object: &Value, errors: &mut Errors) {
    for (at, limit) in list(&object["spec"], "limits").iter().enumerate() {
        for (resource, least) in entries(limit, "min") {
            let most = limit["max"].get(resource);
            if let (Some(least_amount), Some(most_amount)) = (quantity(least), most.and_then(quantity))
                && least_amount > most_amount
            {
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let why = format!(
                    "min value {} is greater than max value {}",
                    text(least),
                    most.map_or_else(String::new, text)
                );
                errors.invalid(format!("spec.limits[{at}].min[{resource}]"), least, &why);
            }
        }
    }
}

pub(super) fn lease(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    if let Some(seconds) = spec.get("leaseDurationSeconds").filter(|one| one.as_i64().is_some_and(|n| n <= 0)) {
        errors.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
    }
    errors.not_negative("spec.leaseTransitions", spec.get("leaseTransitions"));
    if spec.get("holderIdentity").is_some_and(|holder| is_empty(Some(holder)) && !holder.is_null()) {
        errors.invalid("spec.holderIdentity", &spec["holderIdentity"], "must not be empty");
    }
}

pub(super) fn node(object: &Value, errors: &mut Errors) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (at, taint) in list(&object["spec"], "taints").iter().enumerate() {
        let (key, effect) = (text(taint, "key"), text(taint, "effect"));
        let here = format!("spec.taints[{at}]");
        errors.all_invalid(&format!("{here}.key"), key, rules::qualified_name(key));
        let value = text(taint, "value");
        errors.all_invalid(&format!("{here}.value"), value, rules::label_value(value));
        if effect.is_empty() {
            errors.required(format!("{here}.effect"), "");
        } else {
            let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
            errors.one_of(format!("{here}.effect"), &taint["effect"], &known);
        }
        if seen.contains(&(key, effect)) {
            errors.duplicate(here, taint);
        }
        seen.push((key, effect));
    }
}
