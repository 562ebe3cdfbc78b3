//! A watcher that resumes where it broke off and must be told of every change once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use http::Request;
use kube::Client;
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::client::Kind;

type View = Arc<Mutex<BTreeMap<String, u64>>>;

pub(super) struct Follower {
    view: View,
    task: JoinHandle<()>,
}

fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).expect("a resourceVersion")
}

impl Follower {
    pub(super) async fn start(client: Client, kind: Kind) -> Self {
        let path = format!("{}?labelSelector=soak%3Dyes", kind.collection());
        let request = Request::get(path).body(Vec::new()).expect("a request");
        let list: Value = client.request(request).await.expect("a list");
        assert_eq!(list["items"], serde_json::json!([]), "it begins before anything is made");
        let view = View::default();
        let task = tokio::spawn(follow(client, kind, version(&list), Arc::clone(&view)));
        Self { view, task }
    }

    /// It comes to see what the list shows.
    pub(super) async fn agrees_with(self, listed: &[(String, Value)]) {
        let listed: BTreeMap<String, u64> =
            listed.iter().map(|(name, object)| (name.clone(), version(object))).collect();
        let began = Instant::now();
        while *self.view.lock().expect("the view") != listed {
            assert!(!self.task.is_finished(), "the watcher was told something that cannot be");
            assert!(began.elapsed() < Duration::from_secs(60), "the watch never comes to what the list shows");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.task.abort();
    }
}

async fn follow(client: Client, kind: Kind, mut from: u64, view: View) {
    loop {
        let path = format!("{}?labelSelector=soak%3Dyes&watch=1&resourceVersion={from}", kind.collection());
        let request = Request::get(path).body(Vec::new()).expect("a request");
        if let Ok(stream) = client.request_events::<Value>(request).await {
            futures::pin_mut!(stream);
            while let Ok(Some(event)) = stream.try_next().await {
                let mut view = view.lock().expect("the view");
                let (object, is_new, is_there) = match event {
                    WatchEvent::Added(object) => (object, true, true),
                    WatchEvent::Modified(object) => (object, false, true),
                    WatchEvent::Deleted(object) => (object, false, false),
                    WatchEvent::Bookmark(_) => continue,
                    WatchEvent::Error(_) => break,
                };
                let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
                assert!(version(&object) > from, "{name}: told again, {} after {from}", version(&object));
                from = version(&object);
                assert_ne!(view.contains_key(&name), is_new, "{name}: a change is missing before {from}");
                if is_there {
                    view.insert(name, from);
                } else {
                    view.remove(&name);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
