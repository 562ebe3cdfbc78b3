//! `ControllerRevisions`: each template that a `StatefulSet` or `DaemonSet` ever had, by number.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::runtime::{Cache, Error, Object, REVISIONS, Rest, meta};

/// The revision of the present template: found, made newest again, or made.
pub(crate) async fn current(rest: &Rest, store: &Cache, owner: &Value, hash_label: &str) -> Result<Value, Error> {
    let mut template = owner["spec"]["template"].clone();
    template["$patch"] = "replace".into();
    if let Some(metadata) = template["metadata"].as_object_mut() {
        metadata.retain(|field, _| field != "creationTimestamp");
    }
    let data = json!({"spec": {"template": template}});
    let held = history(store, owner);
    let newest = held.last().map_or(0, number);
    let equal = held.iter().rev().find(|revision| revision["data"] == data).cloned();
    if let Some(equal) = equal {
        if number(&equal) == newest {
            return Ok(equal);
        }
        let key = meta::key_of(&equal);
        let patch = json!({"revision": newest + 1});
        let bumped = rest.merge(&REVISIONS, &key.namespace, &key.name, "", &patch).await?;
        store.wrote(&bumped);
        return Ok(bumped);
    }
    let namespace = meta::text(owner, "/metadata/namespace");
    let mut collisions = meta::int(&owner["status"]["collisionCount"], 0);
    loop {
        let hash = meta::hash(&data, collisions);
        let mut labels = owner["spec"]["template"]["metadata"]["labels"].clone();
        labels[hash_label] = hash.as_str().into();
        let mut revision = json!({
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": format!("{}-{hash}", meta::text(owner, "/metadata/name")),
                "namespace": namespace,
                "labels": labels,
                "ownerReferences": [meta::controller_of(owner)],
            },
            "data": data,
            "revision": newest + 1,
        });
        if let Some(annotations) = owner["metadata"].get("annotations") {
            revision["metadata"]["annotations"] = annotations.clone();
        }
        match rest.create(&REVISIONS, namespace, &revision).await {
            Ok(made) => {
                store.wrote(&made);
                return Ok(made);
            }
            Err(error) if error.already_exists() && collisions < 16 => collisions += 1,
            Err(error) => return Err(error),
        }
    }
}

/// All revisions of an owner, oldest first.
pub(crate) fn history(store: &Cache, owner: &Value) -> Vec<Value> {
    let owned: Vec<Arc<Object>> = store.owned_by(meta::text(owner, "/metadata/uid"));
    let mut held: Vec<Value> = owned.iter().map(|revision| revision.value()).collect();
    held.sort_by_key(number);
    held
}

pub(crate) fn number(revision: &Value) -> i64 {
    meta::int(&revision["revision"], 0)
}

pub(crate) fn name(revision: &Value) -> &str {
    meta::text(revision, "/metadata/name")
}

/// Those that no pod runs any more, beyond the limit, go; the oldest first.
pub(crate) async fn truncate(rest: &Rest, store: &Cache, owner: &Value, live: &[&str]) -> Result<(), Error> {
    let limit = usize::try_from(meta::int(&owner["spec"]["revisionHistoryLimit"], 10)).unwrap_or_default();
    let idle: Vec<Value> =
        history(store, owner).into_iter().filter(|revision| !live.contains(&name(revision))).collect();
    for revision in idle.iter().take(idle.len().saturating_sub(limit)) {
        let key = meta::key_of(revision);
        let uid = meta::text(revision, "/metadata/uid");
        rest.delete(&REVISIONS, &key.namespace, &key.name, uid, json!({})).await?;
        store.forgot(&key, uid);
    }
    Ok(())
}
