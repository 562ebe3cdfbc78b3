//! Arithmetic on numbers and times; what does not fit is an error.

use super::{Given, mismatch, time};
use crate::budget::Budget;
use crate::error::Error;
use crate::value::Value;

pub(super) fn overflow(of: &str) -> Error {
    Error::other(format!("{of} overflow"))
}

fn int<'a>(value: Option<i64>) -> Given<'a> {
    value.map(Value::Int).ok_or_else(|| overflow("integer"))
}

fn uint<'a>(value: Option<u64>) -> Given<'a> {
    value.map(Value::UInt).ok_or_else(|| overflow("unsigned integer"))
}

fn duration<'a>(value: Option<i64>) -> Given<'a> {
    value.map(Value::Duration).ok_or_else(|| overflow("duration"))
}

pub(super) fn add<'a>(args: &[Value<'a>]) -> Given<'a> {
    match args {
        [Value::Int(one), Value::Int(other)] => int(one.checked_add(*other)),
        [Value::UInt(one), Value::UInt(other)] => uint(one.checked_add(*other)),
        [Value::Double(one), Value::Double(other)] => Ok(Value::Double(one + other)),
        [Value::Duration(one), Value::Duration(other)] => duration(one.checked_add(*other)),
        [Value::Timestamp(at), Value::Duration(by)] | [Value::Duration(by), Value::Timestamp(at)] => {
            time::shifted(*at, *by).map(Value::Timestamp).ok_or_else(|| overflow("timestamp"))
        }
        _ => Err(mismatch()),
    }
}

pub(super) fn subtract<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Int(one), Value::Int(other)] => int(one.checked_sub(*other)),
        [Value::UInt(one), Value::UInt(other)] => uint(one.checked_sub(*other)),
        [Value::Double(one), Value::Double(other)] => Ok(Value::Double(one - other)),
        [Value::Duration(one), Value::Duration(other)] => duration(one.checked_sub(*other)),
        [Value::Timestamp(one), Value::Timestamp(other)] => {
            let apart = one.as_nanosecond() - other.as_nanosecond();
            duration(i64::try_from(apart).ok())
        }
        [Value::Timestamp(at), Value::Duration(by)] => {
            let back = by.checked_neg().and_then(|by| time::shifted(*at, by));
            back.map(Value::Timestamp).ok_or_else(|| overflow("timestamp"))
        }
        _ => Err(mismatch()),
    }
}

pub(super) fn multiply<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Int(one), Value::Int(other)] => int(one.checked_mul(*other)),
        [Value::UInt(one), Value::UInt(other)] => uint(one.checked_mul(*other)),
        [Value::Double(one), Value::Double(other)] => Ok(Value::Double(one * other)),
        _ => Err(mismatch()),
    }
}

pub(super) fn divide<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Int(_), Value::Int(0)] | [Value::UInt(_), Value::UInt(0)] => Err(Error::other("division by zero")),
        [Value::Int(one), Value::Int(other)] => int(one.checked_div(*other)),
        [Value::UInt(one), Value::UInt(other)] => uint(one.checked_div(*other)),
        [Value::Double(one), Value::Double(other)] => Ok(Value::Double(one / other)),
        _ => Err(mismatch()),
    }
}

pub(super) fn modulo<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Int(_), Value::Int(0)] | [Value::UInt(_), Value::UInt(0)] => Err(Error::other("modulus by zero")),
        [Value::Int(one), Value::Int(other)] => int(one.checked_rem(*other)),
        [Value::UInt(one), Value::UInt(other)] => uint(one.checked_rem(*other)),
        _ => Err(mismatch()),
    }
}

pub(super) fn negate<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Int(value)] => int(value.checked_neg()),
        [Value::Double(value)] => Ok(Value::Double(-value)),
        [Value::Duration(value)] => duration(value.checked_neg()),
        _ => Err(mismatch()),
    }
}
