//! The checks of the two levels, in the order in which Kubernetes tells what fails.

use std::collections::BTreeSet;

use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Baseline,
    Restricted,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) reason: &'static str,
    pub(super) detail: String,
}

/// What any container may be given.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

const VOLUMES: [&str; 8] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

/// The checks that Kubernetes 1.`minor` has.
pub(super) fn violations(level: Level, minor: u32, spec: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut add = |reason: &'static str, detail: Option<String>| {
        found.extend(detail.map(|detail| Violation { reason, detail }));
    };
    let restricted = level == Level::Restricted;
    if !restricted {
        add("non-default capabilities", added_capabilities(spec, &CAPABILITIES));
    }
    add("host namespaces", host_namespaces(spec));
    if !restricted {
        add("hostPath volumes", listed("volume", &volumes_of(spec, |kind| kind == "hostPath")));
    }
    add("hostPort", host_ports(spec));
    if minor >= 34 {
        add("probe or lifecycle host", foreign_hosts(spec));
    }
    let privileged = named(spec, |container| container["securityContext"]["privileged"] == true);
    add(
        "privileged",
        listed("container", &privileged).map(|who| format!("{who} must not set securityContext.privileged=true")),
    );
    if !restricted {
        add("seccompProfile", unconfined(spec));
        return found;
    }
    let escalating = named(spec, |container| container["securityContext"]["allowPrivilegeEscalation"] != false);
    add(
        "allowPrivilegeEscalation != false",
        listed("container", &escalating)
            .map(|who| format!("{who} must set securityContext.allowPrivilegeEscalation=false")),
    );
    add("unrestricted capabilities", restricted_capabilities(spec));
    add("restricted volume types", restricted_volumes(spec));
    add("runAsNonRoot != true", not_non_root(spec));
    add("runAsUser=0", root_user(spec));
    add("seccompProfile", seccomp(spec));
    found
}

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .filter_map(|list| spec.get(list).and_then(Value::as_array))
        .flatten()
}

fn named(spec: &Value, wrong: impl Fn(&Value) -> bool) -> Vec<String> {
    containers(spec)
        .filter(|container| wrong(container))
        .map(|container| container["name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// `container "a"`, `containers "a", "b"`.
fn listed(word: &str, names: &[String]) -> Option<String> {
    let quoted = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    match names {
        [] => None,
        [_] => Some(format!("{word} {quoted}")),
        _ => Some(format!("{word}s {quoted}")),
    }
}

fn host_namespaces(spec: &Value) -> Option<String> {
    let shared: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|field| spec[*field] == true)
        .map(|field| format!("{field}=true"))
        .collect();
    (!shared.is_empty()).then(|| shared.join(", "))
}

fn host_ports(spec: &Value) -> Option<String> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for container in containers(spec) {
        let own = container["ports"].as_array().into_iter().flatten().filter_map(|port| port["hostPort"].as_u64());
        let own: Vec<u64> = own.filter(|port| *port != 0).collect();
        if !own.is_empty() {
            names.push(container["name"].as_str().unwrap_or_default().to_owned());
            ports.extend(own.iter().map(ToString::to_string));
        }
    }
    let word = if ports.len() == 1 { "hostPort" } else { "hostPorts" };
    let verb = if names.len() == 1 { "uses" } else { "use" };
    Some(format!("{} {verb} {word} {}", listed("container", &names)?, ports.join(", ")))
}

/// Where probes and hooks reach for another host than the pod itself.
fn foreign_hosts(spec: &Value) -> Option<String> {
    let (mut names, mut hosts) = (BTreeSet::new(), BTreeSet::new());
    for container in containers(spec) {
        let handlers =
            ["/livenessProbe", "/readinessProbe", "/startupProbe", "/lifecycle/postStart", "/lifecycle/preStop"];
        for handler in handlers.into_iter().filter_map(|path| container.pointer(path)) {
            for host in ["httpGet", "tcpSocket"].into_iter().filter_map(|by| handler[by]["host"].as_str()) {
                if !host.is_empty() {
                    names.insert(container["name"].as_str().unwrap_or_default().to_owned());
                    hosts.insert(host.to_owned());
                }
            }
        }
    }
    let (names, hosts): (Vec<_>, Vec<_>) = (names.into_iter().collect(), hosts.into_iter().collect());
    let verb = if names.len() == 1 { "uses" } else { "use" };
    Some(format!("{} {verb} {}", listed("container", &names)?, listed("probe or lifecycle host", &hosts)?))
}

fn added_capabilities(spec: &Value, allowed: &[&str]) -> Option<String> {
    let mut wrong = BTreeSet::new();
    let names = containers(spec)
        .filter_map(|container| {
            let added = container["securityContext"]["capabilities"]["add"].as_array()?;
            let bad: Vec<&str> = added.iter().filter_map(Value::as_str).filter(|one| !allowed.contains(one)).collect();
            wrong.extend(bad.iter().map(|one| format!("\"{one}\"")));
            (!bad.is_empty()).then(|| container["name"].as_str().unwrap_or_default().to_owned())
        })
        .collect::<Vec<_>>();
    let wrong = wrong.into_iter().collect::<Vec<_>>().join(", ");
    listed("container", &names).map(|who| format!("{who} must not include {wrong} in securityContext.capabilities.add"))
}

fn restricted_capabilities(spec: &Value) -> Option<String> {
    let keeping = named(spec, |container| {
        let dropped = container["securityContext"]["capabilities"]["drop"].as_array();
        !dropped.is_some_and(|dropped| dropped.iter().any(|one| one == "ALL"))
    });
    let drop =
        listed("container", &keeping).map(|who| format!("{who} must set securityContext.capabilities.drop=[\"ALL\"]"));
    let parts: Vec<String> = drop.into_iter().chain(added_capabilities(spec, &["NET_BIND_SERVICE"])).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn kind_of(volume: &Value) -> &str {
    let fields = volume.as_object().into_iter().flatten();
    fields.map(|(field, _)| field.as_str()).find(|field| *field != "name").unwrap_or_default()
}

fn volumes_of(spec: &Value, wrong: impl Fn(&str) -> bool) -> Vec<String> {
    spec["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|volume| wrong(kind_of(volume)))
        .map(|volume| volume["name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn restricted_volumes(spec: &Value) -> Option<String> {
    let names = volumes_of(spec, |kind| !VOLUMES.contains(&kind));
    let kinds: std::collections::BTreeSet<String> = spec["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(kind_of)
        .filter(|kind| !VOLUMES.contains(kind))
        .map(|kind| format!("\"{kind}\""))
        .collect();
    let word = if kinds.len() == 1 { "type" } else { "types" };
    let verb = if names.len() == 1 { "uses" } else { "use" };
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
    listed("volume", &names).map(|who| format!("{who} {verb} restricted volume {word} {kinds}"))
}

fn not_non_root(spec: &Value) -> Option<String> {
    let forced = named(spec, |container| container["securityContext"]["runAsNonRoot"] == false);
    if let Some(who) = listed("container", &forced) {
        return Some(format!("{who} must not set securityContext.runAsNonRoot=false"));
    }
    if spec["securityContext"]["runAsNonRoot"] == true {
        return None;
    }
    let silent = named(spec, |container| container["securityContext"]["runAsNonRoot"] != true);
    listed("container", &silent).map(|who| format!("pod or {who} must set securityContext.runAsNonRoot=true"))
}

fn root_user(spec: &Value) -> Option<String> {
    if spec["securityContext"]["runAsUser"] == 0 {
        return Some("pod must not set runAsUser=0".into());
    }
    let root = named(spec, |container| container["securityContext"]["runAsUser"] == 0);
    listed("container", &root).map(|who| format!("{who} must not set runAsUser=0"))
}

fn unconfined(spec: &Value) -> Option<String> {
    let wrong = |context: &Value| context["seccompProfile"]["type"] == "Unconfined";
    let why = "must not set securityContext.seccompProfile.type to \"Unconfined\"";
    if wrong(&spec["securityContext"]) {
        return Some(format!("pod {why}"));
    }
    let loose = named(spec, |container| wrong(&container["securityContext"]));
    listed("container", &loose).map(|who| format!("{who} {why}"))
}

fn seccomp(spec: &Value) -> Option<String> {
    if let Some(loose) = unconfined(spec) {
        return Some(loose);
    }
    let set =
        |context: &Value| matches!(context["seccompProfile"]["type"].as_str(), Some("RuntimeDefault" | "Localhost"));
    if set(&spec["securityContext"]) {
        return None;
    }
    let silent = named(spec, |container| !set(&container["securityContext"]));
    listed("container", &silent).map(|who| {
        format!("pod or {who} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(level: Level, spec: &Value) -> String {
        violations(level, u32::MAX, spec)
            .iter()
            .map(|one| format!("{} ({})", one.reason, one.detail))
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn a_plain_pod_is_baseline_and_not_restricted() {
        let spec = json!({"containers": [{"name": "c", "image": "x"}], "securityContext": {}});
        assert_eq!(shown(Level::Baseline, &spec), "");
        assert_eq!(
            shown(Level::Restricted, &spec),
            "allowPrivilegeEscalation != false (container \"c\" must set securityContext.allowPrivilegeEscalation=false), \
             unrestricted capabilities (container \"c\" must set securityContext.capabilities.drop=[\"ALL\"]), \
             runAsNonRoot != true (pod or container \"c\" must set securityContext.runAsNonRoot=true), \
             seccompProfile (pod or container \"c\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
        );
    }

    #[test]
    fn the_host_is_not_for_pods() {
        let spec = json!({
            "hostNetwork": true,
            "containers": [
                {"name": "a", "securityContext": {"privileged": true}, "ports": [{"containerPort": 80, "hostPort": 80}]},
                {"name": "b", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}},
            ],
            "volumes": [{"name": "root", "hostPath": {"path": "/"}}],
        });
        assert_eq!(
            shown(Level::Baseline, &spec),
            "non-default capabilities (container \"b\" must not include \"SYS_ADMIN\" in securityContext.capabilities.add), \
             host namespaces (hostNetwork=true), hostPath volumes (volume \"root\"), \
             hostPort (container \"a\" uses hostPort 80), \
             privileged (container \"a\" must not set securityContext.privileged=true)"
        );
    }

    #[test]
    fn a_careful_pod_is_restricted() {
        let spec = json!({
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "c", "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}],
            "volumes": [{"name": "v", "emptyDir": {}}],
        });
        assert_eq!(shown(Level::Restricted, &spec), "");
    }

    #[test]
    fn probes_and_hooks_reach_only_the_pod_itself_since_1_34() {
        let spec = json!({
            "initContainers": [{"name": "i", "lifecycle": {"preStop": {"httpGet": {"host": "example.com", "port": 80}}}}],
            "containers": [{"name": "c", "livenessProbe": {"tcpSocket": {"host": "10.0.0.1", "port": 80}}}],
        });
        let expected = "probe or lifecycle host (containers \"c\", \"i\" use probe or lifecycle hosts \"10.0.0.1\", \"example.com\")";
        assert_eq!(shown(Level::Baseline, &spec), expected);
        assert!(violations(Level::Baseline, 33, &spec).is_empty());
        let own = json!({"containers": [{"name": "c", "livenessProbe": {"httpGet": {"port": 80}}}]});
        assert_eq!(shown(Level::Baseline, &own), "");
    }
}
