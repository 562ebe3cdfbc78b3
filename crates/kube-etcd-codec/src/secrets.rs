//! The parts of an object whose text is never written anywhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{Decoded, Encoding, Kind, kind_by_api_version};

/// Replaces each secret text by its size (`<12 bytes, hidden>`), wherever in the object a Secret stands: in
/// lists, in typed ones whose items do not name their kind, in watch events and reviews. Says how many there were.
pub fn conceal(object: &mut Value) -> usize {
    within(object, None)
}

fn within(value: &mut Value, listed: Option<&'static Kind>) -> usize {
    match value {
        Value::Array(items) => items.iter_mut().map(|item| within(item, listed)).sum(),
        Value::Object(fields) => {
            let kind = kind_of(fields).or(listed);
            let items = item_kind(fields);
            let mut hidden = 0;
            for (name, inner) in fields.iter_mut() {
                hidden += within(inner, if name == "items" { items } else { None });
            }
            for pointer in kind.map_or(&[][..], |kind| kind.secret) {
                hidden += value.pointer_mut(pointer).map_or(0, |part| hide(part, *pointer == "/data"));
            }
            hidden
        }
        _ => 0,
    }
}

fn kind_of(fields: &Map<String, Value>) -> Option<&'static Kind> {
    let field = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    kind_by_api_version(field("apiVersion"), field("kind"))
}

/// Of what kind the items of a list are that do not say it.
fn item_kind(fields: &Map<String, Value>) -> Option<&'static Kind> {
    let field = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    kind_by_api_version(field("apiVersion"), field("kind").strip_suffix("List")?)
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

/// Whether a stored value must not be shown as it is: what cannot be read, and what looks like an object but is
/// none any more, since its end is missing.
pub fn is_opaque(decoded: &Decoded) -> bool {
    let text = decoded.object.as_str().unwrap_or_default();
    decoded.encoding == Encoding::Plain && text.trim_start().starts_with('{') && text.contains("Secret")
}

/// The texts of a Secret that must be known to be hidden elsewhere.
pub fn secret_texts(secret: &Value) -> Vec<Vec<u8>> {
    // What these hold beside it is public, in words such as `true` and `kube-system` that stand everywhere.
    let token = match secret["type"].as_str() {
        Some("bootstrap.kubernetes.io/token") => Some("token-secret"),
        Some("kubernetes.io/service-account-token") => Some("token"),
        _ => None,
    };
    let mut texts = Vec::new();
    let wanted = |name: &str| token.is_none_or(|token| name == token);
    let of = |object: &Value, texts: &mut Vec<Vec<u8>>| {
        for (_, value) in object["data"].as_object().into_iter().flatten().filter(|(name, _)| wanted(name)) {
            let Some(text) = value.as_str() else {
                texts.push(value.to_string().into_bytes());
                continue;
            };
            // What is no base64 was refused, and is a text that somebody took for one.
            texts.push(STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec()));
        }
        for (_, value) in object["stringData"].as_object().into_iter().flatten().filter(|(name, _)| wanted(name)) {
            texts.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned).into_bytes());
        }
    };
    of(secret, &mut texts);
    let applied = &secret["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
    if let Some(applied) = applied.as_str() {
        match serde_json::from_str::<Value>(applied) {
            Ok(object) => of(&object, &mut texts),
            Err(_) => texts.push(applied.as_bytes().to_vec()),
        }
    }
    texts.sort_unstable();
    texts.dedup();
    texts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_token_only_the_token_is_hidden() {
        let text = |object: &Value| -> Vec<String> {
            secret_texts(object).into_iter().map(|text| String::from_utf8(text).expect("text")).collect()
        };
        let kubeadms = json!({"type": "bootstrap.kubernetes.io/token", "data": {
            "token-id": "YWJjZGVm", "token-secret": "MDEyMzQ1Njc4OWFiY2RlZg==", "usage-bootstrap-signing": "dHJ1ZQ==",
        }});
        assert_eq!(text(&kubeadms), ["0123456789abcdef"]);
        let accounts = json!({"type": "kubernetes.io/service-account-token", "data": {
            "namespace": "a3ViZS1zeXN0ZW0=", "token": "ZXlK",
        }});
        assert_eq!(text(&accounts), ["eyJ"]);
        let own = json!({"type": "Opaque", "data": {"user": "YW5uYQ==", "password": "aHVudGVyMg=="}});
        assert_eq!(text(&own), ["anna", "hunter2"]);
        let applied = json!({"stringData": {"password": "before"}}).to_string();
        let applied = json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}},
                             "data": {"password": "aHVudGVyMg=="}});
        assert_eq!(text(&applied), ["before", "hunter2"]);
    }

    #[test]
    fn items_of_typed_lists_and_objects_within_others_are_concealed() {
        let item = json!({"metadata": {"name": "s"}, "data": {"p": "VE9QU0VDUkVU"}});
        let whole = json!({"apiVersion": "v1", "kind": "Secret", "data": {"p": "VE9QU0VDUkVU"}, "stringData": {"q": "TOPSECRET"}});
        for (mut object, count) in [
            (json!({"apiVersion": "v1", "kind": "SecretList", "items": [item, item]}), 2),
            (json!({"apiVersion": "v1", "kind": "List", "items": [whole, {"kind": "Pod"}]}), 2),
            (json!({"type": "ADDED", "object": whole}), 2),
            (json!([whole, {"request": {"oldObject": whole}}]), 4),
            (json!({"apiVersion": "v1", "kind": "ConfigMapList", "items": [item]}), 0),
        ] {
            assert_eq!(conceal(&mut object), count, "{object}");
            assert!(count == 0 || !object.to_string().contains("VE9Q"), "{object}");
            assert!(!object.to_string().contains("TOPSECRET"), "{object}");
        }
    }
}
