//! A sandbox from nothing to ready, as a list of small steps, and its end.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use http::{HeaderValue, Request, header};
use tokio::task::JoinHandle;
use tower::ServiceExt;

use super::api::registry::Registry;
use super::api::{Api, Counters, SharedApi};
use super::bootstrap::{self, Facts};
use super::controllers::{Controllers, Settings};
use super::etcd::{Etcd, EtcdSpec, as_in_pod};
use super::pki::{Pki, PkiNames};
use super::pods::{EtcdPod, PodAccess};
use super::store::{Hub, Store};
use super::token::Tokens;
use super::{SandboxError, api, kubeconfig, serve};
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

/// A running sandbox. Dropping it ends it.
pub struct Sandbox {
    pub node: String,
    dir: PathBuf,
    pki: Pki,
    etcd: Etcd,
    kubeconfig: PathBuf,
    address: SocketAddr,
    api: SharedApi,
    router: Router,
    tasks: Vec<JoinHandle<()>>,
    controllers: Option<Controllers>,
    pub etcd_version: String,
}

/// The node is this machine, as its own processes reach it.
const NODE_ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

impl Sandbox {
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let binary = match options.etcd {
            Some(binary) => binary,
            None => guard::tool("etcd").ok_or_else(|| {
                SandboxError::new("the sandbox needs etcd, and there is none on PATH or in the private tools folder")
                    .hint("run `scripts/setup`, or set KEYWITNESS_ETCD to an etcd program")
            })?,
        };
        let kubernetes = options.dir.join("kubernetes");
        let names = PkiNames { node: options.node.clone(), ..PkiNames::default() };
        let pki = {
            let root = kubernetes.join("pki");
            tokio::task::spawn_blocking(move || Pki::create(root, &names))
                .await
                .map_err(|error| SandboxError::new(error.to_string()))??
        };
        let spec = EtcdSpec {
            binary,
            node: options.node.clone(),
            pki: pki.clone(),
            data: options.dir.join("etcd-data"),
            log: options.dir.join("etcd.log"),
            guard: options.guard.clone(),
        };
        let (etcd, client) = Etcd::start(&spec).await?;

        let (listener, address) = serve::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let acceptor = serve::acceptor(&pki)?;
        let etcd_pod =
            EtcdPod { pki: pki.root().to_owned(), data: etcd.data.clone(), log: etcd.log.clone(), port: etcd.port };
        let etcd_version = client
            .maintenance_client()
            .status()
            .await
            .map_or_else(|_| "3.5.0".to_owned(), |status| status.version().to_owned());
        let api = Arc::new(Api {
            store: Store::new(client),
            hub: Hub::default(),
            registry: Registry::default(),
            tokens: Tokens::new(&pki)?,
            pods: PodAccess { node: options.node.clone(), etcd: Some(etcd_pod) },
            address: address.to_string(),
            counters: Counters::default(),
            addresses: tokio::sync::Mutex::default(),
            events_lease: tokio::sync::Mutex::default(),
        });
        let router = api::router(api.clone());
        let ca = std::fs::read_to_string(pki.file("ca.crt"))
            .map_err(|error| SandboxError::io("the authority", &pki.file("ca.crt"), &error))?;
        let facts = Facts {
            node: options.node.clone(),
            address: NODE_ADDRESS.to_string(),
            api_port: address.port(),
            etcd_flags: etcd.flags.iter().map(|flag| as_in_pod(flag, pki.root(), &etcd.data)).collect(),
            etcd_url: etcd.client_url.clone(),
            etcd_version: etcd_version.clone(),
            ca: ca.clone(),
            now: api::meta::now_text(),
        };
        bootstrap::write(&api, &facts).await?;
        let tasks = vec![tokio::spawn(serve::run(listener, acceptor, router.clone(), api.clone()))];
        let kubeconfig = kubernetes.join("admin.conf");
        kubeconfig::write(&kubeconfig, "sandbox", &format!("https://{address}"), &pki, "admin")?;
        let mut sandbox = Self {
            node: options.node,
            etcd_version,
            controllers: None,
            dir: options.dir,
            pki,
            etcd,
            kubeconfig,
            address,
            api,
            router,
            tasks,
        };
        let settings = Settings { nodes: vec![(sandbox.node.clone(), NODE_ADDRESS)], ca };
        sandbox.controllers = Some(Controllers::start(sandbox.client(), settings));
        Ok(sandbox)
    }

    /// A client in this process: no TCP, no TLS, the same router. Its writes are the controllers'.
    pub fn client(&self) -> kube::Client {
        self.client_as("kube-controller-manager")
    }

    /// The same, whose writes `metadata.managedFields` puts down to `agent`.
    pub fn client_as(&self, agent: &str) -> kube::Client {
        let agent = HeaderValue::from_str(agent).unwrap_or(HeaderValue::from_static("keywitness"));
        let router = self.router.clone();
        let service = tower::service_fn(move |mut request: Request<kube::client::Body>| {
            request.headers_mut().insert(header::USER_AGENT, agent.clone());
            router.clone().oneshot(request)
        });
        kube::Client::new(service, "default")
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub fn address(&self) -> SocketAddr {
        self.address
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

    pub fn api(&self) -> &SharedApi {
        &self.api
    }

    pub async fn stop(mut self) {
        self.controllers = None;
        for task in self.tasks.drain(..) {
            task.abort();
        }
        self.etcd.stop().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
