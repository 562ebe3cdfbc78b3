//! Objects as etcd holds them and as an endpoint serves them: read, listed, and turned into bytes again.

pub mod convert;
mod read;
pub mod selector;

use serde_json::{Value, json};

use crate::object::meta;
use crate::resource::Resource;
use crate::status::ApiError;
use crate::store::Stored;

pub use read::{Objects, Pages};

/// The object as this endpoint's version shows it, its revision in it.
pub fn read(resource: &Resource, stored: &Stored) -> Result<Value, ApiError> {
    let mut object = kube_etcd_codec::decode(&stored.value)
        .map_err(|error| ApiError::internal(format!("{} cannot be decoded: {error}", stored.key)))?
        .object;
    meta::set_resource_version(&mut object, stored.revision);
    Ok(convert::from_stored(resource, object))
}

/// The bytes that kube-apiserver would store.
pub fn stored_bytes(resource: &Resource, object: &Value) -> Result<Vec<u8>, ApiError> {
    let mut object = convert::to_stored(resource, object.clone());
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
