//! The document in the messages of gnostic's `openapi.v2`.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::version::KUBERNETES_VERSION;

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

/// What can be asked of a kind, by path and method.
pub(super) fn paths(paths: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, item) in paths {
        let mut inner = Vec::new();
        for (method, tag) in
            [("get", 2), ("put", 3), ("post", 4), ("delete", 5), ("options", 6), ("head", 7), ("patch", 8)]
        {
            if let Some(of) = item.get(method) {
                field(tag, &operation(of), &mut inner);
            }
        }
        for of in item["parameters"].as_array().into_iter().flatten() {
            field(9, &parameter(of), &mut inner);
        }
        field(2, &named(path, &inner), &mut out);
    }
    out
}

fn operation(of: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let texts = |name: &str, tag: u64, out: &mut Vec<u8>| {
        for value in of[name].as_array().into_iter().flatten() {
            text(tag, Some(value), out);
        }
    };
    texts("tags", 1, &mut out);
    text(3, of.get("description"), &mut out);
    text(5, of.get("operationId"), &mut out);
    texts("produces", 6, &mut out);
    texts("consumes", 7, &mut out);
    for of in of["parameters"].as_array().into_iter().flatten() {
        field(8, &parameter(of), &mut out);
    }
    let mut answers = Vec::new();
    for (code, answer) in of["responses"].as_object().into_iter().flatten() {
        let mut inner = Vec::new();
        text(1, answer.get("description"), &mut inner);
        if let Some(of) = answer.get("schema") {
            let mut item = Vec::new();
            field(1, &schema(of), &mut item);
            field(2, &item, &mut inner);
        }
        let mut value = Vec::new();
        field(1, &inner, &mut value);
        field(1, &named(code, &value), &mut answers);
    }
    field(9, &answers, &mut out);
    texts("schemes", 10, &mut out);
    for (name, value) in of.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("x-")) {
        field(13, &named(name, &any(value)), &mut out);
    }
    out
}

fn parameter(of: &Value) -> Vec<u8> {
    let mut inner = Vec::new();
    let place = of["in"].as_str().unwrap_or_default();
    // Of a body, of the query and of the path: three messages with numbers of their own.
    let parameter = if place == "body" {
        text(1, of.get("description"), &mut inner);
        text(2, of.get("name"), &mut inner);
        text(3, of.get("in"), &mut inner);
        flag(4, of.get("required"), &mut inner);
        if let Some(of) = of.get("schema") {
            field(5, &schema(of), &mut inner);
        }
        let mut parameter = Vec::new();
        field(1, &inner, &mut parameter);
        parameter
    } else {
        let (kind, unique, tag) = if place == "path" { (5, 19, 4) } else { (6, 20, 3) };
        flag(1, of.get("required"), &mut inner);
        text(2, of.get("in"), &mut inner);
        text(3, of.get("description"), &mut inner);
        text(4, of.get("name"), &mut inner);
        text(kind, of.get("type"), &mut inner);
        flag(unique, of.get("uniqueItems"), &mut inner);
        let (mut place, mut parameter) = (Vec::new(), Vec::new());
        field(tag, &inner, &mut place);
        field(2, &place, &mut parameter);
        parameter
    };
    let mut item = Vec::new();
    field(1, &parameter, &mut item);
    item
}

/// The document, in parts: what is known of Kubernetes' own kinds, then of custom ones.
pub(super) fn document(own: (&Bytes, &Bytes), custom: (&[u8], &[u8])) -> Vec<Bytes> {
    let mut head = Vec::new();
    field(1, b"2.0", &mut head);
    let mut info = Vec::new();
    field(1, b"Kubernetes", &mut info);
    field(2, KUBERNETES_VERSION.as_bytes(), &mut info);
    field(2, &info, &mut head);
    let begin = |tag: u64, length: usize, out: &mut Vec<u8>| {
        number(tag << 3 | 2, out);
        number(length as u64, out);
    };
    begin(8, own.0.len() + custom.0.len(), &mut head);
    let mut middle = custom.0.to_vec();
    begin(9, own.1.len() + custom.1.len(), &mut middle);
    vec![head.into(), own.0.clone(), middle.into(), own.1.clone(), custom.1.to_vec().into()]
}
