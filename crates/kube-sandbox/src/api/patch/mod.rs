//! The four sorts of patch.

mod operations;
mod refused;
mod strategic;

use serde_json::Value;

use super::strict;
use crate::object::json_kind;
use crate::resource::Resource;
use crate::status::ApiError;
pub use refused::refused;

const NOT_DECODED: &str = "error decoding patch: ";

#[derive(Debug, Clone)]
pub enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
    /// A configuration to apply on the server.
    Apply(Value),
}

/// A patch, and the fields that it holds twice.
pub struct Parsed {
    pub patch: Patch,
    pub duplicates: Vec<String>,
}

impl Patch {
    pub fn parse(resource: &Resource, content: &str, body: &[u8]) -> Result<Parsed, ApiError> {
        let mut duplicates = Vec::new();
        let mut json = || {
            let read = strict::json(body);
            let read = read.map_err(|error| ApiError::bad_request(format!("{NOT_DECODED}{error}")))?;
            duplicates = read.duplicates;
            Ok(read.value)
        };
        let patch = match content {
            "application/json-patch+json" => Self::Json(operations::parse(json()?)?),
            "application/merge-patch+json" => Self::Merge(json().and_then(object)?),
            "application/strategic-merge-patch+json" if resource.custom.is_none() => {
                let bare = |mut error: ApiError| {
                    error.message = error.message.trim_start_matches(NOT_DECODED).to_owned();
                    error
                };
                Self::Strategic(json().and_then(object).map_err(bare)?)
            }
            "application/apply-patch+yaml" => {
                let read = strict::json(body).or_else(|_| strict::yaml(body));
                let read = read.map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))?;
                duplicates = read.duplicates;
                Self::Apply(read.value)
            }
            _ => {
                let error = ApiError::new(415, "UnsupportedMediaType", "415: Unsupported Media Type");
                return Err(error.with_details(serde_json::json!({})));
            }
        };
        Ok(Parsed { patch, duplicates })
    }

    /// What the patch makes of `current`. Apply is `managed::apply`'s business.
    pub fn apply(&self, resource: &Resource, current: &Value) -> Result<Value, ApiError> {
        let mut object = current.clone();
        match self {
            Self::Json(patch) => operations::apply(&mut object, patch)?,
            Self::Merge(patch) => json_patch::merge(&mut object, patch),
            Self::Strategic(patch) => {
                strategic::merge(crate::resource::shape::Shape::of(resource), &mut object, patch)?;
            }
            Self::Apply(_) => {}
        }
        Ok(object)
    }
}

fn object(patch: Value) -> Result<Value, ApiError> {
    if patch.is_object() { Ok(patch) } else { Err(not_decoded(&patch, "Go value of type map[string]interface {}")) }
}

fn not_decoded(found: &Value, into: &str) -> ApiError {
    let found = json_kind(found);
    ApiError::bad_request(format!("{NOT_DECODED}json: cannot unmarshal {found} into {into}"))
}
