//! A kind cluster that is up, ours or one to be used and left.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

use super::ready::Lacking;
use super::{Ownership, ready};
use crate::cluster::attach::Forward;
use crate::cluster::engine::{CLUSTER_LABEL, Engine};
use crate::cluster::etcd_pod::{self, EtcdPod};
use crate::cluster::kept::Kept;
use crate::cluster::node_container::NodeContainer;
use crate::cluster::reach::probe;
use crate::cluster::{Cluster, ClusterError, ClusterInfo, EtcdAccess, EtcdTls, api_client};
use crate::lab::ClusterKind;
use owned_processes::{Guard, ShellIo};

pub(crate) struct KindCluster {
    info: ClusterInfo,
    kubeconfig: PathBuf,
    endpoint: String,
    tls: EtcdTls,
    etcd: EtcdPod,
    node: NodeContainer,
    /// Set where this run made the cluster and `down` removes it.
    owned: Option<(Ownership, Guard)>,
    /// Dropping it ends the forwarding.
    _forward: Option<Forward>,
}

impl KindCluster {
    /// Waits until the cluster answers in every way that a lab needs.
    pub(crate) async fn connect(
        engine: Engine,
        name: &str,
        kubeconfig: PathBuf,
        dir: &Path,
        limit: Duration,
    ) -> Result<Self, ClusterError> {
        let lacking = Lacking::default();
        let answering = Self::answering(engine, name, kubeconfig, dir, &lacking);
        tokio::time::timeout(limit, answering).await.unwrap_or_else(|_| {
            Err(ClusterError::new(format!("the cluster {name} was not ready after {} s", limit.as_secs()))
                .detail(lacking.lines()))
        })
    }

    async fn answering(
        engine: Engine,
        name: &str,
        kubeconfig: PathBuf,
        dir: &Path,
        lacking: &Lacking,
    ) -> Result<Self, ClusterError> {
        let nodes = engine.nodes(&format!("{CLUSTER_LABEL}={name}")).await?;
        let Some(first) = nodes.iter().find(|node| node.is_control_plane()) else {
            return Err(ClusterError::new(format!("the cluster {name} has no control-plane container")));
        };
        let expected = nodes.iter().filter(|node| node.is_node()).count();
        let client = api_client(&kubeconfig).await.map_err(ClusterError::new)?;
        let node = NodeContainer::new(engine.clone(), first.name.clone());
        let etcd_ready = async {
            let etcd = ready::etcd_pod(&client, &first.name, lacking).await?;
            let pki = dir.join("pki");
            let tls = node.copy_certificates(&etcd, &pki).await?;
            // One member, however many there are: the one whose pod and node a lab gets. etcdctl takes no snapshot
            // where it is given several.
            let (endpoint, forward) = match engine.published(&first.id, etcd.port()).await? {
                Some(at) => (format!("https://{at}"), None),
                // Not made by us: kind publishes the API server's port only, and none can be added later.
                None => unpublished(&client, &node, &etcd, &tls).await?,
            };
            let answer = ready::etcd(&endpoint, &tls).await?;
            Ok((etcd, pki, tls, endpoint, forward, answer))
        };
        let (etcd, version, prefix) =
            tokio::try_join!(etcd_ready, ready::kubernetes(&client, expected, lacking), async {
                Ok(etcd_pod::prefix(&client).await)
            })?;
        let (etcd, pki, tls, endpoint, forward, answer) = etcd;
        let info = ClusterInfo {
            kind: ClusterKind::Kind,
            name: name.to_owned(),
            kubernetes: Some(version),
            etcd: Some(answer.version),
            node: Some(first.name.clone()),
            etcd_pod: Some(etcd.name.clone()),
            pki: Some(pki),
            data: None,
            node_pki: etcd.pki(),
            node_data: etcd.data(),
            engine: engine.flavor.name().to_owned(),
            runs_pods: true,
            shared: true,
            etcd_route: match &forward {
                Some(_) => format!("{endpoint}, forwarded through the API"),
                None => format!("{endpoint}, of the node's container"),
            },
            prefix,
            etcd_log: None,
        };
        Ok(Self { info, kubeconfig, endpoint, tls, etcd, node, owned: None, _forward: forward })
    }

    pub(super) fn own(&mut self, ownership: Ownership, guard: Guard) {
        self.info.shared = false;
        self.owned = Some((ownership, guard));
    }

    /// From now on it outlives this run: `by` says who wanted that. Its kubeconfig is written to `copy` too.
    pub(crate) fn keep(&mut self, by: &str, copy: Option<PathBuf>) -> Result<(), ClusterError> {
        let engine = &self.node.engine;
        let kept = Kept {
            name: self.info.name.clone(),
            engine: engine.flavor.name().to_owned(),
            host: engine.host.clone(),
            by: by.to_owned(),
            copy,
        };
        kept.save(&self.kubeconfig)?;
        if let Some((ownership, guard)) = self.owned.take() {
            ownership.release(&guard);
        }
        Ok(())
    }

    pub(crate) fn summary(&self) -> String {
        let version = |version: &Option<String>| version.clone().unwrap_or_default();
        format!("Kubernetes {}, etcd {}", version(&self.info.kubernetes), version(&self.info.etcd))
    }
}

/// etcd at the node's own address, or through the API where that is not reachable from here.
async fn unpublished(
    client: &kube::Client,
    node: &NodeContainer,
    etcd: &EtcdPod,
    tls: &EtcdTls,
) -> Result<(String, Option<Forward>), ClusterError> {
    for endpoint in node.addresses(etcd.port()).await {
        if probe(&endpoint, Some(tls), Duration::from_secs(2)).await.is_ok() {
            return Ok((endpoint, None));
        }
    }
    let forward = Forward::to(client, &etcd.name, etcd.port()).await?;
    Ok((forward.endpoint("https"), Some(forward)))
}

#[async_trait]
impl Cluster for KindCluster {
    fn info(&self) -> &ClusterInfo {
        &self.info
    }

    fn kubeconfig(&self) -> Option<&Path> {
        Some(&self.kubeconfig)
    }

    fn etcd(&self) -> EtcdAccess {
        EtcdAccess::Direct { endpoints: vec![self.endpoint.clone()], tls: Some(self.tls.clone()) }
    }

    async fn node_shell(&self, rows: u16, columns: u16) -> Result<ShellIo, ClusterError> {
        self.node.shell(Some(&self.etcd), rows, columns).await
    }

    async fn down(self: Box<Self>) -> Result<(), ClusterError> {
        let Some((ownership, guard)) = self.owned else {
            self.node.tidy().await;
            return Ok(());
        };
        let removal = super::remove(&self.node.engine, &self.info.name);
        match tokio::time::timeout(Duration::from_mins(2), removal).await {
            Ok(result) => result?,
            Err(_) => {
                return Err(ClusterError::new(format!(
                    "the engine did not remove {} within two minutes",
                    self.info.name
                ))
                .hint("the next start tries again"));
            }
        }
        ownership.release(&guard);
        Ok(())
    }
}
