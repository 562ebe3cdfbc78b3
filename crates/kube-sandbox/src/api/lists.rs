//! Lists as they were last sent, for a while: where etcd says that nothing was written since, they are sent again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::store::Origin;

/// A shorter list is as soon read as looked at.
const FEWEST_BYTES: usize = 16 << 10;
const MOST_BYTES: usize = 2 << 20;
const MOST_OF_ALL: usize = 4 << 20;
/// Which nobody asked for meanwhile is forgotten.
const FRESH: Duration = Duration::from_secs(30);

/// The items of all that a folder holds.
#[derive(Debug, Clone)]
pub struct KnownList {
    /// As JSON, between the brackets.
    pub text: Bytes,
    /// The newest of the store when it was read.
    pub revision: i64,
    pub origin: Origin,
}

/// By their folder.
#[derive(Debug, Default)]
pub struct KnownLists(Mutex<HashMap<String, (Instant, KnownList)>>);

impl KnownLists {
    pub(super) fn get(&self, folder: &str) -> Option<KnownList> {
        self.get_at(Instant::now(), folder)
    }

    fn get_at(&self, now: Instant, folder: &str) -> Option<KnownList> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|_, (used, _)| now.duration_since(*used) < FRESH);
        let (used, list) = lists.get_mut(folder)?;
        *used = now;
        Some(list.clone())
    }

    pub(super) fn may_keep(bytes: usize) -> bool {
        bytes <= MOST_BYTES
    }

    pub(super) fn keep(&self, folder: &str, list: KnownList) {
        self.keep_at(Instant::now(), folder, list);
    }

    fn keep_at(&self, now: Instant, folder: &str, list: KnownList) {
        if list.text.len() < FEWEST_BYTES || !Self::may_keep(list.text.len()) {
            return;
        }
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.insert(folder.to_owned(), (now, list));
        while lists.values().map(|(_, list)| list.text.len()).sum::<usize>() > MOST_OF_ALL {
            let oldest = lists.iter().min_by_key(|(_, (used, _))| *used).map(|(folder, _)| folder.clone());
            oldest.map(|folder| lists.remove(&folder));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(bytes: usize) -> KnownList {
        KnownList { text: vec![b'x'; bytes].into(), revision: 1, origin: Origin::default() }
    }

    #[test]
    fn what_is_kept_is_bounded_and_goes_when_nobody_asks() {
        let lists = KnownLists::default();
        let begin = Instant::now();
        let later = |seconds| begin + Duration::from_secs(seconds);
        for (second, folder) in ["a", "b", "c"].iter().enumerate() {
            lists.keep_at(later(second as u64), folder, list(MOST_BYTES));
        }
        lists.keep_at(later(3), "short", list(FEWEST_BYTES - 1));
        lists.keep_at(later(3), "long", list(MOST_BYTES + 1));
        let known = |now| ["a", "b", "c", "short", "long"].map(|folder| lists.get_at(now, folder).is_some());
        assert_eq!(known(later(4)), [false, true, true, false, false]);
        lists.keep_at(later(20), "c", list(FEWEST_BYTES));
        assert_eq!(known(later(45)), [false, false, true, false, false]);
        assert_eq!(known(later(100)), [false; 5]);
    }
}
