//! Custom resources between their versions where a webhook of their definition converts them, as kube-apiserver asks
//! it, and refused in its words.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::convert::{as_own_version, pruned};
use super::hook;
use crate::object::{json_kind, meta, text};
use crate::resource::Resource;
use crate::resource::custom::{Conversion, CustomVersion};
use crate::resource::registry::Registry;
use crate::status::ApiError;
use crate::store::Store;
use crate::validate;

/// As long as kube-apiserver waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// The webhook of a resource whose versions only that knows how to convert.
pub(super) fn webhook(resource: &Resource) -> Option<(&CustomVersion, &Conversion)> {
    let custom = resource.custom.as_deref()?;
    Some((custom, custom.conversion.as_ref()?))
}

/// Objects of whatever versions, as they are stored, in this version.
pub(super) async fn to_version(
    (store, registry): (&Store, &Registry),
    (custom, conversion): (&CustomVersion, &Conversion),
    version: &str,
    mut objects: Vec<Value>,
) -> Result<Vec<Value>, ApiError> {
    for object in &mut objects {
        as_own_version(custom, object);
    }
    let asked: Vec<usize> =
        objects.iter().enumerate().filter(|(_, object)| object["apiVersion"] != version).map(|(at, _)| at).collect();
    let Some(first) = asked.first().map(|at| &objects[*at]) else { return Ok(objects) };
    let failed = |what: &str| ApiError::plain(format!("conversion webhook for {} {what}", kind_of(first)));
    let review_version = conversion.review_versions.iter().find(|one| ["v1", "v1beta1"].contains(&one.as_str()));
    let review_version = review_version.ok_or_else(|| ApiError::plain("no supported conversion review versions"))?;
    let uid = uuid::Uuid::new_v4().to_string();
    let review = json!({
        "kind": "ConversionReview", "apiVersion": format!("apiextensions.k8s.io/{review_version}"),
        "request": {
            "uid": uid, "desiredAPIVersion": version,
            "objects": asked.iter().map(|at| bare(&objects[*at])).collect::<Vec<Value>>(),
        },
        "response": {"uid": "", "convertedObjects": null, "result": {"metadata": {}}},
    });
    let mut answer = hook::call(store, registry, (&conversion.client, PATIENCE), review.to_string())
        .await
        .and_then(|answer| succeeded(answer, review_version, &uid))
        .map_err(|why| failed(&format!("failed: {why}")))?;
    let converted = match answer["convertedObjects"].take() {
        Value::Array(converted) => converted,
        _ => Vec::new(),
    };
    if converted.len() != asked.len() {
        return Err(failed(&format!("returned {} objects, expected {}", converted.len(), asked.len())));
    }
    for (at, converted) in asked.into_iter().zip(converted) {
        let said = |what: String| ApiError::plain(format!("conversion webhook for {} {what}", kind_of(&objects[at])));
        is_object(&converted).map_err(ApiError::plain)?;
        let mut converted = is_the_same(&objects[at], converted, version).map_err(said)?;
        pruned(custom, version, &mut converted);
        objects[at] = converted;
    }
    Ok(objects)
}

/// `example.com/v1, Kind=Thing`, as messages name it.
fn kind_of(object: &Value) -> String {
    format!("{}, Kind={}", text(object, "apiVersion"), text(object, "kind"))
}

/// The webhook gets no revision.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    meta::remove(&mut object, "resourceVersion");
    object
}

fn succeeded(mut answer: Value, version: &str, uid: &str) -> Result<Value, String> {
    let (api_version, kind) = (text(&answer, "apiVersion"), text(&answer, "kind"));
    if kind.is_empty() {
        return Err(format!("Object 'Kind' is missing in '{answer}'"));
    }
    let known = ["apiextensions.k8s.io/v1", "apiextensions.k8s.io/v1beta1"];
    if kind != "ConversionReview" || !known.contains(&api_version) {
        return Err(format!("no kind \"{kind}\" is registered for version \"{api_version}\""));
    }
    if version == "v1" && api_version != known[0] {
        let got = api_version.trim_start_matches("apiextensions.k8s.io/");
        return Err(format!(
            "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got apiextensions.k8s.io/{got}, Kind={kind}"
        ));
    }
    let response = answer["response"].take();
    if !response.is_object() {
        return Err("no response provided".to_owned());
    }
    if version == "v1" && text(&response, "uid") != uid {
        return Err(format!("expected response.uid=\"{uid}\", got \"{}\"", text(&response, "uid")));
    }
    match (text(&response["result"], "status"), text(&response["result"], "message")) {
        ("Success", _) => Ok(response),
        (status, "") => Err(format!("response.result.status was '{status}', not 'Success'")),
        (_, why) => Err(why.to_owned()),
    }
}

fn is_object(converted: &Value) -> Result<(), String> {
    if !converted.is_object() {
        return Err(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            json_kind(converted)
        ));
    }
    if text(converted, "kind").is_empty() {
        return Err(format!("Object 'Kind' is missing in '{converted}'"));
    }
    Ok(())
}

/// The converted object where it is the one that was asked for, its metadata as they were but for labels and annotations.
fn is_the_same(original: &Value, mut converted: Value, version: &str) -> Result<Value, String> {
    let (group_version, kind) = (text(&converted, "apiVersion"), text(&converted, "kind"));
    if group_version != version {
        let why = format!("invalid groupVersion (expected {version}, received {group_version})");
        return Err(format!("returned invalid object at index 0: {why}"));
    }
    if kind != text(original, "kind") {
        let why = format!("invalid kind (expected {}, received {kind})", text(original, "kind"));
        return Err(format!("returned invalid object at index 0: {why}"));
    }
    for (field, shown) in [("name", "name"), ("namespace", "namespace"), ("uid", "UID")] {
        let (is, was) = (meta::text(&converted, field), meta::text(original, field));
        if is != was {
            return Err(format!("returned invalid object: must have the same {shown}: {was} != {is}"));
        }
    }
    let metadata =
        restored(&original["metadata"], &converted).map_err(|why| format!("returned invalid metadata: {why}"))?;
    converted["metadata"] = metadata;
    Ok(converted)
}

fn restored(original: &Value, converted: &Value) -> Result<Value, String> {
    let answered = match converted.get("metadata") {
        None => return Err("missing metadata in converted object".to_owned()),
        Some(Value::Object(metadata)) => metadata,
        Some(other) => return Err(format!("invalid metadata of type {} in converted object", go_type(other))),
    };
    let mut metadata = original.as_object().cloned().unwrap_or_default();
    for field in ["labels", "annotations"] {
        let given = match answered.get(field) {
            None | Some(Value::Null) => {
                metadata.remove(field);
                continue;
            }
            Some(Value::Object(given)) => given,
            Some(other) => {
                return Err(format!("invalid metadata.{field} of type {} in converted object", go_type(other)));
            }
        };
        if metadata.get(field).and_then(Value::as_object) != Some(given) {
            checked(field, given)?;
        }
        metadata.insert(field.to_owned(), Value::Object(given.clone()));
    }
    Ok(Value::Object(metadata))
}

fn checked(field: &str, given: &Map<String, Value>) -> Result<(), String> {
    if let Some((key, value)) = given.iter().find(|(_, value)| !value.is_string()) {
        let why = format!("must be a string, but is {} in converted object", go_type(value));
        return Err(format!("metadata.{field}[{key}] {why}"));
    }
    let named = if field == "labels" { "metadata.labels" } else { "metadata.annotation" };
    let wrong = validate::marks(named, &Value::Object(given.clone()));
    let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        all => Err(format!("[{}]", all.join(", "))),
    }
}

/// As Go's `%T` names what JSON was read as.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(response: &Value) -> Value {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response})
    }

    #[test]
    fn only_a_success_for_this_request_is_one() {
        for (answer, why) in [
            (json!({"kind": "Other", "apiVersion": "apiextensions.k8s.io/v1"}), "no kind \"Other\" is registered"),
            (review(&json!(null)), "no response provided"),
            (review(&json!({"uid": "v"})), "expected response.uid=\"u\", got \"v\""),
            (review(&json!({"uid": "u"})), "response.result.status was '', not 'Success'"),
            (review(&json!({"uid": "u", "result": {"status": "Failed", "message": "no way"}})), "no way"),
        ] {
            let told = succeeded(answer, "v1", "u").expect_err(why);
            assert!(told.starts_with(why), "{told}");
        }
        assert!(succeeded(review(&json!({"uid": "u", "result": {"status": "Success"}})), "v1", "u").is_ok());
    }

    #[test]
    fn nothing_but_labels_and_annotations_may_change() {
        let original = json!({
            "apiVersion": "e.x/v1", "kind": "T",
            "metadata": {"name": "a", "namespace": "n", "uid": "u", "generation": 3, "labels": {"l": "1"}},
        });
        let metadata = |more: Value| {
            let mut all = json!({"name": "a", "namespace": "n", "uid": "u"});
            all.as_object_mut().expect("a map").extend(more.as_object().cloned().unwrap_or_default());
            all
        };
        let of = |metadata: Value| json!({"apiVersion": "e.x/v2", "kind": "T", "metadata": metadata});
        for (metadata, why) in [
            (metadata(json!({"name": "b"})), "returned invalid object: must have the same name: a != b"),
            (metadata(json!({"namespace": "m"})), "returned invalid object: must have the same namespace: n != m"),
            (metadata(json!({"uid": "w"})), "returned invalid object: must have the same UID: u != w"),
            (
                metadata(json!({"labels": {"a": 1}})),
                "returned invalid metadata: metadata.labels[a] must be a string, but is int64 in converted object",
            ),
            (
                metadata(json!({"labels": [1]})),
                "returned invalid metadata: invalid metadata.labels of type []interface {} in converted object",
            ),
            (
                metadata(json!({"labels": {"a": "b c"}})),
                "returned invalid metadata: metadata.labels: Invalid value: \"b c\": a valid label must be",
            ),
        ] {
            let told = is_the_same(&original, of(metadata), "e.x/v2").expect_err(why);
            assert!(told.starts_with(why), "{told}");
        }
        let answered = of(metadata(json!({"generation": 9, "finalizers": ["a/b"], "annotations": {"x": "y"}})));
        let kept = is_the_same(&original, answered, "e.x/v2").expect("it is the same");
        assert_eq!(kept["metadata"], metadata(json!({"generation": 3, "annotations": {"x": "y"}})));
    }
}
