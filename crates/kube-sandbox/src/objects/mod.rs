//! Objects as etcd holds them and as an endpoint serves them: read, listed, and turned into bytes again.

mod conversion;
pub mod convert;
pub mod hook;
mod place;
mod read;
pub mod selector;
mod trust;

use serde_json::{Value, json};

use crate::defaults;
use crate::object::meta;
use crate::resource::Resource;
use crate::status::ApiError;
use crate::store::Stored;
use kube_etcd_codec::Printer;

pub use read::{Objects, Pages};

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

/// Writes the objects of a kind right from what is stored, where reading them changes nothing but what they say of their
/// revision.
pub fn printer(resource: &Resource) -> Option<Printer> {
    let (shown, stored) = (resource.api_version(), resource.stored_api_version());
    let as_stored = resource.custom.is_none() && shown == stored && !defaults::changes_on_read(&resource.kind);
    as_stored.then(|| Printer::of(&shown, &resource.kind))?
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

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use kube_etcd_codec::{Ordered, ordered_as};

    use super::*;

    /// Prints what is stored, by itself and as an item of a list, and holds it against what reading it gives.
    fn compare(resource: &Resource, value: &[u8]) -> bool {
        let Some(printer) = printer(resource) else { return false };
        let stored = Stored { key: "key".to_owned(), value: value.to_vec(), revision: 42, lease: 0 };
        let mut object = read(resource, &stored).unwrap();
        let name = format!("{} {}", resource.api_version(), resource.kind);
        let printed = |is_item| {
            let mut out = Vec::new();
            assert!(printer.print(value, 42, is_item, &mut out), "{name}");
            String::from_utf8(out).unwrap()
        };
        assert_eq!(printed(false), serde_json::to_string(&Ordered(&object)).unwrap(), "{name}");
        let message = kube_etcd_codec::message_of(&resource.api_version(), &resource.kind);
        object.as_object_mut().unwrap().retain(|field, _| field != "kind" && field != "apiVersion");
        assert_eq!(printed(true), serde_json::to_string(&ordered_as(message, &object)).unwrap(), "{name}");
        true
    }

    #[test]
    fn what_is_printed_from_what_is_stored_is_what_is_read() {
        let mut count = 0;
        for resource in Resource::builtins().iter().filter(|resource| resource.is_stored()) {
            let version = resource.stored_api_version();
            let named = json!({"apiVersion": version, "kind": resource.kind, "metadata": {"name": "n"}});
            let mut parts = named.clone();
            parts["spec"] = json!({});
            parts["status"] = json!({});
            for object in [named, parts] {
                count += usize::from(kube_etcd_codec::encode(&object).is_ok_and(|value| compare(resource, &value)));
            }
            for line in include_str!("../../../../tests/data/values.jsonl").lines() {
                let record: Value = serde_json::from_str(line).unwrap();
                if record["value"]["apiVersion"] == version && record["value"]["kind"] == *resource.kind {
                    let value = STANDARD.decode(record["value_base64"].as_str().unwrap()).unwrap();
                    count += usize::from(compare(resource, &value));
                }
            }
        }
        assert!(count > 150, "{count} were compared");
    }
}
