//! What happens in a session, numbered, for pages that come and go.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::broadcast;

/// Kept for a page that was away.
const KEPT: usize = 1024;

/// No number is given twice, whichever session it is of: a page may come back to another session of the same lab.
static LAST: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
pub(super) struct Item {
    pub(super) number: u64,
    pub(super) text: Arc<str>,
    /// It shows a solution: not for those who only look on.
    pub(super) is_private: bool,
}

pub(super) struct Feed {
    kept: Mutex<Kept>,
    news: broadcast::Sender<Item>,
}

struct Kept {
    items: VecDeque<Item>,
    /// What came up to this number is not kept.
    gone: u64,
    last: u64,
}

/// From a place in the feed on.
pub(super) struct Hearing {
    /// What came since that place.
    pub(super) before: Vec<Item>,
    /// Some of it is not kept any more.
    pub(super) missed: bool,
    pub(super) news: broadcast::Receiver<Item>,
    /// The number of the last one before now.
    pub(super) last: u64,
}

impl Feed {
    pub(super) fn new() -> Self {
        let last = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let kept = Kept { items: VecDeque::new(), gone: last, last };
        Self { kept: Mutex::new(kept), news: broadcast::channel(KEPT).0 }
    }

    pub(super) fn publish(&self, event: &Value) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let item = Item { number, text: event.to_string().into(), is_private: event["role"] == "solution" };
        kept.last = number;
        kept.items.push_back(item.clone());
        if kept.items.len() > KEPT
            && let Some(gone) = kept.items.pop_front()
        {
            kept.gone = gone.number;
        }
        // Nobody may listen. In the lock, so that nothing comes twice or not at all to who begins to.
        drop(self.news.send(item));
    }

    /// From now on, or from what came after `last`.
    pub(super) fn hear(&self, last: Option<u64>) -> Hearing {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match last {
            Some(last) => kept.items.iter().filter(|item| item.number > last).cloned().collect(),
            None => Vec::new(),
        };
        // A number that was never given is one of another server's.
        let missed = last.is_some_and(|last| last < kept.gone || last > kept.last);
        Hearing { before, missed, news: self.news.subscribe(), last: kept.last }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_was_away_hears_what_came_meanwhile() {
        let feed = Feed::new();
        let start = feed.hear(None).last;
        let numbers = |last| feed.hear(Some(last)).before.iter().map(|item| item.number).collect::<Vec<_>>();
        for number in 1..=3 {
            feed.publish(&json!({ "n": number }));
        }
        let all = numbers(start);
        assert_eq!(all.len(), 3);
        assert_eq!(numbers(all[0]), all[1..]);
        assert!(!feed.hear(Some(all[0])).missed && feed.hear(None).before.is_empty());
        assert!(feed.hear(Some(start - 1)).missed, "a number of a session before");
        assert!(feed.hear(Some(u64::MAX)).missed, "a number of another server's");
        for _ in 0..KEPT {
            feed.publish(&json!({}));
        }
        assert!(feed.hear(Some(all[0])).missed && !feed.hear(Some(all[2])).missed);
    }
}
