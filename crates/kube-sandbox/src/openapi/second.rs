//! `OpenAPI` v2, for clients that know no other: all schemas in one document, as JSON or in protobuf. Its paths are left
//! out; v3 has them.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};

use super::components::PREFIX;
use super::document;
use crate::resource::Resource;
use crate::resource::registry::Served;
use crate::version::KUBERNETES_VERSION;

/// What is asked for has an `@`, which a content type may not have.
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
const DEFINITIONS: &str = "#/definitions/";

/// Kubernetes' own definitions, written; the same for every sandbox of this process.
#[derive(Default)]
struct Built {
    json: Option<Bytes>,
    protobuf: Option<Bytes>,
}

static BUILT: LazyLock<Mutex<Built>> = LazyLock::new(Mutex::default);

pub(super) fn answer(served: &Served, accept: &str) -> Response {
    let own = || of(served.all.iter().filter(|one| one.custom.is_none()));
    let custom = of(served.all.iter().filter(|one| one.custom.is_some()));
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if accept.contains("protobuf") {
        let known = built.protobuf.get_or_insert_with(|| protobuf::definitions(&own()).into()).clone();
        return whole(PROTOBUF, protobuf::document(&known, &protobuf::definitions(&custom)));
    }
    let known = built.json.get_or_insert_with(|| inner(&own()).into()).clone();
    let more = inner(&custom);
    let info = json!({"title": "Kubernetes", "version": KUBERNETES_VERSION});
    let head = format!("{{\"swagger\":\"2.0\",\"info\":{info},\"paths\":{{}},\"definitions\":{{");
    let comma = if more.is_empty() { "" } else { "," };
    whole("application/json", vec![head.into(), known, format!("{comma}{more}}}}}\n").into()])
}

fn whole(content: &'static str, parts: Vec<Bytes>) -> Response {
    let parts = parts.into_iter().map(Ok::<_, std::io::Error>);
    let mut response = Response::new(Body::from_stream(futures::stream::iter(parts)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    response
}

/// A map's entries, without its brackets.
fn inner(definitions: &Map<String, Value>) -> String {
    let text = Value::Object(definitions.clone()).to_string();
    text[1..text.len() - 1].to_owned()
}

/// The definitions of these resources, with all that they refer to.
pub(super) fn of<'r>(resources: impl Iterator<Item = &'r Arc<Resource>>) -> Map<String, Value> {
    let resources: Vec<_> = resources.collect();
    let mut places: Vec<(&str, &str)> =
        resources.iter().map(|one| (one.group.as_str(), one.version.as_str())).collect();
    places.sort_unstable();
    places.dedup();
    let mut all: Map<String, Value> = Map::new();
    for (group, version) in places {
        let here: Vec<_> =
            resources.iter().filter(|one| one.group == group && one.version == version).copied().collect();
        let custom = here.iter().any(|one| one.custom.is_some());
        let Value::Object(schemas) = document::build(&here)["components"]["schemas"].take() else { continue };
        for (name, mut schema) in schemas {
            // What only refers to it knows less: not which kinds have it.
            let known = all.get(&name).is_some_and(|known| known.get(KINDS).is_some() || schema.get(KINDS).is_none());
            if !known {
                let of_definition = custom && !name.starts_with("io.k8s.");
                second(&mut schema, of_definition);
                all.insert(name, schema);
            }
        }
    }
    all
}

const KINDS: &str = "x-kubernetes-group-version-kind";

/// Makes a schema of v3 one of v2, which says less.
fn second(schema: &mut Value, custom: bool) {
    let Some(map) = schema.as_object_mut() else { return };
    // v3 wraps a reference that has a description beside it.
    if let Some([only]) = map.get("allOf").and_then(Value::as_array).map(Vec::as_slice)
        && let Some(reference) = only.get("$ref").cloned()
    {
        map.insert("$ref".to_owned(), reference);
        map.remove("default");
    }
    if let Some(Value::String(reference)) = map.get_mut("$ref")
        && let Some(name) = reference.strip_prefix(PREFIX)
    {
        *reference = format!("{DEFINITIONS}{name}");
    }
    let either = map.remove("oneOf").is_some();
    for more in ["allOf", "anyOf", "not"] {
        map.remove(more);
    }
    if either && !custom {
        map.insert("type".to_owned(), "string".into());
    }
    // Old clients take what has a type to be nothing else, null included.
    if map.remove("nullable") == Some(Value::Bool(true)) {
        for field in ["type", "items", "properties"] {
            map.remove(field);
        }
    }
    let nullable: Vec<String> = map
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(_, field)| field["nullable"] == true)
        .map(|(name, _)| name.clone())
        .collect();
    if let Some(Value::Array(required)) = map.get_mut("required") {
        required.retain(|name| !nullable.iter().any(|one| name == one.as_str()));
    }
    if map.get("required").is_some_and(|required| required == &json!([])) {
        map.remove("required");
    }
    for (_, field) in map.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        second(field, custom);
    }
    for below in ["items", "additionalProperties"] {
        if let Some(below) = map.get_mut(below) {
            second(below, custom);
        }
    }
}

/// The same in the messages of gnostic's `openapi.v2`.
mod protobuf {
    use super::{Bytes, KUBERNETES_VERSION, Map, Value};

    fn number(mut value: u64, out: &mut Vec<u8>) {
        while value >= 0x80 {
            out.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
            value >>= 7;
        }
        out.push(u8::try_from(value).unwrap_or_default());
    }

    fn field(tag: u64, bytes: &[u8], out: &mut Vec<u8>) {
        number(tag << 3 | 2, out);
        number(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }

    fn text(tag: u64, value: Option<&Value>, out: &mut Vec<u8>) {
        if let Some(text) = value.and_then(Value::as_str) {
            field(tag, text.as_bytes(), out);
        }
    }

    fn whole_number(tag: u64, value: Option<&Value>, out: &mut Vec<u8>) {
        if let Some(value) = value.and_then(Value::as_u64) {
            number(tag << 3, out);
            number(value, out);
        }
    }

    fn double(tag: u64, value: Option<&Value>, out: &mut Vec<u8>) {
        if let Some(value) = value.and_then(Value::as_f64) {
            number(tag << 3 | 1, out);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn flag(tag: u64, value: Option<&Value>, out: &mut Vec<u8>) {
        if value == Some(&Value::Bool(true)) {
            number(tag << 3, out);
            out.push(1);
        }
    }

    /// `Any`, as YAML, which JSON is.
    fn any(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        field(2, value.to_string().as_bytes(), &mut out);
        out
    }

    fn named(name: &str, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        field(1, name.as_bytes(), &mut out);
        field(2, value, &mut out);
        out
    }

    fn schema(of: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        let get = |name: &str| of.get(name);
        text(1, get("$ref"), &mut out);
        text(2, get("format"), &mut out);
        text(3, get("title"), &mut out);
        text(4, get("description"), &mut out);
        if let Some(default) = get("default") {
            field(5, &any(default), &mut out);
        }
        double(6, get("multipleOf"), &mut out);
        double(7, get("maximum"), &mut out);
        flag(8, get("exclusiveMaximum"), &mut out);
        double(9, get("minimum"), &mut out);
        flag(10, get("exclusiveMinimum"), &mut out);
        whole_number(11, get("maxLength"), &mut out);
        whole_number(12, get("minLength"), &mut out);
        text(13, get("pattern"), &mut out);
        whole_number(14, get("maxItems"), &mut out);
        whole_number(15, get("minItems"), &mut out);
        flag(16, get("uniqueItems"), &mut out);
        whole_number(17, get("maxProperties"), &mut out);
        whole_number(18, get("minProperties"), &mut out);
        for name in get("required").and_then(Value::as_array).into_iter().flatten() {
            text(19, Some(name), &mut out);
        }
        for value in get("enum").and_then(Value::as_array).into_iter().flatten() {
            field(20, &any(value), &mut out);
        }
        let mut inner = Vec::new();
        match get("additionalProperties") {
            Some(Value::Bool(value)) => inner.extend_from_slice(&[2 << 3, u8::from(*value)]),
            Some(of) => field(1, &schema(of), &mut inner),
            None => {}
        }
        if !inner.is_empty() {
            field(21, &inner, &mut out);
        }
        if let Some(kind) = get("type") {
            let mut inner = Vec::new();
            text(1, Some(kind), &mut inner);
            field(22, &inner, &mut out);
        }
        if let Some(items) = get("items") {
            let mut inner = Vec::new();
            field(1, &schema(items), &mut inner);
            field(23, &inner, &mut out);
        }
        if let Some(properties) = get("properties").and_then(Value::as_object) {
            field(25, &definitions(properties), &mut out);
        }
        for (name, value) in of.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("x-")) {
            field(31, &named(name, &any(value)), &mut out);
        }
        out
    }

    /// Schemas by name: the message of a document's definitions, and of an object's properties.
    pub(super) fn definitions(schemas: &Map<String, Value>) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, of) in schemas {
            field(1, &named(name, &schema(of)), &mut out);
        }
        out
    }

    /// The document, in parts: a message that is given twice is read as one.
    pub(super) fn document(own: &Bytes, custom: &[u8]) -> Vec<Bytes> {
        let mut head = Vec::new();
        field(1, b"2.0", &mut head);
        let mut info = Vec::new();
        field(1, b"Kubernetes", &mut info);
        field(2, KUBERNETES_VERSION.as_bytes(), &mut info);
        field(2, &info, &mut head);
        field(8, b"", &mut head);
        number(9 << 3 | 2, &mut head);
        number((own.len() + custom.len()) as u64, &mut head);
        vec![head.into(), own.clone(), custom.to_vec().into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_of_version_3_becomes_one_of_version_2() {
        let mut schema = json!({"type": "object", "required": ["a", "b"], "properties": {
            "a": {"type": "string", "nullable": true},
            "b": {"allOf": [{"$ref": "#/components/schemas/X"}], "default": {}, "description": "d"},
            "c": {"anyOf": [{"type": "integer"}], "items": {"$ref": "#/components/schemas/Y"}, "type": "array"},
        }});
        second(&mut schema, true);
        assert_eq!(
            schema,
            json!({"type": "object", "required": ["b"], "properties": {
                "a": {},
                "b": {"$ref": "#/definitions/X", "description": "d"},
                "c": {"items": {"$ref": "#/definitions/Y"}, "type": "array"},
            }})
        );
        let mut port = json!({"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"});
        second(&mut port, false);
        assert_eq!(port, json!({"type": "string", "format": "int-or-string"}));
    }

    #[test]
    fn a_message_holds_what_the_text_does() {
        let Value::Object(one) = json!({"A": {"type": "object", "x-a": true}}) else { panic!("a map") };
        let schema =
            [b"\xb2\x01\x08\x0a\x06object".as_slice(), b"\xfa\x01\x0d\x0a\x03x-a\x12\x06\x12\x04true"].concat();
        let named = [b"\x0a\x01A\x12".as_slice(), &[u8::try_from(schema.len()).expect("short")], &schema].concat();
        let whole = [&[0x0a, u8::try_from(named.len()).expect("short")], named.as_slice()].concat();
        assert_eq!(protobuf::definitions(&one), whole);
    }
}
