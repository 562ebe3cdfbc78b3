//! What is known of admission policies, webhooks and namespaces, so that a write pays for neither looking nor compiling.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::cel::policy::Policy;
use crate::resource::Resource;
use crate::store::Ground;

pub(super) const GROUP: &str = "admissionregistration.k8s.io";
pub(super) const POLICIES: &str = "validatingadmissionpolicies";
pub(super) const BINDINGS: &str = "validatingadmissionpolicybindings";
pub(super) const MUTATING: &str = "mutatingadmissionpolicies";
pub(super) const MUTATING_BINDINGS: &str = "mutatingadmissionpolicybindings";
pub(super) const VALIDATING_WEBHOOKS: &str = "validatingwebhookconfigurations";
pub(super) const MUTATING_WEBHOOKS: &str = "mutatingwebhookconfigurations";

/// What is known of bindings and policies, so that a write pays for neither looking nor compiling.
#[derive(Debug, Default)]
pub struct KnownPolicies {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Counts the writes of bindings and of webhooks' configurations.
    writes: u64,
    /// By their plural: whether there are none, as of that many writes.
    none: HashMap<&'static str, u64>,
    /// Compiled policies by their identity, with the version that they were compiled from.
    compiled: HashMap<String, (String, Arc<Policy>)>,
}

impl KnownPolicies {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called when an object was written.
    pub fn changed(&self, resource: &Resource) {
        let counted = [BINDINGS, MUTATING_BINDINGS, VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS];
        if resource.group == GROUP && counted.contains(&resource.plural.as_str()) {
            self.known().writes += 1;
        }
    }

    pub(super) fn writes(&self) -> u64 {
        self.known().writes
    }

    pub(super) fn is_empty(&self, bindings: &'static str) -> bool {
        let known = self.known();
        known.none.get(bindings) == Some(&known.writes)
    }

    /// There were no bindings when they were listed, which was begun as of so many writes: what was written meanwhile
    /// may not be in the list.
    pub(super) fn found_none(&self, bindings: &'static str, writes: u64) {
        self.known().none.insert(bindings, writes);
    }

    pub(super) fn compiled(&self, id: &str, of: &str) -> Option<Arc<Policy>> {
        let known = self.known();
        let (version, compiled) = known.compiled.get(id)?;
        (version == of).then(|| Arc::clone(compiled))
    }

    pub(super) fn keep(&self, id: &str, version: &str, compiled: &Arc<Policy>) {
        const MOST: usize = 500;
        let mut known = self.known();
        if known.compiled.len() >= MOST {
            known.compiled.clear();
        }
        known.compiled.insert(id.to_owned(), (version.to_owned(), Arc::clone(compiled)));
    }
}

/// Namespaces as they were last read: open, and without a quota. A write that rests on one says so to etcd, which knows
/// whether it is still so.
#[derive(Debug, Default)]
pub struct KnownNamespaces(Mutex<HashMap<String, OpenNamespace>>);

#[derive(Debug, Clone)]
pub struct OpenNamespace {
    pub object: Arc<Value>,
    /// What a write that rests on it rests on.
    pub ground: Vec<Ground>,
}

impl KnownNamespaces {
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, OpenNamespace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, name: &str) -> Option<OpenNamespace> {
        self.known().get(name).cloned()
    }

    pub(super) fn keep(&self, name: &str, open: OpenNamespace) {
        const MOST: usize = 500;
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(name.to_owned(), open);
    }

    pub(super) fn forget(&self, name: &str) {
        self.known().remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A binding written while the bindings are listed may not be in the list.
    #[test]
    fn a_binding_written_during_a_reload_is_not_forgotten() {
        let resources = Resource::builtins();
        let bindings =
            resources.iter().find(|one| one.group == GROUP && one.plural == BINDINGS).expect("they are served");
        let bound = KnownPolicies::default();
        assert!(!bound.is_empty(BINDINGS));
        let begun = bound.writes();
        bound.changed(bindings);
        bound.found_none(BINDINGS, begun);
        assert!(!bound.is_empty(BINDINGS));
        bound.found_none(BINDINGS, bound.writes());
        assert!(bound.is_empty(BINDINGS));
        bound.changed(bindings);
        assert!(!bound.is_empty(BINDINGS));
    }
}
