//! What every controller stands on: requests, a shared cache kept by watches, a queue, Events.

mod cache;
mod events;
pub(crate) mod meta;
mod object;
mod queue;
mod resource;
mod rest;
mod watch;

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use tokio::task::JoinSet;
use tracing::{Instrument, debug, error, error_span, info, trace, warn};

pub(crate) use cache::{Cache, Change};
pub(crate) use events::{Recorder, Severity};
pub(crate) use object::{Key, Object, Owner, Phase, seconds};
pub(crate) use queue::Queue;
pub(crate) use resource::*;
pub(crate) use rest::{Deleted, Error, Rest};

use crate::panic::said;

/// Brings one kind of thing to what it should be.
#[async_trait]
pub(crate) trait Controller: Send + Sync + 'static {
    /// What is queued: mostly the key of an object.
    type Item: Clone + Debug + Eq + Hash + Ord + Send + Sync + 'static;

    /// Says which items a change concerns, for each store it listens to.
    fn sources(&self) -> Vec<Source<Self::Item>>;

    /// Looks at one item and does what is missing; asks to be called again where it must.
    async fn reconcile(&self, item: &Self::Item) -> Result<Next, Error>;

    fn workers(&self) -> usize {
        4
    }
}

/// When to look at an item again though nothing changed.
pub(crate) enum Next {
    Change,
    After(Duration),
}

type Concerns<K> = Box<dyn Fn(&Change) -> Vec<K> + Send + Sync>;

pub(crate) struct Source<K> {
    store: Arc<Cache>,
    concerns: Concerns<K>,
}

impl<K> Source<K> {
    pub(crate) fn new(store: Arc<Cache>, concerns: impl Fn(&Change) -> Vec<K> + Send + Sync + 'static) -> Self {
        Self { store, concerns: Box::new(concerns) }
    }
}

impl Source<Key> {
    /// The objects of a store themselves.
    pub(crate) fn of(store: Arc<Cache>) -> Self {
        Self::new(store, |change| change.either().next().map(|object| object.key.clone()).into_iter().collect())
    }

    /// What the objects of a store are controlled by, if it is of `kind`.
    pub(crate) fn owned(store: Arc<Cache>, kind: &'static str) -> Self {
        Self::new(store, move |change| {
            let mut keys: Vec<Key> = change
                .either()
                .filter_map(|object| {
                    let owner = object.controller().filter(|owner| &*owner.kind == kind)?;
                    Some(Key { namespace: Arc::clone(&object.key.namespace), name: Arc::clone(&owner.name) })
                })
                .collect();
            keys.dedup();
            keys
        })
    }
}

/// What all controllers share.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) rest: Rest,
    shared: Arc<Shared>,
}

struct Shared {
    stores: Mutex<HashMap<ApiResource, Arc<Cache>>>,
    tasks: Mutex<JoinSet<()>>,
}

impl Context {
    pub(crate) fn new(client: kube::Client) -> Self {
        Self {
            rest: Rest::new(client, "kube-controller-manager"),
            shared: Arc::new(Shared { stores: Mutex::default(), tasks: Mutex::default() }),
        }
    }

    /// The store of a resource; the first to ask starts its watch.
    pub(crate) fn cache(&self, resource: &ApiResource) -> Arc<Cache> {
        let mut stores = self.shared.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(resource) {
            return Arc::clone(store);
        }
        self.follow(&mut stores, Cache::new(resource.clone()), true)
    }

    /// The same where only names, owners and finalizers matter: the rest of each object is not kept.
    pub(crate) fn owners(&self, resource: &ApiResource) -> Arc<Cache> {
        let mut stores = self.shared.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(resource) {
            return Arc::clone(store);
        }
        self.follow(&mut stores, Cache::of_owners(resource.clone()), false)
    }

    fn follow(&self, stores: &mut HashMap<ApiResource, Arc<Cache>>, store: Cache, permanent: bool) -> Arc<Cache> {
        let store = Arc::new(store);
        stores.insert(store.resource.clone(), Arc::clone(&store));
        self.spawn(watch::follow(self.rest.clone(), Arc::clone(&store), permanent));
        store
    }

    pub(crate) fn recorder(&self, component: &'static str) -> Recorder {
        Recorder::new(self.rest.as_manager(component), component, None)
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task.in_current_span());
    }

    pub(crate) fn stop(&self) {
        self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// Runs a controller until everything is stopped.
    pub(crate) fn run<C: Controller>(&self, controller: C) -> Arc<Queue<C::Item>> {
        let queue = Arc::new(Queue::new());
        let mut stores = Vec::new();
        for Source { store, concerns } in controller.sources() {
            let listening = Arc::clone(&queue);
            store.listen(move |change| concerns(change).into_iter().for_each(|item| listening.add(item)));
            stores.push(store);
        }
        let controller = Arc::new(controller);
        let answer = Arc::clone(&queue);
        let context = self.clone();
        self.spawn(async move {
            for store in &stores {
                store.synced().await;
            }
            if let Some(store) = stores.iter().find(|store| store.is_absent()) {
                let (resource, version) = (&*store.resource.plural, store.resource.api_version());
                info!(controller = name_of::<C>(), resource, %version, "stands down: this API server does not serve it");
                return;
            }
            for _ in 0..controller.workers() {
                context.spawn(work(Arc::clone(&controller), Arc::clone(&queue)));
            }
        });
        answer
    }
}

fn name_of<C>() -> &'static str {
    let path = std::any::type_name::<C>();
    path.rsplit("::").next().unwrap_or(path)
}

async fn work<C: Controller>(controller: Arc<C>, queue: Arc<Queue<C::Item>>) {
    loop {
        let item = queue.next().await;
        let span = error_span!("reconcile", controller = name_of::<C>(), key = ?item);
        reconciled(&*controller, &queue, &item).instrument(span).await;
        queue.done(&item);
    }
}

/// A panic is a failure like another: the key is free again, and tried ever more rarely.
async fn reconciled<C: Controller>(controller: &C, queue: &Queue<C::Item>, item: &C::Item) {
    match AssertUnwindSafe(controller.reconcile(item)).catch_unwind().await {
        Ok(Ok(next)) => {
            trace!("reconciled");
            queue.succeeded(item);
            if let Next::After(delay) = next {
                queue.add_after(item.clone(), delay);
            }
        }
        // Conflicts and an API that is away pass; what was refused stays so until somebody changes something.
        Ok(Err(failed)) => {
            let again = queue.retry(item.clone(), failed.is_refused());
            match &failed {
                Error::Again(_) => debug!(error = failed.message(), ?again, "not done yet"),
                _ if failed.is_conflict() => debug!(error = failed.message(), ?again, "conflict"),
                _ => warn!(error = failed.message(), ?again, "reconcile failed"),
            }
        }
        Err(panic) => {
            let again = queue.retry(item.clone(), false);
            error!(said = said(&*panic), ?again, "a panic");
        }
    }
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
