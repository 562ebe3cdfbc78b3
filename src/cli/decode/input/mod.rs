//! What `etcdctl` printed, taken apart into keys and values as it comes.

mod encoded;
mod fields;
mod json;
mod protobuf;
mod raw;
#[cfg(test)]
mod tests;

use crate::text::EventKind;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Item {
    pub(super) key: Option<String>,
    pub(super) event: Option<EventKind>,
    pub(super) value: Vec<u8>,
    /// With `--prev-kv`: what the event replaced.
    pub(super) previous: Option<Vec<u8>>,
}

/// Input of which nothing can be made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) message: String,
    pub(super) hint: &'static str,
}

const READS: &str = "decode reads what `etcdctl get` and `etcdctl watch` print (as it is, with -w json, -w fields, \
                     -w protobuf or --hex), objects of `.kvs`, and lines of base64";

/// What stands at the beginning of the bytes.
#[derive(Debug)]
enum Step {
    Items(Vec<Item>, usize),
    /// Not until there are more bytes.
    More,
    Refuse(&'static str),
}

impl Step {
    fn skip(bytes: usize) -> Self {
        Step::Items(Vec::new(), bytes)
    }
}

/// How much of the input there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    /// More may follow at once.
    Part,
    /// Whoever writes has paused.
    Paused,
    All,
}

#[derive(Debug, Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    /// Shorter than this it is not looked at again, so that a long value in many pieces costs no square of it.
    due: usize,
    is_protobuf: bool,
    any: bool,
    items: usize,
    values: usize,
    /// Keys without values, until there is a value: where there never is one they are no answer.
    withheld: Vec<Item>,
}

impl Reader {
    /// The items that the piece completes.
    pub(super) fn feed(&mut self, piece: &[u8], known: Known) -> Result<Vec<Item>, Refused> {
        self.bytes.extend_from_slice(piece);
        self.any |= !piece.trim_ascii().is_empty();
        if known == Known::Part && self.bytes.len() < self.due {
            return Ok(Vec::new());
        }
        let (mut found, mut at) = (Vec::new(), 0);
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            self.is_protobuf |= at == 0 && self.items == 0 && protobuf::begins(rest);
            match if self.is_protobuf { protobuf::step(rest, known) } else { step(rest, known) } {
                Step::Items(items, length) => {
                    self.items += items.len();
                    self.values += items
                        .iter()
                        .filter(|item| !item.value.is_empty() || item.event.is_some() || item.previous.is_some())
                        .count();
                    self.withheld.extend(items);
                    if self.values > 0 {
                        found.append(&mut self.withheld);
                    }
                    at += length;
                }
                Step::More => break,
                // What was read before it is right.
                Step::Refuse(_) if at > 0 => break,
                Step::Refuse(what) => return Err(refused(what)),
            }
        }
        let left = self.bytes.len() - at;
        self.bytes.drain(..at);
        self.due = left + left / 4;
        if known == Known::All && left > 0 && at == 0 {
            return Err(refused("truncated output of etcdctl"));
        }
        Ok(found)
    }

    /// What the bytes hold, where all of it can be read.
    fn all(mut self, bytes: &[u8]) -> Option<Vec<Item>> {
        let mut found = self.feed(bytes, Known::All).ok()?;
        found.append(&mut self.withheld);
        (self.bytes.is_empty() && !found.is_empty()).then_some(found)
    }

    /// At the end: what is left, and whether all was understood and held anything to decode.
    pub(super) fn finish(&mut self) -> (Vec<Item>, Result<(), Refused>) {
        let mut found = Vec::new();
        loop {
            let left = self.bytes.len();
            match self.feed(&[], Known::All) {
                Ok(items) => found.extend(items),
                Err(refused) => return (found, Err(refused)),
            }
            if self.bytes.is_empty() || self.bytes.len() == left {
                break;
            }
        }
        let told = |message: &str, hint| Err(Refused { message: message.to_owned(), hint });
        let whole = match (self.any, self.items, self.values) {
            (false, ..) => told("standard input is empty", "etcdctl prints nothing for a key that does not exist"),
            (_, 0, _) => {
                told("etcdctl's answer holds no key", "does the key exist? `--prefix` gets all that start with it")
            }
            (_, _, 0) => told("there are keys but no values on standard input", "run etcdctl without --keys-only"),
            _ => Ok(()),
        };
        (found, whole)
    }
}

fn refused(what: &str) -> Refused {
    Refused { message: format!("standard input is {what}, which decode does not read"), hint: READS }
}

fn step(bytes: &[u8], known: Known) -> Step {
    let blanks = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    if blanks > 0 {
        return Step::skip(blanks);
    }
    let complete = known == Known::All || bytes.contains(&b'\n');
    match bytes[0] {
        b'{' | b'[' => json::step(bytes, known),
        _ if raw::starts_value(bytes) || raw::may_start_value(bytes, known) => raw::step(bytes, known),
        _ if !complete => Step::More,
        b'"' if fields::begins(bytes) => fields::step(bytes, known),
        b'"' => json::step(bytes, known),
        _ => match foreign(bytes) {
            Some(what) => Step::Refuse(what),
            None if encoded::is_base64(line(bytes)) => encoded::step(bytes, known),
            None => raw::step(bytes, known),
        },
    }
}

fn line(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// Formats that are known not to be etcdctl's, by name.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    let first = line(bytes).trim_ascii_end();
    let starts = |text: &str| first.starts_with(text.as_bytes());
    let has = |what: &[u8]| first.windows(what.len()).any(|window| window == what);
    let hex = first.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        Some("compressed (gzip)")
    } else if bytes.get(16..20) == Some(&[0xed, 0xda, 0x0c, 0xed]) {
        Some("an etcd snapshot")
    } else if starts("---")
        || ["apiVersion:", "kind:", "items:", "metadata:", "- apiVersion:"].iter().any(|key| starts(key))
    {
        Some("YAML")
    } else if starts("+-") || (starts("|") && has(b"|")) {
        Some("a table (-w table)")
    } else if starts("NAME ") || starts("NAMESPACE ") {
        Some("a kubectl table")
    } else if (7..=8).contains(&hex) && matches!(first.get(hex), Some(b':' | b' ')) {
        Some("a hexadecimal dump")
    } else if starts("Error") || starts("error:") || starts("{\"level\"") {
        Some("an error message")
    } else if starts("<") {
        Some("XML or HTML")
    } else if !first.starts_with(b"/")
        && !raw::is_noise(first)
        && first.iter().any(u8::is_ascii_whitespace)
        && !encoded::is_pair(first)
    {
        Some("text that etcdctl does not print")
    } else {
        None
    }
}
