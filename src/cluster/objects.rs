//! The few objects that a provider reads through the API: as JSON, since what reads each kind as a type of its own is a large part
//! of a program.

use k8s_openapi::api::core::v1::{Namespace, Node, Pod, ServiceAccount};
use kube::api::{Api, ApiResource, DynamicObject};

pub(super) fn nodes(client: &kube::Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &ApiResource::erase::<Node>(&()))
}

pub(super) fn namespaces(client: &kube::Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &ApiResource::erase::<Namespace>(&()))
}

/// The pods of kube-system.
pub(super) fn system_pods(client: &kube::Client) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), "kube-system", &ApiResource::erase::<Pod>(&()))
}

pub(super) fn default_accounts(client: &kube::Client) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), "default", &ApiResource::erase::<ServiceAccount>(&()))
}
