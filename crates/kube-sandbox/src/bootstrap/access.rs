//! Roles, bindings and service accounts, from a table of one rule a line.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

const TABLE: &str = include_str!("access.txt");
const RBAC: &str = "rbac.authorization.k8s.io";
const API_VERSION: &str = "rbac.authorization.k8s.io/v1";

pub(super) fn objects() -> Vec<Value> {
    let mut all = Vec::new();
    let mut rules: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in TABLE.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if let Some(rule) = line.strip_prefix("  ") {
            if let Some(role) = all.last_mut() {
                push_rule(role, rule);
            }
            continue;
        }
        let mut words = line.split(' ');
        let first = words.next().unwrap_or_default();
        let mut word = || words.next().unwrap_or_default();
        match first {
            "clusterrole" => {
                let name = word();
                all.push(cluster_role(name, words));
            }
            "controller" => {
                let name = word();
                let role = format!("system:controller:{name}");
                // The binding first: the rules that follow are the role's.
                all.push(binding(None, &role, "ClusterRole", &role, [format!("account:kube-system/{name}").as_str()]));
                all.push(cluster_role(&role, std::iter::empty()));
            }
            "role" => {
                let namespace = word();
                let name = word();
                all.push(object("Role", Some(namespace), name));
            }
            "bind" => {
                let (name, role) = (word(), word());
                all.push(binding(None, name, "ClusterRole", role, words));
            }
            "bind-in" => {
                let (namespace, name, role) = (word(), word(), word());
                let (kind, role) = role.split_once('/').unwrap_or(("Role", role));
                all.push(binding(Some(namespace), name, kind, role, words));
            }
            _ => {
                let namespace = word();
                all.extend(words.map(|name| {
                    json!({"apiVersion": "v1", "kind": "ServiceAccount",
                           "metadata": {"name": name, "namespace": namespace}})
                }));
            }
        }
    }
    // Aggregated roles hold what the labelled ones hold; edit's own rules count for admin as well.
    for level in ["view", "edit", "admin"] {
        let label = format!("{RBAC}/aggregate-to-{level}");
        let mut parts: Vec<&Value> =
            all.iter().filter(|role| role["metadata"]["labels"].get(&label).is_some()).collect();
        parts.sort_by_key(|role| role["metadata"]["name"].as_str().map(str::to_owned));
        let mut gathered: Vec<Value> = Vec::new();
        for part in parts {
            let name = part["metadata"]["name"].as_str().unwrap_or_default();
            let own = rules.get(name).cloned().unwrap_or_else(|| part["rules"].as_array().cloned().unwrap_or_default());
            gathered.extend(own.into_iter().filter(|rule| !gathered.contains(rule)).collect::<Vec<_>>());
        }
        if let Some(role) =
            all.iter_mut().find(|role| role["metadata"]["name"] == level && role["kind"] == "ClusterRole")
        {
            role["rules"] = json!(gathered);
        }
        rules.insert(level.to_owned(), gathered);
    }
    all
}

/// Names that kubeadm made carry no marks; Kubernetes' own are kept up to date by the API server.
fn object(kind: &str, namespace: Option<&str>, name: &str) -> Value {
    let bare = name.strip_prefix('@');
    let mut metadata = Map::new();
    metadata.insert("name".into(), json!(bare.unwrap_or(name)));
    if let Some(namespace) = namespace {
        metadata.insert("namespace".into(), json!(namespace));
    }
    if bare.is_none() {
        metadata.insert("labels".into(), json!({"kubernetes.io/bootstrapping": "rbac-defaults"}));
        metadata.insert("annotations".into(), json!({"rbac.authorization.kubernetes.io/autoupdate": "true"}));
    }
    json!({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata})
}

fn cluster_role<'a>(name: &str, marks: impl Iterator<Item = &'a str>) -> Value {
    let mut role = object("ClusterRole", None, name);
    for mark in marks {
        if let Some(level) = mark.strip_prefix("aggregated=") {
            let mut labels = Map::new();
            labels.insert(format!("{RBAC}/aggregate-to-{level}"), json!("true"));
            role["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": labels}]});
        } else {
            role["metadata"]["labels"][format!("{RBAC}/{mark}")] = json!("true");
        }
    }
    role["rules"] = json!([]);
    role
}

fn binding<'a>(
    namespace: Option<&str>,
    name: &str,
    kind: &str,
    role: &str,
    subjects: impl IntoIterator<Item = &'a str>,
) -> Value {
    let mut binding = object(if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" }, namespace, name);
    binding["roleRef"] = json!({"apiGroup": RBAC, "kind": kind, "name": role});
    let subjects: Vec<Value> = subjects
        .into_iter()
        .map(|subject| {
            let (kind, name) = subject.split_once(':').unwrap_or(("user", subject));
            match (kind, name.split_once('/')) {
                ("account", Some((namespace, name))) => {
                    json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
                }
                ("group", _) => json!({"apiGroup": RBAC, "kind": "Group", "name": name}),
                _ => json!({"apiGroup": RBAC, "kind": "User", "name": name}),
            }
        })
        .collect();
    if !subjects.is_empty() {
        binding["subjects"] = json!(subjects);
    }
    binding
}

fn push_rule(role: &mut Value, line: &str) {
    let mut parts = line.split(" | ");
    let mut list = || parts.next().map(|part| part.trim().split(',').collect::<Vec<_>>());
    let (verbs, groups, resources, names) = (list(), list(), list(), list());
    let verbs: Vec<&str> = verbs
        .into_iter()
        .flatten()
        .flat_map(|verb| match verb {
            "r" => vec!["get", "list", "watch"],
            "w" => vec!["create", "delete", "deletecollection", "patch", "update"],
            other => vec![other],
        })
        .collect();
    let groups = groups.unwrap_or_default();
    let mut rule = json!({"verbs": verbs});
    if groups == ["url"] {
        rule["nonResourceURLs"] = json!(resources);
    } else {
        let groups: Vec<&str> = groups.into_iter().map(|group| if group == "core" { "" } else { group }).collect();
        rule["apiGroups"] = json!(groups);
        rule["resources"] = json!(resources);
        if let Some(names) = names {
            rule["resourceNames"] = json!(names);
        }
    }
    match role.get_mut("rules").and_then(Value::as_array_mut) {
        Some(rules) => rules.push(rule),
        None => role["rules"] = json!([rule]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roles_of_the_recording_come_out_as_it_has_them() {
        let ours = objects();
        let mut compared = 0;
        for line in include_str!("../../../../tests/data/values.jsonl").lines() {
            let record: Value = serde_json::from_str(line).expect("a record");
            let real = &record["value"];
            let kind = real["kind"].as_str().unwrap_or_default();
            if !kind.contains("Role") || real["metadata"]["namespace"] == "default" {
                continue;
            }
            let same = |one: &&Value| {
                one["kind"] == kind
                    && one["metadata"]["name"] == real["metadata"]["name"]
                    && one["metadata"].get("namespace") == real["metadata"].get("namespace")
            };
            let one = ours.iter().find(same).unwrap_or_else(|| panic!("{} is missing", record["key"]));
            for field in ["rules", "roleRef", "subjects", "aggregationRule"] {
                assert_eq!(one.get(field), real.get(field), "{field} of {}", record["key"]);
            }
            for field in ["labels", "annotations"] {
                assert_eq!(one["metadata"].get(field), real["metadata"].get(field), "{field} of {}", record["key"]);
            }
            compared += 1;
        }
        assert!(compared >= 8, "only {compared} were compared");
    }
}
