//! Which resource a request is about.

use std::borrow::Cow;

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
    const fn known(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        kind: &'static str,
        namespaced: bool,
    ) -> Self {
        Self {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            plural: Cow::Borrowed(plural),
            kind: Cow::Borrowed(kind),
            namespaced,
        }
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_string() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The path of the collection: of one namespace, or of all where `namespace` is empty.
    pub(crate) fn path(&self, namespace: &str) -> String {
        let root = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        if self.namespaced && !namespace.is_empty() {
            format!("{root}/namespaces/{namespace}/{}", self.plural)
        } else {
            format!("{root}/{}", self.plural)
        }
    }
}

pub(crate) const NAMESPACES: Resource = Resource::known("", "v1", "namespaces", "Namespace", false);
pub(crate) const NODES: Resource = Resource::known("", "v1", "nodes", "Node", false);
pub(crate) const PODS: Resource = Resource::known("", "v1", "pods", "Pod", true);
pub(crate) const SERVICES: Resource = Resource::known("", "v1", "services", "Service", true);
pub(crate) const ENDPOINTS: Resource = Resource::known("", "v1", "endpoints", "Endpoints", true);
pub(crate) const EVENTS: Resource = Resource::known("", "v1", "events", "Event", true);
pub(crate) const CONFIGMAPS: Resource = Resource::known("", "v1", "configmaps", "ConfigMap", true);
pub(crate) const SECRETS: Resource = Resource::known("", "v1", "secrets", "Secret", true);
pub(crate) const SERVICEACCOUNTS: Resource = Resource::known("", "v1", "serviceaccounts", "ServiceAccount", true);
pub(crate) const CLAIMS: Resource = Resource::known("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true);
pub(crate) const VOLUMES: Resource = Resource::known("", "v1", "persistentvolumes", "PersistentVolume", false);
pub(crate) const REPLICATION_CONTROLLERS: Resource =
    Resource::known("", "v1", "replicationcontrollers", "ReplicationController", true);
pub(crate) const DEPLOYMENTS: Resource = Resource::known("apps", "v1", "deployments", "Deployment", true);
pub(crate) const REPLICASETS: Resource = Resource::known("apps", "v1", "replicasets", "ReplicaSet", true);
pub(crate) const STATEFULSETS: Resource = Resource::known("apps", "v1", "statefulsets", "StatefulSet", true);
pub(crate) const DAEMONSETS: Resource = Resource::known("apps", "v1", "daemonsets", "DaemonSet", true);
pub(crate) const REVISIONS: Resource = Resource::known("apps", "v1", "controllerrevisions", "ControllerRevision", true);
pub(crate) const JOBS: Resource = Resource::known("batch", "v1", "jobs", "Job", true);
pub(crate) const CRONJOBS: Resource = Resource::known("batch", "v1", "cronjobs", "CronJob", true);
pub(crate) const ENDPOINT_SLICES: Resource =
    Resource::known("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true);
pub(crate) const LEASES: Resource = Resource::known("coordination.k8s.io", "v1", "leases", "Lease", true);
pub(crate) const QUOTAS: Resource = Resource::known("", "v1", "resourcequotas", "ResourceQuota", true);
pub(crate) const AUTOSCALERS: Resource =
    Resource::known("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true);
pub(crate) const BUDGETS: Resource =
    Resource::known("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true);
pub(crate) const STORAGE_CLASSES: Resource =
    Resource::known("storage.k8s.io", "v1", "storageclasses", "StorageClass", false);
pub(crate) const SIGNING_REQUESTS: Resource =
    Resource::known("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", false);
pub(crate) const CLUSTER_ROLES: Resource =
    Resource::known("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false);
