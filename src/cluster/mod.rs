//! `Provider` (up, down) and `Cluster` (kubeconfig, etcd endpoints and TLS, node shell): kind, attach,
//! bare, sandbox. The only place that names bollard.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::lab::{ClusterKind, ClusterSpec};
use owned_processes::ShellIo;

mod attach;
mod bare;
mod consent;
mod engine;
mod etcd_pod;
mod kept;
mod kept_sandbox;
mod kind;
mod node_container;
mod objects;
mod reach;
mod reuse;
mod sandbox;
mod stay;

pub use attach::{Attach, GivenEtcd};
pub use bare::Bare;
pub use consent::{Agreed, Consent, ConsentQuestion};
pub use engine::Flavor;
pub use kept_sandbox::{KeptSandbox, ReuseSandbox, Running, SandboxWish, StandingSandbox};
pub use kind::Kind;
pub use kube_sandbox::api_client;
pub use reuse::{Clusters, Found, FoundNode, Origin, Reuse};
pub use sandbox::SandboxProvider;
pub use stay::{bring_up_to_stay, check_name};

/// Brings a cluster up; what it made is undone on failure unless `keep`. What only one provider wants to
/// know (an engine, a context) is a field of that provider.
#[async_trait]
pub trait Provider: Send + Sync {
    async fn up(&self, request: &ClusterRequest, stages: &dyn StageSink) -> Result<Box<dyn Cluster>, ClusterError>;
}

#[derive(Debug, Clone)]
pub struct ClusterRequest {
    pub lab: String,
    /// Short and unique: part of every name and label of this run.
    pub run_id: String,
    pub spec: ClusterSpec,
    /// The members that a `bare` lab starts in its own terminals: name and endpoint, variables filled in.
    pub members: Vec<(String, String)>,
    /// A private folder of this run, mode 0700, for kubeconfigs, keys and sockets.
    pub private_dir: PathBuf,
    pub keep: bool,
    /// Cancelled by Ctrl-C: `up` then undoes what it has made and returns an error. Dropping its future
    /// instead leaves the undoing to the watchdog.
    pub interrupt: CancellationToken,
}

/// Hears of each stage as it passes.
pub trait StageSink: Send + Sync {
    fn passed(&self, stage: &str, detail: Option<&str>, took: Duration);
    /// How far the pull of the node image has come, layer by layer; reported often.
    fn pulling(&self, _image: &str, _layers: &[Layer]) {}
    /// Something to know that stops nothing: which engine was taken, what this host lacks.
    fn note(&self, _text: &str) {}
}

/// A layer of the node image on its way here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub id: String,
    pub state: LayerState,
    /// Bytes that are here.
    pub current: u64,
    pub total: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerState {
    Waiting,
    Downloading,
    Unpacking,
    Done,
}

/// A cluster that answers. Everything it hands out belongs to this run only.
#[async_trait]
pub trait Cluster: Send + Sync {
    fn info(&self) -> &ClusterInfo;
    /// A kubeconfig file of this run's own; `None` where there is no Kubernetes.
    fn kubeconfig(&self) -> Option<&Path>;
    fn etcd(&self) -> EtcdAccess;
    /// A shell on the control-plane node, or why there is none.
    async fn node_shell(&self, rows: u16, columns: u16) -> Result<ShellIo, ClusterError>;
    /// Keeps the state of the store in a file; `Ok(false)` where only somebody else may do that.
    async fn save(&self, _file: &Path) -> Result<bool, ClusterError> {
        Ok(false)
    }
    /// Puts the store back to what a file holds, and the cluster with it; `Ok(false)` where it cannot.
    async fn restore(&mut self, _file: &Path) -> Result<bool, ClusterError> {
        Ok(false)
    }
    async fn down(self: Box<Self>) -> Result<(), ClusterError>;
}

#[derive(Debug, Clone)]
pub struct ClusterInfo {
    pub kind: ClusterKind,
    /// `LAB_CLUSTER`.
    pub name: String,
    pub kubernetes: Option<String>,
    pub etcd: Option<String>,
    /// `LAB_NODE`: a control-plane node.
    pub node: Option<String>,
    /// `LAB_ETCD_POD`.
    pub etcd_pod: Option<String>,
    /// `LAB_ETCD_PKI` and `LAB_ETCD_DATA` as seen on the host and on the node.
    pub pki: Option<PathBuf>,
    pub data: Option<PathBuf>,
    pub node_pki: Option<PathBuf>,
    pub node_data: Option<PathBuf>,
    /// `LAB_ENGINE`: docker, podman or empty.
    pub engine: String,
    /// Containers of pods really run.
    pub runs_pods: bool,
    /// It was there before the run and stays after it: what a lab leaves in it matters.
    pub shared: bool,
    /// How etcd is reached, for a person.
    pub etcd_route: String,
    /// The cluster's own prefix, `/registry` by default.
    pub prefix: String,
    /// What an etcd that this run started writes; it says why that etcd ended.
    pub etcd_log: Option<PathBuf>,
}

impl ClusterInfo {
    /// Why an etcd of this run's own ended, where its log says so.
    pub fn why_etcd_ended(&self) -> Option<String> {
        kube_sandbox::why_etcd_ended(self.etcd_log.as_ref()?)
    }
}

/// How this run talks to etcd.
#[derive(Debug, Clone)]
pub enum EtcdAccess {
    Direct {
        endpoints: Vec<String>,
        tls: Option<EtcdTls>,
    },
    /// etcdctl inside the etcd pod.
    Command {
        /// etcdctl's own arguments are appended.
        argv: Vec<String>,
        /// Where etcd serves its counters without asking for a certificate: etcdctl cannot read them.
        metrics: Option<String>,
    },
    /// The store of this cluster cannot be reached, and why.
    None(String),
}

/// Files, mode 0600, in a private folder.
#[derive(Debug, Clone)]
pub struct EtcdTls {
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl ClusterError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: Vec::new(), hint: None }
    }

    #[must_use]
    pub fn detail(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.detail.extend(lines.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What went wrong, what was tried, and what to do next.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ClusterError {
    pub message: String,
    /// The last words of whatever failed.
    pub detail: Vec<String>,
    pub hint: Option<String>,
}
