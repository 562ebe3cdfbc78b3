use base64::Engine;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::messages;
use crate::{KINDS, Storage, decode, encode, ordered_as};

fn recorded() -> Vec<Vec<u8>> {
    let lines = include_str!("../../../tests/data/values.jsonl").lines();
    lines
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            STANDARD.decode(record["value_base64"].as_str().unwrap()).unwrap()
        })
        .collect()
}

/// Printed at revision 7, by itself and as an item; each as decoding and writing in order gives it.
fn both_ways(value: &[u8]) -> Option<[(String, String); 2]> {
    let mut object = decode(value).ok()?.object;
    let (version, kind) = (object["apiVersion"].as_str()?.to_owned(), object["kind"].as_str()?.to_owned());
    let printer = Printer::of(&version, &kind)?;
    object["metadata"]["resourceVersion"] = json!("7");
    let whole = serde_json::to_string(&Ordered(&object)).unwrap();
    object.as_object_mut().unwrap().retain(|name, _| name != "kind" && name != "apiVersion");
    let item = serde_json::to_string(&ordered_as(message_of(&version, &kind), &object)).unwrap();
    let printed = |is_item| {
        let mut out = b"before".to_vec();
        assert!(printer.print(value, 7, is_item, &mut out), "{version} {kind}");
        String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned()
    };
    Some([(printed(false), whole), (printed(true), item)])
}

#[test]
fn what_a_real_cluster_stored_is_printed_as_it_is_decoded() {
    let mut count = 0;
    for value in recorded() {
        for (printed, expected) in both_ways(&value).into_iter().flatten() {
            assert_eq!(printed, expected);
            count += 1;
        }
    }
    assert!(count > 150, "{count} were compared");
}

/// A value of every field, as deep as this many levels.
fn full(message: &'static Message, depth: usize) -> Value {
    let mut object = serde_json::Map::new();
    for field in &message.fields {
        if field.inline {
            if let (Some(inner), Value::Object(fields)) = (field.message(), full(field.message().unwrap(), depth)) {
                assert!(!inner.fields.is_empty());
                object.extend(fields);
            }
            continue;
        }
        let one = match field.kind {
            Type::String => json!("a \"text\" <of> ü\u{7f}\u{1}"),
            Type::Bool => json!(true),
            Type::Int32 | Type::IntOrString => json!(-3),
            Type::Int64 => json!(i64::MIN),
            Type::Double => json!(0.25),
            Type::Bytes => json!("AAEC"),
            Type::Strings => json!(["a", "b"]),
            Type::Time => json!("2024-02-29T01:02:03Z"),
            Type::MicroTime => json!("2024-02-29T01:02:03.000400Z"),
            Type::Duration => json!("1m0s"),
            Type::Quantity => json!("100m"),
            Type::Raw => json!({"z": 1, "apiVersion": "v1", "kind": "Pod", "metadata": {"uid": "u", "name": "n"}}),
            Type::Fields => json!({"f:a": {".": {}}}),
            Type::Schema(_) => continue,
            Type::Message(at) if depth > 0 => full(message_at(at), depth - 1),
            Type::Message(_) => json!({}),
        };
        let value = match field.shape {
            Shape::One => one,
            Shape::List => json!([one.clone(), one]),
            Shape::Map => json!({"z": one.clone(), "a": one}),
        };
        object.insert(field.name.to_owned(), value);
    }
    Value::Object(object)
}

#[test]
fn every_field_of_every_kind_is_printed_in_its_place() {
    let mut count = 0;
    for kind in KINDS.iter().filter(|kind| kind.storage == Storage::Protobuf) {
        let version = crate::join_group(kind.group, kind.stored);
        let Some(message) = message_of(&version, kind.kind) else { continue };
        for depth in [0, 1, 4, 7] {
            let mut object = full(message, depth);
            object["apiVersion"] = version.clone().into();
            object["kind"] = kind.kind.into();
            let value = encode(&object).unwrap_or_else(|error| panic!("{version} {}: {error}", kind.kind));
            for (printed, expected) in both_ways(&value).into_iter().flatten() {
                assert_eq!(printed, expected, "{version} {}", kind.kind);
                count += 1;
            }
        }
        let empty = json!({"apiVersion": version, "kind": kind.kind, "metadata": {"name": "n"}});
        for (printed, expected) in both_ways(&encode(&empty).unwrap()).into_iter().flatten() {
            assert_eq!(printed, expected);
        }
    }
    assert!(count > 300 && messages().len() > 300, "{count} were compared");
}

#[test]
fn what_is_not_of_the_kind_or_broken_is_left_alone() {
    let pods = Printer::of("v1", "Pod").unwrap();
    let mut out = b"before".to_vec();
    let map = encode(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})).unwrap();
    let pod = encode(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}})).unwrap();
    for value in [&map[..], b"{}", b"", &pod[..pod.len() - 8]] {
        assert!(!pods.print(value, 1, false, &mut out));
        assert_eq!(out, b"before");
    }
    assert!(pods.print(&pod, 1, false, &mut out));
    assert!(Printer::of("a.example.com/v1", "Foo").is_none());
}

proptest! {
    #[test]
    fn what_is_broken_is_printed_as_it_is_decoded_or_not_at_all(
        at in 0..101_usize,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut value = recorded()[at].clone();
        let kind = decode(&value).unwrap().object;
        for (place, byte) in cuts {
            let place = place.index(value.len());
            value[place] = byte;
        }
        let printer = Printer::of(kind["apiVersion"].as_str().unwrap(), kind["kind"].as_str().unwrap());
        let mut out = Vec::new();
        if printer.is_some_and(|printer| printer.print(&value, 1, false, &mut out)) {
            prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
        }
    }
}
