//! The control plane's pods, as the kubelet mirrors its static ones.

use serde_json::{Value, json};

use super::Facts;
use crate::addresses;
use crate::object::meta;
use crate::version::KUBERNETES_VERSION;

struct Part {
    name: &'static str,
    image: String,
    command: Vec<String>,
    cpu: &'static str,
    memory: Option<&'static str>,
    port: u16,
    /// Of the probes: whether it lives, and has started; and whether it is ready, where it tells.
    paths: (&'static str, &'static str, Option<&'static str>),
    /// In-pod folder, volume, and whether it may be written.
    mounts: &'static [(&'static str, &'static str, bool)],
    sees_authorities: bool,
}

/// The authorities of the machine, which every part that calls others sees.
const AUTHORITIES: [(&str, &str, bool); 4] = [
    ("/etc/ssl/certs", "ca-certs", false),
    ("/etc/ca-certificates", "etc-ca-certificates", false),
    ("/usr/local/share/ca-certificates", "usr-local-share-ca-certificates", false),
    ("/usr/share/ca-certificates", "usr-share-ca-certificates", false),
];

pub(super) fn objects(facts: &Facts) -> Vec<Value> {
    let kubernetes = |name: &str| format!("registry.k8s.io/{name}:{KUBERNETES_VERSION}");
    let mut etcd = vec!["etcd".to_owned()];
    etcd.extend(facts.etcd_flags.iter().cloned());
    let flags = |program: &str, flags: &[&str]| {
        std::iter::once(program.to_owned()).chain(flags.iter().map(ToString::to_string)).collect::<Vec<_>>()
    };
    let parts = [
        Part {
            name: "etcd",
            image: format!("registry.k8s.io/etcd:{}-0", facts.etcd_version),
            command: etcd,
            cpu: "100m",
            memory: Some("100Mi"),
            port: 2381,
            paths: ("/livez", "/readyz", Some("/readyz")),
            mounts: &[("/var/lib/etcd", "etcd-data", true), ("/etc/kubernetes/pki/etcd", "etcd-certs", true)],
            sees_authorities: false,
        },
        Part {
            name: "kube-apiserver",
            image: kubernetes("kube-apiserver"),
            command: {
                let mut command = flags(
                    "kube-apiserver",
                    &[
                        "--allow-privileged=true",
                        "--authorization-mode=Node,RBAC",
                        "--client-ca-file=/etc/kubernetes/pki/ca.crt",
                        "--enable-admission-plugins=NodeRestriction",
                        "--enable-bootstrap-token-auth=true",
                        "--etcd-cafile=/etc/kubernetes/pki/etcd/ca.crt",
                        "--etcd-certfile=/etc/kubernetes/pki/apiserver-etcd-client.crt",
                        "--etcd-keyfile=/etc/kubernetes/pki/apiserver-etcd-client.key",
                        "--kubelet-client-certificate=/etc/kubernetes/pki/apiserver-kubelet-client.crt",
                        "--kubelet-client-key=/etc/kubernetes/pki/apiserver-kubelet-client.key",
                        "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
                        "--proxy-client-cert-file=/etc/kubernetes/pki/front-proxy-client.crt",
                        "--proxy-client-key-file=/etc/kubernetes/pki/front-proxy-client.key",
                        "--requestheader-allowed-names=front-proxy-client",
                        "--requestheader-client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt",
                        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                        "--requestheader-group-headers=X-Remote-Group",
                        "--requestheader-username-headers=X-Remote-User",
                        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                        "--service-account-key-file=/etc/kubernetes/pki/sa.pub",
                        "--service-account-signing-key-file=/etc/kubernetes/pki/sa.key",
                        &format!("--service-cluster-ip-range={}", addresses::SERVICES),
                        "--tls-cert-file=/etc/kubernetes/pki/apiserver.crt",
                        "--tls-private-key-file=/etc/kubernetes/pki/apiserver.key",
                    ],
                );
                command.push(format!("--advertise-address={}", facts.address));
                command.push(format!("--etcd-servers={}", facts.etcd_url));
                command.push(format!("--secure-port={}", facts.api_port));
                command[1..].sort();
                // kind adds it behind kubeadm's own.
                command.push("--runtime-config=".to_owned());
                command
            },
            cpu: "250m",
            memory: None,
            port: facts.api_port,
            paths: ("/livez", "/livez", Some("/readyz")),
            mounts: &[("/etc/kubernetes/pki", "k8s-certs", false)],
            sees_authorities: true,
        },
        Part {
            name: "kube-controller-manager",
            image: kubernetes("kube-controller-manager"),
            command: flags(
                "kube-controller-manager",
                &[
                    "--allocate-node-cidrs=true",
                    "--authentication-kubeconfig=/etc/kubernetes/controller-manager.conf",
                    "--authorization-kubeconfig=/etc/kubernetes/controller-manager.conf",
                    "--bind-address=127.0.0.1",
                    "--client-ca-file=/etc/kubernetes/pki/ca.crt",
                    &format!("--cluster-cidr={}", addresses::PODS),
                    "--cluster-name=sandbox",
                    "--cluster-signing-cert-file=/etc/kubernetes/pki/ca.crt",
                    "--cluster-signing-key-file=/etc/kubernetes/pki/ca.key",
                    "--controllers=*,bootstrapsigner,tokencleaner",
                    "--kubeconfig=/etc/kubernetes/controller-manager.conf",
                    "--leader-elect=true",
                    "--requestheader-client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt",
                    "--root-ca-file=/etc/kubernetes/pki/ca.crt",
                    "--service-account-private-key-file=/etc/kubernetes/pki/sa.key",
                    &format!("--service-cluster-ip-range={}", addresses::SERVICES),
                    "--use-service-account-credentials=true",
                    "--enable-hostpath-provisioner=true",
                ],
            ),
            cpu: "200m",
            memory: None,
            port: 10257,
            paths: ("/healthz", "/healthz", None),
            mounts: &[
                ("/etc/kubernetes/pki", "k8s-certs", false),
                ("/etc/kubernetes/controller-manager.conf", "kubeconfig", false),
            ],
            sees_authorities: true,
        },
        Part {
            name: "kube-scheduler",
            image: kubernetes("kube-scheduler"),
            command: flags(
                "kube-scheduler",
                &[
                    "--authentication-kubeconfig=/etc/kubernetes/scheduler.conf",
                    "--authorization-kubeconfig=/etc/kubernetes/scheduler.conf",
                    "--bind-address=127.0.0.1",
                    "--kubeconfig=/etc/kubernetes/scheduler.conf",
                    "--leader-elect=true",
                ],
            ),
            cpu: "100m",
            memory: None,
            port: 10259,
            paths: ("/livez", "/livez", Some("/readyz")),
            mounts: &[("/etc/kubernetes/scheduler.conf", "kubeconfig", false)],
            sees_authorities: false,
        },
    ];
    parts.iter().map(|part| pod(part, facts)).collect()
}

fn pod(part: &Part, facts: &Facts) -> Value {
    let hash = uuid::Uuid::new_v4().simple().to_string();
    let at = meta::nano_text(jiff::Timestamp::now());
    let mut annotations = json!({
        "kubernetes.io/config.hash": hash, "kubernetes.io/config.mirror": hash,
        "kubernetes.io/config.seen": at, "kubernetes.io/config.source": "file",
    });
    match part.name {
        "etcd" => annotations["kubeadm.kubernetes.io/etcd.advertise-client-urls"] = json!(facts.etcd_url),
        "kube-apiserver" => {
            annotations["kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"] =
                json!(format!("{}:{}", facts.address, facts.api_port));
        }
        _ => {}
    }
    let scheme = if part.name == "etcd" { "HTTP" } else { "HTTPS" };
    let probe = |path: &str, delay: i64, period: i64, failures: i64| {
        let mut probe = json!({
            "httpGet": {"host": facts.address, "path": path, "port": "probe-port", "scheme": scheme},
            "failureThreshold": failures, "periodSeconds": period, "successThreshold": 1, "timeoutSeconds": 15,
        });
        if delay > 0 {
            probe["initialDelaySeconds"] = json!(delay);
        }
        probe
    };
    let mut requests = json!({"cpu": part.cpu});
    if let Some(memory) = part.memory {
        requests["memory"] = json!(memory);
    }
    let mut seen = part.mounts.to_vec();
    if part.sees_authorities {
        seen.extend(AUTHORITIES);
        seen.sort_by_key(|(_, name, _)| *name);
    }
    let mounts: Vec<Value> = seen
        .iter()
        .map(|(path, name, writable)| {
            let mut mount = json!({"mountPath": path, "name": name});
            if !writable {
                mount["readOnly"] = json!(true);
            }
            mount
        })
        .collect();
    seen.sort_by_key(|(_, name, _)| *name);
    let volumes: Vec<Value> = seen
        .iter()
        .map(|(path, name, _)| {
            let kind = if *name == "kubeconfig" { "FileOrCreate" } else { "DirectoryOrCreate" };
            json!({"name": name, "hostPath": {"path": path, "type": kind}})
        })
        .collect();
    let image_id = format!("sha256:{hash}{hash}");
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": facts.now});
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("{}-{}", part.name, facts.node), "namespace": "kube-system",
            "labels": {"component": part.name, "tier": "control-plane"},
            "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Node", "name": facts.node, "uid": facts.node_uid, "controller": true,
            }],
        },
        "spec": {
            "containers": [{
                "name": part.name, "image": part.image, "command": part.command,
                "imagePullPolicy": "IfNotPresent",
                "ports": [{"name": "probe-port", "containerPort": part.port, "hostPort": part.port, "protocol": "TCP"}],
                "livenessProbe": probe(part.paths.0, 10, 10, 8),
                "startupProbe": probe(part.paths.1, 10, 10, 24),
                "resources": {"requests": requests},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "volumeMounts": mounts,
            }],
            "dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "hostNetwork": true, "nodeName": facts.node,
            "preemptionPolicy": "PreemptLowerPriority", "priority": 2_000_001_000,
            "priorityClassName": "system-node-critical", "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "terminationGracePeriodSeconds": 30,
            "tolerations": [{"effect": "NoExecute", "operator": "Exists"}],
            "volumes": volumes,
        },
        "status": {
            "phase": "Running", "qosClass": "Burstable",
            "hostIP": facts.address, "hostIPs": [{"ip": facts.address}],
            "podIP": facts.address, "podIPs": [{"ip": facts.address}],
            "startTime": facts.now,
            "conditions": [
                condition("PodReadyToStartContainers"), condition("Initialized"), condition("Ready"),
                condition("ContainersReady"), condition("PodScheduled"),
            ],
            "containerStatuses": [{
                "name": part.name, "image": part.image, "imageID": image_id,
                "containerID": format!("keywitness://{hash}{hash}"),
                "ready": true, "started": true, "restartCount": 0, "lastState": {},
                "state": {"running": {"startedAt": facts.now}},
                "allocatedResources": requests, "resources": {"requests": requests},
                "user": {"linux": {"uid": 0, "gid": 0, "supplementalGroups": [0]}},
            }],
            "allocatedResources": requests, "resources": {"requests": requests},
        },
    });
    if let Some(path) = part.paths.2 {
        pod["spec"]["containers"][0]["readinessProbe"] = probe(path, 0, 1, 3);
    }
    pod
}
