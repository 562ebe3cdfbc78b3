//! Who may do what: bindings, admission, priority levels.

use serde_json::{Value, json};

use super::{each, inside, set, set_pointer, within};

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn binding(object: &mut Value) {
    inside(object, "roleRef", |role| set(role, "apiGroup", json!(RBAC)));
    each(object, "subjects", |subject| {
        if subject["kind"] == "User" || subject["kind"] == "Group" {
            set(subject, "apiGroup", json!(RBAC));
        }
    });
}

pub(super) fn webhooks(kind: &str, object: &mut Value) {
    each(object, "webhooks", |hook| {
        set_pointer(hook, "failurePolicy", json!("Fail"));
        set_pointer(hook, "matchPolicy", json!("Equivalent"));
        set(hook, "namespaceSelector", json!({}));
        set(hook, "objectSelector", json!({}));
        set(hook, "timeoutSeconds", json!(10));
        if kind == "MutatingWebhookConfiguration" {
            set_pointer(hook, "reinvocationPolicy", json!("Never"));
        }
        each(hook, "rules", |rule| set_pointer(rule, "scope", json!("*")));
        inside(hook, "clientConfig", |config| inside(config, "service", |service| set(service, "port", json!(443))));
    });
}

pub(super) fn admission_policy(object: &mut Value) {
    within(object, "spec", |spec| {
        set_pointer(spec, "failurePolicy", json!("Fail"));
        inside(spec, "matchConstraints", matching);
    });
}

pub(super) fn admission_binding(object: &mut Value) {
    within(object, "spec", |spec| inside(spec, "matchResources", matching));
}

fn matching(rules: &mut Value) {
    set_pointer(rules, "matchPolicy", json!("Equivalent"));
    set(rules, "namespaceSelector", json!({}));
    set(rules, "objectSelector", json!({}));
    for list in ["resourceRules", "excludeResourceRules"] {
        each(rules, list, |rule| set_pointer(rule, "scope", json!("*")));
    }
}

pub(super) fn priority_level(object: &mut Value) {
    within(object, "spec", |spec| {
        if spec["type"] == "Exempt" {
            within(spec, "exempt", |exempt| {
                set(exempt, "nominalConcurrencyShares", json!(0));
                set(exempt, "lendablePercent", json!(0));
            });
        }
        inside(spec, "limited", |limited| {
            set(limited, "nominalConcurrencyShares", json!(30));
            set(limited, "lendablePercent", json!(0));
            inside(limited, "limitResponse", |response| {
                inside(response, "queuing", |queuing| {
                    set(queuing, "queues", json!(64));
                    set(queuing, "handSize", json!(8));
                    set(queuing, "queueLengthLimit", json!(50));
                });
            });
        });
    });
}

pub(super) fn api_service(object: &mut Value) {
    within(object, "spec", |spec| inside(spec, "service", |service| set(service, "port", json!(443))));
}
