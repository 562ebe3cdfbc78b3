//! Ready means: every node is, the `default` service account is there, and etcd answers with its certificates.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::{Api, ListParams};

use crate::cluster::etcd_pod::EtcdPod;
use crate::cluster::reach::{Answer, probe};
use crate::cluster::{ClusterError, EtcdTls};

/// From the end of `kind create`, which is before the nodes are ready: the network has still to come up.
pub(super) const LIMIT: Duration = Duration::from_mins(3);
/// A cluster that is already up is asked a few times only.
const PAUSE: Duration = Duration::from_millis(50);
const ETCD_LIMIT: Duration = Duration::from_secs(3);
/// Refusals of certificates do not pass with time.
const ETCD_TRIES: u32 = 40;

/// Waits for the nodes and the service account; returns the version.
pub(super) async fn kubernetes(client: &kube::Client, expected: usize) -> Result<String, ClusterError> {
    let nodes: Api<Node> = Api::all(client.clone());
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    loop {
        let list = nodes.list(&ListParams::default()).await;
        let ready = list.is_ok_and(|list| list.items.len() >= expected && list.iter().all(is_ready));
        if ready && matches!(accounts.get_opt("default").await, Ok(Some(_))) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let version = client.apiserver_version().await;
    version
        .map(|info| info.git_version)
        .map_err(|error| ClusterError::new(format!("the API does not tell its version: {error}")))
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The etcd pod of the node; the kubelet registers it a moment after etcd runs.
pub(super) async fn etcd_pod(client: &kube::Client, node: &str) -> Result<EtcdPod, ClusterError> {
    loop {
        if let Ok(pods) = EtcdPod::all(client).await
            && let Some(pod) = pods.into_iter().find(|pod| pod.node.as_deref().is_none_or(|on| on == node))
        {
            return Ok(pod);
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
