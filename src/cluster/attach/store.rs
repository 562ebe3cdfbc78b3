//! What the store of a cluster is, where it is no etcd that can be reached.

use kube::api::DynamicObject;

/// Why there is no etcd to ask, found from the version and the nodes.
pub(super) fn without_etcd(version: &str, nodes: &[DynamicObject]) -> String {
    let what = managed(version, nodes).unwrap_or(
        "no pod of this cluster is labelled component=etcd, so its store is outside the cluster or is not etcd",
    );
    format!(
        "{what}. Checks of `resource`, `output` and `run` can be judged here; `key`, `keys`, `events`, `never`, `etcd` \
         and `snapshot` cannot. --etcd-endpoint with --etcd-cacert, --etcd-cert and --etcd-key names an etcd that you can reach"
    )
}

fn managed(version: &str, nodes: &[DynamicObject]) -> Option<&'static str> {
    let has_label = |start: &str| {
        nodes
            .iter()
            .filter_map(|node| node.metadata.labels.as_ref())
            .any(|labels| labels.keys().any(|key| key.starts_with(start)))
    };
    let provider = |start: &str| {
        nodes.iter().filter_map(|node| node.data["spec"]["providerID"].as_str()).any(|id| id.starts_with(start))
    };
    if version.contains("+k3s") {
        Some("this is k3s, which keeps its data in SQLite unless it was started with --cluster-init")
    } else if version.contains("+rke2") {
        Some("this is RKE2, whose etcd pod does not carry kubeadm's labels")
    } else if version.contains("-eks-") || has_label("eks.amazonaws.com/") {
        Some("this is EKS, and Amazon gives no access to its etcd")
    } else if version.contains("-gke.") || has_label("cloud.google.com/gke") {
        Some("this is GKE, and Google gives no access to its store")
    } else if has_label("kubernetes.azure.com/") || provider("azure://") {
        Some("this is AKS, and Microsoft gives no access to its etcd")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(label: &str, provider: &str) -> DynamicObject {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "n", "labels": {label: "x"}}, "spec": {"providerID": provider},
        }))
        .expect("a node")
    }

    #[test]
    fn clusters_that_hide_their_store_are_known() {
        let plain = [node("a", "kind://docker/kind/kind-control-plane")];
        for (version, nodes, name) in [
            ("v1.31.4+k3s1", &plain[..], "k3s"),
            ("v1.32.3-eks-bcf3d70", &plain, "EKS"),
            ("v1.32.2-gke.1182003", &plain, "GKE"),
            ("v1.32.0", &[node("kubernetes.azure.com/cluster", "azure:///x")], "AKS"),
            ("v1.32.0", &plain, "component=etcd"),
        ] {
            let reason = without_etcd(version, nodes);
            assert!(reason.contains(name) && reason.contains("can be judged"), "{reason}");
        }
    }
}
