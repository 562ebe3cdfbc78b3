//! The configuration that kind gets: ours, or the user's own with what a lab needs put in.

use serde_json::{Value, json};

use crate::cluster::ClusterError;

/// kubeadm's settings of a lab's cluster. No `apiVersion`: kind takes such a patch for whichever version of kubeadm's
/// configuration the node image has, and turns the maps into lists where that wants lists.
///
/// - etcd's data dies with the cluster, so it need not wait for the disk.
/// - A compaction would take history away that a lab may still be judged by.
const KUBEADM: &str = r#"kind: ClusterConfiguration
etcd:
  local:
    extraArgs:
      unsafe-no-fsync: "true"
apiServer:
  extraArgs:
    etcd-compaction-interval: "0"
"#;

/// From 1.35 on the kubelet refuses a cgroup v1 host unless told otherwise.
const CGROUP_V1: &str = "kind: KubeletConfiguration\nfailCgroupV1: false\n";
/// The first version that knows the setting.
const CGROUP_V1_FROM: (u32, u32) = (1, 31);

/// What the configuration is made from.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    pub(super) nodes: Option<u32>,
    pub(super) image: Option<&'a str>,
    pub(super) cgroup_v1: bool,
    /// The text of the user's kind configuration, and where it is from.
    pub(super) own: Option<(&'a str, &'a str)>,
}

/// The configuration as JSON, which is YAML.
pub(super) fn config(wanted: &Wanted) -> Result<String, ClusterError> {
    let mut config = match wanted.own {
        Some((text, from)) => read(text, from)?,
        None => json!({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4"}),
    };
    config["name"] = wanted.name.into();
    nodes(&mut config, wanted.nodes);
    let patches = list(&mut config, "kubeadmConfigPatches");
    patches.push(KUBEADM.into());
    if wanted.cgroup_v1 && minor_of(wanted.image).is_none_or(|minor| minor >= CGROUP_V1_FROM) {
        patches.push(CGROUP_V1.into());
    }
    serde_json::to_string_pretty(&config).map_err(|error| ClusterError::new(format!("kind's configuration: {error}")))
}

fn read(text: &str, from: &str) -> Result<Value, ClusterError> {
    let config: Value = serde_saphyr::from_str(text)
        .map_err(|error| ClusterError::new(format!("{from} is not a kind configuration: {error}")))?;
    if config["kind"] != "Cluster" || !config["apiVersion"].as_str().is_some_and(|v| v.starts_with("kind.x-k8s.io/")) {
        return Err(ClusterError::new(format!("{from} is not a kind configuration"))
            .hint("it begins with `kind: Cluster` and `apiVersion: kind.x-k8s.io/v1alpha4`"));
    }
    Ok(config)
}

/// As many nodes as the lab asks for, or as the user's configuration has; etcd's port published by every control
/// plane, on this machine only.
fn nodes(config: &mut Value, wanted: Option<u32>) {
    let nodes = list(config, "nodes");
    if nodes.is_empty() {
        nodes.push(json!({"role": "control-plane"}));
    }
    while nodes.len() < wanted.unwrap_or(1) as usize {
        nodes.push(json!({"role": "worker"}));
    }
    for node in nodes {
        let is_control_plane = node.get("role").is_none_or(|role| role == "control-plane");
        let published = list(node, "extraPortMappings");
        if is_control_plane && published.iter().all(|port| port["containerPort"] != 2379) {
            published.push(json!({
                "containerPort": 2379, "hostPort": 0, "listenAddress": "127.0.0.1", "protocol": "TCP",
            }));
        }
    }
}

/// What kind calls the nodes of a configuration: the role, and from the second of a role on its number.
pub(super) fn node_names(config: &str, cluster: &str) -> Vec<String> {
    let config: Value = serde_json::from_str(config).unwrap_or_default();
    let mut seen = std::collections::HashMap::<String, usize>::new();
    let roles = config["nodes"].as_array().into_iter().flatten();
    roles
        .map(|node| {
            let role = node["role"].as_str().unwrap_or("control-plane");
            let count = seen.entry(role.to_owned()).or_default();
            *count += 1;
            let number = if *count == 1 { String::new() } else { count.to_string() };
            format!("{cluster}-{role}{number}")
        })
        .collect()
}

fn list<'a>(value: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    if !value[name].is_array() {
        value[name] = json!([]);
    }
    value[name].as_array_mut().expect("made an array above")
}

/// The Kubernetes version in an image's tag, where it has one.
pub(super) fn minor_of(image: Option<&str>) -> Option<(u32, u32)> {
    let tag = image?.split('@').next()?.rsplit_once(":v")?.1;
    let mut parts = tag.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(nodes: Option<u32>, own: Option<&str>) -> Value {
        let own = own.map(|text| (text, "my.yaml"));
        let wanted = Wanted { name: "keywitness-a-1", nodes, image: None, cgroup_v1: true, own };
        serde_json::from_str(&config(&wanted).expect("a configuration")).expect("JSON")
    }

    #[test]
    fn every_control_plane_publishes_etcd_here_only() {
        let config = made(Some(3), None);
        let roles: Vec<_> = config["nodes"].as_array().expect("nodes").iter().map(|node| &node["role"]).collect();
        assert_eq!(roles, ["control-plane", "worker", "worker"]);
        let port = &config["nodes"][0]["extraPortMappings"][0];
        assert_eq!((&port["containerPort"], &port["listenAddress"]), (&json!(2379), &json!("127.0.0.1")));
        assert_eq!(config["nodes"][1]["extraPortMappings"], json!([]));
        assert_eq!(config["name"], "keywitness-a-1");
    }

    #[test]
    fn the_users_configuration_is_kept_and_added_to() {
        let own = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: mine\nfeatureGates: {X: true}\n\
                   kubeadmConfigPatches: ['kind: InitConfiguration']\n\
                   nodes:\n- role: control-plane\n  extraPortMappings: [{containerPort: 80, hostPort: 8080}]\n- role: worker\n";
        let config = made(None, Some(own));
        assert_eq!(config["featureGates"]["X"], json!(true));
        assert_eq!(config["nodes"].as_array().map(Vec::len), Some(2));
        assert_eq!(config["nodes"][0]["extraPortMappings"].as_array().map(Vec::len), Some(2));
        assert_eq!(config["kubeadmConfigPatches"][0], "kind: InitConfiguration");
        assert_eq!(config["name"], "keywitness-a-1");
    }

    #[test]
    fn nodes_are_named_as_kind_names_them() {
        let own = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n\
                   nodes: [{role: worker}, {}, {role: control-plane}, {role: worker}]\n";
        let config = made(None, Some(own)).to_string();
        assert_eq!(node_names(&config, "a"), ["a-worker", "a-control-plane", "a-control-plane2", "a-worker2"]);
    }

    #[test]
    fn the_cgroup_setting_goes_only_where_it_is_known() {
        let patches = |image, cgroup_v1| {
            let wanted = Wanted { name: "a", nodes: None, image: Some(image), cgroup_v1, own: None };
            config(&wanted).expect("a configuration").contains("failCgroupV1")
        };
        assert!(patches("kindest/node:v1.36.2@sha256:00", true));
        assert!(!patches("kindest/node:v1.36.2", false));
        assert!(!patches("kindest/node:v1.29.4", true));
        assert!(patches("localhost:5000/node:mine", true));
    }

    #[test]
    fn another_file_is_refused() {
        let wanted =
            |text| Wanted { name: "a", nodes: None, image: None, cgroup_v1: false, own: Some((text, "my.yaml")) };
        assert!(config(&wanted("kind: Pod\napiVersion: v1\n")).expect_err("a Pod").message.contains("my.yaml"));
        assert!(config(&wanted("{")).is_err());
    }
}
