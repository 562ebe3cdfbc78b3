//! The nodes: this machine's kernel, and a size that is the same everywhere.

use std::fs;

use serde_json::{Value, json};

use super::Facts;
use crate::addresses;
use crate::object::meta;
use crate::version::{KUBERNETES_VERSION, go_arch};

/// In-tree volume plugins that CSI drivers stand in for, as a kubelet tells of itself.
const MIGRATED_PLUGINS: &str = "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/azure-file,kubernetes.io/cinder,kubernetes.io/gce-pd,kubernetes.io/portworx-volume,kubernetes.io/vsphere-volume";

pub(super) fn objects(facts: &Facts) -> Vec<Value> {
    let node = facts.node.as_str();
    let mut all = registered(facts, 0, node, &facts.node_uid, &facts.address);
    all[0]["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = json!("");
    if !facts.workers.is_empty() {
        // As kubeadm leaves it where there are others to run pods.
        all[0]["spec"]["taints"] = json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]);
    }
    for (at, (worker, address)) in facts.workers.iter().enumerate() {
        let uid = uuid::Uuid::new_v4().to_string();
        all.extend(registered(facts, at + 1, worker, &uid, &address.to_string()));
    }
    all.extend([
        held("kube-controller-manager", &format!("{node}_{}", uuid::Uuid::new_v4()), 15, &Value::Null),
        held("kube-scheduler", &format!("{node}_{}", uuid::Uuid::new_v4()), 15, &Value::Null),
        held(
            &facts.server,
            &format!("{}_{}", facts.server, uuid::Uuid::new_v4()),
            3600,
            &json!({"apiserver.kubernetes.io/identity": "kube-apiserver", "kubernetes.io/hostname": node}),
        ),
    ]);
    all
}

/// A node that is ready, its driver's place, and its lease.
fn registered(facts: &Facts, at: usize, node: &str, uid: &str, address: &str) -> Vec<Value> {
    let arch = go_arch();
    // The same on every machine, so that a lab comes out the same.
    let amounts = json!({
        "cpu": "4",
        "ephemeral-storage": "102400000Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": "8Gi",
        "pods": "110",
    });
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": facts.now, "lastTransitionTime": facts.now,
        })
    };
    let machine = read("/etc/machine-id");
    let range = addresses::of_node(at);
    let object = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": node, "uid": uid,
            "labels": {
                "beta.kubernetes.io/arch": arch, "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": arch, "kubernetes.io/hostname": node, "kubernetes.io/os": "linux",
            },
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {
            "podCIDR": range, "podCIDRs": [range],
            "providerID": format!("keywitness://sandbox/{node}"),
        },
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": node},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            // A kube-apiserver of 1.36 asks this before it hands a client's WebSocket on.
            "declaredFeatures": [
                "ExtendWebSocketsToKubelet",
                "InPlacePodLevelResourcesVerticalScaling",
                "InPlacePodVerticalScalingInitContainers",
                "RestartAllContainersOnContainerExits",
            ],
            "nodeInfo": {
                "machineID": machine, "systemUUID": machine,
                "bootID": read("/proc/sys/kernel/random/boot_id"),
                "kernelVersion": read("/proc/sys/kernel/osrelease"),
                "osImage": os_name(),
                "containerRuntimeVersion": format!("keywitness://{}", env!("CARGO_PKG_VERSION")),
                "kubeletVersion": KUBERNETES_VERSION,
                "kubeProxyVersion": "",
                "operatingSystem": "linux", "architecture": arch,
            },
        },
    });
    vec![
        object,
        json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "CSINode",
            "metadata": {
                "name": node,
                "annotations": {"storage.alpha.kubernetes.io/migrated-plugins": MIGRATED_PLUGINS},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid}],
            },
            "spec": {"drivers": null},
        }),
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {
                "name": node, "namespace": "kube-node-lease",
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid}],
            },
            "spec": {
                "holderIdentity": node, "leaseDurationSeconds": 40,
                "renewTime": meta::micro_text(jiff::Timestamp::now()),
            },
        }),
    ]
}

/// The lease by which a part of the control plane is known; nobody contends for it here.
fn held(name: &str, holder: &str, seconds: i64, labels: &Value) -> Value {
    let now = meta::micro_text(jiff::Timestamp::now());
    let mut lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": seconds, "leaseTransitions": 0,
            "acquireTime": now, "renewTime": now,
        },
    });
    if !labels.is_null() {
        lease["metadata"]["labels"] = labels.clone();
    }
    lease
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn os_name() -> String {
    let release = read("/etc/os-release");
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches('"').to_owned()
}
