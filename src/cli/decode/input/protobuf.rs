//! `-w protobuf`: answers of etcd's own API, field after field.

use super::raw::text;
use super::{Item, Known, Step};
use crate::text::EventKind;

enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The header comes first, and the cluster's id first in it.
pub(super) fn begins(bytes: &[u8]) -> bool {
    matches!(bytes, [0x0a, 4..=0x60, 0x08, ..])
}

pub(super) fn step(bytes: &[u8], known: Known) -> Step {
    let Some((number, wire, length)) = field(bytes) else {
        return if known == Known::All { Step::Refuse("truncated protobuf") } else { Step::More };
    };
    let items = match (number, wire) {
        (2, Wire::Bytes(kv)) => {
            key_value(kv).map(|(key, value)| vec![Item { key: Some(key), value, ..Item::default() }])
        }
        (11, Wire::Bytes(fields)) => event(fields).map(|item| vec![item]),
        _ => Some(Vec::new()),
    };
    match items {
        Some(items) => Step::Items(items, length),
        None => Step::Refuse("protobuf that is not an etcd response"),
    }
}

fn event(mut bytes: &[u8]) -> Option<Item> {
    let mut item = Item { event: Some(EventKind::Put), ..Item::default() };
    while !bytes.is_empty() {
        let (number, wire, length) = field(bytes)?;
        match (number, wire) {
            (1, Wire::Number(1)) => item.event = Some(EventKind::Delete),
            (2, Wire::Bytes(kv)) => {
                let (key, value) = key_value(kv)?;
                (item.key, item.value) = (Some(key), value);
            }
            (3, Wire::Bytes(kv)) => item.previous = Some(key_value(kv)?.1),
            _ => {}
        }
        bytes = &bytes[length..];
    }
    Some(item)
}

fn key_value(mut bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    let (mut key, mut value) = (String::new(), Vec::new());
    while !bytes.is_empty() {
        let (number, wire, length) = field(bytes)?;
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => key = text(bytes),
            (5, Wire::Bytes(bytes)) => value = bytes.to_vec(),
            _ => {}
        }
        bytes = &bytes[length..];
    }
    Some((key, value))
}

/// A field's number, what it holds, and how many bytes it takes.
fn field(bytes: &[u8]) -> Option<(u64, Wire<'_>, usize)> {
    let (tag, at) = varint(bytes)?;
    let (number, rest) = varint(&bytes[at..])?;
    let at = at + rest;
    match tag & 7 {
        0 => Some((tag >> 3, Wire::Number(number), at)),
        2 => {
            let end = at.checked_add(usize::try_from(number).ok()?)?;
            Some((tag >> 3, Wire::Bytes(bytes.get(at..end)?), end))
        }
        _ => None,
    }
}

pub(super) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut number = 0;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((number, at + 1));
        }
    }
    None
}
