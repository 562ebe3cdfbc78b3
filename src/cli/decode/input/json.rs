//! `-w json`, and what `jq` makes of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::raw::text;
use super::{Item, Known, Step};
use crate::text::EventKind;

const OTHER: &str = "JSON that is neither etcdctl output nor a Kubernetes object";

pub(super) fn step(bytes: &[u8], known: Known) -> Step {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    let value = match values.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) if error.is_eof() && known != Known::All => return Step::More,
        Some(Err(error)) if error.is_eof() => return Step::Refuse("truncated JSON"),
        _ => return Step::Refuse("broken JSON"),
    };
    let end = values.byte_offset();
    if value.get("apiVersion").is_some() && value.get("kind").is_some() {
        // Kubernetes ends a JSON value with a line end of its own.
        let size = end + usize::from(bytes[end..].starts_with(b"\n\n"));
        return Step::Items(vec![Item { value: bytes[..size].to_vec(), ..Item::default() }], size);
    }
    match items(&value) {
        Some(items) => Step::Items(items, end),
        None => Step::Refuse(OTHER),
    }
}

fn items(value: &Value) -> Option<Vec<Item>> {
    match value {
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(key), Value::String(value)] => {
                let (key, value) = (decoded(key)?, decoded(value)?);
                Some(vec![Item { key: Some(text(&key)), value, ..Item::default() }])
            }
            parts => parts.iter().map(items).collect::<Option<Vec<_>>>().map(|items| items.concat()),
        },
        Value::String(value) => {
            let value = decoded(value)?;
            super::raw::starts_value(&value).then(|| vec![Item { value, ..Item::default() }])
        }
        Value::Object(fields) => {
            if let Some(kv) = fields.get("kv") {
                return event(value, kv).map(|item| vec![item]);
            }
            if fields.get("key").is_some_and(Value::is_string) {
                return key_value(value, None).map(|item| vec![item]);
            }
            let answers = ["header", "Header", "kvs", "Events", "events"];
            let is_answer =
                answers.iter().any(|name| fields.get(*name).is_some_and(|part| part.is_object() || part.is_array()));
            let lists =
                ["kvs", "Events", "events"].iter().filter_map(|name| fields.get(*name)).filter_map(Value::as_array);
            is_answer.then(|| lists.flatten().map(items).collect::<Option<Vec<_>>>().map(|items| items.concat()))?
        }
        _ => None,
    }
}

fn event(event: &Value, kv: &Value) -> Option<Item> {
    // A put is the zero value, which is left out.
    let is_delete = event["type"] == 1 || event["type"] == EventKind::Delete.name();
    let item = key_value(kv, Some(if is_delete { EventKind::Delete } else { EventKind::Put }))?;
    let previous = event.get("prev_kv").filter(|kv| kv.is_object());
    Some(Item { previous: previous.and_then(|kv| key_value(kv, None)).map(|before| before.value), ..item })
}

/// Not base64 is not etcdctl's: then nothing is decoded, rather than an empty value.
fn key_value(kv: &Value, event: Option<EventKind>) -> Option<Item> {
    let bytes = |name: &str| kv.get(name).map_or(Some(Vec::new()), |field| decoded(field.as_str()?));
    Some(Item { key: Some(text(&bytes("key")?)), event, value: bytes("value")?, previous: None })
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
