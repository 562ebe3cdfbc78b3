//! Rules that fields of several kinds share.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::errors::Errors;
use super::meta;
use crate::object::names::{ip, port_name, port_number, qualified_name};
use crate::object::{list, text};

/// A number, or a share of the whole.
pub(super) fn count_or_percent(field: &str, value: Option<&Value>, at_most_all: bool, errors: &mut Errors) {
    static PERCENT: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[0-9]+%$").expect("the pattern is right"));
    match value {
        Some(Value::String(text)) if !PERCENT.is_match(text) => {
            let why = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            errors.invalid(field, &json!(text), why);
        }
        Some(Value::String(text))
            if at_most_all && text.trim_end_matches('%').parse::<u64>().is_ok_and(|n| n > 100) =>
        {
            errors.invalid(field, &json!(text), "must not be greater than 100%");
        }
        value => errors.not_negative(field, value),
    }
}

/// Whether a requirement has values where its operator takes some, and only there.
pub(super) fn set_operator(requirement: &Value, field: &str, errors: &mut Errors) {
    let has_values = requirement["values"].as_array().is_some_and(|values| !values.is_empty());
    match requirement["operator"].as_str().unwrap_or_default() {
        "In" | "NotIn" if !has_values => {
            let why = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.required(format!("{field}.values"), why);
        }
        "Exists" | "DoesNotExist" if has_values => {
            let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.forbidden(format!("{field}.values"), why);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => errors.invalid(format!("{field}.operator"), &json!(other), "not a valid selector operator"),
    }
}

/// A port by its number or its name.
pub(super) fn port(field: &str, port: &Value, errors: &mut Errors) {
    if let Some(name) = port.as_str() {
        return errors.all_invalid(field, name, port_name(name));
    }
    let number = port.as_i64().unwrap_or_default();
    for why in &port_number(number) {
        errors.invalid(field, &json!(number), why);
    }
}

/// Where traffic may be sent to.
pub(super) fn endpoint_ip(field: &str, value: &str, errors: &mut Errors) {
    let Ok(address) = value.parse::<std::net::IpAddr>() else {
        return errors.all_invalid(field, value, ip(value));
    };
    let mut claim = |holds: bool, why: &str| {
        if !holds {
            errors.invalid(field, &json!(value), why);
        }
    };
    let (local, multicast) = match address {
        std::net::IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        std::net::IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.octets()[..2] == [0xff, 0x02]),
    };
    claim(!address.is_unspecified(), &format!("may not be unspecified ({value})"));
    claim(!address.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    claim(!local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    claim(!multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

/// A path within a folder.
pub(super) fn local_path(field: &str, path: &str, errors: &mut Errors) {
    if path.starts_with('/') {
        errors.invalid(field, &json!(path), "must be a relative path");
    }
    no_steps_back(field, path, errors);
}

/// A path within a folder that keeps names with two dots at their start for itself.
pub(super) fn own_path(field: &str, path: &str, errors: &mut Errors) {
    local_path(field, path, errors);
    if path.starts_with("..") && !path.starts_with("../") {
        errors.invalid(field, &json!(path), "must not start with '..'");
    }
}

pub(super) fn no_steps_back(field: &str, path: &str, errors: &mut Errors) {
    if path.split('/').any(|part| part == "..") {
        errors.invalid(field, &json!(path), "must not contain '..'");
    }
}

pub(super) fn file_mode(field: &str, mode: Option<&Value>, errors: &mut Errors) {
    if let Some(mode) = mode.filter(|mode| mode.as_i64().is_some_and(|bits| !(0..=0o777).contains(&bits))) {
        errors.invalid(field, mode, "must be a number between 0 and 0777 (octal), both inclusive");
    }
}

pub(super) fn label_selector(selector: &Value, field: &str, errors: &mut Errors) {
    meta::labels(selector.get("matchLabels"), &format!("{field}.matchLabels"), errors);
    for (at, one) in list(selector, "matchExpressions").iter().enumerate() {
        let here = format!("{field}.matchExpressions[{at}]");
        set_operator(one, &here, errors);
        let key = text(one, "key");
        errors.all_invalid(&format!("{here}.key"), key, qualified_name(key));
    }
}
