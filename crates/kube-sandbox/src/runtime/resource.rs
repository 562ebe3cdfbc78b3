//! Which resource a request is about.

use std::borrow::Cow;

use kube_etcd_codec::names::{self, Name};
use kube_etcd_codec::{api_root, builtin, join_group};

/// A kind as the API serves it. Those known here are constants; the rest comes from discovery.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Resource {
    pub(crate) group: Cow<'static, str>,
    pub(crate) version: Cow<'static, str>,
    pub(crate) plural: Cow<'static, str>,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) namespaced: bool,
}

impl Resource {
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

pub(crate) const NAMESPACES: Resource = Resource::known(names::NAMESPACES);
pub(crate) const NODES: Resource = Resource::known(names::NODES);
pub(crate) const PODS: Resource = Resource::known(names::PODS);
pub(crate) const SERVICES: Resource = Resource::known(names::SERVICES);
pub(crate) const ENDPOINTS: Resource = Resource::known(names::ENDPOINTS);
pub(crate) const EVENTS: Resource = Resource::known(names::EVENTS);
pub(crate) const CONFIGMAPS: Resource = Resource::known(names::CONFIGMAPS);
pub(crate) const SECRETS: Resource = Resource::known(names::SECRETS);
pub(crate) const SERVICEACCOUNTS: Resource = Resource::known(names::SERVICEACCOUNTS);
pub(crate) const CLAIMS: Resource = Resource::known(names::CLAIMS);
pub(crate) const VOLUMES: Resource = Resource::known(names::VOLUMES);
pub(crate) const REPLICATION_CONTROLLERS: Resource = Resource::known(names::REPLICATION_CONTROLLERS);
pub(crate) const DEPLOYMENTS: Resource = Resource::known(names::DEPLOYMENTS);
pub(crate) const REPLICASETS: Resource = Resource::known(names::REPLICASETS);
pub(crate) const STATEFULSETS: Resource = Resource::known(names::STATEFULSETS);
pub(crate) const DAEMONSETS: Resource = Resource::known(names::DAEMONSETS);
pub(crate) const REVISIONS: Resource = Resource::known(names::REVISIONS);
pub(crate) const JOBS: Resource = Resource::known(names::JOBS);
pub(crate) const CRONJOBS: Resource = Resource::known(names::CRONJOBS);
pub(crate) const ENDPOINT_SLICES: Resource = Resource::known(names::ENDPOINT_SLICES);
pub(crate) const LEASES: Resource = Resource::known(names::LEASES);
pub(crate) const QUOTAS: Resource = Resource::known(names::QUOTAS);
pub(crate) const AUTOSCALERS: Resource = Resource::known(names::AUTOSCALERS);
pub(crate) const BUDGETS: Resource = Resource::known(names::BUDGETS);
pub(crate) const STORAGE_CLASSES: Resource = Resource::known(names::STORAGE_CLASSES);
pub(crate) const SIGNING_REQUESTS: Resource = Resource::known(names::SIGNING_REQUESTS);
pub(crate) const CLUSTER_ROLES: Resource = Resource::known(names::CLUSTER_ROLES);
