use std::ops::Bound;
use std::sync::Arc;
use std::time::SystemTime;

use super::store::{Inner, Point};
use super::{Change, Delivered, Entry, Journal, KeyGlob, Mark, Revision, Seq};

/// The journal as it was at one moment.
#[derive(Clone)]
pub struct JournalView {
    journal: Journal,
    upto: Seq,
    delivered: Option<Delivered>,
}

/// An entry in its place.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub seq: Seq,
    pub entry: Arc<Entry>,
}

/// A stretch of the watch that is missing.
#[derive(Debug, Clone)]
pub struct Hole {
    pub seq: Seq,
    pub at: SystemTime,
    pub reason: String,
    /// Another store answers after it.
    pub new_store: bool,
}

impl JournalView {
    pub(super) fn new(journal: Journal, upto: Seq, delivered: Option<Delivered>) -> Self {
        Self { journal, upto, delivered }
    }

    /// How far the journal is complete; `None` before the first answer of the present store.
    pub fn delivered(&self) -> Option<Delivered> {
        self.delivered
    }

    /// What it looks into, as it goes on.
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    pub fn end(&self) -> Seq {
        self.upto
    }

    /// The journal as it was at an earlier moment.
    #[must_use]
    pub fn upto(&self, seq: Seq) -> Self {
        Self { upto: seq.min(self.upto), ..self.clone() }
    }

    /// The same, where it is known to be complete up to there.
    #[must_use]
    pub fn known_upto(&self, delivered: Delivered) -> Self {
        Self { delivered: Some(delivered), ..self.clone() }
    }

    /// Whether changes of this key, or of all keys with this prefix, are recorded at all.
    pub fn covers(&self, key: &str) -> bool {
        key.starts_with(&self.journal.read().scope)
    }

    pub fn scope(&self) -> String {
        self.journal.read().scope.clone()
    }

    pub fn epoch(&self) -> u32 {
        let inner = self.journal.read();
        inner.revisions.iter().rev().find(|reached| reached.seq <= self.upto).map_or(0, |reached| reached.epoch)
    }

    /// The moment at which the store stood at the mark's revision. `None`: the journal does not reach
    /// back or forward to it.
    pub fn at(&self, mark: &Mark) -> Option<Seq> {
        self.at_revision(mark.epoch, mark.revision)
    }

    pub fn at_revision(&self, epoch: u32, revision: Revision) -> Option<Seq> {
        let inner = self.journal.read();
        let key = (epoch, revision);
        let after = inner.revisions.partition_point(|reached| (reached.epoch, reached.revision) <= key);
        let reached = inner.revisions[..after].last()?;
        let known = inner.revisions.last().is_some_and(|last| (last.epoch, last.revision) >= key);
        (reached.epoch == epoch && known).then(|| reached.seq.min(self.upto))
    }

    /// The highest revision in this view, at the moment `seq`.
    pub fn revision_at(&self, seq: Seq) -> Option<Revision> {
        let inner = self.journal.read();
        let upto = inner.revisions.partition_point(|reached| reached.seq <= seq.min(self.upto));
        inner.revisions[..upto].last().map(|reached| reached.revision)
    }

    pub fn state(&self, key: &str, seq: Seq) -> Option<Arc<Change>> {
        let inner = self.journal.read();
        state_of(inner.keys.get(key)?, seq.min(self.upto))
    }

    /// Every key that matches and exists at `seq`, in key order.
    pub fn states(&self, glob: &KeyGlob, seq: Seq) -> Vec<Arc<Change>> {
        let inner = self.journal.read();
        keys_of(&inner, glob).filter_map(|(_, points)| state_of(points, seq.min(self.upto))).collect()
    }

    /// Whether any key that begins so has existed at any time.
    pub fn has_held(&self, prefix: &str) -> bool {
        let inner = self.journal.read();
        inner
            .keys
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .any(|(_, points)| points.iter().any(|point| point.seq <= self.upto && point.state.is_some()))
    }

    /// The moments after `since` at which a matching key changed, or the store was listed anew, in order.
    pub fn turns(&self, glob: &KeyGlob, since: Seq) -> Vec<(Seq, SystemTime)> {
        let inner = self.journal.read();
        let mut turns: Vec<(Seq, SystemTime)> = keys_of(&inner, glob)
            .flat_map(|(_, points)| &points[points.partition_point(|point| point.seq <= since)..])
            .filter(|point| point.seq <= self.upto)
            .map(|point| (point.seq, point.at))
            .chain(
                inner
                    .lists
                    .iter()
                    .filter(|(seq, ..)| *seq > since && *seq <= self.upto)
                    .map(|(seq, _, at)| (*seq, *at)),
            )
            .collect();
        turns.sort_unstable_by_key(|(seq, _)| *seq);
        turns.dedup_by_key(|(seq, _)| *seq);
        turns
    }

    /// The witnessed changes of matching keys after `since`, in order.
    pub fn changes(&self, glob: &KeyGlob, since: Seq) -> Vec<Recorded> {
        self.entries(since, |entry| entry.change().is_some_and(|change| glob.matches(&change.key)))
    }

    pub fn holes(&self, since: Seq) -> Vec<Hole> {
        let hole = |recorded: Recorded| match recorded.entry.as_ref() {
            Entry::Gap { from, to, reason, at } => Some(Hole {
                seq: recorded.seq,
                at: *at,
                reason: format!("the watch lost revisions {from} to {to}: {reason}"),
                new_store: false,
            }),
            Entry::Epoch { reason, at } => Some(Hole {
                seq: recorded.seq,
                at: *at,
                reason: format!("from here on another etcd store answers: {reason}"),
                new_store: true,
            }),
            Entry::Put(_) | Entry::Delete(_) => None,
        };
        self.entries(since, |entry| entry.change().is_none()).into_iter().filter_map(hole).collect()
    }

    pub fn entries(&self, since: Seq, wanted: impl Fn(&Entry) -> bool) -> Vec<Recorded> {
        let inner = self.journal.read();
        let from = inner.entries.partition_point(|(seq, _)| *seq <= since);
        inner.entries[from..]
            .iter()
            .take_while(|(seq, _)| *seq <= self.upto)
            .filter(|(_, entry)| wanted(entry))
            .map(|(seq, entry)| Recorded { seq: *seq, entry: Arc::clone(entry) })
            .collect()
    }

    /// Existing keys below a prefix.
    pub fn keys_below(&self, prefix: &str, seq: Seq) -> Vec<Arc<str>> {
        let inner = self.journal.read();
        inner
            .keys
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, points)| state_of(points, seq.min(self.upto)).is_some())
            .map(|(key, _)| Arc::clone(key))
            .collect()
    }

    /// When a key was last seen to vanish, if it did.
    pub fn deletion(&self, key: &str, seq: Seq) -> Option<Recorded> {
        let inner = self.journal.read();
        let points = inner.keys.get(key)?;
        let point = points[..points.partition_point(|point| point.seq <= seq.min(self.upto))].last()?;
        if point.state.is_some() {
            return None;
        }
        let index = inner.entries.binary_search_by_key(&point.seq, |(seq, _)| *seq).ok()?;
        let (seq, entry) = &inner.entries[index];
        Some(Recorded { seq: *seq, entry: Arc::clone(entry) })
    }

    pub(super) fn lists(&self) -> Vec<(Seq, Revision, SystemTime)> {
        self.journal.read().lists.iter().filter(|(seq, ..)| *seq <= self.upto).copied().collect()
    }
}

fn keys_of<'a>(inner: &'a Inner, glob: &'a KeyGlob) -> impl Iterator<Item = (&'a Arc<str>, &'a Vec<Point>)> {
    inner
        .keys
        .range::<str, _>((Bound::Included(glob.prefix()), Bound::Unbounded))
        .take_while(|(key, _)| key.starts_with(glob.prefix()))
        .filter(|(key, _)| glob.matches(key))
}

fn state_of(points: &[Point], seq: Seq) -> Option<Arc<Change>> {
    points[..points.partition_point(|point| point.seq <= seq)].last()?.state.clone()
}
