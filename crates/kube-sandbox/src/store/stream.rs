//! A watch of etcd as it is opened.

use std::time::Duration;

use etcd_client::{WatchOptions, WatchStream};

use super::{Store, StoreError, end_of};

/// How often an idle watch learns how far it has come.
pub(super) const PROGRESS: Duration = Duration::from_secs(5);

/// From `start` on.
pub(super) async fn open(store: &Store, prefix: &str, start: i64) -> Result<WatchStream, StoreError> {
    let options =
        WatchOptions::new().with_range(end_of(prefix)).with_start_revision(start).with_prev_key().with_fragment();
    super::timely(store.watches().watch(prefix, Some(options))).await
}
