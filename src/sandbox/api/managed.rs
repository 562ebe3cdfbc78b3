//! `metadata.managedFields`: who set which field, for apply and its conflicts.

use serde_json::Value;

use super::resource::Resource;
use super::status::ApiError;

/// The manager of writes that nobody is to own.
pub const NOBODY: &str = "";

pub fn on_update(_resource: &Resource, _old: Option<&Value>, _new: &mut Value, _manager: &str, _subresource: &str) {}

pub fn on_apply_create(_resource: &Resource, _object: &mut Value, _configuration: &Value, _manager: &str) {}

pub fn apply(
    _resource: &Resource,
    current: &Value,
    configuration: &Value,
    _manager: &str,
    _force: bool,
    _subresource: &str,
) -> Result<Value, ApiError> {
    let mut object = current.clone();
    json_patch::merge(&mut object, configuration);
    Ok(object)
}
