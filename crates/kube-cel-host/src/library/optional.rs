//! Values that may not be there.

use std::sync::Arc;

use super::{Function, Given, mismatch};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::Error;
use crate::value::{Key, Value};

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("optional.of", of, Cost::One),
    ("optional.ofNonZeroValue", of_non_zero, Cost::One),
    ("optional.none", none, Cost::One),
    ("optional.unwrap", unwrap, Cost::One),
    ("unwrapOpt", unwrap, Cost::One),
    ("value", value, Cost::One),
    ("hasValue", has_value, Cost::One),
    ("or", or, Cost::One),
    ("orValue", or_value, Cost::One),
    ("first", first, Cost::One),
    ("last", last, Cost::One),
    (crate::PRESENT, present, Cost::One),
];

/// Whether a value has all of a path, the steps of which are a list: false as soon as a part is missing or null.
fn present<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [root, Value::List(steps)] = args else { return Err(mismatch()) };
    let mut at = root.clone();
    for step in steps.iter() {
        let next = match (&at, step.key()) {
            (Value::Map(map), Some(key)) => map.get(&key),
            (Value::List(list), Some(Key::Int(index))) => usize::try_from(index).ok().and_then(|index| list.get(index)),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return Ok(Value::Bool(false)),
        }
    }
    Ok(Value::Bool(!matches!(at, Value::Null)))
}

pub(crate) fn some(value: Value<'_>) -> Value<'_> {
    Value::Optional(Some(Arc::new(value)))
}

fn of<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    args.first().cloned().map(some).ok_or_else(mismatch)
}

fn of_non_zero<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [value] = args else { return Err(mismatch()) };
    let zero = match value {
        Value::Null
        | Value::Optional(None)
        | Value::Bool(false)
        | Value::Int(0)
        | Value::UInt(0)
        | Value::Duration(0) => true,
        Value::Double(value) => *value == 0.0,
        Value::String(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_) => value.size() == 0,
        _ => false,
    };
    Ok(if zero { Value::Optional(None) } else { some(value.clone()) })
}

#[expect(clippy::unnecessary_wraps, reason = "the signature is that of all functions")]
fn none<'a>(_: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Optional(None))
}

fn unwrap<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let [Value::List(list)] = args else { return Err(mismatch()) };
    budget.copy(list.len())?;
    let there = |item: Value<'a>| match item {
        Value::Optional(inner) => inner.map(|inner| (*inner).clone()),
        other => Some(other),
    };
    Ok(Value::from(list.iter().filter_map(there).collect::<Vec<_>>()))
}

fn value<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Optional(Some(value))] => Ok((**value).clone()),
        [Value::Optional(None)] => Err(Error::other("optional.none() dereference")),
        _ => Err(mismatch()),
    }
}

fn has_value<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Optional(value)] => Ok(Value::Bool(value.is_some())),
        _ => Err(mismatch()),
    }
}

fn or<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Optional(None), other @ Value::Optional(_)] => Ok(other.clone()),
        [one @ Value::Optional(Some(_)), Value::Optional(_)] => Ok(one.clone()),
        _ => Err(mismatch()),
    }
}

fn or_value<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Optional(None), other] => Ok(other.clone()),
        [Value::Optional(Some(one)), _] => Ok((**one).clone()),
        _ => Err(mismatch()),
    }
}

fn first<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [Value::List(list)] = args else { return Err(mismatch()) };
    Ok(list.get(0).map_or(Value::Optional(None), some))
}

fn last<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [Value::List(list)] = args else { return Err(mismatch()) };
    Ok(list.len().checked_sub(1).and_then(|at| list.get(at)).map_or(Value::Optional(None), some))
}
