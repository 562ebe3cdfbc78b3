//! One served resource in one version: a row of the table of kinds, or a custom one.

pub mod custom;
pub mod registry;
pub mod shape;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::resource::custom::CustomVersion;
use kube_etcd_codec::names::{self, Name};
use kube_etcd_codec::{KINDS, Kind, Storage, join_group};

#[derive(Debug, Clone)]
pub struct Resource {
    /// Empty for the core group.
    pub group: String,
    /// The version of this endpoint.
    pub version: String,
    /// The version that is stored.
    pub stored: String,
    pub kind: String,
    pub list_kind: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    /// What follows `/registry/` in its keys.
    pub folder: String,
    pub verbs: Vec<String>,
    pub status: bool,
    /// JSON pointers of the scale subresource: wanted, counted, selector.
    pub scale: Option<ScalePaths>,
    pub builtin: Option<&'static Kind>,
    pub custom: Option<Arc<CustomVersion>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalePaths {
    pub spec: String,
    pub status: String,
    pub selector: Option<String>,
}

impl Resource {
    fn of_kind(kind: &'static Kind, version: &str) -> Self {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Self {
            group: kind.group.to_owned(),
            version: version.to_owned(),
            stored: kind.stored.to_owned(),
            kind: kind.kind.to_owned(),
            list_kind: format!("{}List", kind.kind),
            plural: kind.plural.to_owned(),
            singular: kind.singular(),
            short_names: owned(kind.short_names),
            categories: owned(kind.categories),
            namespaced: kind.namespaced,
            folder: kind.folder.to_owned(),
            verbs: owned(kind.verbs),
            status: kind.status,
            scale: kind.scale.map(|scale| ScalePaths {
                spec: scale.spec.to_owned(),
                status: scale.status.to_owned(),
                selector: Some(scale.selector.to_owned()),
            }),
            builtin: Some(kind),
            custom: None,
        }
    }

    /// Every resource that Kubernetes itself serves, in the table's order.
    pub fn builtins() -> Vec<Arc<Self>> {
        KINDS
            .iter()
            .flat_map(|kind| kind.served.iter().map(move |version| Arc::new(Self::of_kind(kind, version))))
            .collect()
    }

    pub fn api_version(&self) -> String {
        join_group(&self.group, &self.version)
    }

    pub fn stored_api_version(&self) -> String {
        // The objects of events.k8s.io are the core group's, and stored so.
        let group = if self.is(names::NEW_EVENTS) { "" } else { &self.group };
        join_group(group, &self.stored)
    }

    /// Its name whatever the version.
    pub fn name(&self) -> Name<'_> {
        Name { group: &self.group, plural: &self.plural }
    }

    pub fn is(&self, name: Name<'_>) -> bool {
        self.name() == name
    }

    pub fn is_stored(&self) -> bool {
        self.builtin.is_none_or(|kind| kind.storage != Storage::Virtual)
    }

    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    /// `deployments.apps`, as messages name it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `Deployment.apps`, as messages name it.
    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// A Status' details. Their `kind` is the plural, as Kubernetes has it.
    pub fn details(&self, name: &str) -> Value {
        let mut details = json!({"kind": self.plural});
        if !name.is_empty() {
            details["name"] = json!(name);
        }
        if !self.group.is_empty() {
            details["group"] = json!(self.group);
        }
        details
    }

    /// Whether `metadata.generation` counts the changes of what is wanted.
    pub fn counts_generations(&self) -> bool {
        self.builtin.is_none_or(|kind| kind.generation)
    }
}
