//! Which resource a request is about.

use std::borrow::Cow;

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
    const fn known(group: &str, plural: &str) -> Self {
        let kind = builtin(group, plural);
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

pub(crate) const NAMESPACES: Resource = Resource::known("", "namespaces");
pub(crate) const NODES: Resource = Resource::known("", "nodes");
pub(crate) const PODS: Resource = Resource::known("", "pods");
pub(crate) const SERVICES: Resource = Resource::known("", "services");
pub(crate) const ENDPOINTS: Resource = Resource::known("", "endpoints");
pub(crate) const EVENTS: Resource = Resource::known("", "events");
pub(crate) const CONFIGMAPS: Resource = Resource::known("", "configmaps");
pub(crate) const SECRETS: Resource = Resource::known("", "secrets");
pub(crate) const SERVICEACCOUNTS: Resource = Resource::known("", "serviceaccounts");
pub(crate) const CLAIMS: Resource = Resource::known("", "persistentvolumeclaims");
pub(crate) const VOLUMES: Resource = Resource::known("", "persistentvolumes");
pub(crate) const REPLICATION_CONTROLLERS: Resource = Resource::known("", "replicationcontrollers");
pub(crate) const DEPLOYMENTS: Resource = Resource::known("apps", "deployments");
pub(crate) const REPLICASETS: Resource = Resource::known("apps", "replicasets");
pub(crate) const STATEFULSETS: Resource = Resource::known("apps", "statefulsets");
pub(crate) const DAEMONSETS: Resource = Resource::known("apps", "daemonsets");
pub(crate) const REVISIONS: Resource = Resource::known("apps", "controllerrevisions");
pub(crate) const JOBS: Resource = Resource::known("batch", "jobs");
pub(crate) const CRONJOBS: Resource = Resource::known("batch", "cronjobs");
pub(crate) const ENDPOINT_SLICES: Resource = Resource::known("discovery.k8s.io", "endpointslices");
pub(crate) const LEASES: Resource = Resource::known("coordination.k8s.io", "leases");
pub(crate) const QUOTAS: Resource = Resource::known("", "resourcequotas");
pub(crate) const AUTOSCALERS: Resource = Resource::known("autoscaling", "horizontalpodautoscalers");
pub(crate) const BUDGETS: Resource = Resource::known("policy", "poddisruptionbudgets");
pub(crate) const STORAGE_CLASSES: Resource = Resource::known("storage.k8s.io", "storageclasses");
pub(crate) const SIGNING_REQUESTS: Resource = Resource::known("certificates.k8s.io", "certificatesigningrequests");
pub(crate) const CLUSTER_ROLES: Resource = Resource::known("rbac.authorization.k8s.io", "clusterroles");
