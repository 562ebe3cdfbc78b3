use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use super::{Change, Delivered, Entry, JournalView, Revision, Seq, Stored};

/// The one growing record of a run's store. Clones share it.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<RwLock<Inner>>,
}

pub(super) struct Inner {
    /// Every key below it is recorded; empty: all keys.
    pub(super) scope: String,
    pub(super) entries: Vec<(Seq, Arc<Entry>)>,
    pub(super) keys: BTreeMap<Arc<str>, Vec<Point>>,
    /// Where the state at a revision is to be found: one for each revision seen, in the order seen.
    pub(super) revisions: Vec<Reached>,
    pub(super) epoch: u32,
    pub(super) last: Seq,
    pub(super) delivered: Option<Delivered>,
    /// When the whole store was listed, and at which revision.
    pub(super) lists: Vec<(Seq, Revision, SystemTime)>,
}

/// After the entry `seq`, everything up to `revision` of the store `epoch` is in the journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    pub(super) epoch: u32,
    pub(super) revision: Revision,
    pub(super) seq: Seq,
}

/// One key from `seq` on: its value, or none.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) seq: Seq,
    pub(super) at: SystemTime,
    pub(super) state: Option<Arc<Change>>,
}

impl Journal {
    /// An empty journal of the keys that begin with `scope` (all keys where it is empty).
    pub fn new(scope: impl Into<String>) -> Self {
        let inner = Inner {
            scope: scope.into(),
            entries: Vec::new(),
            keys: BTreeMap::new(),
            revisions: Vec::new(),
            epoch: 0,
            last: 0,
            delivered: None,
            lists: Vec::new(),
        };
        Self { shared: Arc::new(RwLock::new(inner)) }
    }

    /// Takes in the whole store as one revision showed it: at the start, and after each hole.
    pub fn listed(&self, revision: Revision, at: SystemTime, state: Vec<Change>) {
        let mut inner = self.write();
        inner.last += 1;
        let seq = inner.last;
        let mut gone: std::collections::BTreeSet<Arc<str>> = inner
            .keys
            .iter()
            .filter(|(_, points)| points.last().is_some_and(|point| point.state.is_some()))
            .map(|(key, _)| Arc::clone(key))
            .collect();
        for change in state {
            gone.remove(&change.key);
            let points = inner.keys.entry(Arc::clone(&change.key)).or_default();
            let same = points.last().and_then(|point| point.state.as_ref()).is_some_and(|known| {
                known.revision == change.revision && known.create_revision == change.create_revision
            });
            if !same {
                points.push(Point { seq, at, state: Some(Arc::new(change)) });
            }
        }
        for key in gone {
            if let Some(points) = inner.keys.get_mut(&key) {
                points.push(Point { seq, at, state: None });
            }
        }
        inner.lists.push((seq, revision, at));
        inner.reach(revision, seq);
    }

    /// Takes in what the watch delivered. The previous value is shared with the entry that wrote it.
    pub fn push(&self, mut entry: Entry) {
        let mut inner = self.write();
        inner.last += 1;
        let seq = inner.last;
        match &mut entry {
            Entry::Put(change) | Entry::Delete(change) => {
                let known = inner.keys.get(&change.key).and_then(|points| points.last()).cloned();
                if let Some(before) = known.and_then(|point| point.state) {
                    if change.previous.is_none() || change.previous == before.value {
                        change.previous.clone_from(&before.value);
                        change.linked = true;
                    }
                    if change.value.is_none() {
                        change.create_revision = before.create_revision;
                        change.version = before.version;
                        change.lease = before.lease;
                    }
                }
            }
            Entry::Epoch { .. } => {
                inner.epoch += 1;
                inner.delivered = None;
            }
            Entry::Gap { .. } => {}
        }
        if let Some(change) = entry.change() {
            let revision = change.revision;
            let state = change.value.is_some().then(|| Arc::new(change.clone()));
            let point = Point { seq, at: change.at, state };
            inner.keys.entry(Arc::clone(&change.key)).or_default().push(point);
            inner.reach(revision, seq);
        }
        inner.entries.push((seq, Arc::new(entry)));
    }

    /// The watch has answered that nothing up to `revision` is missing; `at` is when that was asked.
    pub fn delivered(&self, revision: Revision, at: SystemTime) {
        let mut inner = self.write();
        let epoch = inner.epoch;
        let seq = inner.last;
        inner.reach(revision, seq);
        let newer = inner.delivered.is_none_or(|known| at >= known.at && revision >= known.revision);
        if newer {
            inner.delivered = Some(Delivered { revision, at, epoch });
        }
    }

    /// Drops what is not needed to go on from here: what happened until `seq`, but for the state that it led to.
    pub fn forget(&self, seq: Seq) {
        let mut inner = self.write();
        let gone = inner.entries.partition_point(|(known, _)| *known <= seq);
        inner.entries.drain(..gone);
        inner.keys.retain(|_, points| {
            let last = points.iter().rposition(|point| point.seq <= seq).unwrap_or_default();
            points.drain(..last);
            points.len() > 1 || points.first().is_some_and(|point| point.state.is_some() || point.seq > seq)
        });
        let reached = inner.revisions.iter().rposition(|reached| reached.seq <= seq).unwrap_or_default();
        inner.revisions.drain(..reached);
        let listed = inner.lists.iter().rposition(|(known, ..)| *known <= seq).unwrap_or_default();
        inner.lists.drain(..listed);
    }

    /// Takes out what happened after `from` and up to `upto`, as though it had not: a store was put back to what it was.
    /// That another store answered stays, by which moments are told apart.
    pub fn discard(&self, from: Seq, upto: Seq) {
        let mut inner = self.write();
        let is_out = |seq: Seq| seq > from && seq <= upto;
        inner.entries.retain(|(seq, entry)| !is_out(*seq) || matches!(entry.as_ref(), Entry::Epoch { .. }));
        inner.keys.retain(|_, points| {
            points.retain(|point| !is_out(point.seq));
            !points.is_empty()
        });
        inner.revisions.retain(|reached| !is_out(reached.seq));
        inner.lists.retain(|(seq, ..)| !is_out(*seq));
    }

    pub fn view(&self) -> JournalView {
        let inner = self.read();
        JournalView::new(self.clone(), inner.last, inner.delivered)
    }

    /// The journal as it was when it had come to that revision. `None`: it never came so far.
    pub fn view_at(&self, delivered: Delivered) -> Option<JournalView> {
        let upto = self.view().at_revision(delivered.epoch, delivered.revision)?;
        Some(JournalView::new(self.clone(), upto, Some(delivered)))
    }

    pub fn epoch(&self) -> u32 {
        self.read().epoch
    }

    /// The highest revision that the journal holds of the present store; 0 before any.
    pub fn revision(&self) -> Revision {
        let inner = self.read();
        inner.revisions.last().filter(|reached| reached.epoch == inner.epoch).map_or(0, |reached| reached.revision)
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn reach(&mut self, revision: Revision, seq: Seq) {
        let epoch = self.epoch;
        match self.revisions.last_mut() {
            Some(last) if last.epoch == epoch && last.revision >= revision => last.seq = last.seq.max(seq),
            _ => self.revisions.push(Reached { epoch, revision, seq }),
        }
    }
}

impl Change {
    /// A change as etcd's own fields give it.
    pub fn new(key: impl Into<Arc<str>>, revision: Revision, at: SystemTime) -> Self {
        Self {
            key: key.into(),
            revision,
            create_revision: 0,
            version: 0,
            lease: 0,
            value: None,
            previous: None,
            linked: false,
            at,
        }
    }

    #[must_use]
    pub fn value(mut self, bytes: impl Into<bytes::Bytes>) -> Self {
        self.value = Some(Stored::new(bytes));
        self
    }

    #[must_use]
    pub fn created(mut self, create_revision: Revision, version: i64) -> Self {
        self.create_revision = create_revision;
        self.version = version;
        self
    }

    /// Whether the previous value follows from the entries before.
    pub(super) fn previous_is_known(&self) -> bool {
        self.linked
    }

    /// Whether this is the write that made the key.
    pub fn creates(&self) -> bool {
        self.value.is_some() && self.previous.is_none() && self.version <= 1
    }
}
