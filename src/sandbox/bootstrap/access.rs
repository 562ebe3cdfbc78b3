//! Roles, bindings and service accounts: read from `access.txt`, whose head says how it is written.

use serde_json::{Value, json};

const TABLE: &str = include_str!("access.txt");
const RBAC: &str = "rbac.authorization.k8s.io";
const CONTROLLER: &str = "system:controller:";

/// Controllers that run only with a cloud provider or a feature that is off: roles, but no accounts.
const WITHOUT_ACCOUNT: &[&str] = &["route-controller", "selinux-warning-controller", "service-controller"];

pub(super) fn objects() -> Vec<Value> {
    let mut objects: Vec<Value> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["clusterrole", name, more @ ..] => {
                objects.push(role("ClusterRole", None, name, more));
                if let Some(controller) = name.strip_prefix(CONTROLLER) {
                    objects.push(binding(None, name, name, &[&format!("sa:kube-system:{controller}")]));
                    if !WITHOUT_ACCOUNT.contains(&controller) {
                        objects.push(account("kube-system", controller));
                    }
                }
            }
            ["role", namespace, name, more @ ..] => objects.push(role("Role", Some(namespace), name, more)),
            ["bind", name, "as", role, "to", subjects @ ..] => {
                let (namespace, name) = in_namespace(name);
                objects.push(binding(namespace, name, role, subjects));
            }
            ["bind", name, "to", subjects @ ..] => {
                let (namespace, name) = in_namespace(name);
                objects.push(binding(namespace, name, name, subjects));
            }
            ["account", namespace, name] => objects.push(account(namespace, name)),
            [verbs, "url", paths] => {
                push_rule(&mut objects, json!({"verbs": list(verbs), "nonResourceURLs": list(paths)}));
            }
            [verbs, groups, resources, only @ ..] => {
                let mut rule = json!({"verbs": list(verbs), "apiGroups": list(groups), "resources": list(resources)});
                if let ["only", names] = only {
                    rule["resourceNames"] = list(names).into();
                }
                push_rule(&mut objects, rule);
            }
            _ => {}
        }
    }
    objects
}

fn list(words: &str) -> Vec<&str> {
    words.split(',').map(|word| if word == "core" { "" } else { word }).collect()
}

fn in_namespace(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, name),
    }
}

/// The rules of a role stand in the lines under it.
fn push_rule(objects: &mut [Value], rule: Value) {
    let role = objects.iter_mut().rev().find(|object| object.get("rules").is_some());
    if let Some(rules) = role.and_then(|role| role["rules"].as_array_mut()) {
        rules.push(rule);
    }
}

/// What the API server itself keeps up to date is marked so.
fn metadata(namespace: Option<&str>, name: &str, by_kubeadm: bool) -> Value {
    let mut metadata = json!({"name": name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    if !by_kubeadm {
        metadata["labels"] = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
        metadata["annotations"] = json!({"rbac.authorization.kubernetes.io/autoupdate": "true"});
    }
    metadata
}

fn role(kind: &str, namespace: Option<&str>, name: &str, more: &[&str]) -> Value {
    let mut metadata = metadata(namespace, name, more == ["by", "kubeadm"]);
    let mut role = json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind, "rules": []});
    if let ["aggregated-into", other] = more {
        metadata["labels"][format!("{RBAC}/aggregate-to-{other}")] = "true".into();
    }
    if matches!(name, "admin" | "edit" | "view") {
        let selector = json!({"matchLabels": {format!("{RBAC}/aggregate-to-{name}"): "true"}});
        role["aggregationRule"] = json!({"clusterRoleSelectors": [selector]});
    }
    role["metadata"] = metadata;
    role
}

fn binding(namespace: Option<&str>, name: &str, role: &str, subjects: &[&str]) -> Value {
    let by_kubeadm = name.starts_with("kubeadm:") || matches!(name, "kube-proxy" | "system:coredns");
    let role_kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    let subjects: Vec<Value> = subjects.iter().filter_map(|subject| subject_of(subject)).collect();
    let mut binding = json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" },
        "metadata": metadata(namespace, name, by_kubeadm),
        "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role},
    });
    if !subjects.is_empty() {
        binding["subjects"] = subjects.into();
    }
    binding
}

fn subject_of(subject: &str) -> Option<Value> {
    let (kind, name) = subject.split_once(':')?;
    Some(match kind {
        "group" => json!({"kind": "Group", "apiGroup": RBAC, "name": name}),
        "user" => json!({"kind": "User", "apiGroup": RBAC, "name": name}),
        _ => {
            let (namespace, name) = name.split_once(':')?;
            json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
        }
    })
}

pub(super) fn account(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_becomes_something() {
        let objects = objects();
        let of = |kind: &str| objects.iter().filter(|object| object["kind"] == kind).count();
        assert_eq!((of("ClusterRole"), of("ClusterRoleBinding")), (72, 59));
        assert_eq!((of("Role"), of("RoleBinding")), (11, 11));
        assert_eq!(of("ServiceAccount"), 40);
        for role in objects.iter().filter(|object| object.get("rules").is_some()) {
            assert!(!role["rules"].as_array().expect("rules").is_empty(), "{role}");
        }
    }

    #[test]
    fn a_role_reads_as_kubernetes_stores_it() {
        let objects = objects();
        let role = objects
            .iter()
            .find(|object| {
                object["kind"] == "Role"
                    && object["metadata"]["namespace"] == "kube-public"
                    && object["metadata"]["name"] == "system:controller:bootstrap-signer"
            })
            .expect("it is there");
        assert_eq!(
            role["rules"],
            json!([
                {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["configmaps"]},
                {"verbs": ["update"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["cluster-info"]},
                {"verbs": ["create", "patch", "update"], "apiGroups": ["", "events.k8s.io"], "resources": ["events"]},
            ])
        );
        assert_eq!(role["metadata"]["labels"], json!({"kubernetes.io/bootstrapping": "rbac-defaults"}));
    }
}
