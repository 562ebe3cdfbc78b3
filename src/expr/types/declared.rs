//! Custom resources, as the schema of their definition declares them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::record::Known;
use super::{Object, Others, Text, Type, Words};

/// Schemas nest about ten deep.
const DEEPEST: usize = 64;

/// An object of a declared schema.
#[derive(Debug)]
pub struct Declared {
    pub(super) name: String,
    pub(super) fields: BTreeMap<String, Type>,
    /// What is not declared is kept as well.
    pub(super) open: bool,
}

/// What a `CustomResourceDefinition` says of its objects.
#[derive(Debug, Clone)]
pub struct Definition {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) plural: String,
    /// What kubectl calls it too.
    pub(super) names: Vec<String>,
    pub(super) namespaced: bool,
    pub(super) object: Type,
}

/// Reads a manifest; `None` where it is no definition of a custom resource.
pub fn definition(manifest: &Value) -> Option<Definition> {
    if manifest["kind"] != "CustomResourceDefinition" {
        return None;
    }
    let spec = &manifest["spec"];
    let group = spec["group"].as_str()?.to_owned();
    let names = &spec["names"];
    let (kind, plural) = (names["kind"].as_str()?.to_owned(), names["plural"].as_str()?.to_owned());
    let mut others: Vec<String> = vec![plural.clone(), kind.to_lowercase()];
    others.extend(names["singular"].as_str().map(str::to_owned));
    others.extend(names["shortNames"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let open = spec["preserveUnknownFields"] == true;
    let mut object = Type::Never;
    for version in versions {
        let schema = &version["schema"]["openAPIV3Schema"];
        let schema = if schema.is_null() { &spec["validation"]["openAPIV3Schema"] } else { schema };
        let name = version["name"].as_str().unwrap_or("v1");
        let known = if schema.is_null() || open { Type::Dyn } else { root(schema, &group, name, &kind) };
        object = object.or(known);
    }
    let object = if object == Type::Never { Type::Dyn } else { object };
    Some(Definition { group, kind, plural, names: others, namespaced: spec["scope"] == "Namespaced", object })
}

/// A whole object: its `metadata` is every object's.
fn root(schema: &Value, group: &str, version: &str, kind: &str) -> Type {
    let Type::Object(Object::Declared(declared)) = of_schema(schema, kind, 0) else { return Type::Dyn };
    let mut fields = declared.fields.clone();
    fields.insert("apiVersion".to_owned(), word(&kube_etcd_codec::join_group(group, version), Others::Later));
    fields.insert("kind".to_owned(), word(kind, Others::Never));
    fields.insert("metadata".to_owned(), metadata());
    Type::Object(Object::Declared(Arc::new(Declared { name: kind.to_owned(), fields, open: declared.open })))
}

fn word(word: &str, others: Others) -> Type {
    Type::Text(Text::Words(Words::new([word], others)))
}

fn metadata() -> Type {
    kube_etcd_codec::message("meta/v1.ObjectMeta").map_or(Type::Dyn, |message| Type::Object(Object::Message(message)))
}

/// A built-in kind that only a record describes.
pub(super) fn of_record(api_version: &str, kind: &str, others: Others, (spec, status): (Known, Known)) -> Type {
    let fields = [
        ("apiVersion", word(api_version, Others::Later)),
        ("kind", word(kind, others)),
        ("metadata", metadata()),
        ("spec", spec.of()),
        ("status", status.of()),
    ];
    let fields = fields.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
    Type::Object(Object::Declared(Arc::new(Declared { name: kind.to_owned(), fields, open: false })))
}

fn of_schema(schema: &Value, name: &str, depth: usize) -> Type {
    let flag = |name: &str| schema[name] == true;
    if depth > DEEPEST {
        return Type::Dyn;
    }
    if flag("x-kubernetes-int-or-string") {
        return Type::IntOrText;
    }
    match schema["type"].as_str() {
        Some("string") => Type::Text(of_text(schema)),
        Some("integer") => Type::Int,
        Some("number") => Type::Number,
        Some("boolean") => Type::Bool,
        Some("array") => Type::list(of_schema(&schema["items"], name, depth + 1)),
        Some("object") => {
            let open = flag("x-kubernetes-preserve-unknown-fields");
            let mut fields: BTreeMap<String, Type> = BTreeMap::new();
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                fields.insert(name.clone(), of_schema(schema, name, depth + 1));
            }
            if flag("x-kubernetes-embedded-resource") {
                fields.entry("apiVersion".to_owned()).or_insert_with(Type::text);
                fields.entry("kind".to_owned()).or_insert_with(Type::text);
                fields.insert("metadata".to_owned(), metadata());
            }
            match &schema["additionalProperties"] {
                Value::Object(_) if fields.is_empty() => {
                    Type::map(of_schema(&schema["additionalProperties"], name, depth + 1))
                }
                Value::Bool(true) if fields.is_empty() => Type::map(Type::Dyn),
                _ if fields.is_empty() && open => Type::Dyn,
                _ => Type::Object(Object::Declared(Arc::new(Declared { name: name.to_owned(), fields, open }))),
            }
        }
        _ => Type::Dyn,
    }
}

fn of_text(schema: &Value) -> Text {
    let words = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let words = Words::new(words, Others::Never);
    match schema["format"].as_str() {
        _ if !words.words.is_empty() => Text::Words(words),
        Some("byte") => Text::Base64,
        _ => Text::Plain,
    }
}
