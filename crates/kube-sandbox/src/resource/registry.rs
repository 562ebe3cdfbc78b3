//! Which resources are served now: the built-in ones, and those of the custom definitions in etcd.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::resource::Resource;
use kube_etcd_codec::kind_by_plural;
use kube_etcd_codec::names::Name;

/// A consistent picture of what is served.
#[derive(Debug, Default)]
pub struct Served {
    pub all: Vec<Arc<Resource>>,
    by_path: HashMap<(String, String, String), Arc<Resource>>,
}

impl Served {
    fn new(all: Vec<Arc<Resource>>) -> Self {
        let by_path =
            all.iter().map(|one| ((one.group.clone(), one.version.clone(), one.plural.clone()), one.clone())).collect();
        Self { all, by_path }
    }

    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        self.by_path.get(&(group.to_owned(), version.to_owned(), plural.to_owned())).cloned()
    }

    /// A built-in one, in its preferred version.
    pub fn known(&self, name: Name<'_>) -> Option<Arc<Resource>> {
        let kind = kind_by_plural(name.group, name.plural)?;
        self.find(name.group, kind.served.first()?, name.plural)
    }

    /// The resource of an object's own `apiVersion` and `kind`.
    pub fn of_kind(&self, group: &str, version: &str, kind: &str) -> Option<Arc<Resource>> {
        self.all.iter().find(|one| one.group == group && one.version == version && one.kind == kind).cloned()
    }

    /// Groups in the order in which discovery lists them, each with its versions in order.
    pub fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for one in &self.all {
            match groups.iter_mut().find(|(group, _)| *group == one.group) {
                Some((_, versions)) if versions.contains(&one.version) => {}
                Some((_, versions)) => versions.push(one.version.clone()),
                None => groups.push((one.group.clone(), vec![one.version.clone()])),
            }
        }
        groups
    }
}

pub struct Registry {
    builtins: Vec<Arc<Resource>>,
    served: RwLock<Arc<Served>>,
}

impl Default for Registry {
    fn default() -> Self {
        let builtins = Resource::builtins();
        Self { served: RwLock::new(Arc::new(Served::new(builtins.clone()))), builtins }
    }
}

impl Registry {
    pub fn served(&self) -> Arc<Served> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves exactly these custom resources from now on.
    pub fn serve_custom(&self, custom: impl IntoIterator<Item = Arc<Resource>>) {
        // A short name that two kinds share is the first group's.
        let mut custom: Vec<_> = custom.into_iter().collect();
        custom.sort_by(|one, other| one.group.cmp(&other.group));
        let all = self.builtins.iter().cloned().chain(custom).collect();
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Served::new(all));
    }
}
