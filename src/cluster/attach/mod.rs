//! The cluster that the learner already has: nothing of it is made, changed or removed by us.

mod consent;
mod forward;
mod kubeconfig;
mod routes;
mod store;

use std::path::{Path, PathBuf};
use std::time::Instant;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};

use super::engine::Flavor;
use super::etcd_pod::EtcdPod;
use super::node_container::NodeContainer;
use super::{Cluster, ClusterError, ClusterInfo, ClusterRequest, EtcdAccess, Provider, StageSink, api_client};
use crate::guard::ShellIo;
use crate::lab::ClusterKind;

pub use consent::{AttachQuestion, Consent};
pub(super) use forward::Forward;

/// Takes a context of the learner's kubeconfig.
pub struct Attach {
    /// Else the current one.
    pub context: Option<String>,
    /// Else what kubectl would read.
    pub kubeconfig: Option<PathBuf>,
    pub given: GivenEtcd,
    /// Where nodes that are containers are looked for.
    pub engine: Option<Flavor>,
    pub consent: Consent,
}

/// What the flags say of etcd; each part may be missing.
#[derive(Debug, Clone, Default)]
pub struct GivenEtcd {
    pub endpoints: Vec<String>,
    pub ca: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

#[async_trait]
impl Provider for Attach {
    async fn up(&self, request: &ClusterRequest, stages: &dyn StageSink) -> Result<Box<dyn Cluster>, ClusterError> {
        let began = Instant::now();
        let files = kubeconfig::files(self.kubeconfig.as_deref());
        let pinned = kubeconfig::pin(&files, self.context.as_deref())?;
        consent::obtain(&self.consent, &pinned, self.context.is_some(), &request.commands)?;
        let dir = request.private_dir.join("attach");
        super::reach::private_folder(&dir)?;
        let kubeconfig = dir.join("kubeconfig");
        pinned.write(&kubeconfig)?;

        let client = api_client(&kubeconfig).await.map_err(ClusterError::new)?;
        let version = client.apiserver_version().await.map_err(|error| {
            ClusterError::new(format!(
                "the API server of the context {} at {} does not answer: {error}",
                pinned.context, pinned.server
            ))
            .hint(format!("does `kubectl --context {} version` work?", pinned.context))
        })?;
        stages.passed("API server", Some(&format!("{} {}", pinned.server, version.git_version)), began.elapsed());

        let began = Instant::now();
        let finding = routes::Finding {
            given: &self.given,
            engine: self.engine,
            client: &client,
            kubeconfig: &kubeconfig,
            dir: &dir,
        };
        let found = tokio::select! {
            found = finding.find(&version.git_version) => found?,
            () = request.interrupt.cancelled() => return Err(ClusterError::new("interrupted while etcd was looked for")),
        };
        stages.passed("etcd", Some(&found.route), began.elapsed());
        let etcd = found.pod.clone();
        let node = match etcd.as_ref().and_then(|etcd| etcd.node.clone()) {
            Some(node) => Some(node),
            None => control_plane_node(&client).await,
        };
        Ok(Box::new(AttachCluster {
            info: ClusterInfo {
                kind: ClusterKind::Attach,
                name: pinned.context.clone(),
                kubernetes: Some(version.git_version),
                etcd: found.version,
                node,
                etcd_pod: etcd.as_ref().map(|etcd| etcd.name.clone()),
                pki: found.pki,
                data: None,
                node_pki: etcd.as_ref().and_then(EtcdPod::pki),
                node_data: etcd.as_ref().and_then(EtcdPod::data),
                engine: found.container.as_ref().map(|node| node.engine.flavor.name().to_owned()).unwrap_or_default(),
                runs_pods: true,
                shared: true,
                etcd_route: found.route,
                prefix: found.prefix,
            },
            kubeconfig,
            access: found.access,
            etcd,
            container: found.container,
            _forward: found.forward,
        }))
    }
}

async fn control_plane_node(client: &kube::Client) -> Option<String> {
    let nodes: Api<Node> = Api::all(client.clone());
    let labelled = ListParams::default().labels("node-role.kubernetes.io/control-plane");
    nodes.list(&labelled).await.ok()?.items.into_iter().next()?.metadata.name
}

struct AttachCluster {
    info: ClusterInfo,
    kubeconfig: PathBuf,
    access: EtcdAccess,
    etcd: Option<EtcdPod>,
    container: Option<NodeContainer>,
    /// Dropping it ends the forwarding.
    _forward: Option<Forward>,
}

#[async_trait]
impl Cluster for AttachCluster {
    fn info(&self) -> &ClusterInfo {
        &self.info
    }

    fn kubeconfig(&self) -> Option<&Path> {
        Some(&self.kubeconfig)
    }

    fn etcd(&self) -> EtcdAccess {
        self.access.clone()
    }

    async fn node_shell(&self, rows: u16, columns: u16) -> Result<ShellIo, ClusterError> {
        match &self.container {
            Some(container) => container.shell(self.etcd.as_ref(), rows, columns).await,
            None => Err(ClusterError::new(
                "the control-plane node is not a container on this machine, so there is no shell on it",
            )
            .hint("`--on kind` has one")),
        }
    }

    async fn down(self: Box<Self>) -> Result<(), ClusterError> {
        if let Some(container) = &self.container {
            container.tidy().await;
        }
        Ok(())
    }
}
