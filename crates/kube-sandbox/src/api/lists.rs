//! Lists as they were last sent, for a while: what was not written since is sent again as it was.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::store::Origin;

/// A shorter list is as soon read as looked at.
const FEWEST_BYTES: usize = 16 << 10;
const MOST_BYTES: usize = 2 << 20;
const MOST_OF_ALL: usize = 4 << 20;
/// Which nobody asked for meanwhile is forgotten.
const FRESH: Duration = Duration::from_secs(30);

/// Items as JSON, each with the key that it was read from, in the order of their keys.
#[derive(Debug, Clone, Default)]
pub struct Items {
    /// With a comma between any two.
    pub text: Bytes,
    /// Where in the text each ends.
    ends: Arc<[(Box<str>, usize)]>,
}

impl Items {
    pub(super) fn new(text: Vec<u8>, ends: Vec<(Box<str>, usize)>) -> Self {
        Self { text: text.into(), ends: ends.into() }
    }

    fn bytes(&self) -> usize {
        let keys = self.ends.iter().map(|(key, _)| key.len() + size_of::<(Box<str>, usize)>());
        self.text.len() + keys.sum::<usize>()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let begins = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| end + 1));
        self.ends.iter().zip(begins).map(|((key, end), begin)| (&**key, &self.text[begin..*end]))
    }

    /// How many there are of both, each key once.
    pub(super) fn count_with(&self, others: &Self) -> usize {
        let keys: HashSet<&str> = self.iter().map(|(key, _)| key).collect();
        keys.len() + others.iter().filter(|(key, _)| !keys.contains(key)).count()
    }

    /// With `newer` ones in place of those of the same keys; of all these what `is_there`.
    pub(super) fn renewed(&self, newer: &Self, is_there: impl Fn(&str) -> bool) -> Self {
        let (mut text, mut ends) = (Vec::with_capacity(self.text.len() + newer.text.len() + 1), Vec::new());
        let (mut old, mut new) = (self.iter().peekable(), newer.iter().peekable());
        loop {
            let next = match (old.peek(), new.peek()) {
                (Some((before, _)), Some((key, _))) if before < key => old.next(),
                (Some((before, _)), Some((key, _))) => {
                    let _replaced = (before == key).then(|| old.next());
                    new.next()
                }
                (Some(_), None) => old.next(),
                (None, _) => new.next(),
            };
            let Some((key, item)) = next else { return Self::new(text, ends) };
            if is_there(key) {
                if !ends.is_empty() {
                    text.push(b',');
                }
                text.extend_from_slice(item);
                ends.push((key.into(), text.len()));
            }
        }
    }
}

/// All that a folder holds.
#[derive(Debug, Clone)]
pub struct KnownList {
    pub items: Items,
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
        if list.items.text.len() < FEWEST_BYTES || !Self::may_keep(list.items.bytes()) {
            return;
        }
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.insert(folder.to_owned(), (now, list));
        while lists.values().map(|(_, list)| list.items.bytes()).sum::<usize>() > MOST_OF_ALL {
            let oldest = lists.iter().min_by_key(|(_, (used, _))| *used).map(|(folder, _)| folder.clone());
            oldest.map(|folder| lists.remove(&folder));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(bytes: usize) -> KnownList {
        let items = Items::new(vec![b'x'; bytes], Vec::new());
        KnownList { items, revision: 1, origin: Origin::default() }
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

    fn items(of: &[(&str, &str)]) -> Items {
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        for (key, item) in of {
            text.extend_from_slice(if ends.is_empty() { b"" } else { b"," });
            text.extend_from_slice(item.as_bytes());
            ends.push(((*key).into(), text.len()));
        }
        Items::new(text, ends)
    }

    #[test]
    fn what_was_written_takes_the_place_of_what_was_there() {
        let none = items(&[]);
        let before = items(&[("b", "B"), ("d", "DD"), ("f", "F")]);
        for (newer, gone, wanted, count) in [
            (&none, "", "B,DD,F", 3),
            (&items(&[("a", "A")]), "", "A,B,DD,F", 4),
            (&items(&[("b", "BB"), ("g", "")]), "", "BB,DD,F,", 4),
            (&items(&[("c", "C"), ("d", "D"), ("e", "E")]), "", "B,C,D,E,F", 5),
            (&items(&[("c", "C")]), "b", "C,DD,F", 4),
            (&items(&[("c", "C")]), "f", "B,C,DD", 4),
            (&none, "bdf", "", 3),
        ] {
            let renewed = before.renewed(newer, |key| !gone.contains(key));
            assert_eq!(renewed.text, wanted, "{newer:?} without {gone:?}");
            assert_eq!(before.count_with(newer), count, "{newer:?}");
            // It can be gone on from.
            let again = renewed.renewed(&items(&[("h", "H")]), |_| true);
            assert_eq!(again.text, format!("{wanted}{}H", if renewed.iter().count() == 0 { "" } else { "," }));
        }
        assert_eq!(none.renewed(&before, |_| true).text, before.text);
    }

    #[test]
    fn keys_count_as_what_is_kept() {
        let long = "k".repeat(100);
        let keys: Vec<(&str, &str)> = (0..20_000).map(|_| (&*long, "x")).collect();
        let lists = KnownLists::default();
        lists.keep("many", KnownList { items: items(&keys), ..list(0) });
        assert!(lists.get("many").is_none());
    }
}
