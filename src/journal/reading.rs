//! A stored value as it may be shown: decoded, its secrets hidden.

use serde_json::Value;

use crate::text::hidden_bytes;
use kube_etcd_codec::{DecodeError, Decoded, Encoding};

/// A value of which everything is known, or why it is not.
pub enum Reading {
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
pub struct Look {
    pub show_secrets: bool,
    pub hide_managed_fields: bool,
}

/// `protobuf`, `JSON` or `text`.
pub fn in_a_word(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Protobuf => "protobuf",
        Encoding::Json => "JSON",
        Encoding::Plain => "text",
    }
}

/// The object as YAML, its last line ended.
pub fn yaml_text(object: &Value) -> String {
    let text = serde_saphyr::to_string(object).unwrap_or_else(|_| object.to_string());
    format!("{}\n", text.trim_end_matches('\n'))
}

/// The value as it may be shown.
pub fn read(args: Look, key: Option<&str>, value: &[u8]) -> Reading {
    let decoded = match kube_etcd_codec::decode(value) {
        Ok(decoded) => decoded,
        Err(error) => return Reading::Not { reason: error.to_string(), hint: hint(value, &error) },
    };
    if kube_etcd_codec::is_opaque(&decoded) && !args.show_secrets {
        let reason = format!("{} bytes of truncated JSON: it may be a Secret", value.len());
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
pub fn printable(key: &str) -> String {
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
