use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::*;

struct Record {
    key: String,
    bytes: Vec<u8>,
    value: Value,
}

static RECORDS: LazyLock<Vec<Record>> = LazyLock::new(records);

fn records() -> Vec<Record> {
    let lines = include_str!("../../../tests/data/values.jsonl").lines();
    let records: Vec<Record> = lines
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            Record {
                key: record["key"].as_str().unwrap().to_owned(),
                bytes: STANDARD.decode(record["value_base64"].as_str().unwrap()).unwrap(),
                value: record["value"].clone(),
            }
        })
        .collect();
    assert_eq!(records.len(), 101);
    records
}

/// The recording left the managed fields out of some objects.
fn as_recorded(mut object: Value, recorded: &Value) -> Value {
    let left_out = recorded.pointer("/metadata/managedFields").is_none();
    if let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut).filter(|_| left_out) {
        metadata.remove("managedFields");
    }
    object
}

#[test]
fn every_recorded_value_decodes_to_what_kubernetes_says() {
    for record in RECORDS.iter() {
        let decoded = decode(&record.bytes).unwrap_or_else(|error| panic!("{}: {error}", record.key));
        assert_eq!(decoded.unknown, [], "{}", record.key);
        let object = as_recorded(decoded.object, &record.value);
        if object != record.value {
            let (ours, theirs) = (format!("{object:#}"), format!("{:#}", record.value));
            panic!("{}\n{}", record.key, similar::TextDiff::from_lines(&theirs, &ours).unified_diff());
        }
    }
}

#[test]
fn every_recorded_value_encodes_to_bytes_that_decode_to_it() {
    for record in RECORDS.iter() {
        for object in [record.value.clone(), decode(&record.bytes).unwrap().object] {
            let bytes = encode(&object).unwrap_or_else(|error| panic!("{}: {error}", record.key));
            let again = decode(&bytes).unwrap_or_else(|error| panic!("{}: {error}", record.key));
            assert_eq!(again.object, object, "{}", record.key);
            assert_eq!(bytes.starts_with(b"k8s\0"), record.bytes.starts_with(b"k8s\0"), "{}", record.key);
        }
    }
}

/// Beyond what decodes alike: the very bytes that Kubernetes stored. The JSON of the extension servers'
/// own kinds has its fields in the order of their structs, ours are sorted.
#[test]
fn all_but_the_extension_servers_kinds_encode_to_the_same_bytes() {
    for record in RECORDS.iter() {
        let same = encode(&decode(&record.bytes).unwrap().object).unwrap() == record.bytes;
        let extension =
            ["CustomResourceDefinition", "APIService"].contains(&record.value["kind"].as_str().unwrap_or_default());
        assert_eq!(same, !extension, "{}", record.key);
    }
}

fn undecodable(value: &[u8]) -> String {
    decode(value).expect_err("this does not decode").to_string()
}

#[test]
fn what_does_not_decode_says_what_it_is_and_its_size() {
    assert_eq!(undecodable(b"k8s:enc:aescbc:v1:key1:\x00\xff\x80"), "26 bytes, encrypted at rest (aescbc v1 key1)",);
    assert_eq!(
        undecodable(&[0xd9, 0xd9, 0xf7, 0xa1]),
        "4 bytes that do not decode as CBOR: this encoding of custom resources is not supported yet",
    );
    assert_eq!(
        undecodable(&[b'a', 0xff]),
        "2 bytes that do not decode as a Kubernetes object or text: byte 1 is not UTF-8",
    );
    let pod = encode(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}})).unwrap();
    let cut = undecodable(&pod[..pod.len() - 8]);
    assert!(cut.contains("bytes announced"), "{cut}");
}

#[test]
fn an_error_names_the_field() {
    // spec (2) . containers (2) . name (1) as a number
    let broken = b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x06\x12\x04\x12\x02\x08\x01";
    assert_eq!(
        undecodable(broken),
        "23 bytes that do not decode as v1 Pod: at spec.containers.name: a number where text or a message belongs",
    );
    let wrong = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a"}, {"name": 1}]}});
    assert_eq!(encode(&wrong).unwrap_err().to_string(), "spec.containers[1].name: expected a string, found a number");
}

#[test]
fn unknown_fields_are_counted_with_their_place() {
    let mut value = encode(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})).unwrap();
    // The envelope's end is four bytes; what comes last wins, so a longer message may follow.
    value.extend_from_slice(b"\x12\x0e\x0a\x06\x0a\x01c\xfa\x3f\x00\xfa\x3f\x03new");
    let decoded = decode(&value).unwrap();
    assert_eq!(decoded.object["metadata"]["name"], "c");
    assert_eq!(
        decoded.unknown,
        [
            UnknownField { within: "metadata".into(), number: 1023, size: 0 },
            UnknownField { within: String::new(), number: 1023, size: 3 },
        ]
    );
}

#[test]
fn a_kind_without_a_schema_still_shows_its_metadata() {
    let mut value = b"k8s\0\x0a\x10\x0a\x06new/v9\x12\x06Gadget\x12\x09\x0a\x03\x0a\x01g\x12\x02hi".to_vec();
    value.extend_from_slice(b"\x1a\x00\x22\x00");
    let decoded = decode(&value).unwrap();
    assert_eq!(decoded.object["metadata"]["name"], "g");
    assert_eq!(decoded.object["kind"], "Gadget");
    assert_eq!(decoded.unknown, [UnknownField { within: String::new(), number: 2, size: 2 }]);
}

#[test]
fn text_and_custom_resources() {
    assert_eq!(decode(b"1024").unwrap().object, json!("1024"));
    assert_eq!(decode(b"").unwrap().encoding, Encoding::Plain);
    assert_eq!(decode(b"{ not json").unwrap().encoding, Encoding::Plain);
    let custom = json!({"apiVersion": "stable.example.com/v1", "kind": "CronTab", "spec": {"deep": [1, 2.5, null]}});
    let bytes = encode(&custom).unwrap();
    assert!(bytes.starts_with(b"{") && bytes.ends_with(b"}\n"));
    assert_eq!(decode(&bytes).unwrap().object, custom);
}

#[test]
fn a_secret_shows_sizes_only() {
    let mut list = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Secret", "data": {"password": "czNjcjN0"}, "stringData": {"plain": "open"},
         "metadata": {"annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"password\":\"czNjcjN0\"}}", "a": "b"}}},
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"password": "open"}},
    ]});
    assert_eq!(conceal(&mut list), 3);
    let text = list.to_string();
    assert!(!text.contains("czNjcjN0") && !text.contains("s3cr3t"), "{text}");
    assert_eq!(list["items"][0]["data"]["password"], "<6 bytes, hidden>");
    assert_eq!(list["items"][0]["metadata"]["annotations"]["a"], "b");
    assert_eq!(list["items"][1]["data"]["password"], "open");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
        for head in [&b"k8s\0"[..], b"k8s:enc:", b"{", b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x7f"] {
            let _ = decode(&[head, &bytes].concat());
        }
    }

    #[test]
    fn broken_values_never_panic(at in 0..101_usize, cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = RECORDS[at].bytes.clone();
        for (place, byte) in cuts {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(decoded) = decode(&bytes) {
            let _ = encode(&decoded.object);
        }
    }
}

fn definition(schema: Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "bars.x.io"},
        "spec": {
            "group": "x.io", "scope": "Namespaced",
            "names": {"plural": "bars", "kind": "Bar", "shortNames": ["b"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".a", "statusReplicasPath": ".b"}},
                "additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".a", "priority": 1}],
                "selectableFields": [{"jsonPath": ".spec.a"}],
            }],
            "conversion": {"strategy": "Webhook", "webhook": {
                "conversionReviewVersions": ["v1"],
                "clientConfig": {"caBundle": "QQ==", "service": {"namespace": "a", "name": "b", "port": 443}},
            }},
        },
        "status": {"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": null},
    })
}

#[test]
fn a_definition_goes_through_protobuf_and_is_stored_as_json() {
    let schema = json!({"type": "object", "required": ["spec"], "properties": {
        "spec": {"type": "object", "x-kubernetes-validations": [{"rule": "self.a > 0", "optionalOldSelf": true}]},
        "any": {"x-kubernetes-preserve-unknown-fields": true, "additionalProperties": {"type": "string"}},
        "closed": {"additionalProperties": false, "additionalItems": true, "x-kubernetes-int-or-string": true},
        "list": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 2.5, "enum": [1, "a", null]},
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"]},
        "tuple": {"items": [{"type": "string"}, {"type": "number", "multipleOf": 0.5}]},
        "needs": {"dependencies": {"a": ["b", "c"], "d": {"not": {"type": "string"}}}, "default": {"a": [1]}},
        "$odd": {"$ref": "#/a", "$schema": "s", "externalDocs": {"url": "u"}, "anyOf": [{"maxLength": 3}]},
    }});
    let object = definition(schema);
    let bytes = encode_protobuf(&object).unwrap().unwrap();
    assert!(bytes.starts_with(b"k8s\0"));
    let decoded = decode(&bytes).unwrap();
    assert_eq!((decoded.unknown.as_slice(), decoded.encoding), (&[][..], Encoding::Protobuf));
    assert_eq!(decoded.object, object, "{:#}", decoded.object);
    assert!(encode(&object).unwrap().starts_with(b"{"));
    assert!(has_protobuf("apiextensions.k8s.io/v1", "CustomResourceDefinition"));
    assert!(!has_protobuf("x.io/v1", "Bar") && encode_protobuf(&json!({"kind": "Bar"})).unwrap().is_none());
}

/// The bytes by hand, from the numbers of `generated.proto`.
#[test]
fn a_schema_lies_on_the_wire_as_go_writes_it() {
    let whole = encode_protobuf(&definition(json!({"additionalProperties": true, "items": {"nullable": true}})));
    let whole = whole.unwrap().unwrap();
    let found = |part: &[u8]| whole.windows(part.len()).any(|bytes| bytes == part);
    assert!(found(&[0xf2, 0x01, 0x02, 0x08, 0x01]), "field 30 with field 1 in it");
    assert!(found(&[0xa8, 0x02, 0x01]), "field 37");
}

#[test]
fn schemas_nested_too_deep_and_of_the_wrong_type_are_refused() {
    let mut deep = json!({"type": "string"});
    for _ in 0..100 {
        deep = json!({"items": deep});
    }
    let bytes = encode_protobuf(&definition(deep)).unwrap().unwrap();
    assert!(undecodable(&bytes).contains("nested too deep"));
    for wrong in [json!({"items": 1}), json!({"additionalProperties": "yes"}), json!({"dependencies": {"a": [1]}})] {
        assert!(encode_protobuf(&definition(wrong)).is_err());
    }
}

#[test]
fn a_range_ends_after_its_last_key() {
    assert_eq!(prefix_end("/registry/pods/"), b"/registry/pods0");
    assert_eq!(prefix_end("a\u{7f}"), b"a\x80");
    assert_eq!(prefix_end(""), [0]);
}

#[test]
fn a_kind_is_found_at_compile_time() {
    const PODS: &Kind = builtin("", "pods");
    assert_eq!((PODS.kind, PODS.generation, PODS.returned, PODS.put_creates), ("Pod", true, true, false));
    assert_eq!(builtin("coordination.k8s.io", "leases").kind, "Lease");
    assert_eq!((api_root("", "v1"), api_root("apps", "v1")), ("/api/v1".to_owned(), "/apis/apps/v1".to_owned()));
}
