//! The parts of an object whose text is never written anywhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::kind_by_api_version;

/// Replaces each secret text by its size (`<12 bytes, hidden>`), in lists of objects too, and says how
/// many there were.
pub fn conceal(object: &mut Value) -> usize {
    if let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) {
        return items.iter_mut().map(conceal).sum();
    }
    let field = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let Some(kind) = kind_by_api_version(field("apiVersion"), field("kind")) else { return 0 };
    let parts = kind.secret.iter();
    parts.map(|pointer| object.pointer_mut(pointer).map_or(0, |part| hide(part, *pointer == "/data"))).sum()
}

fn hide(part: &mut Value, base64: bool) -> usize {
    match part {
        Value::Object(map) => map.values_mut().map(|value| hide(value, base64)).sum(),
        Value::Null => 0,
        value => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if text.starts_with('<') && text.ends_with(" bytes, hidden>") {
                // A saved object, concealed before it was saved: its size is the true one.
                return 1;
            }
            let decoded = base64.then(|| STANDARD.decode(&text).ok()).flatten();
            let size = decoded.map_or(text.len(), |bytes| bytes.len());
            *value = Value::String(format!("<{size} bytes, hidden>"));
            1
        }
    }
}
