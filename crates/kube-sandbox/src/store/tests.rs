//! The store over a real etcd.

use kube_etcd_codec::encode;
use owned_processes::{Guard, GuardSettings};
use serde_json::json;

use super::*;
use crate::etcd::{Etcd, EtcdSpec};
use crate::pki::PkiNames;

struct Running {
    store: Store,
    etcd: Etcd,
    _guard: Guard,
}

async fn start() -> Running {
    let guard = Guard::start(GuardSettings::default()).expect("a guard");
    let dir = guard.folder("store").expect("a folder");
    let names = PkiNames { node: "n".into(), ..PkiNames::default() };
    let pki = Pki::create(dir.join("pki"), &names).expect("certificates");
    let spec = EtcdSpec {
        binary: owned_processes::tool("etcd").expect("etcd is on PATH or in the tools folder"),
        node: "n".into(),
        pki,
        data: dir.join("data"),
        log: dir.join("etcd.log"),
        guard: guard.clone(),
    };
    let (etcd, client) = Etcd::start(&spec).await.expect("etcd starts");
    Running { store: Store::new(client), etcd, _guard: guard }
}

fn at(written: Written) -> i64 {
    match written {
        Written::At(revision) => revision,
        Written::Stale(other) => panic!("it was not written: {other:?}"),
    }
}

fn map(name: &str, value: &str) -> Vec<u8> {
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "a"}, "data": {"k": value},
    });
    encode(&object).expect("a value")
}

/// What a write rests on is looked at with it: a key of its revision, a folder in which nothing is.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_holds_only_on_its_ground() {
    let running = start().await;
    let store = &running.store;
    let at_namespace = at(store.create("/registry/namespaces/a", b"1".to_vec(), 0).await.expect("an answer"));
    let ground = [
        Ground::At("/registry/namespaces/a".to_owned(), at_namespace),
        Ground::Empty("/registry/resourcequotas/a/".to_owned()),
    ];
    let create = async |name: &str| {
        let key = format!("/registry/configmaps/a/{name}");
        store.create_on(&key, b"1".to_vec(), 0, &ground).await.expect("an answer")
    };
    assert!(matches!(create("x").await, Written::At(_)));
    assert!(matches!(create("x").await, Written::Stale(Some(_))), "it is there");
    // Another namespace's is nobody's business.
    at(store.create("/registry/resourcequotas/ab/q", b"1".to_vec(), 0).await.expect("an answer"));
    assert!(matches!(create("y").await, Written::At(_)));
    let quota = at(store.create("/registry/resourcequotas/a/q", b"1".to_vec(), 0).await.expect("an answer"));
    assert!(matches!(create("z").await, Written::Stale(None)));
    at(store.delete_if("/registry/resourcequotas/a/q", quota).await.expect("an answer"));
    assert!(matches!(create("z").await, Written::At(_)));
    at(store.put_if("/registry/namespaces/a", at_namespace, b"2".to_vec(), 0).await.expect("an answer"));
    assert!(matches!(create("w").await, Written::Stale(None)));
    drop(running.etcd);
}

async fn change(feed: &mut Feed) -> std::sync::Arc<Change> {
    loop {
        match feed.next().await.expect("the watch goes on") {
            FeedItem::Change(change) => return change,
            FeedItem::Progress(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A write on what somebody else has changed, or made, or deleted, must not go through.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_holds_only_on_the_revision_that_was_read() {
    let mut running = start().await;
    let store = &running.store;
    let key = store.key("configmaps", Some("a"), Some("m"));
    assert_eq!(key, "/registry/configmaps/a/m");
    let first = at(store.create(&key, b"1".to_vec(), 0).await.expect("an answer"));
    let Written::Stale(Some(there)) = store.create(&key, b"2".to_vec(), 0).await.expect("an answer") else {
        panic!("it was made twice")
    };
    assert_eq!((there.revision, there.value.as_slice()), (first, &b"1"[..]));
    let second = at(store.put_if(&key, first, b"2".to_vec(), 0).await.expect("an answer"));
    assert!(second > first);
    let stale = store.put_if(&key, first, b"3".to_vec(), 0).await.expect("an answer");
    assert!(matches!(stale, Written::Stale(Some(newer)) if newer.revision == second && newer.value == b"2"));
    assert!(matches!(store.delete_if(&key, first).await, Ok(Written::Stale(Some(_)))));
    at(store.delete_if(&key, second).await.expect("an answer"));
    assert!(matches!(store.put_if(&key, second, b"4".to_vec(), 0).await, Ok(Written::Stale(None))));
    assert_eq!(store.get(&key).await.expect("an answer").0.map(|stored| stored.key), None);
    running.etcd.stop().await;
}

/// Pages are of one revision, whatever is written between them, and of one folder.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_at_the_revision_of_its_first_page() {
    let mut running = start().await;
    let store = &running.store;
    let folder = |namespace| store.key("configmaps", Some(namespace), None);
    let pairs: Vec<_> =
        ["a/1", "a/2", "a/3", "ab/4"].iter().map(|at| (format!("/registry/configmaps/{at}"), b"x".to_vec())).collect();
    store.create_all(pairs.clone(), 2).await.expect("they are made");
    // What is there stays as it is.
    let before = store.get("/registry/configmaps/a/1").await.expect("an answer").0.expect("it is there");
    store.create_all(vec![(pairs[0].0.clone(), b"other".to_vec())], 2).await.expect("an answer");
    let after = store.get("/registry/configmaps/a/1").await.expect("an answer").0.expect("it is there");
    assert_eq!((before.revision, before.value), (after.revision, after.value));
    let first = store.page(&folder("a"), &folder("a"), 2, 0).await.expect("a page");
    assert_eq!((first.items.len(), first.more, first.count), (2, true, 3));
    let last = &first.items[1];
    let third = store.get("/registry/configmaps/a/3").await.expect("an answer").0.expect("it is there");
    at(store.delete_if("/registry/configmaps/a/3", third.revision).await.expect("an answer"));
    let rest = store.page(&folder("a"), &format!("{}\0", last.key), 2, first.revision).await.expect("a page");
    assert_eq!(rest.items.iter().map(|stored| stored.key.as_str()).collect::<Vec<_>>(), ["/registry/configmaps/a/3"]);
    assert_eq!(store.count(&folder("a")).await.expect("a count"), 2);
    let future = store.page(&folder("a"), &folder("a"), 2, first.revision + 1000).await;
    assert!(matches!(future, Err(StoreError::Future)), "{future:?}");
    store.client.kv_client().compact(first.revision + 1, None).await.expect("history is cut");
    let gone = store.page(&folder("a"), &folder("a"), 2, first.revision).await;
    assert!(matches!(gone, Err(StoreError::Compacted)), "{gone:?}");
    let large = store.create("/registry/configmaps/a/large", vec![b'x'; 1_600_000], 0).await;
    assert!(matches!(large, Err(StoreError::TooLarge)), "{large:?}");
    running.etcd.stop().await;
}

/// Each watcher sees each change after its revision once, in order, below its prefix only, and what was deleted.
#[tokio::test(flavor = "multi_thread")]
async fn watchers_of_one_folder_share_a_watch_and_see_everything_once() {
    let mut running = start().await;
    let (store, hub) = (&running.store, Hub::default());
    let key = |namespace, name| store.key("configmaps", Some(namespace), Some(name));
    let folder = store.key("configmaps", None, None);
    let begun = at(store.create(&key("a", "m"), map("m", "1"), 0).await.expect("an answer"));
    let mut all = hub.feed(store, &folder, &folder, begun).await.expect("a watch");
    let mut some = hub.feed(store, &folder, &store.key("configmaps", Some("a"), None), begun).await.expect("a watch");
    at(store.create(&key("ab", "n"), map("n", "1"), 0).await.expect("an answer"));
    let second = at(store.put_if(&key("a", "m"), begun, map("m", "2"), 0).await.expect("an answer"));
    let third = at(store.delete_if(&key("a", "m"), second).await.expect("an answer"));
    let seen = |change: &Change| (change.kind, change.key.clone(), change.revision);
    let other = change(&mut all).await;
    assert_eq!((other.kind, other.key.as_str()), (ChangeKind::Created, "/registry/configmaps/ab/n"));
    let changed = change(&mut all).await;
    assert_eq!(seen(&changed), (ChangeKind::Changed, key("a", "m"), second));
    assert_eq!(changed.old_object().expect("it is readable")["data"]["k"], "1");
    assert_eq!(changed.object().expect("it is readable")["metadata"]["resourceVersion"], second.to_string());
    let deleted = change(&mut all).await;
    assert_eq!(seen(&deleted), (ChangeKind::Deleted, key("a", "m"), third));
    assert_eq!(deleted.object().expect("what it last was")["data"]["k"], "2");
    assert_eq!(seen(&*change(&mut some).await), seen(&changed), "what lies in another namespace is not seen");
    assert_eq!(seen(&*change(&mut some).await), seen(&deleted));
    // One that begins before what is shared reads history by itself, and sees the same.
    let mut late = hub.feed(store, &folder, &folder, begun - 1).await.expect("a watch");
    let first = change(&mut late).await;
    assert_eq!((first.kind, first.revision), (ChangeKind::Created, begun));
    for expected in [&other, &changed, &deleted] {
        assert_eq!(seen(&*change(&mut late).await), seen(expected));
    }
    running.etcd.stop().await;
}

/// History that is gone is said to be gone, to who comes and to who is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_from_before_the_cut_history_ends() {
    let mut running = start().await;
    let (store, hub) = (&running.store, Hub::default());
    let folder = store.key("configmaps", None, None);
    let mut last = 0;
    for value in ["1", "2", "3"] {
        let key = store.key("configmaps", Some("a"), Some(value));
        last = at(store.create(&key, map(value, value), 0).await.expect("an answer"));
    }
    store.client.kv_client().compact(last, None).await.expect("history is cut");
    let mut feed = hub.feed(store, &folder, &folder, 1).await.expect("a watch");
    let ended = loop {
        match feed.next().await.expect("an item") {
            FeedItem::Progress(_) => {}
            item => break item,
        }
    };
    assert!(matches!(ended, FeedItem::Compacted), "{ended:?}");
    // The next one to come is served by a new watch.
    let mut again = hub.feed(store, &folder, &folder, last).await.expect("a watch");
    let key = store.key("configmaps", Some("a"), Some("4"));
    let fourth = at(store.create(&key, map("4", "4"), 0).await.expect("an answer"));
    assert_eq!(change(&mut again).await.revision, fourth);
    running.etcd.stop().await;
}

/// What has a lease says so, so that a later write keeps it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_stays_with_its_key() {
    let mut running = start().await;
    let store = &running.store;
    let lease = store.lease(3600).await.expect("a lease");
    let key = store.key("events", Some("a"), Some("e"));
    let made = at(store.create(&key, b"1".to_vec(), lease).await.expect("an answer"));
    let stored = store.get(&key).await.expect("an answer").0.expect("it is there");
    assert_eq!((stored.lease, stored.revision), (lease, made));
    at(store.put_if(&key, made, b"2".to_vec(), stored.lease).await.expect("an answer"));
    assert_eq!(store.get(&key).await.expect("an answer").0.map(|stored| stored.lease), Some(lease));
    running.etcd.stop().await;
}

/// What was deleted shows in the count alone, also where its revisions are compacted; a store that was started anew is
/// another one.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_since_is_read_with_the_count_of_all() {
    let mut running = start().await;
    let store = running.store.clone();
    let folder = "/registry/configmaps/a/";
    let mut last = 0;
    for name in ["one", "two", "three", "four"] {
        last = at(store.create(&format!("{folder}{name}"), map(name, "1"), 0).await.expect("an answer"));
    }
    let since = async |store: &Store, revision: i64| {
        let page = store.since(folder, revision).await.expect("an answer");
        let names: Vec<String> = page.items.iter().map(|item| item.key.replace(folder, "")).collect();
        (names.join(" "), page.count, page.origin)
    };
    let (names, count, origin) = since(&store, last - 2).await;
    assert_eq!((names.as_str(), count), ("four three", 4));
    let other = "/registry/configmaps/b/else";
    let written = at(store.create(other, map("else", "1"), 0).await.expect("an answer"));
    assert_eq!(since(&store, last).await, (String::new(), 4, origin));
    assert_eq!(store.newest().await.expect("an answer"), (written, origin));

    let gone = at(store.delete_if(&format!("{folder}three"), last - 1).await.expect("an answer"));
    at(store.put_if(&format!("{folder}one"), last - 3, map("one", "2"), 0).await.expect("an answer"));
    assert_eq!(since(&store, last).await, ("one".to_owned(), 3, origin));
    store.client.kv_client().compact(gone + 1, None).await.expect("it is compacted");
    assert_eq!(since(&store, last).await, ("one".to_owned(), 3, origin));
    let keys = store.keys(folder, gone + 1).await.expect("an answer");
    assert_eq!(keys, ["four", "one", "two"].map(|name| format!("{folder}{name}")));
    assert!(matches!(store.keys(folder, gone).await, Err(StoreError::Compacted)));

    let client = running.etcd.restart().await.expect("it starts again");
    let (names, count, after) = since(&Store::new(client), last).await;
    assert_eq!((names.as_str(), count), ("one", 3));
    assert_ne!(after, origin);
}
