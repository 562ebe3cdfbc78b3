//! Single keys, now or as an earlier revision left them.

use std::sync::Arc;

use super::store::{Delivery, Store, StoreError};
use super::{WitnessError, WitnessRequest, store_of};
use crate::journal::{Change, Revision};

/// How many messages of a watch say that its first revision is gone.
const MESSAGES: usize = 3;

/// Reads without a watch.
pub struct Reader {
    store: Arc<dyn Store>,
}

impl Reader {
    pub async fn open(request: &WitnessRequest) -> Result<Self, WitnessError> {
        Ok(Self { store: store_of(request).await? })
    }

    /// The key, where it was there, and the newest revision of the store.
    pub async fn get(&self, key: &str, at: Option<Revision>) -> Result<(Revision, Option<Change>), WitnessError> {
        match self.store.get(key, at).await {
            Ok(found) => Ok(found),
            Err(error) => Err(explained(self.store.as_ref(), error, at.unwrap_or_default(), 0).await),
        }
    }

    /// All keys that begin so, in their order.
    pub async fn below(&self, prefix: &str, at: Option<Revision>) -> Result<Vec<Change>, WitnessError> {
        match self.store.list(prefix, at).await {
            Ok(listing) => Ok(listing.state.into_iter().filter(|change| change.key.starts_with(prefix)).collect()),
            Err(error) => Err(explained(self.store.as_ref(), error, at.unwrap_or_default(), 0).await),
        }
    }
}

/// The error in the words of who asked for a revision. What was compacted last can still be read; `beyond` is how much
/// later what was asked for has to lie.
pub(super) async fn explained(store: &dyn Store, error: StoreError, asked: Revision, beyond: Revision) -> WitnessError {
    if error.is_future() {
        let newest = store.head().await.map_or(0, |head| head.revision);
        return WitnessError::Future { asked, newest };
    }
    if !error.is_compacted() {
        return WitnessError::Silent(error.to_string());
    }
    WitnessError::Compacted { asked, oldest: compacted(store, asked).await.map(|upto| upto + beyond) }
}

/// Up to where the history is gone: a watch that begins there gets an error.
async fn compacted(store: &dyn Store, asked: Revision) -> Option<Revision> {
    let mut feed = store.watch("/", asked).await.ok()?;
    for _ in 0..MESSAGES {
        match super::patience::within(super::PATIENCE, feed.next()).await {
            Ok(Ok(Delivery::Compacted(upto))) => return Some(upto),
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return None,
        }
    }
    None
}
