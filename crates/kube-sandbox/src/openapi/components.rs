//! The schemas of messages, as kube-openapi writes them.

use serde_json::{Map, Value, json};

use super::descriptions;
use kube_etcd_codec::{Field, Message, Shape, Type};

pub(super) const PREFIX: &str = "#/components/schemas/";
const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

/// Schemas by name, with all that they refer to.
#[derive(Default)]
pub(super) struct Components(pub(super) Map<String, Value>);

impl Components {
    pub(super) fn add(&mut self, message: &'static Message) -> String {
        let name = component(message);
        if self.0.contains_key(&name) {
            return name;
        }
        // A place is kept, for messages that hold themselves.
        self.0.insert(name.clone(), Value::Null);
        let mut properties = Map::new();
        let mut required = Vec::new();
        if message.is_kind {
            properties.insert("apiVersion".into(), json!({"type": "string", "description": API_VERSION}));
            properties.insert("kind".into(), json!({"type": "string", "description": KIND}));
        }
        self.fields(message, &mut properties, &mut required);
        let mut schema = json!({"type": "object"});
        if let Some(text) = descriptions::of(message.name) {
            schema["description"] = json!(text);
        }
        if !properties.is_empty() {
            schema["properties"] = Value::Object(properties);
        }
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if message.atomic {
            schema["x-kubernetes-map-type"] = json!("atomic");
        }
        self.0.insert(name.clone(), schema);
        name
    }

    fn fields(&mut self, message: &'static Message, properties: &mut Map<String, Value>, required: &mut Vec<&str>) {
        for field in &message.fields {
            match field.message() {
                Some(inner) if field.inline => self.fields(inner, properties, required),
                _ => {
                    let text = descriptions::of(&format!("{}.{}", message.name, field.name));
                    properties.insert(field.name.to_owned(), self.property(field, text));
                    if field.required {
                        required.push(field.name);
                    }
                }
            }
        }
    }

    fn property(&mut self, field: &'static Field, text: Option<String>) -> Value {
        let mut schema = match field.shape {
            Shape::One => self.value(field),
            Shape::List => json!({"type": "array", "items": self.item(field)}),
            Shape::Map => json!({"type": "object", "additionalProperties": self.item(field)}),
        };
        if let Some(text) = text {
            schema["description"] = json!(text);
        }
        if let Some(default) = field.default.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            schema["default"] = default;
        } else if field.shape == Shape::One && !field.pointer && schema.get("allOf").is_some() {
            schema["default"] = json!({});
        } else if field.required && field.shape == Shape::One && !field.pointer {
            match schema["type"].as_str() {
                Some("string") if field.kind == Type::String => schema["default"] = json!(""),
                Some("integer") => schema["default"] = json!(0),
                Some("boolean") => schema["default"] = json!(false),
                _ => {}
            }
        }
        if !field.values.is_empty() && field.shape == Shape::One {
            schema["enum"] = json!(field.values);
        }
        if !field.patch.is_empty() {
            schema["x-kubernetes-patch-strategy"] = json!(field.patch.join(","));
        }
        if let Some(key) = field.patch_key {
            schema["x-kubernetes-patch-merge-key"] = json!(key);
        }
        if let Some(list) = field.list {
            schema["x-kubernetes-list-type"] = json!(list);
        }
        if !field.list_keys.is_empty() {
            schema["x-kubernetes-list-map-keys"] = json!(field.list_keys);
        }
        if field.atomic {
            schema["x-kubernetes-map-type"] = json!("atomic");
        }
        schema
    }

    fn item(&mut self, field: &'static Field) -> Value {
        let mut schema = self.value(field);
        if schema.get("allOf").is_some() {
            schema["default"] = json!({});
        }
        schema
    }

    fn value(&mut self, field: &'static Field) -> Value {
        let special = |name: &str| match name {
            "Quantity" => "io.k8s.apimachinery.pkg.api.resource.Quantity".to_owned(),
            "IntOrString" => "io.k8s.apimachinery.pkg.util.intstr.IntOrString".to_owned(),
            "RawExtension" => "io.k8s.apimachinery.pkg.runtime.RawExtension".to_owned(),
            _ => format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}"),
        };
        let name = match field.kind {
            Type::String => return json!({"type": "string"}),
            Type::Bool => return json!({"type": "boolean"}),
            Type::Int32 => return json!({"type": "integer", "format": "int32"}),
            Type::Int64 => return json!({"type": "integer", "format": "int64"}),
            Type::Double => return json!({"type": "number", "format": "double"}),
            Type::Bytes => return json!({"type": "string", "format": "byte"}),
            Type::Strings => return json!({"type": "array", "items": {"type": "string", "default": ""}}),
            Type::Schema(_) => return json!({}),
            Type::Message(_) => match field.message() {
                Some(message) => return refer(&self.add(message)),
                None => return json!({"type": "object"}),
            },
            Type::Time => "Time",
            Type::MicroTime => "MicroTime",
            Type::Duration => "Duration",
            Type::Quantity => "Quantity",
            Type::IntOrString => "IntOrString",
            Type::Raw => "RawExtension",
            Type::Fields => "FieldsV1",
        };
        let component = special(name);
        self.0.entry(component.clone()).or_insert_with(|| {
            let mut schema = match name {
                "Time" | "MicroTime" => json!({"type": "string", "format": "date-time"}),
                "Duration" => json!({"type": "string"}),
                "Quantity" => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
                "IntOrString" => json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
                _ => json!({"type": "object"}),
            };
            schema["description"] = json!(descriptions::of(name).unwrap_or_default());
            schema
        });
        refer(&component)
    }
}

pub(super) fn refer(component: &str) -> Value {
    json!({"allOf": [{"$ref": format!("{PREFIX}{component}")}]})
}

/// `core/v1.Pod` is `io.k8s.api.core.v1.Pod` there.
fn component(message: &Message) -> String {
    let name = message.name.replace('/', ".");
    match name.strip_prefix("meta.") {
        Some(rest) => format!("io.k8s.apimachinery.pkg.apis.meta.{rest}"),
        None => format!("io.k8s.api.{name}"),
    }
}

/// Metadata, which custom resources share.
pub(super) fn metadata(components: &mut Components) -> Value {
    let message = kube_etcd_codec::message("meta/v1.ObjectMeta").expect("the schema has ObjectMeta");
    let mut schema = refer(&components.add(message));
    schema["description"] = json!(
        "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
    );
    schema
}

pub(super) fn type_fields() -> [(String, Value); 2] {
    [("apiVersion", API_VERSION), ("kind", KIND)]
        .map(|(name, text)| (name.to_owned(), json!({"type": "string", "description": text})))
}
