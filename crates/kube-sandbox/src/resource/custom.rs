//! What a custom resource's version adds to a built-in one.

use std::sync::OnceLock;

use serde_json::Value;

use crate::cel::rules::Rules;

/// What a custom resource's version adds to a plain one.
#[derive(Debug)]
pub struct CustomVersion {
    /// Its definition is on its way out: no new objects.
    pub terminating: bool,
    pub schema: Value,
    pub has_rules: bool,
    /// Compiled when the first object of this version is written.
    pub rules: OnceLock<Option<Rules>>,
    pub columns: Vec<Value>,
    /// Fields that selectors may name, without the leading dot.
    pub selectable: Vec<String>,
    /// What its users are told if it is on its way out.
    pub deprecated: Option<String>,
}

impl CustomVersion {
    /// The schema's own rules.
    pub fn rules(&self) -> Option<&Rules> {
        self.rules.get_or_init(|| Rules::new(&self.schema)).as_ref()
    }
}
