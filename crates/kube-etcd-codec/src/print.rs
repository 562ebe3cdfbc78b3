//! From bytes to JSON text at once: what decoding an object and writing it in Go's order gives, without a tree of
//! values between them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::value::RawValue;

use super::decode::{DEEPEST, Decoder, bytes_of, number, time};
use super::envelope::MAGIC;
use super::ordered::Ordered;
use super::schema::{Field, Message, Shape, Type, message_at, message_of};
use super::wire::{Fields, Malformed, Wire, malformed, put_bytes, put_message};
use super::zeros::{self, is_struct};

/// Writes values of one kind as the API shows them.
pub struct Printer {
    message: &'static Message,
    /// How each value of the kind begins.
    head: Vec<u8>,
    /// The kind and version as JSON.
    kind: String,
}

impl Printer {
    /// `None` where the kind is not stored in protobuf, or has fields that only decoding gets right.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let message = message_of(api_version, kind)?;
        let mut head = MAGIC.to_vec();
        let types = put_message(&mut head, 1, |out| {
            put_bytes(out, 1, api_version.as_bytes());
            put_bytes(out, 2, kind.as_bytes());
            Ok::<(), Malformed>(())
        });
        types.ok()?;
        let is_plain = ["kind", "apiVersion"].iter().all(|name| message.field(name).is_none());
        let kind = format!("\"kind\":{},\"apiVersion\":{}", Value::from(kind), Value::from(api_version));
        is_plain.then_some(Self { message, head, kind })
    }

    /// Adds the object to `out`, with the revision that it was read at; as an item of a list it does not say its kind.
    /// Whether that was done: what this cannot write is left to [`crate::decode()`], which says why it is wrong.
    pub fn print(&self, value: &[u8], revision: i64, is_item: bool, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let printed = value.strip_prefix(&*self.head).is_some_and(|rest| {
            let kind = if is_item { "" } else { &self.kind };
            bytes_of(rest, 2).is_ok_and(|raw| {
                let raw = raw.unwrap_or_default();
                let (fields, spans) = (Vec::new(), Vec::new());
                let mut writer = Writer { out, fields, spans, revision, depth: 0, in_metadata: false };
                writer.out.push(b'{');
                writer.out.extend_from_slice(kind.as_bytes());
                writer.message(self.message, raw).is_ok()
            })
        });
        if printed {
            out.push(b'}');
        } else {
            out.truncate(start);
        }
        printed
    }
}

struct Writer<'a, 'o> {
    out: &'o mut Vec<u8>,
    /// Of the messages that are open: each field with its place in its message, as it came.
    fields: Vec<(usize, Wire<'a>)>,
    /// Where those of each place begin and end among them.
    spans: Vec<(usize, usize)>,
    revision: i64,
    depth: usize,
    /// The object's own metadata are written just now.
    in_metadata: bool,
}

type Written = Result<(), Malformed>;

impl<'a> Writer<'a, '_> {
    /// The fields of a message, after what stands in the object already.
    fn message(&mut self, message: &'static Message, bytes: &'a [u8]) -> Written {
        if self.depth > DEEPEST {
            return Err(malformed("messages nested too deep"));
        }
        let (first, spans) = (self.fields.len(), self.spans.len());
        self.spans.resize(spans + message.fields.len(), (0, 0));
        let mut fields = Fields(bytes);
        while let Some((number, wire)) = fields.next()? {
            let Some(at) = message.by_number(number) else { continue };
            let here = self.fields.len();
            self.fields.push((at, wire));
            let span = &mut self.spans[spans + at];
            *span = if span.1 == 0 { (here, here + 1) } else { (span.0, here + 1) };
        }
        self.depth += 1;
        for at in message.order.iter().copied() {
            let field = &message.fields[at];
            let span = self.spans[spans + at];
            if self.depth == 1 {
                self.in_metadata = field.name == "metadata";
            }
            if span.1 == 0 { self.absent(field)? } else { self.field(field, at, span)? }
        }
        self.depth -= 1;
        self.fields.truncate(first);
        self.spans.truncate(spans);
        Ok(())
    }

    /// Of the object itself, which etcd does not hold.
    fn is_revision(&self, field: &Field) -> bool {
        self.in_metadata && self.depth == 2 && field.name == "resourceVersion"
    }

    fn name(&mut self, name: &str) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn field(&mut self, field: &'static Field, at: usize, (from, to): (usize, usize)) -> Written {
        let start = self.out.len();
        match field.shape {
            Shape::One => {
                // The last one counts.
                let (_, wire) = self.fields[to - 1];
                if field.inline {
                    let message = field.message().ok_or_else(|| malformed("an inlined field that is no message"))?;
                    return self.message(message, wire.bytes()?);
                }
                self.name(field.name);
                let begins = self.out.len();
                match field.kind {
                    Type::Raw => self.raw(wire, true)?,
                    _ if self.is_revision(field) => self.text(&self.revision.to_string())?,
                    kind => self.value(kind, wire)?,
                }
                if !field.pointer && is_left_out(field, &self.out[begins..]) {
                    self.out.truncate(start);
                }
            }
            Shape::List => {
                let packed = matches!(field.kind, Type::Int32 | Type::Int64 | Type::Bool);
                self.name(field.name);
                self.out.push(b'[');
                let mut is_first = true;
                for index in from..to {
                    let (of, wire) = self.fields[index];
                    match wire {
                        _ if of != at => {}
                        Wire::Bytes(bytes) if packed => {
                            let mut rest = Fields(bytes);
                            while !rest.0.is_empty() {
                                let number = rest.varint()?;
                                self.element(field.kind, Wire::Varint(number), &mut is_first)?;
                            }
                        }
                        wire => self.element(field.kind, wire, &mut is_first)?,
                    }
                }
                self.out.push(b']');
            }
            Shape::Map => {
                let mut entries = Vec::new();
                for index in from..to {
                    let (of, wire) = self.fields[index];
                    if of == at {
                        entries.push(entry(wire)?);
                    }
                }
                // By key; the last of the same key counts.
                entries.reverse();
                entries.sort_by_key(|(key, _)| *key);
                entries.dedup_by_key(|(key, _)| *key);
                self.name(field.name);
                self.out.push(b'{');
                for (at, (key, value)) in entries.into_iter().enumerate() {
                    if at > 0 {
                        self.out.push(b',');
                    }
                    self.bytes_as_text(key)?;
                    self.out.push(b':');
                    match value {
                        Some(wire) => self.value(field.kind, wire)?,
                        None => self.zero(field)?,
                    }
                }
                self.out.push(b'}');
            }
        }
        Ok(())
    }

    fn element(&mut self, kind: Type, wire: Wire<'a>, is_first: &mut bool) -> Written {
        if !std::mem::replace(is_first, false) {
            self.out.push(b',');
        }
        self.value(kind, wire)
    }

    fn value(&mut self, kind: Type, wire: Wire<'a>) -> Written {
        match kind {
            Type::String => self.bytes_as_text(wire.bytes()?),
            Type::Bool => {
                let yes = wire.varint()? != 0;
                self.json(&yes)
            }
            #[expect(clippy::cast_possible_truncation, reason = "protobuf widens a negative int32 to 64 bits")]
            Type::Int32 => self.json(&(wire.varint()? as i32)),
            Type::Int64 => self.json(&wire.varint()?.cast_signed()),
            Type::Bytes => {
                let bytes = wire.bytes()?;
                let start = self.out.len() + 1;
                let length = base64::encoded_len(bytes.len(), true).ok_or_else(|| malformed("too long"))?;
                self.out.push(b'"');
                self.out.resize(start + length, 0);
                let written = STANDARD.encode_slice(bytes, &mut self.out[start..]);
                written.map_err(|error| malformed(error.to_string()))?;
                self.out.push(b'"');
                Ok(())
            }
            Type::Strings => {
                let mut items = Fields(wire.bytes()?);
                self.out.push(b'[');
                let mut is_first = true;
                while let Some((_, item)) = items.next()? {
                    self.element(Type::String, item, &mut is_first)?;
                }
                self.out.push(b']');
                Ok(())
            }
            Type::Time => self.json(&time(wire.bytes()?, false)?),
            Type::MicroTime => self.json(&time(wire.bytes()?, true)?),
            Type::Quantity => match bytes_of(wire.bytes()?, 1)? {
                Some(text) => self.bytes_as_text(text),
                None => self.text("0"),
            },
            Type::IntOrString => {
                let bytes = wire.bytes()?;
                if number(bytes, 1)?.unwrap_or(0) == 0 {
                    #[expect(clippy::cast_possible_truncation, reason = "protobuf widens a negative int32 to 64 bits")]
                    let whole = number(bytes, 2)?.unwrap_or(0) as i32;
                    self.json(&whole)
                } else {
                    self.bytes_as_text(bytes_of(bytes, 3)?.unwrap_or_default())
                }
            }
            // The server's own: nobody writes it by hand.
            Type::Fields => match bytes_of(wire.bytes()?, 1)? {
                None | Some([]) => self.json(&()),
                Some(raw) => {
                    serde_json::from_slice::<&RawValue>(raw)
                        .map_err(|error| malformed(format!("JSON inside: {error}")))?;
                    self.out.extend_from_slice(raw.trim_ascii());
                    Ok(())
                }
            },
            Type::Raw => self.raw(wire, false),
            Type::Double | Type::Duration | Type::Schema(_) => {
                let value = Decoder::default().value(kind, wire)?;
                self.json(&value)
            }
            Type::Message(at) => self.object(message_at(at), wire.bytes()?),
        }
    }

    fn object(&mut self, message: &'static Message, bytes: &'a [u8]) -> Written {
        self.out.push(b'{');
        self.message(message, bytes)?;
        self.out.push(b'}');
        Ok(())
    }

    /// What lies in an object by itself may be one with a kind of its own.
    fn raw(&mut self, wire: Wire<'a>, by_itself: bool) -> Written {
        let value = Decoder::default().value(Type::Raw, wire)?;
        if by_itself && value.get("kind").is_some() { self.json(&Ordered(&value)) } else { self.json(&value) }
    }

    /// What Go prints for a field that the bytes do not have.
    fn absent(&mut self, field: &'static Field) -> Written {
        if field.inline {
            let message = field.message().ok_or_else(|| malformed("an inlined field that is no message"))?;
            return self.message(message, &[]);
        }
        let start = self.out.len();
        if self.is_revision(field) {
            self.name(field.name);
            return self.text(&self.revision.to_string());
        }
        if field.pointer || field.shape != Shape::One || field.kind == Type::Bytes {
            if !field.omit_empty {
                self.name(field.name);
                self.out.extend_from_slice(b"null");
            }
            return Ok(());
        }
        if field.omit_empty && !is_struct(field.kind) {
            return Ok(());
        }
        self.name(field.name);
        let begins = self.out.len();
        self.zero(field)?;
        if is_left_out(field, &self.out[begins..]) {
            self.out.truncate(start);
        }
        Ok(())
    }

    fn zero(&mut self, field: &'static Field) -> Written {
        match field.kind {
            Type::Message(at) => self.object(message_at(at), &[]),
            _ => self.json(&zeros::zero(field)),
        }
    }

    /// Go replaces what is not UTF-8 when it prints JSON.
    fn bytes_as_text(&mut self, bytes: &[u8]) -> Written {
        self.text(&String::from_utf8_lossy(bytes))
    }

    fn text(&mut self, text: &str) -> Written {
        self.json(text)
    }

    fn json<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> Written {
        serde_json::to_writer(&mut *self.out, value).map_err(|error| malformed(error.to_string()))
    }
}

/// The key of a map's entry, and its value where it has one.
fn entry(wire: Wire<'_>) -> Result<(&[u8], Option<Wire<'_>>), Malformed> {
    let (mut key, mut value) = (&[][..], None);
    let mut fields = Fields(wire.bytes()?);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => key = wire.bytes()?,
            2 => value = Some(wire),
            _ => {}
        }
    }
    Ok((key, value))
}

fn is_left_out(field: &Field, written: &[u8]) -> bool {
    let zero = matches!(written, b"null" | b"false" | b"0" | b"\"\"" | b"[]" | b"{}");
    zero && if is_struct(field.kind) { field.omit_zero } else { field.omit_empty }
}

#[cfg(test)]
#[path = "print_tests.rs"]
mod tests;
