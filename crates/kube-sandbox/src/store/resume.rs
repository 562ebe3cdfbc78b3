//! Where a broken watch goes on. A revision may hold many changes (a transaction), and etcd sends a large one in
//! fragments: when the stream breaks in between, the same revision is asked for again, and what came of it already
//! is left out.

use std::collections::HashSet;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resume {
    /// All of it was delivered.
    complete: i64,
    /// The newest revision of which something was delivered, and its keys.
    newest: i64,
    keys: HashSet<String>,
}

impl Resume {
    pub(super) fn after(revision: i64) -> Self {
        Self { complete: revision, newest: revision, keys: HashSet::new() }
    }

    /// The first revision to ask for.
    pub(super) fn start(&self) -> i64 {
        self.complete + 1
    }

    /// Whether this change was not delivered before. A transaction changes a key once.
    pub(super) fn is_new(&mut self, key: &str, revision: i64) -> bool {
        if revision > self.newest {
            self.complete = self.complete.max(revision - 1);
            self.newest = revision;
            self.keys.clear();
        }
        revision > self.complete && self.keys.insert(key.to_owned())
    }

    /// etcd's word that nothing up to here is outstanding.
    pub(super) fn progressed(&mut self, revision: i64) {
        self.complete = self.complete.max(revision);
        if revision >= self.newest {
            self.newest = revision;
            self.keys.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_that_was_cut_is_asked_for_again_and_told_once() {
        let mut resume = Resume::after(4);
        assert_eq!(resume.start(), 5);
        assert!(resume.is_new("a", 7) && resume.is_new("b", 7));
        // The stream breaks before the fragment with "c".
        assert_eq!(resume.start(), 7);
        let again: Vec<bool> = ["a", "b", "c"].iter().map(|key| resume.is_new(key, 7)).collect();
        assert_eq!(again, [false, false, true]);
        assert!(resume.is_new("a", 9));
        assert_eq!(resume.start(), 9);
        resume.progressed(12);
        assert_eq!(resume.start(), 13);
        assert!(!resume.is_new("a", 9) && resume.is_new("a", 13));
    }
}
