//! What `etcdctl` printed, taken apart into keys and values.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::codec::value_length;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Put,
    Delete,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) key: Option<String>,
    pub(super) event: Option<Event>,
    pub(super) value: Vec<u8>,
}

/// Input that holds no value at all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoValue {
    pub(super) message: &'static str,
    pub(super) hint: &'static str,
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Item>, NoValue> {
    if bytes.trim_ascii().is_empty() {
        let message = "standard input is empty";
        return Err(NoValue { message, hint: "etcdctl prints nothing for a key that does not exist" });
    }
    let items = match answers(bytes) {
        Some(items) => items,
        None => base64_lines(bytes).unwrap_or_else(|| Raw { rest: bytes }.items()),
    };
    if items.is_empty() {
        let message = "etcdctl's answer holds no key";
        return Err(NoValue { message, hint: "does the key exist? `--prefix` gets all that start with it" });
    }
    if items.iter().all(|item| item.value.is_empty() && item.event != Some(Event::Delete)) {
        let message = "there are keys but no values on standard input";
        return Err(NoValue { message, hint: "run etcdctl without --keys-only" });
    }
    Ok(items)
}

/// `-w json`: one answer of `get`, or one line a change of `watch`.
fn answers(bytes: &[u8]) -> Option<Vec<Item>> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let mut items = Vec::new();
    for answer in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        let answer = answer.ok()?;
        answer.get("header").or_else(|| answer.get("Header")).filter(|header| header.is_object())?;
        let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        for kv in list("kvs") {
            items.push(key_value(&kv, None));
        }
        for event in list("Events").into_iter().chain(list("events")) {
            // A put is the zero value, which is left out.
            let delete = event["type"] == 1 || event["type"] == "DELETE";
            items.push(key_value(&event["kv"], Some(if delete { Event::Delete } else { Event::Put })));
        }
    }
    Some(items)
}

fn key_value(kv: &Value, event: Option<Event>) -> Item {
    let bytes = |name: &str| kv[name].as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    Item { key: Some(String::from_utf8_lossy(&bytes("key")).into_owned()), event, value: bytes("value") }
}

/// Every line is base64 of what looks like a value.
fn base64_lines(bytes: &[u8]) -> Option<Vec<Item>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let value = STANDARD.decode(line).ok()?;
            starts_value(&value).then_some(Item { key: None, event: None, value })
        })
        .collect()
}

fn starts_value(bytes: &[u8]) -> bool {
    [&b"k8s\0"[..], b"k8s:enc:", b"{", &[0xd9, 0xd9, 0xf7]].iter().any(|head| bytes.starts_with(head))
}

/// Keys and values as they are, each with a line end after it.
struct Raw<'a> {
    rest: &'a [u8],
}

impl<'a> Raw<'a> {
    fn items(mut self) -> Vec<Item> {
        let (mut items, mut key, mut event) = (Vec::new(), None, None);
        while !self.rest.is_empty() {
            if starts_value(self.rest) {
                let value = self.value().to_vec();
                items.push(Item { key: key.take(), event: event.take(), value });
                continue;
            }
            let line = self.line();
            let text = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
            if key.is_some() {
                // Text, or nothing, belongs to the key before it.
                items.push(Item { key: key.take(), event: event.take(), value: line.to_vec() });
            } else if event.is_none() && (text == "PUT" || text == "DELETE") {
                event = Some(if text == "PUT" { Event::Put } else { Event::Delete });
            } else if !text.is_empty() {
                // Without a value to come, the line is one itself.
                if !text.starts_with('/') && self.rest.trim_ascii().is_empty() && event.is_none() {
                    items.push(Item { key: None, event: None, value: line.to_vec() });
                } else {
                    key = Some(text);
                }
            }
        }
        items.extend(key.map(|key| Item { key: Some(key), event, value: Vec::new() }));
        items
    }

    fn line(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| *byte == b'\n').unwrap_or(self.rest.len());
        self.take(end)
    }

    fn value(&mut self) -> &'a [u8] {
        let end =
            value_length(self.rest).filter(|end| matches!(self.rest.get(*end), None | Some(b'\n'))).or_else(|| {
                let mut values = serde_json::Deserializer::from_slice(self.rest).into_iter::<serde::de::IgnoredAny>();
                let whole = self.rest.starts_with(b"{") && matches!(values.next(), Some(Ok(_)));
                // Kubernetes ends a JSON value with a line end of its own.
                whole.then(|| values.byte_offset()).map(|end| end + usize::from(self.rest[end..].starts_with(b"\n\n")))
            });
        self.take(end.unwrap_or_else(|| self.next_key()))
    }

    /// A broken value has no end of its own: it goes on until a line that looks like a key.
    fn next_key(&self) -> usize {
        let ends = self.rest.windows(2).enumerate().filter(|(_, pair)| pair == b"\n/");
        let key = |at: &usize| {
            let line = self.rest[at + 1..].split(|byte| *byte == b'\n').next().unwrap_or_default();
            line.trim_ascii_end().iter().all(u8::is_ascii_graphic)
        };
        let tail = self.rest.len() - usize::from(self.rest.ends_with(b"\n"));
        ends.map(|(at, _)| at).find(key).unwrap_or(tail)
    }

    /// Takes what ends there, and the line end after it.
    fn take(&mut self, end: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        taken
    }
}

#[cfg(test)]
#[path = "input_tests.rs"]
mod tests;
