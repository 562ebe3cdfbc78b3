//! A definition's structural schema: pruning, defaults, validation.

use kube_cel::Budget;
use regex::Regex;
use serde_json::{Map, Value, json};

use super::unique::unique;
use crate::cel::rules::Rules;
use crate::object::before::{Before, is_same, keys};
use crate::object::field_error::{FieldError, FieldErrorKind, MOST};
use crate::object::meta;
use crate::validate;

/// Drops what the schema does not know, and tells what that was.
pub fn prune(schema: &Value, object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    prune_at(schema, object, "", &mut unknown);
    unknown
}

fn keeps_unknown(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true))
}

fn prune_at(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let additional = schema.get("additionalProperties");
            let embedded = schema.get("x-kubernetes-embedded-resource") == Some(&json!(true));
            let mut strange = Vec::new();
            for (name, inner) in map.iter_mut() {
                let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if (path.is_empty() || embedded) && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                    if name == "metadata" {
                        prune_metadata(inner, &here, unknown);
                    }
                    continue;
                }
                match (properties.and_then(|known| known.get(name)), additional) {
                    (Some(inner_schema), _) => prune_at(inner_schema, inner, &here, unknown),
                    (None, Some(Value::Object(_))) => {
                        prune_at(additional.unwrap_or(&Value::Null), inner, &here, unknown);
                    }
                    (None, Some(Value::Bool(true))) => {}
                    (None, _) if keeps_unknown(schema) => {}
                    (None, _) => {
                        strange.push(name.clone());
                        unknown.push(here);
                    }
                }
            }
            map.retain(|name, _| !strange.contains(name));
        }
        Value::Array(items) => {
            if let Some(inner) = schema.get("items") {
                for (at, item) in items.iter_mut().enumerate() {
                    prune_at(inner, item, &format!("{path}[{at}]"), unknown);
                }
            }
        }
        _ => {}
    }
}

/// Metadata has the same fields wherever it stands.
fn prune_metadata(metadata: &mut Value, path: &str, unknown: &mut Vec<String>) {
    let Some(known) = kube_etcd_codec::message("meta/v1.ObjectMeta") else { return };
    if let Some(map) = metadata.as_object_mut() {
        unknown.extend(map.keys().filter(|name| known.field(name).is_none()).map(|name| format!("{path}.{name}")));
        map.retain(|name, _| known.field(name).is_some());
    }
}

/// Fills in the schema's defaults wherever their parent is there.
pub fn default_fields(schema: &Value, object: &mut Value) {
    match object {
        Value::Object(map) => {
            for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let missing = match map.get(name) {
                    None => true,
                    Some(Value::Null) => inner.get("nullable") != Some(&json!(true)),
                    Some(_) => false,
                };
                match inner.get("default") {
                    Some(default) if missing => drop(map.insert(name.clone(), default.clone())),
                    // Null stands for what is not there.
                    None if missing => drop(map.remove(name)),
                    _ => {}
                }
                if let Some(value) = map.get_mut(name) {
                    default_fields(inner, value);
                }
            }
            if let Some(inner) = schema.get("additionalProperties").filter(|one| one.is_object()) {
                map.values_mut().for_each(|value| default_fields(inner, value));
            }
        }
        Value::Array(items) => {
            if let Some(inner) = schema.get("items") {
                for item in items {
                    default_fields(inner, item);
                }
            }
        }
        _ => {}
    }
}

/// What is wrong with an object by its schema; `old` is what it was, if this is a change of it, and `also` what else
/// is wrong with it.
pub fn validate_object(
    schema: &Value,
    rules: Option<&Rules>,
    object: &Value,
    old: Option<&Value>,
    also: Vec<FieldError>,
    budget: Budget,
) -> Vec<FieldError> {
    let mut errors = validate::metadata(object);
    if meta::name(object).is_empty() && !errors.iter().any(|error| error.field == "metadata.name") {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    }
    check(schema, object, old, "", &mut errors);
    unique(schema, object, "", &mut errors);
    errors.extend(also);
    if let Some(rules) = rules {
        let minor = [FieldErrorKind::Invalid, FieldErrorKind::Duplicate, FieldErrorKind::Forbidden];
        if errors.iter().all(|error| minor.contains(&error.kind)) {
            errors.extend(rules.check(object, old, budget));
        } else {
            let why = "null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
            errors.push(FieldError::new("<nil>", FieldErrorKind::Invalid, why));
        }
    }
    errors
}

/// What is wrong with a value by itself.
pub fn check_value(schema: &Value, value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check(schema, value, None, "", &mut errors);
    errors
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What is wrong with a value by its schema. What was so before the change is borne, where it is known what it was.
fn check(schema: &Value, value: &Value, old: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) {
    let known = errors.len();
    check_new(schema, value, old, path, errors);
    if errors.len() > known && old.is_some_and(|old| is_same(schema, value, old)) {
        errors.truncate(known);
    }
}

fn check_new(schema: &Value, value: &Value, old: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) {
    let Some(rules) = schema.as_object().filter(|_| errors.len() < MOST) else { return };
    if value.is_null() && rules.get("nullable") == Some(&json!(true)) {
        return;
    }
    let wanted = rules.get("type").and_then(Value::as_str);
    let int_or_string = rules.get("x-kubernetes-int-or-string") == Some(&json!(true));
    let found = type_of(value);
    if int_or_string && !matches!(found, "integer" | "string") {
        let detail = format!("\"{found}\": {path} in body must be of type integer,string: \"{found}\"");
        errors.push(FieldError::new(path, FieldErrorKind::Type, detail));
        return;
    }
    if let Some(wanted) = wanted.filter(|_| !int_or_string)
        && wanted != found
        && !(wanted == "number" && found == "integer")
    {
        let place = if path.is_empty() { "<root>" } else { path };
        let detail = format!("\"{found}\": {place} in body must be of type {wanted}: \"{found}\"");
        errors.push(FieldError::new(place, FieldErrorKind::Type, detail));
        if wanted == "integer" && found == "number" {
            errors.push(of_format("(default format)", path));
        }
        return;
    }
    match value {
        Value::String(text) => check_text(rules, text, path, errors),
        Value::Number(number) => check_number(rules, number.as_f64().unwrap_or(0.0), value, path, errors),
        Value::Array(items) => {
            let count = items.len() as u64;
            if let Some(most) = rules.get("maxItems").and_then(Value::as_u64).filter(|most| count > *most) {
                errors.push(FieldError::new(
                    path,
                    FieldErrorKind::TooMany,
                    format!("{count}: must have at most {most} items"),
                ));
            }
            if let Some(least) = rules.get("minItems").and_then(Value::as_u64).filter(|least| count < *least) {
                let why = format!("{path} in body should have at least {least} items");
                errors.push(FieldError::new(path, FieldErrorKind::Invalid, format!("{count}: {why}")));
            }
            if let Some(inner) = rules.get("items") {
                let keys = keys(schema);
                let before = Before::of(old, &keys);
                for (at, item) in items.iter().enumerate() {
                    check(inner, item, before.of_item(item), &format!("{path}[{at}]"), errors);
                }
            }
        }
        Value::Object(map) => check_object(rules, map, old, path, errors),
        Value::Null | Value::Bool(_) => {}
    }
    combined(rules, value, path, errors);
    if let Some(allowed) = rules.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let list = allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        errors.push(FieldError::new(path, FieldErrorKind::NotSupported, format!("{value}: supported values: {list}")));
    }
}

/// Exactly one, any or all of some schemas, and none of another.
fn combined(rules: &Map<String, Value>, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let wrong = |schema: &Value| {
        let mut errors = Vec::new();
        check(schema, value, None, path, &mut errors);
        errors
    };
    let mut say = |why: String| {
        errors.push(FieldError::new("<nil>", FieldErrorKind::Invalid, format!("\"\": \"{path}\" must {why}")));
    };
    let list = |name: &str| rules.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
    let mut more = Vec::new();
    if let Some(schemas) = list("oneOf") {
        let found: Vec<_> = schemas.iter().map(wrong).collect();
        match found.iter().filter(|errors| errors.is_empty()).count() {
            1 => {}
            0 => {
                say("validate one and only one schema (oneOf). Found none valid".to_owned());
                more.extend(found.into_iter().next());
            }
            several => say(format!("validate one and only one schema (oneOf). Found {several} valid alternatives")),
        }
    }
    if let Some(schemas) = list("anyOf")
        && rules.get("x-kubernetes-int-or-string") != Some(&json!(true))
    {
        let found: Vec<_> = schemas.iter().map(wrong).collect();
        if found.iter().all(|errors| !errors.is_empty()) {
            say("validate at least one schema (anyOf)".to_owned());
            more.extend(found.into_iter().next());
        }
    }
    if let Some(schemas) = list("allOf") {
        let found: Vec<_> = schemas.iter().map(wrong).filter(|errors| !errors.is_empty()).collect();
        if !found.is_empty() {
            say("validate all the schemas (allOf)".to_owned());
            more.extend(found);
        }
    }
    if rules.get("not").is_some_and(|schema| wrong(schema).is_empty()) {
        say("not validate the schema (not)".to_owned());
    }
    errors.extend(more.into_iter().flatten());
}

fn check_text(rules: &Map<String, Value>, text: &str, path: &str, errors: &mut Vec<FieldError>) {
    let length = text.chars().count() as u64;
    if let Some(most) = rules.get("maxLength").and_then(Value::as_u64).filter(|most| length > *most) {
        errors.push(FieldError::new(path, FieldErrorKind::TooLong, format!("may not be more than {most} bytes")));
    }
    if let Some(least) = rules.get("minLength").and_then(Value::as_u64).filter(|least| length < *least) {
        errors.push(FieldError::invalid(
            path,
            &json!(text),
            &format!("{path} in body should be at least {least} chars long"),
        ));
    }
    let format = rules.get("format").and_then(Value::as_str).unwrap_or_default();
    if !has_format(text, format) {
        let detail = format!("\"{text}\": {path} in body must be of type {format}: \"{text}\"");
        errors.push(FieldError::new(path, FieldErrorKind::Type, detail));
    }
    if let Some(pattern) = rules.get("pattern").and_then(Value::as_str)
        && Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text))
    {
        errors.push(FieldError::invalid(path, &json!(text), &format!("{path} in body should match '{pattern}'")));
    }
}

/// Formats that are not known here hold for any text.
fn has_format(text: &str, format: &str) -> bool {
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "uuid" => uuid::Uuid::parse_str(text).is_ok(),
        _ => true,
    }
}

fn check_number(rules: &Map<String, Value>, number: f64, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let exclusive = |name: &str| rules.get(name) == Some(&json!(true));
    let is_short = rules.get("type") == Some(&json!("integer")) && rules.get("format") == Some(&json!("int32"));
    if is_short && value.as_i64().is_none_or(|number| i32::try_from(number).is_err()) {
        errors.push(of_format("with format int32", path));
    }
    if let Some(most) = rules.get("maximum") {
        let limit = most.as_f64().unwrap_or(f64::MAX);
        if number > limit || (exclusive("exclusiveMaximum") && number >= limit) {
            let relation = if exclusive("exclusiveMaximum") { "less than" } else { "less than or equal to" };
            errors.push(FieldError::invalid(path, value, &format!("{path} in body should be {relation} {most}")));
        }
    }
    if let Some(least) = rules.get("minimum") {
        let limit = least.as_f64().unwrap_or(f64::MIN);
        if number < limit || (exclusive("exclusiveMinimum") && number <= limit) {
            let relation = if exclusive("exclusiveMinimum") { "greater than" } else { "greater than or equal to" };
            errors.push(FieldError::invalid(path, value, &format!("{path} in body should be {relation} {least}")));
        }
    }
    if let Some(step) = rules.get("multipleOf").and_then(Value::as_f64).filter(|step| *step != 0.0)
        && (number / step).fract().abs() > f64::EPSILON
    {
        errors.push(FieldError::invalid(path, value, &format!("{path} in body should be a multiple of {step}")));
    }
}

/// The real server says it of no field in particular.
fn of_format(format: &str, path: &str) -> FieldError {
    let why = format!("\"\": Checked value must be of type integer {format} in {path}");
    FieldError::new("<nil>", FieldErrorKind::Invalid, why)
}

fn check_object(
    rules: &Map<String, Value>,
    map: &Map<String, Value>,
    old: Option<&Value>,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for required in rules.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(required) {
            errors.push(FieldError::required(at(required), ""));
        }
    }
    let properties = rules.get("properties").and_then(Value::as_object);
    for (name, value) in map {
        if path.is_empty() && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        if let Some(inner) = properties.and_then(|known| known.get(name)) {
            check(inner, value, old.and_then(|old| old.get(name)), &at(name), errors);
        } else if let Some(inner) = rules.get("additionalProperties").filter(|one| one.is_object()) {
            check(inner, value, old.and_then(|old| old.get(name)), &at(name), errors);
        }
    }
    let count = map.len() as u64;
    if let Some(most) = rules.get("maxProperties").and_then(Value::as_u64).filter(|most| count > *most) {
        errors.push(FieldError::new(path, FieldErrorKind::TooMany, format!("{count}: must have at most {most} items")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {"spec": {
            "type": "object", "required": ["cron"],
            "properties": {
                "cron": {"type": "string", "pattern": "^[*0-9 /]+$"},
                "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
                "mode": {"type": "string", "enum": ["a", "b"]},
            },
        }}})
    }

    #[track_caller]
    fn said(object: &Value) -> Vec<String> {
        let mut errors = Vec::new();
        check(&schema(), object, None, "", &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unknown_fields_go_and_defaults_come() {
        let mut object = json!({"apiVersion": "a/v1", "metadata": {"name": "x"}, "spec": {"cron": "*", "other": 1}});
        assert_eq!(prune(&schema(), &mut object), ["spec.other"]);
        default_fields(&schema(), &mut object);
        assert_eq!(object["spec"], json!({"cron": "*", "replicas": 1}));
    }

    /// The schema of a list with keys, a set and a plain list.
    fn lists() -> Value {
        let short = json!({"type": "string", "maxLength": 3});
        let item = json!({"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}, "v": short}});
        json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["need"], "properties": {
            "keyed": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": item},
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": short},
            "plain": {"type": "array", "items": short},
            "word": short,
        }, "allOf": [{"properties": {"word": {"minLength": 2}}}]}}})
    }

    fn changed(old: Value, new: Value) -> Vec<String> {
        let whole = |spec: Value| json!({"metadata": {"name": "x"}, "spec": spec});
        let errors =
            validate_object(&lists(), None, &whole(new), Some(&whole(old)), Vec::new(), crate::cel::rules::budget());
        errors.iter().map(|error| error.field.clone()).collect()
    }

    #[test]
    fn what_was_wrong_before_and_stays_is_borne() {
        let none: [&str; 0] = [];
        // The part that changes is checked, what stands beside it is not.
        let old = json!({"word": "long word", "keyed": [{"k": "a", "v": "long"}, {"k": "b", "v": "long"}]});
        assert_eq!(changed(old.clone(), old.clone()), none);
        let mut new = old.clone();
        new["plain"] = json!(["long"]);
        assert_eq!(changed(old.clone(), new), ["spec.need", "spec.plain[0]"]);
        // Items are known by their keys, wherever they stand.
        let turned = json!({"word": "long word", "keyed": [{"k": "b", "v": "long"}, {"k": "a", "v": "long"}]});
        assert_eq!(changed(old.clone(), turned), none);
        let mut new = old.clone();
        new["keyed"][1]["v"] = json!("longer");
        assert_eq!(changed(old.clone(), new), ["spec.need", "spec.keyed[1].v"]);
        // Items of other lists are not known again.
        assert_eq!(
            changed(json!({"need": 1, "plain": ["long"]}), json!({"need": 1, "plain": ["long", "a"]})),
            ["spec.plain[0]"]
        );
        // Neither is what stands below an `allOf`.
        assert_eq!(changed(json!({"need": 1, "word": "w"}), json!({"need": 2, "word": "w"})).len(), 2);
    }

    #[test]
    fn what_stands_twice_is_not_borne() {
        let old = json!({"need": 1, "set": ["a", "a"]});
        assert_eq!(changed(old.clone(), old), ["spec.set[1]"]);
        // And is found at once in a long list.
        let many: Vec<String> = (0..100_000).map(|at| format!("{at:x}")).collect();
        let mut errors = Vec::new();
        let schema = json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}});
        unique(&schema, &json!(many), "spec", &mut errors);
        assert_eq!(errors.len(), 0);
    }

    #[test]
    fn values_are_checked_in_kubernetes_words() {
        assert_eq!(said(&json!({"spec": {"cron": "*"}})), Vec::<String>::new());
        assert_eq!(said(&json!({"spec": {}})), ["spec.cron: Required value"]);
        assert_eq!(
            said(&json!({"spec": {"cron": "*", "replicas": 11}})),
            ["spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10"]
        );
        assert_eq!(
            said(&json!({"spec": {"cron": "*", "mode": "c"}})),
            ["spec.mode: Unsupported value: \"c\": supported values: \"a\", \"b\""]
        );
        assert_eq!(
            said(&json!({"spec": {"cron": 5}})),
            ["spec.cron: Invalid value: \"integer\": spec.cron in body must be of type string: \"integer\""]
        );
    }
}
