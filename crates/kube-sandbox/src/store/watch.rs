//! What one API watch reads: the shared watch of its kind, or where it begins before what that one keeps, one of its
//! own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{ResponseHeader, WatchStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use super::change::{Change, FeedItem};
use super::ring::{Channel, Place};
use super::stream::{PROGRESS, open};
use super::{Store, StoreError};

/// How long a watch of its own waits for a client that does not read.
const READ_WITHIN: Duration = Duration::from_secs(5);

pub struct Feed {
    prefix: String,
    /// The client has seen everything up to here.
    from: i64,
    source: Source,
}

enum Source {
    Shared { place: Place, news: watch::Receiver<()>, channel: Arc<Channel> },
    Private { backlog: VecDeque<FeedItem>, messages: mpsc::Receiver<Result<Vec<FeedItem>, StoreError>> },
}

impl Feed {
    pub(super) fn shared(
        prefix: &str,
        revision: i64,
        place: Place,
        news: watch::Receiver<()>,
        channel: Arc<Channel>,
    ) -> Self {
        Self { prefix: prefix.to_owned(), from: revision, source: Source::Shared { place, news, channel } }
    }

    pub(super) async fn private(
        store: &Store,
        prefix: &str,
        revision: i64,
        slot: OwnedSemaphorePermit,
    ) -> Result<Self, StoreError> {
        let stream = open(store, prefix, revision + 1).await?;
        let (sender, messages) = mpsc::channel(1);
        tokio::spawn(async move {
            read(stream, revision, sender).await;
            drop(slot);
        });
        let source = Source::Private { backlog: VecDeque::new(), messages };
        Ok(Self { prefix: prefix.to_owned(), from: revision, source })
    }

    /// The next item; an error ends the watch, and the client comes again.
    pub async fn next(&mut self) -> Result<FeedItem, StoreError> {
        loop {
            if let Some(item) = self.ready() {
                return Ok(item);
            }
            match &mut self.source {
                Source::Shared { news, .. } => {
                    let ended = |_| StoreError::Etcd("the shared watch has ended".into());
                    news.changed().await.map_err(ended)?;
                }
                Source::Private { backlog, messages } => match messages.recv().await {
                    Some(items) => backlog.extend(items?),
                    None => return Ok(FeedItem::Lagged),
                },
            }
        }
    }

    /// What is there already, without waiting.
    pub fn ready(&mut self) -> Option<FeedItem> {
        loop {
            let item = match &mut self.source {
                Source::Shared { place, channel, .. } => channel.take(place),
                Source::Private { backlog, .. } => backlog.pop_front(),
            }?;
            let wanted = match &item {
                FeedItem::Change(change) => change.revision > self.from && change.key.starts_with(&self.prefix),
                FeedItem::Progress(_) | FeedItem::Compacted | FeedItem::Lagged => true,
            };
            if wanted {
                return Some(item);
            }
        }
    }
}

/// Reads etcd's watch whether the client reads or not: streams share one connection, and one that is not read holds
/// up all. Ends where the client is gone, or takes nothing for a while.
async fn read(mut stream: WatchStream, from: i64, to: mpsc::Sender<Result<Vec<FeedItem>, StoreError>>) {
    loop {
        let message = match tokio::time::timeout(PROGRESS, stream.message()).await {
            Err(_) if to.is_closed() => return,
            Err(_) => match stream.request_progress().await {
                Ok(()) => continue,
                Err(error) => Err(error.into()),
            },
            Ok(Ok(Some(message))) => Ok(message),
            Ok(Ok(None)) => Err(StoreError::Etcd("the watch was closed".into())),
            Ok(Err(error)) => Err(error.into()),
        };
        let items = message.and_then(|message| {
            if message.compact_revision() != 0 {
                return Ok(vec![FeedItem::Compacted]);
            }
            if message.canceled() {
                return Err(StoreError::Etcd(message.cancel_reason().to_owned()));
            }
            if message.events().is_empty() && !message.created() {
                return Ok(vec![FeedItem::Progress(message.header().map_or(from, ResponseHeader::revision))]);
            }
            let changes = message.events().iter().filter_map(Change::from_event);
            Ok(changes.map(|change| FeedItem::Change(Arc::new(change))).collect())
        });
        let over = items.is_err();
        if to.send_timeout(items, READ_WITHIN).await.is_err() || over {
            return;
        }
    }
}
