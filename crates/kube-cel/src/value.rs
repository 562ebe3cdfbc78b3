//! The values of expressions. JSON is borrowed as it stands: an object has hundreds of fields, and an expression
//! looks at two.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::library::Opaque;
use crate::types::{DYN, DYN_ITEMS, Items, ListKind, Type};

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

/// A key of a map. Whole numbers are one and the same, whatever their type.
#[derive(Debug, Clone)]
pub enum Key<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number without a sign.
    UInt(u64),
    /// A text.
    String(Text<'a>),
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

impl ListKind {
    /// What tells an item from the others of its list.
    fn identity(&self, item: &Value<'_>) -> String {
        match (self, item) {
            (ListKind::Keyed(keys), Value::Map(map)) => {
                let parts = keys.iter().map(|key| map.field(key).map_or(Json::Null, |value| value.json()));
                Json::Array(parts.collect()).to_string()
            }
            _ => item.json().to_string(),
        }
    }
}

fn same_list(one: &[Json], other: &[Json]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Value::of(one).equals(&Value::of(other)))
}

impl<'a> List<'a> {
    fn kind(&self) -> &'a ListKind {
        match self {
            List::Json(_, of) => &of.kind,
            List::Owned(_) => &DYN_ITEMS.kind,
        }
    }

    /// Whether both hold the same: in the same order, unless the items are told apart otherwise.
    fn equals(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        let kind = self.kind();
        if matches!(kind, ListKind::Plain) {
            return self.iter().zip(other.iter()).all(|(one, other)| one.equals(&other));
        }
        let mine: HashMap<String, Value<'a>> = self.iter().map(|item| (kind.identity(&item), item)).collect();
        other.iter().all(|item| mine.get(&kind.identity(&item)).is_some_and(|found| found.equals(&item)))
    }

    /// Both together. An item that the other list has under the same identity takes the place of this one's.
    pub(crate) fn plus(&self, other: &Self) -> Vec<Value<'a>> {
        let kind = self.kind();
        if matches!(kind, ListKind::Plain) {
            return self.iter().chain(other.iter()).collect();
        }
        let mut all: Vec<Value<'a>> = self.iter().collect();
        let mut places: HashMap<String, usize> =
            all.iter().enumerate().map(|(at, item)| (kind.identity(item), at)).collect();
        for item in other.iter() {
            match places.entry(kind.identity(&item)) {
                Entry::Occupied(known) => all[*known.get()] = item,
                Entry::Vacant(new) => {
                    new.insert(all.len());
                    all.push(item);
                }
            }
        }
        all
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        match self {
            List::Json(items, _) => items.len(),
            List::Owned(items) => items.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at this place.
    pub fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            List::Json(items, of) => items.get(index).map(|item| Value::typed(item, &of.of)),
            List::Owned(items) => items.get(index).cloned(),
        }
    }

    /// Its elements in order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'a> Map<'a> {
    /// How many entries it has.
    pub fn len(&self) -> usize {
        match self {
            // A typed object has its declared fields only.
            Map::Json(fields, Type::Object(_)) => self.fields(fields).count(),
            Map::Json(fields, _) => fields.len(),
            Map::Owned(entries) => entries.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn fields<'m>(
        &'m self,
        fields: &'a serde_json::Map<String, Json>,
    ) -> impl Iterator<Item = (&'a str, &'a Json, &'a Type)> + 'm {
        let declared = if let Map::Json(_, Type::Object(object)) = self { Some(object) } else { None };
        declared.into_iter().flat_map(move |object| {
            object
                .fields
                .iter()
                .filter_map(move |(name, field)| fields.get(&field.name).map(|json| (name.as_str(), json, &field.of)))
        })
    }

    /// The field or entry under a name.
    pub fn field(&self, name: &str) -> Option<Value<'a>> {
        match self {
            Map::Json(fields, of) => match of {
                Type::Object(object) => {
                    let field = object.fields.get(name)?;
                    fields.get(&field.name).map(|json| Value::typed(json, &field.of))
                }
                Type::Map(of) => fields.get(name).map(|json| Value::typed(json, &of.1)),
                _ => fields.get(name).map(Value::of),
            },
            Map::Owned(entries) => entries.get(&name as &dyn Named).cloned(),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &Key<'a>) -> Option<Value<'a>> {
        match (self, key) {
            (_, Key::String(name)) => self.field(name),
            (Map::Json(..), _) => None,
            (Map::Owned(entries), key) => entries.get(key as &dyn Named).cloned(),
        }
    }

    /// Its entries.
    pub fn entries(&self) -> Box<dyn Iterator<Item = (Key<'a>, Value<'a>)> + '_> {
        match self {
            Map::Json(fields, Type::Object(_)) => Box::new(
                self.fields(fields).map(|(name, json, of)| (Key::String(Text::Borrowed(name)), Value::typed(json, of))),
            ),
            Map::Json(fields, of) => {
                let of = if let Type::Map(of) = of { &of.1 } else { &DYN };
                Box::new(
                    fields.iter().map(move |(name, json)| (Key::String(Text::Borrowed(name)), Value::typed(json, of))),
                )
            }
            Map::Owned(entries) => Box::new(entries.iter().map(|(key, value)| (key.clone(), value.clone()))),
        }
    }
}

impl<'a> Key<'a> {
    pub(crate) fn value(&self) -> Value<'a> {
        match self {
            Key::Bool(value) => Value::Bool(*value),
            Key::Int(value) => Value::Int(*value),
            Key::UInt(value) => Value::UInt(*value),
            Key::String(text) => Value::String(text.clone()),
        }
    }
}

impl std::fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Bool(value) => write!(f, "{value}"),
            Key::Int(value) => write!(f, "{value}"),
            Key::UInt(value) => write!(f, "{value}"),
            Key::String(text) => f.write_str(text),
        }
    }
}

/// How keys are looked up by a borrowed name.
trait Named {
    fn part(&self) -> Part<'_>;
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'k> {
    Bool(bool),
    Int(i64),
    UInt(u64),
    String(&'k str),
}

impl Named for Key<'_> {
    fn part(&self) -> Part<'_> {
        match self {
            Key::Bool(value) => Part::Bool(*value),
            Key::Int(value) => Part::Int(*value),
            Key::UInt(value) => Part::UInt(*value),
            Key::String(text) => Part::String(text),
        }
    }
}

impl Named for str {
    fn part(&self) -> Part<'_> {
        Part::String(self)
    }
}

impl Named for &str {
    fn part(&self) -> Part<'_> {
        Part::String(self)
    }
}

impl<'n, 'k: 'n> Borrow<dyn Named + 'n> for Key<'k> {
    fn borrow(&self) -> &(dyn Named + 'n) {
        self
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.part() == other.part()
    }
}

impl Eq for dyn Named + '_ {}

impl PartialOrd for dyn Named + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Named + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.part().cmp(&other.part())
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.part() == other.part()
    }
}

impl Eq for Key<'_> {}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.part().cmp(&other.part())
    }
}
