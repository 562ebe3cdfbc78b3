//! A sandbox from nothing to ready, as a list of small steps, and its end.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::control_plane::{ControlPlane, ControlPlaneSpec};
use super::etcd::{Etcd, EtcdSpec, as_in_pod};
use super::pki::{Pki, PkiNames};
use super::{SandboxError, kubeconfig};
use crate::guard::{self, Guard};

#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Ends what the sandbox starts, whatever becomes of us.
    pub guard: Guard,
    /// A private folder for keys, data and logs.
    pub dir: PathBuf,
    pub node: String,
    /// The etcd program; looked up where tools are looked up if `None`.
    pub etcd: Option<PathBuf>,
    /// A kube-apiserver to run in place of our own API face.
    pub apiserver: Option<PathBuf>,
}

impl SandboxOptions {
    pub fn new(guard: Guard, dir: PathBuf) -> Self {
        Self { guard, dir, node: "sandbox-control-plane".into(), etcd: None, apiserver: None }
    }
}

/// The node is this machine, as its own processes reach it.
const NODE_ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A running sandbox. Dropping it ends it.
pub struct Sandbox {
    pub node: String,
    dir: PathBuf,
    pki: Pki,
    kubeconfig: PathBuf,
    // Before etcd, so that nothing of ours asks an etcd that is gone.
    control_plane: ControlPlane,
    etcd: Etcd,
}

impl Sandbox {
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        if let Some(apiserver) = &options.apiserver {
            return Err(SandboxError::new(format!(
                "{}: this build cannot run a kube-apiserver in place of its own API yet",
                apiserver.display()
            ))
            .hint("leave --apiserver out, or take --on kind for a real API server"));
        }
        let binary = match options.etcd {
            Some(binary) => binary,
            None => guard::tool("etcd").ok_or_else(|| {
                SandboxError::new("the sandbox needs etcd, and there is none on PATH or in the private tools folder")
                    .hint("run `scripts/setup`, or set KEYWITNESS_ETCD to an etcd program")
            })?,
        };
        let kubernetes = options.dir.join("kubernetes");
        let names = PkiNames { node: options.node.clone(), ..PkiNames::default() };
        let root = kubernetes.join("pki");
        let pki = tokio::task::spawn_blocking(move || Pki::create(root, &names))
            .await
            .map_err(|error| SandboxError::new(error.to_string()))??;
        let (etcd, client) = Etcd::start(&EtcdSpec {
            binary,
            node: options.node.clone(),
            pki: pki.clone(),
            data: options.dir.join("etcd-data"),
            log: options.dir.join("etcd.log"),
            guard: options.guard.clone(),
        })
        .await?;
        let spec = ControlPlaneSpec {
            node: options.node.clone(),
            address: NODE_ADDRESS,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            pki: pki.root().to_owned(),
            etcd_endpoints: vec![etcd.client_url.clone()],
            etcd_data: etcd.data.clone(),
            etcd_log: etcd.log.clone(),
            etcd_flags: etcd.flags.iter().map(|flag| as_in_pod(flag, pki.root(), &etcd.data)).collect(),
            tokens: Vec::new(),
        };
        let control_plane = ControlPlane::start(&spec, client).await?;
        let kubeconfig = kubernetes.join("admin.conf");
        let server = format!("https://{}", control_plane.address);
        kubeconfig::write(&kubeconfig, "sandbox", &server, &pki, "admin")?;
        Ok(Self { node: options.node, dir: options.dir, pki, kubeconfig, control_plane, etcd })
    }

    /// A client in this process, whose writes are the controllers'.
    pub fn client(&self) -> kube::Client {
        self.control_plane.client("kube-controller-manager")
    }

    /// The same, whose writes `metadata.managedFields` puts down to `agent`.
    pub fn client_as(&self, agent: &str) -> kube::Client {
        self.control_plane.client(agent)
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub fn address(&self) -> SocketAddr {
        self.control_plane.address
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    pub fn etcd_data(&self) -> &Path {
        &self.etcd.data
    }

    pub fn etcd_url(&self) -> &str {
        &self.etcd.client_url
    }

    pub fn etcd_version(&self) -> &str {
        &self.control_plane.etcd_version
    }

    pub async fn stop(self) {
        let Self { control_plane, mut etcd, .. } = self;
        drop(control_plane);
        etcd.stop().await;
    }
}
