//! What every object is made of, whoever handles it: metadata, names, labels, quantities, conditions.

pub mod before;
pub mod conditions;
pub mod field_error;
pub mod labels;
pub mod meta;
pub mod names;
pub mod ports;
pub mod quantity;
pub mod usage;

use serde_json::Value;

/// As Go's decoder names what it found.
pub fn json_kind(found: &Value) -> &'static str {
    match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A list, or nothing.
pub fn list<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Gives `to` the field that `from` has, or takes it away where `from` has none.
pub fn copy_field(from: &Value, to: &mut Value, field: &str) {
    match (from.get(field), to.as_object_mut()) {
        (Some(value), Some(map)) => drop(map.insert(field.to_owned(), value.clone())),
        (None, Some(map)) => drop(map.remove(field)),
        (_, None) => {}
    }
}

/// A text; empty where there is none.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}
