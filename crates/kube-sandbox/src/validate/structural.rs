//! What a definition's schema must be for its objects to be pruned, defaulted and merged by it.

use serde_json::{Value, json};

use super::errors::Errors;
use super::internal;
use crate::object::{list, text};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const EXTENSIONS: [(&str, &str); 7] = [
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
];
const JUNCTIONS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const UNSUPPORTED: [&str; 7] =
    ["id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions"];

/// The schema of a whole kind of objects.
pub(super) fn root(schema: &Value, field: &str, errors: &mut Errors) {
    let mut wrong = Errors::default();
    if flag(schema, "nullable") {
        wrong.forbidden(format!("{field}.nullable"), "nullable cannot be true at the root");
    }
    if is_supported(schema) {
        let mut structure = Errors::default();
        invariants(schema, Level::Root, field, &mut structure);
        junctions(schema, Some(schema), field, field, &mut structure);
        structure.sort();
        wrong.append(structure);
    }
    rules(schema, field, &Place { is_root: true, ..Place::default() }, &mut wrong);
    // Expressions of a schema that is wrong itself would be told of in ways that help nobody.
    if wrong.is_empty() {
        wrong.extend(crate::cel::rules::problems(schema, field, &|rule| internal::text("ValidationRule", rule)));
    }
    errors.append(wrong);
}

fn flag(schema: &Value, name: &str) -> bool {
    schema.get(name) == Some(&json!(true))
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn has_properties(schema: &Value) -> bool {
    properties(schema).next().is_some()
}

/// A schema that stands below another one, if there is one.
fn below<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    schema.get(name).filter(|inner| inner.is_object())
}

/// Whether it says only what a structural schema can say.
fn is_supported(schema: &Value) -> bool {
    let says = |name: &&str| schema.get(name).is_some_and(|value| !super::errors::is_empty(Some(value)));
    !UNSUPPORTED.iter().any(says)
        && !schema.get("items").is_some_and(Value::is_array)
        && properties(schema).all(|(_, inner)| is_supported(inner))
        && ["items", "additionalProperties"].iter().filter_map(|name| below(schema, name)).all(is_supported)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

fn invariants(schema: &Value, level: Level, field: &str, errors: &mut Errors) {
    let kind = text(schema, "type");
    let embedded = flag(schema, "x-kubernetes-embedded-resource");
    let keeps = flag(schema, "x-kubernetes-preserve-unknown-fields");
    let int_or_string = flag(schema, "x-kubernetes-int-or-string");
    match below(schema, "items") {
        Some(items) => invariants(items, Level::Item, &format!("{field}.items"), errors),
        None if kind == "array" => errors.required(format!("{field}.items"), "must be specified"),
        None => {}
    }
    for (name, inner) in properties(schema) {
        invariants(inner, Level::Field, &format!("{field}.properties[{name}]"), errors);
    }
    if let Some(additional) = schema.get("additionalProperties").filter(|one| !one.is_null()) {
        let here = format!("{field}.additionalProperties");
        if level == Level::Root {
            errors.forbidden(here.as_str(), "must not be used at the root");
        }
        if embedded {
            errors.forbidden(here.as_str(), "must not be used if x-kubernetes-embedded-resource is set");
        }
        if additional.is_object() {
            invariants(additional, Level::Field, &here, errors);
        }
    }
    for (name, set) in [("preserve-unknown-fields", keeps), ("embedded-resource", embedded)] {
        if int_or_string && set {
            let why = "must be false if x-kubernetes-int-or-string is true";
            errors.invalid(format!("{field}.x-kubernetes-{name}"), &json!(true), why);
        }
    }
    values(schema, field, errors);
    if embedded && kind != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        required_or_invalid(format!("{field}.type"), schema, why, errors);
    } else if kind.is_empty() && !int_or_string && !keeps {
        let why = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.required(format!("{field}.type"), why);
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.invalid(format!("{field}.type"), &json!(kind), "must be object at the root");
    }
    if level == Level::Root || embedded {
        for name in ["apiVersion", "kind"] {
            if let Some(inner) = schema["properties"].get(name).filter(|inner| text(inner, "type") != "string") {
                let here = format!("{field}.properties[{name}].type");
                errors.invalid(here, &json!(text(inner, "type")), "must be string");
            }
        }
        if let Some(metadata) = schema["properties"].get("metadata") {
            let here = format!("{field}.properties[metadata]");
            if text(metadata, "type") != "object" {
                errors.invalid(format!("{here}.type"), &json!(text(metadata, "type")), "must be object");
            }
            if level == Level::Root && !restricts_names_only(metadata) {
                let why = "must not specify anything other than name and generateName, but metadata is implicitly \
                           specified";
                errors.forbidden(here, why);
            }
        }
    }
    if embedded && !keeps && !has_properties(schema) {
        let why =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.required(format!("{field}.properties"), why);
    }
}

fn required_or_invalid(field: String, schema: &Value, why: &str, errors: &mut Errors) {
    match text(schema, "type") {
        "" => errors.required(field, why),
        other => errors.invalid(field, &json!(other), why),
    }
}

fn restricts_names_only(metadata: &Value) -> bool {
    let says = metadata.as_object().into_iter().flatten();
    let others = says.filter(|(name, value)| {
        !matches!(name.as_str(), "type" | "default") && !super::errors::is_empty(Some(value)) && **value != json!(false)
    });
    let mut others = others.filter(|(name, _)| *name != "properties").peekable();
    others.peek().is_none() && properties(metadata).all(|(name, _)| matches!(name.as_str(), "name" | "generateName"))
}

/// `anyOf: [{type: integer}, {type: string}]`, which may stand beside `x-kubernetes-int-or-string`.
fn is_int_or_string(any_of: &[Value]) -> bool {
    any_of == [json!({"type": "integer"}), json!({"type": "string"})]
}

/// Its pattern, and what combines schemas below it.
fn values(schema: &Value, field: &str, errors: &mut Errors) {
    for name in JUNCTIONS {
        let all = list(schema, name);
        if name == "anyOf" && is_int_or_string(all) {
            continue;
        }
        for (at, inner) in all.iter().enumerate() {
            let mut inner = inner.clone();
            if name == "allOf" && at == 0 && is_int_or_string(list(&inner, "anyOf")) {
                inner.as_object_mut().map(|inner| inner.remove("anyOf"));
            }
            nested(&inner, &format!("{field}.{name}[{at}]"), errors);
        }
    }
    if let Some(not) = below(schema, "not") {
        nested(not, &format!("{field}.not"), errors);
    }
    let pattern = text(schema, "pattern");
    if let Err(error) = regex::Regex::new(pattern) {
        let why =
            format!("must be a valid regular expression, but isn't: error parsing regexp: {}", reason(&error, pattern));
        errors.invalid(format!("{field}.pattern"), &json!(pattern), &why);
    }
}

/// Go's words for what people get wrong.
fn reason(error: &regex::Error, pattern: &str) -> String {
    let why = error.to_string();
    let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
    match last {
        "unclosed group" => format!("missing closing ): `{pattern}`"),
        "unopened group" => format!("unexpected ): `{pattern}`"),
        "unclosed character class" => {
            format!("missing closing ]: `{}`", &pattern[pattern.find('[').unwrap_or_default()..])
        }
        "repetition operator missing expression" => {
            let at = pattern.find(['*', '+', '?']).unwrap_or_default();
            format!("missing argument to repetition operator: `{}`", &pattern[at..=at])
        }
        other => other.to_owned(),
    }
}

/// Below `allOf` and the like only values can be restricted, not the structure.
fn nested(schema: &Value, field: &str, errors: &mut Errors) {
    values(schema, field, errors);
    if let Some(items) = below(schema, "items") {
        nested(items, &format!("{field}.items"), errors);
    }
    for (name, inner) in properties(schema) {
        nested(inner, &format!("{field}.properties[{name}]"), errors);
    }
    if !text(schema, "type").is_empty() {
        errors.forbidden(format!("{field}.type"), "must be empty to be structural");
    }
    for name in ["additionalProperties", "default"] {
        if schema.get(name).is_some_and(|value| !value.is_null()) {
            errors.forbidden(format!("{field}.{name}"), "must be undefined to be structural");
        }
    }
    for name in ["title", "description"] {
        if !text(schema, name).is_empty() {
            errors.forbidden(format!("{field}.{name}"), "must be empty to be structural");
        }
    }
    for (name, why) in EXTENSIONS {
        let set = schema.get(name).is_some_and(|value| *value != json!(false) && !super::errors::is_empty(Some(value)));
        if set {
            errors.forbidden(format!("{field}.{name}"), why);
        }
    }
    if !list(schema, "x-kubernetes-validations").is_empty() {
        errors.forbidden(format!("{field}.x-kubernetes-validations"), "must be empty to be structural");
    }
    if schema["properties"].get("metadata").is_some() {
        errors.forbidden(format!("{field}.properties[metadata]"), "must not be specified in a nested context");
    }
}

/// What is restricted below `allOf` and the like has to be specified outside of them too.
fn junctions(schema: &Value, structure: Option<&Value>, place: &str, field: &str, errors: &mut Errors) {
    if let Some(not) = below(schema, "not") {
        complete(not, structure, place, &format!("{field}.not"), errors);
    }
    for name in JUNCTIONS {
        for (at, inner) in list(schema, name).iter().enumerate() {
            complete(inner, structure, place, &format!("{field}.{name}[{at}]"), errors);
        }
    }
}

fn complete(schema: &Value, structure: Option<&Value>, place: &str, field: &str, errors: &mut Errors) {
    let Some(known) = structure else {
        return errors.required(place, &format!("because it is defined in {field}"));
    };
    junctions(schema, structure, place, field, errors);
    if let Some(items) = below(schema, "items") {
        complete(items, below(known, "items"), &format!("{place}.items"), &format!("{field}.items"), errors);
    }
    for (name, inner) in properties(schema) {
        let (place, field) = (format!("{place}.properties[{name}]"), format!("{field}.properties[{name}]"));
        complete(inner, known["properties"].get(name), &place, &field, errors);
    }
}

#[derive(Default, Clone)]
struct Place {
    is_root: bool,
    /// Within the metadata of an object.
    is_meta: bool,
    /// Why no default may be set.
    no_defaults: Option<String>,
}

/// What is asked of each part of a schema by itself.
fn rules(schema: &Value, field: &str, place: &Place, errors: &mut Errors) {
    let Some(says) = schema.as_object() else { return };
    let here = |name: &str| format!("{field}.{name}");
    let kind = text(schema, "type");
    if !kind.is_empty() {
        errors.one_of(here("type"), &schema["type"], &TYPES);
    }
    if let Some(why) = place.no_defaults.as_ref().filter(|_| says.get("default").is_some_and(|one| !one.is_null())) {
        errors.forbidden(here("default"), &format!("must not be set {why}"));
    }
    for name in UNSUPPORTED.iter().filter(|name| **name != "$schema") {
        if says.get(*name).is_some_and(|value| !super::errors::is_empty(Some(value))) {
            errors.forbidden(here(name), &format!("{name} is not supported"));
        }
    }
    if kind == "null" {
        errors.forbidden(here("type"), "type cannot be set to null, use nullable as an alternative");
    }
    if says.get("items").is_some_and(Value::is_array) {
        errors.forbidden(here("items"), "items must be a schema object and not an array");
    }
    if place.is_meta && flag(schema, "x-kubernetes-embedded-resource") {
        errors.forbidden(here("x-kubernetes-embedded-resource"), "must not be used inside of resource meta");
    }
    if flag(schema, "uniqueItems") {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.forbidden(here("uniqueItems"), why);
    }
    if let Some(additional) = says.get("additionalProperties") {
        if has_properties(schema) && *additional != json!(true) && !additional.is_null() {
            let why = "additionalProperties and properties are mutual exclusive";
            errors.forbidden(here("additionalProperties"), why);
        }
        if additional.is_object() {
            let why = "inside additionalProperties applying to object metadata".to_owned();
            let no_defaults = place.no_defaults.clone().or(place.is_meta.then_some(why));
            let place = Place { is_root: false, no_defaults, ..place.clone() };
            rules(additional, &here("additionalProperties"), &place, errors);
        }
    }
    let has_meta = place.is_root || flag(schema, "x-kubernetes-embedded-resource");
    for (name, inner) in properties(schema) {
        let mut inside = Place { is_root: false, ..place.clone() };
        if has_meta && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            inside.is_meta = true;
            if place.is_root {
                inside.no_defaults = Some(format!("in top-level {name}"));
            }
        }
        rules(inner, &format!("{field}.properties[{name}]"), &inside, errors);
    }
    let inside = Place { is_root: false, ..place.clone() };
    for name in ["not", "items"] {
        if let Some(inner) = below(schema, name) {
            rules(inner, &here(name), &inside, errors);
        }
    }
    for name in JUNCTIONS {
        for (at, inner) in list(schema, name).iter().enumerate() {
            rules(inner, &format!("{field}.{name}[{at}]"), &inside, errors);
        }
    }
    if says.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(false)) {
        errors.invalid(here("x-kubernetes-preserve-unknown-fields"), &json!(false), "must be true or undefined");
    }
    maps(schema, field, errors);
    lists(schema, field, errors);
    messages(schema, field, errors);
}

fn maps(schema: &Value, field: &str, errors: &mut Errors) {
    const MAP: &str = "x-kubernetes-map-type";
    let Some(given) = schema.get(MAP).filter(|one| !one.is_null()) else { return };
    if text(schema, "type") != "object" {
        let why = "must be object if x-kubernetes-map-type is specified";
        required_or_invalid(format!("{field}.type"), schema, why, errors);
    }
    errors.one_of(format!("{field}.{MAP}"), given, &["atomic", "granular"]);
}

const LIST: &str = "x-kubernetes-list-type";
const KEYS: &str = "x-kubernetes-list-map-keys";

fn lists(schema: &Value, field: &str, errors: &mut Errors) {
    let given = schema.get(LIST).filter(|one| !one.is_null());
    let what = given.and_then(Value::as_str);
    let items = below(schema, "items");
    if given.is_some() && text(schema, "type") != "array" {
        let why = "must be array if x-kubernetes-list-type is specified";
        required_or_invalid(format!("{field}.type"), schema, why, errors);
    } else if what == Some("set")
        && let Some(items) = items
    {
        let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let of = items.get(LIST).filter(|one| !one.is_null());
        match text(items, "type") {
            "array" if of.is_some_and(|of| of != "atomic") => {
                errors.invalid(format!("{field}.items.{LIST}"), of.unwrap_or(&Value::Null), why);
            }
            "object" if text(items, "x-kubernetes-map-type") != "atomic" => {
                errors.invalid(format!("{field}.items.x-kubernetes-map-type"), of.unwrap_or(&Value::Null), why);
            }
            _ => {}
        }
    }
    if let Some(given) = given {
        errors.one_of(format!("{field}.{LIST}"), given, &["atomic", "set", "map"]);
    }
    let keys = list(schema, KEYS);
    if !keys.is_empty() && what != Some("map") {
        let why = "must be map if x-kubernetes-list-map-keys is non-empty";
        match given {
            None => errors.required(format!("{field}.{LIST}"), why),
            Some(given) => errors.invalid(format!("{field}.{LIST}"), given, why),
        }
    }
    if what == Some("map") {
        by_key(schema, keys, items, field, errors);
    }
    if let Some(items) = items
        && let Some(what @ ("set" | "map")) = what
    {
        if flag(items, "nullable") {
            let why = format!("cannot be nullable when x-kubernetes-list-type is {what}");
            errors.forbidden(format!("{field}.items.nullable"), &why);
        }
        if what == "map" {
            always_there(keys, items, field, errors);
        }
    }
}

fn by_key(schema: &Value, keys: &[Value], items: Option<&Value>, field: &str, errors: &mut Errors) {
    if keys.is_empty() {
        errors.required(format!("{field}.{KEYS}"), "must not be empty if x-kubernetes-list-type is map");
    }
    let Some(items) = items else {
        if schema.get("items").is_none_or(Value::is_null) {
            errors.required(format!("{field}.items"), "must have a schema if x-kubernetes-list-type is map");
        }
        return;
    };
    if text(items, "type") != "object" {
        let why = "must be object if parent array's x-kubernetes-list-type is map";
        return errors.invalid(format!("{field}.items.type"), &json!(text(items, "type")), why);
    }
    for (at, key) in keys.iter().enumerate() {
        let name = key.as_str().unwrap_or_default();
        match items["properties"].get(name) {
            Some(one) if matches!(text(one, "type"), "array" | "object") => {
                let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                errors.invalid(format!("{field}.items.properties[{name}].type"), &json!("object"), why);
            }
            Some(_) => {}
            None => {
                errors.invalid(format!("{field}.{KEYS}"), &json!(keys), "entries must all be names of item properties");
            }
        }
        if keys[..at].contains(key) {
            errors.invalid(format!("{field}.{KEYS}"), &json!(keys), "must not contain duplicate entries");
        }
    }
}

/// An item without its keys could not be told from others.
fn always_there(keys: &[Value], items: &Value, field: &str, errors: &mut Errors) {
    const KEY: &str = "this property is in x-kubernetes-list-map-keys, so it";
    for key in keys {
        let name = key.as_str().unwrap_or_default();
        let Some(one) = items["properties"].get(name) else { continue };
        let here = format!("{field}.items.properties[{name}]");
        if !list(items, "required").contains(key) && one.get("default").is_none_or(Value::is_null) {
            errors.required(format!("{here}.default"), &format!("{KEY} must have a default or be a required property"));
        }
        if flag(one, "nullable") {
            errors.forbidden(format!("{here}.nullable"), &format!("{KEY} cannot be nullable"));
        }
    }
}

/// The texts of its expressions; the expressions themselves are looked at when nothing else is wrong.
fn messages(schema: &Value, field: &str, errors: &mut Errors) {
    const REASONS: [&str; 4] =
        ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
    for (at, rule) in list(schema, "x-kubernetes-validations").iter().enumerate() {
        let here = |name: &str| format!("{field}.x-kubernetes-validations[{at}].{name}");
        let given = |name: &str| rule.get(name).and_then(Value::as_str);
        let blank = |name: &str| given(name).is_some_and(|text| !text.is_empty() && text.trim().is_empty());
        let broken = |text: &str| text.contains(['\n', '\r']);
        let (expression, message) = (text(rule, "rule").trim(), text(rule, "message").trim());
        if expression.is_empty() {
            errors.required(here("rule"), "rule is not specified");
        } else if blank("message") {
            errors.invalid(here("message"), &rule["message"], "must be non-empty if specified");
        } else if broken(message) {
            errors.invalid(here("message"), &rule["message"], "must not contain line breaks");
        } else if broken(expression) && message.is_empty() {
            errors.required(here("message"), "message must be specified if rule contains line breaks");
        }
        if blank("messageExpression") {
            errors.required(here("messageExpression"), "messageExpression must be non-empty if specified");
        }
        errors.one_of(here("reason"), &rule["reason"], &REASONS);
        if blank("fieldPath") {
            errors.invalid(here("fieldPath"), &rule["fieldPath"], "must be non-empty if specified");
        }
        if given("fieldPath").is_some_and(broken) {
            errors.invalid(here("fieldPath"), &rule["fieldPath"], "must not contain line breaks");
        }
    }
}
