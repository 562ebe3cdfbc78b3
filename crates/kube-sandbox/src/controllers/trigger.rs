//! What an Endpoints object or a slice owes its latest change to: the annotation from which it is measured how long
//! a change takes to reach the proxies.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::runtime::Key;

pub(crate) const TRIGGER: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// What was known of each Service when it was last looked at: when it was made, and since when its pods are as
/// ready as they are.
#[derive(Default)]
pub(crate) struct Triggers(Mutex<HashMap<Key, Known>>);

struct Known {
    service: String,
    pods: BTreeMap<String, String>,
}

impl Triggers {
    /// The earliest change since the last look, if there was any. Pods that are gone change nothing.
    pub(crate) fn changed(&self, key: &Key, service: &str, pods: BTreeMap<String, String>) -> Option<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.insert(key.clone(), Known { service: service.to_owned(), pods: pods.clone() });
        let before = |pod: &String| known.as_ref().and_then(|known| known.pods.get(pod)).map_or("", String::as_str);
        let moved = pods
            .iter()
            .filter(|(pod, since)| since.as_str() > before(pod))
            .map(|(_, since)| since.split('|').next().unwrap_or_default().to_owned());
        let made = known.as_ref().is_none_or(|known| known.service.as_str() < service).then(|| service.to_owned());
        moved.chain(made).min()
    }

    pub(crate) fn forget(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_news_counts_and_an_end_is_none() {
        let (triggers, key) = (Triggers::default(), Key::new("n", "s"));
        let pods = |list: &[(&str, &str)]| list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let look = |list: &[(&str, &str)]| triggers.changed(&key, "2026-01-01T00:00:05Z", pods(list));
        assert_eq!(look(&[]).as_deref(), Some("2026-01-01T00:00:05Z"));
        let two = [("a", "2026-01-01T00:00:08Z"), ("b", "2026-01-01T00:00:07Z")];
        assert_eq!(look(&two).as_deref(), Some("2026-01-01T00:00:07Z"));
        assert_eq!(look(&two[..1]), None);
        assert_eq!(look(&[("a", "2026-01-01T00:00:09Z|False")]).as_deref(), Some("2026-01-01T00:00:09Z"));
        assert_eq!(look(&[("a", "2026-01-01T00:00:09Z|True")]).as_deref(), Some("2026-01-01T00:00:09Z"));
    }
}
