#![doc = include_str!("../README.md")]
//!
//! etcd value bytes to JSON and back for every built-in kind; keys to resources; which fields are
//! secret. Imports nothing of ours.

#![warn(missing_docs)]

mod decode;
mod duration;
mod encode;
mod envelope;
mod explain;
mod kinds;
mod lookup;
pub mod names;
mod ordered;
mod print;
mod quantity;
mod schema;
mod secrets;
mod wire;
mod zeros;

use serde_json::Value;

pub use decode::UnknownField;
pub use envelope::{decode, encode, encode_protobuf, value_length};
pub use explain::{Piece, explain};
pub use kinds::{KINDS, Kind, Scale, Storage, VERBS, builtin};
pub use lookup::{
    ObjectRef, api_root, by_key, first_folders, join_group, kind_by_api_version, kind_by_folder, kind_by_kind,
    kind_by_plural, kind_called, known_folder, prefix_end, split_group,
};
pub use ordered::{Ordered, ordered_as};
pub use print::Printer;
pub use quantity::{BINARY, canonical, exact as exact_quantity, is_quantity, quantity, thousandths};
pub use schema::{Field, Message, SchemaOr, Shape, Type, has_protobuf, message, message_of, messages, sent_message_of};
pub use secrets::{conceal, is_opaque, secret_texts};
pub use zeros::complete;

/// How a value was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Kubernetes' protobuf.
    Protobuf,
    /// JSON, as custom resources are stored.
    Json,
    /// Not a Kubernetes object: text.
    Plain,
}

#[derive(Debug, Clone)]
/// A value of etcd that was understood.
pub struct Decoded {
    /// The object as the API would show it.
    pub object: Value,
    /// How it was stored.
    pub encoding: Encoding,
    /// Fields that the schema does not know.
    pub unknown: Vec<UnknownField>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
/// Why a value was not understood.
pub enum DecodeError {
    #[error("{size} bytes that do not decode as {what}: {reason}")]
    /// Its bytes are not what they claim to be.
    Undecodable {
        /// The value's bytes.
        size: usize,
        /// What it claims to be.
        what: String,
        /// Where reading it failed.
        reason: String,
    },
    #[error("{size} bytes, encrypted at rest ({provider})")]
    /// Only kube-apiserver has the key.
    Encrypted {
        /// The value's bytes.
        size: usize,
        /// As its prefix names it: `aescbc:v1:key1`.
        provider: String,
    },
}

/// An object that cannot be stored as its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{reason}", path, if path.is_empty() { "" } else { ": " })]
pub struct EncodeError {
    /// Such as `spec.containers[0].ports`.
    pub path: String,
    /// Which field, and what is wrong with it.
    pub reason: String,
}

impl EncodeError {
    fn wrong(wanted: &str, found: &Value) -> Self {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Self { path: String::new(), reason: format!("expected {wanted}, found {found}") }
    }

    fn within(mut self, name: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{dot}{}", self.path);
        self
    }

    fn at(mut self, index: usize) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{index}]{dot}{}", self.path);
        self
    }
}

#[cfg(test)]
mod tests;
