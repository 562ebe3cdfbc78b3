//! The conditions of a status.

use serde_json::Value;

use super::meta::now_text;

/// Sets a condition; its transition time moves only when its status does. Says whether anything changed.
pub(crate) fn set_condition(conditions: &mut Vec<Value>, mut condition: Value) -> bool {
    let at = conditions.iter().position(|held| held["type"] == condition["type"]);
    if condition.get("lastTransitionTime").is_none() {
        condition["lastTransitionTime"] = now_text().into();
    }
    match at {
        None => conditions.push(condition),
        Some(at) => {
            let held = &mut conditions[at];
            if held["status"] == condition["status"] {
                condition["lastTransitionTime"] = held["lastTransitionTime"].clone();
            }
            if *held == condition {
                return false;
            }
            *held = condition;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_moves_its_time_only_with_its_status() {
        let mut conditions = vec![
            json!({"type": "Ready", "status": "True", "reason": "A", "lastTransitionTime": "2020-01-01T00:00:00Z"}),
        ];
        assert!(set_condition(&mut conditions, json!({"type": "Ready", "status": "True", "reason": "B"})));
        assert_eq!(conditions[0]["lastTransitionTime"], "2020-01-01T00:00:00Z");
        assert!(!set_condition(&mut conditions, json!({"type": "Ready", "status": "True", "reason": "B"})));
        assert!(set_condition(&mut conditions, json!({"type": "Ready", "status": "False", "reason": "B"})));
        assert_ne!(conditions[0]["lastTransitionTime"], "2020-01-01T00:00:00Z");
    }
}
