//! `CoreDNS` and kube-proxy, as they stand when a cluster has come to rest: the controllers find nothing to do.

use serde_json::{Value, json};

use super::Facts;
use crate::agent;
use crate::api::admission;
use crate::controllers::daemonset;
use crate::version::KUBERNETES_VERSION;

const NAMESPACE: &str = "kube-system";
const DNS_HASH: &str = "589f44dc88";
const PROXY_HASH: &str = "6765b9b7bd";

pub(super) fn objects(facts: &Facts) -> Vec<Value> {
    let mut all = dns(facts);
    all.extend(proxy(facts));
    all
}

fn id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn owner(kind: &str, name: &str, uid: &str) -> Value {
    json!([{
        "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true,
        "blockOwnerDeletion": true,
    }])
}

/// Written out with every default, because templates are compared as they are.
fn template(labels: &Value, container: &Value, spec: &Value) -> Value {
    let mut full = json!({
        "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
        "securityContext": {}, "terminationGracePeriodSeconds": 30,
    });
    let mut complete = json!({
        "imagePullPolicy": "IfNotPresent", "resources": {}, "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    });
    merge(&mut complete, container);
    merge(&mut full, spec);
    full["containers"] = json!([complete]);
    json!({"metadata": {"labels": labels}, "spec": full})
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().into_iter().flatten() {
        into[name.as_str()] = value.clone();
    }
}

/// A pod of such a template that runs on the node, in the state in which the node agent leaves one.
fn running(facts: &Facts, name: &str, template: &Value, labels: &Value, owners: &Value, ip: &str) -> Value {
    let mut spec = template["spec"].clone();
    spec["nodeName"] = facts.node.as_str().into();
    spec["enableServiceLinks"] = true.into();
    spec["preemptionPolicy"] = "PreemptLowerPriority".into();
    spec["priority"] = match spec["priorityClassName"].as_str() {
        Some("system-node-critical") => 2_000_001_000,
        _ => 2_000_000_000,
    }
    .into();
    let container = &template["spec"]["containers"][0];
    let id = uuid::Uuid::new_v4().simple().to_string();
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": facts.now, "observedGeneration": 1});
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": NAMESPACE, "generateName": format!("{}-", name.rsplit_once('-').map_or(name, |(stem, _)| stem)),
            "labels": labels, "ownerReferences": owners, "generation": 1,
        },
        "spec": spec,
        "status": {
            "phase": "Running", "qosClass": if container["resources"] == json!({}) { "BestEffort" } else { "Burstable" },
            "observedGeneration": 1, "startTime": facts.now,
            "hostIP": facts.address, "hostIPs": [{"ip": facts.address}], "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [
                condition("PodReadyToStartContainers"), condition("Initialized"), condition("Ready"),
                condition("ContainersReady"), condition("PodScheduled"),
            ],
            "containerStatuses": [{
                "name": container["name"], "image": container["image"], "imageID": format!("sha256:{id}{id}"),
                "containerID": format!("keywitness://{id}{id}"), "ready": true, "started": true, "restartCount": 0,
                "lastState": {}, "state": {"running": {"startedAt": facts.now}},
            }],
        },
    });
    if owners[0]["kind"] == "DaemonSet" {
        daemonset::place(&mut pod, &facts.node);
    }
    admission::tolerate_for_a_while(&mut pod);
    admission::mount_token(&mut pod);
    // In the node agent's own words, so that it finds nothing to add.
    let observed = agent::status_of(&pod);
    merge(&mut pod["status"], &observed);
    pod
}

fn dns(facts: &Facts) -> Vec<Value> {
    let probe = |path: &str, port: &str, delay: u32, timeout: u32| {
        let mut probe = json!({
            "failureThreshold": if delay > 0 { 5 } else { 3 }, "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
            "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": timeout,
        });
        if delay > 0 {
            probe["initialDelaySeconds"] = delay.into();
        }
        probe
    };
    let container = json!({
        "name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.14.2", "args": ["-conf", "/etc/coredns/Corefile"],
        "livenessProbe": probe("/health", "liveness-probe", 60, 5), "readinessProbe": probe("/ready", "readiness-probe", 0, 1),
        "ports": [
            {"containerPort": 53, "name": "dns", "protocol": "UDP"},
            {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
            {"containerPort": 9153, "name": "metrics", "protocol": "TCP"},
            {"containerPort": 8080, "name": "liveness-probe", "protocol": "TCP"},
            {"containerPort": 8181, "name": "readiness-probe", "protocol": "TCP"},
        ],
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
        },
        "volumeMounts": [{"mountPath": "/etc/coredns", "name": "config-volume", "readOnly": true}],
    });
    let spec = json!({
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 100,
            "podAffinityTerm": {
                "topologyKey": "kubernetes.io/hostname",
                "labelSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]},
            },
        }]}},
        "dnsPolicy": "Default", "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "serviceAccount": "coredns", "serviceAccountName": "coredns",
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"effect": "NoSchedule", "key": "node-role.kubernetes.io/control-plane"},
        ],
        "volumes": [{"name": "config-volume", "configMap": {
            "defaultMode": 420, "items": [{"key": "Corefile", "path": "Corefile"}], "name": "coredns",
        }}],
    });
    let (deployment, set) = (id(), id());
    let plain = template(&json!({"k8s-app": "kube-dns"}), &container, &spec);
    let labels = json!({"k8s-app": "kube-dns", "pod-template-hash": DNS_HASH});
    let hashed = template(&labels, &container, &spec);
    let set_name = format!("coredns-{DNS_HASH}");
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": facts.now, "lastUpdateTime": facts.now,
        })
    };
    let counts = json!({
        "replicas": 2, "readyReplicas": 2, "availableReplicas": 2, "terminatingReplicas": 0, "observedGeneration": 1,
    });
    let mut status = counts.clone();
    status["updatedReplicas"] = 2.into();
    status["conditions"] = json!([
        condition("Available", "MinimumReplicasAvailable", "Deployment has minimum availability."),
        condition(
            "Progressing",
            "NewReplicaSetAvailable",
            &format!("ReplicaSet \"{set_name}\" has successfully progressed.")
        ),
    ]);
    let mut set_status = counts;
    set_status["fullyLabeledReplicas"] = 2.into();
    let mut all = vec![
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "coredns", "namespace": NAMESPACE, "uid": deployment, "labels": {"k8s-app": "kube-dns"},
                "annotations": {"deployment.kubernetes.io/revision": "1"},
            },
            "spec": {
                "replicas": 2, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
                "selector": {"matchLabels": {"k8s-app": "kube-dns"}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
                "template": plain,
            },
            "status": status,
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": set_name, "namespace": NAMESPACE, "uid": set, "labels": labels,
                "annotations": {
                    "deployment.kubernetes.io/desired-replicas": "2", "deployment.kubernetes.io/max-replicas": "3",
                    "deployment.kubernetes.io/revision": "1",
                },
                "ownerReferences": owner("Deployment", "coredns", &deployment),
            },
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": hashed},
            "status": set_status,
        }),
    ];
    let owners = owner("ReplicaSet", &set_name, &set);
    for (suffix, ip) in [("hlm4c", "10.244.0.2"), ("t2885", "10.244.0.3")] {
        all.push(running(facts, &format!("{set_name}-{suffix}"), &hashed, &labels, &owners, ip));
    }
    all
}

fn proxy(facts: &Facts) -> Vec<Value> {
    let container = json!({
        "name": "kube-proxy", "image": format!("registry.k8s.io/kube-proxy:{KUBERNETES_VERSION}"),
        "command": ["/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf", "--hostname-override=$(NODE_NAME)"],
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}}],
        "securityContext": {"privileged": true},
        "volumeMounts": [
            {"mountPath": "/var/lib/kube-proxy", "name": "kube-proxy"},
            {"mountPath": "/run/xtables.lock", "name": "xtables-lock"},
            {"mountPath": "/lib/modules", "name": "lib-modules", "readOnly": true},
        ],
    });
    let spec = json!({
        "hostNetwork": true, "priorityClassName": "system-node-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "serviceAccount": "kube-proxy", "serviceAccountName": "kube-proxy",
        "tolerations": [{"operator": "Exists"}],
        "volumes": [
            {"name": "kube-proxy", "configMap": {"defaultMode": 420, "name": "kube-proxy"}},
            {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}},
            {"name": "lib-modules", "hostPath": {"path": "/lib/modules", "type": ""}},
        ],
    });
    let uid = id();
    let template = template(&json!({"k8s-app": "kube-proxy"}), &container, &spec);
    let labels = json!({"k8s-app": "kube-proxy", "controller-revision-hash": PROXY_HASH});
    let mut pod_labels = labels.clone();
    pod_labels["pod-template-generation"] = "1".into();
    let owners = owner("DaemonSet", "kube-proxy", &uid);
    let mut kept = template.clone();
    kept["$patch"] = "replace".into();
    let annotations = json!({"deprecated.daemonset.template.generation": "1"});
    vec![
        json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {
                "name": "kube-proxy", "namespace": NAMESPACE, "uid": uid, "labels": {"k8s-app": "kube-proxy"},
                "annotations": annotations,
            },
            "spec": {
                "revisionHistoryLimit": 10, "selector": {"matchLabels": {"k8s-app": "kube-proxy"}},
                "template": template,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            },
            "status": {
                "currentNumberScheduled": 1, "desiredNumberScheduled": 1, "numberAvailable": 1, "numberMisscheduled": 0,
                "numberReady": 1, "observedGeneration": 1, "updatedNumberScheduled": 1,
            },
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision",
            "metadata": {
                "name": format!("kube-proxy-{PROXY_HASH}"), "namespace": NAMESPACE, "labels": labels,
                "annotations": annotations, "ownerReferences": owners,
            },
            "data": {"spec": {"template": kept}},
            "revision": 1,
        }),
        running(facts, "kube-proxy-zc98q", &template, &pod_labels, &owners, &facts.address),
    ]
}
