//! From JSON to the bytes that Kubernetes' own Go code would store: every number and text that is no
//! pointer is written, empty or not, in the order of field numbers; maps by key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::EncodeError;
use super::schema::{Field, Message, SchemaOr, Shape, Type, json_schema, message_at};
use super::wire::{put_bytes, put_message, put_varint};

type Encoded = Result<(), EncodeError>;

pub(super) fn message(message: &Message, object: &Map<String, Value>, out: &mut Vec<u8>) -> Encoded {
    for field in &message.fields {
        if field.inline {
            inlined(field, object, out)?;
            continue;
        }
        let value = object.get(field.name).filter(|value| !value.is_null());
        write_field(field, value, out).map_err(|error| error.within(field.name))?;
    }
    Ok(())
}

fn inlined(field: &Field, object: &Map<String, Value>, out: &mut Vec<u8>) -> Encoded {
    let inner = field.message().expect("what is inlined is a message");
    if field.pointer && !inner.fields.iter().any(|field| object.contains_key(field.name)) {
        return Ok(());
    }
    put_message(out, field.number, |out| message(inner, object, out))
}

fn write_field(field: &Field, value: Option<&Value>, out: &mut Vec<u8>) -> Encoded {
    match (field.shape, value) {
        (Shape::One, Some(value)) => write_value(field.number, field.kind, value, out),
        (Shape::One, None) => {
            if !field.pointer {
                write_zero(field.number, field.kind, out);
            }
            Ok(())
        }
        (_, None) => Ok(()),
        (Shape::List, Some(Value::Array(items))) => {
            for (at, item) in items.iter().enumerate() {
                let index = |error: EncodeError| error.at(at);
                if item.is_null() {
                    write_zero(field.number, field.kind, out);
                } else {
                    write_value(field.number, field.kind, item, out).map_err(index)?;
                }
            }
            Ok(())
        }
        (Shape::Map, Some(Value::Object(map))) => {
            for (key, value) in map {
                put_message(out, field.number, |out| {
                    put_bytes(out, 1, key.as_bytes());
                    if value.is_null() {
                        write_zero(2, field.kind, out);
                        Ok(())
                    } else {
                        write_value(2, field.kind, value, out).map_err(|error| error.within(key))
                    }
                })?;
            }
            Ok(())
        }
        (Shape::List, Some(value)) => Err(EncodeError::wrong("a list", value)),
        (Shape::Map, Some(value)) => Err(EncodeError::wrong("a map", value)),
    }
}

fn write_value(number: u32, kind: Type, value: &Value, out: &mut Vec<u8>) -> Encoded {
    let text = |what: &str| value.as_str().ok_or_else(|| EncodeError::wrong(what, value));
    match kind {
        Type::String => put_bytes(out, number, text("a string")?.as_bytes()),
        Type::Bool => {
            let yes = value.as_bool().ok_or_else(|| EncodeError::wrong("a boolean", value))?;
            put_varint(out, number, u64::from(yes));
        }
        Type::Int32 => {
            let whole = whole_number(value)?;
            let small = i32::try_from(whole).map_err(|_| EncodeError::wrong("a 32-bit number", value))?;
            put_varint(out, number, i64::from(small).cast_unsigned());
        }
        Type::Int64 => put_varint(out, number, whole_number(value)?.cast_unsigned()),
        Type::Double => {
            let bits = value.as_f64().ok_or_else(|| EncodeError::wrong("a number", value))?.to_bits();
            prost::encoding::encode_varint(u64::from(number) << 3 | 1, out);
            out.extend_from_slice(&bits.to_le_bytes());
        }
        Type::Bytes => {
            let bytes = STANDARD.decode(text("base64 text")?).map_err(|_| EncodeError::wrong("base64 text", value))?;
            put_bytes(out, number, &bytes);
        }
        Type::Strings => {
            let items = value.as_array().ok_or_else(|| EncodeError::wrong("a list", value))?;
            put_message(out, number, |out| {
                for item in items {
                    put_bytes(out, 1, item.as_str().ok_or_else(|| EncodeError::wrong("a string", item))?.as_bytes());
                }
                Ok(())
            })?;
        }
        Type::Time | Type::MicroTime => {
            let time: Timestamp = text("a time")?.parse().map_err(|_| EncodeError::wrong("an RFC 3339 time", value))?;
            let nanos = if kind == Type::Time { 0 } else { time.subsec_nanosecond() / 1000 * 1000 };
            put_message(out, number, |out| {
                // A time before 1970 counts its nanoseconds forward from the second before.
                let seconds = if nanos < 0 { time.as_second() - 1 } else { time.as_second() };
                let nanos = if nanos < 0 { nanos + 1_000_000_000 } else { nanos };
                put_varint(out, 1, seconds.cast_unsigned());
                put_varint(out, 2, i64::from(nanos).cast_unsigned());
                Ok::<(), EncodeError>(())
            })?;
        }
        Type::Duration => {
            let nanos =
                super::duration::parse(text("a duration")?).ok_or_else(|| EncodeError::wrong("a duration", value))?;
            put_message(out, number, |out| {
                put_varint(out, 1, nanos.cast_unsigned());
                Ok::<(), EncodeError>(())
            })?;
        }
        Type::Quantity => {
            let number_text;
            let text = match value {
                Value::Number(number) => {
                    number_text = number.to_string();
                    &number_text
                }
                _ => text("a quantity")?,
            };
            let written = super::quantity::canonical(text).ok_or_else(|| EncodeError::wrong("a quantity", value))?;
            put_message(out, number, |out| {
                put_bytes(out, 1, written.as_bytes());
                Ok::<(), EncodeError>(())
            })?;
        }
        Type::IntOrString => {
            let (is_text, whole, text) = match value {
                Value::String(text) => (1, 0, text.as_str()),
                Value::Number(_) => (0, whole_number(value)?, ""),
                _ => return Err(EncodeError::wrong("a number or a string", value)),
            };
            put_message(out, number, |out| {
                put_varint(out, 1, is_text);
                put_varint(out, 2, whole.cast_unsigned());
                put_bytes(out, 3, text.as_bytes());
                Ok::<(), EncodeError>(())
            })?;
        }
        Type::Raw | Type::Fields => put_message(out, number, |out| {
            put_bytes(out, 1, value.to_string().as_bytes());
            Ok::<(), EncodeError>(())
        })?,
        Type::Schema(or) => put_message(out, number, |out| schema(or, value, out))?,
        Type::Message(at) => write_message(number, message_at(at), value, out)?,
    }
    Ok(())
}

/// Each alternative has a field of its own.
fn schema(or: SchemaOr, value: &Value, out: &mut Vec<u8>) -> Encoded {
    match (or, value) {
        (SchemaOr::Bool, Value::Bool(yes)) => put_varint(out, 1, u64::from(*yes)),
        (SchemaOr::Bool, Value::Object(_)) => {
            put_varint(out, 1, 1);
            return write_message(2, json_schema(), value, out);
        }
        (SchemaOr::List | SchemaOr::Strings, Value::Object(_)) => return write_message(1, json_schema(), value, out),
        (SchemaOr::List, Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                write_message(2, json_schema(), item, out).map_err(|error| error.at(at))?;
            }
        }
        (SchemaOr::Strings, Value::Array(items)) => {
            for item in items {
                put_bytes(out, 2, item.as_str().ok_or_else(|| EncodeError::wrong("a string", item))?.as_bytes());
            }
        }
        (SchemaOr::Bool, other) => return Err(EncodeError::wrong("a boolean or an object", other)),
        (_, other) => return Err(EncodeError::wrong("an object or a list", other)),
    }
    Ok(())
}

fn write_message(number: u32, of: &Message, value: &Value, out: &mut Vec<u8>) -> Encoded {
    let object = value.as_object().ok_or_else(|| EncodeError::wrong("an object", value))?;
    put_message(out, number, |out| message(of, object, out))
}

/// What Go writes for a field that is no pointer and was not given.
fn write_zero(number: u32, kind: Type, out: &mut Vec<u8>) {
    match kind {
        Type::Bool | Type::Int32 | Type::Int64 => put_varint(out, number, 0),
        Type::Double => {
            prost::encoding::encode_varint(u64::from(number) << 3 | 1, out);
            out.extend_from_slice(&[0; 8]);
        }
        Type::Bytes => {}
        Type::String | Type::Strings | Type::Time | Type::MicroTime | Type::Raw | Type::Fields | Type::Schema(_) => {
            put_bytes(out, number, b"");
        }
        Type::Duration => put_bytes(out, number, &[0x08, 0]),
        Type::Quantity => put_bytes(out, number, b"\x0a\x010"),
        Type::IntOrString => put_bytes(out, number, &[0x08, 0, 0x10, 0, 0x1a, 0]),
        Type::Message(at) => {
            let empty = Map::new();
            let written: Encoded = put_message(out, number, |out| message(message_at(at), &empty, out));
            written.expect("nothing is wrong with an object that is empty");
        }
    }
}

fn whole_number(value: &Value) -> Result<i64, EncodeError> {
    #[expect(clippy::cast_possible_truncation, reason = "only a fraction of zero passes")]
    let whole = value.as_i64().or_else(|| value.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64));
    whole.ok_or_else(|| EncodeError::wrong("a whole number", value))
}
