//! The four sorts of patch.

mod refused;
mod strategic;

use serde_json::Value;

use super::resource::Resource;
use super::status::ApiError;
pub use refused::refused;

#[derive(Debug, Clone)]
pub enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
    /// A configuration to apply on the server.
    Apply(Value),
}

impl Patch {
    pub fn parse(resource: &Resource, content: &str, body: &[u8]) -> Result<Self, ApiError> {
        let json = || {
            serde_json::from_slice::<Value>(body)
                .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))
        };
        match content {
            "application/json-patch+json" => {
                let operations = json()?;
                if !operations.is_array() {
                    return Err(not_decoded(&operations, "[]handlers.jsonPatchOp"));
                }
                serde_json::from_value(operations).map(Self::Json).map_err(|_| rejected())
            }
            "application/merge-patch+json" => json().and_then(object).map(Self::Merge),
            "application/strategic-merge-patch+json" if resource.custom.is_none() => {
                json().and_then(object).map(Self::Strategic)
            }
            "application/apply-patch+yaml" => {
                let text = std::str::from_utf8(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
                serde_json::from_str(text)
                    .or_else(|_| serde_saphyr::from_str(text).map_err(|error| error.to_string()))
                    .map(Self::Apply)
                    .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))
            }
            _ => {
                let mut accepted = vec!["application/json-patch+json", "application/merge-patch+json"];
                accepted.push("application/apply-patch+yaml");
                if resource.custom.is_none() {
                    accepted.push("application/strategic-merge-patch+json");
                }
                Err(ApiError::unsupported_media_type(&accepted.join(", ")))
            }
        }
    }

    /// What the patch makes of `current`. Apply is `managed::apply`'s business.
    pub fn apply(&self, resource: &Resource, current: &Value) -> Result<Value, ApiError> {
        let mut object = current.clone();
        match self {
            Self::Json(patch) => {
                for operation in &patch.0 {
                    operate(&mut object, operation)?;
                }
            }
            Self::Merge(patch) => json_patch::merge(&mut object, patch),
            Self::Strategic(patch) => {
                strategic::merge(super::shape::Shape::of(resource), &mut object, patch)?;
            }
            Self::Apply(_) => {}
        }
        Ok(object)
    }
}

fn rejected() -> ApiError {
    ApiError::new(422, "Invalid", "the server rejected our request due to an error in our request")
        .with_details(serde_json::json!({}))
}

/// A field that is not there can be replaced nevertheless: Kubernetes' library is lenient.
fn operate(object: &mut Value, operation: &json_patch::PatchOperation) -> Result<(), ApiError> {
    if let json_patch::PatchOperation::Replace(replace) = operation
        && let Some((parent, name)) = replace.path.split_back()
        && let Some(Value::Object(map)) = object.pointer_mut(parent.as_str())
    {
        map.insert(name.decoded().into_owned(), replace.value.clone());
        return Ok(());
    }
    json_patch::patch(object, std::slice::from_ref(operation)).map_err(|_| rejected())
}

fn object(patch: Value) -> Result<Value, ApiError> {
    if patch.is_object() { Ok(patch) } else { Err(not_decoded(&patch, "map[string]interface {}")) }
}

fn not_decoded(found: &Value, wanted: &str) -> ApiError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    ApiError::bad_request(format!(
        "error decoding patch: json: cannot unmarshal {found} into Go value of type {wanted}"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_that_is_not_there_can_be_replaced_but_not_removed() {
        let patched = |operation: Value| {
            let mut object = json!({"spec": {"list": [1]}});
            operate(&mut object, &serde_json::from_value(operation).expect("an operation")).map(|()| object)
        };
        let replaced = patched(json!({"op": "replace", "path": "/spec/new", "value": 2})).expect("it is lenient");
        assert_eq!(replaced, json!({"spec": {"list": [1], "new": 2}}));
        assert!(patched(json!({"op": "remove", "path": "/spec/new"})).is_err());
        assert!(patched(json!({"op": "replace", "path": "/spec/list/4", "value": 2})).is_err());
        assert!(patched(json!({"op": "replace", "path": "/none/new", "value": 2})).is_err());
    }
}
