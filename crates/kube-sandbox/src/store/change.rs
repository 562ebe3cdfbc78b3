//! One change of one key, decoded once for all who watch it.

use std::sync::{Arc, OnceLock};

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
    object: OnceLock<Option<Arc<Value>>>,
    old_object: OnceLock<Option<Arc<Value>>>,
    frame: OnceLock<Bytes>,
}

impl Change {
    /// The object after the change; the deleted one where it is a deletion. `None`: undecodable.
    pub fn object(&self) -> Option<Arc<Value>> {
        let bytes = if self.kind == ChangeKind::Deleted { self.previous.as_deref() } else { Some(&*self.value) };
        self.object.get_or_init(|| decoded(bytes?, self.revision)).clone()
    }

    /// The object before the change, as it stood at this revision.
    pub fn old_object(&self) -> Option<Arc<Value>> {
        self.old_object.get_or_init(|| decoded(self.previous.as_deref()?, self.revision)).clone()
    }

    /// The line that every client without special wishes is sent, made once.
    pub fn frame(&self, make: impl FnOnce() -> Bytes) -> Bytes {
        self.frame.get_or_init(make).clone()
    }

    /// As etcd holds it, with what it was before.
    pub(super) fn size(&self) -> usize {
        self.key.len() + self.value.len() + self.previous.as_ref().map_or(0, Vec::len)
    }

    #[cfg(test)]
    pub(super) fn for_tests(key: &str, revision: i64, value: Vec<u8>) -> Self {
        Self {
            kind: ChangeKind::Changed,
            key: key.to_owned(),
            revision,
            value,
            previous: None,
            object: OnceLock::new(),
            old_object: OnceLock::new(),
            frame: OnceLock::new(),
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
            object: OnceLock::new(),
            old_object: OnceLock::new(),
            frame: OnceLock::new(),
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
