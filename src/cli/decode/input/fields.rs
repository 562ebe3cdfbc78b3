//! `-w fields`: `"Key" : "/registry/…"`, texts quoted as Go does.

use super::raw::text;
use super::{Item, Known, Step};
use crate::text::EventKind;

pub(super) fn begins(bytes: &[u8]) -> bool {
    field(super::line(bytes))
        .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Up to the line that ends a key's fields.
pub(super) fn step(bytes: &[u8], known: Known) -> Step {
    let mut item = Item::default();
    let mut length = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if !line.ends_with(b"\n") && known != Known::All {
            return Step::More;
        }
        let Some((name, value)) = field(line.trim_ascii()) else { break };
        length += line.len();
        match name {
            "Type" => item.event = Some(EventKind::of(value.trim_matches('"')).unwrap_or(EventKind::Put)),
            "Key" => item.key = unquoted(value).map(|key| text(&key)),
            "PrevValue" => item.previous = unquoted(value),
            "Value" => match unquoted(value) {
                Some(value) => item.value = value,
                None => return Step::Refuse("-w fields with a value that breaks off"),
            },
            "Lease" => return Step::Items(vec![item], length),
            _ => {}
        }
    }
    // The head and the foot of an answer hold no key.
    match (&item.key, known) {
        (None, Known::All) => Step::skip(length.max(1)),
        (Some(_), Known::All) => Step::Refuse("-w fields that breaks off"),
        _ => Step::More,
    }
}

fn field(line: &[u8]) -> Option<(&str, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    line.strip_prefix('"')?.split_once("\" :").map(|(name, value)| (name, value.trim_start()))
}

fn unquoted(text: &str) -> Option<Vec<u8>> {
    let inner = text.trim_end().strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let kind = chars.next()?;
        let mut code = |digits: usize| {
            let number: String = chars.by_ref().take(digits).collect();
            u32::from_str_radix(&number, 16).ok().filter(|_| number.len() == digits)
        };
        match kind {
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            'x' => out.push(u8::try_from(code(2)?).ok()?),
            'u' | 'U' => {
                let char = char::from_u32(code(if kind == 'u' { 4 } else { 8 })?)?;
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            }
            '"' | '\\' | '\'' => out.push(kind as u8),
            _ => return None,
        }
    }
    Some(out)
}
