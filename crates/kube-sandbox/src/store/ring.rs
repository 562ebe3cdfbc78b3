//! The newest changes of a kind, kept once for all who watch it. A watcher is a place in it; one that falls behind
//! what is kept is told so, and costs no memory meanwhile.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::change::{Change, FeedItem};

/// Changes that stay at hand: for late joiners, and for who is slow.
const MOST: usize = 1024;
/// Those of them that are kept decoded too, which takes ten times as much, and more.
const DECODED: usize = 128;
/// And their bytes, as etcd holds them.
const MOST_BYTES: usize = 4 << 20;
/// The same of all kinds together; beyond it a kind keeps `FEW_BYTES`.
const MOST_OF_ALL: usize = 12 << 20;
const FEW_BYTES: usize = 64 << 10;
/// Who comes later than this has etcd's history.
const FRESH: Duration = Duration::from_secs(15);

pub(super) struct Ring {
    changes: VecDeque<(Instant, Arc<Change>)>,
    /// Bytes that the rings of all kinds keep.
    all: Arc<AtomicUsize>,
    /// The number of the first of `changes`; they are counted from 0.
    first: u64,
    bytes: usize,
    /// Every change after this revision is in `changes` or still to come.
    complete_after: i64,
    /// Everything up to this revision was put in.
    progress: i64,
    /// The history that is asked for next is gone: nothing more comes.
    ended: bool,
}

/// How far one watcher has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    next: u64,
    progress: i64,
}

impl Ring {
    pub(super) fn new(revision: i64, all: Arc<AtomicUsize>) -> Self {
        Self {
            changes: VecDeque::new(),
            all,
            first: 0,
            bytes: 0,
            complete_after: revision,
            progress: revision,
            ended: false,
        }
    }

    pub(super) fn push(&mut self, change: Arc<Change>) {
        self.push_at(Instant::now(), change);
    }

    fn push_at(&mut self, now: Instant, change: Arc<Change>) {
        self.bytes += change.size();
        self.all.fetch_add(change.size(), Ordering::Relaxed);
        self.changes.push_back((now, change));
        if let Some((_, old)) = self.changes.len().checked_sub(DECODED + 1).and_then(|at| self.changes.get(at)) {
            old.pack();
        }
        self.shorten(now);
    }

    pub(super) fn progressed(&mut self, revision: i64) {
        self.progress = self.progress.max(revision);
        self.shorten(Instant::now());
    }

    fn shorten(&mut self, now: Instant) {
        while let Some((since, _)) = self.changes.front() {
            let is_old = now.duration_since(*since) > FRESH;
            let all = self.all.load(Ordering::Relaxed);
            let most = if is_old || all > MOST_OF_ALL { FEW_BYTES } else { MOST_BYTES };
            // The newest is wanted by whoever is woken for it.
            let is_awaited = self.changes.len() == 1 && !is_old;
            if is_awaited || (self.changes.len() <= MOST && self.bytes <= most) {
                return;
            }
            let Some((_, dropped)) = self.changes.pop_front() else { return };
            self.first += 1;
            self.forget(dropped.size());
            self.complete_after = dropped.revision;
        }
    }

    fn forget(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.all.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The place of who has seen everything up to `revision`; `None` where changes after it are not kept.
    pub(super) fn join(&self, revision: i64) -> Option<Place> {
        if revision < self.complete_after || self.ended {
            return None;
        }
        let seen = self.changes.iter().take_while(|(_, change)| change.revision <= revision).count();
        Some(Place { next: self.first + seen as u64, progress: revision })
    }

    /// What comes next at `place`, and moves it; `None` where nothing is there yet.
    pub(super) fn take(&self, place: &mut Place) -> Option<FeedItem> {
        let Some(at) = place.next.checked_sub(self.first) else { return Some(FeedItem::Lagged) };
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        if let Some((_, change)) = self.changes.get(at) {
            place.next += 1;
            return Some(FeedItem::Change(Arc::clone(change)));
        }
        if self.ended {
            return Some(FeedItem::Compacted);
        }
        (self.progress > place.progress).then(|| {
            place.progress = self.progress;
            FeedItem::Progress(self.progress)
        })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.forget(self.bytes);
    }
}

pub(super) struct Channel {
    ring: Mutex<Ring>,
    pub(super) news: watch::Sender<()>,
}

impl Channel {
    pub(super) fn new(revision: i64, kept: Arc<AtomicUsize>) -> Self {
        Self { ring: Mutex::new(Ring::new(revision, kept)), news: watch::Sender::new(()) }
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Ring) -> T) -> T {
        look(&mut self.ring.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Ring)) {
        self.with(change);
        self.news.send_replace(());
    }

    pub(super) fn take(&self, place: &mut Place) -> Option<FeedItem> {
        self.with(|ring| ring.take(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(revision: i64, size: usize) -> Arc<Change> {
        Arc::new(Change::for_tests(&format!("k{revision}"), revision, vec![b'x'; size]))
    }

    fn revision(item: Option<FeedItem>) -> Option<i64> {
        match item? {
            FeedItem::Change(change) => Some(change.revision),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_watcher_sees_each_change_after_its_revision_once() {
        let mut ring = Ring::new(5, Arc::default());
        (6..=8).for_each(|at| ring.push(change(at, 1)));
        let mut place = ring.join(6).expect("it is kept");
        assert_eq!(revision(ring.take(&mut place)), Some(7));
        assert_eq!(revision(ring.take(&mut place)), Some(8));
        ring.progressed(9);
        assert!(matches!(ring.take(&mut place), Some(FeedItem::Progress(9))));
        assert!(ring.take(&mut place).is_none());
        assert!(ring.join(4).is_none(), "what came before is not known");
    }

    #[test]
    fn what_is_old_is_kept_packed() {
        let mut ring = Ring::new(0, Arc::default());
        let place = ring.join(0).expect("it is kept");
        let first = change(1, 1);
        ring.push(Arc::clone(&first));
        first.frame("v1", || Some("frame".into()));
        (2..=i64::try_from(DECODED).expect("few") + 2).for_each(|at| ring.push(change(at, 1)));
        first.object();
        assert!(first.is_packed());
        assert_eq!(first.frame("v1", || None).as_deref(), Some(&b"frame"[..]));
        assert_eq!(first.frame("events.k8s.io/v1", || None), None);
        assert_eq!(revision(ring.take(&mut place.clone())), Some(1));
    }

    #[test]
    fn who_falls_behind_is_told_and_memory_stays_bounded() {
        let mut ring = Ring::new(0, Arc::default());
        let mut slow = ring.join(0).expect("it is kept");
        (1..=50).for_each(|at| ring.push(change(at, 1 << 20)));
        assert!(ring.bytes <= MOST_BYTES);
        assert!(matches!(ring.take(&mut slow), Some(FeedItem::Lagged)));
        assert!(ring.join(10).is_none() && ring.join(49).is_some());
        let mut many = Ring::new(0, Arc::default());
        (1..=5000).for_each(|at| many.push(change(at, 1)));
        assert_eq!(many.changes.len(), MOST);
    }

    #[test]
    fn what_is_old_goes_though_nothing_comes_after_it() {
        let all = Arc::default();
        let mut ring = Ring::new(0, Arc::clone(&all));
        let now = Instant::now();
        let Some(before) = now.checked_sub(2 * FRESH) else { return };
        ring.push_at(before, change(1, 1 << 20));
        ring.push_at(before, change(2, 10));
        assert_eq!(ring.changes.len(), 2, "it is fresh then");
        ring.push_at(now, change(3, 1 << 20));
        assert_eq!(ring.changes.len(), 1);
        ring.shorten(now + 2 * FRESH);
        assert!(ring.changes.is_empty() && ring.join(2).is_none() && ring.join(3).is_some());
        // What is small stays however old it is.
        ring.push_at(before, change(4, 10));
        ring.shorten(now + 2 * FRESH);
        assert_eq!(ring.changes.len(), 1);
        drop(ring);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_rings_of_many_kinds_are_bounded_together() {
        let all = Arc::default();
        let mut rings: Vec<Ring> = (0..20).map(|_| Ring::new(0, Arc::clone(&all))).collect();
        for revision in 1..=8 {
            for ring in &mut rings {
                ring.push(change(revision, 1 << 20));
            }
        }
        let held = all.load(Ordering::Relaxed);
        assert!(held <= 20 * ((1 << 20) + 100), "each keeps its newest: {held}");
        assert!(rings.iter().all(|ring| ring.changes.len() == 1));
    }

    #[test]
    fn nobody_joins_a_watch_that_has_ended() {
        let mut ring = Ring::new(0, Arc::default());
        ring.push(change(1, 1));
        let mut place = ring.join(0).expect("it is kept");
        ring.end();
        assert_eq!(revision(ring.take(&mut place)), Some(1));
        assert!(matches!(ring.take(&mut place), Some(FeedItem::Compacted)));
        assert!(ring.join(1).is_none());
    }
}
