//! The cluster's names and ports as one pod meets them: Services lead to the pods behind them, and `NetworkPolicies`
//! are kept, as kind's own network does since 0.24.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde_json::Value;

use super::runs::Watching;
use super::shell::{Answer, Call, Cluster, Name};
use crate::object::labels;
use crate::runtime::{Cache, ENDPOINTS, Key, NAMESPACES, NETWORK_POLICIES, Object, PODS, SERVICES};
use crate::runtime::{Context, meta};

/// What is known of the cluster, for all pods.
#[derive(Clone)]
pub(super) struct Map {
    pods: Arc<Cache>,
    services: Arc<Cache>,
    endpoints: Arc<Cache>,
    policies: Arc<Cache>,
    namespaces: Arc<Cache>,
    runs: Watching,
}

/// The same, from one pod.
pub(super) struct From {
    map: Map,
    own: Key,
}

impl std::fmt::Debug for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "From({:?})", self.own)
    }
}

impl Map {
    pub(super) fn new(context: &Context, runs: Watching) -> Self {
        Self {
            pods: context.cache(&PODS),
            services: context.cache(&SERVICES),
            endpoints: context.cache(&ENDPOINTS),
            policies: context.cache(&NETWORK_POLICIES),
            namespaces: context.cache(&NAMESPACES),
            runs,
        }
    }

    pub(super) fn seen_from(&self, own: &Key) -> Arc<dyn Cluster> {
        Arc::new(From { map: self.clone(), own: own.clone() })
    }

    /// The variables by which a container finds the Services that were there before it: that of the API always.
    pub(super) fn variables(&self, namespace: &str, links: bool) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let api = Key::new("default", "kubernetes");
        let services = self.services.all();
        let own = services.iter().filter(|service| links && &*service.key.namespace == namespace);
        for service in own.cloned().chain(self.services.get(&api)) {
            let value = service.value();
            let host = meta::text(&value, "/spec/clusterIP");
            let ports = value["spec"]["ports"].as_array().map_or(&[][..], Vec::as_slice);
            if host.is_empty() || host == "None" || ports.is_empty() {
                continue;
            }
            let name = service.key.name.to_uppercase().replace('-', "_");
            let mut add = |rest: String, value: String| drop(all.insert(format!("{name}_{rest}"), value));
            add("SERVICE_HOST".to_owned(), host.to_owned());
            for (at, port) in ports.iter().enumerate() {
                let number = port["port"].to_string();
                let protocol = port["protocol"].as_str().unwrap_or("TCP");
                let link = format!("{}://{host}:{number}", protocol.to_lowercase());
                if at == 0 {
                    add("SERVICE_PORT".to_owned(), number.clone());
                    add("PORT".to_owned(), link.clone());
                }
                if let Some(named) = port["name"].as_str().filter(|named| !named.is_empty()) {
                    add(format!("SERVICE_PORT_{}", named.to_uppercase().replace('-', "_")), number.clone());
                }
                let one = format!("PORT_{number}_{protocol}");
                add(one.clone(), link);
                add(format!("{one}_PROTO"), protocol.to_lowercase());
                add(format!("{one}_PORT"), number);
                add(format!("{one}_ADDR"), host.to_owned());
            }
        }
        all
    }

    /// Addresses behind a Service's port: all ports where none is named.
    fn behind(&self, service: &Key, port: Option<&str>) -> Vec<(String, Option<String>, i64)> {
        let Some(endpoints) = self.endpoints.get(service) else { return Vec::new() };
        let mut found = Vec::new();
        for subset in endpoints.value()["subsets"].as_array().into_iter().flatten() {
            let ports: Vec<i64> = subset["ports"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|held| port.is_none_or(|port| meta::text(held, "/name") == port))
                .filter_map(|held| held["port"].as_i64())
                .collect();
            for address in subset["addresses"].as_array().into_iter().flatten() {
                let host = address["hostname"].as_str().map(str::to_owned);
                let ports = if port.is_none() { ports.iter().take(1) } else { ports.iter().take(usize::MAX) };
                let first = if port.is_none() && ports.len() == 0 { Some(0) } else { None };
                for port in ports.copied().chain(first) {
                    found.push((meta::text(address, "/ip").to_owned(), host.clone(), port));
                }
            }
        }
        found
    }

    /// The pod that has an address of its own.
    fn pod_at(&self, address: &str) -> Option<Arc<Object>> {
        self.pods.all().into_iter().find(|pod| {
            pod.pod.as_ref().is_some_and(|facts| !facts.phase.over()) && {
                let pod = pod.value();
                pod["status"]["podIP"] == address && pod["spec"]["hostNetwork"] != true
            }
        })
    }

    /// Whether what one pod sends another may leave the one and reach the other.
    fn lets(&self, from: Option<&Object>, to: &Object, port: i64, udp: bool) -> bool {
        from.is_none_or(|from| self.policy(from, to, to, port, udp, "Egress"))
            && from.is_none_or(|from| from.uid == to.uid || self.policy(to, from, to, port, udp, "Ingress"))
    }

    /// Whether the policies that stand for `own` let it have to do with `other`.
    fn policy(&self, own: &Object, other: &Object, to: &Object, port: i64, udp: bool, way: &str) -> bool {
        let (list, peers) = if way == "Egress" { ("egress", "to") } else { ("ingress", "from") };
        let mut held = false;
        for policy in self.policies.all().iter().filter(|policy| policy.key.namespace == own.key.namespace) {
            let policy = policy.value();
            let spec = &policy["spec"];
            let types = spec["policyTypes"].as_array().into_iter().flatten();
            if !types.clone().any(|held| held == way) || !labels::selects(&spec["podSelector"], label(own)) {
                continue;
            }
            held = true;
            let fits = |rule: &Value| {
                let peers = rule[peers].as_array().filter(|peers| !peers.is_empty());
                let ports = rule["ports"].as_array().filter(|ports| !ports.is_empty());
                peers.is_none_or(|peers| peers.iter().any(|peer| self.is_peer(peer, own, other)))
                    && ports.is_none_or(|ports| ports.iter().any(|held| is_port(held, to, port, udp)))
            };
            if spec[list].as_array().into_iter().flatten().any(fits) {
                return true;
            }
        }
        !held
    }

    fn is_peer(&self, peer: &Value, own: &Object, other: &Object) -> bool {
        if let Some(block) = peer.get("ipBlock") {
            let address = meta::text(&other.value(), "/status/podIP").to_owned();
            let within = |range: &Value| range.as_str().is_some_and(|range| in_range(&address, range));
            return within(&block["cidr"]) && !block["except"].as_array().into_iter().flatten().any(within);
        }
        let namespace = match peer.get("namespaceSelector") {
            None => own.key.namespace == other.key.namespace,
            Some(selector) => {
                let key = Key::new("", &other.key.namespace);
                self.namespaces.get(&key).is_some_and(|namespace| labels::selects(selector, label(&namespace)))
            }
        };
        namespace && peer.get("podSelector").is_none_or(|selector| labels::selects(selector, label(other)))
    }

    fn service_at(&self, address: &str, at: i64) -> Option<Arc<Object>> {
        self.services.all().into_iter().find(|service| {
            service.created * 1000 <= at && {
                let spec = &service.value()["spec"];
                spec["clusterIPs"].as_array().into_iter().flatten().any(|held| held == address)
            }
        })
    }
}

fn label<'a>(object: &'a Object) -> impl Fn(&str) -> Option<&'a str> {
    move |wanted| object.labels.iter().find(|(name, _)| &**name == wanted).map(|(_, value)| &**value)
}

fn is_port(held: &Value, to: &Object, port: i64, udp: bool) -> bool {
    let protocol = if udp { "UDP" } else { "TCP" };
    if held["protocol"].as_str().unwrap_or("TCP") != protocol {
        return false;
    }
    match &held["port"] {
        Value::Null => true,
        Value::String(name) => {
            let pod = to.value();
            let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
            let mut ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
            ports.any(|held| held["name"] == name.as_str() && held["containerPort"] == port)
        }
        number => {
            let first = number.as_i64().unwrap_or_default();
            let last = held["endPort"].as_i64().unwrap_or(first);
            (first..=last).contains(&port)
        }
    }
}

fn in_range(address: &str, range: &str) -> bool {
    match (address.parse::<IpAddr>(), range.parse::<IpNet>()) {
        (Ok(address), Ok(range)) => range.contains(&address),
        _ => false,
    }
}

impl From {
    fn own(&self) -> Option<Arc<Object>> {
        self.map.pods.get(&self.own)
    }

    /// Those that DNS runs in, if a policy keeps this pod from them.
    fn is_deaf(&self) -> bool {
        let Some(own) = self.own() else { return false };
        let dns = self.map.behind(&Key::new("kube-system", "kube-dns"), Some("dns"));
        let mut pods = dns.iter().filter_map(|(address, _, port)| Some((self.map.pod_at(address)?, *port))).peekable();
        pods.peek().is_some() && !pods.any(|(pod, port)| self.map.lets(Some(&own), &pod, port, true))
    }

    fn answer(&self, pod: &Object, call: &Call<'_>, port: i64) -> Answer {
        let value = pod.value();
        let statuses = ["containerStatuses", "initContainerStatuses"];
        let all = statuses.iter().flat_map(|list| value["status"][*list].as_array().into_iter().flatten());
        let mut unknown = false;
        for status in all.filter(|status| status["state"].get("running").is_some()) {
            let (name, id) = (meta::text(status, "/name"), meta::text(status, "/containerID"));
            let Some(run) = self.map.runs.current(&pod.uid, name, id) else {
                unknown = true;
                continue;
            };
            match run.listens() {
                None => unknown = true,
                Some(ports) if !ports.contains(&port) => {}
                Some(_) => {
                    let Some(asks) = &call.asks else { return Answer::Somebody };
                    let client = self.own().map(|own| meta::text(&own.value(), "/status/podIP").to_owned());
                    let client = client.filter(|_| call.host != "localhost" && call.address != "127.0.0.1");
                    let client = client.unwrap_or_else(|| "127.0.0.1".to_owned());
                    let Some((page, line)) = run.page(asks, &value, &client, call.at) else { return Answer::Somebody };
                    if let Some(line) = line {
                        self.map.runs.heard(&pod.uid, name, id, line);
                    }
                    return Answer::Says(page);
                }
            }
        }
        if unknown { Answer::Somebody } else { Answer::Refused }
    }
}

impl Cluster for From {
    fn find(&self, name: &str, at: i64) -> Name {
        let name = name.trim_end_matches('.');
        if name.parse::<IpAddr>().is_ok() {
            return Name::At { full: name.to_owned(), addresses: vec![name.to_owned()] };
        }
        if name == "localhost" || name == &*self.own.name {
            return Name::At { full: name.to_owned(), addresses: vec!["127.0.0.1".to_owned()] };
        }
        if self.is_deaf() {
            return Name::Silence;
        }
        let short = name.strip_suffix(".cluster.local").unwrap_or(name);
        let bare = short.strip_suffix(".svc").unwrap_or(short);
        let parts: Vec<&str> = bare.split('.').collect();
        let own = &*self.own.namespace;
        let whole = bare.len() < short.len();
        if let ([address, namespace, "pod"], false) = (parts.as_slice(), whole) {
            let address = address.replace('-', ".");
            let there = self.map.pod_at(&address).is_some_and(|pod| &*pod.key.namespace == *namespace);
            return if there || address.parse::<IpAddr>().is_ok() {
                Name::At { full: format!("{short}.cluster.local"), addresses: vec![address] }
            } else {
                Name::Nowhere
            };
        }
        let tries: Vec<(Option<&str>, &str, &str)> = match parts.as_slice() {
            [service] if !whole => vec![(None, service, own)],
            [service, namespace] if whole => vec![(None, service, namespace)],
            [first, second] => vec![(None, first, second), (Some(first), second, own)],
            [host, service, namespace] => vec![(Some(host), service, namespace)],
            _ => Vec::new(),
        };
        for (host, service, namespace) in tries {
            let key = Key::new(namespace, service);
            let Some(object) = self.map.services.get(&key).filter(|held| held.created * 1000 <= at) else { continue };
            let spec = object.value()["spec"].clone();
            if spec["type"] == "ExternalName" {
                return Name::Alias(meta::text(&spec, "/externalName").to_owned());
            }
            let full = format!("{service}.{namespace}.svc.cluster.local");
            let address = meta::text(&spec, "/clusterIP").to_owned();
            let (full, addresses) = match host {
                None if address != "None" => (full, vec![address]),
                None => (full, self.map.behind(&key, None).into_iter().map(|(address, ..)| address).collect()),
                Some(host) => {
                    let held = self.map.behind(&key, None).into_iter();
                    let named = held.filter(|(_, name, _)| name.as_deref() == Some(host));
                    (format!("{host}.{full}"), named.map(|(address, ..)| address).collect())
                }
            };
            return if addresses.is_empty() { Name::Nowhere } else { Name::At { full, addresses } };
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        let inside = !name.contains('.')
            || short.len() < name.len()
            || whole
            || ["svc", "local", "invalid", "test", "example", "localhost"].contains(&last)
            || parts.len() == 2 && self.map.namespaces.get(&Key::new("", last)).is_some();
        if inside { Name::Nowhere } else { Name::Outside }
    }

    fn call(&self, call: &Call<'_>) -> Answer {
        if call.address == "127.0.0.1" {
            return self.own().map_or(Answer::Somebody, |own| self.answer(&own, call, call.port));
        }
        let own = self.own();
        let reached = |address: &str, port: i64| match self.map.pod_at(address) {
            Some(pod) if !self.map.lets(own.as_deref(), &pod, port, call.udp) => Answer::Silence,
            Some(pod) => self.answer(&pod, call, port),
            // Addresses that somebody wrote by hand, and those of the nodes.
            None => Answer::Somebody,
        };
        if let Some(service) = self.map.service_at(call.address, call.at) {
            let spec = service.value()["spec"].clone();
            let mut ports = spec["ports"].as_array().into_iter().flatten();
            let Some(port) = ports.find(|held| held["port"] == call.port) else { return Answer::Refused };
            let behind = self.map.behind(&service.key, Some(meta::text(port, "/name")));
            let count = u64::try_from(behind.len()).unwrap_or(1).max(1);
            let at = usize::try_from(call.choice % count).unwrap_or_default();
            return match behind.get(at) {
                Some((address, _, port)) => reached(address, *port),
                None => Answer::Refused,
            };
        }
        let pods = in_range(call.address, crate::addresses::PODS);
        if pods && self.map.pod_at(call.address).is_none() {
            return Answer::Silence;
        }
        reached(call.address, call.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_range_only() {
        for (address, range, within) in [
            ("10.244.1.5", "10.244.0.0/16", true),
            ("10.245.1.5", "10.244.0.0/16", false),
            ("10.245.1.5", "0.0.0.0/0", true),
            ("172.17.1.4", "172.17.1.0/24", true),
            ("172.17.2.4", "172.17.1.0/24", false),
            ("fd00::1", "fd00::/8", true),
            ("fd00::1", "10.0.0.0/8", false),
            ("10.0.0.1", "10.0.0.1/99", false),
        ] {
            assert_eq!(in_range(address, range), within, "{address} {range}");
        }
    }
}
