//! What the API does to an object besides storing it: parts that clients do not set, rules that look at
//! other objects, and what follows from a write.

mod classes;
mod limits;
mod namespaces;
mod pod_security;
mod pods;
pub mod policies;
mod quota;
mod services;
mod tokens;
pub mod webhooks;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::SharedApi;
use super::known::OpenNamespace;
use crate::definitions;
use crate::object::meta;
use crate::resource::Resource;
use crate::status::ApiError;
use crate::user::User;
use crate::validate;
use kube_etcd_codec::names;

pub use pods::{mount_token, tolerate_for_a_while};
pub use services::Reserved;

/// Before defaults, and before it is said whose the fields are: what the API itself sets in a new object. What admission
/// adds later is nobody's.
pub fn prepare_create(resource: &Resource, object: &mut Value, user: &User) {
    if resource.status && !resource.is(names::NODES) && !resource.is(names::API_SERVICES) {
        object.as_object_mut().map(|map| map.remove("status"));
    }
    match resource.name() {
        names::NAMESPACES => namespaces::prepare(object),
        names::PODS => pods::prepare(object),
        names::SECRETS => fold_string_data(object),
        names::VOLUMES => {
            object["status"] = json!({"phase": "Pending", "lastPhaseTransitionTime": meta::now_text()});
        }
        names::CLAIMS => object["status"] = json!({}),
        names::SERVICES => object["status"] = json!({"loadBalancer": {}}),
        names::DAEMONSETS => set_template_generation(object, 1),
        names::SIGNING_REQUESTS => requested_by(object, user),
        names::DEFINITIONS => definitions::prepare(object),
        _ => {}
    }
}

/// After defaults, and after it is said whose the fields are: what Kubernetes' strategy of the kind fills in.
/// `is_unlabelled` says whether the author gave no labels.
pub fn complete_create(resource: &Resource, object: &mut Value, is_unlabelled: bool) {
    if resource.is(names::JOBS) {
        job_selector(object, is_unlabelled);
    }
}

/// What depends on other objects, and what admission adds. Answers with the quotas that the object has to fit. A namespace that
/// is known is not read.
pub async fn on_create(
    api: &SharedApi,
    resource: &Resource,
    namespace: Option<&str>,
    object: &mut Value,
    warnings: &mut Vec<String>,
    known: Option<OpenNamespace>,
) -> Result<Vec<Value>, ApiError> {
    let mut quotas = Vec::new();
    if let Some(namespace) = namespace {
        let (namespace, found) = match known {
            Some(known) => (known.object, Vec::new()),
            None => namespaces::opened(api, resource, namespace, meta::name(object)).await?,
        };
        pod_security::check(resource, &namespace, object, warnings)?;
        quotas = found;
    }
    match resource.name() {
        names::NAMESPACES => {
            namespaces::add_finalizer(object);
            let wrong = pod_security::check_labels(None, object);
            if !wrong.is_empty() {
                return Err(ApiError::invalid(resource, meta::name(object), &wrong));
            }
        }
        names::PODS => pods::admit(api, resource, object).await?,
        names::VOLUMES => add_finalizer(object, "kubernetes.io/pv-protection"),
        names::CLAIMS => {
            add_finalizer(object, "kubernetes.io/pvc-protection");
            classes::of_claim(api, object).await?;
            limits::claim(api, resource, object).await?;
        }
        names::INGRESSES => classes::of_ingress(api, object).await?,
        names::NODES => not_ready(object),
        names::ENDPOINTS => warnings.push(ENDPOINTS_DEPRECATED.into()),
        names::SIGNING_REQUESTS => no_almighty_group(resource, object)?,
        _ => {}
    }
    Ok(quotas)
}

/// What Kubernetes' own plugins make of a new object once more, after the cluster's policies or webhooks changed it.
pub async fn on_changed(
    api: &SharedApi,
    resource: &Resource,
    namespace: Option<&str>,
    object: &mut Value,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    if let Some(namespace) = namespace {
        let namespace = namespaces::check_open(api, resource, namespace, meta::name(object)).await?;
        let mut more = Vec::new();
        pod_security::check(resource, &namespace, object, &mut more)?;
        more.retain(|one| !warnings.contains(one));
        warnings.append(&mut more);
    }
    match resource.name() {
        names::PODS => pods::admit(api, resource, object).await,
        names::CLAIMS => {
            classes::of_claim(api, object).await?;
            limits::claim(api, resource, object).await
        }
        names::INGRESSES => classes::of_ingress(api, object).await,
        _ => Ok(()),
    }
}

/// No certificate makes its bearer one whom no role limits.
fn no_almighty_group(resource: &Resource, object: &Value) -> Result<(), ApiError> {
    const SIGNER: &str = "kubernetes.io/kube-apiserver-client";
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let request = STANDARD.decode(text("/spec/request")).unwrap_or_default();
    let groups = validate::organizations(&request).unwrap_or_default();
    if text("/spec/signerName") == SIGNER && groups.iter().any(|group| group == "system:masters") {
        let why = format!("use of {SIGNER} signer with system:masters group is not allowed");
        return Err(ApiError::forbidden(resource, meta::name(object), &why));
    }
    Ok(())
}

pub const ENDPOINTS_DEPRECATED: &str = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";

/// Before it is said whose the changes are: what the API makes of what it was given, by the old and the new alone.
pub fn prepare_update(resource: &Resource, old: &Value, new: &mut Value) {
    match resource.name() {
        names::SECRETS => fold_string_data(new),
        names::NAMESPACES => {
            // Only the finalize subresource may empty them.
            new["spec"] = old["spec"].clone();
            namespaces::label(new);
        }
        names::PODS => pods::keep_priority(old, new),
        names::DAEMONSETS => {
            let held = old.pointer(TEMPLATE_GENERATION).and_then(Value::as_str).and_then(|text| text.parse().ok());
            let changed = old.pointer("/spec/template") != new.pointer("/spec/template");
            set_template_generation(new, held.unwrap_or(0) + i64::from(changed));
        }
        names::DEFINITIONS => definitions::prepare_update(new),
        _ => {}
    }
}

pub async fn on_update(
    api: &SharedApi,
    resource: &Resource,
    old: &Value,
    new: &mut Value,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    match resource.name() {
        names::NAMESPACES => {
            let wrong = pod_security::check_labels(Some(old), new);
            if !wrong.is_empty() {
                return Err(ApiError::invalid(resource, meta::name(new), &wrong));
            }
            Box::pin(pod_security::relabelled(api, old, new, warnings)).await?;
        }
        names::SERVICES => services::on_update(api, old, new, warnings).await?,
        names::PODS => pods::tolerate_for_a_while(new),
        names::CLAIMS => classes::may_grow(api, resource, old, new).await?,
        _ => {}
    }
    Ok(())
}

pub fn on_delete(resource: &Resource, name: &str) -> Result<(), ApiError> {
    if resource.is(names::NAMESPACES) && matches!(name, "default" | "kube-system" | "kube-public") {
        return Err(ApiError::forbidden(resource, name, "this namespace may not be deleted"));
    }
    Ok(())
}

/// Takes what only one object can have: a place in the namespace's quotas, service addresses and ports.
pub async fn reserve(
    api: &SharedApi,
    resource: &Resource,
    object: &mut Value,
    quotas: Vec<Value>,
    dry_run: bool,
) -> Result<Reserved, ApiError> {
    if !quotas.is_empty() {
        Box::pin(quota::admit(api, resource, quotas, object, dry_run)).await?;
    }
    if resource.is(names::SERVICES) { services::reserve(api, object, dry_run).await } else { Ok(Reserved::nothing()) }
}

pub async fn after_create(api: &SharedApi, resource: &Resource, object: &Value) -> Result<(), ApiError> {
    if resource.is(names::DEFINITIONS) {
        definitions::load(&api.objects).await?;
    }
    if resource.is(names::SERVICES) {
        services::note_ports(api).await?;
    }
    if resource.is(names::SECRETS) {
        Box::pin(tokens::fill(api, resource, object)).await?;
    }
    Ok(())
}

pub async fn after_update(api: &SharedApi, resource: &Resource, object: &Value, gone: bool) -> Result<(), ApiError> {
    match resource.name() {
        names::SERVICES => {
            if gone {
                services::release(api, object).await?;
            }
            services::note_ports(api).await?;
        }
        names::DEFINITIONS => definitions::load(&api.objects).await?,
        _ => {}
    }
    Ok(())
}

const TEMPLATE_GENERATION: &str = "/metadata/annotations/deprecated.daemonset.template.generation";

/// A number that only `DaemonSets` have, and that Kubernetes keeps in an annotation.
fn set_template_generation(object: &mut Value, generation: i64) {
    let annotations = &mut object["metadata"]["annotations"];
    if !annotations.is_object() {
        *annotations = json!({});
    }
    annotations["deprecated.daemonset.template.generation"] = generation.to_string().into();
}

fn add_finalizer(object: &mut Value, finalizer: &str) {
    let mut finalizers = meta::finalizers(object);
    if !finalizers.iter().any(|one| one == finalizer) {
        finalizers.push(finalizer.to_owned());
        meta::set_finalizers(object, &finalizers);
    }
}

/// Who wants a certificate is for the API to say.
fn requested_by(request: &mut Value, user: &User) {
    let Some(spec) = request.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for field in ["username", "uid", "groups", "extra"] {
        spec.remove(field);
    }
    spec.extend(user.info().as_object().into_iter().flatten().map(|(field, value)| (field.clone(), value.clone())));
}

/// `stringData` is for writing only: it ends up in `data`.
fn fold_string_data(object: &mut Value) {
    use base64::Engine as _;
    let Some(map) = object.as_object_mut() else { return };
    let Some(Value::Object(texts)) = map.remove("stringData") else { return };
    let data = map.entry("data").or_insert_with(|| json!({}));
    if !data.is_object() {
        *data = json!({});
    }
    for (key, text) in texts {
        let bytes = base64::engine::general_purpose::STANDARD.encode(text.as_str().unwrap_or_default());
        data[key] = json!(bytes);
    }
}

/// Nothing is to run on a node before it says that it is ready.
fn not_ready(node: &mut Value) {
    let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
    let taints = &mut node["spec"]["taints"];
    let is_same = |one: &Value| one["key"] == taint["key"] && one["effect"] == taint["effect"];
    match taints.as_array_mut() {
        Some(taints) if taints.iter().any(is_same) => {}
        Some(taints) => taints.push(taint),
        None => *taints = json!([taint]),
    }
}

/// A job finds its pods by its own uid, unless its author chose a selector. Where the defaults gave it the labels of its
/// template, Go has one map for both.
fn job_selector(job: &mut Value, is_unlabelled: bool) {
    if job.pointer("/spec/manualSelector") == Some(&json!(true)) {
        return;
    }
    let (uid, name) = (meta::text(job, "uid").to_owned(), meta::name(job).to_owned());
    let labels = &mut job["spec"]["template"]["metadata"]["labels"];
    let is_shared = is_unlabelled && labels.as_object().is_some_and(|labels| !labels.is_empty());
    if !labels.is_object() {
        *labels = json!({});
    }
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels[key] = json!(value);
    }
    if is_shared {
        job["metadata"]["labels"] = job["spec"]["template"]["metadata"]["labels"].clone();
    }
    job["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
}
