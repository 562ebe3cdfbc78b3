//! Namespaces: what a new one holds, and that nothing is made in one that is not there or going.

use serde_json::{Value, json};

use crate::api::SharedApi;
use crate::object::meta;
use crate::resource::Resource;
use crate::status::ApiError;
use kube_etcd_codec::names;

pub(super) fn prepare(namespace: &mut Value) {
    let finalizers = namespace.pointer("/spec/finalizers").and_then(Value::as_array).cloned().unwrap_or_default();
    if !finalizers.iter().any(|one| one == "kubernetes") {
        let mut finalizers = finalizers;
        finalizers.push(json!("kubernetes"));
        namespace["spec"] = json!({"finalizers": finalizers});
    }
    namespace["status"] = json!({"phase": "Active"});
    label(namespace);
}

/// Every namespace carries its name as a label, for selectors.
pub(super) fn label(namespace: &mut Value) {
    let name = meta::name(namespace).to_owned();
    if name.is_empty() {
        return;
    }
    let labels = &mut namespace["metadata"]["labels"];
    if !labels.is_object() {
        *labels = json!({});
    }
    labels["kubernetes.io/metadata.name"] = json!(name);
}

pub(super) async fn check_open(
    api: &SharedApi,
    resource: &Resource,
    namespace: &str,
    name: &str,
) -> Result<Value, ApiError> {
    let namespaces = api.objects.registry.served().known(names::NAMESPACES).ok_or_else(ApiError::no_path)?;
    let found = api.objects.get(&namespaces, None, namespace).await?;
    if !meta::is_terminating(&found) && found.pointer("/status/phase") != Some(&json!("Terminating")) {
        return Ok(found);
    }
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut error = ApiError::forbidden(resource, name, &why);
    error.details["causes"] = json!([{
        "reason": "NamespaceTerminating",
        "message": format!("namespace {namespace} is being terminated"),
        "field": "metadata.namespace",
    }]);
    Err(error)
}
