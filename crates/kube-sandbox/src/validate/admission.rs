//! Admission policies, their bindings, and webhooks.

use serde_json::{Value, json};

use super::errors::Errors;
use super::hook as place;
use crate::cel::policy;
use crate::object::{list, names, text};

pub(super) fn policy(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    errors.one_of("spec.failurePolicy", &spec["failurePolicy"], &["Fail", "Ignore"]);
    if spec["matchConstraints"].is_null() {
        errors.required("spec.matchConstraints", "");
    } else if list(&spec["matchConstraints"], "resourceRules").is_empty() {
        errors.required("spec.matchConstraints.resourceRules", "");
    }
    let rules = list(&spec["matchConstraints"], "resourceRules");
    resource_rules(rules, "spec.matchConstraints.resourceRules", errors);
    for (at, validation) in list(spec, "validations").iter().enumerate() {
        let known = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
        errors.one_of(format!("spec.validations[{at}].reason"), &validation["reason"], &known);
    }
    if list(spec, "validations").is_empty() && list(spec, "auditAnnotations").is_empty() {
        for part in ["validations", "auditAnnotations"] {
            let why = "validations or auditAnnotations must contain at least one item";
            errors.required(format!("spec.{part}"), why);
        }
    }
    errors.extend(policy::problems(spec));
}

/// Which requests a policy or a webhook is asked about.
fn resource_rules(rules: &[Value], field: &str, errors: &mut Errors) {
    const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    for (at, rule) in rules.iter().enumerate() {
        let here = format!("{field}[{at}]");
        for part in ["operations", "apiGroups", "apiVersions", "resources"] {
            let given = list(rule, part);
            if given.is_empty() {
                errors.required(format!("{here}.{part}"), "");
            }
            for (at, one) in given.iter().enumerate() {
                let here = format!("{here}.{part}[{at}]");
                match part {
                    "operations" => errors.one_of(here, one, &OPERATIONS),
                    // The core group has no name.
                    "apiGroups" => {}
                    _ if one == "" => errors.required(here, ""),
                    _ => {}
                }
            }
        }
    }
}

pub(super) fn mutating(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    errors.one_of("spec.failurePolicy", &spec["failurePolicy"], &["Fail", "Ignore"]);
    errors.one_of("spec.reinvocationPolicy", &spec["reinvocationPolicy"], &["IfNeeded", "Never"]);
    if spec["matchConstraints"].is_null() {
        errors.required("spec.matchConstraints", "");
    } else if list(&spec["matchConstraints"], "resourceRules").is_empty() {
        errors.required("spec.matchConstraints.resourceRules", "");
    }
    let rules = list(&spec["matchConstraints"], "resourceRules");
    resource_rules(rules, "spec.matchConstraints.resourceRules", errors);
    if list(spec, "mutations").is_empty() {
        errors.required("spec.mutations", "mutations must contain at least one item");
    }
    for (at, mutation) in list(spec, "mutations").iter().enumerate() {
        let kinds = ["ApplyConfiguration", "JSONPatch"];
        errors.one_of(format!("spec.mutations[{at}].patchType"), &mutation["patchType"], &kinds);
    }
    errors.extend(policy::problems(spec));
}

pub(super) fn mutating_binding(object: &Value, errors: &mut Errors) {
    if text(&object["spec"], "policyName").is_empty() {
        errors.required("spec.policyName", "");
    }
}

pub(super) fn binding(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    if text(spec, "policyName").is_empty() {
        errors.required("spec.policyName", "");
    }
    let actions = list(spec, "validationActions");
    if actions.is_empty() {
        errors.required("spec.validationActions", "at least one validation action is required");
    }
    for (at, action) in actions.iter().enumerate() {
        errors.one_of(format!("spec.validationActions[{at}]"), action, &["Audit", "Deny", "Warn"]);
    }
    if ["Deny", "Warn"].iter().all(|one| actions.iter().any(|action| action == one)) {
        let why = "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
        errors.invalid("spec.validationActions", &spec["validationActions"], why);
    }
}

pub(super) fn webhooks(object: &Value, errors: &mut Errors) {
    for (at, hook) in list(object, "webhooks").iter().enumerate() {
        let here = format!("webhooks[{at}]");
        let name = text(hook, "name");
        let wrong = names::dns_subdomain(name);
        if wrong.is_empty() && name.split('.').count() < 3 {
            let why = "should be a domain with at least three segments separated by dots";
            errors.invalid(format!("{here}.name"), &json!(name), why);
        }
        errors.all_invalid(&format!("{here}.name"), name, wrong);
        resource_rules(list(hook, "rules"), &format!("{here}.rules"), errors);
        errors.one_of(format!("{here}.failurePolicy"), &hook["failurePolicy"], &["Fail", "Ignore"]);
        errors.one_of(format!("{here}.matchPolicy"), &hook["matchPolicy"], &["Equivalent", "Exact"]);
        if text(hook, "sideEffects").is_empty() {
            errors.required(format!("{here}.sideEffects"), "must specify one of None, NoneOnDryRun");
        } else {
            errors.one_of(format!("{here}.sideEffects"), &hook["sideEffects"], &["None", "NoneOnDryRun"]);
        }
        let timeout = &hook["timeoutSeconds"];
        if timeout.as_i64().is_some_and(|seconds| !(1..=30).contains(&seconds)) {
            errors.invalid(
                format!("{here}.timeoutSeconds"),
                timeout,
                "the timeout value must be between 1 and 30 seconds",
            );
        }
        let config = &hook["clientConfig"];
        place::place(config, &format!("{here}.clientConfig"), errors);
        for mut error in policy::problems(hook) {
            error.field = error.field.replacen("spec.", &format!("{here}."), 1);
            errors.extend(vec![error]);
        }
        if list(hook, "admissionReviewVersions").is_empty() {
            errors.required(format!("{here}.admissionReviewVersions"), "must specify one of v1, v1beta1");
        }
    }
}
