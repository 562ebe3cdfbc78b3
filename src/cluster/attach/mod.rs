//! The cluster that the learner already has: nothing of it is made, changed or removed by us.

mod forward;
mod kubeconfig;
mod routes;
mod store;

use std::path::{Path, PathBuf};
use std::time::Instant;

use async_trait::async_trait;
use kube::api::ListParams;

use super::consent::{Agreed, AgreedTo, Consent};
use super::engine::Flavor;
use super::etcd_pod::EtcdPod;
use super::node_container::NodeContainer;
use super::{Cluster, ClusterError, ClusterInfo, ClusterRequest, EtcdAccess, Provider, StageSink, api_client, objects};
use crate::lab::ClusterKind;
use owned_processes::ShellIo;

pub(super) use forward::Forward;
pub(super) use kubeconfig::Pinned;

/// Takes a context of the learner's kubeconfig.
pub struct Attach {
    /// The context that the user agreed to.
    pub agreed: Agreed,
    pub given: GivenEtcd,
    /// Where nodes that are containers are looked for.
    pub engine: Option<Flavor>,
}

/// What the flags say of etcd; each part may be missing.
#[derive(Debug, Clone, Default)]
pub struct GivenEtcd {
    pub endpoints: Vec<String>,
    pub ca: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

impl Attach {
    /// Reads the context (the current one where none is named) and asks whether a lab may change its cluster.
    pub fn agree(
        context: Option<&str>,
        kubeconfig: Option<&Path>,
        consent: &Consent,
        commands: &[String],
    ) -> Result<Agreed, ClusterError> {
        let pinned = kubeconfig::pin(&kubeconfig::files(kubeconfig), context)?;
        let Pinned { context: name, server, .. } = &pinned;
        if pinned.looks_like_production() && context.is_none() {
            return Err(ClusterError::new(format!("the current context {name} ({server}) looks like production"))
                .hint(format!("if that is the cluster you mean, name it: --context {name}")));
        }
        consent.obtain(format!("cluster of the context {name} ({server})"), commands)?;
        Ok(Agreed(AgreedTo::Context(Box::new(pinned))))
    }
}

#[async_trait]
impl Provider for Attach {
    async fn up(&self, request: &ClusterRequest, stages: &dyn StageSink) -> Result<Box<dyn Cluster>, ClusterError> {
        let began = Instant::now();
        let AgreedTo::Context(pinned) = &self.agreed.0 else {
            return Err(ClusterError::new("the use of this cluster was not confirmed"));
        };
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
                etcd_log: None,
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
    let labelled = ListParams::default().labels("node-role.kubernetes.io/control-plane");
    objects::nodes(client).list(&labelled).await.ok()?.items.into_iter().next()?.metadata.name
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
