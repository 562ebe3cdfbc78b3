//! One etcd watch a kind, shared by all API watches of that kind. What it delivers is decoded once, and
//! a short tail is kept so that a client that has just listed can join without a watch of its own.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use etcd_client::{EventType, WatchOptions, WatchStream};
use serde_json::Value;
use tokio::sync::broadcast;

use super::watch::{Feed, FeedItem};
use super::{Store, StoreError, end_of};

/// Changes of a kind that stay at hand for late joiners.
const TAIL: usize = 256;
/// Undelivered changes of the slowest watcher, past which it reads etcd's history by itself.
const BEHIND: usize = 1024;
/// How often an idle watch learns how far it has come.
pub(super) const PROGRESS: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(200);

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
    super::super::api::meta::set_resource_version(&mut object, revision);
    Some(Arc::new(object))
}

/// The shared watches, by folder.
#[derive(Default)]
pub struct Hub {
    channels: Mutex<HashMap<String, Weak<Channel>>>,
}

pub(super) struct Channel {
    sender: broadcast::Sender<FeedItem>,
    tail: Mutex<Tail>,
}

struct Tail {
    changes: VecDeque<Arc<Change>>,
    /// Every change after this revision is in `changes` or still to come.
    complete_after: i64,
}

impl Hub {
    /// Everything that happens to keys below `prefix` after `revision`. `folder` is the kind's own.
    pub async fn feed(&self, store: &Store, folder: &str, prefix: &str, revision: i64) -> Result<Feed, StoreError> {
        let channel = self.channel(store, folder, revision);
        let joined = {
            let tail = channel.tail.lock().unwrap_or_else(PoisonError::into_inner);
            (revision >= tail.complete_after).then(|| {
                let backlog = tail.changes.iter().filter(|change| change.revision > revision).cloned().collect();
                (backlog, channel.sender.subscribe())
            })
        };
        match joined {
            Some((backlog, receiver)) => Ok(Feed::shared(store, prefix, revision, backlog, receiver, channel)),
            None => Feed::private(store, prefix, revision).await,
        }
    }

    fn channel(&self, store: &Store, folder: &str, revision: i64) -> Arc<Channel> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(folder).and_then(Weak::upgrade) {
            return channel;
        }
        let channel = Arc::new(Channel {
            sender: broadcast::Sender::new(BEHIND),
            tail: Mutex::new(Tail { changes: VecDeque::new(), complete_after: revision }),
        });
        channels.retain(|_, other| other.strong_count() > 0);
        channels.insert(folder.to_owned(), Arc::downgrade(&channel));
        tokio::spawn(pump(store.clone(), folder.to_owned(), revision, Arc::downgrade(&channel)));
        channel
    }
}

/// Reads one etcd watch for as long as anybody listens; a broken one is resumed where it stopped.
async fn pump(store: Store, folder: String, mut revision: i64, channel: Weak<Channel>) {
    loop {
        match open(&store, &folder, revision).await {
            Ok(stream) => match drain(stream, &mut revision, &channel).await {
                Drained::NobodyListens => return,
                Drained::Compacted => {
                    if let Some(channel) = channel.upgrade() {
                        let _ = channel.sender.send(FeedItem::Compacted);
                    }
                    return;
                }
                Drained::Broken => {}
            },
            Err(_) if channel.strong_count() == 0 => return,
            Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}

pub(super) async fn open(store: &Store, prefix: &str, revision: i64) -> Result<WatchStream, StoreError> {
    let options = WatchOptions::new()
        .with_range(end_of(prefix))
        .with_start_revision(revision + 1)
        .with_prev_key()
        .with_fragment();
    super::timely(store.watches().watch(prefix, Some(options))).await
}

enum Drained {
    NobodyListens,
    Compacted,
    Broken,
}

async fn drain(mut stream: WatchStream, revision: &mut i64, channel: &Weak<Channel>) -> Drained {
    loop {
        let message = match tokio::time::timeout(PROGRESS, stream.message()).await {
            Ok(Ok(Some(message))) => message,
            Ok(Ok(None) | Err(_)) => return Drained::Broken,
            Err(_) if channel.strong_count() == 0 => return Drained::NobodyListens,
            Err(_) => match stream.request_progress().await {
                Ok(()) => continue,
                Err(_) => return Drained::Broken,
            },
        };
        let Some(channel) = channel.upgrade() else { return Drained::NobodyListens };
        if message.compact_revision() != 0 {
            return Drained::Compacted;
        }
        if message.canceled() {
            return Drained::Broken;
        }
        if message.events().is_empty() {
            if !message.created()
                && let Some(header) = message.header()
            {
                *revision = header.revision().max(*revision);
                let _ = channel.sender.send(FeedItem::Progress(*revision));
            }
            continue;
        }
        let mut tail = channel.tail.lock().unwrap_or_else(PoisonError::into_inner);
        for change in message.events().iter().filter_map(Change::from_event) {
            *revision = change.revision;
            let change = Arc::new(change);
            if tail.changes.len() == TAIL
                && let Some(dropped) = tail.changes.pop_front()
            {
                tail.complete_after = dropped.revision;
            }
            tail.changes.push_back(change.clone());
            let _ = channel.sender.send(FeedItem::Change(change));
        }
    }
}
