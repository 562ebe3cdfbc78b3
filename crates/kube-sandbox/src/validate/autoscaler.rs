//! Autoscalers: their bounds, what they measure, and how fast they go.

use serde_json::{Value, json};

use super::errors::Errors;
use crate::object::{list, names, text};

pub(super) fn autoscaler(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    let (least, most) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64().unwrap_or_default());
    if least.is_some_and(|least| least < 1) {
        errors.invalid("spec.minReplicas", &spec["minReplicas"], "must be greater than or equal to 1");
    }
    if most == 0 {
        errors.required("spec.maxReplicas", "must be set and greater than 0");
    } else if most < 0 {
        errors.invalid("spec.maxReplicas", &json!(most), "must be greater than or equal to 1");
    }
    if least.is_some_and(|least| most < least) {
        let why = "must be greater than or equal to `minReplicas`";
        errors.invalid("spec.maxReplicas", &json!(most), why);
    }
    let target = &spec["scaleTargetRef"];
    target_object(target, "spec.scaleTargetRef", errors);
    let version = text(target, "apiVersion");
    let same = old.is_some_and(|old| {
        let before = &old["spec"]["scaleTargetRef"];
        before["apiVersion"] == target["apiVersion"] && before["kind"] == target["kind"]
    });
    // The one kind of the core group that scales.
    if !same && !version.contains('/') && text(target, "kind") != "ReplicationController" {
        errors.invalid("spec.scaleTargetRef.apiVersion", &json!(version), "apiVersion must specify API group");
    }
    for (at, metric) in list(spec, "metrics").iter().enumerate() {
        source(metric, &format!("spec.metrics[{at}]"), errors);
    }
    for way in ["scaleUp", "scaleDown"] {
        pace(&spec["behavior"][way], &format!("spec.behavior.{way}"), errors);
    }
}

fn target_object(given: &Value, field: &str, errors: &mut Errors) {
    for part in ["kind", "name"] {
        let value = text(given, part);
        if value.is_empty() {
            errors.required(format!("{field}.{part}"), "");
        } else {
            errors.all_invalid(&format!("{field}.{part}"), value, names::path_segment(value));
        }
    }
    let version = text(given, "apiVersion");
    if version.matches('/').count() > 1 {
        let why = format!("unexpected GroupVersion string: {version}");
        errors.invalid(format!("{field}.apiVersion"), &json!(version), &why);
    }
}

fn source(metric: &Value, field: &str, errors: &mut Errors) {
    const SOURCES: [(&str, &str); 5] = [
        ("Object", "object"),
        ("External", "external"),
        ("Pods", "pods"),
        ("Resource", "resource"),
        ("ContainerResource", "containerResource"),
    ];
    const KINDS: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    let kind = text(metric, "type");
    if kind.is_empty() {
        errors.required(format!("{field}.type"), "must specify a metric source type");
    }
    if !KINDS.contains(&kind) {
        errors.unsupported(format!("{field}.type"), &json!(kind), &KINDS);
    }
    let given: Vec<&str> =
        SOURCES.iter().map(|(_, part)| *part).filter(|part| metric.get(part).is_some_and(Value::is_object)).collect();
    if let Some(first) = given.first() {
        measured(first, &metric[*first], &format!("{field}.{first}"), errors);
    }
    let expected = SOURCES.iter().find(|(of, _)| *of == kind).map(|(_, part)| *part);
    match expected {
        Some(part) if !given.contains(&part) => {
            errors.required(format!("{field}.{part}"), "must populate information for the given metric source");
        }
        Some(_) => {}
        None => errors.unsupported(format!("{field}.type"), &json!(kind), &KINDS),
    }
    if given.len() != 1 {
        for other in given.iter().filter(|part| expected != Some(**part)) {
            errors.forbidden(format!("{field}.{other}"), "must populate the given metric source only");
        }
    }
}

fn measured(part: &str, source: &Value, field: &str, errors: &mut Errors) {
    let target = &source["target"];
    let has = |name: &str| target.get(name).is_some_and(|one| !one.is_null());
    let named = |errors: &mut Errors| match text(&source["metric"], "name") {
        "" => errors.required(format!("{field}.metric.name"), "must specify a metric name"),
        name => errors.all_invalid(&format!("{field}.metric.name"), name, names::path_segment(name)),
    };
    match part {
        "object" => {
            target_object(&source["describedObject"], &format!("{field}.describedObject"), errors);
            named(errors);
        }
        "external" | "pods" => named(errors),
        _ => {
            if text(source, "name").is_empty() {
                errors.required(format!("{field}.name"), "must specify a resource name");
            }
            if part == "containerResource" && text(source, "container").is_empty() {
                errors.required(format!("{field}.container"), "must specify a container");
            }
        }
    }
    amounts(target, &format!("{field}.target"), errors);
    let average = format!("{field}.target.averageValue");
    match part {
        "object" if !has("value") && !has("averageValue") => {
            errors.required(average, "must set either a target value or averageValue");
        }
        "external" if !has("value") && !has("averageValue") => {
            errors.required(average, "must set either a target value for metric or a per-pod target");
        }
        "external" if has("value") && has("averageValue") => {
            let why = "may not set both a target value for metric and a per-pod target";
            errors.forbidden(format!("{field}.target.value"), why);
        }
        "pods" if !has("averageValue") => errors.required(average, "must specify a positive target averageValue"),
        "resource" | "containerResource" if !has("averageUtilization") && !has("averageValue") => {
            let why = "must set either a target raw value or a target utilization";
            errors.required(format!("{field}.target.averageUtilization"), why);
        }
        "resource" | "containerResource" if has("averageUtilization") && has("averageValue") => {
            errors.forbidden(average, "may not set both a target raw value and a target utilization");
        }
        _ => {}
    }
}

fn amounts(target: &Value, field: &str, errors: &mut Errors) {
    let kind = text(target, "type");
    if kind.is_empty() {
        errors.required(format!("{field}.type"), "must specify a metric target type");
    }
    if !["Utilization", "Value", "AverageValue"].contains(&kind) {
        errors.invalid(format!("{field}.type"), &json!(kind), "must be either Utilization, Value, or AverageValue");
    }
    for part in ["value", "averageValue"] {
        let Some(given) = target.get(part).filter(|one| !one.is_null()) else { continue };
        if kube_etcd_codec::thousandths(given).is_some_and(|amount| amount <= 0) {
            errors.invalid(format!("{field}.{part}"), given, "must be positive");
        }
    }
    let share = &target["averageUtilization"];
    if share.as_i64().is_some_and(|share| share < 1) {
        errors.invalid(format!("{field}.averageUtilization"), share, "must be greater than 0");
    }
}

fn pace(rules: &Value, field: &str, errors: &mut Errors) {
    if !rules.is_object() {
        return;
    }
    let window = &rules["stabilizationWindowSeconds"];
    let here = format!("{field}.stabilizationWindowSeconds");
    match window.as_i64() {
        Some(seconds) if seconds < 0 => errors.invalid(here, window, "must be greater than or equal to zero"),
        Some(seconds) if seconds > 3600 => errors.invalid(here, window, "must be less than or equal to 3600"),
        _ => {}
    }
    errors.one_of(format!("{field}.selectPolicy"), &rules["selectPolicy"], &["Disabled", "Max", "Min"]);
    let policies = list(rules, "policies");
    if policies.is_empty() {
        errors.required(format!("{field}.policies"), "must specify at least one Policy");
    }
    for (at, policy) in policies.iter().enumerate() {
        let here = |part: &str| format!("{field}.policies[{at}].{part}");
        errors.one_of(here("type"), &json!(text(policy, "type")), &["Percent", "Pods"]);
        for part in ["value", "periodSeconds"] {
            let number = policy[part].as_i64().unwrap_or_default();
            if number <= 0 {
                errors.invalid(here(part), &json!(number), "must be greater than zero");
            }
            if part == "periodSeconds" && number > 1800 {
                errors.invalid(here(part), &json!(number), "must be less than or equal to 1800");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: impl Fn(&mut Value)) -> Vec<String> {
        let mut object = json!({"spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}, "maxReplicas": 3,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
            "behavior": {"scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}},
        }});
        change(&mut object["spec"]);
        let mut errors = Errors::default();
        autoscaler(&object, None, &mut errors);
        errors.into_result().err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_autoscaler_is_wrong_in_the_words_of_the_server() {
        assert_eq!(told(|_| {}), [""; 0]);
        let cases: [(fn(&mut Value), &str); 9] = [
            (
                |spec| spec["scaleTargetRef"]["apiVersion"] = Value::Null,
                "spec.scaleTargetRef.apiVersion: Invalid value: \"\": apiVersion must specify API group",
            ),
            (|spec| spec["maxReplicas"] = json!(0), "spec.maxReplicas: Required value: must be set and greater than 0"),
            (
                |spec| spec["metrics"][0]["resource"] = Value::Null,
                "spec.metrics[0].resource: Required value: must populate information for the given metric source",
            ),
            (
                |spec| spec["metrics"][0]["resource"]["name"] = Value::Null,
                "spec.metrics[0].resource.name: Required value: must specify a resource name",
            ),
            (
                |spec| spec["metrics"][0]["resource"]["target"]["averageUtilization"] = json!(-1),
                "spec.metrics[0].resource.target.averageUtilization: Invalid value: -1: must be greater than 0",
            ),
            (
                |spec| spec["metrics"][0]["resource"]["target"]["averageUtilization"] = Value::Null,
                "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization",
            ),
            (
                |spec| spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] = json!(-1),
                "spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero",
            ),
            (
                |spec| spec["behavior"]["scaleDown"]["policies"][0]["type"] = json!("x y"),
                "spec.behavior.scaleDown.policies[0].type: Unsupported value: \"x y\": supported values: \"Percent\", \"Pods\"",
            ),
            (
                |spec| spec["behavior"]["scaleDown"]["policies"][0]["periodSeconds"] = json!(99999),
                "spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 99999: must be less than or equal to 1800",
            ),
        ];
        for (change, expected) in cases {
            assert_eq!(told(change).first().map(String::as_str), Some(expected));
        }
    }
}
