//! Roles, bindings, disruption budgets, priorities.

use serde_json::{Value, json};

use super::errors::{Errors, is_empty};
use super::rules::{self, label_selector};
use super::{internal, template};
use crate::object::{list, names, text};

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn role(kind: &str, object: &Value, errors: &mut Errors) {
    for (at, rule) in list(object, "rules").iter().enumerate() {
        let here = format!("rules[{at}]");
        if list(rule, "verbs").is_empty() {
            errors.required(format!("{here}.verbs"), "verbs must contain at least one value");
        }
        let urls = list(rule, "nonResourceURLs");
        if !urls.is_empty() {
            if kind == "Role" {
                let why = "namespaced rules cannot apply to non-resource URLs";
                errors.invalid(format!("{here}.nonResourceURLs"), &json!(urls), why);
            }
            if !list(rule, "apiGroups").is_empty() || !list(rule, "resources").is_empty() {
                let why = "rules cannot apply to both regular resources and non-resource URLs";
                errors.invalid(format!("{here}.nonResourceURLs"), &json!(urls), why);
            }
            continue;
        }
        if list(rule, "apiGroups").is_empty() {
            errors.required(format!("{here}.apiGroups"), "resource rules must supply at least one api group");
        }
        if list(rule, "resources").is_empty() {
            errors.required(format!("{here}.resources"), "resource rules must supply at least one resource");
        }
    }
    if kind == "ClusterRole" && object.get("aggregationRule").is_some_and(Value::is_object) {
        aggregation(&object["aggregationRule"], errors);
    }
}

fn aggregation(rule: &Value, errors: &mut Errors) {
    let field = "aggregationRule.clusterRoleSelectors";
    let selectors = list(rule, "clusterRoleSelectors");
    if selectors.is_empty() {
        errors.required(field, "at least one clusterRoleSelector required if aggregationRule is non-nil");
    }
    for (at, selector) in selectors.iter().enumerate() {
        let here = format!("{field}[{at}]");
        let mut wrong = Errors::default();
        label_selector(selector, &here, &mut wrong);
        if !wrong.is_empty() {
            errors.append(wrong);
            errors.invalid(here, &Value::Null, "invalid label selector.");
        }
    }
}

pub(super) fn binding(kind: &str, object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let role = &object["roleRef"];
    errors.one_of("roleRef.apiGroup", &role["apiGroup"], &[RBAC]);
    let kinds: &[&str] = if kind == "RoleBinding" { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    let kind_given = json!(text(role, "kind"));
    errors.one_of("roleRef.kind", &kind_given, kinds);
    if text(role, "name").is_empty() {
        errors.required("roleRef.name", "");
    }
    for (at, subject) in list(object, "subjects").iter().enumerate() {
        let here = format!("subjects[{at}]");
        if text(subject, "name").is_empty() {
            errors.required(format!("{here}.name"), "");
        }
        match text(subject, "kind") {
            "ServiceAccount" => {
                if !text(subject, "apiGroup").is_empty() {
                    errors.unsupported(format!("{here}.apiGroup"), &subject["apiGroup"], &[""]);
                }
                // Within a namespace that one is meant.
                if kind == "ClusterRoleBinding" && text(subject, "namespace").is_empty() {
                    errors.required(format!("{here}.namespace"), "");
                }
            }
            "User" | "Group" => errors.one_of(format!("{here}.apiGroup"), &subject["apiGroup"], &[RBAC]),
            other => errors.unsupported(format!("{here}.kind"), &json!(other), &["ServiceAccount", "User", "Group"]),
        }
    }
    if let Some(old) = old
        && old["roleRef"] != *role
    {
        // Go's own names, in its own order.
        let shown = json!({"APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]});
        errors.invalid("roleRef", &shown, "cannot change roleRef");
    }
}

pub(super) fn budget(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let given = |field: &str| spec.get(field).is_some_and(|one| !one.is_null());
    if given("minAvailable") && given("maxUnavailable") {
        let shown = internal::text("PodDisruptionBudgetSpec", spec);
        errors.invalid_text("spec", &shown, "minAvailable and maxUnavailable cannot be both set");
    }
    for count in ["minAvailable", "maxUnavailable"] {
        rules::count_or_percent(&format!("spec.{count}"), spec.get(count), true, errors);
    }
    if !is_empty(spec.get("selector")) {
        label_selector(&spec["selector"], "spec.selector", errors);
    }
    let policies = ["AlwaysAllow", "IfHealthyBudget"];
    errors.one_of("spec.unhealthyPodEvictionPolicy", &spec["unhealthyPodEvictionPolicy"], &policies);
}

pub(super) fn runtime_class(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let handler = text(object, "handler");
    errors.all_invalid("handler", handler, names::dns_label(handler));
    for (name, amount) in object.pointer("/overhead/podFixed").and_then(Value::as_object).into_iter().flatten() {
        template::amount(name, amount, &format!("overhead.limits[{name}]"), errors);
    }
    if let Some(old) = old {
        errors.unchanged("handler", "/handler", old, object);
    }
}

pub(super) fn priority(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    const MOST: i64 = 1_000_000_000;
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let is_system = ["system-node-critical", "system-cluster-critical"].contains(&name);
    if name.starts_with("system-") && !is_system {
        let why = format!(
            "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known system priority class"
        );
        errors.forbidden("metadata.name", &why);
    }
    if !is_system && object["value"].as_i64().is_some_and(|value| value > MOST) {
        let why = format!("maximum allowed value of a user defined priority is {MOST}");
        errors.forbidden("value", &why);
    }
    errors.one_of("preemptionPolicy", &object["preemptionPolicy"], &["PreemptLowerPriority", "Never"]);
    let Some(old) = old else { return };
    for (part, none) in [("value", json!(0)), ("preemptionPolicy", json!("PreemptLowerPriority"))] {
        let value =
            |object: &Value| object.get(part).filter(|one| !one.is_null()).cloned().unwrap_or_else(|| none.clone());
        if value(old) != value(object) {
            let why = if part == "value" { "may not be changed in an update." } else { "field is immutable" };
            errors.forbidden(part, why);
        }
    }
}
