//! Pods as their controllers see them: made from a template, claimed by selector, given up.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::object::labels;
use crate::runtime::{Cache, Deleted, Error, Key, Object, PODS, Rest, Source, meta};

/// The selector of a controller, whatever its form.
pub(crate) enum Selector {
    Labels(Value),
    Map(Value),
}

impl Selector {
    pub(crate) fn of(owner: &Value) -> Self {
        let selector = owner["spec"]["selector"].clone();
        if owner["kind"] == "ReplicationController" { Self::Map(selector) } else { Self::Labels(selector) }
    }

    pub(crate) fn selects(&self, object: &Object) -> bool {
        match self {
            Self::Labels(selector) => {
                selector.as_object().is_some_and(|selector| !selector.is_empty())
                    && labels::selects(selector, |key| object.label(key))
            }
            Self::Map(selector) => labels::selects_map(selector, |key| object.label(key)),
        }
    }
}

/// A pod as `owner`'s template wants it; the server completes its name.
pub(crate) fn from_template(owner: &Value, template: &Value) -> Value {
    let mut metadata = Map::new();
    metadata.insert("generateName".into(), format!("{}-", meta::text(owner, "/metadata/name")).into());
    metadata.insert("namespace".into(), owner["metadata"]["namespace"].clone());
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template["metadata"].get(field) {
            metadata.insert(field.into(), value.clone());
        }
    }
    metadata.insert("ownerReferences".into(), json!([meta::controller_of(owner)]));
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

pub(crate) async fn create(rest: &Rest, pods: &Cache, pod: &Value) -> Result<Value, Error> {
    let made = rest.create(&PODS, meta::text(pod, "/metadata/namespace"), pod).await?;
    pods.wrote(&made);
    Ok(made)
}

pub(crate) async fn delete(rest: &Rest, pods: &Cache, pod: &Object) -> Result<Deleted, Error> {
    let done = rest.delete(&PODS, &pod.key.namespace, &pod.key.name, &pod.uid, json!({})).await?;
    match &done {
        Deleted::Pending(object) => pods.wrote(object),
        Deleted::Gone | Deleted::Absent => pods.forgot(&pod.key, &pod.uid),
    }
    Ok(done)
}

pub(crate) fn owned(pods: &Cache, owner: &Object) -> Vec<Arc<Object>> {
    let mut owned = pods.owned_by(&owner.uid);
    owned.retain(|pod| pod.controller().is_some_and(|controller| controller.uid == owner.uid));
    owned
}

/// Those that are neither over nor going, and how many are going.
pub(crate) fn active(owned: &[Arc<Object>]) -> (Vec<Arc<Object>>, usize) {
    let over = |pod: &Object| pod.pod.as_ref().is_some_and(|pod| pod.phase.over());
    let active = owned.iter().filter(|pod| !pod.deleting && !over(pod)).cloned().collect();
    let terminating = owned.iter().filter(|pod| pod.deleting && !over(pod)).count();
    (active, terminating)
}

/// What `owner` controls, after adopting orphans that its selector matches and letting go of what it no longer does.
pub(crate) async fn claim(
    rest: &Rest,
    store: &Cache,
    owner: &Object,
    value: &Value,
    selector: &Selector,
) -> Result<Vec<Arc<Object>>, Error> {
    let mut claimed = Vec::new();
    for object in owned(store, owner) {
        if selector.selects(&object) {
            claimed.push(object);
        } else if !owner.deleting {
            release(rest, store, &object, &owner.uid).await?;
        }
    }
    if owner.deleting {
        return Ok(claimed);
    }
    for object in store.in_namespace(&owner.key.namespace) {
        if object.controller().is_none() && !object.deleting && selector.selects(&object) {
            let over = object.pod.as_ref().is_some_and(|pod| pod.phase.over());
            if over {
                continue;
            }
            let mut owners = object.value()["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
            owners.push(meta::controller_of(value));
            let patch = json!({"metadata": {"uid": &*object.uid, "ownerReferences": owners}});
            match rest.merge(&store.resource, &object.key.namespace, &object.key.name, "", &patch).await {
                Ok(adopted) => {
                    store.wrote(&adopted);
                    claimed.extend(store.get(&object.key));
                }
                Err(error) if error.is_not_found() || error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(claimed)
}

async fn release(rest: &Rest, store: &Cache, object: &Object, uid: &str) -> Result<(), Error> {
    let mut owners = object.value()["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    owners.retain(|owner| owner["uid"] != uid);
    let owners = if owners.is_empty() { Value::Null } else { owners.into() };
    let patch = json!({"metadata": {"uid": &*object.uid, "ownerReferences": owners}});
    match rest.merge(&store.resource, &object.key.namespace, &object.key.name, "", &patch).await {
        Ok(released) => {
            store.wrote(&released);
            Ok(())
        }
        Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Owners that might adopt an object that nobody controls.
pub(crate) fn orphans(objects: Arc<Cache>, owners: Arc<Cache>) -> Source<Key> {
    Source::new(objects, move |change| {
        let Some(object) = change.new.as_ref().filter(|object| object.controller().is_none()) else {
            return Vec::new();
        };
        let candidates = owners.in_namespace(&object.key.namespace);
        let matching = candidates.iter().filter(|owner| Selector::of(&owner.value()).selects(object));
        matching.map(|owner| owner.key.clone()).collect()
    })
}
