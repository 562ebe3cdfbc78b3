//! The names of the kinds that programs single out: a group and a plural, each of them a row of the table of kinds.

use crate::kinds::builtin;

/// A resource by its group and its plural, in whatever version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name<'a> {
    /// Empty for the core group.
    pub group: &'a str,
    /// `deployments`.
    pub plural: &'a str,
}

macro_rules! names {
    ($($name:ident $group:literal $plural:literal;)+) => {
        $(
            #[doc = concat!("`", $plural, "` of the group `", $group, "`.")]
            pub const $name: Name<'static> = {
                // What the table does not have is an error of the compiler.
                let kind = builtin($group, $plural);
                Name { group: kind.group, plural: kind.plural }
            };
        )+
    };
}

names! {
    PODS "" "pods";
    NAMESPACES "" "namespaces";
    SERVICES "" "services";
    NODES "" "nodes";
    COMPONENT_STATUSES "" "componentstatuses";
    SECRETS "" "secrets";
    EVENTS "" "events";
    NEW_EVENTS "events.k8s.io" "events";
    ENDPOINTS "" "endpoints";
    CONFIGMAPS "" "configmaps";
    SERVICEACCOUNTS "" "serviceaccounts";
    VOLUMES "" "persistentvolumes";
    CLAIMS "" "persistentvolumeclaims";
    REPLICATION_CONTROLLERS "" "replicationcontrollers";
    QUOTAS "" "resourcequotas";
    LIMIT_RANGES "" "limitranges";
    POD_TEMPLATES "" "podtemplates";
    DEPLOYMENTS "apps" "deployments";
    REPLICASETS "apps" "replicasets";
    STATEFULSETS "apps" "statefulsets";
    DAEMONSETS "apps" "daemonsets";
    REVISIONS "apps" "controllerrevisions";
    JOBS "batch" "jobs";
    CRONJOBS "batch" "cronjobs";
    ENDPOINT_SLICES "discovery.k8s.io" "endpointslices";
    LEASES "coordination.k8s.io" "leases";
    AUTOSCALERS "autoscaling" "horizontalpodautoscalers";
    BUDGETS "policy" "poddisruptionbudgets";
    STORAGE_CLASSES "storage.k8s.io" "storageclasses";
    SIGNING_REQUESTS "certificates.k8s.io" "certificatesigningrequests";
    CLUSTER_ROLES "rbac.authorization.k8s.io" "clusterroles";
    DEFINITIONS "apiextensions.k8s.io" "customresourcedefinitions";
    API_SERVICES "apiregistration.k8s.io" "apiservices";
    PRIORITY_CLASSES "scheduling.k8s.io" "priorityclasses";
    RUNTIME_CLASSES "node.k8s.io" "runtimeclasses";
    ADDRESSES "networking.k8s.io" "ipaddresses";
    INGRESS_CLASSES "networking.k8s.io" "ingressclasses";
    INGRESSES "networking.k8s.io" "ingresses";
    NETWORK_POLICIES "networking.k8s.io" "networkpolicies";
}
