//! JSON patch, within the bounds of kube-apiserver: of the number of operations, and of what copies may add up to.

use std::time::{Duration, Instant};

use json_patch::PatchOperation;
use json_patch::jsonptr::Pointer;
use serde_json::Value;

use super::not_decoded;
use crate::api::limits::LARGEST_BODY;
use crate::api::strict::DEEPEST;
use crate::status::ApiError;

const MOST: usize = 10_000;
/// Operations at the front of a long list move all that follows: ten thousand of them take long.
const WITHIN: Duration = Duration::from_secs(5);

pub(super) fn parse(mut operations: Value) -> Result<json_patch::Patch, ApiError> {
    let Some(list) = operations.as_array_mut() else {
        return Err(not_decoded(&operations, "Go value of type []handlers.jsonPatchOp"));
    };
    if list.len() > MOST {
        return Err(ApiError::new(
            413,
            "RequestEntityTooLarge",
            format!(
                "Request entity too large: The allowed maximum operations in a JSON patch is {MOST}, got {}",
                list.len()
            ),
        ));
    }
    for operation in list {
        let Some(fields) = operation.as_object_mut() else {
            return Err(not_decoded(operation, "Go value of type handlers.jsonPatchOp"));
        };
        for field in ["op", "path", "from"] {
            if let Some(given) = fields.get(field).filter(|given| !given.is_string() && !given.is_null()) {
                return Err(not_decoded(given, &format!("Go struct field jsonPatchOp.{field} of type string")));
            }
        }
        // One that gives no value gives null.
        fields.entry("value").or_insert(Value::Null);
    }
    serde_json::from_value(operations).map_err(|_| rejected())
}

pub(super) fn apply(object: &mut Value, patch: &json_patch::Patch) -> Result<(), ApiError> {
    let mut copied = 0;
    let until = Instant::now() + WITHIN;
    for operation in &patch.0 {
        let (path, value) = match operation {
            PatchOperation::Add(add) => (&add.path, Some(&add.value)),
            PatchOperation::Replace(replace) => (&replace.path, Some(&replace.value)),
            PatchOperation::Copy(copy) => (&copy.path, at(object, &copy.from)),
            PatchOperation::Move(from) => (&from.path, at(object, &from.from)),
            PatchOperation::Remove(remove) => (&remove.path, None),
            PatchOperation::Test(test) => (&test.path, None),
        };
        // All of `value` stands below `path` afterwards.
        let size = value.map_or(Some(0), |value| size(value, LARGEST_BODY, DEEPEST.saturating_sub(path.count())));
        let Some(size) = size else { return Err(rejected()) };
        if matches!(operation, PatchOperation::Copy(_)) {
            copied += size;
        }
        if copied > LARGEST_BODY || path.count() > DEEPEST || Instant::now() > until {
            return Err(rejected());
        }
        operate(object, operation)?;
    }
    Ok(())
}

fn at<'a>(object: &'a Value, pointer: &Pointer) -> Option<&'a Value> {
    object.pointer(pointer.as_str())
}

/// About as many bytes as `value` takes in JSON; `None` past `most`, or where it nests deeper than `depth`.
fn size(value: &Value, most: usize, depth: usize) -> Option<usize> {
    let mut sum: usize = match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(_) | Value::Object(_) => 2,
    };
    if !matches!(value, Value::Array(_) | Value::Object(_)) {
        return Some(sum);
    }
    let depth = depth.checked_sub(1)?;
    let mut add = |key: usize, item: &Value| {
        sum += key + 1 + size(item, most, depth)?;
        (sum <= most).then_some(())
    };
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| add(0, item))?,
        Value::Object(map) => map.iter().try_for_each(|(key, item)| add(key.len() + 3, item))?,
        _ => {}
    }
    Some(sum)
}

/// A field that is not there can be replaced nevertheless: Kubernetes' library is lenient.
fn operate(object: &mut Value, operation: &PatchOperation) -> Result<(), ApiError> {
    if let PatchOperation::Replace(replace) = operation
        && let Some((parent, name)) = replace.path.split_back()
        && let Some(Value::Object(map)) = object.pointer_mut(parent.as_str())
    {
        map.insert(name.decoded().into_owned(), replace.value.clone());
        return Ok(());
    }
    json_patch::patch(object, std::slice::from_ref(operation)).map_err(|_| rejected())
}

fn rejected() -> ApiError {
    ApiError::new(422, "Invalid", "the server rejected our request due to an error in our request")
        .with_details(serde_json::json!({}))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(object: Value, operations: Value) -> Result<Value, ApiError> {
        let patch = parse(operations)?;
        let mut object = object;
        apply(&mut object, &patch).map(|()| object)
    }

    #[test]
    fn a_field_that_is_not_there_can_be_replaced_but_not_removed() {
        let patched = |operation: Value| patched(json!({"spec": {"list": [1]}}), json!([operation]));
        let replaced = patched(json!({"op": "replace", "path": "/spec/new", "value": 2})).expect("it is lenient");
        assert_eq!(replaced, json!({"spec": {"list": [1], "new": 2}}));
        assert!(patched(json!({"op": "remove", "path": "/spec/new"})).is_err());
        assert!(patched(json!({"op": "replace", "path": "/spec/list/4", "value": 2})).is_err());
        assert!(patched(json!({"op": "replace", "path": "/none/new", "value": 2})).is_err());
    }

    #[test]
    fn copies_that_double_what_is_there_stop_at_three_megabytes() {
        let bomb = include_str!("../../../tests/jsonpatch-copy-22.json");
        let bomb: Value = serde_json::from_str(bomb).expect("a patch");
        assert_eq!(patched(json!({"data": {}}), bomb.clone()).expect_err("2.5 GB").code, 422);
        let few = Value::Array(bomb.as_array().expect("a list")[..10].to_vec());
        assert!(patched(json!({"data": {}}), few).is_ok());
    }

    #[test]
    fn copies_and_moves_cannot_nest_without_end() {
        let mut nesting = vec![json!({"op": "add", "path": "/a", "value": {}})];
        nesting.extend((0..5000).flat_map(|_| {
            [
                json!({"op": "add", "path": "/b", "value": {}}),
                json!({"op": "move", "from": "/a", "path": "/b/a"}),
                json!({"op": "move", "from": "/b", "path": "/a"}),
            ]
        }));
        nesting.truncate(MOST);
        assert_eq!(patched(json!({}), json!(nesting)).expect_err("too deep").code, 422);
        let copies: Vec<Value> = (0..200)
            .map(|depth| json!({"op": "copy", "from": "/a", "path": format!("/a{}/a", "/a".repeat(depth))}))
            .collect();
        assert!(patched(json!({"a": {}}), json!(copies)).is_err());
    }

    #[test]
    fn more_than_ten_thousand_operations_are_refused_in_kubernetes_words() {
        let test = json!({"op": "test", "path": "", "value": {}});
        assert!(patched(json!({}), json!(vec![test.clone(); MOST])).is_ok());
        let error = patched(json!({}), json!(vec![test; MOST + 1])).expect_err("too many");
        assert_eq!(error.code, 413);
        assert_eq!(
            error.message,
            "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
        );
    }
}
