//! The life of a definition: its names are accepted, its resources served and announced, and at its end
//! every object of it deleted before itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::crd::resources_of;
use crate::object::meta;
use crate::objects::selector::Selector;
use crate::objects::{self, Objects};
use crate::resource::Resource;
use crate::status::ApiError;
use crate::store::{FeedItem, Written};
use kube_etcd_codec::names;

/// Holds a definition until the last of its objects is gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";
const GROUP: &str = "apiextensions.k8s.io";
const PLURAL: &str = "customresourcedefinitions";
const RETRY: Duration = Duration::from_millis(200);
/// How long a definition waits for its objects before it says that they are still there.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a new definition has that its author need not write.
pub fn prepare(definition: &mut Value) {
    fill_in(definition);
    let stored: Vec<Value> = definition
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .collect();
    definition["status"] =
        json!({"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored});
}

pub fn prepare_update(new: &mut Value) {
    fill_in(new);
    let stored = new
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|version| version["storage"] == true)
        .map(|version| version["name"].clone());
    if let (Some(stored), Some(list)) =
        (stored, new.pointer_mut("/status/storedVersions").and_then(Value::as_array_mut))
        && !list.contains(&stored)
    {
        list.push(stored);
    }
}

fn fill_in(definition: &mut Value) {
    if !definition["spec"].is_object() {
        definition["spec"] = json!({});
    }
    let spec = &mut definition["spec"];
    let kind = spec.pointer("/names/kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if spec.pointer("/names/singular").is_none() && !kind.is_empty() {
        spec["names"]["singular"] = json!(kind.to_lowercase());
    }
    if spec.pointer("/names/listKind").is_none() && !kind.is_empty() {
        spec["names"]["listKind"] = json!(format!("{kind}List"));
    }
    if spec.get("conversion").is_none() {
        spec["conversion"] = json!({"strategy": "None"});
    }
    if let Some(Value::Object(service)) = spec.pointer_mut("/conversion/webhook/clientConfig/service") {
        service.entry("port").or_insert(json!(443));
    }
}

/// Serves what the definitions in etcd say. Called when one is written too: its author finds it served by the time
/// that the write is answered, where that can be; the rest of its life is `follow`'s.
pub async fn load(objects: &Objects) -> Result<(), ApiError> {
    let Some(resource) = definitions(objects) else { return Ok(()) };
    let (all, _) = objects.list_all(&resource, None, &Selector::default()).await?;
    serve(objects, &all);
    Ok(())
}

/// Keeps serving what the definitions in etcd say, whoever writes them.
pub async fn follow(objects: Arc<Objects>) {
    loop {
        if let Err(StopReason::Gone) = follow_once(&objects).await {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}

enum StopReason {
    Gone,
    Broken,
}

async fn follow_once(objects: &Objects) -> Result<(), StopReason> {
    let resource = definitions(objects).ok_or(StopReason::Gone)?;
    let folder = objects.store.key(&resource.folder, None, None);
    let (all, revision) =
        objects.list_all(&resource, None, &Selector::default()).await.map_err(|_| StopReason::Broken)?;
    serve(objects, &all);
    let mut waits = Waits::default();
    for definition in &all {
        let _ = settle(objects, &resource, definition, &mut waits).await;
    }
    let mut feed =
        objects.hub.feed(&objects.store, &folder, &folder, revision).await.map_err(|_| StopReason::Broken)?;
    let mut ending = all.iter().any(waits_for_objects);
    loop {
        // What a definition waits for is not in its own folder.
        let item = if ending {
            match tokio::time::timeout(RETRY, feed.next()).await {
                Ok(item) => item.map(Some),
                Err(_) => Ok(None),
            }
        } else {
            feed.next().await.map(Some)
        };
        match item {
            Ok(None | Some(FeedItem::Change(_))) => {
                let (all, _) =
                    objects.list_all(&resource, None, &Selector::default()).await.map_err(|_| StopReason::Broken)?;
                serve(objects, &all);
                for definition in &all {
                    // What fails now is tried again at the next change or the next start of the watch.
                    settle(objects, &resource, definition, &mut waits).await.map_err(|_| StopReason::Broken)?;
                }
                ending = all.iter().any(waits_for_objects);
                waits.keep(&all);
                announce(objects).await.map_err(|_| StopReason::Broken)?;
            }
            Ok(Some(FeedItem::Progress(_))) => {}
            Ok(Some(FeedItem::Compacted | FeedItem::Lagged)) | Err(_) => return Err(StopReason::Broken),
        }
    }
}

fn waits_for_objects(definition: &Value) -> bool {
    meta::is_terminating(definition) && meta::finalizers(definition).iter().any(|one| one == CLEANUP)
}

fn definitions(objects: &Objects) -> Option<Arc<Resource>> {
    objects.registry.served().find(GROUP, "v1", PLURAL)
}

fn serve(objects: &Objects, all: &[Value]) {
    let established = all.iter().filter(|definition| condition(definition, "Established") == Some("True"));
    let custom: Vec<Arc<Resource>> = established.flat_map(resources_of).collect();
    objects.registry.serve_custom(custom);
}

fn condition<'a>(definition: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = definition.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)?.get("status")?.as_str()
}

/// One step of a definition's life.
async fn settle(
    objects: &Objects,
    resource: &Arc<Resource>,
    definition: &Value,
    waits: &mut Waits,
) -> Result<(), ApiError> {
    if meta::is_terminating(definition) {
        return if waits_for_objects(definition) {
            clean_up(objects, resource, definition, waits).await
        } else {
            Ok(())
        };
    }
    if condition(definition, "NamesAccepted").is_none() {
        return change(objects, resource, definition, accept).await;
    }
    if condition(definition, "Established") != Some("True") {
        announce(objects).await?;
        return change(objects, resource, definition, establish).await;
    }
    if definition.pointer("/status/acceptedNames") != Some(&definition["spec"]["names"]) {
        return change(objects, resource, definition, |definition| {
            definition["status"]["acceptedNames"] = definition["spec"]["names"].clone();
        })
        .await;
    }
    Ok(())
}

fn new_condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": status, "lastTransitionTime": meta::now_text(), "reason": reason, "message": message,
    })
}

fn accept(definition: &mut Value) {
    definition["status"]["acceptedNames"] = definition["spec"]["names"].clone();
    definition["status"]["conditions"] = json!([
        new_condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
        new_condition("Established", "False", "Installing", "the initial names have been accepted"),
    ]);
}

fn establish(definition: &mut Value) {
    let established =
        new_condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted");
    if let Some(conditions) = definition.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
        conditions.retain(|condition| condition["type"] != "Established");
        conditions.push(established);
    }
}

/// A deletion only marks: the objects go first.
pub fn mark_terminating(definition: &mut Value) {
    let mut finalizers = meta::finalizers(definition);
    if !finalizers.iter().any(|one| one == CLEANUP) {
        finalizers.push(CLEANUP.to_owned());
        meta::set_finalizers(definition, &finalizers);
    }
    let why = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    set_terminating(definition, "True", "InstanceDeletionPending", why);
}

/// Since when definitions wait for their objects.
#[derive(Default)]
struct Waits(HashMap<String, Instant>);

impl Waits {
    /// Whether this one has waited for long; it begins anew then.
    fn is_long(&mut self, definition: &Value, now: Instant) -> bool {
        let since = self.0.entry(meta::text(definition, "uid").to_owned()).or_insert(now);
        let long = now.duration_since(*since) >= PATIENCE;
        if long {
            *since = now;
        }
        long
    }

    fn keep(&mut self, all: &[Value]) {
        self.0.retain(|uid, _| all.iter().any(|one| meta::text(one, "uid") == uid));
    }
}

fn set_terminating(definition: &mut Value, status: &str, reason: &str, message: &str) {
    let held = definition.pointer("/status/conditions").and_then(Value::as_array);
    let held = held.and_then(|all| all.iter().find(|one| one["type"] == "Terminating"));
    if held.is_some_and(|held| held["reason"] == reason) {
        return;
    }
    // The time is that of the last change of the status, not of the reason.
    let since = held.filter(|held| held["status"] == status).map(|held| held["lastTransitionTime"].clone());
    let mut terminating = new_condition("Terminating", status, reason, message);
    if let Some(since) = since {
        terminating["lastTransitionTime"] = since;
    }
    if !definition["status"]["conditions"].is_array() {
        definition["status"]["conditions"] = json!([]);
    }
    if let Some(conditions) = definition.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
        conditions.retain(|condition| condition["type"] != "Terminating");
        conditions.push(terminating);
    }
}

async fn change(
    objects: &Objects,
    resource: &Arc<Resource>,
    definition: &Value,
    change: impl Fn(&mut Value),
) -> Result<(), ApiError> {
    let key = objects.store.key(&resource.folder, None, Some(meta::name(definition)));
    let Some(stored) = objects.store.get(&key).await?.0 else { return Ok(()) };
    let before = objects::read(resource, &stored)?;
    let mut object = before.clone();
    change(&mut object);
    if object == before {
        return Ok(());
    }
    let bytes = objects::stored_bytes(resource, &object)?;
    match objects.store.put_if(&key, stored.revision, bytes, 0).await? {
        // Somebody else has written it: the watch reports it, and this is looked at again.
        Written::At(_) | Written::Stale(_) => load(objects).await,
    }
}

async fn clean_up(
    objects: &Objects,
    resource: &Arc<Resource>,
    definition: &Value,
    waits: &mut Waits,
) -> Result<(), ApiError> {
    change(objects, resource, definition, |definition| {
        set_terminating(definition, "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress");
    })
    .await?;
    let established = condition(definition, "Established") == Some("True");
    if let Some(one) = resources_of(definition).first().filter(|_| established)
        && !delete_all(objects, one).await?
    {
        if waits.is_long(definition, Instant::now()) {
            let why = "could not confirm zero CustomResources remaining: context deadline exceeded";
            change(objects, resource, definition, |definition| {
                set_terminating(definition, "True", "InstanceDeletionCheck", why);
            })
            .await?;
        }
        return Ok(());
    }
    let key = objects.store.key(&resource.folder, None, Some(meta::name(definition)));
    let Some(stored) = objects.store.get(&key).await?.0 else { return Ok(()) };
    let mut object = objects::read(resource, &stored)?;
    let finalizers: Vec<String> = meta::finalizers(&object).into_iter().filter(|one| one != CLEANUP).collect();
    let (reason, message) = if established {
        ("InstanceDeletionCompleted", "removed all instances")
    } else {
        ("NeverEstablished", "resource was never established")
    };
    set_terminating(&mut object, "False", reason, message);
    if finalizers.is_empty() {
        objects.store.delete_if(&key, stored.revision).await?;
    } else {
        meta::set_finalizers(&mut object, &finalizers);
        let bytes = objects::stored_bytes(resource, &object)?;
        objects.store.put_if(&key, stored.revision, bytes, 0).await?;
    }
    load(objects).await
}

/// Deletes what has no finalizers and marks the rest; whether nothing is left.
async fn delete_all(objects: &Objects, resource: &Resource) -> Result<bool, ApiError> {
    // As they are stored, so that no webhook has a say in it.
    let resource = &Resource { version: resource.stored.clone(), ..resource.clone() };
    let prefix = objects.store.key(&resource.folder, None, None);
    let page = objects.store.page(&prefix, &prefix, 0, 0).await?;
    let mut all_gone = true;
    for stored in page.items {
        // What cannot be read has no finalizers that could be obeyed.
        let object = objects::read(resource, &stored).unwrap_or_default();
        let written = if meta::finalizers(&object).is_empty() {
            objects.store.delete_if(&stored.key, stored.revision).await?
        } else {
            all_gone = false;
            if meta::is_terminating(&object) {
                continue;
            }
            let mut object = object;
            if let Some(generation) = object["metadata"]["generation"].as_i64() {
                meta::set(&mut object, "generation", generation + 1);
            }
            meta::set(&mut object, "deletionTimestamp", meta::now_text());
            meta::set(&mut object, "deletionGracePeriodSeconds", 0);
            objects.store.put_if(&stored.key, stored.revision, objects::stored_bytes(resource, &object)?, 0).await?
        };
        // Somebody else was faster: it is looked at again.
        all_gone &= matches!(written, Written::At(_) | Written::Stale(None));
    }
    Ok(all_gone)
}

/// One `APIService` for each group and version of custom resources, and none for those that are gone.
async fn announce(objects: &Objects) -> Result<(), ApiError> {
    let served = objects.registry.served();
    let Some(services) = served.known(names::API_SERVICES) else { return Ok(()) };
    let Some(definitions) = definitions(objects) else { return Ok(()) };
    let (all, _) = objects.list_all(&definitions, None, &Selector::default()).await?;
    let custom = all.iter().flat_map(resources_of);
    let wanted: BTreeSet<(String, String)> = custom.map(|one| (one.group.clone(), one.version.clone())).collect();
    for (group, version) in &wanted {
        let name = format!("{version}.{group}");
        let key = objects.store.key(&services.folder, None, Some(&name));
        if objects.store.get(&key).await?.0.is_some() {
            continue;
        }
        let object = json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {
                "name": name, "uid": uuid::Uuid::new_v4().to_string(), "creationTimestamp": meta::now_text(),
                "labels": {"kube-aggregator.kubernetes.io/automanaged": "true"},
            },
            "spec": {"group": group, "version": version, "groupPriorityMinimum": 1000, "versionPriority": 100},
            "status": {"conditions": [{
                "type": "Available", "status": "True", "lastTransitionTime": meta::now_text(),
                "reason": "Local", "message": "Local APIServices are always available",
            }]},
        });
        objects.store.create(&key, objects::stored_bytes(&services, &object)?, 0).await?;
    }
    let (all, _) = objects.list_all(&services, None, &Selector::default()).await?;
    for service in all {
        let automatic = service["metadata"]["labels"]["kube-aggregator.kubernetes.io/automanaged"] == "true";
        let text = |field: &str| service["spec"][field].as_str().unwrap_or_default().to_owned();
        if automatic && !wanted.contains(&(text("group"), text("version"))) {
            let key = objects.store.key(&services.folder, None, Some(meta::name(&service)));
            if let Some(stored) = objects.store.get(&key).await?.0 {
                objects.store.delete_if(&key, stored.revision).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_that_waits_for_a_minute_says_so_and_waits_on() {
        let definition = json!({"metadata": {"uid": "u"}});
        let (mut waits, now) = (Waits::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        let long: Vec<bool> =
            [0, 59, 60, 61, 119, 120].into_iter().map(|at| waits.is_long(&definition, after(at))).collect();
        assert_eq!(long, [false, false, true, false, false, true]);
        waits.keep(&[]);
        assert!(!waits.is_long(&definition, after(999)), "it is another one");
    }

    #[test]
    fn a_reason_that_changes_leaves_the_time_of_the_status() {
        let mut definition = json!({"status": {"conditions": [
            {"type": "Terminating", "status": "True", "reason": "A", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        ]}});
        set_terminating(&mut definition, "True", "B", "b");
        let held = |definition: &Value| definition["status"]["conditions"][0].clone();
        assert_eq!(held(&definition)["lastTransitionTime"], "2026-01-01T00:00:00Z");
        assert_eq!(held(&definition)["reason"], "B");
        set_terminating(&mut definition, "False", "C", "c");
        assert_ne!(held(&definition)["lastTransitionTime"], "2026-01-01T00:00:00Z");
    }
}
