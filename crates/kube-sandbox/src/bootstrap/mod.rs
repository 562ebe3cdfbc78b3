//! What a fresh cluster holds, written in a few transactions before anybody is let in.

mod access;
mod addons;
mod flow;
mod node;
mod over_api;
mod pods;
mod services;
mod settings;
mod workloads;

use serde_json::{Value, json};

pub use over_api::over_api;
pub use services::identity;

use crate::api::SharedApi;
use crate::error::SandboxError;
use crate::object::meta;
use crate::objects;
use crate::resource::Resource;

/// What the objects of a fresh cluster say about this machine and this sandbox.
#[derive(Debug, Clone)]
pub struct Facts {
    pub node: String,
    pub address: String,
    pub api_port: u16,
    /// etcd's flags as its pod shows them.
    pub etcd_flags: Vec<String>,
    pub etcd_url: String,
    pub etcd_version: String,
    /// The authority of the API's certificates, in PEM.
    pub ca: String,
    /// That of the API's own certificate towards servers behind it.
    pub front_proxy_ca: String,
    pub now: String,
    pub node_uid: String,
    /// Nodes beside the one of the control plane, each with its address.
    pub workers: Vec<(String, std::net::Ipv4Addr)>,
    /// The name that the API server goes by.
    pub server: String,
}

/// Keys to a transaction. kubeadm's etcd takes 128 operations, and those of a nested transaction count on top.
const AT_ONCE: usize = 100;

/// Stores all of it; what is there already stays as it is.
pub async fn write(api: &SharedApi, facts: &Facts) -> Result<(), SandboxError> {
    let mut pairs = Vec::new();
    let served = api.objects.registry.served();
    for mut object in all(facts, &served.groups()) {
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let (group, version) = kube_etcd_codec::split_group(&api_version);
        let resource = served.of_kind(group, version, &kind);
        let resource = resource.ok_or_else(|| SandboxError::new(format!("{api_version} {kind} is not served")))?;
        complete(&resource, &mut object, facts);
        let namespace = resource.namespaced.then(|| meta::namespace(&object).to_owned());
        let key = api.objects.store.key(&resource.folder, namespace.as_deref(), Some(meta::name(&object)));
        let bytes = objects::stored_bytes(&resource, &object)
            .map_err(|error| SandboxError::new(format!("{key}: {}", error.message)))?;
        pairs.push((key, bytes));
    }
    for (folder, name, object) in services::leases(facts) {
        let bytes = kube_etcd_codec::encode(&object).map_err(|error| SandboxError::new(format!("{name}: {error}")))?;
        pairs.push((api.objects.store.key(folder, None, Some(&name)), bytes));
    }
    api.objects.store.create_all(pairs, AT_ONCE).await.map_err(|error| SandboxError::new(error.to_string()))
}

fn all(facts: &Facts, groups: &[(String, Vec<String>)]) -> Vec<Value> {
    let mut all = namespaces();
    all.extend(settings::objects(facts, &all));
    all.extend(node::objects(facts));
    all.extend(pods::objects(facts));
    all.extend(services::objects(facts, groups));
    all.extend(workloads::objects(facts));
    all.extend(access::objects());
    all.extend(addons::objects(facts));
    all.extend(flow::objects(facts));
    let node = all.iter().find(|object| object["kind"] == "Node").map(|node| node["metadata"]["uid"].clone());
    for object in
        all.iter_mut().filter(|object| object["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string())
    {
        object["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": "Node", "name": facts.node, "uid": node, "controller": true}]);
    }
    all
}

/// What every object has that was stored.
fn complete(resource: &Resource, object: &mut Value, facts: &Facts) {
    if meta::text(object, "uid").is_empty() {
        meta::set(object, "uid", uuid::Uuid::new_v4().to_string());
    }
    if meta::text(object, "creationTimestamp").is_empty() {
        meta::set(object, "creationTimestamp", facts.now.as_str());
    }
    if resource.counts_generations() && object["metadata"].get("generation").is_none() {
        meta::set(object, "generation", 1);
    }
}

/// The Endpoints object of the API server itself, whole.
pub fn own_endpoints(facts: &Facts) -> Value {
    let mut object = services::own_endpoints(facts);
    meta::set(&mut object, "uid", uuid::Uuid::new_v4().to_string());
    meta::set(&mut object, "creationTimestamp", facts.now.as_str());
    object
}

fn namespaces() -> Vec<Value> {
    ["default", "kube-node-lease", "kube-public", "kube-system"]
        .iter()
        .map(|name| {
            json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            })
        })
        .collect()
}
