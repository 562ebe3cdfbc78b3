//! The values of expressions. JSON is borrowed as it stands: an object has hundreds of fields, and an expression
//! looks at two.

mod containers;
mod key;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::library::Opaque;
use crate::types::{DYN, DYN_ITEMS, Items, ListKind, Type};
use containers::same_list;
pub use key::Key;

/// A value of an expression.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number without a sign.
    UInt(u64),
    /// A number with a fraction.
    Double(f64),
    /// A text.
    String(Text<'a>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A list.
    List(List<'a>),
    /// A map or an object.
    Map(Map<'a>),
    /// A point in time.
    Timestamp(Timestamp),
    /// In nanoseconds.
    Duration(i64),
    /// A type as a value: `type(x)`.
    Type(Type),
    /// An optional value, there or not.
    Optional(Option<Arc<Value<'a>>>),
    /// A value of a library: a quantity, a URL, an address.
    Opaque(Arc<Opaque>),
}

#[derive(Debug, Clone)]
/// A text, borrowed from the input or made by the expression.
pub enum Text<'a> {
    /// A part of the input.
    Borrowed(&'a str),
    /// Made while it was evaluated.
    Shared(Arc<str>),
}

#[derive(Debug, Clone)]
/// A list, borrowed from the input or made by the expression.
pub enum List<'a> {
    /// With what is declared of its elements.
    Json(&'a [Json], &'a Items),
    /// Made while it was evaluated.
    Owned(Arc<Vec<Value<'a>>>),
}

#[derive(Debug, Clone)]
/// A map, borrowed from the input or made by the expression.
pub enum Map<'a> {
    /// With the type of the whole.
    Json(&'a serde_json::Map<String, Json>, &'a Type),
    /// Made while it was evaluated.
    Owned(Arc<BTreeMap<Key<'a>, Value<'a>>>),
}

impl Text<'_> {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        match self {
            Text::Borrowed(text) => text,
            Text::Shared(text) => text,
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::String(Text::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::String(Text::Shared(text.into()))
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl<'a> From<Vec<Value<'a>>> for Value<'a> {
    fn from(items: Vec<Value<'a>>) -> Self {
        Value::List(List::Owned(Arc::new(items)))
    }
}

impl<'a> Value<'a> {
    /// JSON of which no type is known.
    pub fn of(json: &'a Json) -> Self {
        Self::typed(json, &DYN)
    }

    /// JSON of a declared type: a text is a time where that is what is declared, a whole number a double.
    pub fn typed(json: &'a Json, of: &'a Type) -> Self {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) if *of == Type::Double => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(int), _) => Value::Int(int),
                (None, Some(uint)) => Value::UInt(uint),
                (None, None) => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::text(text, of),
            Json::Array(items) => {
                let of = if let Type::List(of) = of { of.as_ref() } else { &DYN_ITEMS };
                Value::List(List::Json(items, of))
            }
            Json::Object(fields) => Value::Map(Map::Json(fields, of)),
        }
    }

    fn text(text: &'a str, of: &Type) -> Self {
        let read = match of {
            Type::Timestamp => crate::library::time::timestamp(text).or_else(|| crate::library::time::date(text)),
            Type::Duration => crate::library::time::duration(text).map(Value::Duration),
            Type::Bytes => crate::library::base64(text).map(|bytes| Value::Bytes(bytes.into())),
            _ => None,
        };
        read.unwrap_or(Value::String(Text::Borrowed(text)))
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text.as_str()) } else { None }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self { Some(*value) } else { None }
    }

    /// The whole number, if it is one with a sign.
    pub fn as_int(&self) -> Option<i64> {
        if let Value::Int(value) = self { Some(*value) } else { None }
    }

    /// The type that `type(x)` gives.
    pub fn type_of(&self) -> Type {
        match self {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::UInt(_) => Type::UInt,
            Value::Double(_) => Type::Double,
            Value::String(_) => Type::String,
            Value::Bytes(_) => Type::Bytes,
            Value::List(_) => Type::list(Type::Dyn),
            Value::Map(Map::Json(_, Type::Object(object))) => Type::Object(Arc::clone(object)),
            Value::Map(_) => Type::map(Type::Dyn, Type::Dyn),
            Value::Timestamp(_) => Type::Timestamp,
            Value::Duration(_) => Type::Duration,
            Value::Type(_) => Type::Type(Arc::new(Type::Dyn)),
            Value::Optional(_) => Type::optional(Type::Dyn),
            Value::Opaque(opaque) => Type::named(opaque.type_name()),
        }
    }

    /// What `size()` says, and one for what has no size: the measure of costs.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Value::String(text) => text.chars().count() as u64,
            Value::Bytes(bytes) => bytes.len() as u64,
            Value::List(list) => list.len() as u64,
            Value::Map(map) => map.len() as u64,
            Value::Optional(Some(value)) => value.size(),
            Value::Opaque(opaque) => opaque.size(),
            _ => 1,
        }
    }

    /// As a key of a map; `None` for what cannot be one.
    pub(crate) fn key(&self) -> Option<Key<'a>> {
        Some(match self {
            Value::Bool(value) => Key::Bool(*value),
            Value::Int(value) => Key::Int(*value),
            Value::UInt(value) => i64::try_from(*value).map_or(Key::UInt(*value), Key::Int),
            #[expect(clippy::cast_possible_truncation, reason = "a whole number in range")]
            Value::Double(value) if value.fract() == 0.0 && value.abs() < 9e15 => Key::Int(*value as i64),
            Value::String(text) => Key::String(text.clone()),
            _ => return None,
        })
    }

    /// The value as JSON; what JSON does not have is written as Kubernetes writes it.
    pub fn json(&self) -> Json {
        match self {
            Value::Null | Value::Optional(None) => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            Value::UInt(value) => Json::from(*value),
            Value::Double(value) => Json::from(*value),
            Value::String(text) => Json::from(text.as_str()),
            Value::Bytes(bytes) => Json::from(crate::library::encode(bytes)),
            Value::List(List::Json(items, _)) => Json::Array(items.to_vec()),
            Value::List(list) => list.iter().map(|item| item.json()).collect(),
            Value::Map(Map::Json(fields, _)) => Json::Object((*fields).clone()),
            Value::Map(map) => map.entries().map(|(key, value)| (key.to_string(), value.json())).collect(),
            Value::Timestamp(_) | Value::Duration(_) => {
                crate::library::convert::to_text(self).map_or(Json::Null, Json::from)
            }
            Value::Type(of) => Json::from(of.to_string()),
            Value::Optional(Some(value)) => value.json(),
            Value::Opaque(opaque) => Json::from(opaque.to_string()),
        }
    }

    /// Whether two values are the same: numbers by what they count, whatever their type.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::String(one), Value::String(other)) => one.as_str() == other.as_str(),
            (Value::Bytes(one), Value::Bytes(other)) => one == other,
            (Value::Timestamp(one), Value::Timestamp(other)) => one == other,
            (Value::Duration(one), Value::Duration(other)) => one == other,
            (Value::Type(one), Value::Type(other)) => same_type(one, other),
            (
                Value::List(List::Json(one, Items { of: Type::Dyn, kind: ListKind::Plain })),
                Value::List(List::Json(other, Items { of: Type::Dyn, .. })),
            ) => same_list(one, other),
            (Value::List(one), Value::List(other)) => one.equals(other),
            (Value::Map(one), Value::Map(other)) => {
                one.len() == other.len()
                    && one.entries().all(|(key, value)| other.get(&key).is_some_and(|found| found.equals(&value)))
            }
            (Value::Optional(one), Value::Optional(other)) => match (one, other) {
                (None, None) => true,
                (Some(one), Some(other)) => one.equals(other),
                _ => false,
            },
            (Value::Opaque(one), Value::Opaque(other)) => one == other,
            _ => self.numeric(other) == Ok(Ordering::Equal),
        }
    }

    /// The order of two numbers.
    fn numeric(&self, other: &Self) -> Result<Ordering, Unordered> {
        let order = match (self, other) {
            (Value::Int(one), Value::Int(other)) => Some(one.cmp(other)),
            (Value::UInt(one), Value::UInt(other)) => Some(one.cmp(other)),
            (Value::Int(one), Value::UInt(other)) => Some(i128::from(*one).cmp(&i128::from(*other))),
            (Value::UInt(one), Value::Int(other)) => Some(i128::from(*one).cmp(&i128::from(*other))),
            (Value::Double(one), Value::Double(other)) => one.partial_cmp(other),
            (Value::Double(one), Value::Int(other)) => one.partial_cmp(&(*other as f64)),
            (Value::Double(one), Value::UInt(other)) => one.partial_cmp(&(*other as f64)),
            (Value::Int(one), Value::Double(other)) => (*one as f64).partial_cmp(other),
            (Value::UInt(one), Value::Double(other)) => (*one as f64).partial_cmp(other),
            _ => return Err(Unordered::Types),
        };
        order.ok_or(Unordered::NaN)
    }

    /// The order of two values.
    pub(crate) fn compare(&self, other: &Self) -> Result<Ordering, Unordered> {
        Ok(match (self, other) {
            (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
            (Value::String(one), Value::String(other)) => one.as_str().cmp(other.as_str()),
            (Value::Bytes(one), Value::Bytes(other)) => one.cmp(other),
            (Value::Timestamp(one), Value::Timestamp(other)) => one.cmp(other),
            (Value::Duration(one), Value::Duration(other)) => one.cmp(other),
            _ => return self.numeric(other),
        })
    }
}

/// Why two values have no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unordered {
    Types,
    NaN,
}

/// Names of types with parameters are the same type whatever their parameters are.
fn same_type(one: &Type, other: &Type) -> bool {
    match (one, other) {
        (Type::List(_), Type::List(_))
        | (Type::Map(_), Type::Map(_) | Type::Object(_))
        | (Type::Object(_), Type::Map(_))
        | (Type::Type(_), Type::Type(_))
        | (Type::Optional(_), Type::Optional(_)) => true,
        _ => one == other,
    }
}
