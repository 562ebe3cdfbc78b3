use std::sync::Arc;

use super::declared::Declared;
use super::record::Record;
use super::{Others, Text, Type, Words};
use kube_etcd_codec::{Message, Shape};

/// What has named fields.
#[derive(Debug, Clone)]
pub enum Object {
    /// A struct of Kubernetes' API.
    Message(&'static Message),
    /// A whole object of a built-in kind, which has an `apiVersion` and a `kind` as well.
    Kind { message: &'static Message, api_version: String, kind: &'static str, others: Others },
    /// What the runner itself knows of.
    Record(&'static Record),
    /// What a definition of a custom resource declares.
    Declared(Arc<Declared>),
}

/// A field of an object.
#[derive(Debug, Clone)]
pub struct Field {
    pub kind: Type,
    /// A value that is not set is left out: it is never null.
    pub never_null: bool,
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Object::Message(one), Object::Message(other))
            | (Object::Kind { message: one, .. }, Object::Kind { message: other, .. }) => one.name == other.name,
            (Object::Record(one), Object::Record(other)) => std::ptr::eq(*one, *other),
            (Object::Declared(one), Object::Declared(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Object {
    /// As a message names it: `PodStatus`.
    pub fn title(&self) -> &str {
        match self {
            Object::Message(message) => message.name.rsplit('.').next().unwrap_or(message.name),
            Object::Kind { kind, .. } => kind,
            Object::Record(record) => record.name,
            Object::Declared(declared) => &declared.name,
        }
    }

    pub fn field(&self, name: &str) -> Option<Field> {
        let plain = |kind: Type| Some(Field { kind, never_null: true });
        match self {
            Object::Message(message) => of_message(message, name),
            Object::Kind { message, api_version, kind, others } => match name {
                "apiVersion" => plain(Type::Text(Text::Words(Words::new([api_version.as_str()], Others::Later)))),
                "kind" => plain(Type::Text(Text::Words(Words::new([*kind], *others)))),
                _ => of_message(message, name),
            },
            Object::Record(record) => {
                let (_, known) = record.fields.iter().find(|(known, _)| *known == name)?;
                Some(Field { kind: known.of(), never_null: false })
            }
            Object::Declared(declared) => {
                let kind = declared.fields.get(name).cloned().or_else(|| declared.open.then_some(Type::Dyn))?;
                Some(Field { kind, never_null: false })
            }
        }
    }

    /// What Kubernetes calls a field of its own: `core/v1.PodSpec.nodeName`.
    pub fn field_path(&self, name: &str) -> Option<String> {
        match self {
            Object::Message(message) | Object::Kind { message, .. } => {
                holder(message, name).map(|holder| format!("{holder}.{name}"))
            }
            Object::Record(_) | Object::Declared(_) => None,
        }
    }

    /// The names of its fields, in the schema's order.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Object::Message(message) => of_fields(message),
            Object::Kind { message, .. } => ["apiVersion", "kind"].into_iter().chain(of_fields(message)).collect(),
            Object::Record(record) => record.fields.iter().map(|(name, _)| *name).collect(),
            Object::Declared(declared) => declared.fields.keys().map(String::as_str).collect(),
        }
    }
}

/// The message that has the field, through inlined structs.
fn holder(message: &'static Message, name: &str) -> Option<&'static str> {
    if message.fields.iter().any(|field| field.name == name && !field.inline) {
        return Some(message.name);
    }
    message.fields.iter().filter(|field| field.inline).find_map(|field| holder(field.message()?, name))
}

fn of_fields(message: &'static Message) -> Vec<&'static str> {
    let mut names: Vec<&str> = if message.is_kind { vec!["apiVersion", "kind"] } else { Vec::new() };
    for field in &message.fields {
        match field.message() {
            Some(inner) if field.inline => names.extend(of_fields(inner)),
            _ => names.push(field.name),
        }
    }
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(*name));
    names
}

fn of_message(message: &'static Message, name: &str) -> Option<Field> {
    let Some(field) = message.field(name) else {
        let of_any_kind = message.is_kind && matches!(name, "apiVersion" | "kind");
        return of_any_kind.then(|| Field { kind: Type::text(), never_null: true });
    };
    let one = match field.kind {
        kube_etcd_codec::Type::String if name == "status" && message.name.ends_with("Condition") => {
            Type::Text(Text::Words(Words::new(["True", "False", "Unknown"], Others::Later)))
        }
        kube_etcd_codec::Type::String if field.values.is_empty() => Type::text(),
        kube_etcd_codec::Type::String => {
            Type::Text(Text::Words(Words::new(field.values.iter().copied(), Others::Later)))
        }
        kube_etcd_codec::Type::Bool => Type::Bool,
        kube_etcd_codec::Type::Int32 | kube_etcd_codec::Type::Int64 => Type::Int,
        kube_etcd_codec::Type::Double => Type::Number,
        kube_etcd_codec::Type::Bytes => Type::Text(Text::Base64),
        kube_etcd_codec::Type::Strings => Type::list(Type::text()),
        kube_etcd_codec::Type::Time | kube_etcd_codec::Type::MicroTime => Type::Text(Text::Time),
        kube_etcd_codec::Type::Duration => Type::Text(Text::Duration),
        kube_etcd_codec::Type::Quantity => Type::Text(Text::Quantity),
        kube_etcd_codec::Type::IntOrString => Type::IntOrText,
        kube_etcd_codec::Type::Raw | kube_etcd_codec::Type::Fields | kube_etcd_codec::Type::Schema(_) => Type::Dyn,
        kube_etcd_codec::Type::Message(_) => Type::Object(Object::Message(field.message()?)),
    };
    let kind = match field.shape {
        Shape::One => one,
        Shape::List => Type::list(one),
        Shape::Map => Type::map(one),
    };
    Some(Field { kind, never_null: never_null(field) })
}

/// As Go's JSON has it: a pointer, a list, a map or a time that is not set is null, where its tag does not
/// say to leave it out.
fn never_null(field: &kube_etcd_codec::Field) -> bool {
    let is_time = matches!(
        field.kind,
        kube_etcd_codec::Type::Time | kube_etcd_codec::Type::MicroTime | kube_etcd_codec::Type::Raw
    );
    if field.pointer || field.shape != Shape::One || field.kind == kube_etcd_codec::Type::Bytes {
        return field.omit_empty;
    }
    !is_time || field.omit_zero
}
