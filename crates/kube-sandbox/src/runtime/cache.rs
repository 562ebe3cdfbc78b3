//! One shared, small view of the API for all controllers, kept by watches and by their own writes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::Value;
use tokio::sync::watch;

use super::{ApiResource, Key, Object};

/// What a store learnt: `old` and `new` are what it held before and holds now.
pub(crate) struct Change {
    pub(crate) old: Option<Arc<Object>>,
    pub(crate) new: Option<Arc<Object>>,
}

impl Change {
    pub(crate) fn either(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.old.iter().chain(self.new.iter())
    }
}

type Listener = Box<dyn Fn(&Change) + Send + Sync>;

/// The objects of one resource.
pub(crate) struct Cache {
    pub(crate) resource: ApiResource,
    /// Whether more than the metadata is kept.
    whole: bool,
    /// One of Kubernetes' own kinds, which this server does not serve.
    absent: AtomicBool,
    inner: Mutex<Inner>,
    listeners: RwLock<Vec<Listener>>,
    synced: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<Key, Arc<Object>>,
    by_owner: HashMap<Arc<str>, BTreeSet<Key>>,
    /// How far the watch has come: what it has reported needs no reminder from a late answer.
    seen: u64,
    /// Deleted by us; the watch may still report their past.
    gone: HashSet<Arc<str>>,
}

impl Inner {
    fn put(&mut self, object: &Arc<Object>) -> Option<Arc<Object>> {
        let old = self.objects.insert(object.key.clone(), Arc::clone(object));
        if let Some(old) = &old {
            self.unlink(old);
        }
        for owner in &object.owners {
            self.by_owner.entry(Arc::clone(&owner.uid)).or_default().insert(object.key.clone());
        }
        old
    }

    fn take(&mut self, key: &Key) -> Option<Arc<Object>> {
        let old = self.objects.remove(key)?;
        self.unlink(&old);
        Some(old)
    }

    fn unlink(&mut self, object: &Object) {
        for owner in &object.owners {
            if let Some(keys) = self.by_owner.get_mut(&owner.uid) {
                keys.remove(&object.key);
                if keys.is_empty() {
                    self.by_owner.remove(&owner.uid);
                }
            }
        }
    }
}

impl Cache {
    pub(crate) fn new(resource: ApiResource) -> Self {
        Self::keeping(resource, true)
    }

    pub(crate) fn of_owners(resource: ApiResource) -> Self {
        Self::keeping(resource, false)
    }

    fn keeping(resource: ApiResource, whole: bool) -> Self {
        Self {
            resource,
            whole,
            absent: AtomicBool::new(false),
            inner: Mutex::default(),
            listeners: RwLock::default(),
            synced: watch::channel(false).0,
        }
    }

    pub(crate) fn listen(&self, listener: impl Fn(&Change) + Send + Sync + 'static) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(listener));
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An object of this store's kind, as it is kept; items of a list carry no kind of their own.
    pub(crate) fn object(&self, mut value: Value) -> Option<Object> {
        let fields = value.as_object_mut()?;
        fields.entry("kind").or_insert_with(|| self.resource.kind.as_ref().into());
        fields.entry("apiVersion").or_insert_with(|| self.resource.api_version().into());
        if self.whole { Object::of(value) } else { Object::of_metadata(&value) }
    }

    fn notify(&self, old: Option<Arc<Object>>, new: Option<Arc<Object>>) {
        let change = Change { old, new };
        for listener in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(&change);
        }
    }

    /// Once the first list is in.
    pub(crate) async fn synced(&self) {
        let mut synced = self.synced.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        drop(synced.wait_for(|synced| *synced).await);
    }

    /// The server does not serve this kind, and never will.
    pub(crate) fn is_absent(&self) -> bool {
        self.absent.load(Ordering::Relaxed)
    }

    pub(crate) fn give_up(&self) {
        self.absent.store(true, Ordering::Relaxed);
        self.synced.send_replace(true);
    }

    /// A whole list: what it lacks is gone.
    pub(crate) fn relist(&self, objects: Vec<Object>, version: u64) {
        let listed: HashSet<Key> = objects.iter().map(|object| object.key.clone()).collect();
        let mut changes = Vec::new();
        {
            let mut inner = self.inner();
            inner.seen = version;
            inner.gone.clear();
            let missing: Vec<Key> = inner.objects.keys().filter(|key| !listed.contains(key)).cloned().collect();
            for key in missing {
                changes.push((inner.take(&key), None));
            }
            for object in objects {
                if inner.objects.get(&object.key).is_none_or(|held| held.version != object.version) {
                    let object = Arc::new(object);
                    changes.push((inner.put(&object), Some(object)));
                }
            }
        }
        for (old, new) in changes {
            self.notify(old, new);
        }
        self.synced.send_replace(true);
    }

    pub(crate) fn watched(&self, object: Object) {
        let (old, new) = {
            let mut inner = self.inner();
            inner.seen = inner.seen.max(object.version);
            let stale = inner.objects.get(&object.key).is_some_and(|held| held.version >= object.version);
            if stale || inner.gone.contains(&object.uid) {
                return;
            }
            let object = Arc::new(object);
            (inner.put(&object), object)
        };
        self.notify(old, Some(new));
    }

    pub(crate) fn watched_delete(&self, object: &Object) {
        let old = {
            let mut inner = self.inner();
            inner.seen = inner.seen.max(object.version);
            inner.gone.remove(&object.uid);
            if inner.objects.get(&object.key).is_some_and(|held| held.version > object.version) {
                return;
            }
            inner.take(&object.key)
        };
        if old.is_some() {
            self.notify(old, None);
        }
    }

    pub(crate) fn progressed(&self, version: u64) {
        let mut inner = self.inner();
        inner.seen = inner.seen.max(version);
    }

    /// What a write of ours answered, so that the next look already sees it.
    pub(crate) fn wrote(&self, value: &Value) {
        let Some(object) = self.object(value.clone()) else { return };
        if object.version <= self.inner().seen {
            return;
        }
        let (old, new) = {
            let mut inner = self.inner();
            let stale = inner.objects.get(&object.key).is_some_and(|held| held.version >= object.version);
            if stale || object.version <= inner.seen || inner.gone.contains(&object.uid) {
                return;
            }
            let object = Arc::new(object);
            (inner.put(&object), object)
        };
        self.notify(old, Some(new));
    }

    /// We deleted it and it is gone at once.
    pub(crate) fn forgot(&self, key: &Key, uid: &str) {
        let old = {
            let mut inner = self.inner();
            if inner.objects.get(key).is_none_or(|held| &*held.uid != uid) {
                return;
            }
            inner.gone.insert(uid.into());
            inner.take(key)
        };
        self.notify(old, None);
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.inner().objects.get(key).cloned()
    }

    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<Arc<Object>> {
        self.get(&Key::new(namespace, name))
    }

    pub(crate) fn owned_by(&self, uid: &str) -> Vec<Arc<Object>> {
        let inner = self.inner();
        let keys = inner.by_owner.get(uid).into_iter().flatten();
        keys.filter_map(|key| inner.objects.get(key).cloned()).collect()
    }

    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<Arc<Object>> {
        let inner = self.inner();
        let first = Key::new(namespace, "");
        inner
            .objects
            .range(first..)
            .take_while(|(key, _)| &*key.namespace == namespace)
            .map(|(_, object)| Arc::clone(object))
            .collect()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Object>> {
        self.inner().objects.values().cloned().collect()
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
