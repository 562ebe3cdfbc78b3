//! What a fresh cluster holds beyond what its API server makes by itself, created as kubeadm would: by requests.

use std::collections::HashMap;

use futures::StreamExt;
use http::Request;
use serde_json::{Value, json};

use super::Facts;
use crate::error::SandboxError;
use crate::resource::Resource;
use crate::resource::registry::Registry;

const AT_ONCE: usize = 8;

/// Creates all of it; what is there already stays as it is, and what the server does not know is left out.
pub async fn over_api(client: &kube::Client, facts: &Facts, kubelet_port: u16) -> Result<(), SandboxError> {
    let served = Registry::default().served();
    let mut namespaces = Vec::new();
    let mut plain = Vec::new();
    let mut owning = Vec::new();
    for mut object in super::all(facts, &[]) {
        let (api_version, kind) = (text(&object["apiVersion"]).to_owned(), text(&object["kind"]).to_owned());
        let (group, version) = kube_etcd_codec::split_group(&api_version);
        if is_the_servers(group, &kind, text(&object["metadata"]["name"])) {
            continue;
        }
        let Some(resource) = served.of_kind(group, version, &kind) else { continue };
        if kind == "Node" {
            object["status"]["daemonEndpoints"] = json!({"kubeletEndpoint": {"Port": kubelet_port}});
        }
        let path = collection(&resource, text(&object["metadata"]["namespace"]));
        let list = match &*kind {
            "Namespace" => &mut namespaces,
            "Node" | "Deployment" | "ReplicaSet" | "DaemonSet" | "ControllerRevision" | "Pod" | "CSINode" => {
                &mut owning
            }
            _ if object["metadata"].get("ownerReferences").is_some() => &mut owning,
            _ => &mut plain,
        };
        list.push((path, object));
    }
    for list in [namespaces, plain] {
        let mut made = futures::stream::iter(list)
            .map(|(path, object)| async move { create(client, &path, &object).await })
            .buffer_unordered(AT_ONCE);
        while let Some(made) = made.next().await {
            made?;
        }
    }
    // Owners come first, since the server gives each object a uid of its own.
    let mut uids: HashMap<String, Value> = HashMap::new();
    let order = ["Node", "Deployment", "ReplicaSet", "DaemonSet"];
    owning.sort_by_key(|(_, object)| order.iter().position(|kind| object["kind"] == *kind).unwrap_or(order.len()));
    for (path, mut object) in owning {
        let planned = text(&object["metadata"]["uid"]).to_owned();
        for owner in object["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
            if let Some(uid) = uids.get(text(&owner["uid"])) {
                owner["uid"] = uid.clone();
            }
        }
        let Some(made) = create(client, &path, &object).await? else { continue };
        uids.insert(planned, made["metadata"]["uid"].clone());
        if object.get("status").is_some() {
            let name = text(&object["metadata"]["name"]);
            let patch = json!({"status": object["status"]});
            send(client, "PATCH", &format!("{path}/{name}/status"), "application/merge-patch+json", &patch).await?;
        }
    }
    Ok(())
}

/// What an API server makes for itself, in its own version's way.
fn is_the_servers(group: &str, kind: &str, name: &str) -> bool {
    match (group, kind) {
        ("flowcontrol.apiserver.k8s.io" | "apiregistration.k8s.io", _)
        | ("networking.k8s.io", "IPAddress" | "ServiceCIDR") => true,
        ("rbac.authorization.k8s.io", _) => {
            name.starts_with("system:") || ["admin", "cluster-admin", "edit", "view"].contains(&name)
        }
        ("", "Service" | "Endpoints") | ("discovery.k8s.io", "EndpointSlice") => name == "kubernetes",
        ("", "ConfigMap") => {
            name == "extension-apiserver-authentication"
                || name == "kube-apiserver-legacy-service-account-token-tracking"
        }
        ("coordination.k8s.io", _) => name.starts_with("apiserver-"),
        _ => false,
    }
}

fn collection(resource: &Resource, namespace: &str) -> String {
    let root = kube_etcd_codec::api_root(&resource.group, &resource.version);
    if resource.namespaced {
        format!("{root}/namespaces/{namespace}/{}", resource.plural)
    } else {
        format!("{root}/{}", resource.plural)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

async fn create(client: &kube::Client, path: &str, object: &Value) -> Result<Option<Value>, SandboxError> {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("uid");
    }
    send(client, "POST", path, "application/json", &object).await
}

/// `None` where it is there already, or the server does not serve the kind.
async fn send(
    client: &kube::Client,
    method: &str,
    path: &str,
    content: &str,
    body: &Value,
) -> Result<Option<Value>, SandboxError> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("accept", "application/json")
        .header("content-type", content)
        .body(body.to_string().into_bytes())
        .map_err(|error| SandboxError::new(format!("{path}: {error}")))?;
    match client.request::<Value>(request).await {
        Ok(answer) => Ok(Some(answer)),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 405 | 409) => Ok(None),
        Err(error) => Err(SandboxError::new(format!(
            "kube-apiserver refused {} {}: {error}",
            text(&body["kind"]),
            text(&body["metadata"]["name"])
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_makes_by_itself_is_left_to_it() {
        assert!(is_the_servers("rbac.authorization.k8s.io", "ClusterRole", "system:node"));
        assert!(!is_the_servers("rbac.authorization.k8s.io", "ClusterRoleBinding", "kubeadm:cluster-admins"));
        assert!(is_the_servers("", "Service", "kubernetes"));
        assert!(!is_the_servers("", "Service", "kube-dns"));
    }
}
