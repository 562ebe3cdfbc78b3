//! What Kubernetes says where a patched object has a value of the wrong type: the patch is what is wrong.

use std::collections::BTreeMap;

use json_patch::PatchOperation;
use serde_json::{Value, json};

use super::Patch;
use crate::status::ApiError;
use crate::validate::is_name_of_text;
use kube_etcd_codec::{Field, Message, ordered_as};

/// Puts the error of a decoder, `json: cannot unmarshal string into … of type int32`, down to the patch.
pub fn refused(patch: &Patch, patched: &Value, error: ApiError) -> ApiError {
    let Some(at) = error.message.find("json: cannot unmarshal ").filter(|_| error.code == 400) else { return error };
    let why = &error.message[at..];
    let (value, why) = match patch {
        Patch::Strategic(patch) => (go_text(patch), converter_words(why)),
        Patch::Json(operations) => (written(patched, &touched(operations)), why.to_owned()),
        Patch::Merge(patch) | Patch::Apply(patch) => (written(patched, patch), why.to_owned()),
    };
    let cause = format!("Invalid value: {}: {why}", json!(value));
    ApiError::new(422, "Invalid", format!(" \"\" is invalid: patch: {cause}"))
        .with_details(json!({"causes": [{"reason": "FieldValueInvalid", "message": cause, "field": "patch"}]}))
}

/// The patched object as the real server has it at that moment: what the patch went through is written anew from a map,
/// by name, and all else stands as it stood, in the order of Go's structs.
fn written(patched: &Value, touched: &Value) -> String {
    let text = |field: &str| patched.get(field).and_then(Value::as_str).unwrap_or_default();
    let message = kube_etcd_codec::message_of(text("apiVersion"), text("kind"));
    let mut out = String::new();
    write(patched, Some(touched), message, &mut out);
    out
}

fn write(value: &Value, touched: Option<&Value>, message: Option<&'static Message>, out: &mut String) {
    match (value, touched) {
        (Value::Object(map), Some(Value::Object(touched))) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            out.push('{');
            for (at, (name, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&json!(name).to_string());
                out.push(':');
                let inner = message.and_then(|message| message.field(name)).and_then(Field::message);
                write(value, touched.get(name), inner, out);
            }
            out.push('}');
        }
        (Value::Array(items), Some(Value::Object(touched))) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, touched.get(&at.to_string()), message, out);
            }
            out.push(']');
        }
        _ => out.push_str(&serde_json::to_string(&ordered_as(message, value)).unwrap_or_default()),
    }
}

/// Where operations went: an object for each object and list that one of them looked into.
fn touched(operations: &json_patch::Patch) -> Value {
    let mut root = json!({});
    for operation in &operations.0 {
        let from = match operation {
            PatchOperation::Move(one) => Some(one.from.as_ptr()),
            PatchOperation::Copy(one) => Some(one.from.as_ptr()),
            _ => None,
        };
        for path in from.into_iter().chain([operation.path()]) {
            let mut here = &mut root;
            let parts: Vec<String> = path.tokens().map(|token| token.decoded().into_owned()).collect();
            for part in parts.iter().take(parts.len().saturating_sub(1)) {
                here = &mut here[part.as_str()];
                if !here.is_object() {
                    *here = json!({});
                }
            }
        }
    }
    root
}

/// A strategic patch goes through a converter with words of its own.
fn converter_words(why: &str) -> String {
    let got = why.split_whitespace().nth(3).unwrap_or_default();
    let got = match got {
        "number" => "int64",
        "object" => "map",
        "array" => "slice",
        other => other,
    };
    match why.rsplit(' ').next().unwrap_or_default() {
        wanted if wanted.starts_with("[]") => format!("cannot restore slice from {got}"),
        wanted if wanted.starts_with("map[") => format!("cannot restore map from {got}"),
        // In Go a whole number can be made a text.
        wanted if is_name_of_text(wanted) && got == "int64" => format!("cannot convert int64 to {wanted}"),
        wanted if is_name_of_text(wanted) => "unrecognized type: string".to_owned(),
        "v1.ResourceList" => format!("cannot restore map from {got}"),
        wanted if wanted.contains('.') => format!("cannot restore struct from: {got}"),
        wanted => format!("unrecognized type: {wanted}"),
    }
}

/// As Go prints a map: `map[spec:map[replicas:x]]`.
pub(super) fn go_text(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", go_text(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(go_text).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_is_what_is_wrong() {
        let error = || {
            ApiError::bad_request(
                "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
            )
        };
        let patch = json!({"spec": {"replicas": "x"}});
        assert_eq!(
            refused(&Patch::Strategic(patch.clone()), &patch, error()).message,
            " \"\" is invalid: patch: Invalid value: \"map[spec:map[replicas:x]]\": unrecognized type: int32"
        );
        assert_eq!(
            refused(&Patch::Merge(patch.clone()), &patch, error()).details["causes"][0]["message"],
            "Invalid value: \"{\\\"spec\\\":{\\\"replicas\\\":\\\"x\\\"}}\": json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
        );
        let patched = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"uid": "u", "name": "n"},
            "spec": {"template": {}, "replicas": "x"}});
        let operations = json!([{"op": "replace", "path": "/spec/replicas", "value": "x"}]);
        let operations = serde_json::from_value(operations).expect("a patch");
        let text = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"n","uid":"u"},"spec":{"replicas":"x","template":{}}}"#;
        for patch in [Patch::Merge(patch.clone()), Patch::Json(operations)] {
            let cause = refused(&patch, &patched, error()).details["causes"][0]["message"].clone();
            let said = cause.as_str().expect("a text");
            assert!(said.starts_with(&format!("Invalid value: {}: json: ", json!(text))), "{said}");
        }
        let labels = ApiError::bad_request(
            "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        );
        let patch = json!({"metadata": {"labels": "x"}});
        assert_eq!(
            refused(&Patch::Strategic(patch.clone()), &patch, labels).message,
            " \"\" is invalid: patch: Invalid value: \"map[metadata:map[labels:x]]\": cannot restore map from string"
        );
        let other = ApiError::bad_request("something else");
        assert_eq!(refused(&Patch::Merge(patch.clone()), &patch, other).message, "something else");
    }
}
