//! Services and addresses, API services, and the leases by which parts of the control plane are known.

use serde_json::{Value, json};

use super::Facts;
use crate::addresses;

pub(super) fn objects(facts: &Facts, groups: &[(String, Vec<String>)]) -> Vec<Value> {
    let mut all = vec![
        service(
            "default",
            "kubernetes",
            addresses::API,
            json!({"component": "apiserver", "provider": "kubernetes"}),
            json!({
                "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": facts.api_port}],
            }),
        ),
        service(
            "kube-system",
            "kube-dns",
            addresses::DNS,
            json!({
                "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS",
            }),
            json!({
                "ports": [
                    {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 53},
                    {"name": "dns-tcp", "protocol": "TCP", "port": 53, "targetPort": 53},
                    {"name": "metrics", "protocol": "TCP", "port": 9153, "targetPort": 9153},
                ],
                "selector": {"k8s-app": "kube-dns"},
            }),
        ),
        address(addresses::API, "default", "kubernetes"),
        address(addresses::DNS, "kube-system", "kube-dns"),
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
            "metadata": {"name": "kubernetes", "finalizers": ["networking.k8s.io/service-cidr-finalizer"]},
            "spec": {"cidrs": [addresses::SERVICES]},
            "status": {"conditions": [{
                "type": "Ready", "status": "True", "reason": "", "lastTransitionTime": facts.now,
                "message": "Kubernetes Service CIDR is ready",
            }]},
        }),
        own_endpoints(facts),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [facts.address], "conditions": {"ready": true}}],
            "ports": [{"name": "https", "port": facts.api_port, "protocol": "TCP"}],
        }),
    ];
    if let Some(service) = all.get_mut(1) {
        service["metadata"]["annotations"] = json!({"prometheus.io/port": "9153", "prometheus.io/scrape": "true"});
    }
    // The aggregator registers every group but its own.
    for (group, versions) in groups.iter().filter(|(group, _)| group != "apiregistration.k8s.io") {
        for version in versions {
            all.push(api_service(facts, group, version));
        }
    }
    all
}

pub(super) fn own_endpoints(facts: &Facts) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes", "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{
            "addresses": [{"ip": facts.address}],
            "ports": [{"name": "https", "port": facts.api_port, "protocol": "TCP"}],
        }],
    })
}

/// The address of a service is an object of its own.
fn address(ip: &str, namespace: &str, service: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IPAddress",
        "metadata": {"name": ip, "labels": {
            "ipaddress.kubernetes.io/ip-family": "IPv4",
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        }},
        "spec": {"parentRef": {"resource": "services", "namespace": namespace, "name": service}},
    })
}

fn service(namespace: &str, name: &str, ip: &str, labels: Value, mut spec: Value) -> Value {
    for (field, value) in [
        ("clusterIP", json!(ip)),
        ("clusterIPs", json!([ip])),
        ("type", json!("ClusterIP")),
        ("sessionAffinity", json!("None")),
        ("ipFamilies", json!(["IPv4"])),
        ("ipFamilyPolicy", json!("SingleStack")),
        ("internalTrafficPolicy", json!("Cluster")),
    ] {
        spec[field] = value;
    }
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": spec, "status": {"loadBalancer": {}},
    })
}

/// A group and version that this API serves itself.
pub fn api_service(facts: &Facts, group: &str, version: &str) -> Value {
    // Kubernetes' own order of groups; later ones come lower.
    const ORDER: &[(&str, i64)] = &[
        ("", 18000),
        ("apps", 17800),
        ("events.k8s.io", 17750),
        ("authentication.k8s.io", 17700),
        ("authorization.k8s.io", 17600),
        ("autoscaling", 17500),
        ("batch", 17400),
        ("certificates.k8s.io", 17300),
        ("networking.k8s.io", 17200),
        ("policy", 17100),
        ("rbac.authorization.k8s.io", 17000),
        ("storage.k8s.io", 16800),
        ("admissionregistration.k8s.io", 16700),
        ("apiextensions.k8s.io", 16700),
        ("scheduling.k8s.io", 16600),
        ("coordination.k8s.io", 16500),
        ("node.k8s.io", 16300),
        ("discovery.k8s.io", 16200),
        ("resource.k8s.io", 16200),
        ("flowcontrol.apiserver.k8s.io", 16100),
    ];
    let priority = ORDER.iter().find(|(name, _)| *name == group).map_or(1000, |(_, priority)| *priority);
    let mut spec = json!({
        "version": version, "groupPriorityMinimum": priority,
        "versionPriority": match (group, version) {
            ("", _) => 1,
            ("autoscaling", "v2") => 30,
            ("flowcontrol.apiserver.k8s.io" | "resource.k8s.io", "v1") => 21,
            _ => 15,
        },
    });
    if !group.is_empty() {
        spec["group"] = json!(group);
    }
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {
            "name": format!("{version}.{group}"), "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"},
        },
        "spec": spec,
        "status": {"conditions": [{
            "type": "Available", "status": "True", "lastTransitionTime": facts.now,
            "reason": "Local", "message": "Local APIServices are always available",
        }]},
    })
}

/// Keys that only etcd shows: which API servers live, and which node ports are taken.
pub(super) fn leases(facts: &Facts) -> Vec<(&'static str, String, Value)> {
    let server = facts.server.clone();
    let with = |labels: Value, ports: Value| {
        let mut metadata = json!({"generation": 1});
        if !labels.is_null() {
            metadata["labels"] = labels;
        }
        let mut subset = json!({"addresses": [{"ip": facts.address}]});
        if !ports.is_null() {
            subset["ports"] = ports;
        }
        json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [subset]})
    };
    let port = json!([{"name": "https", "port": facts.api_port, "protocol": "TCP"}]);
    vec![
        ("masterleases", facts.address.clone(), with(Value::Null, Value::Null)),
        ("peerserverleases", server.clone(), with(json!({"apiserverIdentity": server}), port)),
        (
            "ranges",
            "servicenodeports".into(),
            json!({
                "apiVersion": "v1", "kind": "RangeAllocation", "metadata": {}, "range": "30000-32767", "data": "",
            }),
        ),
    ]
}

/// An API server's name for itself: 26 letters and digits.
pub fn identity() -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bytes = uuid::Uuid::new_v4().into_bytes();
    let letters = bytes.iter().chain(bytes.iter()).take(26).enumerate();
    let text: String =
        letters.map(|(at, byte)| char::from(LETTERS[(usize::from(*byte) + at) % LETTERS.len()])).collect();
    format!("apiserver-{text}")
}
