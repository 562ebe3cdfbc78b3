//! `OpenAPI` v2, for clients that know no other: all schemas in one document, as JSON or in protobuf.

mod paths;
mod protobuf;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};

use super::definitions::{self, KINDS, PREFIX};
use super::document;
use crate::resource::Resource;
use crate::resource::registry::Served;
use crate::version::KUBERNETES_VERSION;

/// What is asked for has an `@`, which a content type may not have.
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
const DEFINITIONS: &str = "#/definitions/";

/// Paths and definitions.
type Parts = (Map<String, Value>, Map<String, Value>);

/// Those of Kubernetes' own kinds, written; the same for every sandbox of this process.
#[derive(Default)]
struct Built {
    json: Option<(Bytes, Bytes)>,
    protobuf: Option<(Bytes, Bytes)>,
    defined: BTreeSet<String>,
}

static BUILT: LazyLock<Mutex<Built>> = LazyLock::new(Mutex::default);

pub(super) fn answer(served: &Served, accept: &str) -> Response {
    let own = || {
        let (mut paths, mut definitions) = of(served.all.iter().filter(|one| one.custom.is_none()));
        let (others, more) = parts(
            &mut document::whole(super::others(served).into_iter().map(|(_, path)| path).collect(), Map::new(), None),
            false,
        );
        paths.extend(others);
        definitions.extend(more);
        (paths, definitions)
    };
    let (more_paths, mut more) = of(served.all.iter().filter(|one| one.custom.is_some()));
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if built.defined.is_empty() {
        built.defined = own().1.into_iter().map(|(name, _)| name).collect();
    }
    // What custom kinds refer to is defined once.
    more.retain(|name, _| !built.defined.contains(name));
    let custom = (more_paths, more);
    if accept.contains("protobuf") {
        let written = |(paths, definitions): &Parts| (protobuf::paths(paths), protobuf::definitions(definitions));
        let known = built.protobuf.get_or_insert_with(|| {
            let (paths, definitions) = written(&own());
            (paths.into(), definitions.into())
        });
        let (paths, definitions) = written(&custom);
        return whole(PROTOBUF, protobuf::document((&known.0, &known.1), (&paths, &definitions)));
    }
    let known = built.json.get_or_insert_with(|| {
        let (paths, definitions) = own();
        (inner(&paths).into(), inner(&definitions).into())
    });
    let (paths, definitions) = (inner(&custom.0), inner(&custom.1));
    let info = json!({"title": "Kubernetes", "version": KUBERNETES_VERSION});
    let security = format!(
        "\"security\":[{{\"BearerToken\":[]}}],\"securityDefinitions\":{{\"BearerToken\":{}}}",
        document::bearer()
    );
    let comma = |more: &str| if more.is_empty() { "" } else { "," };
    let parts = vec![
        format!("{{\"swagger\":\"2.0\",\"info\":{info},\"paths\":{{").into(),
        known.0.clone(),
        format!("{}{paths}}},\"definitions\":{{", comma(&paths)).into(),
        known.1.clone(),
        format!("{}{definitions}}},{security}}}\n", comma(&definitions)).into(),
    ];
    whole("application/json", parts)
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

/// The paths and the definitions of these resources, with all that they refer to.
pub(super) fn of<'r>(resources: impl Iterator<Item = &'r Arc<Resource>>) -> Parts {
    let resources: Vec<_> = resources.collect();
    let mut places: Vec<(&str, &str)> =
        resources.iter().map(|one| (one.group.as_str(), one.version.as_str())).collect();
    places.sort_unstable();
    places.dedup();
    let (mut all_paths, mut all): Parts = Default::default();
    for (group, version) in places {
        let here: Vec<_> =
            resources.iter().filter(|one| one.group == group && one.version == version).copied().collect();
        let custom = here.iter().any(|one| one.custom.is_some());
        let (paths, definitions) = parts(&mut document::build(&here), custom);
        all_paths.extend(paths);
        all.extend(definitions);
    }
    // These name the kinds of all groups.
    for (name, definition) in &mut all {
        if name.ends_with(".v1.DeleteOptions") || name.ends_with(".v1.WatchEvent") {
            *definition = definitions::component(name).unwrap_or_default();
            second(definition, false);
        }
    }
    (all_paths, all)
}

/// A document of v3 as one of v2.
fn parts(document: &mut Value, custom: bool) -> Parts {
    let (mut all_paths, mut all): Parts = Default::default();
    if let Value::Object(paths) = document["paths"].take() {
        all_paths.extend(paths.into_iter().map(|(path, item)| (path, paths::second(item, custom))));
    }
    if let Value::Object(schemas) = document["components"]["schemas"].take() {
        for (name, mut schema) in schemas {
            let of_definition = custom && !name.starts_with("io.k8s.");
            second(&mut schema, of_definition);
            // Old clients take every field that is not named to be wrong.
            if of_definition && schema["x-kubernetes-preserve-unknown-fields"] == true {
                schema = json!({"type": "object", KINDS: schema[KINDS]});
            }
            all.insert(name, schema);
        }
    }
    (all_paths, all)
}

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
    if !custom {
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
