//! Fields that Kubernetes fills in where a client left them out. Plain functions over JSON: what depends
//! on other objects (addresses, service accounts) is admission's, not a default.

mod devices;
mod network;
mod pod;
mod policy;
mod storage;
mod workloads;

use serde_json::{Map, Value, json};

use kube_etcd_codec::kind_by_api_version;

/// Fills in the defaults of `kind`, for a new object and for a changed one alike.
pub(super) fn apply(kind: &str, object: &mut Value) {
    // A custom resource may have any name.
    let api_version = object.get("apiVersion").and_then(Value::as_str);
    if api_version.is_some_and(|api_version| kind_by_api_version(api_version, kind).is_none()) {
        return;
    }
    drop_nulls(object);
    match kind {
        "Pod" => pod::pod(object),
        "PodTemplate" => template(object, "template"),
        "Deployment" => workloads::deployment(object),
        "ReplicaSet" => workloads::replica_set(object),
        "ReplicationController" => workloads::replication_controller(object),
        "StatefulSet" => workloads::stateful_set(object),
        "DaemonSet" => workloads::daemon_set(object),
        "Job" => workloads::job(object),
        "CronJob" => workloads::cron_job(object),
        "HorizontalPodAutoscaler" => workloads::autoscaler(object),
        "Service" => network::service(object),
        "Endpoints" => network::endpoints(object),
        "EndpointSlice" => network::endpoint_slice(object),
        "NetworkPolicy" => network::policy(object),
        "IngressClass" => network::ingress_class(object),
        "Secret" => set(object, "type", json!("Opaque")),
        "Namespace" => namespace(object),
        "Node" => node(object),
        "LimitRange" => limit_range(object),
        "PersistentVolume" => storage::volume(object),
        "PersistentVolumeClaim" => storage::claim(object),
        "StorageClass" => storage::class(object),
        "CSIDriver" => storage::driver(object),
        "PriorityClass" => set_pointer(object, "preemptionPolicy", json!("PreemptLowerPriority")),
        "RoleBinding" | "ClusterRoleBinding" => policy::binding(object),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => policy::webhooks(kind, object),
        "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy" => policy::admission_policy(object),
        "ValidatingAdmissionPolicyBinding" | "MutatingAdmissionPolicyBinding" => policy::admission_binding(object),
        "FlowSchema" => within(object, "spec", |spec| set(spec, "matchingPrecedence", json!(1000))),
        "PriorityLevelConfiguration" => policy::priority_level(object),
        "APIService" => policy::api_service(object),
        "ResourceClaim" => devices::claim(object),
        "ResourceClaimTemplate" => within(object, "spec", devices::claim),
        "ResourceSlice" => devices::slice(object),
        _ => {}
    }
}

/// Whether `on_read` may change an object of this kind.
pub(super) fn changes_on_read(kind: &str) -> bool {
    matches!(kind, "Job" | "PersistentVolumeClaim" | "StatefulSet")
}

/// Kubernetes fills in defaults whenever it decodes: what was stored without them is read with them.
pub(super) fn on_read(object: &mut Value) {
    if object["apiVersion"] == "v1" && object["kind"] == "PersistentVolumeClaim" {
        within(object, "status", |status| set(status, "phase", json!("Pending")));
    }
    if object["apiVersion"] == "batch/v1" && object["kind"] == "Job" {
        workloads::job_labels(object);
    }
    // A claim within another object has no place for its own kind in etcd.
    if object["kind"] == "StatefulSet" && object["apiVersion"] == "apps/v1" {
        within(object, "spec", |spec| {
            each(spec, "volumeClaimTemplates", |claim| {
                set(claim, "apiVersion", json!("v1"));
                set(claim, "kind", json!("PersistentVolumeClaim"));
            });
        });
    }
}

/// A field that is null was not given; maps of the user's own text cannot hold null either.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Sets a field that is missing or an empty text.
fn set(object: &mut Value, field: &str, value: Value) {
    let Some(map) = object.as_object_mut() else { return };
    match map.get(field) {
        None | Some(Value::Null) => drop(map.insert(field.to_owned(), value)),
        Some(Value::String(text)) if text.is_empty() => drop(map.insert(field.to_owned(), value)),
        Some(_) => {}
    }
}

/// Sets a field that is missing where Go keeps a pointer: an empty text was given then.
fn set_pointer(object: &mut Value, field: &str, value: Value) {
    let Some(map) = object.as_object_mut() else { return };
    if map.get(field).is_none_or(Value::is_null) {
        map.insert(field.to_owned(), value);
    }
}

/// Works on a struct that is always there.
fn within(object: &mut Value, field: &str, work: impl FnOnce(&mut Value)) {
    let Some(map) = object.as_object_mut() else { return };
    let inner = map.entry(field).or_insert_with(|| Value::Object(Map::new()));
    work(inner);
}

/// Works on a part only where it is there.
fn inside(object: &mut Value, field: &str, work: impl FnOnce(&mut Value)) {
    if let Some(inner) = object.get_mut(field).filter(|inner| inner.is_object()) {
        work(inner);
    }
}

fn each(object: &mut Value, field: &str, work: impl FnMut(&mut Value)) {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten().for_each(work);
}

fn template(object: &mut Value, field: &str) {
    within(object, field, |template| {
        within(template, "metadata", |_| ());
        within(template, "spec", pod::spec);
    });
}

fn is_text(object: &Value, pointer: &str, text: &str) -> bool {
    object.pointer(pointer).is_some_and(|value| value == text)
}

fn namespace(object: &mut Value) {
    within(object, "metadata", |metadata| {
        let Some(name) = metadata.get("name").cloned() else { return };
        within(metadata, "labels", |labels| set(labels, "kubernetes.io/metadata.name", name));
    });
}

fn node(object: &mut Value) {
    inside(object, "status", |status| {
        let Some(capacity) = status.get("capacity").cloned() else { return };
        set(status, "allocatable", capacity);
    });
}

fn limit_range(object: &mut Value) {
    within(object, "spec", |spec| {
        each(spec, "limits", |limit| {
            if limit["type"] != "Container" {
                return;
            }
            for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
                let Some(Value::Object(given)) = limit.get(from).cloned() else { continue };
                within(limit, to, |to| {
                    for (resource, amount) in given {
                        set(to, &resource, amount);
                    }
                });
            }
        });
    });
}

#[cfg(test)]
mod tests;
