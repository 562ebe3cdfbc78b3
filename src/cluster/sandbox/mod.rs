//! The sandbox as one of the clusters that a lab can run on.

use std::path::{Path, PathBuf};
use std::time::Instant;

use async_trait::async_trait;

use crate::cluster::{
    Cluster, ClusterError, ClusterInfo, ClusterRequest, EtcdAccess, EtcdTls, Provider, Running, StageSink,
};
use crate::lab::ClusterKind;
use kube_sandbox::{Sandbox, SandboxError, SandboxOptions};
use owned_processes::{Guard, ShellIo};

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
        Ok(Box::new(self.start(request, stages).await?.0))
    }
}

impl SandboxProvider {
    /// With what is remembered of one that stays.
    pub(super) async fn start(
        &self,
        request: &ClusterRequest,
        stages: &dyn StageSink,
    ) -> Result<(SandboxCluster, Running), ClusterError> {
        let began = Instant::now();
        let mut options = SandboxOptions::new(self.guard.clone(), request.private_dir.join("sandbox"));
        options.apiserver.clone_from(&self.apiserver);
        options.nodes = request.spec.nodes.unwrap_or(1);
        let sandbox = tokio::select! {
            sandbox = Sandbox::start(options) => sandbox.map_err(ClusterError::from)?,
            () = request.interrupt.cancelled() => return Err(ClusterError::new("interrupted while the sandbox came up")),
        };
        stages.passed("etcd and the API answer", Some(sandbox.etcd_url()), began.elapsed());
        let running = Running {
            kubernetes: sandbox.kubernetes_version().to_owned(),
            etcd: sandbox.etcd_version().to_owned(),
            server: format!("https://{}", sandbox.address()),
            endpoint: sandbox.etcd_url().to_owned(),
            etcd_process: sandbox.etcd_process(),
            kubeconfig: sandbox.kubeconfig().to_owned(),
            bin: PathBuf::new(),
            node: sandbox.node.clone(),
            pki: sandbox.pki().root().to_owned(),
            data: sandbox.etcd_data().to_owned(),
            etcd_log: sandbox.etcd_log().to_owned(),
        };
        let info = running.info(ClusterKind::Sandbox.name(), false);
        Ok((SandboxCluster { sandbox, info, guard: self.guard.clone() }, running))
    }
}

/// As etcd's own health checks reach it.
pub(super) fn admin_access(endpoint: &str, pki: &Path) -> EtcdAccess {
    EtcdAccess::Direct {
        endpoints: vec![endpoint.to_owned()],
        tls: Some(EtcdTls {
            ca: pki.join("etcd/ca.crt"),
            cert: pki.join("etcd/healthcheck-client.crt"),
            key: pki.join("etcd/healthcheck-client.key"),
        }),
    }
}

pub(super) fn open_node_shell(
    guard: &Guard,
    kubeconfig: &Path,
    rows: u16,
    columns: u16,
) -> Result<ShellIo, ClusterError> {
    node_shell::open(guard, kubeconfig, rows, columns)
        .map_err(|error| ClusterError::new(format!("no shell could be started on this machine: {error}")))
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

pub(super) struct SandboxCluster {
    sandbox: Sandbox,
    info: ClusterInfo,
    guard: Guard,
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
        admin_access(self.sandbox.etcd_url(), self.sandbox.pki().root())
    }

    async fn node_shell(&self, rows: u16, columns: u16) -> Result<ShellIo, ClusterError> {
        open_node_shell(&self.guard, self.sandbox.kubeconfig(), rows, columns)
    }

    async fn save(&self, file: &Path) -> Result<bool, ClusterError> {
        self.sandbox.save(file).await?;
        Ok(true)
    }

    async fn restore(&mut self, file: &Path) -> Result<bool, ClusterError> {
        self.sandbox.restore(file).await?;
        Ok(true)
    }

    async fn down(self: Box<Self>) -> Result<(), ClusterError> {
        self.sandbox.stop().await;
        Ok(())
    }
}
