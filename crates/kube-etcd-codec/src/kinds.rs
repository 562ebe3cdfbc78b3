//! One table of every kind that Kubernetes itself stores or serves. The store, discovery, the printers
//! and the parser all stand on its rows.

use crate::lookup::join_group;

/// How a kind's objects lie in etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// In the `k8s\0` envelope.
    Protobuf,
    /// As text: kinds of the extension API servers.
    Json,
    /// Answered, never stored: reviews, bindings.
    Virtual,
}

/// The scale subresource: where an object keeps its number of replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// A JSON pointer to the wanted number.
    pub spec: &'static str,
    /// A JSON pointer to the counted number.
    pub status: &'static str,
    /// A JSON pointer to the selector.
    pub selector: &'static str,
}

const REPLICAS: Scale = Scale { spec: "/spec/replicas", status: "/status/replicas", selector: "/spec/selector" };

/// A row of the table of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one property of a kind")]
pub struct Kind {
    /// Empty for the core group.
    pub group: &'static str,
    /// The version that new values are stored in.
    pub stored: &'static str,
    /// The versions that are served, the preferred one first; empty for what only etcd holds.
    pub served: &'static [&'static str],
    /// `Deployment`.
    pub kind: &'static str,
    /// `deployments`.
    pub plural: &'static str,
    /// `deploy`.
    pub short_names: &'static [&'static str],
    /// `all`, where `kubectl get all` shows it.
    pub categories: &'static [&'static str],
    /// Whether its objects lie in namespaces.
    pub namespaced: bool,
    /// What follows `/registry/` in its keys, without slashes around it.
    pub folder: &'static str,
    /// How its objects are stored, if at all.
    pub storage: Storage,
    /// Verbs of the kind itself, as discovery names them.
    pub verbs: &'static [&'static str],
    /// JSON pointers of the parts whose text is never written anywhere.
    pub secret: &'static [&'static str],
    /// Whether it has the subresource `status`.
    pub status: bool,
    /// Its subresource `scale`.
    pub scale: Option<Scale>,
    /// Whether `metadata.generation` counts the changes of what is wanted.
    pub generation: bool,
    /// Whether a PUT makes an object that is not there.
    pub put_creates: bool,
    /// Whether a deletion is answered with the object, not with a `Status`.
    pub returned: bool,
}

/// What most kinds allow.
pub const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const ALL: &[&str] = &["all"];
const EXTENSIONS: &[&str] = &["api-extensions"];

impl Kind {
    /// The name of one, in small letters.
    pub fn singular(&self) -> String {
        self.kind.to_lowercase()
    }

    /// Whether kubectl takes the word for this kind: `deployments`, `deployment`, `Deployment` or `deploy`.
    pub fn is_called(&self, word: &str) -> bool {
        self.plural == word || self.kind.eq_ignore_ascii_case(word) || self.short_names.contains(&word)
    }

    /// `apps/v1`, or `v1` in the core group.
    pub fn api_version(&self) -> String {
        join_group(self.group, self.stored)
    }

    /// `deployments.apps`, or `pods` in the core group: as error messages name it.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The key of one object, under the cluster's prefix (`/registry`).
    pub fn key_of(&self, prefix: &str, namespace: Option<&str>, name: &str) -> String {
        match namespace {
            Some(namespace) if self.namespaced => format!("{prefix}/{}/{namespace}/{name}", self.folder),
            _ => format!("{prefix}/{}/{name}", self.folder),
        }
    }

    /// The prefix of the keys of all objects, or of those of one namespace; it ends in a slash.
    pub fn keys_of(&self, prefix: &str, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) if self.namespaced => format!("{prefix}/{}/{namespace}/", self.folder),
            _ => format!("{prefix}/{}/", self.folder),
        }
    }

    /// Whether etcd holds objects of it.
    pub fn is_stored(&self) -> bool {
        self.storage != Storage::Virtual
    }

    const fn short(mut self, names: &'static [&'static str]) -> Self {
        self.short_names = names;
        self
    }

    const fn within(mut self, categories: &'static [&'static str]) -> Self {
        self.categories = categories;
        self
    }

    const fn at(mut self, folder: &'static str) -> Self {
        self.folder = folder;
        self
    }

    const fn json(mut self) -> Self {
        self.storage = Storage::Json;
        self
    }

    const fn with_status(mut self) -> Self {
        self.status = true;
        self
    }

    const fn scaled(mut self) -> Self {
        self.scale = Some(REPLICAS);
        self
    }

    const fn counted(mut self) -> Self {
        self.generation = true;
        self
    }

    const fn put_creates(mut self) -> Self {
        self.put_creates = true;
        self
    }

    const fn returned(mut self) -> Self {
        self.returned = true;
        self
    }

    const fn verbs(mut self, verbs: &'static [&'static str]) -> Self {
        self.verbs = verbs;
        self
    }

    const fn unstored(mut self, verbs: &'static [&'static str]) -> Self {
        self.storage = Storage::Virtual;
        self.verbs = verbs;
        self
    }

    const fn stored_as(mut self, version: &'static str) -> Self {
        self.stored = version;
        self
    }

    const fn serving(mut self, versions: &'static [&'static str]) -> Self {
        self.served = versions;
        self
    }

    const fn hiding(mut self, pointers: &'static [&'static str]) -> Self {
        self.secret = pointers;
        self
    }
}

const fn row(group: &'static str, kind: &'static str, plural: &'static str, namespaced: bool) -> Kind {
    Kind {
        group,
        stored: "v1",
        served: &["v1"],
        kind,
        plural,
        short_names: &[],
        categories: &[],
        namespaced,
        folder: plural,
        storage: Storage::Protobuf,
        verbs: VERBS,
        secret: &[],
        status: false,
        scale: None,
        generation: false,
        put_creates: false,
        returned: false,
    }
}

const fn namespaced(group: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    row(group, kind, plural, true)
}

const fn global(group: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    row(group, kind, plural, false)
}

const CREATE: &[&str] = &["create"];

/// kubectl copies what was applied into this annotation, a Secret's data with it.
const SECRET_PARTS: &[&str] =
    &["/data", "/stringData", "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"];

/// Every kind, groups in the order of `/apis` (which decides what a bare plural means), plurals
/// in alphabetical order within a group.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    namespaced("", "Binding", "bindings").unstored(CREATE),
    global("", "ComponentStatus", "componentstatuses").short(&["cs"]).unstored(&["get", "list"]),
    namespaced("", "ConfigMap", "configmaps").short(&["cm"]),
    namespaced("", "Endpoints", "endpoints").short(&["ep"]).at("services/endpoints").put_creates(),
    namespaced("", "Event", "events").short(&["ev"]).put_creates(),
    namespaced("", "LimitRange", "limitranges").short(&["limits"]).put_creates(),
    global("", "Namespace", "namespaces").short(&["ns"]).with_status()
        .verbs(&["create", "delete", "get", "list", "patch", "update", "watch"]),
    global("", "Node", "nodes").short(&["no"]).at("minions").with_status(),
    namespaced("", "PersistentVolumeClaim", "persistentvolumeclaims").short(&["pvc"]).with_status().returned(),
    global("", "PersistentVolume", "persistentvolumes").short(&["pv"]).with_status().returned(),
    namespaced("", "Pod", "pods").short(&["po"]).within(ALL).with_status().counted().returned(),
    namespaced("", "PodTemplate", "podtemplates").counted().returned(),
    namespaced("", "ReplicationController", "replicationcontrollers").short(&["rc"]).within(ALL)
        .at("controllers").with_status().scaled().counted(),
    namespaced("", "ResourceQuota", "resourcequotas").short(&["quota"]).with_status().put_creates().returned(),
    namespaced("", "Secret", "secrets").hiding(SECRET_PARTS),
    namespaced("", "ServiceAccount", "serviceaccounts").short(&["sa"]).returned(),
    namespaced("", "Service", "services").short(&["svc"]).within(ALL).at("services/specs").with_status()
        .put_creates().returned(),
    // Held in etcd only: which API servers live, which ports and addresses are taken.
    global("", "Endpoints", "masterleases").serving(&[]),
    global("", "Endpoints", "peerserverleases").serving(&[]),
    global("", "RangeAllocation", "ranges").serving(&[]),

    global("apiregistration.k8s.io", "APIService", "apiservices").within(EXTENSIONS)
        .at("apiregistration.k8s.io/apiservices").json().with_status(),

    namespaced("apps", "ControllerRevision", "controllerrevisions"),
    namespaced("apps", "DaemonSet", "daemonsets").short(&["ds"]).within(ALL).with_status().counted(),
    namespaced("apps", "Deployment", "deployments").short(&["deploy"]).within(ALL).with_status().scaled().counted(),
    namespaced("apps", "ReplicaSet", "replicasets").short(&["rs"]).within(ALL).with_status().scaled().counted(),
    namespaced("apps", "StatefulSet", "statefulsets").short(&["sts"]).within(ALL).with_status().scaled().counted(),

    // The same objects as the core group's events, under the same keys.
    namespaced("events.k8s.io", "Event", "events").short(&["ev"]).put_creates(),

    global("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews").unstored(CREATE),
    global("authentication.k8s.io", "TokenReview", "tokenreviews").unstored(CREATE),

    namespaced("authorization.k8s.io", "LocalSubjectAccessReview", "localsubjectaccessreviews").unstored(CREATE),
    global("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews").unstored(CREATE),
    global("authorization.k8s.io", "SelfSubjectRulesReview", "selfsubjectrulesreviews").unstored(CREATE),
    global("authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews").unstored(CREATE),

    namespaced("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers").short(&["hpa"]).within(ALL)
        .stored_as("v2").serving(&["v2", "v1"]).with_status(),

    namespaced("batch", "CronJob", "cronjobs").short(&["cj"]).within(ALL).with_status().counted(),
    namespaced("batch", "Job", "jobs").within(ALL).with_status().counted(),

    global("certificates.k8s.io", "CertificateSigningRequest", "certificatesigningrequests").short(&["csr"])
        .with_status(),

    global("networking.k8s.io", "IngressClass", "ingressclasses").counted(),
    namespaced("networking.k8s.io", "Ingress", "ingresses").short(&["ing"]).at("ingress").with_status().counted(),
    global("networking.k8s.io", "IPAddress", "ipaddresses").short(&["ip"]),
    namespaced("networking.k8s.io", "NetworkPolicy", "networkpolicies").short(&["netpol"]).counted(),
    global("networking.k8s.io", "ServiceCIDR", "servicecidrs").with_status(),

    namespaced("policy", "PodDisruptionBudget", "poddisruptionbudgets").short(&["pdb"]).with_status().counted(),

    global("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings").put_creates(),
    global("rbac.authorization.k8s.io", "ClusterRole", "clusterroles").put_creates(),
    namespaced("rbac.authorization.k8s.io", "RoleBinding", "rolebindings").put_creates(),
    namespaced("rbac.authorization.k8s.io", "Role", "roles").put_creates(),

    global("storage.k8s.io", "CSIDriver", "csidrivers"),
    global("storage.k8s.io", "CSINode", "csinodes"),
    namespaced("storage.k8s.io", "CSIStorageCapacity", "csistoragecapacities"),
    global("storage.k8s.io", "StorageClass", "storageclasses").short(&["sc"]),
    global("storage.k8s.io", "VolumeAttachment", "volumeattachments").with_status(),
    global("storage.k8s.io", "VolumeAttributesClass", "volumeattributesclasses").short(&["vac"]),

    global("admissionregistration.k8s.io", "MutatingAdmissionPolicy", "mutatingadmissionpolicies").within(EXTENSIONS)
        .counted(),
    global("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings")
        .within(EXTENSIONS).counted(),
    global("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations")
        .within(EXTENSIONS).counted(),
    global("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "validatingadmissionpolicies")
        .within(EXTENSIONS).with_status().counted(),
    global("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings")
        .within(EXTENSIONS).counted(),
    global("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations")
        .within(EXTENSIONS).counted(),

    global("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions").short(&["crd", "crds"])
        .within(EXTENSIONS).at("apiextensions.k8s.io/customresourcedefinitions").json().stored_as("v1beta1")
        .with_status().counted(),

    global("scheduling.k8s.io", "PriorityClass", "priorityclasses").short(&["pc"]).counted().put_creates(),

    namespaced("coordination.k8s.io", "Lease", "leases").put_creates(),

    global("node.k8s.io", "RuntimeClass", "runtimeclasses"),

    namespaced("discovery.k8s.io", "EndpointSlice", "endpointslices").counted(),

    global("resource.k8s.io", "DeviceClass", "deviceclasses").counted(),
    namespaced("resource.k8s.io", "ResourceClaim", "resourceclaims").with_status(),
    namespaced("resource.k8s.io", "ResourceClaimTemplate", "resourceclaimtemplates"),
    global("resource.k8s.io", "ResourceSlice", "resourceslices").counted(),

    global("flowcontrol.apiserver.k8s.io", "FlowSchema", "flowschemas").with_status().counted(),
    global("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", "prioritylevelconfigurations").with_status()
        .counted(),
];

/// The row of a kind that is there for certain: where this is a constant, another name does not compile.
pub const fn builtin(group: &str, plural: &str) -> &'static Kind {
    let mut at = 0;
    while at < KINDS.len() {
        if same(KINDS[at].group, group) && same(KINDS[at].plural, plural) {
            return &KINDS[at];
        }
        at += 1;
    }
    panic!("the table of kinds has no such row")
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
