//! Priority levels and flow schemas: who would be served first if the API were crowded.

use serde_json::{Value, json};

use super::Facts;

const GROUP: &str = "flowcontrol.apiserver.k8s.io/v1";

/// Name, shares, lendable percent, and the queues (count, hand size, length); no queues: rejected at once.
const LEVELS: &[(&str, u32, u32, Option<(u32, u32, u32)>)] = &[
    ("catch-all", 5, 0, None),
    ("global-default", 20, 50, Some((128, 6, 50))),
    ("leader-election", 10, 0, Some((16, 4, 50))),
    ("node-high", 40, 25, Some((64, 6, 50))),
    ("system", 30, 33, Some((64, 6, 50))),
    ("workload-high", 40, 50, Some((128, 6, 50))),
    ("workload-low", 100, 90, Some((128, 6, 50))),
];

/// Name, level, precedence, distinguished by, and its subjects; `*` resources everywhere where no rule is named.
const SCHEMAS: &[(&str, &str, u32, &str, &[&str])] = &[
    ("catch-all", "catch-all", 10_000, "ByUser", &["group:system:unauthenticated", "group:system:authenticated"]),
    ("exempt", "exempt", 1, "", &["group:system:masters"]),
    (
        "global-default",
        "global-default",
        9_900,
        "ByUser",
        &["group:system:unauthenticated", "group:system:authenticated"],
    ),
    ("kube-controller-manager", "workload-high", 800, "ByNamespace", &["user:system:kube-controller-manager"]),
    ("kube-scheduler", "workload-high", 800, "ByNamespace", &["user:system:kube-scheduler"]),
    ("kube-system-service-accounts", "workload-high", 900, "ByNamespace", &["sa:kube-system:*"]),
    ("probes", "exempt", 2, "", &["group:system:unauthenticated", "group:system:authenticated"]),
    ("service-accounts", "workload-low", 9_000, "ByUser", &["group:system:serviceaccounts"]),
    (
        "system-leader-election",
        "leader-election",
        100,
        "ByUser",
        &["user:system:kube-controller-manager", "user:system:kube-scheduler", "sa:kube-system:*"],
    ),
    ("system-node-high", "node-high", 400, "ByUser", &["group:system:nodes"]),
    ("system-nodes", "system", 500, "ByUser", &["group:system:nodes"]),
];

pub(super) fn objects(facts: &Facts) -> Vec<Value> {
    let levels = LEVELS.iter().map(|(name, shares, lendable, queues)| {
        let response = match queues {
            Some((count, hand, length)) => {
                json!({"type": "Queue", "queuing": {"queues": count, "handSize": hand, "queueLengthLimit": length}})
            }
            None => json!({"type": "Reject"}),
        };
        let limited =
            json!({"nominalConcurrencyShares": shares, "limitResponse": response, "lendablePercent": lendable});
        level(name, json!({"type": "Limited", "limited": limited}))
    });
    let exempt = json!({"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}});
    levels
        .chain([level("exempt", exempt)])
        .chain(SCHEMAS.iter().map(|(name, level, precedence, by, subjects)| {
            let mut spec = json!({
                "priorityLevelConfiguration": {"name": level},
                "matchingPrecedence": precedence,
                "rules": [rule(name, subjects)],
            });
            if !by.is_empty() {
                spec["distinguisherMethod"] = json!({"type": by});
            }
            json!({
                "apiVersion": GROUP, "kind": "FlowSchema", "metadata": metadata(name), "spec": spec,
                "status": {"conditions": [{
                    "type": "Dangling", "status": "False", "lastTransitionTime": facts.now, "reason": "Found",
                    "message": format!("This FlowSchema references the PriorityLevelConfiguration object named \"{level}\" and it exists"),
                }]},
            })
        }))
        .collect()
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}})
}

fn level(name: &str, spec: Value) -> Value {
    json!({"apiVersion": GROUP, "kind": "PriorityLevelConfiguration", "metadata": metadata(name), "spec": spec, "status": {}})
}

fn rule(name: &str, subjects: &[&str]) -> Value {
    let subjects: Vec<Value> = subjects.iter().filter_map(|subject| subject_of(subject)).collect();
    let everywhere = |groups: &[&str], resources: &[&str], verbs: &[&str]| json!({"verbs": verbs, "apiGroups": groups, "resources": resources, "clusterScope": true, "namespaces": ["*"]});
    let all_urls = json!([{"verbs": ["*"], "nonResourceURLs": ["*"]}]);
    match name {
        "probes" => json!({"subjects": subjects, "nonResourceRules": [
            {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]},
        ]}),
        "system-leader-election" => json!({"subjects": subjects, "resourceRules": [
            {"verbs": ["get", "create", "update"], "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "namespaces": ["*"]},
        ]}),
        "system-node-high" => json!({"subjects": subjects, "resourceRules": [
            everywhere(&[""], &["nodes", "nodes/status"], &["*"]),
            {"verbs": ["*"], "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "namespaces": ["*"]},
        ]}),
        _ => {
            json!({"subjects": subjects, "resourceRules": [everywhere(&["*"], &["*"], &["*"])], "nonResourceRules": all_urls})
        }
    }
}

fn subject_of(subject: &str) -> Option<Value> {
    let (kind, name) = subject.split_once(':')?;
    Some(match kind {
        "group" => json!({"kind": "Group", "group": {"name": name}}),
        "user" => json!({"kind": "User", "user": {"name": name}}),
        _ => {
            let (namespace, name) = name.split_once(':')?;
            json!({"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}})
        }
    })
}
