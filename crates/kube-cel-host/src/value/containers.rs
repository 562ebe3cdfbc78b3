//! Lists and maps: how long they are, what they hold, when two are the same.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::Value as Json;

use super::key::Named;
use super::{Key, List, Map, Text, Value};
use crate::types::{DYN, DYN_ITEMS, ListKind, Type};

impl ListKind {
    /// What tells an item from the others of its list.
    pub(super) fn identity(&self, item: &Value<'_>) -> String {
        match (self, item) {
            (ListKind::Keyed(keys), Value::Map(map)) => {
                let parts = keys.iter().map(|key| map.field(key).map_or(Json::Null, |value| value.json()));
                Json::Array(parts.collect()).to_string()
            }
            _ => item.json().to_string(),
        }
    }
}

pub(super) fn same_list(one: &[Json], other: &[Json]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Value::of(one).equals(&Value::of(other)))
}

impl<'a> List<'a> {
    pub(super) fn kind(&self) -> &'a ListKind {
        match self {
            List::Json(_, of) => &of.kind,
            List::Owned(_) => &DYN_ITEMS.kind,
        }
    }

    /// Whether both hold the same: in the same order, unless the items are told apart otherwise.
    pub(super) fn equals(&self, other: &Self) -> bool {
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

    pub(super) fn fields<'m>(
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
