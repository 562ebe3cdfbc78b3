//! What each byte of an etcd value stands for: the envelope, and the object in it field by field.

use serde_json::Value;

use super::decode::Decoder;
use super::envelope::{ENCRYPTED, MAGIC, provider};
use super::schema::{Field, Message, Shape, Type, message, sent_message_of};
use super::wire::{Fields, Malformed, Wire};
use super::{Kind, kind_by_api_version};

/// Bytes that belong together, and what they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins in the value.
    pub offset: usize,
    /// In bytes.
    pub length: usize,
    /// Of the message that they stand in.
    pub depth: usize,
    /// What these bytes say.
    pub text: String,
    /// They hold what is secret; the text does not.
    pub secret: bool,
}

/// A longer text is cut.
const LONGEST: usize = 60;
const DEEPEST: usize = 64;

/// All bytes of the value, in order, each in one piece.
pub fn explain(value: &[u8]) -> Vec<Piece> {
    let mut pieces = Pieces { found: Vec::new(), end: 0, kind: None, path: Vec::new() };
    if value.starts_with(MAGIC) {
        pieces.take(MAGIC.len(), 0, "\"k8s\\0\": a Kubernetes object in protobuf", false);
        pieces.envelope(&value[MAGIC.len()..]);
    } else if let Some(rest) = value.strip_prefix(ENCRYPTED) {
        let head =
            ENCRYPTED.len() + rest.iter().enumerate().filter(|(_, b)| **b == b':').nth(2).map_or(0, |(at, _)| at + 1);
        pieces.take(head.min(value.len()), 0, &format!("encrypted at rest: {}", provider(rest)), false);
    } else if value.trim_ascii_start().starts_with(b"{") {
        let kind = serde_json::from_slice::<Value>(value).ok();
        let kind = kind.map(|object| {
            format!("{} {}", object["apiVersion"].as_str().unwrap_or("?"), object["kind"].as_str().unwrap_or("?"))
        });
        pieces.take(value.len(), 0, &kind.map_or("truncated JSON".to_owned(), |kind| format!("JSON: {kind}")), false);
    } else if let Ok(text) = std::str::from_utf8(value) {
        pieces.take(value.len(), 0, &format!("text {}", quoted(text)), false);
    }
    if pieces.end < value.len() {
        let left = value.len() - pieces.end;
        pieces.take(left, 0, &format!("{left} bytes"), true);
    }
    pieces.found
}

struct Pieces {
    found: Vec<Piece>,
    end: usize,
    kind: Option<&'static Kind>,
    path: Vec<&'static str>,
}

impl Pieces {
    fn take(&mut self, length: usize, depth: usize, text: &str, secret: bool) {
        self.found.push(Piece { offset: self.end, length, depth, text: text.to_owned(), secret });
        self.end += length;
    }

    /// `runtime.Unknown`: what the object is, the object, and how it is encoded.
    fn envelope(&mut self, envelope: &[u8]) {
        let mut fields = Fields(envelope);
        let mut message = None;
        while let Ok(Some((head, number, wire))) = next(&mut fields) {
            match (number, wire) {
                (1, Wire::Bytes(types)) => {
                    self.take(head, 0, &format!("field 1, typeMeta: {}", bytes(types.len())), false);
                    let (api_version, kind) = self.types(types);
                    self.kind = kind_by_api_version(&api_version, &kind);
                    message = sent_message_of(&api_version, &kind);
                }
                (2, Wire::Bytes(raw)) => {
                    self.take(head, 0, &format!("field 2, raw: the object, {}", bytes(raw.len())), false);
                    let known = match message {
                        Some(message) => self.message(message, raw, 1),
                        None => self.unknown(raw),
                    };
                    if let Err(Malformed(why)) = known {
                        let left = raw.len() - (self.end - head_of(envelope, raw) - MAGIC.len());
                        self.take(left, 1, &format!("{} that do not decode: {why}", bytes(left)), true);
                    }
                }
                (number, Wire::Bytes(text)) => {
                    let name = match number {
                        3 => "contentEncoding",
                        4 => "contentType",
                        _ => "unknown",
                    };
                    let text_shown =
                        if text.is_empty() { "empty".to_owned() } else { quoted(&String::from_utf8_lossy(text)) };
                    self.take(head + text.len(), 0, &format!("field {number}, {name}: {text_shown}"), false);
                }
                (number, _) => self.take(head, 0, &format!("field {number}, unknown"), false),
            }
        }
    }

    fn types(&mut self, types: &[u8]) -> (String, String) {
        let (mut api_version, mut kind) = (String::new(), String::new());
        let mut fields = Fields(types);
        while let Ok(Some((head, number, wire))) = next(&mut fields) {
            let text = wire.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
            let length = head + wire.bytes().map_or(0, <[u8]>::len);
            let name = if number == 1 { "apiVersion" } else { "kind" };
            self.take(length, 1, &format!("field {number}, {name}: {}", quoted(&text)), false);
            *(if number == 1 { &mut api_version } else { &mut kind }) = text;
        }
        (api_version, kind)
    }

    /// A kind that the schema does not have: only its metadata is known.
    fn unknown(&mut self, raw: &[u8]) -> Result<(), Malformed> {
        let metadata = message("meta/v1.ObjectMeta").ok_or_else(|| Malformed("no schema".to_owned()))?;
        let mut fields = Fields(raw);
        while let Some((head, number, wire)) = next(&mut fields)? {
            match (number, wire) {
                (1, Wire::Bytes(inner)) => {
                    self.take(head, 1, &format!("field 1, metadata: {}", bytes(inner.len())), false);
                    self.message(metadata, inner, 2)?;
                }
                (number, wire) => {
                    let size = wire.bytes().map_or(0, <[u8]>::len);
                    self.take(
                        head + size,
                        1,
                        &format!("field {number} of a kind that is not known: {}", bytes(size)),
                        true,
                    );
                }
            }
        }
        Ok(())
    }

    fn message(&mut self, message: &'static Message, raw: &[u8], depth: usize) -> Result<(), Malformed> {
        if depth > DEEPEST {
            return Err(Malformed("messages nested too deep".to_owned()));
        }
        let mut fields = Fields(raw);
        while let Some((head, number, wire)) = next(&mut fields)? {
            let size = wire.bytes().map_or(0, <[u8]>::len);
            let Some(at) = message.by_number(number) else {
                self.take(
                    head + size,
                    depth,
                    &format!("field {number}, not in this build's schema: {}", bytes(size)),
                    self.is_secret_kind(),
                );
                continue;
            };
            let field = &message.fields[at];
            self.path.push(field.name);
            let outcome = self.field(field, wire, head, size, depth);
            self.path.pop();
            outcome?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &'static Field,
        wire: Wire<'_>,
        head: usize,
        size: usize,
        depth: usize,
    ) -> Result<(), Malformed> {
        let label = format!("field {}, {}", field.number, field.name);
        if let (Some(inner), true) = (field.message(), field.shape != Shape::Map) {
            self.take(head, depth, &format!("{label}: {}", bytes(size)), false);
            return self.message(inner, wire.bytes()?, depth + 1);
        }
        if self.is_secret() {
            self.take(head + size, depth, &format!("{label}: {}, hidden", bytes(size)), true);
            return Ok(());
        }
        let value = match field.shape {
            Shape::Map => entry(field, wire.bytes()?)?,
            Shape::List if matches!(field.kind, Type::Int32 | Type::Int64 | Type::Bool) => bytes(size),
            Shape::One | Shape::List => shown(&Decoder::default().value(field.kind, wire)?),
        };
        self.take(head + size, depth, &format!("{label}: {value}"), false);
        Ok(())
    }

    fn is_secret_kind(&self) -> bool {
        self.kind.is_some_and(|kind| !kind.secret.is_empty())
    }

    /// Whether what lies here holds, or is part of, what the kind hides.
    fn is_secret(&self) -> bool {
        self.kind.map_or(&[][..], |kind| kind.secret).iter().any(|pointer| {
            let mut hidden = pointer.split('/').skip(1);
            self.path.iter().all(|name| hidden.next().is_none_or(|part| part == *name))
        })
    }
}

/// A field, and how many bytes tell its number and its length; those of a number hold the number too.
fn next<'a>(fields: &mut Fields<'a>) -> Result<Option<(usize, u32, Wire<'a>)>, Malformed> {
    let before = fields.0.len();
    let Some((number, wire)) = fields.next()? else { return Ok(None) };
    let payload = wire.bytes().map_or(0, <[u8]>::len);
    Ok(Some((before - fields.0.len() - payload, number, wire)))
}

/// Where the inner bytes begin in the outer ones.
fn head_of(outer: &[u8], inner: &[u8]) -> usize {
    (inner.as_ptr() as usize).saturating_sub(outer.as_ptr() as usize)
}

/// One entry of a map.
fn entry(field: &'static Field, raw: &[u8]) -> Result<String, Malformed> {
    let (mut key, mut value) = (String::new(), None);
    let mut fields = Fields(raw);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => key = String::from_utf8_lossy(wire.bytes()?).into_owned(),
            2 => value = Some(Decoder::default().value(field.kind, wire)?),
            _ => {}
        }
    }
    Ok(format!("{} = {}", quoted(&key), value.map_or("empty".to_owned(), |value| shown(&value))))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => cut(&other.to_string()),
    }
}

fn quoted(text: &str) -> String {
    cut(&Value::from(text).to_string())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn bytes(count: usize) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::encode;

    fn explained(value: &[u8]) -> Vec<Piece> {
        let pieces = explain(value);
        let mut end = 0;
        for piece in &pieces {
            assert_eq!(piece.offset, end, "without holes: {pieces:#?}");
            end += piece.length;
        }
        assert_eq!(end, value.len(), "to the end: {pieces:#?}");
        pieces
    }

    #[test]
    fn every_byte_of_an_object_is_explained() {
        let object = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "demo", "labels": {"purpose": "demo"}, "creationTimestamp": "2026-11-28T12:00:00Z"},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
        let value = encode(&object).expect("it is stored");
        let explained_lines: Vec<String> =
            explained(&value).iter().map(|piece| format!("{}{}", "  ".repeat(piece.depth), piece.text)).collect();
        for wanted in [
            "\"k8s\\0\": a Kubernetes object in protobuf",
            "field 1, typeMeta: 15 bytes",
            "  field 1, apiVersion: \"v1\"",
            "  field 2, kind: \"Namespace\"",
            "    field 1, name: \"demo\"",
            "    field 11, labels: \"purpose\" = \"demo\"",
            "    field 8, creationTimestamp: \"2026-11-28T12:00:00Z\"",
            "    field 1, finalizers: \"kubernetes\"",
            "    field 1, phase: \"Active\"",
            "field 3, contentEncoding: empty",
            "field 4, contentType: empty",
        ] {
            assert!(explained_lines.iter().any(|line| line == wanted), "{wanted} in {explained_lines:#?}");
        }
    }

    #[test]
    fn of_a_secret_neither_texts_nor_bytes_are_told() {
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{\"stringData\":{\"p\":\"hunter2\"}}"}},
            "data": {"p": "aHVudGVyMg=="}, "type": "Opaque"});
        let value = encode(&object).expect("it is stored");
        let pieces = explained(&value);
        for piece in &pieces {
            let holds = String::from_utf8_lossy(&value[piece.offset..piece.offset + piece.length]).contains("hunter2");
            assert!(!holds || piece.secret, "{piece:?}");
            assert!(!piece.text.contains("hunter2"), "{piece:?}");
        }
        assert_eq!(pieces.iter().filter(|piece| piece.secret).count(), 2, "{pieces:#?}");
    }

    #[test]
    fn what_is_no_object_is_explained_as_far_as_it_goes() {
        explained(b"");
        assert_eq!(explained(b"hello")[0].text, "text \"hello\"");
        assert_eq!(explained(b"{\"apiVersion\":\"v1\",\"kind\":\"X\"}")[0].text, "JSON: v1 X");
        let encrypted = explained(b"k8s:enc:aescbc:v1:key1:\x01\x02\x03");
        assert_eq!(encrypted[0].text, "encrypted at rest: aescbc v1 key1");
        assert_eq!((encrypted[1].length, encrypted[1].secret), (3, true));
        let value = encode(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}})).expect("stored");
        for end in 0..value.len() {
            explained(&value[..end]);
        }
        for at in 4..value.len() {
            let mut broken = value.clone();
            broken[at] ^= 0xff;
            explained(&broken);
        }
    }
}
