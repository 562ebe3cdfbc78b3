//! Talks to etcd and the API: the watch, progress, reads, counters, turned into journal entries and
//! observations.
//!
//! A [`Witness`] opens one watch and keeps it through every break. Nothing here judges, and nothing
//! here writes to etcd.

mod ask;
mod bolt;
mod direct;
mod etcdctl;
mod kube;
mod metrics;
mod observer;
mod patience;
mod reader;
mod snapshot;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod tls;
mod watcher;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::cluster::EtcdAccess;
use crate::journal::{Clock, Delivered, Journal, JournalView, KeyGlob, Mark, Revision, Seq};
pub use metrics::Watching;
pub use observer::Observer;
use owned_processes::Guard;
pub use reader::Reader;
use store::{Store, StoreError};
use watcher::{Ask, Watcher};

/// A member that does not answer within this is down, as far as a check is concerned.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the watch of an etcd that answers, or is slow to, is waited for, five times as long each.
const OPENINGS: u32 = 3;
/// How long keys must rest before a mark, and how long that is waited for.
const REST: Duration = Duration::from_millis(500);
const REST_LIMIT: Duration = Duration::from_secs(10);

/// What to witness, and how to reach it.
#[derive(Debug, Clone)]
pub struct WitnessRequest {
    /// Owns the etcdctl processes, where etcd is reached by them.
    pub guard: Guard,
    pub access: EtcdAccess,
    /// The cluster's own prefix, `/registry` by default.
    pub prefix: String,
    /// A bare lab: every key, and an etcd that has never answered is an empty store.
    pub bare: bool,
    /// The names that the lab gives its members, with their endpoints.
    pub members: Vec<(String, String)>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum WitnessError {
    #[error("the etcd of this cluster cannot be watched: {0}")]
    Unreachable(String),
    #[error("etcd did not answer: {0}")]
    Silent(String),
    /// What a revision left is no longer kept.
    #[error("etcd has compacted its history: revision {asked} is gone{}", oldest.map_or(String::new(), |oldest| format!(", {oldest} is the oldest that it keeps")))]
    Compacted { asked: Revision, oldest: Option<Revision> },
    #[error("etcd has not come to revision {asked} yet: it is at {newest}")]
    Future { asked: Revision, newest: Revision },
}

async fn store_of(request: &WitnessRequest) -> Result<Arc<dyn Store>, WitnessError> {
    Ok(match &request.access {
        EtcdAccess::Direct { endpoints, tls } => Arc::new(
            direct::Direct::new(endpoints, tls.as_ref(), &request.members)
                .await
                .map_err(|error| WitnessError::Unreachable(error.to_string()))?,
        ),
        EtcdAccess::Command { argv, metrics } => {
            Arc::new(etcdctl::Etcdctl::new(request.guard.clone(), argv.clone(), metrics.clone()))
        }
        EtcdAccess::None(why) => return Err(WitnessError::Unreachable(why.clone())),
    })
}

/// The one watch of a run, and what can be asked beside it.
pub struct Witness {
    store: Arc<dyn Store>,
    journal: Journal,
    bare: bool,
    opened: SystemTime,
    asks: mpsc::UnboundedSender<Ask>,
    grown: watch::Receiver<Seq>,
    answered: watch::Receiver<bool>,
    closing: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

/// A way to the journal for those who only read it; clones lead to the same one.
#[derive(Clone)]
pub struct Follower {
    journal: Journal,
    grown: watch::Receiver<Seq>,
}

impl Follower {
    pub fn journal(&self) -> JournalView {
        self.journal.view()
    }

    /// Returns when the journal reaches beyond `seq`, at once where it does already; false once the watch has ended.
    pub async fn grown(&self, seq: Seq) -> bool {
        self.grown.clone().wait_for(|end| *end > seq).await.is_ok()
    }
}

impl Witness {
    /// Lists the store and opens the watch at the next revision. In a bare lab this does not wait for
    /// etcd: the lab starts it later.
    pub async fn open(request: WitnessRequest) -> Result<Self, WitnessError> {
        Self::open_from(request, None).await
    }

    /// The same from an earlier revision on, as far as etcd still knows it.
    pub async fn open_from(request: WitnessRequest, from: Option<Revision>) -> Result<Self, WitnessError> {
        let store = store_of(&request).await?;
        if let Some(from) = from {
            // Whether it can be read at all is known at once, whatever the key.
            if let Err(error) = store.get("/", Some(watcher::before(from))).await {
                return Err(reader::explained(store.as_ref(), error, from, 1).await);
            }
        }
        let scope = if request.bare { String::new() } else { format!("{}/", request.prefix.trim_end_matches('/')) };
        let journal = Journal::new(scope.clone());
        let (asks, asked) = mpsc::unbounded_channel();
        let (grow, grown) = watch::channel(0);
        let (answer, answered) = watch::channel(false);
        let (ready, is_ready) = oneshot::channel();
        let closing = CancellationToken::new();
        if request.bare {
            journal.listed(0, Clock::now(), Vec::new());
        }
        let watcher = Watcher::new(Arc::clone(&store), journal.clone(), scope, request.bare, asked, grow, answer);
        let watcher = watcher.from(from);
        let task = tokio::spawn(watcher.run(ready, closing.clone()).in_current_span());
        let witness =
            Self { store, journal, bare: request.bare, opened: Clock::now(), asks, grown, answered, closing, task };
        if !request.bare {
            let mut is_ready = is_ready;
            for attempt in 1..=OPENINGS {
                let opening = patience::within(PATIENCE * 5, &mut is_ready).await;
                if matches!(opening, Ok(Ok(()))) {
                    break;
                }
                let may_be_slow = opening.is_err() && attempt < OPENINGS;
                let why = match witness.store.head().await {
                    // A machine that many labs share may be this slow.
                    Err(error) if may_be_slow && error.is_late() => continue,
                    Ok(_) if may_be_slow => continue,
                    Err(error) => error.to_string(),
                    Ok(_) => "it answers, but its watch does not start".to_owned(),
                };
                witness.close().await;
                return Err(WitnessError::Unreachable(why));
            }
        }
        Ok(witness)
    }

    /// The present revision. Where etcd does not answer, the last one that it delivered.
    pub async fn mark(&self) -> Mark {
        let (at, wall) = (Clock::now(), SystemTime::now());
        if let Ok(head) = self.store.head().await {
            let epoch = self.journal.epoch();
            // A live watch proves that the store which answered is the one of the journal.
            let followed = self.confirm(head.revision, at).await.is_ok();
            if followed && epoch == self.journal.epoch() {
                return Mark { revision: head.revision, at, wall, epoch, read: true };
            }
            if followed && let Ok(head) = self.store.head().await {
                return Mark { revision: head.revision, at, wall, epoch: self.journal.epoch(), read: true };
            }
        }
        Mark { revision: self.journal.revision(), at, wall, epoch: self.journal.epoch(), read: false }
    }

    /// Makes sure that everything that happened until now is in the journal: the proof that nothing
    /// else did.
    pub async fn progress(&self) -> Result<Delivered, WitnessError> {
        let at = Clock::now();
        let head = match self.store.head().await {
            Ok(head) => head,
            Err(_) if self.bare && !*self.answered.borrow() => {
                self.journal.delivered(0, at);
                return Ok(Delivered { revision: 0, at, epoch: self.journal.epoch() });
            }
            Err(error) => return Err(WitnessError::Silent(error.to_string())),
        };
        self.confirm(head.revision, at).await.map_err(|error| WitnessError::Silent(error.to_string()))
    }

    async fn confirm(&self, revision: i64, at: SystemTime) -> Result<Delivered, StoreError> {
        let (reply, answer) = oneshot::channel();
        let gone = || StoreError::new("the watch has ended");
        self.asks.send(Ask { revision, at, reply }).map_err(|_| gone())?;
        match patience::within(PATIENCE * 2, answer).await {
            Ok(answer) => answer.map_err(|_| gone()),
            Err(_) => Err(StoreError::new("the watch has not caught up")),
        }
    }

    pub fn journal(&self) -> JournalView {
        self.journal.view()
    }

    /// Drops what happened until `seq` from the journal, for whoever has shown it and only follows.
    pub fn forget(&self, seq: Seq) {
        self.journal.forget(seq);
    }

    /// Returns when the journal reaches beyond `seq`, at once where it does already.
    pub async fn grown(&self, seq: Seq) {
        // The watch ends only with the witness; then there is nothing to wait for, and the caller has
        // its own clock.
        if !self.follower().grown(seq).await {
            std::future::pending::<()>().await;
        }
    }

    pub fn follower(&self) -> Follower {
        Follower { journal: self.journal.clone(), grown: self.grown.clone() }
    }

    /// What an `etcd` check sees: of one member, or of the whole. Bounded in time, up or down.
    pub async fn etcd(&self, member: Option<&str>) -> Result<serde_json::Value, String> {
        self.store.status(member).await.map_err(|error| error.to_string())
    }

    /// How many watchers etcd counts, ours among them.
    pub async fn watching(&self) -> Result<Watching, WitnessError> {
        self.store.watching().await.map_err(|error| WitnessError::Silent(error.to_string()))
    }

    /// Waits until none of these keys has changed for half a second, at most ten; what still moves then.
    pub async fn quiet(&self, globs: &[KeyGlob]) -> Result<(), Vec<String>> {
        self.rest(globs, REST, REST_LIMIT).await
    }

    /// Waits until none of these keys has changed for so long, within a limit; what still moves then.
    pub async fn rest(&self, globs: &[KeyGlob], rest: Duration, limit: Duration) -> Result<(), Vec<String>> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let checked = self.progress().await;
            let view = self.journal();
            let moved = globs.iter().flat_map(|glob| view.changes(glob, 0)).max_by_key(|recorded| recorded.seq);
            let since = moved.as_ref().map_or(self.opened, |recorded| recorded.entry.at().max(self.opened));
            let rested = Clock::now().duration_since(since).unwrap_or_default();
            if globs.is_empty() || (checked.is_ok() && rested >= rest) {
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                let moving = moved.and_then(|recorded| recorded.entry.change().map(|change| change.key.to_string()));
                return Err(match checked {
                    Err(error) => vec![error.to_string()],
                    Ok(_) => moving.into_iter().collect(),
                });
            }
            tokio::time::sleep(rest.saturating_sub(rested).max(Duration::from_millis(20))).await;
        }
    }

    /// Ends the watch and waits for its end.
    pub async fn close(self) {
        self.closing.cancel();
        // It only fails if the task panicked or was aborted: gone either way.
        let _ = self.task.await;
    }
}
