//! The configmaps that kubeadm and the API server leave behind, and what every namespace gets.

use base64::Engine;
use serde_json::{Value, json};

use super::Facts;
use crate::addresses::{PODS, SERVICES};
use crate::version::KUBERNETES_VERSION;

const COREFILE: &str = include_str!("kubeadm/Corefile");
const KUBE_PROXY: &str = include_str!("kubeadm/kube-proxy.yaml");
const KUBELET: &str = include_str!("kubeadm/kubelet.yaml");

pub(super) fn objects(facts: &Facts, namespaces: &[Value]) -> Vec<Value> {
    let server = format!("https://{}:{}", facts.address, facts.api_port);
    let mut all = vec![
        configmap("kube-system", "coredns", &json!({"Corefile": COREFILE})),
        configmap(
            "kube-system",
            "extension-apiserver-authentication",
            &json!({
                "client-ca-file": facts.ca,
                "requestheader-allowed-names": "[\"front-proxy-client\"]",
                "requestheader-client-ca-file": facts.front_proxy_ca,
                "requestheader-extra-headers-prefix": "[\"X-Remote-Extra-\"]",
                "requestheader-group-headers": "[\"X-Remote-Group\"]",
                    "requestheader-username-headers": "[\"X-Remote-User\"]",
            }),
        ),
        configmap(
            "kube-system",
            "kube-apiserver-legacy-service-account-token-tracking",
            &json!({"since": facts.now.get(..10).unwrap_or_default()}),
        ),
        kube_proxy(&server),
        configmap(
            "kube-system",
            "kubeadm-config",
            &json!({"ClusterConfiguration": format!(
                "apiServer:\n  certSANs:\n  - localhost\n  - 127.0.0.1\n  extraArgs:\n  - name: runtime-config\n    value: \"\"\napiVersion: kubeadm.k8s.io/v1beta4\ncaCertificateValidityPeriod: 87600h0m0s\ncertificateValidityPeriod: 8760h0m0s\ncertificatesDir: /etc/kubernetes/pki\nclusterName: sandbox\ncontrolPlaneEndpoint: {address}:{port}\ncontrollerManager:\n  extraArgs:\n  - name: enable-hostpath-provisioner\n    value: \"true\"\ndns: {{}}\nencryptionAlgorithm: RSA-2048\netcd:\n  local:\n    dataDir: /var/lib/etcd\nimageRepository: registry.k8s.io\nkind: ClusterConfiguration\nkubernetesVersion: {KUBERNETES_VERSION}\nnetworking:\n  dnsDomain: cluster.local\n  podSubnet: {PODS}\n  serviceSubnet: {SERVICES}\nproxy: {{}}\nscheduler: {{}}\n",
                address = facts.address,
                port = facts.api_port,
            )}),
        ),
        configmap("kube-system", "kubelet-config", &json!({"kubelet": KUBELET})),
        configmap(
            "kube-public",
            "cluster-info",
            &json!({"kubeconfig": format!(
                "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {}\n    server: {server}\n  name: \"\"\ncontexts: null\ncurrent-context: \"\"\nkind: Config\nusers: null\n",
                base64::engine::general_purpose::STANDARD.encode(&facts.ca),
            )}),
        ),
    ];
    for namespace in namespaces.iter().filter_map(|namespace| namespace["metadata"]["name"].as_str()) {
        let mut authority = configmap(namespace, "kube-root-ca.crt", &json!({"ca.crt": facts.ca}));
        authority["metadata"]["annotations"] =
            json!({"kubernetes.io/description": crate::controllers::namespace::ROOT_CA_IS});
        all.push(authority);
    }
    all
}

fn kube_proxy(server: &str) -> Value {
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt\n    server: {server}\n  name: default\ncontexts:\n- context:\n    cluster: default\n    namespace: default\n    user: default\n  name: default\ncurrent-context: default\nusers:\n- name: default\n  user:\n    tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token"
    );
    let data = json!({"config.conf": KUBE_PROXY.trim_end(), "kubeconfig.conf": kubeconfig});
    let mut map = configmap("kube-system", "kube-proxy", &data);
    map["metadata"]["labels"] = json!({"app": "kube-proxy"});
    map
}

fn configmap(namespace: &str, name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data})
}
