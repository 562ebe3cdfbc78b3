//! The operators of the language, but for those that do not look at all of their values.

use std::cmp::Ordering;

use super::numbers;
use super::{Function, Given, mismatch};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::Error;
use crate::value::{List, Map, Text, Unordered, Value};

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("!_", not, Cost::One),
    ("_==_", equal, Cost::Equality),
    ("_!=_", differs, Cost::Equality),
    ("_+_", add, Cost::Add),
    ("_-_", numbers::subtract, Cost::One),
    ("_*_", numbers::multiply, Cost::One),
    ("_/_", numbers::divide, Cost::One),
    ("_%_", numbers::modulo, Cost::One),
    ("-_", numbers::negate, Cost::One),
    ("_<_", less, Cost::Order),
    ("_<=_", less_or_equal, Cost::Order),
    ("_>_", greater, Cost::Order),
    ("_>=_", greater_or_equal, Cost::Order),
    ("@in", is_in, Cost::In),
    ("size", size, Cost::One),
    ("type", type_of, Cost::One),
    ("dyn", same, Cost::One),
    ("cel.@mapInsert", insert, Cost::One),
];

fn not<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::Bool(value)] => Ok(Value::Bool(!value)),
        _ => Err(mismatch()),
    }
}

fn equal<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let [one, other] = args else { return Err(mismatch()) };
    budget.copy(one.weight().min(other.weight()))?;
    Ok(Value::Bool(one.equals(other)))
}

fn differs<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let [one, other] = args else { return Err(mismatch()) };
    budget.copy(one.weight().min(other.weight()))?;
    Ok(Value::Bool(!one.equals(other)))
}

fn add<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(one), Value::String(other)] => {
            budget.copy((one.len() + other.len()) / 16)?;
            let mut sum = String::with_capacity(one.len() + other.len());
            sum.push_str(one);
            sum.push_str(other);
            Ok(Value::String(Text::Shared(sum.into())))
        }
        [Value::Bytes(one), Value::Bytes(other)] => {
            budget.copy((one.len() + other.len()) / 16)?;
            Ok(Value::Bytes([one.as_ref(), other.as_ref()].concat().into()))
        }
        [Value::List(one), Value::List(other)] => {
            budget.copy(one.len() + other.len())?;
            Ok(Value::from(one.plus(other)))
        }
        _ => numbers::add(args),
    }
}

fn ordered(args: &[Value<'_>]) -> Result<Ordering, Error> {
    let [one, other] = args else { return Err(mismatch()) };
    one.compare(other).map_err(|why| match why {
        Unordered::Types => mismatch(),
        Unordered::NaN => Error::other("NaN values cannot be ordered"),
    })
}

fn less<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(ordered(args)?.is_lt()))
}

fn less_or_equal<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(ordered(args)?.is_le()))
}

fn greater<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(ordered(args)?.is_gt()))
}

fn greater_or_equal<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(ordered(args)?.is_ge()))
}

fn is_in<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    match args {
        [wanted, Value::List(list)] => {
            for item in list.iter() {
                budget.copy(item.weight().min(wanted.weight()))?;
                if item.equals(wanted) {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        [wanted, Value::Map(map)] => Ok(Value::Bool(wanted.key().is_some_and(|key| map.get(&key).is_some()))),
        _ => Err(mismatch()),
    }
}

fn size<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [value @ (Value::String(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_))] => {
            Ok(Value::Int(i64::try_from(value.size()).unwrap_or(i64::MAX)))
        }
        _ => Err(mismatch()),
    }
}

fn type_of<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    args.first().map(|value| Value::Type(value.type_of())).ok_or_else(mismatch)
}

fn same<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    args.first().cloned().ok_or_else(mismatch)
}

/// What a macro that builds a map does with each entry.
fn insert<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let (map, entries): (&Map<'a>, Vec<_>) = match args {
        [Value::Map(map), Value::Map(more)] => (map, more.entries().collect()),
        [Value::Map(map), key, value] => {
            let key = key.key().ok_or_else(|| Error::other(format!("unsupported key type: {}", key.type_of())))?;
            (map, vec![(key, value.clone())])
        }
        _ => return Err(mismatch()),
    };
    budget.copy(map.len() + entries.len())?;
    let mut all = match map {
        Map::Owned(all) => (**all).clone(),
        Map::Json(..) => map.entries().collect(),
    };
    for (key, value) in entries {
        if all.contains_key(&key) {
            return Err(Error::other(format!("insert failed: key {key} already exists")));
        }
        all.insert(key, value);
    }
    Ok(Value::Map(Map::Owned(all.into())))
}

impl Value<'_> {
    /// How much there is to look at in it, about: what a comparison does that its cost in Kubernetes may not show.
    fn weight(&self) -> usize {
        match self {
            Value::String(text) => text.len() / 16 + 1,
            Value::List(List::Json(items, _)) => items.iter().map(json_weight).sum::<usize>() + 1,
            Value::List(List::Owned(items)) => items.iter().map(Value::weight).sum::<usize>() + 1,
            Value::Map(Map::Json(fields, _)) => fields.values().map(json_weight).sum::<usize>() + 1,
            Value::Map(Map::Owned(entries)) => entries.values().map(Value::weight).sum::<usize>() + 1,
            _ => 1,
        }
    }
}

fn json_weight(json: &serde_json::Value) -> usize {
    match json {
        serde_json::Value::String(text) => text.len() / 16 + 1,
        serde_json::Value::Array(items) => items.iter().map(json_weight).sum::<usize>() + 1,
        serde_json::Value::Object(fields) => fields.values().map(json_weight).sum::<usize>() + 1,
        _ => 1,
    }
}
