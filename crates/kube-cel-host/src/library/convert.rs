//! Conversions between types.

use super::numbers::overflow;
use super::{Function, Given, Opaque, encode, mismatch, time};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::Error;
use crate::value::Value;

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("bool", to_bool, Cost::One),
    ("bytes", to_bytes, Cost::Bytes),
    ("double", to_double, Cost::One),
    ("int", to_int, Cost::One),
    ("uint", to_uint, Cost::One),
    ("string", to_string, Cost::One),
    ("duration", to_duration, Cost::One),
    ("timestamp", to_timestamp, Cost::One),
    ("base64.encode", base64_encode, Cost::Bytes),
    ("base64.decode", base64_decode, Cost::Bytes),
];

fn wrong(from: &str, to: &str) -> Error {
    Error::other(format!("type conversion error from '{from}' to '{to}'"))
}

fn to_bool<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Bool(value)] => Ok(Value::Bool(*value)),
        [Value::String(text)] => match text.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(Value::Bool(false)),
            _ => Err(wrong("string", "bool")),
        },
        _ => Err(mismatch()),
    }
}

fn to_bytes<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Bytes(bytes)] => Ok(Value::Bytes(bytes.clone())),
        [Value::String(text)] => Ok(Value::Bytes(text.as_bytes().into())),
        _ => Err(mismatch()),
    }
}

fn to_double<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    #[expect(clippy::cast_precision_loss, reason = "what a double is")]
    match args {
        [Value::Double(value)] => Ok(Value::Double(*value)),
        [Value::Int(value)] => Ok(Value::Double(*value as f64)),
        [Value::UInt(value)] => Ok(Value::Double(*value as f64)),
        [Value::String(text)] => text.parse().map(Value::Double).map_err(|_| wrong("string", "double")),
        _ => Err(mismatch()),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range is looked at")]
fn to_int<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Int(value) | Value::Duration(value)] => Ok(Value::Int(*value)),
        [Value::UInt(value)] => i64::try_from(*value).map(Value::Int).map_err(|_| overflow("integer")),
        [Value::Double(value)] if *value > i64::MIN as f64 && *value < i64::MAX as f64 => Ok(Value::Int(*value as i64)),
        [Value::Double(_)] => Err(overflow("integer")),
        [Value::String(text)] => text.parse().map(Value::Int).map_err(|_| wrong("string", "int")),
        [Value::Timestamp(at)] => Ok(Value::Int(at.as_nanosecond().div_euclid(1_000_000_000) as i64)),
        _ => Err(mismatch()),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the range is looked at"
)]
fn to_uint<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::UInt(value)] => Ok(Value::UInt(*value)),
        [Value::Int(value)] => u64::try_from(*value).map(Value::UInt).map_err(|_| overflow("unsigned integer")),
        [Value::Double(value)] if *value >= 0.0 && *value < u64::MAX as f64 => Ok(Value::UInt(*value as u64)),
        [Value::Double(_)] => Err(overflow("unsigned integer")),
        [Value::String(text)] => text.parse().map(Value::UInt).map_err(|_| wrong("string", "uint")),
        _ => Err(mismatch()),
    }
}

fn to_string<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(text)] => Ok(Value::String(text.clone())),
        [Value::Bytes(bytes)] => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::from(text.to_owned())),
            Err(_) => Err(Error::other("invalid UTF-8 in bytes, cannot convert to string")),
        },
        [value] => to_text(value).map(Value::from).ok_or_else(mismatch),
        _ => Err(mismatch()),
    }
}

/// What `string(x)` says; `None` for what has no such form.
pub(crate) fn to_text(value: &Value<'_>) -> Option<String> {
    Some(match value {
        Value::String(text) => text.as_str().to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Double(value) => double(*value),
        Value::Timestamp(at) => time::written(*at),
        Value::Duration(value) => time::seconds(*value),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Opaque(opaque) if matches!(**opaque, Opaque::Ip(_) | Opaque::Cidr(_)) => opaque.to_string(),
        Value::Type(of) => of.to_string(),
        _ => return None,
    })
}

/// As Go's `%g` writes a number.
fn double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..21).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    format!("{value}")
}

fn to_duration<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Duration(value)] => Ok(Value::Duration(*value)),
        [Value::String(text)] => {
            time::duration(text).map(Value::Duration).ok_or_else(|| wrong("string", "google.protobuf.Duration"))
        }
        [Value::Int(_)] => Err(wrong("int", "google.protobuf.Duration")),
        _ => Err(mismatch()),
    }
}

fn to_timestamp<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Timestamp(at)] => Ok(Value::Timestamp(*at)),
        [Value::String(text)] => time::timestamp(text).ok_or_else(|| wrong("string", "google.protobuf.Timestamp")),
        [Value::Int(seconds)] => {
            let at = jiff::Timestamp::from_second(*seconds).ok().filter(|at| time::in_range(*at));
            at.map(Value::Timestamp).ok_or_else(|| overflow("timestamp"))
        }
        _ => Err(mismatch()),
    }
}

fn base64_encode<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Bytes(bytes)] => Ok(Value::from(encode(bytes))),
        _ => Err(mismatch()),
    }
}

fn base64_decode<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(text)] => {
            let bytes = super::base64(text).ok_or_else(|| Error::other("illegal base64 data"))?;
            Ok(Value::Bytes(bytes.into()))
        }
        _ => Err(mismatch()),
    }
}
