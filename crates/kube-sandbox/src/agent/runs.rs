//! The runs of containers under way: what each was started with and what it is taken to do, for probes, for those
//! who share its files, and for whoever asks for its logs or runs a command in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::run::Run;
use super::shell::{Change, End, Piece};
use crate::runtime::Key;

/// The current and the last run of each container, by pod and name.
#[derive(Debug, Clone, Default)]
pub struct Runs(Arc<Mutex<ByContainer>>, Wakers, Kept);

type ByContainer = HashMap<(Arc<str>, String), Vec<Run>>;

/// The runs, for those who are held by one of them.
#[derive(Clone)]
pub(super) struct Watching(Weak<Mutex<ByContainer>>);

impl Watching {
    fn with<T>(&self, work: impl FnOnce(&mut Run) -> T, uid: &str, container: &str, id: &str) -> Option<T> {
        let runs = self.0.upgrade()?;
        let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
        let held = runs.get_mut(&(Arc::from(uid), container.to_owned()))?;
        held.iter_mut().rev().find(|run| run.id == id).map(work)
    }

    pub(super) fn current(&self, uid: &str, container: &str, id: &str) -> Option<Run> {
        self.with(|run| run.clone(), uid, container, id)
    }

    /// What a server's log says of a call. The same call is told anew each time its caller is followed again.
    pub(super) fn heard(&self, uid: &str, container: &str, id: &str, line: Piece) {
        self.with(
            |run| {
                if run.heard.len() < MOST_KEPT && !run.heard.contains(&line) {
                    run.heard.push(line);
                }
            },
            uid,
            container,
            id,
        );
    }
}

/// What pods that are gone left in volumes that stay.
type Kept = Arc<Mutex<HashMap<String, Vec<Change>>>>;

/// More volumes, or more changes of one, are not remembered.
const MOST_KEPT: usize = 1000;

/// Whether a volume is there for other pods too: a folder of the node, or a claim.
fn stays(volume: &str) -> bool {
    volume.contains(':')
}

/// Who is to look at a pod when somebody ended a run of it.
#[derive(Clone, Default)]
struct Wakers(Arc<Mutex<Vec<Box<dyn Fn(Key) + Send + Sync>>>>);

impl std::fmt::Debug for Wakers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wakers")
    }
}

impl Runs {
    /// What a server's log says of a call.
    pub(crate) fn heard(&self, uid: &str, container: &str, id: &str, line: Piece) {
        self.watching().heard(uid, container, id, line);
    }

    pub(super) fn watching(&self) -> Watching {
        Watching(Arc::downgrade(&self.0))
    }

    fn with<T>(&self, work: impl FnOnce(&mut ByContainer) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `wake` is called with the pod of which a run was ended.
    pub(crate) fn woken(&self, wake: impl Fn(Key) + Send + Sync + 'static) {
        self.1.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(wake));
    }

    /// Whoever types into the first process of a container has ended it.
    pub(crate) fn end(&self, pod: &Key, uid: &str, container: &str, id: &str, end: End) {
        self.change(uid, container, id, |run| run.played.end = end);
        for wake in self.1.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            wake(pod.clone());
        }
    }

    pub(super) fn begin(&self, uid: &Arc<str>, container: &str, run: Run) {
        self.with(|runs| {
            let held = runs.entry((Arc::clone(uid), container.to_owned())).or_default();
            held.push(run);
            // The current one and the one before.
            while held.len() > 2 {
                held.remove(0);
            }
        });
    }

    pub(super) fn forget(&self, uid: &str) {
        let gone: Vec<Run> = self.with(|runs| {
            let gone = runs.extract_if(|(held, _), _| &**held == uid);
            gone.flat_map(|(_, runs)| runs).collect()
        });
        let mut kept = self.2.lock().unwrap_or_else(PoisonError::into_inner);
        for run in gone {
            for (volume, mount) in run.shares.iter().filter(|(volume, _)| stays(volume)) {
                let changes = run.changes_in(mount, jiff::Timestamp::now().as_millisecond());
                if changes.is_empty() || kept.len() >= MOST_KEPT && !kept.contains_key(volume) {
                    continue;
                }
                let held = kept.entry(volume.clone()).or_default();
                held.extend(changes);
                held.sort_by_key(|change| change.at);
                held.drain(..held.len().saturating_sub(MOST_KEPT));
            }
        }
    }

    pub(crate) fn current(&self, uid: &str, container: &str, id: &str) -> Option<Run> {
        self.with(|runs| {
            runs.get(&(Arc::from(uid), container.to_owned()))?.iter().rev().find(|run| run.id == id).cloned()
        })
    }

    /// Changes the run in place, if it is there.
    pub(crate) fn change<T>(
        &self,
        uid: &str,
        container: &str,
        id: &str,
        work: impl FnOnce(&mut Run) -> T,
    ) -> Option<T> {
        self.with(|runs| {
            let held = runs.get_mut(&(Arc::from(uid), container.to_owned()))?;
            held.iter_mut().rev().find(|run| run.id == id).map(work)
        })
    }

    /// What runs other than one did to a volume, as paths within it: those of the pod, and where the volume is there
    /// for other pods too, theirs.
    pub(super) fn shared(&self, uid: &str, but: &str, volume: &str) -> Vec<Change> {
        let stays = stays(volume);
        let mut found = Vec::new();
        if stays {
            let kept = self.2.lock().unwrap_or_else(PoisonError::into_inner);
            found.extend(kept.get(volume).cloned().unwrap_or_default());
        }
        self.with(|runs| {
            let others = runs.iter().filter(|((held, _), _)| stays || &**held == uid);
            for run in others.flat_map(|(_, runs)| runs).filter(|run| run.id != but) {
                if let Some((_, mount)) = run.shares.iter().find(|(name, _)| name == volume) {
                    found.extend(run.changes_in(mount, i64::MAX));
                }
            }
        });
        found.sort_by_key(|change| change.at);
        found
    }
}
