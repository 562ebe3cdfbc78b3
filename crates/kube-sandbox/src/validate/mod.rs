//! Rules that an object must keep, in Kubernetes' own words.

mod admission;
mod autoscaler;
mod certificates;
mod data;
mod definition;
mod errors;
mod go_type;
mod hook;
mod internal;
mod job;
mod meta;
mod network;
mod pod;
mod policy;
mod rules;
mod service;
mod storage;
mod structural;
mod template;
mod types;
mod unknown;
mod workloads;

use serde_json::Value;

use crate::object::field_error::FieldError;
use errors::Errors;
use kube_etcd_codec::kind_by_api_version;

pub(super) use certificates::organizations;
pub(super) use definition::schemas as schemas_of_definition;
pub(super) use go_type::is_text as is_name_of_text;
pub(super) use service::is_by_name_alone;
pub(super) use types::check as types;
pub(super) use unknown::{as_go_holds_it, as_go_prints_it, as_go_reads_it, unknown_fields};

/// Whether a new object, with its defaults filled in, may be stored.
pub(super) fn create(kind: &str, object: &Value) -> Result<(), Vec<FieldError>> {
    let mut errors = Errors::default();
    if is_ours(kind, object) {
        meta::create(kind, object, &mut errors);
        rules_of(kind, object, None, &mut errors);
    }
    errors.into_result()
}

/// Whether a stored object may become this one.
pub(super) fn update(kind: &str, old: &Value, new: &Value) -> Result<(), Vec<FieldError>> {
    let mut errors = Errors::default();
    if is_ours(kind, new) {
        meta::update(old, new, &mut errors);
        rules_of(kind, new, Some(old), &mut errors);
    }
    errors.into_result()
}

/// Names, labels and annotations of a custom resource.
pub(super) fn metadata(object: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    meta::create("", object, &mut errors);
    errors.into_result().err().unwrap_or_default()
}

/// What the author of a custom resource is told of its finalizers.
pub(super) fn finalizer_warnings(object: &Value) -> Vec<String> {
    let names = crate::object::list(&object["metadata"], "finalizers").iter().filter_map(Value::as_str);
    let told = |name: &str| {
        format!(
            "metadata.finalizers: \"{name}\": prefer a domain-qualified finalizer name to avoid accidental conflicts \
             with other finalizer writers"
        )
    };
    names.filter(|name| meta::is_bare(name)).map(told).collect()
}

/// The labels or annotations of an object, as messages name them.
pub(super) fn marks(field: &str, given: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    match field {
        "metadata.labels" => meta::labels(Some(given), field, &mut errors),
        _ => meta::annotations(Some(given), field, &mut errors),
    }
    errors.into_result().err().unwrap_or_default()
}

/// A custom resource may have any kind's name.
fn is_ours(kind: &str, object: &Value) -> bool {
    let api_version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    kind_by_api_version(api_version, kind).is_some()
}

fn rules_of(kind: &str, object: &Value, old: Option<&Value>, errors: &mut Errors) {
    // What is going can only lose its finalizers: nothing else of it is looked at again.
    if old.is_some_and(|old| old.pointer("/metadata/deletionTimestamp").is_some() && same(old, object, "/spec")) {
        return;
    }
    match kind {
        "Pod" => pod::pod(object, old, errors),
        "Deployment" => workloads::deployment(object, old, errors),
        "ReplicaSet" => workloads::replica_set(object, old, errors),
        "ReplicationController" => workloads::replication_controller(object, errors),
        "StatefulSet" => workloads::stateful_set(object, old, errors),
        "DaemonSet" => workloads::daemon_set(object, old, errors),
        "Job" => job::job(object, old, errors),
        "CronJob" => workloads::cron_job(object, errors),
        "PodTemplate" => template::check(&object["template"], "template", errors),
        "HorizontalPodAutoscaler" => autoscaler::autoscaler(object, old, errors),
        "PodDisruptionBudget" => policy::budget(object, errors),
        "Service" => service::service(object, old, errors),
        "Ingress" => network::ingress(object, errors),
        "IngressClass" => network::ingress_class(object, old, errors),
        "EndpointSlice" => network::slice(object, old, errors),
        "Endpoints" => network::endpoints(object, errors),
        "NetworkPolicy" => network::policy(object, errors),
        "ConfigMap" => data::config_map(object, old, errors),
        "Secret" => data::secret(object, old, errors),
        "ResourceQuota" => data::quota(object, errors),
        "LimitRange" => data::limit_range(object, errors),
        "Lease" => data::lease(object, errors),
        "Node" => data::node(object, errors),
        "PersistentVolume" => storage::volume(object, old, errors),
        "PersistentVolumeClaim" => storage::claim(object, old, errors),
        "StorageClass" => storage::class(object, old, errors),
        "Role" | "ClusterRole" => policy::role(kind, object, errors),
        "RoleBinding" | "ClusterRoleBinding" => policy::binding(kind, object, old, errors),
        "RuntimeClass" => policy::runtime_class(object, old, errors),
        "ControllerRevision" => workloads::revision(object, old, errors),
        "Namespace" => data::namespace(object, errors),
        "CustomResourceDefinition" => definition::definition(object, old, errors),
        "ValidatingAdmissionPolicy" => admission::policy(object, errors),
        "ValidatingAdmissionPolicyBinding" => admission::binding(object, errors),
        "MutatingAdmissionPolicy" => admission::mutating(object, errors),
        "MutatingAdmissionPolicyBinding" => admission::mutating_binding(object, errors),
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => admission::webhooks(object, errors),
        "CertificateSigningRequest" => certificates::request(object, old, errors),
        "PriorityClass" => policy::priority(object, old, errors),
        _ => {}
    }
}

fn same(one: &Value, other: &Value, pointer: &str) -> bool {
    one.pointer(pointer) == other.pointer(pointer)
}

#[cfg(test)]
mod tests;
