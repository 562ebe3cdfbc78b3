//! What etcd's watch delivered, in order, append-only.

use std::time::SystemTime;

pub type Revision = i64;

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
    },
    /// Another store answers now: another cluster id, or a lower revision.
    Epoch {
        reason: String,
    },
}

#[derive(Debug, Clone)]
pub struct Change {
    pub key: String,
    pub revision: Revision,
    pub create_revision: Revision,
    pub version: i64,
    pub lease: i64,
    /// Empty for a delete.
    pub value: bytes::Bytes,
    pub previous: Option<bytes::Bytes>,
    pub at: SystemTime,
}

/// The revision read just before a stretch's first action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub revision: Revision,
    pub at: SystemTime,
    /// Which store was answering: counts [`Entry::Epoch`]s.
    pub epoch: u32,
}
