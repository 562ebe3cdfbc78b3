//! The parts of `metadata` that the API itself keeps.

use jiff::Timestamp;
use rand::Rng;
use serde_json::{Map, Value, json};

/// The metadata, made where it is missing; an object that is no map becomes one.
pub fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    if !object.is_object() {
        *object = json!({});
    }
    let metadata = &mut object["metadata"];
    if !metadata.is_object() {
        *metadata = json!({});
    }
    metadata.as_object_mut().expect("it was made a map")
}

/// A text of the metadata; empty where there is none.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.pointer("/metadata").and_then(|metadata| metadata.get(field)).and_then(Value::as_str).unwrap_or_default()
}

pub fn name(object: &Value) -> &str {
    text(object, "name")
}

pub fn namespace(object: &Value) -> &str {
    text(object, "namespace")
}

pub fn set(object: &mut Value, field: &str, value: impl Into<Value>) {
    metadata_mut(object).insert(field.to_owned(), value.into());
}

pub fn remove(object: &mut Value, field: &str) -> Option<Value> {
    metadata_mut(object).remove(field)
}

pub fn set_resource_version(object: &mut Value, revision: i64) {
    set(object, "resourceVersion", revision.to_string());
}

pub fn finalizers(object: &Value) -> Vec<String> {
    let list = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    if finalizers.is_empty() {
        remove(object, "finalizers");
    } else {
        set(object, "finalizers", json!(finalizers));
    }
}

pub fn is_terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string)
}

/// Whole seconds, as `metav1.Time` has them.
pub fn time_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// As `metav1.MicroTime` has them.
pub fn micro_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// With nanoseconds, as a node writes times into logs and annotations.
pub fn nano_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

/// The last moment that there is, where `seconds` reach past it.
pub fn from_now(seconds: i64) -> Timestamp {
    let end = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::now().checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(end)
}

pub fn now_text() -> String {
    time_text(Timestamp::now())
}

/// The characters of drawn names and hashes, as in Kubernetes' `rand.SafeEncodeString`: no vowels, so no words.
pub const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Five characters as Kubernetes draws them.
pub fn suffix() -> String {
    let mut random = rand::rng();
    (0..5).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

/// A name of at most 63 characters below this prefix.
pub fn generated_name(prefix: &str) -> String {
    let kept: String = prefix.chars().take(63 - 5).collect();
    format!("{kept}{}", suffix())
}
