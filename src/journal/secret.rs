use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What stands for a value that must not be shown.
pub fn hidden(size: usize) -> String {
    format!("<{size} bytes, hidden>")
}

/// The object without what it keeps secret: the values of a Secret, and the copy of them that
/// `kubectl apply` leaves in an annotation.
pub fn hide(mut object: Value) -> Value {
    if object.get("kind").and_then(Value::as_str) != Some("Secret") {
        return object;
    }
    for field in ["data", "stringData"] {
        let Some(Value::Object(data)) = object.get_mut(field) else { continue };
        for value in data.values_mut() {
            let text = value.as_str().unwrap_or_default();
            let size = if field == "data" { STANDARD.decode(text).map_or(text.len(), |b| b.len()) } else { text.len() };
            *value = Value::String(hidden(size));
        }
    }
    let applied = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
    if let Some(Value::String(text)) = object.pointer_mut(applied) {
        *text = hidden(text.len());
    }
    object
}
