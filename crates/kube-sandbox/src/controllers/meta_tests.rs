use serde_json::json;

use super::*;

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
