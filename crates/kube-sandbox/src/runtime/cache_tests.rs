use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::runtime::PODS;

fn pod(name: &str, uid: &str, version: u64, owner: Option<&str>) -> Value {
    let owners: Vec<Value> = owner
        .map(
            |uid| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "set", "uid": uid, "controller": true}),
        )
        .into_iter()
        .collect();
    json!({
        "kind": "Pod",
        "metadata": {"namespace": "n", "name": name, "uid": uid, "resourceVersion": version.to_string(), "ownerReferences": owners},
    })
}

fn object(name: &str, uid: &str, version: u64) -> Object {
    Object::of(pod(name, uid, version, Some("o"))).expect("an object")
}

#[test]
fn own_writes_are_seen_before_the_watch_tells_and_told_once() {
    let store = Cache::new(PODS);
    let notified = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&notified);
    store.listen(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    store.relist(Vec::new(), 10);
    store.wrote(&pod("a", "u", 11, Some("o")));
    assert_eq!(store.owned_by("o").len(), 1);
    store.watched(object("a", "u", 11));
    assert_eq!(notified.load(Ordering::Relaxed), 1);
}

#[test]
fn a_late_answer_does_not_bring_back_what_the_watch_saw_go() {
    let store = Cache::new(PODS);
    store.relist(Vec::new(), 10);
    store.watched(object("a", "u", 11));
    store.watched_delete(&object("a", "u", 12));
    store.wrote(&pod("a", "u", 11, Some("o")));
    assert!(store.find("n", "a").is_none());
}

#[test]
fn what_we_deleted_does_not_come_back_with_its_past() {
    let store = Cache::new(PODS);
    store.relist(vec![object("a", "u", 5)], 10);
    store.forgot(&Key::new("n", "a"), "u");
    store.watched(object("a", "u", 11));
    assert!(store.find("n", "a").is_none());
    store.watched(object("a", "v", 12));
    assert_eq!(store.find("n", "a").map(|held| held.uid.to_string()).as_deref(), Some("v"));
}

#[test]
fn a_new_list_drops_what_it_lacks_and_the_index_follows() {
    let store = Cache::new(PODS);
    store.relist(vec![object("a", "u", 5), object("b", "v", 6)], 10);
    assert_eq!(store.owned_by("o").len(), 2);
    store.relist(vec![object("b", "v", 6)], 12);
    assert_eq!(store.owned_by("o").len(), 1);
    assert_eq!(store.in_namespace("n").len(), 1);
    assert!(store.in_namespace("m").is_empty());
}
