//! The etcd pod of a control plane, whose own flags say where its certificates, its data and its listeners are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kube::api::{DynamicObject, ListParams};

use super::objects;

/// The labels that kubeadm gives to its static pods.
const ETCD: &str = "component=etcd,tier=control-plane";
const API_SERVER: &str = "component=kube-apiserver,tier=control-plane";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EtcdPod {
    pub(crate) name: String,
    pub(crate) node: Option<String>,
    /// The kubelet says so: a pod that is just registered is still `Pending` for some seconds, and takes no exec.
    /// Whether it is also ready its probes report only every ten seconds.
    pub(crate) running: bool,
    flags: BTreeMap<String, String>,
}

impl EtcdPod {
    /// The etcd pods of the cluster, by name; none where etcd is not a pod of it.
    pub(crate) async fn all(client: &kube::Client) -> Result<Vec<Self>, kube::Error> {
        let pods = objects::system_pods(client).list(&ListParams::default().labels(ETCD)).await?;
        let mut found: Vec<_> = pods.iter().map(Self::of).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn of(pod: &DynamicObject) -> Self {
        Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            node: pod.data["spec"]["nodeName"].as_str().map(ToOwned::to_owned),
            running: pod.data["status"]["phase"] == "Running",
            flags: flags(pod, "etcd"),
        }
    }

    fn path(&self, flag: &str) -> Option<PathBuf> {
        self.flags.get(flag).map(PathBuf::from)
    }

    pub(crate) fn ca(&self) -> Option<PathBuf> {
        self.path("trusted-ca-file")
    }

    pub(crate) fn data(&self) -> Option<PathBuf> {
        self.path("data-dir")
    }

    /// The folder of etcd's certificates, on the node as in the pod: kubeadm mounts it under its own name.
    pub(crate) fn pki(&self) -> Option<PathBuf> {
        self.ca().and_then(|ca| ca.parent().map(PathBuf::from))
    }

    /// Pairs of certificate and key that etcd takes from a client, the one made for clients first.
    pub(crate) fn client_pairs(&self) -> Vec<(PathBuf, PathBuf)> {
        let mut pairs = Vec::new();
        if let Some(pki) = self.pki() {
            pairs.push((pki.join("healthcheck-client.crt"), pki.join("healthcheck-client.key")));
        }
        if let (Some(cert), Some(key)) = (self.path("cert-file"), self.path("key-file")) {
            pairs.push((cert, key));
        }
        pairs
    }

    /// Where etcd listens for clients, as the node sees it.
    pub(crate) fn listens(&self) -> Vec<String> {
        let urls = self.flags.get("listen-client-urls").map_or("", String::as_str);
        urls.split(',').filter(|url| !url.is_empty()).map(ToOwned::to_owned).collect()
    }

    /// The URL that other members and clients get.
    pub(crate) fn advertised(&self) -> Option<String> {
        self.flags.get("advertise-client-urls").and_then(|urls| urls.split(',').next()).map(ToOwned::to_owned)
    }

    pub(crate) fn port(&self) -> u16 {
        let of = |url: &String| url.rsplit(':').next().and_then(|port| port.trim_end_matches('/').parse().ok());
        self.listens().iter().find_map(of).unwrap_or(2379)
    }

    /// Where etcd serves its counters to whoever is in the pod, without a certificate.
    pub(crate) fn metrics_port(&self) -> Option<u16> {
        let mut urls = self.flags.get("listen-metrics-urls")?.split(',');
        urls.find_map(|url| url.strip_prefix("http://")?.rsplit_once(':')?.1.trim_end_matches('/').parse().ok())
    }

    /// What etcdctl needs inside the pod.
    pub(crate) fn etcdctl_flags(&self) -> Vec<String> {
        let endpoint = self.listens().into_iter().find(|url| url.contains("127.0.0.1"));
        let endpoint = endpoint.or_else(|| self.advertised()).unwrap_or_else(|| "https://127.0.0.1:2379".to_owned());
        let mut flags = vec![format!("--endpoints={endpoint}")];
        // Inside the pod only what its own flags name is sure to be mounted.
        if let (Some(ca), Some(cert), Some(key)) = (self.ca(), self.path("cert-file"), self.path("key-file")) {
            flags.push(format!("--cacert={}", ca.display()));
            flags.push(format!("--cert={}", cert.display()));
            flags.push(format!("--key={}", key.display()));
        }
        flags
    }
}

/// The prefix under which the API server keeps everything.
pub(crate) async fn prefix(client: &kube::Client) -> String {
    let found = objects::system_pods(client).list(&ListParams::default().labels(API_SERVER)).await;
    let named = found.ok().and_then(|pods| flags(pods.items.first()?, "kube-apiserver").remove("etcd-prefix"));
    named.unwrap_or_else(|| "/registry".to_owned())
}

fn flags(pod: &DynamicObject, container: &str) -> BTreeMap<String, String> {
    let containers = pod.data["spec"]["containers"].as_array().into_iter().flatten();
    containers
        .filter(|one| one["name"] == container)
        .flat_map(|one| [&one["command"], &one["args"]])
        .filter_map(|words| words.as_array())
        .flatten()
        .filter_map(|word| word.as_str()?.strip_prefix("--"))
        .map(|flag| flag.split_once('=').unwrap_or((flag, "true")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(flags: &[&str]) -> EtcdPod {
        let command: Vec<_> = std::iter::once("etcd").chain(flags.iter().copied()).collect();
        EtcdPod::of(
            &serde_json::from_value(serde_json::json!({
                "metadata": {"name": "etcd-minikube"},
                "spec": {"nodeName": "minikube", "containers": [{"name": "etcd", "command": command}]},
            }))
            .expect("a pod"),
        )
    }

    #[test]
    fn the_flags_of_minikube_are_read_and_no_path_is_guessed() {
        let etcd = pod(&[
            "--advertise-client-urls=https://192.168.49.2:2379",
            "--cert-file=/var/lib/minikube/certs/etcd/server.crt",
            "--data-dir=/var/lib/minikube/etcd",
            "--key-file=/var/lib/minikube/certs/etcd/server.key",
            "--listen-client-urls=https://127.0.0.1:2379,https://192.168.49.2:2379",
            "--listen-metrics-urls=http://127.0.0.1:2381",
            "--trusted-ca-file=/var/lib/minikube/certs/etcd/ca.crt",
        ]);
        assert_eq!(etcd.pki(), Some("/var/lib/minikube/certs/etcd".into()));
        assert_eq!(etcd.data(), Some("/var/lib/minikube/etcd".into()));
        assert_eq!(etcd.advertised().as_deref(), Some("https://192.168.49.2:2379"));
        assert_eq!((etcd.port(), etcd.listens().len()), (2379, 2));
        assert_eq!(etcd.metrics_port(), Some(2381));
        assert_eq!(
            etcd.etcdctl_flags(),
            [
                "--endpoints=https://127.0.0.1:2379",
                "--cacert=/var/lib/minikube/certs/etcd/ca.crt",
                "--cert=/var/lib/minikube/certs/etcd/server.crt",
                "--key=/var/lib/minikube/certs/etcd/server.key"
            ]
        );
    }

    #[test]
    fn a_pod_without_certificates_gets_none() {
        let etcd = pod(&["--listen-client-urls=http://127.0.0.1:4001", "--data-dir=/data"]);
        assert_eq!(etcd.etcdctl_flags(), ["--endpoints=http://127.0.0.1:4001"]);
        assert_eq!((etcd.port(), etcd.pki(), etcd.client_pairs().len()), (4001, None, 0));
    }
}
