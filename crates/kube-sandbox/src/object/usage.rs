//! What objects count for against a quota: the API asks it of what is new, the quotas' controller of what is there.

use serde_json::{Value, json};

use crate::object::quantity::{self, Amounts};
use kube_etcd_codec::names::{CLAIMS, Name, PODS, SERVICES};

const ONE: i128 = 1000;

/// What one object counts for, under every name that a quota may limit it by.
pub(crate) fn usage(kind: Name<'_>, object: &Value) -> Amounts {
    let Name { group, plural } = kind;
    let dot = if group.is_empty() { "" } else { "." };
    let mut asked = Amounts::from([(format!("count/{plural}{dot}{group}"), ONE)]);
    let mut add = |name: &str, amount: i128| *asked.entry(name.to_owned()).or_default() += amount;
    if !group.is_empty() {
        return asked;
    }
    match kind {
        // One that is over still lies in the store, and takes nothing else any more.
        PODS if matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) => {}
        PODS => {
            add(plural, ONE);
            for (part, short) in [("requests", true), ("limits", false)] {
                for (name, amount) in quantity::total(&object["spec"], part) {
                    add(&format!("{part}.{name}"), amount);
                    if short {
                        add(&name, amount);
                    }
                }
            }
        }
        SERVICES => {
            add(plural, ONE);
            let ports = object.pointer("/spec/ports").and_then(Value::as_array).map_or(0, Vec::len);
            let ports = i128::try_from(ports).unwrap_or(0) * ONE;
            match object.pointer("/spec/type").and_then(Value::as_str) {
                Some("NodePort") => add("services.nodeports", ports),
                Some("LoadBalancer") => {
                    add("services.nodeports", ports);
                    add("services.loadbalancers", ONE);
                }
                _ => {}
            }
        }
        CLAIMS => {
            let storage = object.pointer("/spec/resources/requests/storage").map_or(0, quantity::parse);
            add(plural, ONE);
            add("requests.storage", storage);
            if let Some(class) = object.pointer("/spec/storageClassName").and_then(Value::as_str) {
                add(&format!("{class}.storageclass.storage.k8s.io/{plural}"), ONE);
                add(&format!("{class}.storageclass.storage.k8s.io/requests.storage"), storage);
            }
        }
        _ => add(plural, ONE),
    }
    asked
}

/// Whether the quota's scopes are about this object.
pub(crate) fn covers(quota: &Value, kind: Name<'_>, object: &Value) -> bool {
    let scopes = quota.pointer("/spec/scopes").and_then(Value::as_array).into_iter().flatten();
    let expressions = quota.pointer("/spec/scopeSelector/matchExpressions").and_then(Value::as_array);
    let mut wanted: Vec<(&str, &str, Vec<&str>)> =
        scopes.filter_map(Value::as_str).map(|scope| (scope, "Exists", Vec::new())).collect();
    wanted.extend(expressions.into_iter().flatten().map(|one| {
        let values = one["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        (one["scopeName"].as_str().unwrap_or_default(), one["operator"].as_str().unwrap_or_default(), values)
    }));
    if wanted.is_empty() {
        return true;
    }
    if kind != PODS {
        return false;
    }
    let effort = object.pointer("/status/qosClass") == Some(&json!("BestEffort"));
    let ends = object.pointer("/spec/activeDeadlineSeconds").is_some_and(|seconds| !seconds.is_null());
    let class = object.pointer("/spec/priorityClassName").and_then(Value::as_str).unwrap_or_default();
    wanted.into_iter().all(|(scope, operator, values)| match scope {
        "BestEffort" => effort,
        "NotBestEffort" => !effort,
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "PriorityClass" => match operator {
            "In" => values.contains(&class),
            "NotIn" => !values.contains(&class),
            "DoesNotExist" => class.is_empty(),
            _ => !class.is_empty(),
        },
        _ => false,
    })
}

/// The group and the plural of what a name of a quota counts.
pub(crate) fn counted(name: &str) -> Name<'_> {
    let storage = name.contains(".storageclass.storage.k8s.io/");
    match name {
        "services.nodeports" | "services.loadbalancers" => SERVICES,
        "requests.storage" => CLAIMS,
        _ if storage => CLAIMS,
        "cpu" | "memory" | "ephemeral-storage" => PODS,
        _ if name.starts_with("requests.") || name.starts_with("limits.") => PODS,
        _ => {
            let object = name.strip_prefix("count/").unwrap_or(name);
            let (plural, group) = object.split_once('.').unwrap_or((object, ""));
            Name { group, plural }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube_etcd_codec::names;

    #[test]
    fn scopes_choose_pods() {
        let quota = json!({"spec": {"hard": {"pods": "1"}, "scopes": ["BestEffort"]}});
        assert!(covers(&quota, PODS, &json!({"status": {"qosClass": "BestEffort"}})));
        assert!(!covers(&quota, PODS, &json!({"status": {"qosClass": "Burstable"}})));
        assert!(!covers(&quota, SERVICES, &json!({})));
    }

    #[test]
    fn whatever_an_object_counts_for_is_looked_for_among_its_kind() {
        let objects = [
            (names::SERVICES, json!({"spec": {"type": "LoadBalancer", "ports": [{}, {}]}})),
            (
                names::CLAIMS,
                json!({"spec": {
                "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}}),
            ),
            (
                names::PODS,
                json!({"spec": {"containers": [
                {"resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}}]}}),
            ),
            (names::DEPLOYMENTS, json!({})),
            (names::CONFIGMAPS, json!({})),
        ];
        for (kind, object) in objects {
            for name in usage(kind, &object).into_keys() {
                assert_eq!(counted(&name), kind, "{name}");
            }
        }
    }

    #[test]
    fn a_pod_that_is_over_only_takes_a_place_in_the_store() {
        let pod = |phase: &str| json!({"status": {"phase": phase}, "spec": {"containers": []}});
        assert_eq!(usage(PODS, &pod("Succeeded")), Amounts::from([("count/pods".to_owned(), ONE)]));
        assert!(usage(PODS, &pod("Running")).contains_key("pods"));
    }
}
