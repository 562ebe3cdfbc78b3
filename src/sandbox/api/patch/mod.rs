//! The four sorts of patch.

mod refused;
mod strategic;

use serde_json::Value;

use super::resource::Resource;
use super::status::ApiError;
pub use refused::refused;

#[derive(Debug, Clone)]
pub enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
    /// A configuration to apply on the server.
    Apply(Value),
}

impl Patch {
    pub fn parse(resource: &Resource, content: &str, body: &[u8]) -> Result<Self, ApiError> {
        let json = || {
            serde_json::from_slice::<Value>(body)
                .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))
        };
        match content {
            "application/json-patch+json" => serde_json::from_slice(body)
                .map(Self::Json)
                .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}"))),
            "application/merge-patch+json" => json().map(Self::Merge),
            "application/strategic-merge-patch+json" if resource.custom.is_none() => json().map(Self::Strategic),
            "application/apply-patch+yaml" => {
                let text = std::str::from_utf8(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
                serde_json::from_str(text)
                    .or_else(|_| serde_saphyr::from_str(text).map_err(|error| error.to_string()))
                    .map(Self::Apply)
                    .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))
            }
            _ => {
                let mut accepted = vec!["application/json-patch+json", "application/merge-patch+json"];
                accepted.push("application/apply-patch+yaml");
                if resource.custom.is_none() {
                    accepted.push("application/strategic-merge-patch+json");
                }
                Err(ApiError::unsupported_media_type(&accepted.join(", ")))
            }
        }
    }

    /// What the patch makes of `current`. Apply is `managed::apply`'s business.
    pub fn apply(&self, resource: &Resource, current: &Value) -> Result<Value, ApiError> {
        let mut object = current.clone();
        match self {
            Self::Json(patch) => json_patch::patch(&mut object, patch).map_err(|_| {
                ApiError::new(422, "Invalid", "the server rejected our request due to an error in our request")
                    .with_details(serde_json::json!({}))
            })?,
            Self::Merge(patch) => json_patch::merge(&mut object, patch),
            Self::Strategic(patch) => {
                strategic::merge(super::shape::Shape::of(resource), &mut object, patch)?;
            }
            Self::Apply(_) => {}
        }
        Ok(object)
    }
}
