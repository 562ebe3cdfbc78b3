//! Jobs: counts, the mode of completion, and the policies of failure and success.

use serde_json::{Value, json};

use super::errors::{Errors, IMMUTABLE};
use super::{internal, template};
use crate::object::{list, names, text};

const INDEXED: &str = "requires indexed completion mode";

pub(super) fn job(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    look(spec, "spec", errors);
    let Some(old) = old else { return };
    errors.unchanged("spec.selector", "/spec/selector", old, object);
    let suspended = old["spec"]["suspend"] == true && old["status"].get("startTime").is_none();
    let template = |object: &Value| {
        let mut template = object["spec"]["template"].clone();
        if suspended {
            for part in ["nodeSelector", "tolerations", "affinity", "schedulingGates"] {
                template["spec"].as_object_mut().map(|map| map.remove(part));
            }
            template.as_object_mut().map(|map| map.remove("metadata"));
        }
        template
    };
    let (before, after) = (template(old), template(object));
    if before["spec"] != after["spec"] {
        let shown = internal::text("PodSpec", &spec["template"]["spec"]);
        errors.invalid_text("spec.template.spec", &shown, IMMUTABLE);
    } else if before != after {
        errors.invalid("spec.template", &spec["template"], IMMUTABLE);
    }
    errors.unchanged("spec.completionMode", "/spec/completionMode", old, object);
    let elastic = spec["completionMode"] == "Indexed" && spec["completions"] == spec["parallelism"];
    if !elastic {
        errors.unchanged("spec.completions", "/spec/completions", old, object);
    }
}

/// What a job, or the template of one, asks for.
pub(super) fn look(spec: &Value, field: &str, errors: &mut Errors) {
    let counts = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    for count in counts {
        errors.not_negative(format!("{field}.{count}"), spec.get(count));
    }
    let has = |name: &str| spec.get(name).is_some_and(|one| !one.is_null());
    if has("maxFailedIndexes") && !has("backoffLimitPerIndex") {
        errors.required(format!("{field}.backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
    errors.one_of(format!("{field}.completionMode"), &spec["completionMode"], &["NonIndexed", "Indexed"]);
    if spec["completionMode"] == "Indexed" {
        if !has("completions") {
            errors.required(format!("{field}.completions"), "when completion mode is Indexed");
        }
        if let (Some(all), Some(most)) = (spec["completions"].as_i64(), spec["maxFailedIndexes"].as_i64())
            && most > all
        {
            let why = "must be less than or equal to completions";
            errors.invalid(format!("{field}.maxFailedIndexes"), &json!(most), why);
        }
    } else {
        for part in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if has(part) {
                errors.invalid(format!("{field}.{part}"), &spec[part], INDEXED);
            }
        }
    }
    for (at, rule) in list(&spec["podFailurePolicy"], "rules").iter().enumerate() {
        failure(spec, rule, &format!("{field}.podFailurePolicy.rules[{at}]"), errors);
    }
    if has("successPolicy") {
        success(spec, &format!("{field}.successPolicy"), errors);
    }
    let known: &[&str] = if has("podFailurePolicy") { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
    errors.one_of(format!("{field}.podReplacementPolicy"), &spec["podReplacementPolicy"], known);
    template::check(&spec["template"], &format!("{field}.template"), errors);
    let policy = &spec["template"]["spec"]["restartPolicy"];
    let here = format!("{field}.template.spec.restartPolicy");
    // What was not said has become `Always` by now.
    if policy == "Always" {
        errors.required(here, "valid values: \"OnFailure\", \"Never\"");
    } else if policy == "OnFailure" && has("podFailurePolicy") {
        errors.invalid(here, policy, "only \"Never\" is supported when podFailurePolicy is specified");
    }
}

fn failure(spec: &Value, rule: &Value, field: &str, errors: &mut Errors) {
    const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
    let action = text(rule, "action");
    let here = format!("{field}.action");
    if action.is_empty() {
        errors.required(here, "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
    } else if action == "FailIndex" {
        if spec["backoffLimitPerIndex"].is_null() {
            errors.invalid(here, &json!(action), "requires the backoffLimitPerIndex to be set");
        }
    } else {
        errors.one_of(here, &rule["action"], &ACTIONS);
    }
    let (codes, conditions) = (&rule["onExitCodes"], list(rule, "onPodConditions"));
    if codes.is_object() {
        exit_codes(spec, codes, &format!("{field}.onExitCodes"), errors);
    }
    for (at, pattern) in conditions.iter().enumerate() {
        let here = |part: &str| format!("{field}.onPodConditions[{at}].{part}");
        let kind = text(pattern, "type");
        errors.all_invalid(&here("type"), kind, names::qualified_name(kind));
        match text(pattern, "status") {
            "" => errors.required(here("status"), "valid values: [\"False\" \"True\" \"Unknown\"]"),
            _ => errors.one_of(here("status"), &pattern["status"], &["False", "True", "Unknown"]),
        }
    }
    match (codes.is_object(), conditions.is_empty()) {
        (true, false) => {
            errors.invalid_bare(field, "specifying both OnExitCodes and OnPodConditions is not supported");
        }
        (false, true) => errors.invalid_bare(field, "specifying one of OnExitCodes and OnPodConditions is required"),
        _ => {}
    }
}

fn exit_codes(spec: &Value, codes: &Value, field: &str, errors: &mut Errors) {
    let operator = text(codes, "operator");
    match operator {
        "" => errors.required(format!("{field}.operator"), "valid values: [\"In\" \"NotIn\"]"),
        _ => errors.one_of(format!("{field}.operator"), &codes["operator"], &["In", "NotIn"]),
    }
    let pod = &spec["template"]["spec"];
    let mut containers = list(pod, "containers").iter().chain(list(pod, "initContainers"));
    if let Some(name) = codes.get("containerName").and_then(Value::as_str)
        && !containers.any(|one| text(one, "name") == name)
    {
        let why = "must be one of the container or initContainer names in the pod template";
        errors.invalid(format!("{field}.containerName"), &json!(name), why);
    }
    let values = list(codes, "values");
    if values.is_empty() {
        errors.invalid(format!("{field}.values"), &Value::Null, "at least one value is required");
    }
    for (at, value) in values.iter().enumerate() {
        let here = format!("{field}.values[{at}]");
        if operator == "In" && value.as_i64() == Some(0) {
            errors.invalid(here.as_str(), value, "must not be 0 for the In operator");
        }
        if values[..at].contains(value) {
            errors.duplicate(here, value);
        }
    }
    if !values.is_sorted_by_key(Value::as_i64) {
        errors.invalid(format!("{field}.values"), &json!(values), "must be ordered");
    }
}

fn success(spec: &Value, field: &str, errors: &mut Errors) {
    let policy = &spec["successPolicy"];
    if spec["completionMode"] != "Indexed" {
        let shown = internal::text("SuccessPolicy", policy);
        return errors.invalid_text(field, &shown, INDEXED);
    }
    let rules = list(policy, "rules");
    if rules.is_empty() {
        let why = "at least one rules must be specified when the successPolicy is specified";
        errors.required(format!("{field}.rules"), why);
    }
    for (at, rule) in rules.iter().enumerate() {
        let here = format!("{field}.rules[{at}]");
        if rule["succeededCount"].is_null() && rule["succeededIndexes"].is_null() {
            let why = "at least one of succeededCount or succeededIndexes must be specified";
            errors.required(here.as_str(), why);
        }
        errors.not_negative(format!("{here}.succeededCount"), rule.get("succeededCount"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: impl Fn(&mut Value)) -> Vec<String> {
        let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]});
        let mut spec = json!({
            "completions": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 1, "maxFailedIndexes": 1,
            "template": {"metadata": {}, "spec": pod},
            "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": {"containerName": "c", "operator": "In", "values": [1, 2]}}]},
            "successPolicy": {"rules": [{"succeededCount": 1}]},
        });
        change(&mut spec);
        let mut errors = Errors::default();
        look(&spec, "spec", &mut errors);
        errors.into_result().err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_job_is_wrong_in_the_words_of_the_server() {
        let of_template = |told: &String| !told.starts_with("spec.template.");
        let cases: [(fn(&mut Value), &str); 9] = [
            (
                |spec| spec["maxFailedIndexes"] = json!(3),
                "spec.maxFailedIndexes: Invalid value: 3: must be less than or equal to completions",
            ),
            (
                |spec| spec["backoffLimitPerIndex"] = Value::Null,
                "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
            ),
            (
                |spec| spec["completionMode"] = json!("NonIndexed"),
                "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
            ),
            (
                |spec| spec["podFailurePolicy"]["rules"][0]["action"] = Value::Null,
                "spec.podFailurePolicy.rules[0].action: Required value: valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]",
            ),
            (
                |spec| spec["podFailurePolicy"]["rules"][0]["onExitCodes"] = Value::Null,
                "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
            ),
            (
                |spec| spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["containerName"] = json!("d"),
                "spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \"d\": must be one of the container or initContainer names in the pod template",
            ),
            (
                |spec| spec["successPolicy"]["rules"][0] = json!({}),
                "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified",
            ),
            (
                |spec| spec["podReplacementPolicy"] = json!("x y"),
                "spec.podReplacementPolicy: Unsupported value: \"x y\": supported values: \"Failed\"",
            ),
            (
                |spec| spec["template"]["spec"]["restartPolicy"] = json!("OnFailure"),
                "spec.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is supported when podFailurePolicy is specified",
            ),
        ];
        assert_eq!(told(|_| {}).into_iter().filter(of_template).collect::<Vec<_>>(), [""; 0]);
        for (change, expected) in cases {
            assert!(told(change).iter().any(|told| told == expected), "{expected}: {:?}", told(change));
        }
    }
}
