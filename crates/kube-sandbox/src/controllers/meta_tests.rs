use std::collections::HashMap;

use serde_json::json;

use super::*;

#[test]
fn selectors_select_as_kubernetes_does() {
    let labels = HashMap::from([("app", "web"), ("tier", "front")]);
    let label = |key: &str| labels.get(key).copied();
    let rule = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
    assert!(selects(&json!({"matchLabels": {"app": "web"}}), label));
    assert!(!selects(&json!({"matchLabels": {"app": "db"}}), label));
    assert!(selects(&rule("app", "In", &["web", "db"]), label));
    assert!(selects(&rule("zone", "NotIn", &["a"]), label));
    assert!(selects(&rule("zone", "DoesNotExist", &[]), label));
    assert!(!selects(&rule("app", "DoesNotExist", &[]), label));
    assert!(!selects_map(&json!({}), label));
}

#[test]
fn percentages_round_as_asked() {
    assert_eq!(int_or_percent(&json!("25%"), 3, true), 1);
    assert_eq!(int_or_percent(&json!("25%"), 3, false), 0);
    assert_eq!(int_or_percent(&json!(2), 3, false), 2);
}

#[test]
fn hashes_are_stable_and_safe() {
    let template = json!({"spec": {"containers": []}});
    assert_eq!(hash(&template, 0), hash(&template, 0));
    assert_ne!(hash(&template, 0), hash(&template, 1));
    assert!(hash(&template, 0).bytes().all(|byte| SAFE.contains(&byte)));
}

#[test]
fn a_condition_moves_its_time_only_with_its_status() {
    let mut conditions =
        vec![json!({"type": "Ready", "status": "True", "reason": "A", "lastTransitionTime": "2020-01-01T00:00:00Z"})];
    assert!(set_condition(&mut conditions, json!({"type": "Ready", "status": "True", "reason": "B"})));
    assert_eq!(conditions[0]["lastTransitionTime"], "2020-01-01T00:00:00Z");
    assert!(!set_condition(&mut conditions, json!({"type": "Ready", "status": "True", "reason": "B"})));
    assert!(set_condition(&mut conditions, json!({"type": "Ready", "status": "False", "reason": "B"})));
    assert_ne!(conditions[0]["lastTransitionTime"], "2020-01-01T00:00:00Z");
}
