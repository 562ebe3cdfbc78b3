//! Probes and hooks.

use serde_json::{Value, json};

use super::super::errors::Errors;
use super::super::rules;
use crate::object::{list, text};

pub(super) fn all(container: &Value, field: &str, errors: &mut Errors) {
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(given) = container.get(probe).filter(|given| given.is_object()) {
            check(probe, given, &format!("{field}.{probe}"), errors);
        }
    }
}

fn check(name: &str, probe: &Value, field: &str, errors: &mut Errors) {
    handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], None, field, errors);
    for count in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        errors.not_negative(format!("{field}.{count}"), probe.get(count));
    }
    let grace = probe.get("terminationGracePeriodSeconds").filter(|one| !one.is_null());
    if let Some(grace) = grace.filter(|grace| grace.as_i64().is_some_and(|grace| grace <= 0)) {
        errors.invalid(format!("{field}.terminationGracePeriodSeconds"), grace, "must be greater than 0");
    }
    match (name, grace) {
        ("readinessProbe", Some(grace)) => {
            let why = "must not be set for readinessProbes";
            errors.invalid(format!("{field}.terminationGracePeriodSeconds"), grace, why);
        }
        ("readinessProbe", None) => {}
        _ if probe["successThreshold"].as_i64().is_some_and(|count| count != 1) => {
            errors.invalid(format!("{field}.successThreshold"), &probe["successThreshold"], "must be 1");
        }
        _ => {}
    }
}

pub(super) fn lifecycle(container: &Value, spec: &Value, field: &str, errors: &mut Errors) {
    let Some(lifecycle) = container.get("lifecycle").filter(|one| one.is_object()) else { return };
    let grace = spec["terminationGracePeriodSeconds"].as_i64();
    for hook in ["postStart", "preStop"] {
        if let Some(given) = lifecycle.get(hook).filter(|given| given.is_object()) {
            let kinds = ["exec", "httpGet", "tcpSocket", "sleep"];
            handler(given, &kinds, grace, &format!("{field}.lifecycle.{hook}"), errors);
        }
    }
    if lifecycle.get("stopSignal").is_some_and(|signal| !signal.is_null()) && spec["os"].is_null() {
        let why = "may not be set for containers with empty `spec.os.name`";
        errors.forbidden(format!("{field}.lifecycle.stopSignal"), why);
    }
}

fn handler(given: &Value, kinds: &[&str], grace: Option<i64>, field: &str, errors: &mut Errors) {
    let mut found = false;
    for kind in kinds {
        let Some(action) = given.get(kind).filter(|one| !one.is_null()) else { continue };
        let here = format!("{field}.{kind}");
        if std::mem::replace(&mut found, true) {
            errors.forbidden(here, "may not specify more than 1 handler type");
            continue;
        }
        match *kind {
            "exec" if list(action, "command").is_empty() => errors.required(format!("{here}.command"), ""),
            "httpGet" => {
                if text(action, "path").is_empty() {
                    errors.required(format!("{here}.path"), "");
                }
                rules::port(&format!("{here}.port"), &action["port"], errors);
                errors.one_of(format!("{here}.scheme"), &action["scheme"], &["HTTP", "HTTPS"]);
            }
            "tcpSocket" | "grpc" => rules::port(&format!("{here}.port"), &action["port"], errors),
            "sleep" => {
                let seconds = action["seconds"].as_i64().unwrap_or_default();
                if let Some(grace) = grace.filter(|grace| seconds < 0 || seconds > *grace) {
                    let why = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
                    errors.invalid(here, &json!(seconds), &why);
                }
            }
            _ => {}
        }
    }
    if !found {
        errors.required(field, "must specify a handler type");
    }
}
