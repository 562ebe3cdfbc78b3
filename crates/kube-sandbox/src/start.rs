//! A sandbox from nothing to ready, as a list of small steps, and its end.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::apiserver::{ApiServer, ApiServerSpec};
use crate::client::api_client;
use crate::control_plane::{self, ControlPlane, ControlPlaneSpec};
use crate::error::SandboxError;
use crate::etcd::{Etcd, EtcdSpec, as_in_pod, keep_log_short};
use crate::keep;
use crate::kubeconfig;
use crate::pki::{Pki, PkiNames};
use crate::version::KUBERNETES_VERSION;
use owned_processes::Guard;

#[derive(Debug, Clone)]
/// What a sandbox is to be.
pub struct SandboxOptions {
    /// Ends what the sandbox starts, whatever becomes of us.
    pub guard: Guard,
    /// A private folder for keys, data and logs.
    pub dir: PathBuf,
    /// The name of its first node.
    pub node: String,
    /// How many nodes there are. Where there is more than one, pods go to those that are not the control plane's.
    pub nodes: u32,
    /// The etcd program; looked up where tools are looked up if `None`.
    pub etcd: Option<PathBuf>,
    /// A kube-apiserver to run in place of our own API face.
    pub apiserver: Option<PathBuf>,
    /// Beside a kube-apiserver: play the nodes, and leave the rest to a kube-controller-manager and a
    /// kube-scheduler that somebody else starts.
    pub only_nodes: bool,
}

impl SandboxOptions {
    /// With one node, in this folder; the guard ends what it starts.
    pub fn new(guard: Guard, dir: PathBuf) -> Self {
        Self {
            guard,
            dir,
            node: "sandbox-control-plane".into(),
            nodes: 1,
            etcd: None,
            apiserver: None,
            only_nodes: false,
        }
    }

    /// With a guard and a folder of its own, both gone with the sandbox.
    pub fn temporary() -> std::io::Result<Self> {
        let guard = Guard::start(owned_processes::GuardSettings::default())?;
        let dir = guard.folder("sandbox")?;
        Ok(Self::new(guard, dir))
    }
}

/// The node is this machine, as its own processes reach it.
const NODE_ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// More than anybody teaches with; each has two controllers of its own.
const MOST_NODES: u32 = 20;

/// Named and addressed after the first: `sandbox-worker`, `sandbox-worker2`.
fn workers(nodes: u32) -> Result<Vec<(String, Ipv4Addr)>, SandboxError> {
    if !(1..=MOST_NODES).contains(&nodes) {
        return Err(SandboxError::new(format!("a sandbox has 1 to {MOST_NODES} nodes, and {nodes} are asked for"))
            .hint("set `nodes` of `cluster` in the lab's front matter"));
    }
    let worker = |at: u32| {
        let number = if at == 1 { String::new() } else { at.to_string() };
        let last = u8::try_from(at + 1).unwrap_or(u8::MAX);
        (format!("sandbox-worker{number}"), Ipv4Addr::new(127, 0, 0, last))
    };
    Ok((1..nodes).map(worker).collect())
}

/// A running sandbox. Dropping it ends it.
pub struct Sandbox {
    /// The name of its first node.
    pub node: String,
    dir: PathBuf,
    pki: Pki,
    kubeconfig: PathBuf,
    etcd_version: String,
    // Before etcd, so that nothing of ours asks an etcd that is gone. None where it could not be put back.
    face: Option<Face>,
    etcd: Etcd,
    spec: ControlPlaneSpec,
    guard: Guard,
    address: SocketAddr,
    kubernetes_version: String,
    /// What the sandbox does beside it.
    _beside: AbortOnDrop,
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Who serves the API.
enum Face {
    Ours(Box<ControlPlane>),
    Real(Box<ApiServer>),
}

impl Sandbox {
    /// Starts etcd and the API, and returns when both answer.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let binary = match options.etcd {
            Some(binary) => binary,
            None => owned_processes::tool("etcd").ok_or_else(|| {
                SandboxError::new("the sandbox needs etcd, and there is none on PATH or in the private tools folder")
                    .hint("run `scripts/setup`, or set KEYWITNESS_ETCD to an etcd program")
            })?,
        };
        keep::put_right(&options.dir.join("etcd-data")).await;
        crate::etcd::check_room(&options.dir)?;
        let kubernetes = options.dir.join("kubernetes");
        let names = PkiNames { node: options.node.clone(), ..PkiNames::default() };
        let root = kubernetes.join("pki");
        let pki = tokio::task::spawn_blocking(move || Pki::kept_or_created(root, &names))
            .await
            .map_err(|error| SandboxError::new(error.to_string()))??;
        let spec = EtcdSpec {
            binary,
            node: options.node.clone(),
            pki: pki.clone(),
            data: options.dir.join("etcd-data"),
            log: options.dir.join("etcd.log"),
            guard: options.guard.clone(),
        };
        // What takes a while to be read from the binary is there when etcd is.
        tokio::task::spawn_blocking(kube_etcd_codec::messages);
        let (mut etcd, client) = Box::pin(Etcd::start(&spec)).await?;
        let cluster = ControlPlaneSpec {
            node: options.node.clone(),
            address: NODE_ADDRESS,
            workers: workers(options.nodes)?,
            joined: true,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            pki: pki.root().to_owned(),
            etcd_endpoints: vec![etcd.client_url.clone()],
            etcd_data: etcd.data.clone(),
            etcd_log: etcd.log.clone(),
            etcd_flags: etcd.flags.iter().map(|flag| as_in_pod(flag, pki.root(), &etcd.data)).collect(),
            tokens: Vec::new(),
        };
        let etcd_version = match control_plane::etcd_version(&client).await {
            Ok(version) => version,
            Err(error) => return Err(etcd.explain(error).await),
        };
        let face = match options.apiserver {
            None => match Box::pin(ControlPlane::start(&cluster, client, &options.guard)).await {
                Ok(ours) => Face::Ours(Box::new(ours)),
                Err(error) => return Err(etcd.explain(error).await),
            },
            Some(binary) => {
                let (dir, guard, etcd_version) = (options.dir.clone(), options.guard.clone(), etcd_version.clone());
                let (only_nodes, cluster) = (options.only_nodes, cluster.clone());
                let spec = ApiServerSpec { binary, dir, guard, cluster, etcd: client, etcd_version, only_nodes };
                Face::Real(Box::new(Box::pin(ApiServer::start(&spec)).await?))
            }
        };
        let kubeconfig = kubernetes.join("admin.conf");
        kubeconfig::write(&kubeconfig, "sandbox", &format!("https://{}", face.address()), &pki, "admin")?;
        let beside = AbortOnDrop(tokio::spawn(keep_log_short(etcd.log.clone())));
        let (address, kubernetes_version) = (face.address(), face.version().to_owned());
        Ok(Self {
            node: options.node,
            dir: options.dir,
            pki,
            kubeconfig,
            etcd_version,
            face: Some(face),
            etcd,
            spec: ControlPlaneSpec { listen: address, ..cluster },
            guard: options.guard,
            address,
            kubernetes_version,
            _beside: beside,
        })
    }

    /// Keeps the state of the store in a file.
    pub async fn save(&self, file: &Path) -> Result<(), SandboxError> {
        keep::save(&self.etcd, &self.pki, file).await
    }

    /// Puts the store back to what [`Self::save`] kept, behind the same addresses. Watches and connections end.
    pub async fn restore(&mut self, file: &Path) -> Result<(), SandboxError> {
        if !matches!(self.face, Some(Face::Ours(_)) | None) {
            return Err(SandboxError::new("a sandbox with a kube-apiserver of its own cannot be put back"));
        }
        let data = self.etcd.data.clone();
        let (fresh, old) = (data.with_extension("fresh"), data.with_extension("old"));
        // While the old one still serves: nothing is lost where that fails.
        keep::unpack(&self.etcd, &self.node, file, &fresh, &self.guard).await?;
        self.face = None;
        self.etcd.stop().await;
        let moved = async {
            if old.exists() {
                tokio::fs::remove_dir_all(&old).await?;
            }
            tokio::fs::rename(&data, &old).await?;
            tokio::fs::rename(&fresh, &data).await
        };
        moved.await.map_err(|error| SandboxError::io("the store's folder", &data, &error))?;
        let client = self.etcd.restart().await?;
        self.face = Some(Face::Ours(Box::new(keep::serve_again(&self.spec, client, &self.guard).await?)));
        // What it held is of no use any more, and the next reset removes what stays.
        let _ = tokio::fs::remove_dir_all(&old).await;
        Ok(())
    }

    /// A client with the rights of `system:masters`.
    pub async fn client(&self) -> Result<kube::Client, SandboxError> {
        api_client(&self.kubeconfig).await.map_err(SandboxError::new)
    }

    /// For kubectl: the file of an administrator.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where the API is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The version that its API reports.
    pub fn kubernetes_version(&self) -> &str {
        &self.kubernetes_version
    }

    /// The process that serves the API; ours is this one.
    pub fn api_process(&self) -> i32 {
        match &self.face {
            Some(Face::Real(server)) => server.process(),
            Some(Face::Ours(_)) | None => i32::try_from(std::process::id()).unwrap_or_default(),
        }
    }

    /// The folder that holds all its files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its certificates and keys.
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// etcd's data folder.
    pub fn etcd_data(&self) -> &Path {
        &self.etcd.data
    }

    /// etcd's log.
    pub fn etcd_log(&self) -> &Path {
        &self.etcd.log
    }

    /// Where etcd serves clients.
    pub fn etcd_url(&self) -> &str {
        &self.etcd.client_url
    }

    /// etcd's own version.
    pub fn etcd_version(&self) -> &str {
        &self.etcd_version
    }

    /// etcd's process id.
    pub fn etcd_process(&self) -> i32 {
        self.etcd.process()
    }

    /// For those who try what a cluster does without its etcd: a lab's run does not bring one back.
    pub async fn kill_etcd(&mut self) {
        self.etcd.stop().await;
    }

    /// Over the same data and on the same ports.
    pub async fn restart_etcd(&mut self) -> Result<(), SandboxError> {
        self.etcd.restart().await.map(drop)
    }

    /// Ends the API, then etcd.
    pub async fn stop(self) {
        let Self { face, mut etcd, .. } = self;
        drop(face);
        etcd.stop().await;
    }
}

impl Face {
    fn version(&self) -> &str {
        match self {
            Self::Ours(_) => KUBERNETES_VERSION,
            Self::Real(server) => &server.version,
        }
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Ours(control_plane) => control_plane.address,
            Self::Real(server) => server.address,
        }
    }
}
