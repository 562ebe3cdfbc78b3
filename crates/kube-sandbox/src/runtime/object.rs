//! What is kept of an object: enough for the controllers, and small, since there may be thousands.

use std::sync::Arc;

use serde_json::Value;

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
}

/// As the log shows it.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        write!(f, "{}{slash}{}", self.namespace, self.name)
    }
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) api_version: Box<str>,
    pub(crate) kind: Box<str>,
    pub(crate) name: Arc<str>,
    pub(crate) uid: Arc<str>,
    pub(crate) controller: bool,
    pub(crate) blocks: bool,
}

/// The parts that are looked at again and again are fields; the rest stays packed until asked for.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) key: Key,
    pub(crate) uid: Arc<str>,
    pub(crate) version: u64,
    pub(crate) labels: Box<[(Box<str>, Box<str>)]>,
    pub(crate) owners: Box<[Owner]>,
    pub(crate) finalizers: Box<[Box<str>]>,
    pub(crate) deleting: bool,
    /// Seconds since 1970.
    pub(crate) created: i64,
    pub(crate) pod: Option<PodFacts>,
    packed: Box<[u8]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodFacts {
    pub(crate) phase: Phase,
    pub(crate) ready: bool,
    pub(crate) ready_since: i64,
    pub(crate) node: Option<Arc<str>>,
    /// Where others gave way for it.
    pub(crate) nominated: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Pending,
    Unknown,
    Running,
    Succeeded,
    Failed,
}

impl Phase {
    pub(crate) fn over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

impl PodFacts {
    fn of(pod: &Value) -> Self {
        let ready = pod["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        Self {
            phase: match pod["status"]["phase"].as_str() {
                Some("Running") => Phase::Running,
                Some("Succeeded") => Phase::Succeeded,
                Some("Failed") => Phase::Failed,
                Some("Unknown") => Phase::Unknown,
                _ => Phase::Pending,
            },
            ready: ready.is_some(),
            ready_since: ready.map_or(0, |condition| seconds(&condition["lastTransitionTime"])),
            node: pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()).map(Into::into),
            nominated: pod["status"]["nominatedNodeName"].as_str().filter(|node| !node.is_empty()).map(Into::into),
        }
    }

    /// Ready for as long as `min_seconds` asks.
    pub(crate) fn available(&self, min_seconds: i64, now: i64) -> bool {
        self.ready && (min_seconds == 0 || self.ready_since + min_seconds <= now)
    }
}

/// A time of the API in seconds since 1970; 0 where there is none.
pub(crate) fn seconds(time: &Value) -> i64 {
    time.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).map_or(0, jiff::Timestamp::as_second)
}

impl Object {
    /// `None` where `value` lacks what every object has.
    pub(crate) fn of(value: Value) -> Option<Self> {
        let mut object = Self::of_metadata(&value)?;
        object.packed = pack(value);
        Some(object)
    }

    /// Without the body: `value()` is null then.
    pub(crate) fn of_metadata(value: &Value) -> Option<Self> {
        let metadata = value.get("metadata")?;
        let text = |field: &str| metadata[field].as_str().unwrap_or_default();
        let labels = metadata["labels"].as_object().into_iter().flatten();
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let finalizers = metadata["finalizers"].as_array().into_iter().flatten();
        Some(Self {
            key: Key::new(text("namespace"), metadata["name"].as_str()?),
            uid: text("uid").into(),
            version: text("resourceVersion").parse().unwrap_or_default(),
            labels: labels
                .map(|(key, value)| (key.as_str().into(), value.as_str().unwrap_or_default().into()))
                .collect(),
            owners: owners
                .map(|owner| Owner {
                    api_version: owner["apiVersion"].as_str().unwrap_or_default().into(),
                    kind: owner["kind"].as_str().unwrap_or_default().into(),
                    name: owner["name"].as_str().unwrap_or_default().into(),
                    uid: owner["uid"].as_str().unwrap_or_default().into(),
                    controller: owner["controller"] == true,
                    blocks: owner["blockOwnerDeletion"] == true,
                })
                .collect(),
            finalizers: finalizers.filter_map(Value::as_str).map(Into::into).collect(),
            deleting: metadata.get("deletionTimestamp").is_some_and(|time| !time.is_null()),
            created: seconds(&metadata["creationTimestamp"]),
            pod: (value["kind"] == "Pod").then(|| PodFacts::of(value)),
            packed: Box::default(),
        })
    }

    /// The whole object as it is kept, ready to be changed and written back.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.packed).unwrap_or_default()
    }

    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| &**name == key).map(|(_, value)| &**value)
    }

    pub(crate) fn controller(&self) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.controller)
    }

    pub(crate) fn has_finalizer(&self, name: &str) -> bool {
        self.finalizers.iter().any(|finalizer| &**finalizer == name)
    }
}

/// Managed fields are the server's own book-keeping: an update without them keeps them.
fn pack(mut value: Value) -> Box<[u8]> {
    if let Some(metadata) = value["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    if value["kind"] == "Pod"
        && let Some(spec) = value["spec"].as_object_mut()
    {
        // No controller writes a pod's spec back, and the volume of its token is a third of it.
        if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
            volumes.retain(|volume| {
                volume["projected"]["sources"]
                    .as_array()
                    .is_none_or(|sources| sources.iter().all(|source| source.get("serviceAccountToken").is_none()))
            });
        }
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(container) = container.as_object_mut() {
                    container.retain(|field, value| match field.as_str() {
                        "terminationMessagePath" => *value != "/dev/termination-log",
                        "terminationMessagePolicy" => *value != "File",
                        _ => true,
                    });
                }
            }
        }
    }
    value.to_string().into_bytes().into_boxed_slice()
}
