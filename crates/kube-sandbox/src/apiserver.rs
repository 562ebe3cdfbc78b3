//! A real kube-apiserver over the sandbox's etcd, in place of our own API face. The controllers are its
//! clients, and it reaches the pods of the control plane through a kubelet's port.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use http::Request;
use tokio::process::Command;

use crate::agent::Runs;
use crate::bootstrap::{self, Facts};
use crate::client::api_client;
use crate::control_plane::ControlPlaneSpec;
use crate::controllers::{Controllers, Settings};
use crate::error::SandboxError;
use crate::etcd::free_ports;
use crate::kubelet::Kubelet;
use crate::pki::Pki;
use crate::{addresses, kubeconfig};
use owned_processes::{Guard, Process};

const READY_WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often a start is tried again when another process took its free port first.
const ATTEMPTS: usize = 3;

/// A running kube-apiserver with what makes a cluster of it; it ends when this is dropped.
pub struct ApiServer {
    pub address: SocketAddr,
    /// What it says of itself, `v1.36.2`.
    pub version: String,
    // In this order: nobody asks a server that is gone.
    controllers: Option<Controllers>,
    kubelet: Kubelet,
    process: Process,
}

pub struct ApiServerSpec {
    pub binary: PathBuf,
    /// For its log, and the kubeconfig of the controllers.
    pub dir: PathBuf,
    pub guard: Guard,
    pub cluster: ControlPlaneSpec,
    pub etcd: etcd_client::Client,
    pub etcd_version: String,
    pub only_nodes: bool,
}

impl ApiServer {
    pub async fn start(spec: &ApiServerSpec) -> Result<Self, SandboxError> {
        let version = version(&spec.binary).await?;
        let log = spec.dir.join("kube-apiserver.log");
        let pki = Pki::at(&spec.cluster.pki);
        let mut attempt = 1;
        let (process, client, address) = loop {
            let [port] = free_ports()?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let mut process = spawn(spec, &version, port, &log)?;
            let client = client(&spec.dir, &pki, address).await?;
            match ready(&client, &mut process, &log).await {
                Ok(()) => break (process, client, address),
                Err(error) => {
                    let taken = error.detail.iter().any(|line| line.contains("address already in use"));
                    let _ = process.kill().await;
                    if !taken || attempt == ATTEMPTS {
                        return Err(error);
                    }
                    attempt += 1;
                }
            }
        };
        let runs = Runs::default();
        let kubelet = Kubelet::start(&pki, spec.cluster.pod_access(&spec.guard, &runs), client.clone()).await?;
        let facts = spec.cluster.facts(address.port(), &spec.etcd_version)?;
        bootstrap::over_api(&client, &facts, kubelet.port).await?;
        own_address(&spec.etcd, &facts).await?;
        let settings = Settings {
            nodes: vec![(spec.cluster.node.clone(), spec.cluster.address)],
            ca: facts.ca,
            only_nodes: spec.only_nodes,
            runs,
        };
        tracing::info!(%address, version, "kube-apiserver is ready");
        let controllers = Controllers::start(client, settings);
        controllers.sign_with(pki);
        Ok(Self { address, version, controllers: Some(controllers), kubelet, process })
    }

    pub fn process(&self) -> i32 {
        self.process.id()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.controllers = None;
        self.kubelet.stop();
    }
}

/// Where the server itself can be reached. Its own reconciler would write this, but for an address that no
/// Endpoints object is allowed to hold.
async fn own_address(etcd: &etcd_client::Client, facts: &Facts) -> Result<(), SandboxError> {
    let object = bootstrap::own_endpoints(facts);
    let bytes = kube_etcd_codec::encode(&object).map_err(|error| SandboxError::new(error.to_string()))?;
    let key = "/registry/services/endpoints/default/kubernetes";
    let put = etcd.kv_client().put(key, bytes, None).await;
    put.map(drop).map_err(|error| SandboxError::new(format!("{key}: {error}")))
}

async fn version(binary: &Path) -> Result<String, SandboxError> {
    let answer = Command::new(binary).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output().await;
    let answer = answer.map_err(|error| SandboxError::io("the kube-apiserver", binary, &error))?;
    let text = String::from_utf8_lossy(&answer.stdout);
    match text.trim().strip_prefix("Kubernetes ") {
        Some(version) if answer.status.success() => Ok(version.to_owned()),
        _ => Err(SandboxError::new(format!("{} is no kube-apiserver", binary.display()))
            .detail(vec![format!("`--version` answered: {}", text.trim())])
            .hint("give --apiserver the path of a kube-apiserver program, as envtest's setup-envtest installs one")),
    }
}

/// The second number of `v1.36.2`.
fn minor(version: &str) -> Option<u32> {
    version.split('.').nth(1)?.parse().ok()
}

fn spawn(spec: &ApiServerSpec, version: &str, port: u16, log: &Path) -> Result<Process, SandboxError> {
    let out = File::create(log).map_err(|error| SandboxError::io("kube-apiserver's log", log, &error))?;
    let copy = out.try_clone().map_err(|error| SandboxError::io("kube-apiserver's log", log, &error))?;
    let mut command = Command::new(&spec.binary);
    command.args(flags(spec, version, port)).stdin(Stdio::null()).stdout(Stdio::from(out)).stderr(Stdio::from(copy));
    spec.guard.spawn(&mut command).map_err(|error| SandboxError::new(error.to_string()))
}

fn flags(spec: &ApiServerSpec, version: &str, port: u16) -> Vec<String> {
    let pki = |name: &str| spec.cluster.pki.join(name).display().to_string();
    let mut flags = vec![
        ("advertise-address", spec.cluster.address.to_string()),
        ("allow-privileged", "true".into()),
        ("authorization-mode", "Node,RBAC".into()),
        ("bind-address", Ipv4Addr::LOCALHOST.to_string()),
        ("client-ca-file", pki("ca.crt")),
        ("enable-admission-plugins", "NodeRestriction".into()),
        // An Endpoints object cannot hold a loopback address, and it would try for ever.
        ("endpoint-reconciler-type", "none".into()),
        ("etcd-cafile", pki("etcd/ca.crt")),
        ("etcd-certfile", pki("apiserver-etcd-client.crt")),
        ("etcd-keyfile", pki("apiserver-etcd-client.key")),
        ("etcd-servers", spec.cluster.etcd_endpoints.join(",")),
        ("kubelet-certificate-authority", pki("ca.crt")),
        ("kubelet-client-certificate", pki("apiserver-kubelet-client.crt")),
        ("kubelet-client-key", pki("apiserver-kubelet-client.key")),
        ("kubelet-preferred-address-types", "InternalIP".into()),
        ("proxy-client-cert-file", pki("front-proxy-client.crt")),
        ("proxy-client-key-file", pki("front-proxy-client.key")),
        ("requestheader-allowed-names", "front-proxy-client".into()),
        ("requestheader-client-ca-file", pki("front-proxy-ca.crt")),
        ("requestheader-extra-headers-prefix", "X-Remote-Extra-".into()),
        ("requestheader-group-headers", "X-Remote-Group".into()),
        ("requestheader-username-headers", "X-Remote-User".into()),
        ("secure-port", port.to_string()),
        ("service-account-issuer", "https://kubernetes.default.svc.cluster.local".into()),
        ("service-account-key-file", pki("sa.pub")),
        ("service-account-signing-key-file", pki("sa.key")),
        ("service-cluster-ip-range", addresses::SERVICES.into()),
        ("tls-cert-file", pki("apiserver.crt")),
        ("tls-private-key-file", pki("apiserver.key")),
    ];
    // Before 1.21 a pod waited for the token that a controller put into a Secret of its account.
    if minor(version).is_some_and(|minor| minor < 21) {
        flags.push(("feature-gates", "BoundServiceAccountTokenVolume=true".into()));
    }
    flags.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}

/// As the one who may do everything, before any role is there.
async fn client(dir: &Path, pki: &Pki, address: SocketAddr) -> Result<kube::Client, SandboxError> {
    let path = dir.join("super-admin.conf");
    kubeconfig::write(&path, "sandbox", &format!("https://{address}"), pki, "super-admin")?;
    api_client(&path).await.map_err(SandboxError::new)
}

async fn ready(client: &kube::Client, process: &mut Process, log: &Path) -> Result<(), SandboxError> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        let request = Request::get("/readyz").body(Vec::new()).map_err(|error| SandboxError::new(error.to_string()))?;
        let answer = client.request_text(request).await;
        if answer.is_ok() {
            return Ok(());
        }
        if let Ok(Some(status)) = process.try_wait() {
            return Err(SandboxError::new(format!("kube-apiserver ended at once ({status})")).detail(last_words(log)));
        }
        if Instant::now() > deadline {
            let why = answer.err().map(|error| error.to_string()).unwrap_or_default();
            let not_ready = format!("kube-apiserver was not ready within {} s: {why}", READY_WITHIN.as_secs());
            return Err(SandboxError::new(not_ready).detail(last_words(log)));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn last_words(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        assert_eq!(minor("v1.20.2"), Some(20));
        assert_eq!(minor("v1.36.0-alpha.1"), Some(36));
        assert_eq!(minor("unknown"), None);
    }

    #[tokio::test]
    async fn another_program_is_refused_by_name() {
        let error = version(Path::new("/bin/true")).await.expect_err("it is no kube-apiserver");
        assert_eq!(error.message, "/bin/true is no kube-apiserver");
        let error = version(Path::new("/no/such/kube-apiserver")).await.expect_err("it is not there");
        assert!(error.message.contains("/no/such/kube-apiserver cannot be used"), "{}", error.message);
    }
}
