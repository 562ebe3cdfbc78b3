//! Discovery: which groups, versions and resources are served, in the plain and the aggregated form.

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::resource::Resource;
use crate::resource::registry::Served;
use crate::status::{ApiError, json_response};
use kube_etcd_codec::{join_group, names};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `address` is where `/api` sends clients, and `plain` what answers besides resources.
pub(super) fn answer(
    served: &Served,
    address: &str,
    plain: &dyn Fn() -> Vec<String>,
    path: &str,
    accept: &str,
) -> Response {
    let aggregated = accept.split(',').next().is_some_and(|first| {
        first.contains("as=APIGroupDiscoveryList") && first.contains("v=v2") && !first.contains("v=v2beta1")
    });
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts[..] {
        ["api"] if aggregated => aggregated_list(served, true),
        ["apis"] if aggregated => aggregated_list(served, false),
        ["api"] => json_response(
            StatusCode::OK,
            &json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [
                {"clientCIDR": "0.0.0.0/0", "serverAddress": address}]}),
        ),
        ["apis"] => {
            let groups: Vec<Value> =
                served.groups().iter().filter(|(group, _)| !group.is_empty()).map(group_of).collect();
            json_response(StatusCode::OK, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        ["apis", group] => match served.groups().iter().find(|(name, _)| name == group && !name.is_empty()) {
            Some(found) => {
                let mut value = group_of(found);
                value["kind"] = json!("APIGroup");
                value["apiVersion"] = json!("v1");
                json_response(StatusCode::OK, &value)
            }
            None => ApiError::no_path().into_response(),
        },
        ["api", version] => resources(served, "", version),
        ["apis", group, version] => resources(served, group, version),
        [] => {
            let mut response = json_response(StatusCode::OK, &Value::Null);
            *response.body_mut() = format!("{:#}", json!({"paths": paths(served, plain())})).into();
            response
        }
        _ => ApiError::no_path().into_response(),
    }
}

fn paths(served: &Served, plain: Vec<String>) -> Vec<String> {
    let mut paths = vec!["/api".to_owned(), "/api/v1".into(), "/apis".into(), "/apis/".into()];
    for (group, versions) in served.groups().iter().filter(|(group, _)| !group.is_empty()) {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    paths.extend(plain);
    paths.sort();
    paths
}

fn group_of((group, versions): &(String, Vec<String>)) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": join_group(group, version), "version": version}))
        .collect();
    json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
}

const PROXY: &[&str] = &["create", "delete", "get", "patch", "update"];

/// A short name for the version that objects are stored in, by which migrations are planned.
fn storage_hash(resource: &Resource) -> Option<String> {
    if resource.builtin.is_some_and(|kind| !kind.is_stored()) {
        return None;
    }
    let api_version = resource.stored_api_version();
    let (group, version) = kube_etcd_codec::split_group(&api_version);
    let stored = format!("{group}/{version}/{}", resource.kind);
    let digest = ring::digest::digest(&ring::digest::SHA256, stored.as_bytes());
    Some(STANDARD.encode(&digest.as_ref()[..8]))
}

/// Subresources that a cluster lists, those that the sandbox refuses among them: name, kind (with its own group and version), verbs.
pub(crate) fn subresources(
    resource: &Resource,
) -> Vec<(&'static str, &'static str, &'static str, &'static [&'static str])> {
    let mut list: Vec<(&str, &str, &str, &[&str])> = Vec::new();
    if resource.status {
        list.push(("status", "", "", &["get", "patch", "update"]));
    }
    if resource.scale.is_some() {
        list.push(("scale", "autoscaling/v1", "Scale", &["get", "patch", "update"]));
    }
    match resource.name() {
        names::PODS => {
            list.push(("attach", "v1", "PodAttachOptions", &["create", "get"]));
            list.push(("binding", "v1", "Binding", &["create"]));
            list.push(("ephemeralcontainers", "", "", &["get", "patch", "update"]));
            list.push(("eviction", "policy/v1", "Eviction", &["create"]));
            list.push(("exec", "v1", "PodExecOptions", &["create", "get"]));
            list.push(("log", "", "", &["get"]));
            list.push(("portforward", "v1", "PodPortForwardOptions", &["create", "get"]));
            list.push(("proxy", "v1", "PodProxyOptions", PROXY));
            list.push(("resize", "", "", &["get", "patch", "update"]));
        }
        names::NODES => list.push(("proxy", "v1", "NodeProxyOptions", PROXY)),
        names::SERVICES => list.push(("proxy", "v1", "ServiceProxyOptions", PROXY)),
        names::NAMESPACES => list.push(("finalize", "", "", &["update"])),
        names::SERVICEACCOUNTS => list.push(("token", "authentication.k8s.io/v1", "TokenRequest", &["create"])),
        names::SIGNING_REQUESTS => list.push(("approval", "", "", &["get", "patch", "update"])),
        _ => {}
    }
    list.sort_unstable();
    list
}

fn resources(served: &Served, group: &str, version: &str) -> Response {
    let of_version: Vec<_> = served.all.iter().filter(|one| one.group == group && one.version == version).collect();
    if of_version.is_empty() {
        return ApiError::no_path().into_response();
    }
    let mut list = Vec::new();
    for one in of_version {
        let mut entry = json!({
            "name": one.plural, "singularName": one.singular, "namespaced": one.namespaced,
            "kind": one.kind, "verbs": one.verbs,
        });
        if !one.short_names.is_empty() {
            entry["shortNames"] = json!(one.short_names);
        }
        if !one.categories.is_empty() {
            entry["categories"] = json!(one.categories);
        }
        if let Some(hash) = storage_hash(one) {
            entry["storageVersionHash"] = json!(hash);
        }
        list.push(entry);
        for (name, api_version, kind, verbs) in subresources(one) {
            let mut entry = json!({
                "name": format!("{}/{name}", one.plural), "singularName": "", "namespaced": one.namespaced,
                "kind": if kind.is_empty() { &one.kind } else { kind }, "verbs": verbs,
            });
            if let Some((group, version)) = api_version.split_once('/') {
                entry["group"] = json!(group);
                entry["version"] = json!(version);
            }
            list.push(entry);
        }
    }
    list.sort_by(|one: &Value, other| one["name"].as_str().cmp(&other["name"].as_str()));
    let mut answer = json!({"kind": "APIResourceList", "groupVersion": join_group(group, version), "resources": list});
    // The core group's list is older than this field.
    if !group.is_empty() {
        answer["apiVersion"] = json!("v1");
    }
    json_response(StatusCode::OK, &answer)
}

fn aggregated_list(served: &Served, core: bool) -> Response {
    let groups = served.groups();
    let items: Vec<Value> = groups
        .iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| {
                    let of_version = served.all.iter().filter(|one| one.group == *group && one.version == *version);
                    let resources: Vec<Value> = of_version.map(|one| aggregated(one)).collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let mut metadata = json!({"creationTimestamp": null});
            if !group.is_empty() {
                metadata["name"] = json!(group);
            }
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let list = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items});
    let mut response = json_response(StatusCode::OK, &list);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(AGGREGATED));
    response
}

fn aggregated(one: &Resource) -> Value {
    let kind = |api_version: &str, kind: &str| {
        let (group, version) = if api_version.is_empty() {
            (one.group.as_str(), one.version.as_str())
        } else {
            kube_etcd_codec::split_group(api_version)
        };
        json!({"group": group, "version": version, "kind": if kind.is_empty() { &one.kind } else { kind }})
    };
    let mut entry = json!({
        "resource": one.plural, "responseKind": kind("", ""),
        "scope": if one.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": one.singular, "verbs": one.verbs,
    });
    if !one.short_names.is_empty() {
        entry["shortNames"] = json!(one.short_names);
    }
    if !one.categories.is_empty() {
        entry["categories"] = json!(one.categories);
    }
    let list: Vec<Value> = subresources(one)
        .into_iter()
        .map(|(name, api_version, of, verbs)| json!({"subresource": name, "responseKind": kind(api_version, of), "verbs": verbs}))
        .collect();
    if !list.is_empty() {
        entry["subresources"] = json!(list);
    }
    entry
}

#[cfg(test)]
mod tests;
