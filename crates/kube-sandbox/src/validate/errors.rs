//! A list of wrong fields that grows.

use serde_json::Value;

use crate::object::field_error::{FieldError, FieldErrorKind, MOST};

#[derive(Debug, Default)]
pub(super) struct Errors(Vec<FieldError>);

pub(super) const IMMUTABLE: &str = "field is immutable";

impl Errors {
    pub(super) fn into_result(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether more would not be told.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }

    /// By what they say, where the real server sorts them.
    pub(super) fn sort(&mut self) {
        self.0.sort_by_cached_key(ToString::to_string);
    }

    pub(super) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    pub(super) fn extend(&mut self, more: Vec<FieldError>) {
        self.0.extend(more);
    }

    fn push(&mut self, field: impl Into<String>, kind: FieldErrorKind, detail: String) {
        if !self.is_full() {
            self.0.push(FieldError::new(field, kind, detail));
        }
    }

    pub(super) fn required(&mut self, field: impl Into<String>, why: &str) {
        self.push(field, FieldErrorKind::Required, why.to_owned());
    }

    pub(super) fn invalid(&mut self, field: impl Into<String>, value: &Value, why: &str) {
        self.push(field, FieldErrorKind::Invalid, format!("{value}: {why}"));
    }

    pub(super) fn all_invalid(&mut self, field: &str, value: &str, whys: Vec<String>) {
        for why in whys {
            self.invalid(field, &Value::from(value), &why);
        }
    }

    pub(super) fn forbidden(&mut self, field: impl Into<String>, why: &str) {
        self.push(field, FieldErrorKind::Forbidden, why.to_owned());
    }

    pub(super) fn duplicate(&mut self, field: impl Into<String>, value: &Value) {
        self.push(field, FieldErrorKind::Duplicate, value.to_string());
    }

    /// What is there twice, as Kubernetes' own type shows it.
    pub(super) fn duplicate_text(&mut self, field: impl Into<String>, shown: String) {
        self.push(field, FieldErrorKind::Duplicate, shown);
    }

    /// Where no value is shown.
    pub(super) fn invalid_bare(&mut self, field: impl Into<String>, why: &str) {
        self.push(field, FieldErrorKind::Invalid, why.to_owned());
    }

    pub(super) fn invalid_text(&mut self, field: impl Into<String>, shown: &str, why: &str) {
        self.push(field, FieldErrorKind::Invalid, format!("{shown}: {why}"));
    }

    pub(super) fn unsupported_text(&mut self, field: impl Into<String>, shown: &str, known: &[&str]) {
        let known = known.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ");
        self.push(field, FieldErrorKind::NotSupported, format!("{shown}: supported values: {known}"));
    }

    pub(super) fn not_found(&mut self, field: impl Into<String>, value: &Value) {
        self.push(field, FieldErrorKind::NotFound, value.to_string());
    }

    pub(super) fn unsupported(&mut self, field: impl Into<String>, value: &Value, known: &[&str]) {
        if !self.is_full() {
            self.0.push(FieldError::unsupported(field, value, known));
        }
    }

    pub(super) fn too_long(&mut self, field: impl Into<String>, most: usize) {
        self.push(field, FieldErrorKind::TooLong, format!("may not be more than {most} bytes"));
    }

    /// A number that must not be below zero.
    pub(super) fn not_negative(&mut self, field: impl Into<String>, value: Option<&Value>) {
        if let Some(value) = value.filter(|value| value.as_i64().is_some_and(|number| number < 0)) {
            self.invalid(field, value, "must be greater than or equal to 0");
        }
    }

    /// One of these, or left out where that is allowed by the caller.
    pub(super) fn one_of(&mut self, field: impl Into<String>, value: &Value, known: &[&str]) {
        if let Some(text) = value.as_str()
            && !known.contains(&text)
        {
            self.unsupported(field, value, known);
        }
    }

    pub(super) fn unchanged(&mut self, field: &str, pointer: &str, old: &Value, new: &Value) {
        if old.pointer(pointer) != new.pointer(pointer) {
            self.invalid(field, new.pointer(pointer).unwrap_or(&Value::Null), IMMUTABLE);
        }
    }
}

pub(super) fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(_) => false,
    }
}
