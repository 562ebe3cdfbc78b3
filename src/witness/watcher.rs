//! The watch as a state machine: connect (finding out whether it is still the same store), list where
//! needed, follow until it breaks, again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, trace, warn};

use super::store::{Delivery, Feed, Head, Store, StoreError};
use crate::journal::{Clock, Delivered, Entry, Journal, Revision, Seq};

const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);
/// etcd leaves a progress request unanswered while a watcher catches up: ask again.
const ASK_AGAIN: Duration = Duration::from_millis(40);
/// How long a watch may take to begin: etcdctl in a pod has to be started first.
const BEGUN_AFTER: Duration = Duration::from_secs(15);
/// A watch that leaves its progress requests unanswered for so long is dead, whatever TCP says.
const DEAD_AFTER: Duration = Duration::from_millis(1500);

/// Asks for a signal when everything up to `revision`, the newest at the time `at`, is in the journal.
pub(super) struct Ask {
    pub(super) revision: Revision,
    pub(super) at: SystemTime,
    pub(super) reply: oneshot::Sender<Delivered>,
}

pub(super) struct Watcher {
    store: Arc<dyn Store>,
    journal: Journal,
    scope: String,
    bare: bool,
    asked: mpsc::UnboundedReceiver<Ask>,
    grow: watch::Sender<Seq>,
    answer: watch::Sender<bool>,
    /// The first revision to deliver, where it is not the next one.
    from: Option<Revision>,
    /// The store that the journal follows.
    known: Option<Head>,
    /// The next revision to ask for.
    next: Revision,
    /// Keys of the revision `next` that have been delivered: a message may break within a transaction.
    partial: HashSet<Arc<str>>,
    pending: Vec<(Ask, tokio::time::Instant)>,
}

impl Watcher {
    pub(super) fn new(
        store: Arc<dyn Store>,
        journal: Journal,
        scope: String,
        bare: bool,
        asked: mpsc::UnboundedReceiver<Ask>,
        grow: watch::Sender<Seq>,
        answer: watch::Sender<bool>,
    ) -> Self {
        let next = 1;
        let (partial, pending) = (HashSet::new(), Vec::new());
        Self { store, journal, scope, bare, asked, grow, answer, from: None, known: None, next, partial, pending }
    }

    pub(super) fn from(mut self, from: Option<Revision>) -> Self {
        self.from = from;
        self
    }

    pub(super) async fn run(mut self, ready: oneshot::Sender<()>, closing: CancellationToken) {
        tokio::select! {
            () = closing.cancelled() => debug!("watch closed"),
            () = self.keep_watching(ready) => {}
        }
    }

    async fn keep_watching(&mut self, ready: oneshot::Sender<()>) {
        let mut ready = Some(ready);
        let mut backoff = FIRST_BACKOFF;
        loop {
            match self.connect().await {
                Ok(mut feed) => {
                    backoff = FIRST_BACKOFF;
                    // Whatever broke it, the answer is the same: connect again, on any endpoint.
                    let broken: StoreError = self.follow(feed.as_mut(), &mut ready).await;
                    warn!(error = %broken, next = self.next, "watch broken; it is resumed");
                }
                // In a bare lab there is no etcd before the lab starts one.
                Err(unreachable) => {
                    if self.known.is_some() || !self.bare {
                        warn!(error = %unreachable, ?backoff, "etcd is not reached");
                    } else {
                        debug!(error = %unreachable, ?backoff, "etcd is not reached yet");
                    }
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(LONGEST_BACKOFF);
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<Box<dyn Feed>, StoreError> {
        let head = self.store.head().await?;
        match self.known {
            None if self.bare => {}
            None => self.list(self.from.map(before)).await?,
            Some(known) => {
                if let Some(reason) = self.another_store(known, head).await? {
                    warn!(reason, "another store answers: a new epoch begins");
                    self.record(Entry::Epoch { reason, at: Clock::now() });
                    self.list(None).await?;
                }
            }
        }
        let known = self.known.replace(head);
        self.answer.send_replace(true);
        let feed = self.store.watch(&self.scope, self.next).await?;
        let how = if known.is_some() { "watch resumed" } else { "watch opened" };
        info!(scope = self.scope, revision = self.next, cluster = format_args!("{:x}", head.cluster), "{how}");
        Ok(feed)
    }

    /// Why the store that answers cannot be the one that the journal has followed.
    async fn another_store(&self, known: Head, head: Head) -> Result<Option<String>, StoreError> {
        let seen = self.journal.revision();
        if head.cluster != known.cluster {
            return Ok(Some(format!("its cluster id is {:x}, not {:x}", head.cluster, known.cluster)));
        }
        if head.revision < seen {
            return Ok(Some(format!("it is at revision {}, behind {seen}", head.revision)));
        }
        if head.term < known.term {
            return Ok(Some(format!("its raft term is {}, behind {}", head.term, known.term)));
        }
        // A store that was restored and has grown past us since shows itself in what it holds.
        let view = self.journal.view();
        let last = view.entries(view.end().saturating_sub(64), |entry| entry.change().is_some()).pop();
        let Some(change) = last.as_ref().and_then(|recorded| recorded.entry.change()) else { return Ok(None) };
        if change.value.is_none() {
            return Ok(None);
        }
        let now = self.store.changed_at(&change.key).await?;
        Ok(now
            .filter(|now| *now < change.revision)
            .map(|now| format!("it holds {} of revision {now}, not {}", change.key, change.revision)))
    }

    async fn list(&mut self, at: Option<Revision>) -> Result<(), StoreError> {
        let listing = self.store.list(&self.scope, at).await?;
        let keys = listing.state.len();
        self.journal.listed(listing.revision, Clock::now(), listing.state);
        debug!(keys = keys, revision = listing.revision, "keys listed");
        self.next = listing.revision + 1;
        self.partial.clear();
        self.grow.send_replace(self.journal.view().end());
        Ok(())
    }

    /// Takes in what the watch delivers until it breaks.
    async fn follow(&mut self, feed: &mut dyn Feed, ready: &mut Option<oneshot::Sender<()>>) -> StoreError {
        let mut again = tokio::time::interval(ASK_AGAIN);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let opened = tokio::time::Instant::now();
        let mut begun = false;
        loop {
            let step = tokio::select! {
                delivery = feed.next() => match delivery {
                    Ok(delivery) => {
                        if !std::mem::replace(&mut begun, true) {
                            self.pending.iter_mut().for_each(|(_, since)| *since = tokio::time::Instant::now());
                        }
                        self.take(delivery, ready).await
                    }
                    Err(error) => Err(error),
                },
                Some(ask) = self.asked.recv() => {
                    self.pending.push((ask, tokio::time::Instant::now()));
                    feed.ask_progress().await
                }
                _ = again.tick(), if !begun || !self.pending.is_empty() => {
                    self.pending.retain(|(ask, _)| !ask.reply.is_closed());
                    if !begun && opened.elapsed() > BEGUN_AFTER {
                        Err(StoreError::new("the watch does not begin"))
                    } else if !begun {
                        Ok(())
                    } else if self.pending.iter().any(|(_, since)| since.elapsed() > DEAD_AFTER) {
                        Err(StoreError::new("the watch answers no progress request"))
                    } else {
                        feed.ask_progress().await
                    }
                }
            };
            if let Err(error) = step {
                return error;
            }
        }
    }

    async fn take(&mut self, delivery: Delivery, ready: &mut Option<oneshot::Sender<()>>) -> Result<(), StoreError> {
        match delivery {
            Delivery::Started => {
                if let Some(ready) = ready.take() {
                    // Nobody listens in a bare lab.
                    let _ = ready.send(());
                }
            }
            Delivery::Events(events) => {
                trace!(count = events.len(), "events delivered");
                for entry in events {
                    self.event(entry);
                }
            }
            Delivery::Progress(revision) => self.progressed(revision),
            Delivery::Compacted(upto) if upto == self.next && !self.partial.is_empty() => {
                // Only the revision that was delivered already is gone.
                self.advance(upto + 1);
                return Err(StoreError::new("start after the compacted revision"));
            }
            Delivery::Compacted(upto) => {
                let reason = format!("etcd has compacted its history up to {upto}");
                warn!(from = self.next, upto, "compacted before it was delivered: the journal has a gap");
                self.record(Entry::Gap { from: self.next, to: upto, reason, at: Clock::now() });
                self.list(None).await?;
                return Err(StoreError::new("start after the compacted revision"));
            }
        }
        Ok(())
    }

    fn event(&mut self, entry: Entry) {
        let Some(change) = entry.change() else { return };
        if change.revision < self.next || (change.revision == self.next && self.partial.contains(&change.key)) {
            return;
        }
        if change.revision > self.next {
            self.advance(change.revision);
        }
        self.partial.insert(Arc::clone(&change.key));
        self.record(entry);
    }

    fn advance(&mut self, next: Revision) {
        self.next = next;
        self.partial.clear();
    }

    fn progressed(&mut self, revision: Revision) {
        if revision >= self.next {
            self.advance(revision + 1);
        }
        let epoch = self.journal.epoch();
        let mut open = Vec::new();
        for (ask, since) in self.pending.drain(..) {
            if ask.revision > revision {
                open.push((ask, since));
                continue;
            }
            self.journal.delivered(revision, ask.at);
            // The asker may have given up.
            let _ = ask.reply.send(Delivered { revision, at: ask.at, epoch });
        }
        self.pending = open;
    }

    fn record(&mut self, entry: Entry) {
        self.journal.push(entry);
        self.grow.send_replace(self.journal.view().end());
    }
}

/// The revision that left things as the given one found them; there is none before the first.
pub(super) fn before(revision: Revision) -> Revision {
    (revision - 1).max(1)
}
