//! The API face and the controllers over an etcd that runs already: in this process for a sandbox, in a
//! node image for a cluster made by kind's recipe.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use etcd_client::Client;
use http::{HeaderValue, Request, header};
use tokio::task::JoinHandle;
use tower::ServiceExt;
use tracing::{Instrument, debug, info};

use crate::agent::Runs;
use crate::api::known::{KnownNamespaces, KnownPolicies};
use crate::api::limits::{Internal, Limits};
use crate::api::lists::KnownLists;
use crate::api::{self, Api, Counters};
use crate::bootstrap::{self, Facts};
use crate::controllers::{Controllers, Settings};
use crate::error::SandboxError;
use crate::object::meta;
use crate::objects::Objects;
use crate::pki::Pki;
use crate::pods::{EtcdPod, PodAccess};
use crate::resource::registry::Registry;
use crate::store::{Hub, Store, keep_short};
use crate::token::Tokens;
use crate::user::User;
use crate::{definitions, serve};
use owned_processes::Guard;

/// Where a control plane lives and what it serves.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlPlaneSpec {
    /// The name of the node that it runs on.
    pub node: String,
    /// The address that the node goes by.
    pub address: Ipv4Addr,
    /// Other nodes that may join, whose pods are played from here.
    #[serde(default)]
    pub workers: Vec<(String, Ipv4Addr)>,
    /// They are there from the start.
    #[serde(default)]
    pub joined: bool,
    /// Where the API is served.
    pub listen: SocketAddr,
    /// The folder that holds `ca.crt`, `etcd/ca.crt` and the rest.
    pub pki: PathBuf,
    /// etcd's client URLs.
    pub etcd_endpoints: Vec<String>,
    /// etcd's data folder, as its pod shows it.
    pub etcd_data: PathBuf,
    /// etcd's log, for `kubectl logs`.
    pub etcd_log: PathBuf,
    /// etcd's flags, as its pod is to show them.
    pub etcd_flags: Vec<String>,
    /// Bearer tokens that may do everything (kubeadm's bootstrap tokens).
    #[serde(default)]
    pub tokens: Vec<String>,
}

/// A control plane that answers; it ends when this is dropped.
pub struct ControlPlane {
    /// Where the API is served.
    pub address: SocketAddr,
    router: Router,
    tasks: Vec<JoinHandle<()>>,
    controllers: Option<Controllers>,
}

impl ControlPlaneSpec {
    fn etcd_url(&self) -> String {
        self.etcd_endpoints.first().cloned().unwrap_or_default()
    }

    pub(super) fn pod_access(&self, guard: &Guard, runs: &Runs) -> PodAccess {
        let port_of = |url: &str| url.rsplit(':').next().and_then(|port| port.parse().ok());
        let metrics =
            self.etcd_flags.iter().find_map(|flag| port_of(flag.strip_prefix("--listen-metrics-urls=http://")?));
        let etcd = EtcdPod {
            pki: self.pki.clone(),
            data: self.etcd_data.clone(),
            log: self.etcd_log.clone(),
            port: port_of(&self.etcd_url()).unwrap_or(2379),
            metrics,
        };
        PodAccess { node: self.node.clone(), etcd: Some(etcd), guard: guard.clone(), runs: runs.clone() }
    }

    pub(super) fn facts(&self, api_port: u16, etcd_version: &str) -> Result<Facts, SandboxError> {
        let pki = Pki::at(&self.pki);
        let authority = |name: &str| {
            let file = pki.file(name);
            std::fs::read_to_string(&file).map_err(|error| SandboxError::io("the authority", &file, &error))
        };
        Ok(Facts {
            node: self.node.clone(),
            address: self.address.to_string(),
            api_port,
            etcd_flags: self.etcd_flags.clone(),
            etcd_url: self.etcd_url(),
            etcd_version: etcd_version.to_owned(),
            ca: authority("ca.crt")?,
            front_proxy_ca: authority("front-proxy-ca.crt")?,
            now: meta::now_text(),
            server: bootstrap::identity(),
            node_uid: uuid::Uuid::new_v4().to_string(),
            workers: if self.joined { self.workers.clone() } else { Vec::new() },
        })
    }
}

impl ControlPlane {
    /// Connects to the etcd that `spec` names and serves over it.
    pub async fn serve(spec: &ControlPlaneSpec, guard: &Guard) -> Result<Self, SandboxError> {
        let client = super::store::connect(&spec.etcd_endpoints, &Pki::at(&spec.pki)).await?;
        Self::start(spec, client, guard).await
    }

    pub(super) async fn start(spec: &ControlPlaneSpec, client: Client, guard: &Guard) -> Result<Self, SandboxError> {
        let pki = Pki::at(&spec.pki);
        let (listener, address) = serve::bind(spec.listen).await?;
        let acceptor = serve::acceptor(&pki)?;
        let etcd_version = etcd_version(&client).await?;
        let tokens = Tokens::new(&pki)?;
        for token in &spec.tokens {
            tokens.add(token, User::admin());
        }
        let runs = Runs::default();
        let api = Arc::new(Api {
            objects: Arc::new(Objects {
                store: Store::new(client),
                hub: Hub::default(),
                registry: Registry::default(),
            }),
            tokens,
            pods: spec.pod_access(guard, &runs),
            address: SocketAddr::from((spec.address, address.port())).to_string(),
            counters: Counters::default(),
            limits: Limits::default(),
            addresses: tokio::sync::Mutex::default(),
            policies: KnownPolicies::default(),
            namespaces: KnownNamespaces::default(),
            lists: KnownLists::default(),
            events_lease: tokio::sync::Mutex::default(),
        });
        let router = api::router(api.clone());
        let facts = spec.facts(address.port(), &etcd_version)?;
        bootstrap::write(&api, &facts).await?;
        debug!(etcd = etcd_version, "first objects written");
        definitions::load(&api.objects).await.map_err(|error| SandboxError::new(error.message))?;
        let serving = serve::run(listener, acceptor, router.clone(), Some(api.clone()));
        let mut tasks = vec![tokio::spawn(serving.in_current_span())];
        tasks.push(tokio::spawn(definitions::follow(api.objects.clone()).in_current_span()));
        tasks.push(tokio::spawn(keep_short(api.objects.store.clone()).in_current_span()));
        info!(%address, "the API is served");
        let mut this = Self { address, router, tasks, controllers: None };
        let nodes = std::iter::once((spec.node.clone(), spec.address)).chain(spec.workers.iter().cloned()).collect();
        let settings = Settings { nodes, ca: facts.ca, only_nodes: false, runs };
        let controllers = Controllers::start(this.client("kube-controller-manager"), settings);
        controllers.sign_with(pki);
        this.controllers = Some(controllers);
        Ok(this)
    }

    /// A client in this process: no TCP, no TLS, the same router. Managed fields name `agent`.
    pub fn client(&self, agent: &str) -> kube::Client {
        let agent = HeaderValue::from_str(agent).unwrap_or(HeaderValue::from_static("keywitness"));
        let router = self.router.clone();
        let service = tower::service_fn(move |mut request: Request<kube::client::Body>| {
            request.headers_mut().insert(header::USER_AGENT, agent.clone());
            request.extensions_mut().insert(User::admin());
            request.extensions_mut().insert(Internal);
            router.clone().oneshot(request)
        });
        kube::Client::new(service, "default")
    }
}

pub(super) async fn etcd_version(client: &Client) -> Result<String, SandboxError> {
    let status = client.maintenance_client().status().await;
    let status = status.map_err(|error| SandboxError::new(format!("etcd does not answer: {error}")))?;
    Ok(status.version().to_owned())
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.controllers = None;
        for task in &self.tasks {
            task.abort();
        }
    }
}
