//! Namespaces: what a new one holds, and that nothing is made in one that is not there or going.

use std::sync::Arc;

use serde_json::{Value, json};

use super::quota;
use crate::api::SharedApi;
use crate::api::known::OpenNamespace;
use crate::object::meta;
use crate::resource::Resource;
use crate::status::ApiError;
use crate::store::Ground;
use kube_etcd_codec::names;

pub(super) fn prepare(namespace: &mut Value) {
    namespace["status"] = json!({"phase": "Active"});
    label(namespace);
}

pub(super) fn add_finalizer(namespace: &mut Value) {
    let finalizers = namespace.pointer("/spec/finalizers").and_then(Value::as_array).cloned().unwrap_or_default();
    if !finalizers.iter().any(|one| one == "kubernetes") {
        let mut finalizers = finalizers;
        finalizers.push(json!("kubernetes"));
        namespace["spec"] = json!({"finalizers": finalizers});
    }
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

/// The namespace and its quotas for a new object in it. It is known from now on where it has none.
pub(super) async fn opened(
    api: &SharedApi,
    resource: &Resource,
    namespace: &str,
    name: &str,
) -> Result<(Arc<Value>, Vec<Value>), ApiError> {
    // Two reads that do not wait for each other: most namespaces have no quota.
    let open = check_open(api, resource, namespace, name);
    let (object, quotas) = tokio::try_join!(open, quota::of(api, namespace))?;
    let object = Arc::new(object);
    let served = api.objects.registry.served();
    if quotas.is_empty()
        && let (Some(namespaces), Some(quotas)) = (served.known(names::NAMESPACES), served.known(names::QUOTAS))
        && let Ok(revision) = meta::text(&object, "resourceVersion").parse()
    {
        let store = &api.objects.store;
        let ground = vec![
            Ground::At(store.key(&namespaces.folder, None, Some(namespace)), revision),
            Ground::Empty(store.key(&quotas.folder, Some(namespace), None)),
        ];
        api.namespaces.keep(namespace, OpenNamespace { object: Arc::clone(&object), ground });
    }
    let quotas = if quota::counts(resource) { quotas } else { Vec::new() };
    Ok((object, quotas))
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
