//! Small things that many controllers need: times, owners, selectors, hashes, names.

use serde_json::{Map, Value, json};

use super::object::{Key, Object};
use crate::object::meta::{LETTERS, micro_text};

pub(crate) use crate::object::meta::{now_text as now, time_text as time};

pub(crate) fn now_micro() -> String {
    micro_text(jiff::Timestamp::now())
}

pub(crate) fn now_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Nanoseconds since 1970, which Kubernetes puts into the names of Events.
pub(crate) fn nanos() -> i128 {
    jiff::Timestamp::now().as_nanosecond()
}

/// The `ownerReferences` entry that makes `owner` the controller of what carries it.
pub(crate) fn controller_of(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// A hash of a template in the form of Kubernetes' `pod-template-hash`: stable, not the same number.
pub(crate) fn hash(value: &Value, collisions: i64) -> String {
    let mut hash: u32 = 0x811c_9dc5;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    };
    add(value.to_string().as_bytes());
    if collisions > 0 {
        add(&collisions.to_le_bytes());
    }
    hash.to_string().bytes().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect()
}

/// What clients write as a number is added up and multiplied here: a larger one than this, which is as good as
/// endless both in seconds and in pods, counts as this.
const LARGEST: i64 = 1 << 40;

pub(crate) fn number(value: &Value) -> Option<i64> {
    value.as_i64().map(|number| number.clamp(-LARGEST, LARGEST))
}

pub(crate) fn int(value: &Value, or: i64) -> i64 {
    number(value).unwrap_or(or)
}

/// A number or a percentage of `total`.
pub(crate) fn int_or_percent(value: &Value, total: i64, round_up: bool) -> i64 {
    match value {
        Value::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or_default();
            let product = i128::from(percent) * i128::from(total);
            let share = if round_up { (product + 99).div_euclid(100) } else { product.div_euclid(100) };
            i64::try_from(share.clamp(-i128::from(LARGEST), i128::from(LARGEST))).unwrap_or_default()
        }
        other => int(other, 0),
    }
}

/// Leaves out numbers that are zero, as Kubernetes' `omitempty` does.
pub(crate) fn without_zeros(fields: &[(&str, i64)]) -> Map<String, Value> {
    fields
        .iter()
        .filter(|(_, number)| *number != 0)
        .map(|(name, number)| ((*name).to_owned(), (*number).into()))
        .collect()
}

pub(crate) fn key_of(object: &Value) -> Key {
    let metadata = &object["metadata"];
    Key::new(metadata["namespace"].as_str().unwrap_or_default(), metadata["name"].as_str().unwrap_or_default())
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The newest last, names breaking ties.
pub(crate) fn oldest_first(a: &Object, b: &Object) -> std::cmp::Ordering {
    a.created.cmp(&b.created).then_with(|| a.key.cmp(&b.key))
}

#[cfg(test)]
#[path = "meta_tests.rs"]
mod tests;
