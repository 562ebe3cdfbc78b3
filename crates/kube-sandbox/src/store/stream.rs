//! A watch of etcd as it is opened.

use std::time::Duration;

use etcd_client::{WatchOptions, WatchStream};

use super::{Store, StoreError};
use kube_etcd_codec::prefix_end;

/// How often an idle watch learns how far it has come.
pub(super) const PROGRESS: Duration = Duration::from_secs(5);

/// From `start` on.
pub(super) async fn open(store: &Store, prefix: &str, start: i64) -> Result<WatchStream, StoreError> {
    let options =
        WatchOptions::new().with_range(prefix_end(prefix)).with_start_revision(start).with_prev_key().with_fragment();
    super::timely(store.watches().watch(prefix, Some(options))).await
}
