//! A definition's structural schema: pruning, defaults, validation.

use serde_json::Value;

use crate::sandbox::api::resource::Resource;
use crate::sandbox::api::status::FieldError;

/// Drops what the schema does not know, and tells what that was.
pub fn prune(_schema: &Value, _object: &mut Value) -> Vec<String> {
    Vec::new()
}

pub fn default_fields(_schema: &Value, _object: &mut Value) {}

pub fn validate_object(_resource: &Resource, _schema: &Value, _object: &Value) -> Vec<FieldError> {
    Vec::new()
}
