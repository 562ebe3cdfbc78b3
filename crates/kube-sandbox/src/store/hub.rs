//! One etcd watch a kind, shared by all API watches of that kind. What it delivers is decoded once, and
//! a short tail is kept so that a client that has just listed can join without a watch of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use etcd_client::{EventType, WatchOptions, WatchStream};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tracing::{Instrument, debug, error_span, warn};

use super::resume::Resume;
use super::ring::{Place, Ring};
use super::watch::{Feed, FeedItem};
use super::{Store, StoreError, end_of};

/// Watches that read etcd's history each by itself, since they begin before what is kept. Each may hold a few
/// megabytes; who finds no place is to list again, as where the history is gone.
const MOST_PRIVATE: usize = 32;
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
    super::super::api::meta::set_resource_version(&mut object, revision);
    Some(Arc::new(object))
}

/// The shared watches, by folder.
pub struct Hub {
    channels: Mutex<HashMap<String, Weak<Channel>>>,
    private: Arc<Semaphore>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { channels: Mutex::default(), private: Arc::new(Semaphore::new(MOST_PRIVATE)) }
    }
}

pub(super) struct Channel {
    ring: Mutex<Ring>,
    news: watch::Sender<()>,
}

impl Channel {
    fn new(revision: i64) -> Self {
        Self { ring: Mutex::new(Ring::new(revision)), news: watch::Sender::new(()) }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Ring) -> T) -> T {
        look(&mut self.ring.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, change: impl FnOnce(&mut Ring)) {
        self.with(change);
        self.news.send_replace(());
    }

    pub(super) fn take(&self, place: &mut Place) -> Option<FeedItem> {
        self.with(|ring| ring.take(place))
    }
}

impl Hub {
    /// Everything that happens to keys below `prefix` after `revision`. `folder` is the kind's own.
    pub async fn feed(&self, store: &Store, folder: &str, prefix: &str, revision: i64) -> Result<Feed, StoreError> {
        let channel = self.channel(store, folder, revision);
        // Before the place is taken: whatever comes later is news.
        let news = channel.news.subscribe();
        if let Some(place) = channel.with(|ring| ring.join(revision)) {
            return Ok(Feed::shared(prefix, revision, place, news, channel));
        }
        let slot = Arc::clone(&self.private).try_acquire_owned().map_err(|_| StoreError::Compacted)?;
        Feed::private(store, prefix, revision, slot).await
    }

    /// One that has ended takes nobody in: the next to come begins a new one.
    fn channel(&self, store: &Store, folder: &str, revision: i64) -> Arc<Channel> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let found = channels.get(folder).and_then(Weak::upgrade);
        if let Some(channel) = found.filter(|channel| !channel.with(|ring| ring.has_ended())) {
            return channel;
        }
        let channel = Arc::new(Channel::new(revision));
        channels.retain(|_, other| other.strong_count() > 0);
        channels.insert(folder.to_owned(), Arc::downgrade(&channel));
        let pumping = pump(store.clone(), folder.to_owned(), revision, Arc::downgrade(&channel));
        // It outlives the request that begins it.
        tokio::spawn(pumping.instrument(error_span!(parent: None, "hub", folder)));
        channel
    }
}

/// Reads one etcd watch for as long as anybody listens; a broken one is resumed where it stopped.
async fn pump(store: Store, folder: String, revision: i64, channel: Weak<Channel>) {
    let mut resume = Resume::after(revision);
    loop {
        match open(&store, &folder, resume.start()).await {
            Ok(stream) => match drain(stream, &mut resume, &channel).await {
                Drained::NobodyListens => return,
                Drained::Compacted => {
                    warn!("compacted: its watchers are to list again");
                    if let Some(channel) = channel.upgrade() {
                        channel.tell(Ring::end);
                    }
                    return;
                }
                Drained::Broken if channel.strong_count() == 0 => return,
                // So it is at a sandbox' end too. Whoever asks while etcd is away is answered, and that is logged.
                Drained::Broken => debug!("watch of etcd broken; it is resumed"),
            },
            Err(_) if channel.strong_count() == 0 => return,
            Err(error) => debug!(%error, "watch of etcd cannot be opened; it is tried again"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// From `start` on.
pub(super) async fn open(store: &Store, prefix: &str, start: i64) -> Result<WatchStream, StoreError> {
    let options =
        WatchOptions::new().with_range(end_of(prefix)).with_start_revision(start).with_prev_key().with_fragment();
    super::timely(store.watches().watch(prefix, Some(options))).await
}

enum Drained {
    NobodyListens,
    Compacted,
    Broken,
}

async fn drain(mut stream: WatchStream, resume: &mut Resume, channel: &Weak<Channel>) -> Drained {
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
                resume.progressed(header.revision());
                channel.tell(|ring| ring.progressed(header.revision()));
            }
            continue;
        }
        channel.tell(|ring| {
            for change in message.events().iter().filter_map(Change::from_event) {
                if resume.is_new(&change.key, change.revision) {
                    ring.push(Arc::new(change));
                }
            }
        });
    }
}
