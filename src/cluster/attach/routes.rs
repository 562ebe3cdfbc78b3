//! The ways to a cluster's etcd, tried in order: what the flags say, the node's container, a port-forward, etcdctl
//! inside the pod.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::api::ListParams;

use super::{Forward, GivenEtcd, store};
use crate::cluster::engine::{Engine, Flavor};
use crate::cluster::etcd_pod::{self, EtcdPod};
use crate::cluster::node_container::NodeContainer;
use crate::cluster::objects;
use crate::cluster::reach::{Proof, prove};
use crate::cluster::{ClusterError, EtcdAccess, EtcdTls};

const LIMIT: Duration = Duration::from_secs(3);
/// An exec goes through the API server, the kubelet and the container runtime.
const EXEC_LIMIT: Duration = Duration::from_secs(20);

pub(super) struct Finding<'a> {
    pub(super) given: &'a GivenEtcd,
    pub(super) engine: Option<Flavor>,
    pub(super) client: &'a kube::Client,
    /// The run's own file.
    pub(super) kubeconfig: &'a Path,
    pub(super) dir: &'a Path,
}

/// How etcd is reached, or why not.
pub(super) struct Found {
    pub(super) access: EtcdAccess,
    /// Which way was taken, for a person.
    pub(super) route: String,
    pub(super) version: Option<String>,
    pub(super) pod: Option<EtcdPod>,
    pub(super) pki: Option<PathBuf>,
    pub(super) container: Option<NodeContainer>,
    pub(super) forward: Option<Forward>,
    pub(super) prefix: String,
}

impl Finding<'_> {
    pub(super) async fn find(&self, version: &str) -> Result<Found, ClusterError> {
        let pods = EtcdPod::all(self.client)
            .await
            .map_err(|error| ClusterError::new(format!("the etcd pod cannot be looked for in kube-system: {error}")))?;
        let proof = self.proof().await?;
        let pod = pods.first().cloned();
        let mut found = Found {
            access: EtcdAccess::None(String::new()),
            route: String::new(),
            version: None,
            container: match &pod {
                Some(pod) => self.container(pod).await,
                None => None,
            },
            pod,
            pki: self.given.ca.as_deref().and_then(Path::parent).map(PathBuf::from),
            forward: None,
            prefix: proof.prefix.clone(),
        };
        if !self.given.endpoints.is_empty() {
            self.by_flags(&mut found, &proof).await?;
            return Ok(found);
        }
        let Some(pod) = found.pod.clone() else {
            let nodes = objects::nodes(self.client).list(&ListParams::default()).await;
            let why = store::without_etcd(version, &nodes.map(|list| list.items).unwrap_or_default());
            found.route = format!("none: {why}");
            found.access = EtcdAccess::None(why);
            return Ok(found);
        };
        let mut tried = Vec::new();
        let tls = self.certificates(&pod, &mut found, &mut tried).await;
        if let Some(tls) = &tls {
            if self.by_node(&pod, tls, &proof, &mut found, &mut tried).await {
                return Ok(found);
            }
            if self.by_forward(&pod, tls, &proof, &mut found, &mut tried).await {
                return Ok(found);
            }
        }
        if self.by_exec(&pod, &mut found, &mut tried).await {
            return Ok(found);
        }
        Err(ClusterError::new(format!("the etcd pod {} is there, but no way to it works", pod.name))
            .detail(tried)
            .hint("--etcd-endpoint with --etcd-cacert, --etcd-cert and --etcd-key names a way that you know"))
    }

    /// What the store of this cluster, and of no other, holds.
    async fn proof(&self) -> Result<Proof, ClusterError> {
        let namespace = objects::namespaces(self.client).get("kube-system").await;
        let namespace = namespace
            .map_err(|error| ClusterError::new(format!("the namespace kube-system cannot be read: {error}")))?;
        Ok(Proof { prefix: etcd_pod::prefix(self.client).await, uid: namespace.metadata.uid.unwrap_or_default() })
    }

    fn given_tls(&self) -> Result<Option<EtcdTls>, ClusterError> {
        let GivenEtcd { ca, cert, key, .. } = self.given;
        match (ca, cert, key) {
            (Some(ca), Some(cert), Some(key)) => {
                for file in [ca, cert, key] {
                    std::fs::File::open(file)
                        .map_err(|error| ClusterError::new(format!("{}: {error}", file.display())))?;
                }
                let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                Ok(Some(EtcdTls { ca: absolute(ca), cert: absolute(cert), key: absolute(key) }))
            }
            (None, None, None) => Ok(None),
            _ => Err(ClusterError::new("--etcd-cacert, --etcd-cert and --etcd-key belong together")),
        }
    }

    async fn by_flags(&self, found: &mut Found, proof: &Proof) -> Result<(), ClusterError> {
        let tls = self.given_tls()?;
        let endpoint = &self.given.endpoints[0];
        let answer = prove(endpoint, tls.as_ref(), proof, LIMIT).await.map_err(|why| {
            ClusterError::new(format!("--etcd-endpoint {endpoint}: {why}"))
                .hint("`etcdctl --endpoints … --cacert … --cert … --key … endpoint status` shows whether it answers")
        })?;
        found.version = Some(answer.version);
        found.route = format!("{}, as the flags say", self.given.endpoints.join(", "));
        found.access = EtcdAccess::Direct { endpoints: self.given.endpoints.clone(), tls };
        Ok(())
    }

    /// The container that is the node of the pod, where there is an engine on this machine that has it.
    async fn container(&self, pod: &EtcdPod) -> Option<NodeContainer> {
        let node = pod.node.clone()?;
        let engine = Engine::find(self.engine).await.ok()?;
        let found = engine.container(&node).await.ok()??;
        found.running.then(|| NodeContainer::new(engine, found.name))
    }

    /// Certificates: given, or copied from the node's container.
    async fn certificates(&self, pod: &EtcdPod, found: &mut Found, tried: &mut Vec<String>) -> Option<EtcdTls> {
        match self.given_tls() {
            Ok(Some(tls)) => return Some(tls),
            Ok(None) => {}
            Err(error) => tried.push(error.message),
        }
        let Some(container) = &found.container else {
            let node = pod.node.as_deref().unwrap_or("the node");
            tried.push(format!(
                "certificates: none given, and {node} is not a container on this machine to copy them from"
            ));
            return None;
        };
        let into = self.dir.join("pki");
        match container.copy_certificates(pod, &into).await {
            Ok(tls) => {
                found.pki = Some(into);
                Some(tls)
            }
            Err(error) => {
                tried.push(format!("certificates: {}", error.message));
                None
            }
        }
    }

    async fn by_node(
        &self,
        pod: &EtcdPod,
        tls: &EtcdTls,
        proof: &Proof,
        found: &mut Found,
        tried: &mut Vec<String>,
    ) -> bool {
        let Some(container) = found.container.clone() else {
            tried.push("the node's address: the node is not a container on this machine".to_owned());
            return false;
        };
        let published = container.published(pod.port()).await.map(|endpoint| (endpoint, "the published port"));
        let own = container.addresses(pod.port()).await.into_iter().map(|endpoint| (endpoint, "the own address"));
        for (endpoint, what) in published.into_iter().chain(own) {
            match prove(&endpoint, Some(tls), proof, LIMIT).await {
                Ok(answer) => {
                    found.version = Some(answer.version);
                    found.route = format!("{endpoint}, {what} of the node's container {}", container.name);
                    found.access = EtcdAccess::Direct { endpoints: vec![endpoint], tls: Some(tls.clone()) };
                    return true;
                }
                Err(why) => tried.push(format!("{endpoint}, {what}: {why}")),
            }
        }
        false
    }

    async fn by_forward(
        &self,
        pod: &EtcdPod,
        tls: &EtcdTls,
        proof: &Proof,
        found: &mut Found,
        tried: &mut Vec<String>,
    ) -> bool {
        let forward = match Forward::to(self.client, &pod.name, pod.port()).await {
            Ok(forward) => forward,
            Err(error) => {
                tried.push(error.message);
                return false;
            }
        };
        match prove(&forward.endpoint("https"), Some(tls), proof, LIMIT).await {
            Ok(answer) => {
                found.version = Some(answer.version);
                found.route =
                    format!("{}, forwarded through the API to the pod {}", forward.endpoint("https"), pod.name);
                found.access =
                    EtcdAccess::Direct { endpoints: vec![forward.endpoint("https")], tls: Some(tls.clone()) };
                found.forward = Some(forward);
                true
            }
            Err(why) => {
                tried.push(format!("port-forward to the pod {}: {why}", pod.name));
                false
            }
        }
    }

    /// Needs no certificate of ours: the pod has its own.
    async fn by_exec(&self, pod: &EtcdPod, found: &mut Found, tried: &mut Vec<String>) -> bool {
        let Some(kubectl) = owned_processes::tool("kubectl") else {
            tried.push("etcdctl in the pod: the kubectl command is not on PATH".to_owned());
            return false;
        };
        let mut command = vec![
            kubectl.to_string_lossy().into_owned(),
            format!("--kubeconfig={}", self.kubeconfig.display()),
            "--namespace=kube-system".to_owned(),
            "exec".to_owned(),
            "--stdin".to_owned(),
            pod.name.clone(),
            "--container=etcd".to_owned(),
            "--".to_owned(),
            "etcdctl".to_owned(),
        ];
        command.extend(pod.etcdctl_flags());
        let mut status = tokio::process::Command::new(&command[0]);
        status.args(&command[1..]).args(["endpoint", "status", "--write-out=json"]);
        status.stdin(std::process::Stdio::null()).kill_on_drop(true);
        let output = match tokio::time::timeout(EXEC_LIMIT, status.output()).await {
            Ok(Ok(output)) if output.status.success() => output,
            Ok(Ok(output)) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                tried.push(format!("etcdctl in the pod {}: {said}", pod.name));
                return false;
            }
            Ok(Err(error)) => {
                tried.push(format!("etcdctl in the pod {}: {error}", pod.name));
                return false;
            }
            Err(_) => {
                tried.push(format!("etcdctl in the pod {}: no answer within {EXEC_LIMIT:?}", pod.name));
                return false;
            }
        };
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        found.version = status[0]["Status"]["version"].as_str().map(ToOwned::to_owned);
        found.route = format!("etcdctl inside the pod {}, by kubectl exec", pod.name);
        let metrics = match pod.metrics_port() {
            Some(port) => Forward::to(self.client, &pod.name, port).await.ok(),
            None => None,
        };
        found.access =
            EtcdAccess::Command { argv: command, metrics: metrics.as_ref().map(|metrics| metrics.endpoint("http")) };
        found.forward = metrics;
        true
    }
}
