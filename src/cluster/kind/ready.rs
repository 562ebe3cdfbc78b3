//! Ready means: every node is, the `default` service account is there, and etcd answers with its certificates.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::api::{DynamicObject, ListParams};

use crate::cluster::etcd_pod::EtcdPod;
use crate::cluster::objects;
use crate::cluster::reach::{Answer, probe};
use crate::cluster::{ClusterError, EtcdTls};

/// From the end of `kind create`, which is before the nodes are ready: the network has still to come up.
pub(super) const LIMIT: Duration = Duration::from_mins(3);
/// A cluster that is already up is asked a few times only.
const PAUSE: Duration = Duration::from_millis(50);
const ETCD_LIMIT: Duration = Duration::from_secs(3);
/// A kubelet that has not reported by then that etcd runs does not hold up a lab: whether etcd answers is asked next.
const TELLING: Duration = Duration::from_secs(45);
/// Refusals of certificates do not pass with time.
const ETCD_TRIES: u32 = 40;

/// What is still waited for, to be reported when the time is up.
#[derive(Debug, Default)]
pub(super) struct Lacking(Mutex<BTreeMap<&'static str, String>>);

impl Lacking {
    fn say(&self, part: &'static str, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part, what.into());
    }

    fn has(&self, part: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(part);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Waits for the nodes and the service account; returns the version.
pub(super) async fn kubernetes(
    client: &kube::Client,
    expected: usize,
    lacking: &Lacking,
) -> Result<String, ClusterError> {
    let nodes = objects::nodes(client);
    let accounts = objects::default_accounts(client);
    loop {
        match nodes.list(&ListParams::default()).await {
            Err(error) => lacking.say("nodes", format!("the API does not list nodes: {error}")),
            Ok(list) if list.items.len() < expected => {
                lacking.say("nodes", format!("{} of {expected} nodes have registered", list.items.len()));
            }
            Ok(list) => match list.iter().find_map(not_ready) {
                Some(why) => lacking.say("nodes", why),
                None => break,
            },
        }
        tokio::time::sleep(PAUSE).await;
    }
    lacking.has("nodes");
    while !matches!(accounts.get_opt("default").await, Ok(Some(_))) {
        lacking.say("account", "the namespace default has no service account yet");
        tokio::time::sleep(PAUSE).await;
    }
    lacking.has("account");
    let version = client.apiserver_version().await;
    version
        .map(|info| info.git_version)
        .map_err(|error| ClusterError::new(format!("the API server does not return its version: {error}")))
}

fn not_ready(node: &DynamicObject) -> Option<String> {
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let mut conditions = node.data["status"]["conditions"].as_array().into_iter().flatten();
    match conditions.find(|condition| condition["type"] == "Ready") {
        Some(ready) if ready["status"] == "True" => None,
        Some(ready) => {
            Some(format!("{name} is not ready: {}", ready["message"].as_str().unwrap_or("it does not say why")))
        }
        None => Some(format!("{name} has not said whether it is ready")),
    }
}

/// The etcd pod of the node, once the kubelet says that it runs: it registers it a moment after etcd does, and reports
/// its state some seconds later. Until then a lab would see it `Pending`.
pub(super) async fn etcd_pod(client: &kube::Client, node: &str, lacking: &Lacking) -> Result<EtcdPod, ClusterError> {
    let mut seen = None;
    loop {
        if let Ok(pods) = EtcdPod::all(client).await
            && let Some(pod) = pods.into_iter().find(|pod| pod.node.as_deref().is_none_or(|on| on == node))
        {
            let seen = *seen.get_or_insert_with(tokio::time::Instant::now);
            if pod.running || seen.elapsed() > TELLING {
                lacking.has("etcd");
                return Ok(pod);
            }
            lacking.say("etcd", format!("the pod {} does not run yet", pod.name));
        } else {
            lacking.say("etcd", format!("the etcd pod of {node} is not registered"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) async fn etcd(endpoint: &str, tls: &EtcdTls) -> Result<Answer, ClusterError> {
    let mut last = String::new();
    for _ in 0..ETCD_TRIES {
        match probe(endpoint, Some(tls), ETCD_LIMIT).await {
            Ok(answer) => return Ok(answer),
            Err(error) => last = error,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(ClusterError::new(format!("etcd does not answer at {endpoint}: {last}")))
}
