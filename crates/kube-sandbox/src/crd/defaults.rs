//! Whether what a definition fills in would be valid itself.

use serde_json::Value;

use super::schema;
use crate::object::field_error::{FieldError, FieldErrorKind};
use crate::validate::schemas_of_definition;

/// What is wrong with the defaults of a definition; of other kinds nothing is.
pub fn problems(kind: &str, definition: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if kind == "CustomResourceDefinition" {
        for (field, schema) in schemas_of_definition(&definition["spec"]) {
            look(schema, &field, true, &mut errors);
        }
    }
    errors
}

fn look(schema: &Value, field: &str, has_metadata: bool, errors: &mut Vec<FieldError>) {
    if let Some(default) = schema.get("default").filter(|default| !default.is_null()) {
        one(schema, default, &format!("{field}.default"), errors);
    }
    if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
        look(items, &format!("{field}.items"), is_embedded(items), errors);
    }
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        // Defaults within metadata have rules of their own.
        if !(has_metadata && matches!(name.as_str(), "apiVersion" | "kind" | "metadata")) {
            look(inner, &format!("{field}.properties[{name}]"), is_embedded(inner), errors);
        }
    }
}

fn is_embedded(schema: &Value) -> bool {
    schema.get("x-kubernetes-embedded-resource") == Some(&Value::Bool(true))
}

fn one(schema: &Value, default: &Value, field: &str, errors: &mut Vec<FieldError>) {
    if !schema::prune(schema, &mut default.clone()).is_empty() {
        errors.push(FieldError::invalid(field, default, "must not have unknown fields"));
    }
    errors.extend(schema::check_value(schema, default).into_iter().map(|error| {
        let place = match error.field.as_str() {
            "" | "<root>" => field.to_owned(),
            inner if inner.starts_with('[') => format!("{field}{inner}"),
            inner => format!("{field}.{inner}"),
        };
        // The value itself has no name.
        let detail = error.detail.replacen(": <root> in body", ":  in body", 1);
        let kind = if error.kind == FieldErrorKind::Type { FieldErrorKind::Invalid } else { error.kind };
        FieldError::new(place, kind, detail)
    }));
}

/// Formats that no value is checked by; the author is warned of them.
pub fn unknown_formats(definition: &Value) -> Vec<String> {
    let mut found = std::collections::BTreeSet::new();
    for (_, schema) in schemas_of_definition(&definition["spec"]) {
        formats(schema, &mut found);
    }
    found.into_iter().map(str::to_owned).collect()
}

fn formats<'s>(schema: &'s Value, found: &mut std::collections::BTreeSet<&'s str>) {
    const TEXTS: [&str; 26] = [
        "bsonobjectid",
        "uri",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "cidr",
        "mac",
        "uuid",
        "uuid3",
        "uuid4",
        "uuid5",
        "isbn",
        "isbn10",
        "isbn13",
        "creditcard",
        "ssn",
        "hexcolor",
        "rgbcolor",
        "byte",
        "password",
        "date",
        "duration",
        "datetime",
        "k8sshortname",
        "k8slongname",
    ];
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let is_known = match schema.get("type").and_then(Value::as_str) {
        None | Some("" | "string") => TEXTS.contains(&format.replace('-', "").as_str()),
        Some("integer") => matches!(format, "int32" | "int64"),
        Some("number") => matches!(format, "float" | "double"),
        Some(_) => false,
    };
    if !format.is_empty() && !is_known {
        found.insert(format);
    }
    for part in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(part).filter(|inner| inner.is_object()) {
            formats(inner, found);
        }
    }
    for inner in schema.get("properties").and_then(Value::as_object).into_iter().flat_map(|all| all.values()) {
        formats(inner, found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::validate;

    fn definition(properties: &Value) -> Value {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "as.t.io"},
            "spec": {
                "group": "t.io", "scope": "Namespaced",
                "names": {"kind": "A", "plural": "as", "singular": "a", "listKind": "AList"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}}}],
            },
            "status": {"storedVersions": ["v1"]},
        })
    }

    fn wrong(properties: &Value) -> Vec<String> {
        let definition = definition(properties);
        let errors = validate::create("CustomResourceDefinition", &definition).err();
        let errors = errors.unwrap_or_else(|| problems("CustomResourceDefinition", &definition));
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn schemas_are_refused_as_the_real_server_refuses_them() {
        let mut cases: Vec<(&str, Vec<&str>)> = Vec::new();
        for line in include_str!("schemas.txt").lines().filter(|line| !line.starts_with('#')) {
            match (line.strip_prefix("  "), cases.last_mut()) {
                (Some(error), Some((_, errors))) => errors.push(error),
                _ => cases.push((line, Vec::new())),
            }
        }
        let mut otherwise = Vec::new();
        for (properties, expected) in cases {
            let found = wrong(&serde_json::from_str(properties).expect("a schema"));
            if found != expected {
                otherwise.push(format!(
                    "{properties}\n  {}\nrather than\n  {}",
                    found.join("\n  "),
                    expected.join("\n  ")
                ));
            }
        }
        assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
    }

    #[test]
    fn defaults_of_metadata_and_formats_are_looked_at() {
        let named = json!({"metadata": {"type": "object", "properties": {"name": {"type": "string", "default": "x"}}}});
        assert_eq!(
            wrong(&named),
            [
                "spec.validation.openAPIV3Schema.properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata"
            ]
        );
        let formats = json!({"a": {"type": "string", "format": "nonsense"}, "b": {"type": "string", "format": "date-time"},
            "c": {"type": "integer", "format": "int16"}, "d": {"type": "array", "items": {"type": "number", "format": "double"}}});
        assert_eq!(unknown_formats(&definition(&formats)), ["int16", "nonsense"]);
    }
}
