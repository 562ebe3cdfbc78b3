//! What keeps etcd's history from growing for ever, as kube-apiserver does it: every five minutes the changes that
//! are older than five minutes go, and `compact_rev_key` tells other servers that it was done.

use std::time::Duration;

use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp, TxnOpResponse};

use super::{Store, StoreError, timely};

const EVERY: Duration = Duration::from_secs(300);
const KEY: &str = "compact_rev_key";

/// Never ends.
pub async fn keep_short(store: Store) {
    let mut known = Known::default();
    loop {
        tokio::time::sleep(EVERY).await;
        // etcd may be away for a while; the next turn makes up for it.
        if let Ok(next) = once(&store, known).await {
            known = next;
        }
    }
}

/// How often the key was written, and how far history had come then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    version: i64,
    revision: i64,
}

/// Forgets what was before `known`, unless another server did so meanwhile.
async fn once(store: &Store, known: Known) -> Result<Known, StoreError> {
    let txn = Txn::new()
        .when([Compare::version(KEY, CompareOp::Equal, known.version)])
        .and_then([TxnOp::put(KEY, known.revision.to_string(), None::<PutOptions>)])
        .or_else([TxnOp::get(KEY, None)]);
    let answer = timely(store.kv().txn(txn)).await?;
    let revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
    if !answer.succeeded() {
        let version = answer.op_responses().into_iter().find_map(|one| match one {
            TxnOpResponse::Get(mut get) => get.take_kvs().pop().map(|kv| kv.version()),
            _ => None,
        });
        return Ok(Known { version: version.unwrap_or_default(), revision });
    }
    if known.revision > 0 {
        timely(store.kv().compact(known.revision, None)).await?;
    }
    Ok(Known { version: known.version + 1, revision })
}
