//! The configmaps that kubeadm and the API server leave behind, and what every namespace gets.

use serde_json::{Value, json};

use super::Facts;
use crate::sandbox::KUBERNETES_VERSION;

const COREFILE: &str = ".:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
";

pub(super) fn objects(facts: &Facts, namespaces: &[Value]) -> Vec<Value> {
    let server = format!("https://{}:{}", facts.address, facts.api_port);
    let mut all = vec![
        configmap("kube-system", "coredns", &json!({"Corefile": COREFILE})),
        configmap("kube-system", "extension-apiserver-authentication", &json!({"client-ca-file": facts.ca})),
        configmap(
            "kube-system",
            "kube-apiserver-legacy-service-account-token-tracking",
            &json!({"since": facts.now.get(..10).unwrap_or_default()}),
        ),
        configmap(
            "kube-system",
            "kube-proxy",
            &json!({"config.conf": "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nclusterCIDR: 10.244.0.0/16\nkind: KubeProxyConfiguration\nmode: iptables\n"}),
        ),
        configmap(
            "kube-system",
            "kubeadm-config",
            &json!({"ClusterConfiguration": format!(
                "apiVersion: kubeadm.k8s.io/v1beta4\nclusterName: sandbox\nkind: ClusterConfiguration\nkubernetesVersion: {KUBERNETES_VERSION}\nnetworking:\n  dnsDomain: cluster.local\n  podSubnet: 10.244.0.0/16\n  serviceSubnet: 10.96.0.0/16\n"
            )}),
        ),
        configmap(
            "kube-system",
            "kubelet-config",
            &json!({"kubelet": "apiVersion: kubelet.config.k8s.io/v1beta1\nclusterDNS:\n- 10.96.0.10\nclusterDomain: cluster.local\nkind: KubeletConfiguration\nstaticPodPath: /etc/kubernetes/manifests\n"}),
        ),
        configmap(
            "kube-public",
            "cluster-info",
            &json!({"kubeconfig": format!("apiVersion: v1\nclusters:\n- cluster:\n    server: {server}\n  name: \"\"\nkind: Config\n")}),
        ),
    ];
    for namespace in namespaces.iter().filter_map(|namespace| namespace["metadata"]["name"].as_str()) {
        let mut authority = configmap(namespace, "kube-root-ca.crt", &json!({"ca.crt": facts.ca}));
        authority["metadata"]["annotations"] =
            json!({"kubernetes.io/description": crate::sandbox::controllers::namespace::ROOT_CA_IS});
        all.push(authority);
    }
    all
}

fn configmap(namespace: &str, name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data})
}
