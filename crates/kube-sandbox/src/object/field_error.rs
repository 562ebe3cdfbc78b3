//! What is wrong with one field of an object, in Kubernetes' words.

use serde_json::Value;

/// One wrong field, as `Invalid` lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    pub field: String,
    pub kind: FieldErrorKind,
    /// All after the kind's own words: `"x": must be no more than 63 characters`.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldErrorKind {
    Required,
    Invalid,
    NotSupported,
    Forbidden,
    Duplicate,
    NotFound,
    TooLong,
    TooMany,
    Type,
}

impl FieldErrorKind {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::Duplicate => "FieldValueDuplicate",
            Self::NotFound => "FieldValueNotFound",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Type => "FieldValueTypeInvalid",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::Type => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::Duplicate => "Duplicate value",
            Self::NotFound => "Not found",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
        }
    }
}

/// As many as are reported of one object. A body of three megabytes can hold a million wrong items.
pub const MOST: usize = 10_000;

impl FieldError {
    pub fn new(field: impl Into<String>, kind: FieldErrorKind, detail: impl Into<String>) -> Self {
        Self { field: field.into(), kind, detail: detail.into() }
    }

    pub fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(field, FieldErrorKind::Required, detail)
    }

    /// `Invalid value: "x": why`.
    pub fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Self {
        Self::new(field, FieldErrorKind::Invalid, format!("{value}: {why}"))
    }

    pub fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self::new(field, FieldErrorKind::Forbidden, why)
    }

    /// `Unsupported value: "x": supported values: "a", "b"`.
    pub fn unsupported(field: impl Into<String>, value: &Value, known: &[&str]) -> Self {
        let known = known.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ");
        Self::new(field, FieldErrorKind::NotSupported, format!("{value}: supported values: {known}"))
    }

    pub(crate) fn message(&self) -> String {
        if self.detail.is_empty() {
            self.kind.words().to_owned()
        } else {
            format!("{}: {}", self.kind.words(), self.detail)
        }
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message())
    }
}
