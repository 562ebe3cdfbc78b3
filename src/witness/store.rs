use std::time::Duration;

use async_trait::async_trait;

use super::metrics::Watching;
use crate::journal::{Change, Entry, Revision};

/// What every answer of etcd says about the store that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) cluster: u64,
    pub(super) term: u64,
    pub(super) revision: Revision,
}

/// All keys as one revision showed them.
pub(super) struct Listing {
    pub(super) revision: Revision,
    pub(super) state: Vec<Change>,
}

/// One message of a watch.
#[derive(Debug)]
pub(super) enum Delivery {
    Started,
    Events(Vec<Entry>),
    /// Everything up to this revision has been delivered.
    Progress(Revision),
    /// The history up to this revision is gone.
    Compacted(Revision),
}

const LATE: &str = "no answer within";

#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct StoreError(String);

impl StoreError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// Nobody refused: there was no answer in time.
    pub(super) fn late(whom: &str, limit: Duration) -> Self {
        Self(format!("{whom}: {LATE} {limit:?}"))
    }

    pub(super) fn is_late(&self) -> bool {
        self.0.contains(LATE)
    }

    /// The revision that was asked for is gone.
    pub(super) fn is_compacted(&self) -> bool {
        self.0.contains("required revision has been compacted")
    }

    /// The revision that was asked for has not come yet.
    pub(super) fn is_future(&self) -> bool {
        self.0.contains("required revision is a future revision")
    }

    /// An error with what caused it: transports keep the useful part there.
    pub(super) fn chain(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        Self(message)
    }
}

/// A way to etcd: gRPC, or etcdctl where it runs.
#[async_trait]
pub(super) trait Store: Send + Sync + 'static {
    /// A linearizable read: the newest revision.
    async fn head(&self) -> Result<Head, StoreError>;
    /// Now, or as a revision left it.
    async fn list(&self, scope: &str, at: Option<Revision>) -> Result<Listing, StoreError>;
    /// One key, likewise, and the newest revision of the store.
    async fn get(&self, key: &str, at: Option<Revision>) -> Result<(Revision, Option<Change>), StoreError>;
    /// The revision at which the key was last changed; `None` where it does not exist.
    async fn changed_at(&self, key: &str) -> Result<Option<Revision>, StoreError>;
    async fn watch(&self, scope: &str, from: Revision) -> Result<Box<dyn Feed>, StoreError>;
    async fn status(&self, member: Option<&str>) -> Result<serde_json::Value, StoreError>;
    async fn watching(&self) -> Result<Watching, StoreError>;
}

/// An open watch.
#[async_trait]
pub(super) trait Feed: Send {
    /// Loses nothing when it is dropped before it returns.
    async fn next(&mut self) -> Result<Delivery, StoreError>;
    async fn ask_progress(&mut self) -> Result<(), StoreError>;
}
