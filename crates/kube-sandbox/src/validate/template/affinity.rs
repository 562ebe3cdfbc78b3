//! Where a pod may run: affinity, tolerations, spread.

use serde_json::{Value, json};

use super::super::errors::{Errors, is_empty};
use super::super::rules::{self, label_selector};
use crate::object::{list, names, text};

pub(super) fn check(affinity: &Value, field: &str, errors: &mut Errors) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    let weight = |term: &Value, here: &str, errors: &mut Errors| {
        if !term["weight"].as_i64().is_some_and(|weight| (1..=100).contains(&weight)) {
            errors.invalid(format!("{here}.weight"), &json!(term["weight"].as_i64()), "must be in the range 1-100");
        }
    };
    let node = &affinity["nodeAffinity"];
    if let Some(selector) = node.get(REQUIRED).filter(|one| one.is_object()) {
        node_selector(selector, &format!("{field}.nodeAffinity.{REQUIRED}"), errors);
    }
    for (at, term) in list(node, PREFERRED).iter().enumerate() {
        let here = format!("{field}.nodeAffinity.{PREFERRED}[{at}]");
        weight(term, &here, errors);
        node_term(&term["preference"], true, &format!("{here}.preference"), errors);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (at, term) in list(&affinity[kind], REQUIRED).iter().enumerate() {
            pod_term(term, &format!("{field}.{kind}.{REQUIRED}[{at}]"), errors);
        }
        for (at, term) in list(&affinity[kind], PREFERRED).iter().enumerate() {
            let here = format!("{field}.{kind}.{PREFERRED}[{at}]");
            weight(term, &here, errors);
            pod_term(&term["podAffinityTerm"], &format!("{here}.podAffinityTerm"), errors);
        }
    }
}

pub(in super::super) fn node_selector(selector: &Value, field: &str, errors: &mut Errors) {
    let terms = list(selector, "nodeSelectorTerms");
    if terms.is_empty() {
        errors.required(format!("{field}.nodeSelectorTerms"), "must have at least one node selector term");
    }
    for (at, term) in terms.iter().enumerate() {
        node_term(term, false, &format!("{field}.nodeSelectorTerms[{at}]"), errors);
    }
}

/// What is only preferred may name values that no label can have.
fn node_term(term: &Value, any_value: bool, field: &str, errors: &mut Errors) {
    for (at, one) in list(term, "matchExpressions").iter().enumerate() {
        let here = format!("{field}.matchExpressions[{at}]");
        let values = list(one, "values");
        match text(one, "operator") {
            "Gt" | "Lt" if values.len() != 1 => {
                let why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                errors.required(format!("{here}.values"), why);
            }
            "Gt" | "Lt" => {}
            _ => rules::set_operator(one, &here, errors),
        }
        let key = text(one, "key");
        errors.all_invalid(&format!("{here}.key"), key, names::qualified_name(key));
        for (at, value) in values.iter().filter_map(Value::as_str).enumerate().filter(|_| !any_value) {
            errors.all_invalid(&format!("{here}.values[{at}]"), value, names::label_value(value));
        }
    }
    for (at, one) in list(term, "matchFields").iter().enumerate() {
        let here = format!("{field}.matchFields[{at}]");
        match text(one, "operator") {
            "In" | "NotIn" if list(one, "values").len() != 1 => {
                let why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                errors.required(format!("{here}.values"), why);
            }
            "In" | "NotIn" => {}
            other => errors.invalid(format!("{here}.operator"), &json!(other), "not a valid selector operator"),
        }
        if text(one, "key") != "metadata.name" {
            errors.invalid(format!("{here}.key"), &json!(text(one, "key")), "not a valid field selector key");
        }
    }
}

fn pod_term(term: &Value, field: &str, errors: &mut Errors) {
    for part in ["labelSelector", "namespaceSelector"] {
        label_selector(&term[part], &format!("{field}.{part}"), errors);
    }
    for name in list(term, "namespaces").iter().filter_map(Value::as_str) {
        errors.all_invalid(&format!("{field}.namespace"), name, names::dns_label(name));
    }
    let key = text(term, "topologyKey");
    if key.is_empty() {
        errors.required(format!("{field}.topologyKey"), "can not be empty");
    }
    errors.all_invalid(&format!("{field}.topologyKey"), key, names::qualified_name(key));
}

pub(super) fn spread(constraints: &[Value], field: &str, errors: &mut Errors) {
    for (at, one) in constraints.iter().enumerate() {
        let here = format!("{field}[{at}]");
        if one["maxSkew"].as_i64().unwrap_or_default() <= 0 {
            let skew = one["maxSkew"].as_i64().unwrap_or_default();
            errors.invalid(format!("{here}.maxSkew"), &json!(skew), "must be greater than zero");
        }
        if text(one, "topologyKey").is_empty() {
            errors.required(format!("{here}.topologyKey"), "can not be empty");
        }
        let actions = ["DoNotSchedule", "ScheduleAnyway"];
        let action = text(one, "whenUnsatisfiable");
        errors.one_of(format!("{here}.whenUnsatisfiable"), &json!(action), &actions);
        let same = |other: &Value| ["topologyKey", "whenUnsatisfiable"].iter().all(|part| other[part] == one[part]);
        if constraints[at + 1..].iter().any(same) {
            let pair = format!("{{{}, {action}}}", text(one, "topologyKey"));
            errors.duplicate(format!("{here}.{{topologyKey, whenUnsatisfiable}}"), &json!(pair));
        }
        if let Some(least) = one.get("minDomains").filter(|one| !one.is_null()) {
            if least.as_i64().unwrap_or_default() <= 0 {
                errors.invalid(format!("{here}.minDomains"), least, "must be greater than zero");
            }
            if action != "DoNotSchedule" {
                let why = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
                errors.invalid(format!("{here}.minDomains"), least, &why);
            }
        }
        for part in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            errors.one_of(format!("{here}.{part}"), &one[part], &["Honor", "Ignore"]);
        }
        label_selector(&one["labelSelector"], &format!("{here}.labelSelector"), errors);
    }
}

pub(super) fn tolerations(tolerations: &[Value], field: &str, errors: &mut Errors) {
    for (at, one) in tolerations.iter().enumerate() {
        let here = format!("{field}[{at}]");
        let (key, operator, value) = (text(one, "key"), text(one, "operator"), text(one, "value"));
        if !key.is_empty() {
            errors.all_invalid(&format!("{here}.key"), key, names::qualified_name(key));
        } else if operator != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(format!("{here}.operator"), &json!(operator), why);
        }
        let effect = text(one, "effect");
        if !is_empty(one.get("tolerationSeconds")) && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(format!("{here}.effect"), &json!(effect), why);
        }
        match operator {
            "Equal" | "" => {
                let wrong = names::label_value(value);
                if !wrong.is_empty() {
                    errors.invalid(format!("{here}.operator"), &json!(value), &wrong.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                let why = "value must be empty when `operator` is 'Exists'";
                errors.invalid(format!("{here}.operator"), &json!(value), why);
            }
            "Exists" => {}
            other => errors.unsupported(format!("{here}.operator"), &json!(other), &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            taint_effect(effect, &format!("{here}.effect"), errors);
        }
    }
}

pub(in super::super) fn taint_effect(effect: &str, field: &str, errors: &mut Errors) {
    if effect.is_empty() {
        return errors.required(field, "");
    }
    errors.one_of(field, &json!(effect), &["NoSchedule", "PreferNoSchedule", "NoExecute"]);
}
