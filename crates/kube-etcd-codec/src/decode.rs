//! From bytes to JSON, field by field as Kubernetes' own Go code would print it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::schema::{Field, Message, SchemaOr, Shape, Type, json_schema, message_at};
use super::wire::{Fields, Malformed, Wire, malformed};
use super::zeros;

/// Messages nest about ten deep; arbitrary bytes must not exhaust the stack.
pub(super) const DEEPEST: usize = 64;

/// A field that the schema does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownField {
    /// The path of the message that held it, such as `spec.containers`; empty at the top.
    pub within: String,
    /// The field's number in protobuf.
    pub number: u32,
    /// Its bytes.
    pub size: usize,
}

#[derive(Default)]
pub(super) struct Decoder {
    pub(super) unknown: Vec<UnknownField>,
    path: Vec<&'static str>,
}

impl Decoder {
    pub(super) fn message(&mut self, message: &'static Message, bytes: &[u8]) -> Result<Map<String, Value>, Malformed> {
        let mut object = Map::new();
        self.merge(message, bytes, &mut object)?;
        Ok(object)
    }

    /// Reads a message's fields into `object`: for an inlined one that is its parent's.
    fn merge(
        &mut self,
        message: &'static Message,
        bytes: &[u8],
        object: &mut Map<String, Value>,
    ) -> Result<(), Malformed> {
        if self.path.len() > DEEPEST {
            return Err(malformed("messages nested too deep"));
        }
        let mut fields = Fields(bytes);
        let mut seen = [0_u64; 2];
        while let Some((number, wire)) = fields.next()? {
            let Some(at) = message.by_number(number) else {
                let size = if let Wire::Bytes(bytes) = wire { bytes.len() } else { 0 };
                self.unknown.push(UnknownField { within: self.path.join("."), number, size });
                continue;
            };
            let field = &message.fields[at];
            seen[at / 64 % 2] |= 1 << (at % 64);
            self.path.push(field.name);
            self.field(field, wire, object).map_err(|error| within(field, error))?;
            self.path.pop();
        }
        for (at, field) in message.fields.iter().enumerate() {
            if seen[at / 64 % 2] & (1 << (at % 64)) == 0 {
                self.absent(field, object)?;
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &'static Field,
        wire: Wire<'_>,
        object: &mut Map<String, Value>,
    ) -> Result<(), Malformed> {
        match field.shape {
            Shape::One if field.inline => {
                let message = field.message().ok_or_else(|| malformed("an inlined field that is no message"))?;
                self.merge(message, wire.bytes()?, object)
            }
            Shape::One => {
                let value = self.value(field.kind, wire)?;
                if field.pointer || !zeros::is_left_out(field, &value) {
                    object.insert(field.name.to_owned(), value);
                } else {
                    object.remove(field.name);
                }
                Ok(())
            }
            Shape::List => {
                let packed = matches!(field.kind, Type::Int32 | Type::Int64 | Type::Bool);
                let mut items = Vec::new();
                match wire {
                    Wire::Bytes(bytes) if packed => {
                        let mut rest = Fields(bytes);
                        while !rest.0.is_empty() {
                            let number = rest.varint()?;
                            items.push(self.value(field.kind, Wire::Varint(number))?);
                        }
                    }
                    wire => items.push(self.value(field.kind, wire)?),
                }
                match object.get_mut(field.name) {
                    Some(Value::Array(list)) => list.append(&mut items),
                    _ => drop(object.insert(field.name.to_owned(), Value::Array(items))),
                }
                Ok(())
            }
            Shape::Map => {
                let (mut key, mut value) = (String::new(), None);
                let mut entry = Fields(wire.bytes()?);
                while let Some((number, wire)) = entry.next()? {
                    match number {
                        1 => key = text(wire.bytes()?),
                        2 => value = Some(self.value(field.kind, wire)?),
                        _ => self.unknown.push(UnknownField { within: self.path.join("."), number, size: 0 }),
                    }
                }
                let value = match value {
                    Some(value) => value,
                    None => zeros::zero(field),
                };
                match object.get_mut(field.name) {
                    Some(Value::Object(map)) => drop(map.insert(key, value)),
                    _ => drop(object.insert(field.name.to_owned(), Value::Object(Map::from_iter([(key, value)])))),
                }
                Ok(())
            }
        }
    }

    pub(super) fn value(&mut self, kind: Type, wire: Wire<'_>) -> Result<Value, Malformed> {
        Ok(match kind {
            Type::String => Value::String(text(wire.bytes()?)),
            Type::Bool => Value::Bool(wire.varint()? != 0),
            #[expect(clippy::cast_possible_truncation, reason = "protobuf widens a negative int32 to 64 bits")]
            Type::Int32 => Value::from(wire.varint()? as i32),
            Type::Int64 => Value::from(wire.varint()?.cast_signed()),
            Type::Double => match wire {
                Wire::Fixed64(bits) => fraction(f64::from_bits(bits)),
                _ => return Err(malformed("something else where a fraction belongs")),
            },
            Type::Bytes => Value::String(STANDARD.encode(wire.bytes()?)),
            Type::Strings => {
                let (mut fields, mut items) = (Fields(wire.bytes()?), Vec::new());
                while let Some((_, item)) = fields.next()? {
                    items.push(Value::String(text(item.bytes()?)));
                }
                Value::Array(items)
            }
            Type::Time => time(wire.bytes()?, false)?,
            Type::MicroTime => time(wire.bytes()?, true)?,
            Type::Duration => {
                let nanos = number(wire.bytes()?, 1)?.unwrap_or(0).cast_signed();
                Value::String(super::duration::format(nanos))
            }
            Type::Quantity => Value::String(bytes_of(wire.bytes()?, 1)?.map_or_else(|| "0".to_owned(), text)),
            Type::IntOrString => {
                let bytes = wire.bytes()?;
                if number(bytes, 1)?.unwrap_or(0) == 0 {
                    #[expect(clippy::cast_possible_truncation, reason = "protobuf widens a negative int32 to 64 bits")]
                    Value::from(number(bytes, 2)?.unwrap_or(0) as i32)
                } else {
                    Value::String(bytes_of(bytes, 3)?.map(text).unwrap_or_default())
                }
            }
            Type::Raw | Type::Fields => match bytes_of(wire.bytes()?, 1)? {
                None | Some([]) => Value::Null,
                Some(raw) => serde_json::from_slice(raw).map_err(|error| malformed(format!("JSON inside: {error}")))?,
            },
            Type::Schema(or) => self.schema(or, wire.bytes()?)?,
            Type::Message(at) => Value::Object(self.message(message_at(at), wire.bytes()?)?),
        })
    }

    /// Each alternative has a field of its own.
    fn schema(&mut self, or: SchemaOr, bytes: &[u8]) -> Result<Value, Malformed> {
        let (mut schema, mut allows, mut list) = (None, false, Vec::new());
        let mut fields = Fields(bytes);
        while let Some((number, wire)) = fields.next()? {
            match (or, number) {
                (SchemaOr::Bool, 1) => allows = wire.varint()? != 0,
                (SchemaOr::Bool, 2) | (SchemaOr::List | SchemaOr::Strings, 1) => {
                    schema = Some(Value::Object(self.message(json_schema(), wire.bytes()?)?));
                }
                (SchemaOr::List, 2) => list.push(Value::Object(self.message(json_schema(), wire.bytes()?)?)),
                (SchemaOr::Strings, 2) => list.push(Value::String(text(wire.bytes()?))),
                (_, number) => {
                    let size = if let Wire::Bytes(bytes) = wire { bytes.len() } else { 0 };
                    self.unknown.push(UnknownField { within: self.path.join("."), number, size });
                }
            }
        }
        Ok(match or {
            SchemaOr::Bool => schema.unwrap_or(Value::Bool(allows)),
            SchemaOr::List | SchemaOr::Strings if !list.is_empty() => Value::Array(list),
            SchemaOr::List | SchemaOr::Strings => schema.unwrap_or(Value::Null),
        })
    }

    /// What Go prints for a field that the bytes do not have.
    fn absent(&mut self, field: &'static Field, object: &mut Map<String, Value>) -> Result<(), Malformed> {
        if field.inline {
            let message = field.message().ok_or_else(|| malformed("an inlined field that is no message"))?;
            return self.merge(message, &[], object);
        }
        zeros::absent(field, object);
        Ok(())
    }
}

/// Go prints a whole number without a point.
fn fraction(number: f64) -> Value {
    /// Up to here each whole number is a fraction's own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
    if number.fract() == 0.0 && number.abs() <= EXACT { Value::from(number as i64) } else { Value::from(number) }
}

fn within(field: &Field, error: Malformed) -> Malformed {
    let Malformed(text) = error;
    match text.strip_prefix("at ") {
        Some(rest) => malformed(format!("at {}.{rest}", field.name)),
        None => malformed(format!("at {}: {text}", field.name)),
    }
}

/// Go replaces what is not UTF-8 when it prints JSON.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn find(bytes: &[u8], wanted: u32) -> Result<Option<Wire<'_>>, Malformed> {
    let (mut fields, mut found) = (Fields(bytes), None);
    while let Some((number, wire)) = fields.next()? {
        if number == wanted {
            found = Some(wire);
        }
    }
    Ok(found)
}

pub(super) fn bytes_of(bytes: &[u8], wanted: u32) -> Result<Option<&[u8]>, Malformed> {
    find(bytes, wanted)?.map(Wire::bytes).transpose()
}

pub(super) fn number(bytes: &[u8], wanted: u32) -> Result<Option<u64>, Malformed> {
    find(bytes, wanted)?.map(Wire::varint).transpose()
}

pub(super) fn time(bytes: &[u8], micro: bool) -> Result<Value, Malformed> {
    /// The first second of the year 1: Go's zero time.
    const ZERO: i64 = -62_135_596_800;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let seconds = number(bytes, 1)?.unwrap_or(0).cast_signed();
    if seconds == ZERO {
        return Ok(Value::Null);
    }
    #[expect(clippy::cast_possible_truncation, reason = "protobuf widens a negative int32 to 64 bits")]
    let nanos = if micro { number(bytes, 2)?.unwrap_or(0) as i32 } else { 0 };
    let time = Timestamp::new(seconds, nanos).map_err(|_| malformed("a time outside of the calendar"))?;
    Ok(Value::String(if micro { format!("{time:.6}") } else { time.to_string() }))
}
