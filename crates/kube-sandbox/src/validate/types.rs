//! Values of the wrong JSON type, as Go's decoder reports the first of them.

use serde_json::Value;

use super::go_type;
use kube_etcd_codec::{Field, Message, SchemaOr, Shape, Type};

/// What Go says about the first value that its struct cannot take, such as
/// `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`.
pub(crate) fn check(object: &Value) -> Result<(), String> {
    if let Some(metadata) = object.get("metadata").filter(|one| !one.is_object() && !one.is_null()) {
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
        let found = found(metadata, "");
        return Err(format!(
            "json: cannot unmarshal {found} into Go struct field {kind}.metadata of type v1.ObjectMeta"
        ));
    }
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    match kube_etcd_codec::sent_message_of(text("apiVersion"), text("kind")) {
        Some(message) => walk(message, object, ""),
        None => match kube_etcd_codec::message("meta/v1.ObjectMeta") {
            Some(metadata) => walk(metadata, &object["metadata"], "metadata"),
            None => Ok(()),
        },
    }
}

fn walk(message: &'static Message, value: &Value, path: &str) -> Result<(), String> {
    for (name, value) in value.as_object().into_iter().flatten() {
        if value.is_null() {
            continue;
        }
        let Some(found) = Found::of(message, name) else { continue };
        let field = found.field;
        let mut here = path.to_owned();
        for part in found.through.iter().copied().chain([name.as_str()]) {
            if !here.is_empty() {
                here.push('.');
            }
            here.push_str(part);
        }
        let place = Place { outer: message, holder: found.holder, path: &here };
        match (field.shape, value) {
            (Shape::One, value) => one(field, value, &place)?,
            (Shape::List, Value::Array(items)) => {
                for item in items.iter().filter(|item| !item.is_null()) {
                    one(field, item, &place)?;
                }
            }
            (Shape::Map, Value::Object(entries)) => {
                for entry in entries.values().filter(|entry| !entry.is_null()) {
                    one(field, entry, &place)?;
                }
            }
            (Shape::List | Shape::Map, value) => return Err(place.wrong(value, &go_type::whole(found.holder, field))),
        }
    }
    Ok(())
}

/// A field, the struct that declares it, and the structs without a name of their own through which it is one of the
/// outer struct.
struct Found {
    through: Vec<&'static str>,
    holder: &'static Message,
    field: &'static Field,
}

impl Found {
    fn of(message: &'static Message, name: &str) -> Option<Self> {
        if let Some(field) = message.fields.iter().find(|field| field.name == name && !field.inline) {
            return Some(Self { through: Vec::new(), holder: message, field });
        }
        message.fields.iter().filter(|field| field.inline).find_map(|outer| {
            let inner = outer.message()?;
            let mut found = Self::of(inner, name)?;
            found.through.insert(0, short(inner));
            Some(found)
        })
    }
}

fn short(message: &'static Message) -> &'static str {
    message.name.rsplit('.').next().unwrap_or_default()
}

struct Place<'a> {
    outer: &'static Message,
    holder: &'static Message,
    path: &'a str,
}

impl Place<'_> {
    fn wrong(&self, value: &Value, wanted: &str) -> String {
        let (found, outer) = (found(value, wanted), short(self.outer));
        format!("json: cannot unmarshal {found} into Go struct field {outer}.{} of type {wanted}", self.path)
    }
}

/// A value of JSON as Go calls it.
fn found(value: &Value, wanted: &str) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if wanted.starts_with("int") && !number.is_i64() => format!("number {number}"),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    }
}

fn one(field: &Field, value: &Value, place: &Place<'_>) -> Result<(), String> {
    let fits = match field.kind {
        Type::Bytes => match value.as_str() {
            Some(text) => match illegal_base64(text) {
                None => true,
                Some(at) => return Err(format!("illegal base64 data at input byte {at}")),
            },
            None => false,
        },
        Type::String | Type::Duration => value.is_string(),
        Type::Time | Type::MicroTime => {
            let Some(text) = value.as_str() else { return Err(place.wrong(value, "string")) };
            let layout = match field.kind {
                Type::MicroTime => "2006-01-02T15:04:05.000000Z07:00",
                _ => "2006-01-02T15:04:05Z07:00",
            };
            if field.kind == Type::MicroTime && text.ends_with('Z') && !text.contains('.') {
                return Err(format!("parsing time \"{text}\" as \"{layout}\": cannot parse \"Z\" as \".000000\""));
            }
            return text
                .parse::<jiff::Timestamp>()
                .map(drop)
                .map_err(|_| format!("parsing time \"{text}\" as \"{layout}\": cannot parse \"{text}\" as \"2006\""));
        }
        Type::Bool => value.is_boolean(),
        Type::Int32 => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Type::Int64 => value.is_i64(),
        Type::Double => value.is_number(),
        Type::Strings => value.is_array(),
        Type::IntOrString => value.is_i64() || value.is_string(),
        Type::Quantity => {
            let number = value.is_number() || value.as_str().is_some_and(kube_etcd_codec::is_quantity);
            let why = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
            return if number { Ok(()) } else { Err(why.to_owned()) };
        }
        Type::Raw | Type::Fields => true,
        Type::Schema(or) => return schema_or(or, value),
        Type::Message(_) => match (field.message(), value.is_object()) {
            (Some(inner), true) => return walk(inner, value, place.path),
            _ => false,
        },
    };
    if fits { Ok(()) } else { Err(place.wrong(value, &go_type::item(place.holder, field))) }
}

/// These have decoders of their own, which begin a path of their own.
fn schema_or(or: SchemaOr, value: &Value) -> Result<(), String> {
    let Some(schema) = kube_etcd_codec::message("apiextensions/v1.JSONSchemaProps") else { return Ok(()) };
    match (or, value) {
        (_, Value::Object(_)) => walk(schema, value, ""),
        (SchemaOr::List, Value::Array(items)) => {
            items.iter().filter(|item| item.is_object()).try_for_each(|item| walk(schema, item, ""))
        }
        (SchemaOr::Strings, Value::Array(items)) => match items.iter().find(|item| !item.is_string()) {
            Some(item) => Err(format!("json: cannot unmarshal {} into Go value of type string", found(item, "string"))),
            None => Ok(()),
        },
        (SchemaOr::Bool, value) if !value.is_boolean() => Err("boolean or JSON schema expected".to_owned()),
        _ => Ok(()),
    }
}

/// Where Go's decoder stops reading.
fn illegal_base64(text: &str) -> Option<usize> {
    let ends = |byte: u8| matches!(byte, b'\n' | b'\r');
    let bytes: Vec<(usize, u8)> = text.bytes().enumerate().filter(|(_, byte)| !ends(*byte)).collect();
    let data = bytes.iter().take_while(|(_, byte)| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')).count();
    let rest = &bytes[data..];
    match (data % 4, rest.len()) {
        (0, 0) => None,
        // Two or three characters, filled up to four.
        (2, 2) | (3, 1) if rest.iter().all(|(_, byte)| *byte == b'=') => None,
        // The end came within a group of four, which counts from its start.
        (open, 0) => bytes.get(data - open).map(|(at, _)| *at),
        _ => rest.first().map(|(at, _)| *at),
    }
}

#[cfg(test)]
mod tests {
    use super::illegal_base64;

    #[test]
    fn base64_is_illegal_where_go_says_so() {
        for (text, at) in [
            ("", None),
            ("YQ==", None),
            ("YWI=", None),
            ("YWJj", None),
            ("YWJj\n", None),
            ("not base64!", Some(3)),
            ("YWJjZ", Some(4)),
        ] {
            assert_eq!(illegal_base64(text), at, "{text}");
        }
    }
}
