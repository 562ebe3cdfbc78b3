//! The shape of every message of Kubernetes' API: protobuf numbers, JSON names, and the rules of Go's
//! struct tags. Made by `scripts/make-schema`; see NOTICE.

use std::collections::HashMap;
use std::io::Read;
use std::sync::LazyLock;

use super::lookup::split_group;

static PACKED: &[u8] = include_bytes!("schema.bin.gz");
/// Kinds of the extension API server, which etcd holds as JSON and clients send in protobuf: the numbers of
/// k8s.io/apiextensions-apiserver's `generated.proto`.
static EXTENSIONS: &str = include_str!("extensions.txt");
static SCHEMA: LazyLock<Schema> = LazyLock::new(load);

struct Schema {
    messages: Vec<Message>,
    by_name: HashMap<&'static str, usize>,
}

/// One struct of the API.
#[derive(Debug)]
pub struct Message {
    /// `core/v1.Pod`.
    pub name: &'static str,
    /// It has an `apiVersion` and a `kind` of its own.
    pub is_kind: bool,
    /// Apply owns it as a whole.
    pub atomic: bool,
    /// By number.
    pub fields: Vec<Field>,
    by_json: HashMap<&'static str, usize>,
    /// Where each field stands in the Go struct, if not by its number.
    places: Vec<usize>,
    /// The fields by their place in `fields`, in the order in which Go writes them.
    pub(super) order: Vec<usize>,
    has_inline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
/// How often a field stands in its message.
pub enum Shape {
    /// Once.
    One,
    /// As often as the list has elements.
    List,
    /// Keys are always strings.
    Map,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
/// What a field holds.
pub enum Type {
    /// A text.
    String,
    /// `true` or `false`.
    Bool,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// A number with a fraction.
    Double,
    /// Bytes; base64 in JSON.
    Bytes,
    /// A list of strings inside a message of its own.
    Strings,
    /// A time in whole seconds.
    Time,
    /// A time in microseconds.
    MicroTime,
    /// A duration as Go writes it.
    Duration,
    /// A quantity: `100m`, `1Gi`.
    Quantity,
    /// A number or a text: a port by its number or its name.
    IntOrString,
    /// JSON kept as it came.
    Raw,
    /// The fields of one manager, JSON too.
    Fields,
    /// A JSON schema, or what JSON allows in its place.
    Schema(SchemaOr),
    /// Another message, by its place in [`messages`].
    Message(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
/// What may stand where an `OpenAPI` schema has a schema or something else.
pub enum SchemaOr {
    /// A list of schemas.
    List,
    /// `true` or `false`.
    Bool,
    /// A list of names.
    Strings,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one word of a Go struct tag")]
/// A field of a message.
pub struct Field {
    /// Its number in protobuf.
    pub number: u32,
    /// Its name in JSON.
    pub name: &'static str,
    /// How often it stands.
    pub shape: Shape,
    /// What it holds.
    pub kind: Type,
    /// Whether Go keeps a pointer: absent and empty differ.
    pub pointer: bool,
    /// Whether JSON leaves it out when it is empty.
    pub omit_empty: bool,
    /// Whether JSON leaves it out when it is zero.
    pub omit_zero: bool,
    /// Its own fields stand in the parent's JSON object.
    pub inline: bool,
    /// Whether an object without it is refused.
    pub required: bool,
    /// `patchStrategy`, in its parts.
    pub patch: Vec<&'static str>,
    /// The key by which a strategic merge patch tells the elements apart.
    pub patch_key: Option<&'static str>,
    /// `listType`: set, map or atomic.
    pub list: Option<&'static str>,
    /// The keys by which apply tells the elements apart.
    pub list_keys: Vec<&'static str>,
    /// `mapType` or `structType` says atomic.
    pub atomic: bool,
    /// JSON text.
    pub default: Option<&'static str>,
    /// The values that it can have, where they are few.
    pub values: Vec<&'static str>,
}

impl Field {
    /// The message that it holds.
    pub fn message(&self) -> Option<&'static Message> {
        match self.kind {
            Type::Message(at) => Some(&SCHEMA.messages[at]),
            _ => None,
        }
    }
}

impl Message {
    /// The field of this JSON name, through inlined structs.
    pub fn field(&self, name: &str) -> Option<&Field> {
        if let Some(at) = self.by_json.get(name) {
            return Some(&self.fields[*at]);
        }
        if !self.has_inline {
            return None;
        }
        self.fields.iter().filter(|field| field.inline).find_map(|field| field.message()?.field(name))
    }

    /// Where Go writes the field of this JSON name.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        // Room for the fields of an inlined struct.
        const EACH: usize = 1000;
        let at = |at: usize| self.places.get(at).copied().unwrap_or(at) * EACH;
        if let Some(index) = self.by_json.get(name) {
            return Some(at(*index));
        }
        if !self.has_inline {
            return None;
        }
        let mut inlined = self.fields.iter().enumerate().filter(|(_, field)| field.inline);
        inlined.find_map(|(index, field)| Some(at(index) + field.message()?.place(name)? / EACH))
    }

    pub(super) fn by_number(&self, number: u32) -> Option<usize> {
        // Numbers run without great holes, so the place is at or before the number.
        let guess = self.fields.len().min(number as usize);
        (0..guess).rev().find(|at| self.fields[*at].number <= number).filter(|at| self.fields[*at].number == number)
    }
}

/// The message of a kind as `apiVersion` and `kind` name it.
pub fn message_of(api_version: &str, kind: &str) -> Option<&'static Message> {
    let (group, version) = split_group(api_version);
    // The folder of a group is its first label; this one is the only exception.
    let folder = match group {
        "" => "core",
        "internal.apiserver.k8s.io" => "apiserverinternal",
        _ => group.split('.').next()?,
    };
    if !group.is_empty() && group.contains('.') && !group.ends_with(".k8s.io") {
        return None;
    }
    let own = message(&format!("{folder}/{version}.{kind}")).filter(|message| message.is_kind);
    // The options of requests are registered in every group.
    own.or_else(|| message(&format!("meta/v1.{kind}")).filter(|message| message.is_kind))
}

/// What a client in protobuf sends for a kind: of a `CustomResourceDefinition` too, which etcd holds as JSON and which
/// `message_of` leaves to its own validation.
pub fn sent_message_of(api_version: &str, kind: &str) -> Option<&'static Message> {
    message_of(api_version, kind).or_else(|| {
        let extension = (api_version, kind) == ("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        extension.then(|| message("apiextensions/v1.CustomResourceDefinition"))?
    })
}

/// Whether clients may send this kind in protobuf.
pub fn has_protobuf(api_version: &str, kind: &str) -> bool {
    sent_message_of(api_version, kind).is_some()
}

/// A message by its own name, such as `core/v1.PodSpec`.
pub fn message(name: &str) -> Option<&'static Message> {
    SCHEMA.by_name.get(name).map(|at| &SCHEMA.messages[*at])
}

pub(super) fn json_schema() -> &'static Message {
    message("apiextensions/v1.JSONSchemaProps").expect("the schema has its own")
}

pub(super) fn message_at(at: usize) -> &'static Message {
    &SCHEMA.messages[at]
}

/// Every message, by name.
pub fn messages() -> &'static [Message] {
    &SCHEMA.messages
}

fn load() -> Schema {
    let mut text = String::new();
    flate2::read::GzDecoder::new(PACKED).read_to_string(&mut text).expect("the schema in the binary unpacks");
    text.push_str(EXTENSIONS);
    let text: &'static str = Box::leak(text.into_boxed_str());
    let names = text.lines().filter(|line| !line.starts_with('\t'));
    let by_name: HashMap<&str, usize> =
        names.enumerate().map(|(at, line)| (line.split('\t').next().unwrap_or(line), at)).collect();
    let mut messages: Vec<Message> = Vec::with_capacity(by_name.len());
    for line in text.lines() {
        if let Some(field) = line.strip_prefix('\t') {
            let message = messages.last_mut().expect("the schema starts with a message");
            let field = read_field(field, &by_name).unwrap_or_else(|| panic!("the schema's line {line:?}"));
            message.has_inline |= field.inline;
            if !field.inline {
                message.by_json.insert(field.name, message.fields.len());
            }
            message.fields.push(field);
        } else {
            let mut words = line.split('\t');
            let name = words.next().expect("split gives one word at least");
            let (mut is_kind, mut atomic) = (false, false);
            for word in words {
                is_kind |= word == "kind";
                atomic |= word == "atomic";
            }
            let (fields, by_json) = (Vec::new(), HashMap::new());
            let (places, order, has_inline) = (Vec::new(), Vec::new(), false);
            messages.push(Message { name, is_kind, atomic, fields, by_json, places, order, has_inline });
        }
    }
    for message in &mut messages {
        if let Some(order) = super::ordered::go_order(message.name) {
            let place = |field: &Field| {
                order.split(' ').position(|name| name == field.name).unwrap_or(message.fields.len() + 1)
            };
            message.places = message.fields.iter().map(place).collect();
        }
        let (places, fields) = (&message.places, &message.fields);
        message.order = (0..fields.len()).collect();
        message.order.sort_by_key(|at| (places.get(*at).copied().unwrap_or(*at), fields[*at].name));
    }
    Schema { messages, by_name }
}

fn read_field(line: &'static str, by_name: &HashMap<&str, usize>) -> Option<Field> {
    let mut columns = line.split('\t');
    let number = columns.next()?.parse().ok()?;
    let name = columns.next()?;
    let mut code = columns.next()?;
    let mut strip = |mark: char| code.strip_prefix(mark).inspect(|rest| code = rest).is_some();
    let pointer = strip('*');
    let shape = if strip('[') {
        Shape::List
    } else if strip('{') {
        Shape::Map
    } else {
        Shape::One
    };
    let kind = match code {
        "s" => Type::String,
        "b" => Type::Bool,
        "i" => Type::Int32,
        "l" => Type::Int64,
        "d" => Type::Double,
        "y" => Type::Bytes,
        "w" => Type::Strings,
        "@Time" => Type::Time,
        "@MicroTime" => Type::MicroTime,
        "@Duration" => Type::Duration,
        "@Quantity" => Type::Quantity,
        "@IntOrString" => Type::IntOrString,
        "@RawExtension" => Type::Raw,
        "@FieldsV1" => Type::Fields,
        "@SchemaOrList" => Type::Schema(SchemaOr::List),
        "@SchemaOrBool" => Type::Schema(SchemaOr::Bool),
        "@SchemaOrStrings" => Type::Schema(SchemaOr::Strings),
        _ => Type::Message(*by_name.get(code.strip_prefix('@')?)?),
    };
    let mut field = Field {
        number,
        name,
        shape,
        kind,
        pointer,
        omit_empty: false,
        omit_zero: false,
        inline: false,
        required: false,
        patch: Vec::new(),
        patch_key: None,
        list: None,
        list_keys: Vec::new(),
        atomic: false,
        default: None,
        values: Vec::new(),
    };
    for flag in columns {
        match flag.split_once('=').unwrap_or((flag, "")) {
            ("omitempty", _) => field.omit_empty = true,
            ("omitzero", _) => field.omit_zero = true,
            ("inline", _) => field.inline = true,
            ("required", _) => field.required = true,
            ("patch", strategy) => field.patch.push(strategy),
            ("patchkey", key) => field.patch_key = Some(key),
            ("list", kind) => field.list = Some(kind),
            ("keys", keys) => field.list_keys = keys.split(',').collect(),
            ("map" | "struct", kind) => field.atomic = kind == "atomic",
            ("default", text) => field.default = Some(text),
            ("enum", values) => field.values = values.split('|').collect(),
            _ => return None,
        }
    }
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KINDS, Storage};

    #[test]
    fn every_kind_that_etcd_holds_as_protobuf_has_a_message_in_each_version() {
        for kind in KINDS.iter().filter(|kind| kind.storage == Storage::Protobuf) {
            for version in kind.served.iter().chain([&kind.stored]) {
                let api_version = crate::join_group(kind.group, version);
                assert!(message_of(&api_version, kind.kind).is_some(), "{api_version} {}", kind.kind);
            }
        }
    }

    #[test]
    fn a_group_that_is_not_kubernetes_own_has_no_message() {
        assert!(message_of("apps.example.com/v1", "Deployment").is_none());
        assert!(message_of("v1", "PodSpec").is_none());
    }

    #[test]
    fn tags_are_read() {
        let containers = message("core/v1.PodSpec").unwrap().field("containers").unwrap();
        assert_eq!((containers.patch.as_slice(), containers.patch_key), (&["merge"][..], Some("name")));
        assert_eq!(containers.list_keys, ["name"]);
        let volume = message("core/v1.Volume").unwrap();
        assert_eq!(volume.field("emptyDir").unwrap().message().unwrap().name, "core/v1.EmptyDirVolumeSource");
        let port = message("core/v1.ContainerPort").unwrap();
        assert_eq!(port.field("protocol").unwrap().default, Some("\"TCP\""));
        for message in messages() {
            for field in &message.fields {
                let at = message.by_number(field.number).unwrap();
                assert_eq!(message.fields[at].name, field.name, "{}", message.name);
            }
            assert!(message.by_number(9999).is_none());
        }
    }
}
