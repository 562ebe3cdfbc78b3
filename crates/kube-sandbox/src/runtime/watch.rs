//! List, then watch from there, for as long as it takes: a break resumes, a gap lists again.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use http::Request;
use kube::core::WatchEvent;
use serde_json::Value;

use super::{Cache, Error, Rest};

const PAGE: u32 = 500;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Ends only where the kind is `permanent` and this server, an older one than ours, does not know it.
pub(crate) async fn follow(rest: Rest, store: Arc<Cache>, permanent: bool) {
    let mut pause = FIRST_PAUSE;
    let mut from = None;
    loop {
        let version = match from.take() {
            Some(version) => Ok(version),
            None => list(&rest, &store).await,
        };
        match version {
            Ok(version) => {
                let (reached, end) = watch(&rest, &store, version.clone()).await;
                if reached != version {
                    pause = FIRST_PAUSE;
                }
                // Only the server's word that the past is gone costs a new list.
                from = (!matches!(&end, Err(error) if error.code() == 410)).then_some(reached);
                if end.is_ok() {
                    continue;
                }
            }
            Err(error) if error.is_not_found() && permanent => return store.give_up(),
            // A kind that is not served (a removed custom resource) may come back.
            Err(error) if error.is_not_found() => {
                store.relist(Vec::new(), 0);
                pause = LONGEST_PAUSE;
            }
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn list(rest: &Rest, store: &Cache) -> Result<String, Error> {
    let path = store.resource.path("");
    let mut objects = Vec::new();
    let mut next = String::new();
    loop {
        let page = if next.is_empty() {
            rest.read(&format!("{path}?limit={PAGE}")).await?
        } else {
            rest.read(&format!("{path}?limit={PAGE}&continue={next}")).await?
        };
        let Value::Object(mut page) = page else { return Err(Error::Again(format!("{path} answered no list"))) };
        let version = text(&page, "resourceVersion");
        next = text(&page, "continue");
        if let Some(Value::Array(items)) = page.remove("items") {
            objects.extend(items.into_iter().filter_map(|item| store.object(item)));
        }
        if next.is_empty() {
            store.relist(objects, version.parse().unwrap_or_default());
            return Ok(version);
        }
    }
}

fn text(list: &serde_json::Map<String, Value>, field: &str) -> String {
    list.get("metadata").and_then(|metadata| metadata[field].as_str()).unwrap_or_default().to_owned()
}

/// Until the stream ends: how far it came, and whether it ended well.
async fn watch(rest: &Rest, store: &Cache, from: String) -> (String, Result<(), Error>) {
    let mut version = from;
    let path = format!(
        "{}?watch=1&allowWatchBookmarks=true&timeoutSeconds=600&resourceVersion={version}",
        store.resource.path("")
    );
    let request = match Request::builder().uri(path).header("accept", "application/json").body(Vec::new()) {
        Ok(request) => request,
        Err(error) => return (version, Err(error.into())),
    };
    let stream = match rest.client().request_events::<Value>(request).await {
        Ok(stream) => stream,
        Err(error) => return (version, Err(error.into())),
    };
    futures::pin_mut!(stream);
    loop {
        let event = match stream.try_next().await {
            Ok(Some(event)) => event,
            Ok(None) => return (version, Ok(())),
            Err(error) => return (version, Err(error.into())),
        };
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                if let Some(object) = store.object(object) {
                    version = object.version.to_string();
                    store.watched(object);
                }
            }
            WatchEvent::Deleted(object) => {
                if let Some(object) = store.object(object) {
                    version = object.version.to_string();
                    store.watched_delete(&object);
                }
            }
            WatchEvent::Bookmark(bookmark) => {
                version = bookmark.metadata.resource_version;
                store.progressed(version.parse().unwrap_or_default());
            }
            WatchEvent::Error(status) => return (version, Err(kube::Error::Api(status).into())),
        }
    }
}
