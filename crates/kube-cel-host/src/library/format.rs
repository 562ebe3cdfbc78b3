//! `'…%s…'.format([…])`, as the strings extension writes values.

use super::{Given, mismatch};
use crate::budget::Budget;
use crate::error::Error;
use crate::types::Type;
use crate::value::{List, Value};

/// Digits after the point where none are asked for.
const PRECISION: usize = 6;

/// Digits after the point that may be asked for.
const MOST_PRECISION: usize = 1000;

pub(super) fn format<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let [Value::String(pattern), Value::List(values)] = args else { return Err(mismatch()) };
    let mut out = String::new();
    let mut rest = pattern.as_str();
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (precision, clause, after) = clause(rest)?;
        let value = values.get(next).ok_or_else(|| Error::other(format!("index {next} out of range")))?;
        next += 1;
        let text = written(clause, precision, &value)?;
        budget.copy(text.len() / 16 + 1)?;
        out.push_str(&text);
        rest = after;
    }
    out.push_str(rest);
    Ok(Value::from(out))
}

/// The precision, the letter, and what follows.
fn clause(text: &str) -> Result<(Option<usize>, char, &str), Error> {
    let unexpected = || Error::other("unexpected end of string");
    let (precision, text) = match text.strip_prefix('.') {
        None => (None, text),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(unexpected)?;
            let digits: usize =
                rest[..end].parse().map_err(|_| Error::other("error while converting precision to integer"))?;
            if digits > MOST_PRECISION {
                return Err(Error::other(format!("precision of {digits} is greater than {MOST_PRECISION}")));
            }
            (Some(digits), &rest[end..])
        }
    };
    let letter = text.chars().next().ok_or_else(unexpected)?;
    Ok((precision, letter, &text[letter.len_utf8()..]))
}

fn written(clause: char, precision: Option<usize>, value: &Value<'_>) -> Result<String, Error> {
    let digits = precision.unwrap_or(PRECISION);
    let of = || value.type_of();
    match (clause, value) {
        ('s', _) => text(value),
        ('d', Value::Int(value)) => Ok(value.to_string()),
        ('d', Value::UInt(value)) => Ok(value.to_string()),
        ('d', _) => Err(only("decimal", "integers", &of())),
        ('f', _) => match double(value) {
            Some(value) => Ok(finite(value).unwrap_or_else(|| format!("{value:.digits$}"))),
            None => Err(only("fixed-point", "doubles", &of())),
        },
        ('e', _) => match double(value) {
            Some(value) => Ok(finite(value).unwrap_or_else(|| scientific(value, digits))),
            None => Err(only("scientific", "doubles", &of())),
        },
        ('b', Value::Bool(value)) => Ok(u8::from(*value).to_string()),
        ('b', Value::Int(value)) => Ok(signed(*value, |value| format!("{value:b}"))),
        ('b', Value::UInt(value)) => Ok(format!("{value:b}")),
        ('b', _) => Err(only("binary", "integers and bools", &of())),
        ('o', Value::Int(value)) => Ok(signed(*value, |value| format!("{value:o}"))),
        ('o', Value::UInt(value)) => Ok(format!("{value:o}")),
        ('o', _) => Err(only("octal", "integers", &of())),
        ('x' | 'X', _) => {
            let hex = match value {
                Value::Int(value) => signed(*value, |value| format!("{value:x}")),
                Value::UInt(value) => format!("{value:x}"),
                Value::String(text) => bytes(text.as_bytes()),
                Value::Bytes(all) => bytes(all),
                _ => return Err(only("hex", "integers, byte buffers, and strings", &of())),
            };
            Ok(if clause == 'X' { hex.to_ascii_uppercase() } else { hex })
        }
        _ => {
            Err(Error::other(format!("could not parse formatting clause: unrecognized formatting clause \"{clause}\"")))
        }
    }
}

fn only(clause: &str, on: &str, of: &Type) -> Error {
    let named = match of {
        Type::List(_) => "list".to_owned(),
        Type::Map(_) => "map".to_owned(),
        Type::Null => "null_type".to_owned(),
        Type::Timestamp => "google.protobuf.Timestamp".to_owned(),
        Type::Duration => "google.protobuf.Duration".to_owned(),
        other => other.to_string(),
    };
    Error::other(format!("error during formatting: {clause} clause can only be used on {on}, was given {named}"))
}

fn double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Double(value) => Some(*value),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn finite(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("NaN".to_owned())
    } else if value.is_infinite() {
        Some(if value > 0.0 { "∞" } else { "-∞" }.to_owned())
    } else {
        None
    }
}

fn scientific(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    // The server writes it for readers of English: with the sign of multiplication and raised digits.
    let raised = |c: char| match c {
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => c.to_digit(10).and_then(|digit| char::from_u32(0x2070 + digit)).unwrap_or(c),
    };
    let sign = if sign == '-' { "⁻" } else { "" };
    format!("{mantissa}×10{sign}{}", format!("{exponent:0>2}").chars().map(raised).collect::<String>())
}

fn signed(value: i64, write: impl Fn(u64) -> String) -> String {
    let text = write(value.unsigned_abs());
    if value < 0 { format!("-{text}") } else { text }
}

fn bytes(all: &[u8]) -> String {
    all.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn text(value: &Value<'_>) -> Result<String, Error> {
    match value {
        Value::List(list) => listed(list),
        Value::Map(map) => {
            let mut entries = Vec::new();
            for (key, value) in map.entries() {
                entries.push(format!("{}:{}", inside(&key.value())?, inside(&value)?));
            }
            entries.sort_unstable();
            Ok(format!("{{{}}}", entries.join(", ")))
        }
        Value::Null => Ok("null".to_owned()),
        Value::Optional(_) | Value::Opaque(_) => Err(only(
            "string",
            "strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
            &value.type_of(),
        )),
        _ => super::convert::to_text(value).ok_or_else(mismatch),
    }
}

fn listed(list: &List<'_>) -> Result<String, Error> {
    let items = list.iter().map(|item| inside(&item)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("[{}]", items.join(", ")))
}

/// As an element of a list or a map: a text is quoted, a time is written as a call.
fn inside(value: &Value<'_>) -> Result<String, Error> {
    let plain = text(value)?;
    Ok(match value {
        Value::String(_) => format!("{plain:?}"),
        Value::Bytes(_) => format!("b{plain:?}"),
        Value::Timestamp(_) => format!("timestamp({plain:?})"),
        Value::Duration(_) => format!("duration({plain:?})"),
        Value::Double(value) => match finite(*value) {
            Some(_) => format!("{plain:?}"),
            None => format!("{value:.PRECISION$}"),
        },
        _ => plain,
    })
}
