//! One etcd watch a kind, shared by all API watches of that kind. What it delivers is decoded once, and
//! a short tail is kept so that a client that has just listed can join without a watch of its own.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use etcd_client::WatchStream;
use tokio::sync::Semaphore;
use tracing::{Instrument, debug, error_span, warn};

use super::change::Change;
use super::resume::Resume;
use super::ring::{Channel, Ring};
use super::stream::{PROGRESS, open};
use super::watch::Feed;
use super::{Store, StoreError};

/// Watches that read etcd's history each by itself, since they begin before what is kept. Each may hold a few
/// megabytes; who finds no place is to list again, as where the history is gone.
const MOST_PRIVATE: usize = 32;
const RETRY: Duration = Duration::from_millis(200);

/// The shared watches, by folder.
pub struct Hub {
    channels: Mutex<HashMap<String, Weak<Channel>>>,
    private: Arc<Semaphore>,
    /// Bytes of changes that are kept.
    kept: Arc<AtomicUsize>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { channels: Mutex::default(), private: Arc::new(Semaphore::new(MOST_PRIVATE)), kept: Arc::default() }
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
        let channel = Arc::new(Channel::new(revision, Arc::clone(&self.kept)));
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
                        channel.update(Ring::end);
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
                channel.update(|ring| ring.progressed(header.revision()));
            }
            continue;
        }
        channel.update(|ring| {
            for change in message.events().iter().filter_map(Change::from_event) {
                if resume.is_new(&change.key, change.revision) {
                    ring.push(Arc::new(change));
                }
            }
        });
    }
}
