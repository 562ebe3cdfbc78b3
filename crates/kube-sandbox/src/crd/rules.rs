//! A schema's own rules, `x-kubernetes-validations`.

use serde_json::{Value, json};

use crate::api::status::{FieldError, FieldErrorKind};
use crate::cel::{self, Failure};

/// Whether there is any rule to keep.
pub(super) fn any(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key(RULES) || map.values().any(any),
        Value::Array(items) => items.iter().any(any),
        _ => false,
    }
}

const RULES: &str = "x-kubernetes-validations";

/// Checks every rule of the schema, those about a change too if there was an object before.
pub(super) fn check(schema: &Value, new: &Value, old: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) {
    for rule in schema.get(RULES).and_then(Value::as_array).into_iter().flatten() {
        if let Some(error) = broken(rule, new, old, path) {
            errors.push(error);
        }
    }
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match new {
        Value::Object(map) => {
            for (name, value) in map {
                let property = schema.get("properties").and_then(|known| known.get(name));
                let inner = property.or_else(|| schema.get("additionalProperties").filter(|one| one.is_object()));
                if let Some(inner) = inner {
                    check(inner, value, old.and_then(|old| old.get(name)), &at(name), errors);
                }
            }
        }
        Value::Array(items) => {
            let Some(inner) = schema.get("items") else { return };
            for (index, item) in items.iter().enumerate() {
                // Which item it was before is known in lists with keys only.
                let before = old.and_then(|old| same_item(schema, old, item));
                check(inner, item, before, &format!("{path}[{index}]"), errors);
            }
        }
        _ => {}
    }
}

fn same_item<'a>(schema: &Value, old: &'a Value, item: &Value) -> Option<&'a Value> {
    let keys = schema.get("x-kubernetes-list-map-keys")?.as_array()?;
    let same = |one: &&Value| keys.iter().filter_map(Value::as_str).all(|key| one.get(key) == item.get(key));
    old.as_array()?.iter().find(same)
}

fn broken(rule: &Value, new: &Value, old: Option<&Value>, path: &str) -> Option<FieldError> {
    let text = |field: &str| rule.get(field).and_then(Value::as_str).unwrap_or_default();
    let expression = text("rule");
    let about_change = expression.contains("oldSelf");
    if about_change && old.is_none() {
        return None;
    }
    let mut names = vec![("self", new)];
    if let Some(old) = old {
        names.push(("oldSelf", old));
    }
    let said = match cel::evaluate(expression, &names) {
        Ok(Value::Bool(true)) | Err(Failure::Unsupported(_) | Failure::Syntax(_)) => return None,
        Ok(_) => {
            let told = Some(text("messageExpression")).filter(|told| !told.is_empty());
            let told = told.and_then(|told| cel::evaluate(told, &names).ok()?.as_str().map(str::to_owned));
            match (told, text("message")) {
                (Some(told), _) => told,
                (None, "") => format!("failed rule: {expression}"),
                (None, message) => message.to_owned(),
            }
        }
        Err(Failure::Run(why)) => format!("failed rule: {expression}: {why}"),
    };
    let place = match (path, text("fieldPath")) {
        ("", "") => "<nil>".to_owned(),
        ("", more) => more.trim_start_matches('.').to_owned(),
        (path, more) => format!("{path}{more}"),
    };
    let shown = if new.is_object() || new.is_array() { said.clone() } else { format!("{new}: {said}") };
    Some(match text("reason") {
        "FieldValueForbidden" => FieldError::new(place, FieldErrorKind::Forbidden, said),
        "FieldValueRequired" => FieldError::new(place, FieldErrorKind::Required, said),
        "FieldValueDuplicate" => FieldError::new(place, FieldErrorKind::Duplicate, json!(said).to_string()),
        _ => FieldError::new(place, FieldErrorKind::Invalid, shown),
    })
}
