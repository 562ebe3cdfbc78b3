//! What the schema says about a place in an object, for patches and managed fields: which lists are
//! merged and by which keys, and what is owned as a whole.

use serde_json::{Map, Value};

use crate::resource::Resource;
use kube_etcd_codec::{self as schema, Field, Message, Type};

/// A place in an object of some kind.
#[derive(Debug, Clone, Copy)]
pub enum Shape<'a> {
    Message(&'static Message),
    /// A field as a whole: a list or a map of what `item` gives, or one value.
    Field(&'static Field),
    /// Below an `openAPIV3Schema`.
    Custom(&'a Value),
    /// The root of a custom resource, whose metadata is Kubernetes' own.
    CustomRoot(&'a Value),
    /// Anything.
    Open,
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Items<'a> {
    Atomic,
    Set,
    ByKeys(Vec<&'a str>),
}

impl<'a> Shape<'a> {
    pub fn of(resource: &'a Resource) -> Self {
        match &resource.custom {
            Some(custom) => Self::CustomRoot(&custom.schema),
            None => schema::message_of(&resource.api_version(), &resource.kind).map_or(Self::Open, Self::Message),
        }
    }

    /// The value of a struct's field or of a map's key.
    #[must_use]
    pub fn child(self, name: &str) -> Shape<'a> {
        match self {
            Self::Message(message) => message.field(name).map_or(Self::Open, Self::Field),
            Self::Field(field) => match (field.shape, field.message()) {
                (schema::Shape::One, Some(message)) => Self::Message(message).child(name),
                (schema::Shape::Map, Some(message)) => Self::Message(message),
                _ => Self::Open,
            },
            Self::CustomRoot(_) if name == "metadata" => {
                schema::message("meta/v1.ObjectMeta").map_or(Self::Open, Self::Message)
            }
            Self::Custom(schema) | Self::CustomRoot(schema) => schema
                .get("properties")
                .and_then(|properties| properties.get(name))
                .or_else(|| schema.get("additionalProperties").filter(|one| one.is_object()))
                .map_or(Self::Open, Self::Custom),
            Self::Open => Self::Open,
        }
    }

    /// One item of a list.
    #[must_use]
    pub fn item(self) -> Shape<'a> {
        match self {
            Self::Field(field) => field.message().map_or(Self::Open, Self::Message),
            Self::Custom(schema) => schema.get("items").map_or(Self::Open, Self::Custom),
            _ => Self::Open,
        }
    }

    /// How apply tells the items of this list apart.
    pub fn items(self) -> Items<'a> {
        let of = |kind: Option<&str>, keys: Vec<&'a str>| match kind {
            Some("map") if !keys.is_empty() => Items::ByKeys(keys),
            Some("set") => Items::Set,
            _ => Items::Atomic,
        };
        match self {
            Self::Field(field) => of(field.list, field.list_keys.clone()),
            Self::Custom(schema) => {
                let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
                let keys = keys.into_iter().flatten().filter_map(Value::as_str).collect();
                of(schema.get("x-kubernetes-list-type").and_then(Value::as_str), keys)
            }
            _ => Items::Atomic,
        }
    }

    /// Whether the value is owned as a whole.
    pub fn is_atomic(self) -> bool {
        match self {
            Self::Message(message) => message.atomic,
            Self::Field(field) => {
                field.atomic
                    || matches!(field.kind, Type::Raw | Type::Fields)
                    || (field.shape == schema::Shape::One && field.message().is_some_and(|message| message.atomic))
            }
            Self::Custom(schema) => schema.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic"),
            Self::CustomRoot(_) | Self::Open => false,
        }
    }

    /// Whether `name` is a field of a struct, not a key of a map.
    pub fn declares(self, name: &str) -> bool {
        match self {
            Self::Message(message) => message.field(name).is_some(),
            Self::Field(field) => {
                field.shape == schema::Shape::One
                    && field.message().is_some_and(|message| message.field(name).is_some())
            }
            Self::CustomRoot(_) if matches!(name, "metadata" | "apiVersion" | "kind") => true,
            Self::Custom(schema) | Self::CustomRoot(schema) => {
                schema.get("properties").is_some_and(|properties| properties.get(name).is_some())
            }
            Self::Open => false,
        }
    }

    /// The strategies of a strategic merge patch here.
    pub fn strategies(self) -> &'static [&'static str] {
        match self {
            Self::Field(field) => &field.patch,
            _ => &[],
        }
    }

    /// The key by which a strategic merge patch tells the items of this list apart.
    pub fn patch_key(self) -> Option<&'static str> {
        match self {
            Self::Field(field) => field.patch_key,
            _ => None,
        }
    }

    /// An empty struct of this shape as Go writes it: what is not left out when empty is there all the same.
    pub fn empty_struct(self) -> Value {
        let message = match self {
            Self::Message(message) => Some(message),
            Self::Field(field) if field.shape == schema::Shape::One => field.message(),
            _ => None,
        };
        let mut object = Map::new();
        if let Some(message) = message {
            schema::complete(message, &mut object);
        }
        Value::Object(object)
    }
}
