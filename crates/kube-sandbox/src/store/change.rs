//! One change of one key, decoded once for all who watch it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use etcd_client::EventType;
use serde_json::Value;

use crate::object::meta::set_resource_version;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Created,
    Changed,
    Deleted,
}

/// One revision of one key.
#[derive(Debug)]
pub struct Change {
    pub kind: ChangeKind,
    pub key: String,
    pub revision: i64,
    value: Vec<u8>,
    previous: Option<Vec<u8>>,
    object: Made<Arc<Value>>,
    old_object: Made<Arc<Value>>,
    /// With the API version that it is in.
    frame: Made<(String, Bytes)>,
}

/// What is made of a change once, and kept while many ask for it.
#[derive(Debug)]
struct Made<T> {
    value: Mutex<Option<T>>,
    /// Few ask for it now: it is made again for each.
    is_old: AtomicBool,
}

impl<T> Default for Made<T> {
    fn default() -> Self {
        Self { value: Mutex::new(None), is_old: AtomicBool::new(false) }
    }
}

impl<T: Clone> Made<T> {
    /// What cannot be made is tried again by the next to ask.
    fn get(&self, make: impl FnOnce() -> Option<T>) -> Option<T> {
        let mut held = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return held.clone();
        }
        // Others wait: it is not made twice while it is new.
        let value = make();
        if !self.is_old.load(Ordering::Relaxed) {
            held.clone_from(&value);
        }
        value
    }

    #[cfg(test)]
    fn is_held(&self) -> bool {
        self.value.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn drop_it(&self) {
        self.is_old.store(true, Ordering::Relaxed);
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Change {
    /// The object after the change; the deleted one where it is a deletion. `None`: undecodable.
    pub fn object(&self) -> Option<Arc<Value>> {
        self.object.get(|| decoded(self.bytes()?, self.revision))
    }

    /// The same as etcd holds it.
    pub fn bytes(&self) -> Option<&[u8]> {
        if self.kind == ChangeKind::Deleted { self.previous.as_deref() } else { Some(&*self.value) }
    }

    /// The object before the change, as it stood at this revision.
    pub fn old_object(&self) -> Option<Arc<Value>> {
        self.old_object.get(|| decoded(self.previous.as_deref()?, self.revision))
    }

    /// The line that every client without special wishes is sent, made once, in the version that is stored.
    /// `None` where the object is of another version.
    pub fn frame(&self, version: &str, make: impl FnOnce() -> Option<Bytes>) -> Option<Bytes> {
        let made = self.frame.get(|| Some((version.to_owned(), make()?)));
        made.filter(|(of, _)| of == version).map(|(_, frame)| frame)
    }

    /// Keeps the bytes only; the objects are decoded again for who still asks.
    pub(super) fn pack(&self) {
        self.object.drop_it();
        self.old_object.drop_it();
    }

    /// As etcd holds it, with what it was before.
    pub(super) fn size(&self) -> usize {
        self.key.len() + self.value.len() + self.previous.as_ref().map_or(0, Vec::len)
    }

    #[cfg(test)]
    pub(super) fn is_packed(&self) -> bool {
        self.object.is_old.load(Ordering::Relaxed) && !self.object.is_held()
    }

    #[cfg(test)]
    pub(super) fn for_tests(key: &str, revision: i64, value: Vec<u8>) -> Self {
        Self {
            kind: ChangeKind::Changed,
            key: key.to_owned(),
            revision,
            value,
            previous: None,
            object: Made::default(),
            old_object: Made::default(),
            frame: Made::default(),
        }
    }

    pub(super) fn from_event(event: &etcd_client::Event) -> Option<Self> {
        let kv = event.kv()?;
        let kind = match event.event_type() {
            EventType::Delete => ChangeKind::Deleted,
            EventType::Put if kv.version() == 1 => ChangeKind::Created,
            EventType::Put => ChangeKind::Changed,
        };
        Some(Self {
            kind,
            key: String::from_utf8_lossy(kv.key()).into_owned(),
            revision: kv.mod_revision(),
            value: kv.value().to_vec(),
            previous: event.prev_kv().map(|previous| previous.value().to_vec()),
            object: Made::default(),
            old_object: Made::default(),
            frame: Made::default(),
        })
    }
}

fn decoded(bytes: &[u8], revision: i64) -> Option<Arc<Value>> {
    let mut object = kube_etcd_codec::decode(bytes).ok()?.object;
    set_resource_version(&mut object, revision);
    Some(Arc::new(object))
}

#[derive(Debug, Clone)]
pub enum FeedItem {
    Change(Arc<Change>),
    /// Everything up to this revision was delivered.
    Progress(i64),
    /// The history that is asked for is gone: the client must list again.
    Compacted,
    /// The client reads more slowly than things happen: it is sent away, and comes again.
    Lagged,
}
