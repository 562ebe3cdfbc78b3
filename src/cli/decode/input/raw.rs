//! Keys and values as they are (or with `--hex`), each with a line end after it.

use super::{Item, Known, Step, encoded, line, protobuf};
use crate::text::EventKind;
use kube_etcd_codec::value_length;

const HEADS: [&[u8]; 3] = [b"k8s\0", b"k8s:enc:", &[0xd9, 0xd9, 0xf7]];

/// The tags of the envelope's four fields.
const ENVELOPE: [u8; 4] = [0x0a, 0x12, 0x1a, 0x22];
/// More than any etcd takes in one value.
const LARGEST: u64 = 64 << 20;

pub(super) fn starts_value(bytes: &[u8]) -> bool {
    HEADS.iter().any(|head| bytes.starts_with(head)) || bytes.starts_with(b"{")
}

/// The beginning of one, of which the rest has not come yet.
pub(super) fn may_start_value(bytes: &[u8], known: Known) -> bool {
    known != Known::All && HEADS.iter().any(|head| head.starts_with(bytes))
}

/// Lines that kubectl and etcdctl print of their own.
pub(super) fn is_noise(line: &[u8]) -> bool {
    const NOISE: [&str; 5] = [
        "Defaulted container \"",
        "Unable to use a TTY",
        "If you don't see a command prompt",
        "Use 'kubectl describe",
        "progress notify: ",
    ];
    NOISE.iter().any(|noise| line.starts_with(noise.as_bytes()))
}

fn event(word: &[u8]) -> Option<EventKind> {
    EventKind::of(std::str::from_utf8(word).ok()?)
}

pub(super) fn step(bytes: &[u8], known: Known) -> Step {
    if starts_value(bytes) || may_start_value(bytes, known) {
        return match value(bytes, known) {
            Some((value, length)) => Step::Items(vec![Item { value, ..Item::default() }], length),
            None => Step::More,
        };
    }
    let first = line(bytes);
    let after = (first.len() + 1).min(bytes.len());
    let word = first.trim_ascii_end();
    if is_noise(word) {
        return Step::skip(after);
    }
    let Some(event) = event(word) else {
        return pair_or_value(bytes, known);
    };
    let Some((key, value, length)) = pair(&bytes[after..], known) else { return Step::More };
    let end = after + length;
    let plain = |value| Item { key: Some(text(&key)), event: Some(event), value, previous: None };
    let rest = &bytes[end.min(bytes.len())..];
    let again = &bytes[after..after + line(&bytes[after..]).len()];
    let is_same = rest.starts_with(again) && rest.get(again.len()).is_none_or(|byte| *byte == b'\n');
    if is_same && !rest.is_empty() {
        // The key a second time: the first value is what the event replaced.
        return match pair(rest, known) {
            Some((_, now, more)) => Step::Items(vec![Item { previous: Some(value), ..plain(now) }], end + more),
            None => Step::More,
        };
    }
    let may_follow = again.starts_with(rest) && known < Known::Paused;
    // A deletion has no value: one that has must go on.
    let must_follow = event == EventKind::Delete && !value.is_empty() && known < Known::All && again.starts_with(rest);
    if may_follow || must_follow { Step::More } else { Step::Items(vec![plain(value)], end) }
}

fn pair_or_value(bytes: &[u8], known: Known) -> Step {
    let first = line(bytes).trim_ascii_end();
    if let Some(value) = encoded::hexadecimal(first).filter(|value| starts_value(value)) {
        return Step::Items(vec![Item { value, ..Item::default() }], (line(bytes).len() + 1).min(bytes.len()));
    }
    let is_only = bytes.len() <= line(bytes).len() + 1;
    if is_only && known == Known::All && !first.starts_with(b"/") && !first.starts_with(b"\\x") {
        // A number is what `compact_rev_key` and the like hold; words are no output of etcdctl's.
        let is_number = first.iter().all(u8::is_ascii_digit);
        let item = Item { value: first.to_vec(), ..Item::default() };
        return if is_number {
            Step::Items(vec![item], bytes.len())
        } else {
            Step::Refuse("text that etcdctl does not print")
        };
    }
    match pair(bytes, known) {
        Some((key, value, length)) => {
            let item = Item { key: Some(text(&key)), value, ..Item::default() };
            Step::Items(vec![item], length)
        }
        None => Step::More,
    }
}

/// A key's line and the value after it.
fn pair(bytes: &[u8], known: Known) -> Option<(Vec<u8>, Vec<u8>, usize)> {
    let first = line(bytes);
    if first.len() == bytes.len() && known != Known::All {
        return None;
    }
    let after = (first.len() + 1).min(bytes.len());
    let key = first.strip_suffix(b"\r").unwrap_or(first);
    let key = encoded::hexadecimal(key).unwrap_or_else(|| key.to_vec());
    let (value, length) = value(&bytes[after..], known)?;
    Some((key, encoded::hexadecimal(&value).unwrap_or(value), after + length))
}

/// A value and how far it and its line end go; nothing where its end has not come yet.
fn value(bytes: &[u8], known: Known) -> Option<(Vec<u8>, usize)> {
    let whole = known == Known::All;
    let taken = |end: usize| (bytes[..end].to_vec(), (end + 1).min(bytes.len()));
    if !starts_value(bytes) {
        if may_start_value(bytes, known) && !bytes.is_empty() {
            return None;
        }
        let text = line(bytes);
        return (whole || text.len() < bytes.len()).then(|| taken(text.len()));
    }
    if bytes.starts_with(b"{") {
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<serde::de::IgnoredAny>();
        match values.next() {
            Some(Ok(_)) => {
                let end = values.byte_offset();
                // Kubernetes ends a JSON value with a line end of its own.
                let end = end + usize::from(bytes[end..].starts_with(b"\n\n"));
                return (whole || bytes.len() > end + 1 || known == Known::Paused).then(|| taken(end));
            }
            Some(Err(error)) if error.is_eof() && !whole => return None,
            _ => {}
        }
    } else if let Some(end) = value_length(bytes).filter(|end| matches!(bytes.get(*end), None | Some(b'\n'))) {
        return (whole || end < bytes.len()).then(|| taken(end));
    } else if !whole && goes_on(bytes) {
        return None;
    }
    next_key(bytes, whole).map(taken)
}

/// Whether an envelope's lengths say that more of it is to come: nothing in what is here of it is its end.
fn goes_on(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(HEADS[0]) else { return false };
    while let Some(tag) = rest.first() {
        if !ENVELOPE.contains(tag) {
            return false;
        }
        match protobuf::varint(&rest[1..]) {
            Some((length, at)) if length <= LARGEST => {
                match rest.get(1 + at + usize::try_from(length).unwrap_or(0)..) {
                    Some(more) => rest = more,
                    None => return true,
                }
            }
            Some(_) => return false,
            None => return rest.len() <= 10,
        }
    }
    true
}

/// A broken value has no end of its own: it goes on until a line that looks like a key or an event.
fn next_key(bytes: &[u8], whole: bool) -> Option<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    let begins = |at: &usize| {
        let rest = &bytes[at + 1..];
        let next = line(rest).trim_ascii_end();
        let is_event = event(next).is_some() && rest.get(next.len() + 1) == Some(&b'/');
        is_event || (whole && next.starts_with(b"/") && next.iter().all(u8::is_ascii_graphic))
    };
    let tail = bytes.len() - usize::from(bytes.ends_with(b"\n"));
    let mut ends = ends;
    ends.find(begins).or_else(|| whole.then_some(tail))
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
