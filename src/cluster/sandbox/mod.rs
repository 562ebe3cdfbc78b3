//! The sandbox as one of the clusters that a lab can run on.

use std::path::{Path, PathBuf};
use std::time::Instant;

use async_trait::async_trait;

use crate::cluster::{Cluster, ClusterError, ClusterInfo, ClusterRequest, EtcdAccess, EtcdTls, Provider, StageSink};
use crate::guard::{Guard, ShellIo};
use crate::lab::ClusterKind;
use kube_sandbox::{Sandbox, SandboxError, SandboxOptions};

mod node_shell;

/// Brings up one sandbox a request; many may live side by side.
pub struct SandboxProvider {
    pub guard: Guard,
    /// A kube-apiserver to run in place of our own API face.
    pub apiserver: Option<PathBuf>,
}

#[async_trait]
impl Provider for SandboxProvider {
    async fn up(&self, request: &ClusterRequest, stages: &dyn StageSink) -> Result<Box<dyn Cluster>, ClusterError> {
        let began = Instant::now();
        let mut options = SandboxOptions::new(self.guard.clone(), request.private_dir.join("sandbox"));
        options.apiserver.clone_from(&self.apiserver);
        options.nodes = request.spec.nodes.unwrap_or(1);
        let sandbox = tokio::select! {
            sandbox = Sandbox::start(options) => sandbox.map_err(ClusterError::from)?,
            () = request.interrupt.cancelled() => return Err(ClusterError::new("interrupted while the sandbox came up")),
        };
        stages.passed("etcd and the API answer", Some(sandbox.etcd_url()), began.elapsed());
        Ok(Box::new(SandboxCluster::new(sandbox, self.guard.clone())))
    }
}

impl From<SandboxError> for ClusterError {
    fn from(error: SandboxError) -> Self {
        let made = Self::new(error.message).detail(error.detail);
        match error.hint {
            Some(hint) => made.hint(hint),
            None => made,
        }
    }
}

struct SandboxCluster {
    sandbox: Sandbox,
    info: ClusterInfo,
    guard: Guard,
}

impl SandboxCluster {
    fn new(sandbox: Sandbox, guard: Guard) -> Self {
        let pki = sandbox.pki().root().to_owned();
        let data = sandbox.etcd_data().to_owned();
        let info = ClusterInfo {
            kind: ClusterKind::Sandbox,
            name: "sandbox".into(),
            kubernetes: Some(sandbox.kubernetes_version().to_owned()),
            etcd: Some(sandbox.etcd_version().to_owned()),
            node: Some(sandbox.node.clone()),
            etcd_pod: Some(format!("etcd-{}", sandbox.node)),
            // The node is this machine, so that its paths are the host's.
            node_pki: Some(pki.join("etcd")),
            node_data: Some(data.clone()),
            pki: Some(pki.join("etcd")),
            data: Some(data),
            engine: String::new(),
            runs_pods: false,
            shared: false,
            etcd_route: format!("a process on this machine, at {}", sandbox.etcd_url()),
            prefix: "/registry".into(),
        };
        Self { sandbox, info, guard }
    }
}

#[async_trait]
impl Cluster for SandboxCluster {
    fn info(&self) -> &ClusterInfo {
        &self.info
    }

    fn kubeconfig(&self) -> Option<&Path> {
        Some(self.sandbox.kubeconfig())
    }

    fn etcd(&self) -> EtcdAccess {
        let pki = self.sandbox.pki();
        EtcdAccess::Direct {
            endpoints: vec![self.sandbox.etcd_url().to_owned()],
            tls: Some(EtcdTls {
                ca: pki.file("etcd/ca.crt"),
                cert: pki.file("etcd/healthcheck-client.crt"),
                key: pki.file("etcd/healthcheck-client.key"),
            }),
        }
    }

    async fn node_shell(&self, rows: u16, columns: u16) -> Result<ShellIo, ClusterError> {
        node_shell::open(&self.guard, self.sandbox.kubeconfig(), rows, columns)
            .map_err(|error| ClusterError::new(format!("no shell could be started on this machine: {error}")))
    }

    async fn down(self: Box<Self>) -> Result<(), ClusterError> {
        self.sandbox.stop().await;
        Ok(())
    }
}
