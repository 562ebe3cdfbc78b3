//! What a lab created and its clean-up left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::runner::Runner;
use crate::journal::{Change, JournalView, Seq};

/// Finalizers and garbage collection take their time after the commands have ended.
const PATIENCE: Duration = Duration::from_secs(30);
/// Written by the cluster for itself, whatever a lab does.
const OF_THE_CLUSTER: [&str; 6] =
    ["/events/", "/leases/", "/masterleases/", "/peerserverleases/", "/ipaddresses/", "/csinodes/"];
/// A controller puts these into every namespace.
const IN_EVERY_NAMESPACE: [(&str, &str); 2] =
    [("/configmaps/", "/kube-root-ca.crt"), ("/serviceaccounts/", "/default")];
/// The API server registers the group of every custom resource by itself.
const AUTOMANAGED: &str = "/metadata/labels/kube-aggregator.kubernetes.io~1automanaged";

impl Runner<'_> {
    /// The keys that came to be after `start` and stay, once what is on its way out is gone.
    pub(super) async fn keys_left(&self, start: Seq) -> Vec<String> {
        self.keys_left_after(start, PATIENCE).await
    }

    pub(super) async fn keys_left_after(&self, start: Seq, patience: Duration) -> Vec<String> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            // Without an answer the journal's last word counts; the caller has asked for a sign of life.
            drop(self.witness.progress().await);
            let view = self.witness.journal();
            let left = left(&view, start, &self.info.prefix);
            if left.is_empty() {
                return left;
            }
            tokio::select! {
                () = self.witness.grown(view.end()) => {}
                () = tokio::time::sleep_until(deadline) => return left,
                () = self.interrupt.cancelled() => return Vec::new(),
            }
        }
    }
}

/// The keys that came to be after `start`, are there at the end of the view, and are not the cluster's own affair.
pub fn left(view: &JournalView, start: Seq, prefix: &str) -> Vec<String> {
    let created = view.entries(start, |entry| entry.change().is_some_and(|change| change.value.is_some()));
    let keys: BTreeSet<Arc<str>> =
        created.iter().filter_map(|recorded| recorded.entry.change().map(|change| Arc::clone(&change.key))).collect();
    let stay: Vec<Arc<Change>> = keys
        .iter()
        .filter(|key| view.state(key, start).is_none())
        .filter_map(|key| view.state(key, view.end()))
        .collect();
    let below = |key: &str| key.strip_prefix(prefix).map(str::to_owned);
    let namespaces: BTreeSet<String> =
        stay.iter().filter_map(|change| below(&change.key)?.strip_prefix("/namespaces/").map(str::to_owned)).collect();
    let named = stay.iter().filter(|change| {
        let Some(path) = below(&change.key) else {
            return true;
        };
        // The namespace is named; what lies in it goes with it.
        let in_named = path.split('/').any(|part| namespaces.contains(part)) && !path.starts_with("/namespaces/");
        !is_of_the_cluster(&path) && !in_named && !is_kept_by_another(change, &path, view, prefix)
    });
    named.map(|change| change.key.to_string()).collect()
}

/// Whether a key below the prefix is the cluster's own, written whatever a lab does.
pub(super) fn is_of_the_cluster(path: &str) -> bool {
    OF_THE_CLUSTER.iter().any(|folder| path.starts_with(folder))
        || IN_EVERY_NAMESPACE.iter().any(|(folder, name)| path.starts_with(folder) && path.ends_with(name))
}

/// Made by a controller for another object, which is named itself or was there before.
fn is_kept_by_another(change: &Change, path: &str, view: &JournalView, prefix: &str) -> bool {
    if let Some(name) = path.strip_prefix("/services/endpoints/") {
        return view.state(&format!("{prefix}/services/specs/{name}"), view.end()).is_some();
    }
    let object = change.value.as_ref().and_then(|stored| stored.object().ok());
    let Some(object) = object else {
        return false;
    };
    let owned = object.pointer("/metadata/ownerReferences").and_then(Value::as_array).is_some_and(|o| !o.is_empty());
    owned || object.pointer(AUTOMANAGED).is_some()
}
