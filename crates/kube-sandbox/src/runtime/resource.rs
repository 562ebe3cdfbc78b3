//! Which resource a request is about.

use std::borrow::Cow;

use kube_etcd_codec::names::{self, Name};
use kube_etcd_codec::{api_root, builtin, join_group};

/// A kind as the API serves it. Those known here are constants; the rest comes from discovery.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ApiResource {
    pub(crate) group: Cow<'static, str>,
    pub(crate) version: Cow<'static, str>,
    pub(crate) plural: Cow<'static, str>,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) namespaced: bool,
}

impl ApiResource {
    /// As the table of kinds has it, in its preferred version.
    const fn known(name: Name<'_>) -> Self {
        let kind = builtin(name.group, name.plural);
        Self {
            group: Cow::Borrowed(kind.group),
            version: Cow::Borrowed(kind.served[0]),
            plural: Cow::Borrowed(kind.plural),
            kind: Cow::Borrowed(kind.kind),
            namespaced: kind.namespaced,
        }
    }

    pub(crate) fn api_version(&self) -> String {
        join_group(&self.group, &self.version)
    }

    /// The path of the collection: of one namespace, or of all where `namespace` is empty.
    pub(crate) fn path(&self, namespace: &str) -> String {
        let root = api_root(&self.group, &self.version);
        if self.namespaced && !namespace.is_empty() {
            format!("{root}/namespaces/{namespace}/{}", self.plural)
        } else {
            format!("{root}/{}", self.plural)
        }
    }
}

pub(crate) const NAMESPACES: ApiResource = ApiResource::known(names::NAMESPACES);
pub(crate) const NETWORK_POLICIES: ApiResource = ApiResource::known(names::NETWORK_POLICIES);
pub(crate) const NODES: ApiResource = ApiResource::known(names::NODES);
pub(crate) const PODS: ApiResource = ApiResource::known(names::PODS);
pub(crate) const SERVICES: ApiResource = ApiResource::known(names::SERVICES);
pub(crate) const ENDPOINTS: ApiResource = ApiResource::known(names::ENDPOINTS);
pub(crate) const EVENTS: ApiResource = ApiResource::known(names::EVENTS);
pub(crate) const CONFIGMAPS: ApiResource = ApiResource::known(names::CONFIGMAPS);
pub(crate) const SECRETS: ApiResource = ApiResource::known(names::SECRETS);
pub(crate) const SERVICEACCOUNTS: ApiResource = ApiResource::known(names::SERVICEACCOUNTS);
pub(crate) const CLAIMS: ApiResource = ApiResource::known(names::CLAIMS);
pub(crate) const VOLUMES: ApiResource = ApiResource::known(names::VOLUMES);
pub(crate) const REPLICATION_CONTROLLERS: ApiResource = ApiResource::known(names::REPLICATION_CONTROLLERS);
pub(crate) const DEPLOYMENTS: ApiResource = ApiResource::known(names::DEPLOYMENTS);
pub(crate) const REPLICASETS: ApiResource = ApiResource::known(names::REPLICASETS);
pub(crate) const STATEFULSETS: ApiResource = ApiResource::known(names::STATEFULSETS);
pub(crate) const DAEMONSETS: ApiResource = ApiResource::known(names::DAEMONSETS);
pub(crate) const REVISIONS: ApiResource = ApiResource::known(names::REVISIONS);
pub(crate) const JOBS: ApiResource = ApiResource::known(names::JOBS);
pub(crate) const CRONJOBS: ApiResource = ApiResource::known(names::CRONJOBS);
pub(crate) const ENDPOINT_SLICES: ApiResource = ApiResource::known(names::ENDPOINT_SLICES);
pub(crate) const LEASES: ApiResource = ApiResource::known(names::LEASES);
pub(crate) const QUOTAS: ApiResource = ApiResource::known(names::QUOTAS);
pub(crate) const AUTOSCALERS: ApiResource = ApiResource::known(names::AUTOSCALERS);
pub(crate) const BUDGETS: ApiResource = ApiResource::known(names::BUDGETS);
pub(crate) const STORAGE_CLASSES: ApiResource = ApiResource::known(names::STORAGE_CLASSES);
pub(crate) const SIGNING_REQUESTS: ApiResource = ApiResource::known(names::SIGNING_REQUESTS);
pub(crate) const CLUSTER_ROLES: ApiResource = ApiResource::known(names::CLUSTER_ROLES);
