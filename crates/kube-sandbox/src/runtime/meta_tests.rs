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
    assert!(hash(&template, 0).bytes().all(|byte| LETTERS.contains(&byte)));
}
