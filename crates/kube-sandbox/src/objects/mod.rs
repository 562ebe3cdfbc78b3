//! Objects as etcd holds them and as an endpoint serves them: read, listed, and turned into bytes again.

mod conversion;
pub mod convert;
pub mod hook;
mod place;
mod read;
pub mod selector;
mod trust;

use serde_json::{Value, json};

use crate::object::meta;
use crate::resource::Resource;
use crate::status::ApiError;
use crate::store::Stored;

pub use read::{Objects, Pages, Shown};

/// The object as etcd holds it, its revision in it.
fn decoded(stored: &Stored) -> Result<Value, ApiError> {
    let mut object = kube_etcd_codec::decode(&stored.value)
        .map_err(|error| ApiError::internal(format!("{} cannot be decoded: {error}", stored.key)))?
        .object;
    meta::set_resource_version(&mut object, stored.revision);
    Ok(object)
}

/// The object as this endpoint's version shows it, its revision in it; of a kind that no webhook converts, for which
/// there is `Objects::read`.
pub fn read(resource: &Resource, stored: &Stored) -> Result<Value, ApiError> {
    Ok(convert::from_stored(resource, decoded(stored)?))
}

/// The bytes that kube-apiserver would store; of a kind that no webhook converts, for which there is `Objects::bytes`.
pub fn stored_bytes(resource: &Resource, object: &Value) -> Result<Vec<u8>, ApiError> {
    encoded(resource, convert::to_stored(resource, object.clone()))
}

/// Whether what is stored may differ from what was written by more than a revision: it is of another version.
pub fn is_converted(resource: &Resource) -> bool {
    resource.custom.is_some() && resource.version != resource.stored
}

/// The bytes of an object that is in the stored version.
fn encoded(resource: &Resource, mut object: Value) -> Result<Vec<u8>, ApiError> {
    meta::remove(&mut object, "resourceVersion");
    meta::remove(&mut object, "selfLink");
    if resource.custom.is_some() {
        return serde_json::to_vec(&object)
            .map(|mut bytes| {
                bytes.push(b'\n');
                bytes
            })
            .map_err(ApiError::internal);
    }
    kube_etcd_codec::encode(&object).map_err(|error| {
        ApiError::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: {error}",
            resource.kind, resource.version, resource.kind
        ))
    })
}

/// The metadata alone, under its own kind.
pub fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({})),
    })
}
