//! The keys of maps.

use std::borrow::Borrow;
use std::cmp::Ordering;

use super::{Text, Value};

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
pub(super) trait Named {
    fn part(&self) -> Part<'_>;
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part<'k> {
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
