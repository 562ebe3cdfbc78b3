//! What a custom resource's version adds to a built-in one.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::cel::rules::Rules;

/// What a custom resource's version adds to a plain one.
#[derive(Debug)]
pub struct CustomVersion {
    /// Its definition is on its way out: no new objects.
    pub terminating: bool,
    pub schema: Arc<Value>,
    /// Of all versions of the definition, by `apiVersion`.
    pub schemas: Arc<BTreeMap<String, Arc<Value>>>,
    /// `None` where the versions differ in their names only.
    pub conversion: Option<Conversion>,
    pub has_rules: bool,
    /// Compiled when the first object of this version is written.
    pub rules: OnceLock<Option<Rules>>,
    pub columns: Vec<Value>,
    /// Fields that selectors may name, without the leading dot.
    pub selectable: Vec<String>,
    /// What its users read if it is on its way out.
    pub deprecated: Option<String>,
}

/// The webhook that turns objects of one version into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// Its `clientConfig`.
    pub client: Value,
    /// Of a `ConversionReview`, the first that it knows.
    pub review_versions: Vec<String>,
}

impl CustomVersion {
    /// The schema of an `apiVersion`; this one's where the definition does not know it any more.
    pub fn schema_of(&self, version: &str) -> &Arc<Value> {
        self.schemas.get(version).unwrap_or(&self.schema)
    }

    /// The schema's own rules.
    pub fn rules(&self) -> Option<&Rules> {
        self.rules.get_or_init(|| Rules::new(&self.schema)).as_ref()
    }
}
