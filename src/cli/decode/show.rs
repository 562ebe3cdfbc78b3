//! One item as it is written.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::input::Item;
use super::{DecodeArgs, Output};
use crate::journal::{Reading, in_a_word, printable, read, yaml_text};
use crate::text::EventKind;

#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) out: String,
    /// For standard error.
    pub(super) notes: String,
    /// Every value of it.
    pub(super) decoded: bool,
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

fn yaml(args: &DecodeArgs, item: &Item, place: &str, shown: &mut Shown) {
    let event = item.event.map(|event| format!("{event} ")).unwrap_or_default();
    if let Some(previous) = &item.previous {
        document(args, item, previous, &format!("{event}{place}, before"), place, shown);
        shown.out.push_str("---\n");
    }
    if item.event == Some(EventKind::Delete) {
        let _ = writeln!(shown.out, "# {event}{place}");
    } else {
        document(args, item, &item.value, &format!("{event}{place}"), place, shown);
    }
}

fn document(args: &DecodeArgs, item: &Item, value: &[u8], head: &str, place: &str, shown: &mut Shown) {
    match read(args.decoded.into(), item.key.as_deref(), value) {
        Reading::Object { object, encoding, remarks, .. } => {
            let _ = writeln!(shown.out, "# {head} ({} bytes, {})", value.len(), in_a_word(encoding));
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
        line.insert("type".to_owned(), event.name().into());
    }
    if let Some(key) = &item.key {
        line.insert("key".to_owned(), key.as_str().into());
    }
    let now = (item.event != Some(EventKind::Delete)).then_some(item.value.as_slice());
    for (name, value) in [("object", now), ("oldObject", item.previous.as_deref())] {
        let Some(value) = value else { continue };
        match read(args.decoded.into(), item.key.as_deref(), value) {
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
