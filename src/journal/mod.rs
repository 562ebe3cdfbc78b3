//! What etcd's watch delivered, in order, append-only, and the state of every key at any moment of it.
//!
//! A [`Journal`] starts with a list of the store at one revision and grows by what the watch delivers.
//! After a hole ([`Entry::Gap`], [`Entry::Epoch`]) the store is listed anew, so that the present state
//! is always known even where the way to it is not. A [`JournalView`] is what judging reads: a bound
//! into the same memory, cheap to take and unmoved by later entries.

mod clock;
mod evidence;
mod fields;
mod glob;
mod heartbeat;
mod observation;
mod reading;
mod save;
mod store;
#[cfg(test)]
mod tests;
mod value;
mod view;

use std::sync::Arc;
use std::time::SystemTime;

use crate::text::EventKind;

pub use clock::Clock;
pub use evidence::{SavedMark, SavedObservation, SavedSeen, SavedText, stamp};
pub use fields::{Difference, FieldChange, difference};
pub use glob::{KeyGlob, Piece};
pub use heartbeat::Heartbeat;
pub use observation::{Need, Observation, Seen};
pub use reading::{Look, Reading, in_a_word, printable, read, yaml_text};
pub use save::{LoadError, showable};
pub use store::Journal;
pub use value::{Object, Stored};
pub use view::{Hole, JournalView, Recorded};

pub type Revision = i64;

/// A moment of the journal: the number of the entry after which it holds. Unlike a revision it also
/// orders entries of different stores and the events of one transaction.
pub type Seq = u64;

/// One fact of the watch, or a hole in it.
#[derive(Debug, Clone)]
pub enum Entry {
    Put(Change),
    Delete(Change),
    /// Revisions that the watch could not deliver: compaction, or an endpoint that lost them.
    Gap {
        from: Revision,
        to: Revision,
        reason: String,
        at: SystemTime,
    },
    /// Another store answers now: another cluster id, or a lower revision.
    Epoch {
        reason: String,
        at: SystemTime,
    },
}

/// One key as one revision left it.
#[derive(Debug, Clone)]
pub struct Change {
    pub key: Arc<str>,
    pub revision: Revision,
    /// Of a delete: those of the deleted value.
    pub create_revision: Revision,
    pub version: i64,
    pub lease: i64,
    /// `None` for a delete.
    pub value: Option<Arc<Stored>>,
    /// `None` where the key did not exist before, or where etcd no longer knew.
    pub previous: Option<Arc<Stored>>,
    /// When it reached the journal.
    pub at: SystemTime,
    /// Whether `previous` is the value of the entry before, and not one that only etcd reported.
    linked: bool,
}

/// The revision read just before a stretch's first action, or just after its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub revision: Revision,
    pub at: SystemTime,
    /// What the wall clock showed then: for `mark.time`, and for nothing that is measured.
    pub wall: SystemTime,
    /// Which store was answering: counts [`Entry::Epoch`]s.
    pub epoch: u32,
    /// False where etcd did not answer: then this is the last revision that it delivered.
    pub read: bool,
}

/// How far the journal is complete: every change up to `revision` has been delivered, and `revision`
/// was the store's newest at the moment `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    pub revision: Revision,
    pub at: SystemTime,
    pub epoch: u32,
}

impl Entry {
    pub fn at(&self) -> SystemTime {
        match self {
            Entry::Put(change) | Entry::Delete(change) => change.at,
            Entry::Gap { at, .. } | Entry::Epoch { at, .. } => *at,
        }
    }

    pub fn change(&self) -> Option<&Change> {
        self.event().map(|(_, change)| change)
    }

    /// A change, and what etcd did.
    pub fn event(&self) -> Option<(EventKind, &Change)> {
        match self {
            Entry::Put(change) => Some((EventKind::Put, change)),
            Entry::Delete(change) => Some((EventKind::Delete, change)),
            Entry::Gap { .. } | Entry::Epoch { .. } => None,
        }
    }

    /// `PUT` or `DELETE`, as etcdctl prints them.
    pub fn name(&self) -> &'static str {
        match self {
            Entry::Put(_) => EventKind::Put.name(),
            Entry::Delete(_) => EventKind::Delete.name(),
            Entry::Gap { .. } => "GAP",
            Entry::Epoch { .. } => "EPOCH",
        }
    }
}
