//! What the agent remembers of a pod beside its status: what was reported of it, what was tried in vain, and when to
//! look again. A kubelet that starts anew has forgotten it, too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::probe::Kind;
use super::{FIRST_BACK_OFF, LONGEST_BACK_OFF};

#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<HashMap<Arc<str>, Pod>>>);

#[derive(Default)]
struct Pod {
    /// By container and kind, how many probes were reported.
    probes: HashMap<(String, Kind), i64>,
    /// How often a volume was lacking, and when to look again.
    lacks: u32,
    next: Option<Instant>,
    /// By container, what keeps it from starting.
    troubles: HashMap<String, Trouble>,
    /// By container, how many of its restarts no longer count: it ran well for long after them.
    forgiven: HashMap<String, i64>,
    /// By container run, how often its next start was put off.
    put_off: HashMap<String, u32>,
    /// Whether it was reported what cannot be known of it.
    simulated: bool,
    /// When it was seen to be deleted, and to be over after that.
    stops: [Option<Instant>; 2],
    /// When something began to be told to stop, in milliseconds since 1970, by what it is.
    since: HashMap<String, i64>,
}

/// The reason and message of a wait.
pub(super) type Wait = (String, String);

/// A container that could not be started.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    image: String,
    /// What the last try came to: it is shown from the next one on.
    pub(super) result: Wait,
    pub(super) next: Instant,
    pulls: u32,
    pull_again: Instant,
}

/// The two ends of a pod that is deleted.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Seen,
    Over,
}

/// After a first failure a kubelet looks at the pod again when it hears of its sandbox, later in turn.
const SECOND_TRY: Duration = Duration::from_secs(1);
/// In seconds: twice the longest wait, as a kubelet has it.
const FORGIVEN_AFTER: i64 = 600;
pub(super) const NEXT_SYNC: Duration = Duration::from_secs(11);

impl Memory {
    fn with<T>(&self, uid: &Arc<str>, work: impl FnOnce(&mut Pod) -> T) -> T {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(memory.entry(Arc::clone(uid)).or_default())
    }

    pub(super) fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Whether this is news; it is none the second time.
    pub(super) fn is_news(&self, uid: &Arc<str>, container: &str, kind: Kind, count: i64) -> bool {
        self.with(uid, |pod| pod.probes.insert((container.to_owned(), kind), count).is_none_or(|before| before < count))
    }

    /// Whether it was not reported yet what cannot be known of this pod.
    pub(super) fn is_first_unknown(&self, uid: &Arc<str>) -> bool {
        self.with(uid, |pod| !std::mem::replace(&mut pod.simulated, true))
    }

    /// Whether a probe ended this run of a container.
    pub(super) fn was_killed(&self, uid: &Arc<str>, run: &str) -> bool {
        let run = format!("{run} killed");
        self.with(uid, |pod| pod.probes.keys().any(|(held, _)| *held == run))
    }

    /// How many restarts of a container count for how long it is put off: those since it last ran for long.
    pub(super) fn crashes(&self, uid: &Arc<str>, container: &str, restarts: i64, lasted: i64) -> i64 {
        self.with(uid, |pod| {
            if lasted > FORGIVEN_AFTER {
                pod.forgiven.insert(container.to_owned(), restarts);
            }
            restarts - pod.forgiven.get(container).copied().unwrap_or_default()
        })
    }

    /// How often the start after this run of a container was put off so far; counts on.
    pub(super) fn puts_off(&self, uid: &Arc<str>, run: &str) -> u32 {
        self.with(uid, |pod| {
            let count = pod.put_off.entry(run.to_owned()).or_default();
            *count += 1;
            *count - 1
        })
    }

    /// When this was asked for the first time, in milliseconds since 1970; whether that is now.
    pub(super) fn since(&self, uid: &Arc<str>, what: &str) -> (i64, bool) {
        self.with(uid, |pod| {
            let mut first = false;
            let since = *pod.since.entry(what.to_owned()).or_insert_with(|| {
                first = true;
                jiff::Timestamp::now().as_millisecond()
            });
            (since, first)
        })
    }

    /// Whether nobody looked at this end of the pod before.
    pub(super) fn starts(&self, uid: &Arc<str>, end: End) -> bool {
        self.with(uid, |pod| pod.stops[end as usize].is_none())
    }

    /// What is left of the time that this end of the pod takes, counted from the first call.
    pub(super) fn lingers(&self, uid: &Arc<str>, end: End, takes: Duration) -> Option<Duration> {
        let since = self.with(uid, |pod| *pod.stops[end as usize].get_or_insert_with(Instant::now));
        let left = takes.saturating_sub(since.elapsed());
        (!left.is_zero()).then_some(left)
    }

    /// How long it is pointless to look for its volumes again.
    pub(super) fn holds_off(&self, uid: &Arc<str>) -> Option<Duration> {
        let left = self.with(uid, |pod| pod.next)?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Volumes are lacking: `wait` says how long to hold off after so many times.
    pub(super) fn lacks(&self, uid: &Arc<str>, wait: impl Fn(u32) -> Duration) -> Duration {
        self.with(uid, |pod| {
            let wait = wait(pod.lacks);
            pod.lacks += 1;
            pod.next = Some(Instant::now() + wait);
            wait
        })
    }

    /// What kept this container from starting; another image is another matter.
    pub(super) fn trouble(&self, uid: &Arc<str>, container: &str, image: &str) -> Option<Trouble> {
        let mut found = self.with(uid, |pod| pod.troubles.get(container).cloned())?;
        if found.image != image {
            found.next = Instant::now();
            found.pull_again = found.next;
            found.pulls = 0;
        }
        Some(found)
    }

    /// One more try in vain; says when the next is due.
    pub(super) fn note_trouble(&self, uid: &Arc<str>, container: &str, image: &str, result: Wait) -> Duration {
        let held = self.trouble(uid, container, image);
        let now = Instant::now();
        let wait = if held.is_some() { NEXT_SYNC } else { SECOND_TRY };
        let (mut pulls, mut pull_again) = held.map_or((0, now), |held| (held.pulls, held.pull_again));
        if result.0 == "ErrImagePull" {
            pull_again = now + Duration::from_secs((FIRST_BACK_OFF << pulls.min(5)).min(LONGEST_BACK_OFF));
            pulls += 1;
        }
        let trouble = Trouble { image: image.to_owned(), result, next: now + wait, pulls, pull_again };
        self.with(uid, |pod| pod.troubles.insert(container.to_owned(), trouble));
        wait
    }

    pub(super) fn no_trouble(&self, uid: &Arc<str>, container: &str) {
        self.with(uid, |pod| pod.troubles.remove(container));
    }
}

impl Trouble {
    /// Whether its registry is not to be asked again yet.
    pub(super) fn backs_off(&self) -> bool {
        self.pulls > 0 && self.pull_again > Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crashes_are_forgiven_after_a_long_run() {
        let (memory, uid) = (Memory::default(), Arc::from("u"));
        let counts: Vec<i64> = [(0, 1), (1, 5), (2, 600), (3, 601), (3, 601), (4, 2), (5, 2)]
            .map(|(restarts, lasted)| memory.crashes(&uid, "c", restarts, lasted))
            .to_vec();
        assert_eq!(counts, [0, 1, 2, 0, 0, 1, 2]);
        assert_eq!(memory.crashes(&uid, "other", 4, 2), 4);
    }
}
