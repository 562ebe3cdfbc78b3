//! Fields that a kind does not have or that are given twice, and values of the wrong type.

use serde_json::Value;

use super::body::{check_types, refused};
use crate::request::FieldValidation;
use crate::resource::Resource;
use crate::status::ApiError;
use crate::{crd, validate};

pub(super) fn check_unknown(
    resource: &Resource,
    object: &mut Value,
    validation: FieldValidation,
    duplicates: Vec<String>,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    check_known(resource, object, validation, duplicates, warnings)?;
    if let Some(custom) = &resource.custom {
        crd::schema::default_fields(&custom.schema, object);
    }
    Ok(())
}

/// The same, without filling in what the author left to the schema.
pub(super) fn check_known(
    resource: &Resource,
    object: &mut Value,
    validation: FieldValidation,
    duplicates: Vec<String>,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    check_types(resource, object)?;
    let unknown = match &resource.custom {
        Some(custom) => crd::schema::prune(&custom.schema, object),
        None => validate::unknown_fields(&resource.kind, object),
    };
    if (unknown.is_empty() && duplicates.is_empty()) || validation == FieldValidation::Ignore {
        return Ok(());
    }
    let unknown = unknown.iter().map(|field| format!("unknown field \"{field}\""));
    let said: Vec<String> = unknown.chain(duplicates).collect();
    if validation == FieldValidation::Warn {
        warnings.extend(said);
        return Ok(());
    }
    Err(refused(resource, &format!("strict decoding error: {}", said.join(", "))))
}
