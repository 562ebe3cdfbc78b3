//! What of a list was not written since is sent as it was before. Here each list is held against what was written, and
//! against the same objects read one by one at the list's revision, of which nothing is kept.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kube::Client;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::harness::need;
use crate::live::Live;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// Of so many objects a list is long enough to be kept.
const NAMES: usize = 60;

async fn text(client: &Client, path: &str) -> String {
    let request = http::Request::get(path).body(Vec::new()).expect("a request");
    client.request_text(request).await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
}

async fn list(client: &Client, path: &str) -> Value {
    serde_json::from_str(&text(client, path).await).expect("JSON")
}

/// Creates, changes or deletes one; whether it is there afterwards, with which value.
async fn change(client: &Client, random: &mut StdRng, names: std::ops::Range<usize>) -> (String, Option<String>) {
    let name = format!("m{}", random.random_range(names));
    let path = format!("{MAPS}/{name}");
    if random.random_range(0..3) == 0 {
        let request = http::Request::delete(&path).body(Vec::new()).expect("a request");
        let done = client.request_text(request).await;
        assert!(matches!(&done, Ok(_) | Err(kube::Error::Api(_))), "{done:?}");
        return (name, None);
    }
    let value = format!("{:016x}", random.random::<u64>());
    let data = json!({"value": value, "more": "x".repeat(600)});
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
    let applied = format!("{path}?fieldManager=test&force=true");
    let request = http::Request::patch(applied)
        .header("content-type", "application/apply-patch+yaml")
        .body(object.to_string().into_bytes());
    client.request_text(request.expect("a request")).await.expect("it is applied");
    (name, Some(value))
}

/// Of a list, what this test wrote.
fn written(list: &Value) -> BTreeMap<String, String> {
    let items = list["items"].as_array().expect("items");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let ours = items.iter().filter(|item| item["data"]["value"].is_string());
    ours.map(|item| (text(&item["metadata"]["name"]), text(&item["data"]["value"]))).collect()
}

/// The list as it is now, which is what was there at its revision.
async fn checked(client: &Client) -> Value {
    let now = list(client, MAPS).await;
    let revision = now["metadata"]["resourceVersion"].as_str().expect("a revision");
    let then = format!("{MAPS}?limit=1000&resourceVersionMatch=Exact&resourceVersion={revision}");
    let then = list(client, &then).await;
    assert_eq!(now["items"], then["items"], "at {revision}");
    now
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_kept_is_never_older_than_what_was_written() {
    need!("etcd", "etcdctl");
    let mut live = Live::start(&[]).await;
    let client = live.client().await;
    let mut random = StdRng::seed_from_u64(29);
    let mut expected = BTreeMap::new();
    for at in 0..NAMES * 3 {
        let (name, value) = change(&client, &mut random, 0..NAMES).await;
        match value {
            Some(value) => drop(expected.insert(name, value)),
            None => drop(expected.remove(&name)),
        }
        if at % 7 < 3 {
            // The next list comes after several changes.
            continue;
        }
        assert_eq!(written(&list(&client, MAPS).await), expected, "after {at} changes");
        if at % 16 == 0 {
            // The second is sent as the first was, all but its revision.
            assert_eq!(checked(&client).await["items"], checked(&client).await["items"]);
        }
    }
    // What was deleted is gone from it, also where etcd no longer knows that it was there.
    let gone: Vec<String> = expected.keys().take(3).cloned().collect();
    for name in &gone {
        live.etcdctl(&["del", &format!("/registry/configmaps/default/{name}")]);
        expected.remove(name);
    }
    let revision = list(&client, "/api/v1/namespaces").await["metadata"]["resourceVersion"].clone();
    live.etcdctl(&["compact", revision.as_str().expect("a revision")]);
    assert_eq!(written(&checked(&client).await), expected);
    let before = checked(&client).await;
    live.kill_etcd().await;
    live.start_etcd().await;
    let back = Instant::now();
    while client.request_text(http::Request::get(MAPS).body(Vec::new()).expect("a request")).await.is_err() {
        assert!(back.elapsed() < Duration::from_secs(60), "no list after etcd is back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(checked(&client).await["items"], before["items"]);
    let other = list(&client, "/api/v1/configmaps").await;
    assert_eq!(written(&other), expected);

    // Several write while others list.
    let left = AtomicUsize::new(3);
    let writer = |which: usize| {
        let (client, left) = (client.clone(), &left);
        async move {
            let mut random = StdRng::seed_from_u64(which as u64);
            let mut last = BTreeMap::new();
            for _ in 0..60 {
                let (name, value) = change(&client, &mut random, which * 20..(which + 1) * 20).await;
                let found = written(&list(&client, MAPS).await);
                assert_eq!(found.get(&name), value.as_ref(), "{name}");
                last.insert(name, value);
            }
            left.fetch_sub(1, Ordering::Relaxed);
            last
        }
    };
    let reader = || async {
        let mut newest = 0;
        while left.load(Ordering::Relaxed) > 0 {
            let list = checked(&client).await;
            let revision: i64 =
                list["metadata"]["resourceVersion"].as_str().expect("a revision").parse().expect("a number");
            assert!(revision >= newest, "{revision} after {newest}");
            newest = revision;
        }
    };
    let ((), (), one, two, three) = tokio::join!(reader(), reader(), writer(0), writer(1), writer(2));
    let last: Vec<_> = [one, two, three].into_iter().flatten().collect();
    expected.extend(last.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))));
    for (name, _) in last.iter().filter(|(_, value)| value.is_none()) {
        expected.remove(name);
    }
    assert_eq!(written(&checked(&client).await), expected);
    live.stop().await;
}
