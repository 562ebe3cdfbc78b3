//! One table of every kind that Kubernetes itself stores or serves. The store, discovery, the printers
//! and the parser all stand on its rows.

use std::collections::HashMap;
use std::sync::LazyLock;

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

/// What an etcd key names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// `None` for a custom resource: its schema is the cluster's own.
    pub kind: Option<&'static Kind>,
    /// Empty for the core group.
    pub group: String,
    /// The resource's plural.
    pub plural: String,
    /// Of an object that lies in one.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
}

type Index<K> = LazyLock<HashMap<K, &'static Kind>>;

// The first row wins, so that `events` is the core group's and `Endpoints` the one that is served.
fn index<K: std::hash::Hash + Eq>(key: impl Fn(&'static Kind) -> K) -> HashMap<K, &'static Kind> {
    let mut map = HashMap::new();
    for kind in KINDS {
        map.entry(key(kind)).or_insert(kind);
    }
    map
}

static BY_KIND: Index<(&str, &str)> = LazyLock::new(|| index(|kind| (kind.group, kind.kind)));
static BY_PLURAL: Index<(&str, &str)> = LazyLock::new(|| index(|kind| (kind.group, kind.plural)));
static BY_FOLDER: Index<&str> =
    LazyLock::new(|| index(|kind| kind.folder).into_iter().filter(|(_, kind)| kind.is_stored()).collect());

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

/// The row of `group` (empty for core) and `kind` (`Deployment`).
pub fn kind_by_kind(group: &str, kind: &str) -> Option<&'static Kind> {
    BY_KIND.get(&(group, kind)).copied()
}

/// The row of `group` (empty for core) and `plural` (`deployments`).
pub fn kind_by_plural(group: &str, plural: &str) -> Option<&'static Kind> {
    BY_PLURAL.get(&(group, plural)).copied()
}

/// The row that an object's own `apiVersion` and `kind` name, whatever the version.
pub fn kind_by_api_version(api_version: &str, kind: &str) -> Option<&'static Kind> {
    kind_by_kind(split_group(api_version).0, kind)
}

/// The row of the folder that a path under the prefix starts with (`minions/n1`,
/// `services/specs/default/web`), and what of the path is left.
pub fn kind_by_folder(path: &str) -> Option<(&'static Kind, &str)> {
    let path = path.trim_start_matches('/');
    let mut segments = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let first = segments.next()?;
    let second = segments.next();
    [Some(first), second].into_iter().flatten().find_map(|end| {
        let kind = BY_FOLDER.get(&path[..end])?;
        Some((*kind, path[end..].trim_start_matches('/')))
    })
}

/// Whether Kubernetes itself keeps keys whose first segment after `/registry/` is this one.
/// Custom resources lie under their group, which has a dot.
pub fn known_folder(segment: &str) -> bool {
    first_folders().any(|folder| folder == segment)
}

/// The first segments that [`known_folder`] knows, for suggestions.
pub fn first_folders() -> impl Iterator<Item = &'static str> {
    KINDS.iter().filter(|kind| kind.is_stored()).filter_map(|kind| kind.folder.split('/').next())
}

/// What a key under `prefix` (`/registry`) names; `None` for a folder or a foreign key.
pub fn by_key(prefix: &str, key: &str) -> Option<Resource> {
    let path = key.strip_prefix(prefix)?.strip_prefix('/')?;
    if let Some((kind, rest)) = kind_by_folder(path) {
        let (namespace, name) = match rest.split_once('/') {
            Some((namespace, name)) if kind.namespaced => (Some(namespace), name),
            None if !kind.namespaced => (None, rest),
            _ => return None,
        };
        let resource = |namespace: Option<&str>, name: &str| Resource {
            kind: Some(kind),
            group: kind.group.to_owned(),
            plural: kind.plural.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        return (!name.is_empty() && !name.contains('/')).then(|| resource(namespace, name));
    }
    let mut segments = path.split('/');
    let group = segments.next().filter(|group| group.contains('.'))?;
    let plural = segments.next()?;
    let rest: Vec<&str> = segments.collect();
    let (namespace, name) = match rest[..] {
        [namespace, name] => (Some(namespace), name),
        [name] => (None, name),
        _ => return None,
    };
    (!name.is_empty()).then(|| Resource {
        kind: None,
        group: group.to_owned(),
        plural: plural.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    })
}

/// `apps/v1` into its group and version; the core group's is empty.
pub fn split_group(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// `/api/v1`, `/apis/apps/v1`: where the resources of a group's version are served.
pub fn api_root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
}

/// The end of the range of all keys that begin with `prefix`; of all keys where it is empty.
pub fn prefix_end(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

/// A group and version as `apiVersion` has them.
pub fn join_group(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod tests;
