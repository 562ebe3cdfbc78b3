//! What one API watch reads: the shared watch of its kind while it keeps up, or one of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use etcd_client::{ResponseHeader, WatchStream};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::hub::{Change, Channel, PROGRESS, open};
use super::{Store, StoreError};

#[derive(Debug, Clone)]
pub enum FeedItem {
    Change(Arc<Change>),
    /// Everything up to this revision was delivered.
    Progress(i64),
    /// The history that is asked for is gone: the client must list again.
    Compacted,
}

pub struct Feed {
    store: Store,
    prefix: String,
    /// The client has seen everything up to here.
    from: i64,
    /// The newest revision that was handed out.
    revision: i64,
    lagged: bool,
    backlog: VecDeque<Arc<Change>>,
    source: Source,
}

enum Source {
    Shared { receiver: broadcast::Receiver<FeedItem>, _keep: Arc<Channel> },
    Private(Box<WatchStream>),
}

impl Feed {
    pub(super) fn shared(
        store: &Store,
        prefix: &str,
        revision: i64,
        backlog: VecDeque<Arc<Change>>,
        receiver: broadcast::Receiver<FeedItem>,
        keep: Arc<Channel>,
    ) -> Self {
        let source = Source::Shared { receiver, _keep: keep };
        Self {
            store: store.clone(),
            prefix: prefix.to_owned(),
            from: revision,
            revision,
            lagged: false,
            backlog,
            source,
        }
    }

    pub(super) async fn private(store: &Store, prefix: &str, revision: i64) -> Result<Self, StoreError> {
        let stream = open(store, prefix, revision).await?;
        Ok(Self {
            store: store.clone(),
            prefix: prefix.to_owned(),
            from: revision,
            revision,
            lagged: false,
            backlog: VecDeque::new(),
            source: Source::Private(Box::new(stream)),
        })
    }

    /// The next item; an error ends the watch, and the client comes again.
    pub async fn next(&mut self) -> Result<FeedItem, StoreError> {
        loop {
            if let Some(item) = self.next_of_backlog() {
                return Ok(item);
            }
            if std::mem::take(&mut self.lagged) {
                self.source = Source::Private(Box::new(open(&self.store, &self.prefix, self.revision).await?));
            }
            match &mut self.source {
                Source::Shared { receiver, .. } => match receiver.recv().await {
                    Ok(item) => {
                        if let Some(item) = self.wanted(item) {
                            return Ok(item);
                        }
                    }
                    Err(RecvError::Closed) => return Err(StoreError::Etcd("the shared watch has ended".into())),
                    Err(RecvError::Lagged(_)) => self.lagged = true,
                },
                Source::Private(stream) => {
                    let Ok(message) = tokio::time::timeout(PROGRESS, stream.message()).await else {
                        stream.request_progress().await?;
                        continue;
                    };
                    let Some(message) = message? else {
                        return Err(StoreError::Etcd("the watch was closed".into()));
                    };
                    if message.compact_revision() != 0 {
                        return Ok(FeedItem::Compacted);
                    }
                    if message.canceled() {
                        return Err(StoreError::Etcd(message.cancel_reason().to_owned()));
                    }
                    if message.events().is_empty() && !message.created() {
                        return Ok(FeedItem::Progress(
                            message.header().map_or(self.revision, ResponseHeader::revision),
                        ));
                    }
                    self.backlog.extend(message.events().iter().filter_map(Change::from_event).map(Arc::new));
                }
            }
        }
    }

    /// What is there already, without waiting.
    pub fn ready(&mut self) -> Option<FeedItem> {
        loop {
            if let Some(item) = self.next_of_backlog() {
                return Some(item);
            }
            let Source::Shared { receiver, .. } = &mut self.source else { return None };
            match receiver.try_recv() {
                Ok(item) => {
                    if let Some(item) = self.wanted(item) {
                        return Some(item);
                    }
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
                // A lagging receiver says so once only, and `next` deals with it.
                Err(TryRecvError::Lagged(_)) => {
                    self.lagged = true;
                    return None;
                }
            }
        }
    }

    fn next_of_backlog(&mut self) -> Option<FeedItem> {
        while let Some(change) = self.backlog.pop_front() {
            if let Some(item) = self.wanted(FeedItem::Change(change)) {
                return Some(item);
            }
        }
        None
    }

    fn wanted(&mut self, item: FeedItem) -> Option<FeedItem> {
        match &item {
            FeedItem::Change(change) => {
                self.revision = change.revision.max(self.revision);
                (change.revision > self.from && change.key.starts_with(&self.prefix)).then_some(item)
            }
            FeedItem::Progress(revision) => {
                self.revision = (*revision).max(self.revision);
                Some(item)
            }
            FeedItem::Compacted => Some(item),
        }
    }
}
