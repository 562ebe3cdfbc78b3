//! What a call costs at run time, counted as Kubernetes counts it: cel-go's cost tracker and Kubernetes' own.

use crate::value::{List, Value};

pub(crate) const LIST: u64 = 10;
pub(crate) const MAP: u64 = 30;
pub(crate) const STRUCT: u64 = 40;

/// How a function's costs grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    Nothing,
    One,
    Fixed(u64),
    /// A part of the first value's size, in tenths.
    Tenths(u64),
    /// The same of what comes out.
    ResultTenths(u64),
    /// Each element once.
    Elements,
    /// Both texts' sizes, where it adds texts.
    Add,
    /// The smaller of two sizes.
    Equality,
    /// The same, for texts only.
    Order,
    /// The size of a list that is searched.
    In,
    /// The product of two texts.
    Contains,
    Regex,
    /// The first value is the format.
    Validate,
    Bytes,
    ContainsIp,
    ContainsCidr,
    /// The product of two lists' sizes, this many times.
    Sets(u64),
    Allocates,
    Flatten,
    /// Each element of the list at this place with each other.
    SelfCompare(usize),
}

pub(crate) fn tenths(size: u64, factor: u64) -> u64 {
    size.saturating_mul(factor).div_ceil(10)
}

pub(crate) fn regex(text: u64, pattern: u64) -> u64 {
    tenths(text.saturating_add(1), 1).saturating_mul(pattern.div_ceil(4))
}

impl Cost {
    /// Whether the cost is known before the call, so that what is too dear does not even begin.
    pub(crate) fn is_known_before(self) -> bool {
        !matches!(self, Cost::ResultTenths(_) | Cost::Allocates)
    }

    pub(crate) fn of(self, args: &[Value<'_>], result: Option<&Value<'_>>) -> u64 {
        let size = |at: usize| args.get(at).map_or(1, Value::size);
        match self {
            Cost::Nothing => 0,
            Cost::One => 1,
            Cost::Fixed(cost) => cost,
            Cost::Tenths(factor) => match args.first() {
                // What is not a text is a number or an address: one step.
                Some(Value::String(_) | Value::Bytes(_)) => tenths(size(0), factor),
                _ => 1,
            },
            Cost::ResultTenths(factor) => tenths(result.map_or(1, Value::size), factor),
            Cost::Elements => args.first().map_or(0, traversal),
            Cost::Add => match args {
                [Value::String(_) | Value::Bytes(_), _] => tenths(size(0) + size(1), 1),
                _ => 1,
            },
            Cost::Equality => match args.first() {
                Some(Value::Opaque(_)) => 1,
                _ => tenths(size(0).min(size(1)), 1),
            },
            Cost::Order => match args.first() {
                Some(Value::String(_) | Value::Bytes(_)) => tenths(size(0).min(size(1)), 1),
                _ => 1,
            },
            Cost::In => match args.get(1) {
                Some(Value::List(list)) => list.len() as u64,
                _ => 1,
            },
            Cost::Contains => tenths(size(0), 1).saturating_mul(tenths(size(1), 1)),
            Cost::Regex => regex(size(0), size(1)),
            Cost::Validate => match args.first() {
                Some(Value::Opaque(format)) => regex(size(1), crate::library::pattern_size(format)),
                _ => 1,
            },
            Cost::Bytes => match args.first() {
                Some(Value::String(_) | Value::Bytes(_)) => tenths(size(0), 1),
                _ => 1,
            },
            Cost::ContainsIp => tenths(size(0) * 2, 1) + text_tenths(args.get(1)),
            Cost::ContainsCidr => tenths(size(0) * 2, 1) + tenths(size(0), 1) + 1 + text_tenths(args.get(1)),
            Cost::Sets(factor) => 1 + size(0).saturating_mul(size(1)).saturating_mul(factor),
            Cost::Allocates => result.map_or(1, Value::size) + 1 + LIST,
            Cost::Flatten => {
                let depth = args.get(1).and_then(Value::as_int).unwrap_or(1);
                size(0).saturating_mul(u64::try_from(depth).unwrap_or(0)) + 1 + LIST
            }
            Cost::SelfCompare(at) => {
                let size = size(at);
                let square = size.saturating_mul(size);
                let texts = match args.get(at) {
                    Some(Value::List(list)) => matches!(list.get(0), Some(Value::String(_) | Value::Bytes(_))),
                    _ => false,
                };
                square.saturating_mul(2) + if texts { square / 10 } else { 0 } + 1 + LIST
            }
        }
    }
}

fn text_tenths(value: Option<&Value<'_>>) -> u64 {
    value.filter(|value| matches!(value, Value::String(_))).map_or(0, |text| tenths(text.size(), 1))
}

/// The cost of walking through a whole value.
fn traversal(value: &Value<'_>) -> u64 {
    match value {
        Value::String(text) => text.len() as u64 / 10,
        Value::Bytes(bytes) => bytes.len() as u64 / 10,
        Value::List(List::Json(items, _)) if items.iter().all(|item| item.is_number() || item.is_boolean()) => {
            items.len() as u64
        }
        Value::List(list) => list.iter().map(|item| traversal(&item)).sum(),
        Value::Map(map) => map.entries().map(|(key, value)| traversal(&key.value()) + traversal(&value)).sum(),
        _ => 1,
    }
}
