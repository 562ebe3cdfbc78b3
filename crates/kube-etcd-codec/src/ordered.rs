//! An object's JSON with its fields in the order in which Go writes those of the same struct.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

use super::schema::{Field, Message, Shape, message_of};

/// Answers that are no kind etcd could hold, and the structs in them.
const ANSWERS: &[(&str, &str)] = &[
    ("Status", "kind apiVersion metadata status message reason details code"),
    ("APIVersions", "kind versions serverAddressByClientCIDRs"),
    ("APIGroupList", "kind apiVersion groups"),
    ("APIGroup", "kind apiVersion name versions preferredVersion serverAddressByClientCIDRs"),
    ("APIResourceList", "kind apiVersion groupVersion resources"),
];
const INSIDE: &[(&str, &str)] = &[
    ("groups", "name versions preferredVersion"),
    ("versions", "groupVersion version"),
    ("preferredVersion", "groupVersion version"),
    ("serverAddressByClientCIDRs", "clientCIDR serverAddress"),
    ("resources", "name singularName namespaced group version kind verbs shortNames categories storageVersionHash"),
    ("details", "name group kind uid causes retryAfterSeconds"),
    ("causes", "reason message field"),
];
const LIST: &str = "kind apiVersion metadata items";
const LIST_META: &str = "selfLink resourceVersion continue remainingItemCount";

/// `object` as Go would write it. A custom resource has no struct: its fields come by name.
#[derive(Debug, Clone, Copy)]
pub struct Ordered<'a>(pub &'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Part { value: self.0, of: order_of(self.0) }.serialize(serializer)
    }
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Struct(&'static Message),
    /// Names in their order.
    Names(&'static str, bool),
    /// A list of objects, each with an order of its own.
    List,
    Any,
}

fn order_of(object: &Value) -> Order {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if let Some(message) = message_of(version, kind) {
        return Order::Struct(message);
    }
    if let Some((_, names)) = ANSWERS.iter().find(|(name, _)| *name == kind).filter(|_| version.len() <= 2) {
        return Order::Names(names, true);
    }
    let item = kind.strip_suffix("List").filter(|_| object.get("items").is_some());
    if item.is_some_and(|item| message_of(version, item).is_some()) { Order::List } else { Order::Any }
}

struct Part<'a> {
    value: &'a Value,
    of: Order,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.of, self.value) {
            (Order::Any, value) => value.serialize(serializer),
            (of, Value::Array(items)) => {
                let mut out = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    out.serialize_element(&Part { value, of })?;
                }
                out.end()
            }
            (of, Value::Object(map)) => {
                let mut entries: Vec<(usize, &String, &Value)> =
                    map.iter().map(|(name, value)| (of.place(name), name, value)).collect();
                entries.sort_by_key(|(place, ..)| *place);
                let mut out = serializer.serialize_map(Some(map.len()))?;
                for (_, name, value) in entries {
                    of.write(&mut out, map, name, value)?;
                }
                out.end()
            }
            (_, value) => value.serialize(serializer),
        }
    }
}

impl Order {
    fn place(self, name: &str) -> usize {
        match self {
            // Of the same place, in the order of their names, as they come.
            Self::Any => 0,
            Self::List => place_in(LIST, name),
            Self::Names(names, _) => place_in(names, name),
            Self::Struct(message) => match message.place(name) {
                Some(place) => place + 2,
                None if name == "kind" => 0,
                None if name == "apiVersion" => 1,
                None => usize::MAX,
            },
        }
    }

    fn write<M: SerializeMap>(
        self,
        out: &mut M,
        map: &Map<String, Value>,
        name: &str,
        value: &Value,
    ) -> Result<(), M::Error> {
        let of = match self {
            Self::Struct(message) => match message.field(name) {
                Some(field) if field.shape == Shape::Map => return write_map(out, name, value, field),
                Some(field) if nested(field, value) => return out.serialize_entry(name, &Ordered(value)),
                Some(field) => field.message().map_or(Self::Any, Self::Struct),
                None => Self::Any,
            },
            Self::List if name == "metadata" => Self::Names(LIST_META, false),
            Self::List if name == "items" => return write_items(out, map, value),
            Self::Names(_, true) => {
                INSIDE.iter().find(|(part, _)| *part == name).map_or(Self::Any, |(_, names)| Self::Names(names, true))
            }
            Self::List | Self::Names(..) | Self::Any => Self::Any,
        };
        out.serialize_entry(name, &Part { value, of })
    }
}

fn place_in(names: &str, name: &str) -> usize {
    names.split(' ').position(|one| one == name).unwrap_or(usize::MAX)
}

/// An object with a kind of its own inside another.
fn nested(field: &Field, value: &Value) -> bool {
    field.message().is_none_or(|message| message.is_kind) && value.get("kind").is_some()
}

fn write_map<M: SerializeMap>(out: &mut M, name: &str, value: &Value, field: &Field) -> Result<(), M::Error> {
    let (Some(inner), Some(entries)) = (field.message(), value.as_object()) else {
        return out.serialize_entry(name, value);
    };
    let parts: std::collections::BTreeMap<&String, Part> =
        entries.iter().map(|(key, value)| (key, Part { value, of: Order::Struct(inner) })).collect();
    out.serialize_entry(name, &parts)
}

/// Items leave out what the list says of them all.
fn write_items<M: SerializeMap>(out: &mut M, list: &Map<String, Value>, items: &Value) -> Result<(), M::Error> {
    let text = |field: &str| list.get(field).and_then(Value::as_str).unwrap_or_default();
    let of = match message_of(text("apiVersion"), text("kind").trim_end_matches("List")) {
        Some(message) => Order::Struct(message),
        None => Order::Any,
    };
    out.serialize_entry("items", &Part { value: items, of })
}

/// The places of fields that Go does not keep in the order of their numbers.
pub(super) fn go_order(name: &str) -> Option<&'static str> {
    static TEXT: &str = include_str!("order.txt");
    TEXT.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

/// An object that does not say what it is, such as an item of a list.
pub fn ordered_as(message: Option<&'static Message>, value: &Value) -> impl Serialize {
    Part { value, of: message.map_or(Order::Any, Order::Struct) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message;

    #[track_caller]
    fn written(value: &Value) -> String {
        serde_json::to_string(&Ordered(value)).expect("JSON")
    }

    #[test]
    fn fields_come_as_go_has_them() {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"b": "1", "a": "2"}, "immutable": true,
            "metadata": {"uid": "u", "name": "n", "labels": {"z": "1", "a": "2"}}});
        assert_eq!(
            written(&map),
            r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"n","uid":"u","labels":{"a":"2","z":"1"}},"immutable":true,"data":{"a":"2","b":"1"}}"#
        );
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": "i", "name": "n"}], "volumes": []}});
        assert_eq!(
            written(&pod),
            r#"{"kind":"Pod","apiVersion":"v1","spec":{"volumes":[],"containers":[{"name":"n","image":"i"}]}}"#
        );
    }

    #[test]
    fn lists_and_answers_have_an_order_too() {
        let list = json!({"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"metadata": {"uid": "u", "name": "n"}}],
            "metadata": {"resourceVersion": "1"}});
        assert_eq!(
            written(&list),
            r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"n","uid":"u"}}]}"#
        );
        let status = json!({"apiVersion": "v1", "kind": "Status", "code": 404, "details": {"kind": "pods", "name": "x"}, "message": "m"});
        assert_eq!(
            written(&status),
            r#"{"kind":"Status","apiVersion":"v1","message":"m","details":{"name":"x","kind":"pods"},"code":404}"#
        );
    }

    #[test]
    fn a_custom_resource_is_sorted() {
        let custom = json!({"apiVersion": "a.example.com/v1", "kind": "Foo", "spec": {"b": 1, "a": 2}});
        assert_eq!(written(&custom), custom.to_string());
    }

    #[test]
    fn every_order_names_a_message_and_its_fields() {
        for line in include_str!("order.txt").lines() {
            let mut words = line.split(' ');
            let name = words.next().expect("a name");
            if let Some(message) = message(name) {
                assert!(words.clone().any(|field| message.field(field).is_some()), "{name}");
            }
        }
    }
}
