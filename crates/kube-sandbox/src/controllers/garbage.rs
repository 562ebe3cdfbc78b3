//! Garbage collection: what its owners leave behind goes too, in the way that the deletion asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::discovery;
use crate::runtime::{
    ApiResource, Cache, Context, Controller, EVENTS, Error, Key, Next, Object, Owner, Queue, Rest, Source,
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// How often the API is asked which kinds it serves.
const REDISCOVER: Duration = Duration::from_secs(30);
/// And how soon after a definition has changed: a new kind may be served a moment later.
const REDISCOVER_SOON: Duration = Duration::from_secs(1);

/// An object of one of the kinds that are followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Item {
    resource: Arc<ApiResource>,
    key: Key,
}

#[derive(Clone)]
pub(crate) struct Garbage {
    rest: Rest,
    stores: Arc<Mutex<HashMap<ApiResource, Arc<Cache>>>>,
}

impl Garbage {
    /// Starts the collector; kinds join as the API comes to serve them.
    pub(crate) fn start(context: &Context) {
        let garbage = Self { rest: context.rest.clone(), stores: Arc::default() };
        let queue = context.run(garbage.clone());
        let context = context.clone();
        let crds = ApiResource {
            group: "apiextensions.k8s.io".into(),
            version: "v1".into(),
            plural: "customresourcedefinitions".into(),
            kind: "CustomResourceDefinition".into(),
            namespaced: false,
        };
        let changed = Arc::new(tokio::sync::Notify::new());
        let notify = Arc::clone(&changed);
        context.cache(&crds).listen(move |_| notify.notify_one());
        context.clone().spawn(async move {
            let mut pause = REDISCOVER;
            loop {
                if let Ok(resources) = discovery::deletable(&garbage.rest).await {
                    for resource in resources {
                        garbage.follow(&context, &queue, resource);
                    }
                }
                let news = tokio::time::timeout(pause, changed.notified()).await;
                pause = if news.is_ok() { REDISCOVER_SOON } else { REDISCOVER };
            }
        });
    }

    fn follow(&self, context: &Context, queue: &Arc<Queue<Item>>, resource: ApiResource) {
        // Events own nothing and are owned by nobody, and there are too many of them.
        if resource == EVENTS || self.all().iter().any(|store| store.resource == resource) {
            return;
        }
        let store = context.owners(&resource);
        self.stores.lock().unwrap_or_else(PoisonError::into_inner).insert(resource.clone(), Arc::clone(&store));
        let resource = Arc::new(resource);
        let (garbage, queue) = (self.clone(), Arc::clone(queue));
        for object in store.all() {
            queue.add(Item { resource: Arc::clone(&resource), key: object.key.clone() });
        }
        let (late, followed, late_queue) = (self.clone(), Arc::clone(&store), Arc::clone(&queue));
        context.spawn(async move {
            followed.synced().await;
            late.ask_about_dependents(&followed.resource, &late_queue);
        });
        store.listen(move |change| {
            if let Some(new) = &change.new
                && (!new.owners.is_empty() || new.deleting)
            {
                queue.add(Item { resource: Arc::clone(&resource), key: new.key.clone() });
            }
            let Some(old) = &change.old else { return };
            if change.new.is_none() {
                garbage.dependents(&old.uid).into_iter().for_each(|(item, _)| queue.add(item));
            }
            // An owner that waits for its dependents may go once they are gone or let it.
            for owner in &old.owners {
                let waits = change.new.as_ref().is_some_and(|new| new.owners.contains(owner));
                if !waits && let Some((resource, owner)) = garbage.owner(old, owner) {
                    queue.add(Item { resource, key: owner.key.clone() });
                }
            }
        });
    }

    /// Owners of a kind may have gone before it was followed: whatever names one is looked at.
    fn ask_about_dependents(&self, of: &ApiResource, queue: &Queue<Item>) {
        let names_one = |owner: &Owner| {
            let group = owner.api_version.rsplit_once('/').map_or("", |(group, _)| group);
            *owner.kind == *of.kind && group == &*of.group
        };
        for store in self.all() {
            let resource = Arc::new(store.resource.clone());
            let dependents = store.all().into_iter().filter(|object| object.owners.iter().any(names_one));
            dependents.for_each(|object| queue.add(Item { resource: Arc::clone(&resource), key: object.key.clone() }));
        }
    }

    fn all(&self) -> Vec<Arc<Cache>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn store(&self, resource: &ApiResource) -> Option<Arc<Cache>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner).get(resource).cloned()
    }

    fn dependents(&self, uid: &str) -> Vec<(Item, Arc<Object>)> {
        let of = |store: &Arc<Cache>| {
            let resource = Arc::new(store.resource.clone());
            let owned = store.owned_by(uid).into_iter();
            owned
                .map(move |object| (Item { resource: Arc::clone(&resource), key: object.key.clone() }, object))
                .collect::<Vec<_>>()
        };
        self.all().iter().flat_map(of).collect()
    }

    fn store_of(&self, owner: &Owner) -> Option<Arc<Cache>> {
        let group = owner.api_version.rsplit_once('/').map_or("", |(group, _)| group);
        self.all().into_iter().find(|store| store.resource.kind == *owner.kind && store.resource.group == group)
    }

    /// The owner itself, if it is known to be there.
    fn owner(&self, dependent: &Object, owner: &Owner) -> Option<(Arc<ApiResource>, Arc<Object>)> {
        let store = self.store_of(owner)?;
        let namespace = if store.resource.namespaced { &*dependent.key.namespace } else { "" };
        let held = store.find(namespace, &owner.name).filter(|held| held.uid == owner.uid)?;
        Some((Arc::new(store.resource.clone()), held))
    }

    async fn state(&self, dependent: &Object, owner: &Owner) -> Result<State, Error> {
        let waiting =
            |foreground: bool, deleting: bool| if deleting && foreground { State::Waiting } else { State::Solid };
        if let Some((_, held)) = self.owner(dependent, owner) {
            return Ok(waiting(held.has_finalizer(FOREGROUND), held.deleting));
        }
        // Of a kind that is not followed, nothing can be said; nothing is deleted on a guess.
        let Some(store) = self.store_of(owner) else { return Ok(State::Solid) };
        let namespace = if store.resource.namespaced { &*dependent.key.namespace } else { "" };
        match self.rest.get(&store.resource, namespace, &owner.name).await? {
            Some(held) if held["metadata"]["uid"] == *owner.uid => {
                let mut finalizers = held["metadata"]["finalizers"].as_array().into_iter().flatten();
                let deleting = held["metadata"].get("deletionTimestamp").is_some();
                Ok(waiting(finalizers.any(|name| name == FOREGROUND), deleting))
            }
            _ => Ok(State::Absent),
        }
    }

    async fn patch(&self, resource: &ApiResource, object: &Object, metadata: Value) -> Result<(), Error> {
        let mut patch = json!({"metadata": {"uid": &*object.uid}});
        if let (Some(patch), Value::Object(metadata)) = (patch["metadata"].as_object_mut(), metadata) {
            patch.extend(metadata);
        }
        match self.rest.merge(resource, &object.key.namespace, &object.key.name, "", &patch).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    async fn drop_finalizer(&self, resource: &ApiResource, object: &Object, name: &str) -> Result<(), Error> {
        let kept: Vec<&str> = object.finalizers.iter().map(|held| &**held).filter(|held| *held != name).collect();
        let metadata = json!({"resourceVersion": object.version.to_string(), "finalizers": kept});
        self.patch(resource, object, metadata).await
    }

    /// An owner that is being deleted in the foreground or leaves orphans.
    async fn settle(&self, resource: &ApiResource, object: &Object) -> Result<(), Error> {
        if object.has_finalizer(ORPHAN) {
            for (item, dependent) in self.dependents(&object.uid) {
                let kept = references(&dependent.owners, |owner| owner.uid != object.uid);
                self.patch(&item.resource, &dependent, json!({"ownerReferences": kept})).await?;
            }
            return self.drop_finalizer(resource, object, ORPHAN).await;
        }
        if object.has_finalizer(FOREGROUND) {
            let blocks =
                |dependent: &Object| dependent.owners.iter().any(|owner| owner.uid == object.uid && owner.blocks);
            let dependents = self.dependents(&object.uid);
            for (item, dependent) in &dependents {
                if !dependent.deleting {
                    self.collect(&item.resource, dependent).await?;
                }
            }
            if !dependents.iter().any(|(_, dependent)| blocks(dependent)) {
                return self.drop_finalizer(resource, object, FOREGROUND).await;
            }
        }
        Ok(())
    }

    /// A dependent: it goes when its last owner is gone.
    async fn collect(&self, resource: &ApiResource, object: &Object) -> Result<(), Error> {
        let (mut solid, mut waiting, mut leaving) = (0, 0, Vec::new());
        for owner in &object.owners {
            match self.state(object, owner).await? {
                State::Solid => {
                    solid += 1;
                    continue;
                }
                State::Waiting => waiting += 1,
                State::Absent => {}
            }
            leaving.push(Arc::clone(&owner.uid));
        }
        // Who keeps it is its only owner from now on: those that go do not wait for it.
        if solid > 0 {
            if leaving.is_empty() {
                return Ok(());
            }
            let kept = references(&object.owners, |owner| !leaving.contains(&owner.uid));
            return self.patch(resource, object, json!({"ownerReferences": kept})).await;
        }
        let dependents = if waiting > 0 { self.dependents(&object.uid) } else { Vec::new() };
        // Where those that wait for each other are a circle, one of them must not keep its owner.
        let closes = |dependent: &Object| dependent.deleting && dependent.has_finalizer(FOREGROUND);
        if object.owners.iter().any(|owner| owner.blocks) && dependents.iter().any(|(_, one)| closes(one)) {
            let free = object.owners.iter().map(|owner| Owner { blocks: false, ..owner.clone() });
            let owners = references(&free.collect::<Vec<_>>(), |_| true);
            self.patch(resource, object, json!({"ownerReferences": owners})).await?;
        }
        let policy = if !dependents.is_empty() {
            "Foreground"
        } else if object.has_finalizer(ORPHAN) {
            "Orphan"
        } else if object.has_finalizer(FOREGROUND) {
            "Foreground"
        } else {
            "Background"
        };
        let options = json!({"propagationPolicy": policy});
        self.rest.delete(resource, &object.key.namespace, &object.key.name, &object.uid, options).await.map(drop)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Solid,
    /// Being deleted in the foreground: it waits for its dependents.
    Waiting,
    Absent,
}

fn references(owners: &[Owner], keep: impl Fn(&Owner) -> bool) -> Value {
    let kept: Vec<Value> = owners
        .iter()
        .filter(|owner| keep(owner))
        .map(|owner| {
            let mut reference = json!({
                "apiVersion": &*owner.api_version, "kind": &*owner.kind, "name": &*owner.name, "uid": &*owner.uid,
            });
            if owner.controller {
                reference["controller"] = true.into();
            }
            if owner.blocks {
                reference["blockOwnerDeletion"] = true.into();
            }
            reference
        })
        .collect();
    if kept.is_empty() { Value::Null } else { kept.into() }
}

#[async_trait]
impl Controller for Garbage {
    type Item = Item;

    fn sources(&self) -> Vec<Source<Item>> {
        // Kinds are followed as they are discovered.
        Vec::new()
    }

    async fn reconcile(&self, item: &Item) -> Result<Next, Error> {
        let Some(store) = self.store(&item.resource) else { return Ok(Next::Change) };
        let Some(object) = store.get(&item.key) else { return Ok(Next::Change) };
        if object.deleting {
            self.settle(&item.resource, &object).await?;
        } else if !object.owners.is_empty() {
            self.collect(&item.resource, &object).await?;
        }
        Ok(Next::Change)
    }

    fn workers(&self) -> usize {
        8
    }
}
