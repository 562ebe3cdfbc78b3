//! One item as it is written.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::input::{Event, Item};
use super::{DecodeArgs, Output};
use crate::text::hidden_bytes;
use kube_etcd_codec::{DecodeError, Decoded, Encoding};

#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) out: String,
    /// For standard error.
    pub(super) notes: String,
    /// Every value of it.
    pub(super) decoded: bool,
}

/// A value of which everything is known, or why it is not.
pub(in crate::cli) enum Reading {
    Object {
        object: Value,
        encoding: Encoding,
        remarks: Vec<String>,
        /// How many texts of it are.
        hidden: usize,
    },
    Not {
        reason: String,
        hint: &'static str,
    },
}

/// What of a value is shown.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Look {
    pub(in crate::cli) show_secrets: bool,
    pub(in crate::cli) hide_managed_fields: bool,
}

impl From<&DecodeArgs> for Look {
    fn from(args: &DecodeArgs) -> Self {
        Self { show_secrets: args.show_secrets, hide_managed_fields: args.hide_managed_fields }
    }
}

pub(super) fn item(args: &DecodeArgs, item: &Item, at: usize) -> Shown {
    let mut shown = Shown { decoded: true, ..Shown::default() };
    let place = item.key.as_deref().map_or_else(|| format!("value {}", at + 1), printable);
    match args.output {
        Output::Yaml => {
            if at > 0 {
                shown.out.push_str("---\n");
            }
            yaml(args, item, &place, &mut shown);
        }
        Output::Json => json(args, item, &place, &mut shown),
    }
    shown
}

fn word(event: Event) -> &'static str {
    match event {
        Event::Put => "PUT",
        Event::Delete => "DELETE",
    }
}

fn yaml(args: &DecodeArgs, item: &Item, place: &str, shown: &mut Shown) {
    let event = item.event.map(|event| format!("{} ", word(event))).unwrap_or_default();
    if let Some(previous) = &item.previous {
        document(args, item, previous, &format!("{event}{place}, before"), place, shown);
        shown.out.push_str("---\n");
    }
    if item.event == Some(Event::Delete) {
        let _ = writeln!(shown.out, "# {event}{place}");
    } else {
        document(args, item, &item.value, &format!("{event}{place}"), place, shown);
    }
}

fn document(args: &DecodeArgs, item: &Item, value: &[u8], head: &str, place: &str, shown: &mut Shown) {
    match read(args.into(), item.key.as_deref(), value) {
        Reading::Object { object, encoding, remarks, .. } => {
            let encoding = match encoding {
                Encoding::Protobuf => "protobuf",
                Encoding::Json => "JSON",
                Encoding::Plain => "text",
            };
            let _ = writeln!(shown.out, "# {head} ({} bytes, {encoding})", value.len());
            for remark in remarks {
                let _ = writeln!(shown.out, "# {place}: {remark}");
            }
            shown.out.push_str(&yaml_text(&object));
        }
        Reading::Not { reason, hint } => {
            shown.decoded = false;
            let _ = writeln!(shown.notes, "{place}: {reason}{hint}");
            let _ = writeln!(shown.out, "# {head}: {reason}");
        }
    }
}

fn json(args: &DecodeArgs, item: &Item, place: &str, shown: &mut Shown) {
    let mut line = Map::new();
    if let Some(event) = item.event {
        line.insert("type".to_owned(), word(event).into());
    }
    if let Some(key) = &item.key {
        line.insert("key".to_owned(), key.as_str().into());
    }
    let now = (item.event != Some(Event::Delete)).then_some(item.value.as_slice());
    for (name, value) in [("object", now), ("oldObject", item.previous.as_deref())] {
        let Some(value) = value else { continue };
        match read(args.into(), item.key.as_deref(), value) {
            Reading::Object { object, remarks, .. } => {
                for remark in remarks {
                    let _ = writeln!(shown.notes, "{place}: {remark}");
                }
                line.insert(name.to_owned(), object);
            }
            Reading::Not { reason, hint } => {
                shown.decoded = false;
                let _ = writeln!(shown.notes, "{place}: {reason}{hint}");
                line.insert(name.to_owned(), Value::Null);
                line.insert("undecodable".to_owned(), json!({"size": value.len(), "reason": reason}));
            }
        }
    }
    let _ = writeln!(shown.out, "{}", Value::Object(line));
}

/// The object as YAML, its last line ended.
pub(in crate::cli) fn yaml_text(object: &Value) -> String {
    let text = serde_saphyr::to_string(object).unwrap_or_else(|_| object.to_string());
    format!("{}\n", text.trim_end_matches('\n'))
}

/// The value as it may be shown.
pub(in crate::cli) fn read(args: Look, key: Option<&str>, value: &[u8]) -> Reading {
    let decoded = match kube_etcd_codec::decode(value) {
        Ok(decoded) => decoded,
        Err(error) => return Reading::Not { reason: error.to_string(), hint: hint(value, &error) },
    };
    if kube_etcd_codec::is_opaque(&decoded) && !args.show_secrets {
        let reason = format!("{} bytes of JSON that breaks off: it may be a Secret", value.len());
        return Reading::Not { reason, hint: "" };
    }
    let Decoded { mut object, encoding, unknown } = decoded;
    let mut hidden = if args.show_secrets { 0 } else { kube_etcd_codec::conceal(&mut object) };
    let is_secrets = key.is_some_and(|key| key.contains("/secrets/"));
    if is_secrets && hidden == 0 && !args.show_secrets && object.get("kind").is_none() {
        // Whatever it is: it lies where Secrets lie.
        object = Value::String(hidden_bytes(value.len()));
        hidden = 1;
    }
    if args.hide_managed_fields
        && let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut)
    {
        metadata.remove("managedFields");
    }
    let mut remarks = Vec::new();
    if hidden > 0 {
        let them = if hidden == 1 { "it" } else { "them" };
        remarks.push(format!("{hidden} secret {} hidden; --show-secrets shows {them}", count(hidden, "text")));
    }
    if !unknown.is_empty() {
        let fields = unknown.iter().map(|field| {
            let dot = if field.within.is_empty() { "" } else { "." };
            format!("{}{dot}#{} ({} bytes)", field.within, field.number, field.size)
        });
        let fields: Vec<_> = fields.collect();
        let what = count(fields.len(), "field");
        remarks.push(format!("{} {what} that this build's schema does not know: {}", fields.len(), fields.join(", ")));
    }
    Reading::Object { object, encoding, remarks, hidden }
}

/// A key on a line of its own, whatever is in it: it moves no cursor and ends no comment.
pub(in crate::cli) fn printable(key: &str) -> String {
    let shown = |char: char| match char {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        // What turns the direction of writing hides as much as what moves the cursor.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => {
            format!("\\u{:04x}", char as u32)
        }
        char if char.is_control() => format!("\\x{:02x}", char as u32),
        char => char.to_string(),
    };
    key.chars().map(shown).collect()
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { what.to_owned() } else { format!("{what}s") }
}

fn hint(value: &[u8], error: &DecodeError) -> &'static str {
    let undecodable = matches!(error, DecodeError::Undecodable { .. });
    if undecodable && value.windows(2).any(|pair| pair == b"\r\n") {
        return "\n  hint: line ends were changed on the way; run kubectl exec and docker exec without -t";
    }
    if undecodable && value.windows(3).any(|bytes| bytes == "\u{fffd}".as_bytes()) {
        return "\n  hint: the bytes were read as text on the way (copied from a screen?); pipe them instead";
    }
    ""
}
