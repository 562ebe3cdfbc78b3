//! Values in base64, one a line, wrapped, or after their keys; and `--hex`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::raw::{starts_value, text};
use super::{Item, Known, Reader, Step, line};
use kube_etcd_codec::value_length;

/// Shorter words of these letters are words.
const LEAST: usize = 12;
/// So long a line of them is no key.
const NO_KEY: usize = 40;

/// `\x2f\x72`: what etcdctl prints with `--hex`.
pub(super) fn hexadecimal(line: &[u8]) -> Option<Vec<u8>> {
    if line.is_empty() || !line.len().is_multiple_of(4) {
        return None;
    }
    let byte = |escape: &[u8]| {
        let digits = escape.strip_prefix(b"\\x")?;
        u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    line.chunks(4).map(byte).collect()
}

pub(super) fn is_base64(line: &[u8]) -> bool {
    is_pair(line) || whole(line.trim_ascii()).is_some()
}

/// A key and a value, as `jq -r '.kvs[] | "\(.key) \(.value)"'` prints them.
pub(super) fn is_pair(line: &[u8]) -> bool {
    pair(line).is_some()
}

fn pair(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut words =
        line.split(|byte| matches!(byte, b' ' | b'\t' | b',' | b':' | b'\r')).filter(|word| !word.is_empty());
    let (key, value) = (words.next()?, words.next()?);
    let unquoted = |word: &[u8]| {
        STANDARD.decode(word.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\"")).unwrap_or(word)).ok()
    };
    let (key, value) = (unquoted(key)?, unquoted(value)?);
    let is_key =
        !key.is_empty() && std::str::from_utf8(&key).is_ok() && (key.starts_with(b"/") || starts_value(&value));
    (words.next().is_none() && is_key).then_some((key, value))
}

/// A line that is base64 as a whole, or the first of a wrapped one: of a value, or of what etcdctl printed. A long one
/// is no key either, whatever it is of.
fn whole(line: &[u8]) -> Option<Vec<u8>> {
    if line.len() < LEAST || line.starts_with(b"/") {
        return None;
    }
    let value = STANDARD.decode(line).ok()?;
    let begins: [&[u8]; 6] = [b"/", b"\"", b"[", b"PUT\n", b"DELETE\n", b"\\x"];
    let is_known =
        starts_value(&value) || begins.iter().any(|begin| value.starts_with(begin)) || super::protobuf::begins(&value);
    (is_known || line.len() >= NO_KEY).then_some(value)
}

pub(super) fn step(bytes: &[u8], known: Known) -> Step {
    let first = line(bytes);
    let after = |length: usize| (length + 1).min(bytes.len());
    if let Some((key, value)) = pair(first) {
        let item = Item { key: Some(text(&key)), value, ..Item::default() };
        return Step::Items(vec![item], after(first.len()));
    }
    let width = first.trim_ascii().len();
    let mut joined: Vec<u8> = Vec::new();
    let mut length = 0;
    let mut ended = known == Known::All;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let word = line.trim_ascii();
        let goes_on =
            joined.is_empty() || (!word.is_empty() && word.len() <= width && word.iter().all(|byte| is_letter(*byte)));
        if !goes_on || (!joined.is_empty() && STANDARD.decode(word).is_ok_and(|value| starts_value(&value))) {
            ended = true;
            break;
        }
        joined.extend_from_slice(word);
        length += line.len();
        if word.len() < width || word.ends_with(b"=") {
            ended |= line.ends_with(b"\n");
            break;
        }
    }
    if !ended && known != Known::Paused {
        return Step::More;
    }
    match STANDARD.decode(&joined) {
        Ok(bytes) => of(bytes)
            .map_or(Step::Refuse("base64 that does not hold an etcd value"), |items| Step::Items(items, length)),
        Err(_) => Step::Refuse("truncated base64"),
    }
}

/// A value, or all that etcdctl printed.
fn of(mut bytes: Vec<u8>) -> Option<Vec<Item>> {
    if !bytes.starts_with(b"{") && starts_value(&bytes) {
        // etcdctl's own line end went through base64 with it.
        if value_length(&bytes) == Some(bytes.len() - 1) && bytes.ends_with(b"\n") {
            bytes.pop();
        }
        return Some(vec![Item { value: bytes, ..Item::default() }]);
    }
    let known = [&b"/"[..], b"{", b"\"", b"[", b"PUT\n", b"DELETE\n", b"\\x", b"\n"];
    if !known.iter().any(|begin| bytes.starts_with(begin)) {
        return None;
    }
    let items = Reader::default().all(&bytes)?;
    match items.as_slice() {
        // A stored object keeps its line end.
        [Item { key: None, event: None, value, .. }] if bytes.starts_with(b"{") && bytes.starts_with(value) => {
            Some(vec![Item { value: bytes, ..Item::default() }])
        }
        _ => Some(items),
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}
