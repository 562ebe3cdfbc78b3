//! The numbers of replicas that a definition says where to find.

use serde_json::Value;

use crate::object::field_error::{FieldError, FieldErrorKind};
use crate::resource::Resource;

/// What is wrong with them in a custom resource.
pub fn problems(resource: &Resource, object: &Value) -> Vec<FieldError> {
    let Some(scale) = &resource.scale else { return Vec::new() };
    [&scale.spec, &scale.status].into_iter().filter_map(|pointer| count(pointer, object)).collect()
}

fn count(pointer: &str, object: &Value) -> Option<FieldError> {
    let field = pointer.replace('/', ".");
    let wrong = |shown: &str, why: String| {
        Some(FieldError::new(field.clone(), FieldErrorKind::Invalid, format!("{shown}: {why}")))
    };
    let mut value = object;
    let mut path = String::new();
    for name in pointer.split('/').skip(1) {
        path = format!("{path}.{name}");
        if value.is_null() {
            return None;
        }
        let Some(map) = value.as_object() else { return wrong("0", misread(&path, value, "map[string]interface {}")) };
        value = map.get(name)?;
    }
    match value.as_i64() {
        _ if value.is_null() => None,
        None => wrong("0", misread(&path, value, "int64")),
        Some(number) if number < 0 => wrong(&number.to_string(), "should be a non-negative integer".to_owned()),
        Some(number) if number > i64::from(i32::MAX) => {
            wrong(&number.to_string(), format!("should be less than or equal to {}", i32::MAX))
        }
        Some(_) => None,
    }
}

fn misread(path: &str, value: &Value, wanted: &str) -> String {
    let kind = match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let wanted = wanted.replace("interface {}", "interface{}");
    format!("{path} accessor error: {shown} is of the type {kind}, expected {wanted}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn replicas_are_counts() {
        let told = |object: Value| count("/spec/replicas", &object).map(|error| error.to_string()).unwrap_or_default();
        for fine in [json!({}), json!({"spec": {}}), json!({"spec": null}), json!({"spec": {"replicas": 3}})] {
            assert_eq!(told(fine), "");
        }
        assert_eq!(
            told(json!({"spec": {"replicas": -1}})),
            ".spec.replicas: Invalid value: -1: should be a non-negative integer"
        );
        assert_eq!(
            told(json!({"spec": {"replicas": 1.5}})),
            ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: 1.5 is of the type float64, expected int64"
        );
        assert_eq!(
            told(json!({"spec": "x"})),
            ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: x is of the type string, expected map[string]interface{}"
        );
    }
}
