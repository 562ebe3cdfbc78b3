//! Files that a kubelet writes for a pod: its names, and where it asks for others.

use serde_json::Value;

use crate::addresses::DNS;
use crate::runtime::meta;

/// `/etc/hosts`.
pub(super) fn hosts(pod: &Value, namespace: &str, host: &str, address: &str) -> String {
    let mut out = String::from("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n");
    out.push_str("::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\n");
    out.push_str("fe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
    match pod["spec"]["subdomain"].as_str().filter(|subdomain| !subdomain.is_empty()) {
        Some(subdomain) => {
            out.push_str(&format!("{address}\t{host}.{subdomain}.{namespace}.svc.cluster.local\t{host}\n"));
        }
        None => out.push_str(&format!("{address}\t{host}\n")),
    }
    let aliases = pod["spec"]["hostAliases"].as_array().map_or(&[][..], Vec::as_slice);
    if !aliases.is_empty() {
        out.push_str("\n# Entries added by HostAliases.\n");
        for alias in aliases {
            let names = words(&alias["hostnames"]);
            out.push_str(&format!("{}\t{}\n", meta::text(alias, "/ip"), names.join("\t")));
        }
    }
    out
}

/// `/etc/resolv.conf`.
pub(super) fn resolver(pod: &Value, namespace: &str) -> String {
    let own = &pod["spec"]["dnsConfig"];
    let (mut servers, mut searches, mut options) = (Vec::new(), Vec::new(), Vec::new());
    match pod["spec"]["dnsPolicy"].as_str() {
        Some("None") => {}
        // The node's own, which is Docker's on kind.
        Some("Default") => servers.push("172.18.0.1".to_owned()),
        _ => {
            servers.push(DNS.to_owned());
            searches.extend([format!("{namespace}.svc"), "svc".to_owned(), String::new()].map(|part| {
                if part.is_empty() { "cluster.local".to_owned() } else { format!("{part}.cluster.local") }
            }));
            options.push("ndots:5".to_owned());
        }
    }
    for (list, more) in [(&mut servers, "nameservers"), (&mut searches, "searches")] {
        for word in words(&own[more]) {
            if !list.contains(&word) {
                list.push(word);
            }
        }
    }
    for option in own["options"].as_array().into_iter().flatten() {
        let name = meta::text(option, "/name");
        let text = option["value"].as_str().map_or_else(|| name.to_owned(), |value| format!("{name}:{value}"));
        options.retain(|held| held.split(':').next() != Some(name));
        options.push(text);
    }
    let mut out = String::new();
    if !searches.is_empty() {
        out.push_str(&format!("search {}\n", searches.join(" ")));
    }
    for server in servers {
        out.push_str(&format!("nameserver {server}\n"));
    }
    if !options.is_empty() {
        out.push_str(&format!("options {}\n", options.join(" ")));
    }
    out
}

fn words(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_those_of_kubernetes_own_lessons() {
        let aliased = json!({"spec": {"hostAliases": [
            {"ip": "127.0.0.1", "hostnames": ["foo.local", "bar.local"]}, {"ip": "10.1.2.3", "hostnames": ["foo.remote"]},
        ]}});
        let text = hosts(&aliased, "default", "hostaliases-pod", "10.200.0.5");
        assert!(text.ends_with(
            "fe00::2\tip6-allrouters\n10.200.0.5\thostaliases-pod\n\n# Entries added by HostAliases.\n\
             127.0.0.1\tfoo.local\tbar.local\n10.1.2.3\tfoo.remote\n"
        ));
        let member = json!({"spec": {"subdomain": "nginx"}});
        assert!(
            hosts(&member, "a", "web-0", "10.1.1.1").ends_with("10.1.1.1\tweb-0.nginx.a.svc.cluster.local\tweb-0\n")
        );
        let plain = "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";
        assert_eq!(resolver(&json!({"spec": {"dnsPolicy": "ClusterFirst"}}), "default"), plain);
        let own = json!({"spec": {"dnsPolicy": "None", "dnsConfig": {
            "nameservers": ["192.0.2.1"], "searches": ["ns1.svc.cluster-domain.example", "my.dns.search.suffix"],
            "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
        }}});
        assert_eq!(
            resolver(&own, "default"),
            "search ns1.svc.cluster-domain.example my.dns.search.suffix\nnameserver 192.0.2.1\noptions ndots:2 edns0\n"
        );
    }
}
