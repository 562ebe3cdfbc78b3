//! What an etcd value is, told by its first bytes, and the `k8s\0` envelope around protobuf.

use serde_json::{Map, Value};

use super::decode::{Decoder, bytes_of};
use super::schema::{message, sent_message_of};
use super::wire::{Fields, Malformed, Wire, put_bytes, put_message};
use super::{DecodeError, Decoded, EncodeError, Encoding, Storage, encode as write, kind_by_api_version};

pub(super) const MAGIC: &[u8] = b"k8s\0";
pub(super) const ENCRYPTED: &[u8] = b"k8s:enc:";
/// The tag that says "this is CBOR" in CBOR itself.
const CBOR: &[u8] = &[0xd9, 0xd9, 0xf7];

/// A value as etcd holds it, whichever way it was stored.
pub fn decode(value: &[u8]) -> Result<Decoded, DecodeError> {
    let size = value.len();
    let undecodable = |what: &str, reason: String| DecodeError::Undecodable { size, what: what.to_owned(), reason };
    if let Some(envelope) = value.strip_prefix(MAGIC) {
        return protobuf(envelope).map_err(|(what, Malformed(reason))| undecodable(&what, reason));
    }
    if let Some(rest) = value.strip_prefix(ENCRYPTED) {
        return Err(DecodeError::Encrypted { size, provider: provider(rest) });
    }
    if value.starts_with(CBOR) {
        return Err(undecodable("CBOR", "this encoding of custom resources is not supported yet".to_owned()));
    }
    let json = value.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice::<Value>(value));
    match (json, std::str::from_utf8(value)) {
        (Some(Ok(object)), _) => Ok(Decoded { object, encoding: Encoding::Json, unknown: Vec::new() }),
        (_, Ok(text)) => {
            Ok(Decoded { object: Value::String(text.to_owned()), encoding: Encoding::Plain, unknown: Vec::new() })
        }
        (_, Err(error)) => {
            Err(undecodable("a Kubernetes object or text", format!("byte {} is not UTF-8", error.valid_up_to())))
        }
    }
}

/// Where a protobuf value at the start of `bytes` ends, to take it out of a longer stream: the
/// envelope's fields come in the order of their numbers, so a smaller number is not its own any more.
pub fn value_length(bytes: &[u8]) -> Option<usize> {
    let mut fields = Fields(bytes.strip_prefix(MAGIC)?);
    let (mut last, mut end) = (0, MAGIC.len());
    while let Ok(Some((number, Wire::Bytes(_)))) = fields.next() {
        if number <= last || number > 4 {
            break;
        }
        last = number;
        end = bytes.len() - fields.0.len();
    }
    // Both the type and the object are there.
    (last >= 2).then_some(end)
}

/// `aescbc:v1:key1:...` names the provider, its version and its key before the bytes begin.
pub(super) fn provider(rest: &[u8]) -> String {
    let words: Vec<_> = rest.split(|byte| *byte == b':').take(3).map(String::from_utf8_lossy).collect();
    let printable = |word: &str| word.len() < 64 && word.chars().all(|c| c.is_ascii_graphic());
    let words: Vec<_> = words.iter().map(AsRef::as_ref).take_while(|word| printable(word)).collect();
    words.join(" ")
}

fn protobuf(envelope: &[u8]) -> Result<Decoded, (String, Malformed)> {
    let (api_version, kind, raw) =
        open(envelope).map_err(|error| ("a Kubernetes protobuf envelope".to_owned(), error))?;
    let what = || format!("{api_version} {kind}");
    let mut decoder = Decoder::default();
    let mut object = if let Some(message) = sent_message_of(&api_version, &kind) {
        decoder.message(message, raw).map_err(|error| (what(), error))?
    } else {
        metadata_only(&mut decoder, raw).map_err(|error| (what(), error))?
    };
    object.insert("apiVersion".to_owned(), Value::String(api_version));
    object.insert("kind".to_owned(), Value::String(kind));
    Ok(Decoded { object: Value::Object(object), encoding: Encoding::Protobuf, unknown: decoder.unknown })
}

/// A kind that the schema does not have: its metadata is field 1, as in every kind; the rest is unknown.
fn metadata_only(decoder: &mut Decoder, raw: &[u8]) -> Result<Map<String, Value>, Malformed> {
    let metadata = message("meta/v1.ObjectMeta").expect("the schema has ObjectMeta");
    let mut object = Map::new();
    let mut fields = Fields(raw);
    while let Some((number, wire)) = fields.next()? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => {
                object.insert("metadata".to_owned(), Value::Object(decoder.message(metadata, bytes)?));
            }
            (number, wire) => {
                let size = if let Wire::Bytes(bytes) = wire { bytes.len() } else { 0 };
                decoder.unknown.push(super::UnknownField { within: String::new(), number, size });
            }
        }
    }
    Ok(object)
}

fn open(envelope: &[u8]) -> Result<(String, String, &[u8]), Malformed> {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let types = bytes_of(envelope, 1)?.unwrap_or_default();
    let raw = bytes_of(envelope, 2)?.unwrap_or_default();
    Ok((text(bytes_of(types, 1)?), text(bytes_of(types, 2)?), raw))
}

/// The bytes a kube-apiserver would store for this object: protobuf in its envelope where the kind is
/// stored so, else JSON.
pub fn encode(object: &Value) -> Result<Vec<u8>, EncodeError> {
    let field = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (field("apiVersion"), field("kind"));
    let as_json = kind_by_api_version(api_version, kind).is_some_and(|row| row.storage == Storage::Json);
    let protobuf = if as_json { None } else { encode_protobuf(object)? };
    Ok(protobuf.unwrap_or_else(|| format!("{object}\n").into_bytes()))
}

/// The object in protobuf's envelope, as a client may ask for it however it is stored. `None` where its kind has no
/// protobuf.
pub fn encode_protobuf(object: &Value) -> Result<Option<Vec<u8>>, EncodeError> {
    let field = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (field("apiVersion"), field("kind"));
    let (Some(message), Value::Object(object)) = (sent_message_of(api_version, kind), object) else {
        return Ok(None);
    };
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(MAGIC);
    put_message(&mut out, 1, |out| {
        put_bytes(out, 1, api_version.as_bytes());
        put_bytes(out, 2, kind.as_bytes());
        Ok::<(), EncodeError>(())
    })?;
    put_message(&mut out, 2, |out| write::message(message, object, out))?;
    // How the rest is encoded: not at all.
    put_bytes(&mut out, 3, b"");
    put_bytes(&mut out, 4, b"");
    Ok(Some(out))
}
