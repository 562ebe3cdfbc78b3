//! What is to be done next: each key once, never twice at a time, later where it failed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

const FIRST_RETRY: Duration = Duration::from_millis(5);
/// What is in the way passes soon.
const LONGEST_RETRY: Duration = Duration::from_secs(5);
const FARTHEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// What was refused is tried ever more rarely, as in a real cluster.
const LONGEST_REFUSED: Duration = Duration::from_secs(1000);

pub(crate) struct Queue<K> {
    state: Mutex<State<K>>,
    changed: Notify,
}

struct State<K> {
    ready: VecDeque<K>,
    waiting: HashSet<K>,
    running: HashSet<K>,
    /// Asked for again while running.
    again: HashSet<K>,
    later: BinaryHeap<Reverse<(Instant, K)>>,
    /// The one time that counts of those in `later`: the earliest.
    due: HashMap<K, Instant>,
    failures: HashMap<K, u32>,
}

impl<K: Clone + Eq + Hash + Ord> Queue<K> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                waiting: HashSet::new(),
                running: HashSet::new(),
                again: HashSet::new(),
                later: BinaryHeap::new(),
                due: HashMap::new(),
                failures: HashMap::new(),
            }),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, key: K) {
        {
            let mut state = self.state();
            if state.running.contains(&key) {
                state.again.insert(key);
                return;
            }
            if !state.waiting.insert(key.clone()) {
                return;
            }
            state.ready.push_back(key);
        }
        self.changed.notify_one();
    }

    pub(crate) fn add_after(&self, key: K, delay: Duration) {
        // A time that a clock can still reach, however large the number that asked for it.
        let at = Instant::now() + delay.min(FARTHEST);
        {
            let mut state = self.state();
            if state.due.get(&key).is_some_and(|due| *due <= at) {
                return;
            }
            state.due.insert(key.clone(), at);
            state.later.push(Reverse((at, key)));
        }
        self.changed.notify_one();
    }

    /// Sooner after the first failure than after the tenth; how much later.
    pub(crate) fn retry(&self, key: K, refused: bool) -> Duration {
        let delay = {
            let mut state = self.state();
            let failures = state.failures.entry(key.clone()).or_default();
            *failures += 1;
            let longest = if refused { LONGEST_REFUSED } else { LONGEST_RETRY };
            FIRST_RETRY.saturating_mul(1 << (*failures - 1).min(18)).min(longest)
        };
        self.add_after(key, delay);
        delay
    }

    pub(crate) fn succeeded(&self, key: &K) {
        self.state().failures.remove(key);
    }

    /// Waits for a key; it is not handed out again before `done`.
    pub(crate) async fn next(&self) -> K {
        loop {
            let changed = self.changed.notified();
            let wake = {
                let mut state = self.state();
                let now = Instant::now();
                while state.later.peek().is_some_and(|Reverse((at, _))| *at <= now) {
                    if let Some(Reverse((at, key))) = state.later.pop() {
                        if state.due.get(&key) != Some(&at) {
                            continue;
                        }
                        state.due.remove(&key);
                        if state.running.contains(&key) {
                            state.again.insert(key);
                        } else if state.waiting.insert(key.clone()) {
                            state.ready.push_back(key);
                        }
                    }
                }
                if let Some(key) = state.ready.pop_front() {
                    state.waiting.remove(&key);
                    state.running.insert(key.clone());
                    if !state.ready.is_empty() {
                        self.changed.notify_one();
                    }
                    return key;
                }
                state.later.peek().map(|Reverse((at, _))| *at)
            };
            match wake {
                Some(at) => drop(tokio::time::timeout_at(at, changed).await),
                None => changed.await,
            }
        }
    }

    pub(crate) fn done(&self, key: &K) {
        let again = {
            let mut state = self.state();
            state.running.remove(key);
            state.again.remove(key)
        };
        if again {
            self.add(key.clone());
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
