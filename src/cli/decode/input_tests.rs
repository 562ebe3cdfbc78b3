use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::codec::encode;

fn item(key: Option<&str>, value: &[u8]) -> Item {
    Item { key: key.map(str::to_owned), event: None, value: value.to_vec() }
}

fn config_map(text: &str) -> Vec<u8> {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": text}});
    encode(&object).unwrap()
}

const JSON: &[u8] = b"{\"apiVersion\":\"a.b/v1\",\"kind\":\"C\",\"text\":\"\\n/registry/x\"}\n";

#[test]
fn keys_and_values() {
    let (first, second) = (config_map("\n/registry/not/a/key\nk8s\0"), config_map("x"));
    let text = [
        b"/registry/a/1\n",
        &first[..],
        b"\n/registry/a/2\n",
        JSON,
        b"\ncompact_rev_key\n10\n/registry/b\n",
        &second,
        b"\n",
    ]
    .concat();
    let expected = [
        item(Some("/registry/a/1"), &first),
        item(Some("/registry/a/2"), JSON),
        item(Some("compact_rev_key"), b"10"),
        item(Some("/registry/b"), &second),
    ];
    assert_eq!(read(&text).unwrap(), expected);
}

#[test]
fn values_only() {
    let (first, second) = (config_map("one"), config_map("two"));
    let text = [&first[..], b"\n", JSON, b"\n", &second, b"\n"].concat();
    assert_eq!(read(&text).unwrap(), [item(None, &first), item(None, JSON), item(None, &second)]);
    assert_eq!(read(b"1024\n").unwrap(), [item(None, b"1024")]);
}

#[test]
fn a_broken_or_encrypted_value_ends_at_the_next_key() {
    let whole = config_map("x");
    let text = [b"/a/1\nk8s\0\xff\xff\n/a/2\nk8s:enc:aescbc:v1:k:\x01\n\x02\n/a/3\n", &whole[..], b"\n"].concat();
    let expected = [
        item(Some("/a/1"), b"k8s\0\xff\xff"),
        item(Some("/a/2"), b"k8s:enc:aescbc:v1:k:\x01\n\x02"),
        item(Some("/a/3"), &whole),
    ];
    assert_eq!(read(&text).unwrap(), expected);
}

#[test]
fn what_watch_prints() {
    let value = config_map("x");
    let text = [b"PUT\n/a/1\n", &value[..], b"\nDELETE\n/a/1\n\n"].concat();
    let put = Item { event: Some(Event::Put), ..item(Some("/a/1"), &value) };
    let delete = Item { event: Some(Event::Delete), ..item(Some("/a/1"), b"") };
    assert_eq!(read(&text).unwrap(), [put.clone(), delete.clone()]);
    let kv = |value: &[u8]| json!({"key": STANDARD.encode("/a/1"), "value": STANDARD.encode(value)});
    let lines = [
        json!({"Header": {"revision": 5}, "Events": [{"kv": kv(&value)}]}).to_string(),
        json!({"Header": {"revision": 6}, "Events": [{"type": 1, "kv": kv(b"")}]}).to_string(),
    ];
    assert_eq!(read(lines.join("\n").as_bytes()).unwrap(), [put, delete]);
}

#[test]
fn json_answers_and_base64() {
    let value = config_map("x");
    let kv = json!({"key": STANDARD.encode("/a"), "value": STANDARD.encode(&value), "mod_revision": 5});
    let answer = json!({"header": {"revision": 5}, "kvs": [kv], "count": 1});
    assert_eq!(read(answer.to_string().as_bytes()).unwrap(), [item(Some("/a"), &value)]);
    let lines = format!("{}\n{}\n", STANDARD.encode(&value), STANDARD.encode(JSON));
    assert_eq!(read(lines.as_bytes()).unwrap(), [item(None, &value), item(None, JSON)]);
}

#[test]
fn nothing_to_decode_says_why() {
    let message = |bytes: &[u8]| read(bytes).unwrap_err().message;
    assert_eq!(message(b"\n"), "standard input is empty");
    assert_eq!(message(b"{\"header\":{\"revision\":3}}\n"), "etcdctl's answer holds no key");
    assert_eq!(message(b"/registry/a\n\n/registry/b\n\n"), "there are keys but no values on standard input");
}

proptest! {
    #[test]
    fn arbitrary_input_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let _ = read(&[b"/registry/a\nk8s\0", &bytes[..]].concat());
    }
}
