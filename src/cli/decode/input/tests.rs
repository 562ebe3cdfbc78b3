use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use kube_etcd_codec::encode;

fn read(bytes: &[u8]) -> Result<Vec<Item>, Refused> {
    let mut reader = Reader::default();
    let mut items = reader.feed(bytes, Known::Part)?;
    let (last, whole) = reader.finish();
    items.extend(last);
    whole.map(|()| items)
}

fn item(key: Option<&str>, value: &[u8]) -> Item {
    Item { key: key.map(str::to_owned), value: value.to_vec(), ..Item::default() }
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
    let put = Item { event: Some(EventKind::Put), ..item(Some("/a/1"), &value) };
    let delete = Item { event: Some(EventKind::Delete), ..item(Some("/a/1"), b"") };
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

fn event(event: EventKind, key: &str, value: &[u8], previous: Option<&[u8]>) -> Item {
    Item { event: Some(event), previous: previous.map(<[u8]>::to_vec), ..item(Some(key), value) }
}

#[test]
fn old_and_new_are_told_apart() {
    let (old, new) = (config_map("old\nPUT\n/a/1"), config_map("new"));
    let text = [
        b"PUT\n/a/1\n",
        &old[..],
        b"\nPUT\n/a/1\n",
        &old,
        b"\n/a/1\n",
        &new,
        b"\nDELETE\n/a/1\n",
        &new,
        b"\n/a/1\n\nPUT\n/a/2\n",
        &old,
        b"\n",
    ]
    .concat();
    let expected = [
        event(EventKind::Put, "/a/1", &old, None),
        event(EventKind::Put, "/a/1", &new, Some(&old)),
        event(EventKind::Delete, "/a/1", b"", Some(&new)),
        event(EventKind::Put, "/a/2", &old, None),
    ];
    assert_eq!(read(&text).unwrap(), expected);
    // However it comes.
    for size in [1, 3, 50] {
        let mut reader = Reader::default();
        let mut items = Vec::new();
        text.chunks(size).for_each(|piece| items.extend(reader.feed(piece, Known::Part).unwrap()));
        items.extend(reader.finish().0);
        assert_eq!(items, expected, "in pieces of {size}");
    }
}

#[test]
fn an_event_is_there_as_soon_as_it_is_whole() {
    let value = config_map("\n\nx");
    let mut reader = Reader::default();
    let first = [b"PUT\n/a/1\n", &value[..], b"\n"].concat();
    assert_eq!(reader.feed(&first, Known::Part).unwrap(), []);
    assert_eq!(reader.feed(&[], Known::Paused).unwrap(), [event(EventKind::Put, "/a/1", &value, None)]);
    assert_eq!(reader.feed(b"DELETE\n/a/1\n\n", Known::Part).unwrap(), []);
    assert_eq!(reader.feed(&[], Known::Paused).unwrap(), [event(EventKind::Delete, "/a/1", b"", None)]);
    let json = json!({"Events": [{"kv": {"key": STANDARD.encode("/a"), "value": STANDARD.encode(&value)}}]})
        .to_string()
        + "\n";
    assert_eq!(reader.feed(json.as_bytes(), Known::Part).unwrap(), [event(EventKind::Put, "/a", &value, None)]);
}

#[test]
fn each_spelling_of_etcdctl_and_jq() {
    let value = config_map(&"a long text ".repeat(20));
    let (key, text) = (STANDARD.encode("/a"), STANDARD.encode(&value));
    let kv = json!({"key": key, "value": text, "version": 1});
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<Vec<_>>().concat();
    let wrapped: Vec<&str> = text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let keyed = [item(Some("/a"), &value)];
    for input in [
        kv.to_string(),
        serde_json::to_string_pretty(&kv).unwrap(),
        json!([kv]).to_string(),
        json!({"kvs": [kv]}).to_string(),
        json!([key, text]).to_string(),
        format!("{key} {text}"),
        format!("{key}\t{text}"),
        format!("{}\n{}", hex(b"/a"), hex(&value)),
    ] {
        assert_eq!(read(format!("{input}\n").as_bytes()).unwrap(), keyed, "{input}");
    }
    for input in [format!("\"{text}\""), wrapped.join("\n"), text.clone(), hex(&value)] {
        assert_eq!(read(format!("{input}\n").as_bytes()).unwrap(), [item(None, &value)], "{input}");
        let twice = read(format!("{input}\n{input}\n").as_bytes()).unwrap();
        assert_eq!(twice, [item(None, &value), item(None, &value)], "{input}");
    }
}

#[test]
fn base64_of_all_that_etcdctl_printed() {
    let value = config_map(&"a long text ".repeat(20));
    let raw = [b"/a\n", &value[..], b"\n"].concat();
    let json =
        json!({"header": {"revision": 5}, "kvs": [{"key": STANDARD.encode("/a"), "value": STANDARD.encode(&value)}]});
    for output in [raw, json.to_string().into_bytes()] {
        let text = STANDARD.encode(&output);
        let wrapped: Vec<&str> = text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        assert_eq!(read(wrapped.join("\n").as_bytes()).unwrap(), [item(Some("/a"), &value)]);
    }
    let with_line_end = STANDARD.encode([&value[..], b"\n"].concat());
    assert_eq!(read(with_line_end.as_bytes()).unwrap(), [item(None, &value)]);
    let other = STANDARD.encode("user: anna, password: hunter2, and so on and on and on");
    assert!(read(other.as_bytes()).unwrap_err().message.contains("base64 that does not hold an etcd value"));
}

#[test]
fn a_line_of_kubectls_is_no_key() {
    let text = b"Defaulted container \"etcd\" out of: etcd, x\n/registry/a\nvalue\n";
    assert_eq!(read(text).unwrap(), [item(Some("/registry/a"), b"value")]);
}

#[test]
fn what_was_read_before_something_else_is_not_lost() {
    let mut reader = Reader::default();
    assert_eq!(reader.feed(b"/a\n1\nnot etcdctl's at all\n", Known::Part).unwrap(), [item(Some("/a"), b"1")]);
    assert!(reader.finish().1.is_err());
    let (last, whole) = {
        let mut reader = Reader::default();
        reader.bytes.extend_from_slice(b"/a\n1\nnot etcdctl's at all\n");
        reader.any = true;
        reader.finish()
    };
    assert_eq!(last, [item(Some("/a"), b"1")]);
    assert!(whole.is_err());
}

#[test]
fn what_is_not_read_is_named() {
    for (input, what) in [
        (&b"apiVersion: v1\nkind: Secret\ndata: {p: VE9Q}\n"[..], "YAML"),
        (b"+----+\n| a  |\n", "a table (-w table)"),
        (b"NAME   READY\nweb-0  1/1\n", "a kubectl table"),
        (b"00000000: 6b38 7300  k8s.\n", "a hexadecimal dump"),
        (b"{\"name\": \"x\"}\n", "JSON that is neither etcdctl output nor a Kubernetes object"),
        (b"{\"header\": {\"revi", "truncated JSON"),
        (b"{\"kind\": \"Secret\", \"apiVersion\": \"v1\", \"data\": {\"p\": \"VE9Q", "truncated JSON"),
        (b"{\"kvs\": [{\"key\": \"no base64\"}]}", "JSON that is neither etcdctl output nor a Kubernetes object"),
        (b"hello world\n", "text that etcdctl does not print"),
        (b"OK\n", "text that etcdctl does not print"),
        (b"\x1f\x8b\x08\x00abc", "compressed (gzip)"),
        (b"\"Key\" : \"/a\"\n\"Value\" : \"TOPSE\n", "-w fields with a value that breaks off"),
    ] {
        let refused = read(input).expect_err(what);
        assert_eq!(refused.message, format!("standard input is {what}, which decode does not read"));
    }
}

proptest! {
    #[test]
    fn arbitrary_input_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let _ = read(&[b"/registry/a\nk8s\0", &bytes[..]].concat());
        for head in ["PUT\n/a\n", "{\"kvs\":", "\"Key\" : \"", "\\x2f", "azhz", "\n\x10\x08"] {
            let _ = read(&[head.as_bytes(), &bytes[..]].concat());
        }
    }
}
