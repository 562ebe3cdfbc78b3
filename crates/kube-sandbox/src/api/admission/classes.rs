//! Classes of ingresses and of storage: the default for what names none, and what a class allows.

use serde_json::{Value, json};

use crate::api::SharedApi;
use crate::object::meta;
use crate::objects::selector::Selector;
use crate::resource::Resource;
use crate::status::ApiError;
use kube_etcd_codec::names::{self, Name};

/// An ingress that names no class gets the default one.
pub(super) async fn of_ingress(api: &SharedApi, ingress: &mut Value) -> Result<(), ApiError> {
    let annotated = ingress["metadata"]["annotations"].get("kubernetes.io/ingress.class").is_some();
    if annotated || ingress.pointer("/spec/ingressClassName").is_some() {
        return Ok(());
    }
    let mark = "ingressclass.kubernetes.io/is-default-class";
    if let Some(class) = default(api, names::INGRESS_CLASSES, mark).await? {
        ingress["spec"]["ingressClassName"] = json!(class);
    }
    Ok(())
}

/// A claim that names no class gets the default one.
pub(super) async fn of_claim(api: &SharedApi, claim: &mut Value) -> Result<(), ApiError> {
    if claim.pointer("/spec/storageClassName").is_some() || claim.pointer("/spec/volumeName").is_some() {
        return Ok(());
    }
    let mark = "storageclass.kubernetes.io/is-default-class";
    if let Some(class) = default(api, names::STORAGE_CLASSES, mark).await? {
        claim["spec"]["storageClassName"] = json!(class);
    }
    Ok(())
}

async fn default(api: &SharedApi, kind: Name<'_>, mark: &str) -> Result<Option<String>, ApiError> {
    let Some(classes) = api.objects.registry.served().known(kind) else { return Ok(None) };
    let (classes, _) = api.objects.list_all(&classes, None, &Selector::default()).await?;
    let default = classes.iter().find(|class| class["metadata"]["annotations"][mark] == "true");
    Ok(default.map(|class| meta::name(class).to_owned()))
}

/// A claim can grow where its class says that its volume can.
pub(super) async fn may_grow(api: &SharedApi, resource: &Resource, old: &Value, new: &Value) -> Result<(), ApiError> {
    const SIZE: &str = "/spec/resources/requests/storage";
    let size = |claim: &Value| claim.pointer(SIZE).and_then(kube_etcd_codec::quantity);
    let bound = old.pointer("/status/phase").is_some_and(|phase| phase == "Bound");
    if !bound || size(new) <= size(old) {
        return Ok(());
    }
    let name = new["spec"]["storageClassName"].as_str().unwrap_or_default();
    if let Some(classes) = api.objects.registry.served().known(names::STORAGE_CLASSES)
        && let Ok(class) = api.objects.get(&classes, None, name).await
        && class["allowVolumeExpansion"] == true
    {
        return Ok(());
    }
    let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    Err(ApiError::forbidden(resource, meta::name(new), why))
}
