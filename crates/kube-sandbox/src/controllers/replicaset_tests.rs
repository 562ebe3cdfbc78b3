use super::*;

fn pod(name: &str, node: &str, ready: bool, created: &str) -> Object {
    let status = if ready { "True" } else { "False" };
    let mut value = json!({
        "kind": "Pod",
        "metadata": {"namespace": "n", "name": name, "uid": name, "creationTimestamp": created, "labels": {"app": "a"}},
        "spec": {},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": status, "lastTransitionTime": created}]},
    });
    if !node.is_empty() {
        value["spec"]["nodeName"] = node.into();
    }
    Object::of(value).expect("a pod")
}

#[test]
fn what_serves_least_goes_first() {
    let mut pods = [
        pod("old", "n", true, "2020-01-01T00:00:00Z"),
        pod("new", "n", true, "2020-01-02T00:00:00Z"),
        pod("unready", "n", false, "2020-01-01T00:00:00Z"),
        pod("unbound", "", false, "2020-01-01T00:00:00Z"),
    ];
    pods.sort_by(first_to_go);
    let names: Vec<_> = pods.iter().map(|pod| pod.key.name.to_string()).collect();
    assert_eq!(names, ["unbound", "unready", "new", "old"]);
}

#[test]
fn a_status_counts_and_leaves_zeros_out() {
    let set = json!({
        "kind": "ReplicaSet", "metadata": {"generation": 2},
        "spec": {"template": {"metadata": {"labels": {"app": "a"}}}},
    });
    let active =
        [Arc::new(pod("a", "n", true, "2020-01-01T00:00:00Z")), Arc::new(pod("b", "n", false, "2020-01-01T00:00:00Z"))];
    let status = status_of(&set, &active, 1, None);
    assert_eq!(
        status,
        json!({"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 1, "availableReplicas": 1, "terminatingReplicas": 1, "observedGeneration": 2})
    );
    assert_eq!(
        status_of(&set, &[], 0, None),
        json!({"replicas": 0, "terminatingReplicas": 0, "observedGeneration": 2})
    );
}
