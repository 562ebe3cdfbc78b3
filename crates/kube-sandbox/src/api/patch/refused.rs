//! What Kubernetes says where a patched object has a value of the wrong type: the patch is what is wrong.

use serde_json::{Value, json};

use super::Patch;
use crate::status::ApiError;
use kube_etcd_codec::Ordered;

/// Puts the error of a decoder, `json: cannot unmarshal string into … of type int32`, down to the patch.
pub fn refused(patch: &Patch, patched: &Value, error: ApiError) -> ApiError {
    let Some(at) = error.message.find("json: cannot unmarshal ").filter(|_| error.code == 400) else { return error };
    let why = &error.message[at..];
    let (value, why) = match patch {
        Patch::Strategic(patch) => (go_text(patch), converter_words(why)),
        // Written anew after the operations, from a map that knows no order.
        Patch::Json(_) => (patched.to_string(), why.to_owned()),
        _ => (serde_json::to_string(&Ordered(patched)).unwrap_or_default(), why.to_owned()),
    };
    let cause = format!("Invalid value: {}: {why}", json!(value));
    ApiError::new(422, "Invalid", format!(" \"\" is invalid: patch: {cause}"))
        .with_details(json!({"causes": [{"reason": "FieldValueInvalid", "message": cause, "field": "patch"}]}))
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
