use std::collections::HashMap;

use serde_json::json;

use super::*;

fn node(extra: Value) -> Arc<Object> {
    let mut value = json!({
        "kind": "Node",
        "metadata": {"name": "n", "uid": "n", "labels": {"disk": "ssd"}},
        "spec": {},
        "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "2"}},
    });
    if let (Some(spec), Value::Object(extra)) = (value["spec"].as_object_mut(), extra) {
        spec.extend(extra);
    }
    Arc::new(Object::of(value).expect("a node"))
}

fn pod(spec: Value) -> (Arc<Object>, Value) {
    let value = json!({"kind": "Pod", "metadata": {"namespace": "d", "name": "p", "uid": "p", "labels": {"app": "a"}}, "spec": spec});
    (Arc::new(Object::of(value.clone()).expect("a pod")), value)
}

fn refusals(spec: Value, node: &Arc<Object>, there: &[Arc<Object>]) -> Vec<String> {
    let (pod, value) = pod(spec);
    let placed = HashMap::from([(Arc::from("n"), there.to_vec())]);
    let search = Search { pod: &pod, value: &value, nodes: std::slice::from_ref(node), placed: &placed };
    fits(&search, node, there).err().map(|unfit| unfit.reasons).unwrap_or_default()
}

#[test]
fn each_filter_names_its_reason() {
    let plain = node(json!({}));
    assert!(refusals(json!({}), &plain, &[]).is_empty());
    assert!(refusals(json!({"nodeSelector": {"disk": "ssd"}}), &plain, &[]).is_empty());
    let reason = |spec, node: &Arc<Object>| refusals(spec, node, &[]).join(", ");
    assert_eq!(
        reason(json!({"nodeSelector": {"disk": "hdd"}}), &plain),
        "node(s) didn't match Pod's node affinity/selector"
    );
    assert_eq!(reason(json!({}), &node(json!({"unschedulable": true}))), "node(s) were unschedulable");
    let tainted = node(json!({"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}));
    assert_eq!(reason(json!({}), &tainted), "node(s) had untolerated taint(s)");
    assert_eq!(reason(json!({"tolerations": [{"key": "k", "operator": "Exists"}]}), &tainted), "");
    let large = json!({"containers": [{"resources": {"requests": {"cpu": "3", "memory": "2Gi"}}}]});
    assert_eq!(reason(large, &plain), "Insufficient cpu, Insufficient memory");
    let (other, _) = pod(json!({}));
    assert_eq!(refusals(json!({}), &plain, &[other.clone(), other]).join(", "), "Too many pods");
}

#[test]
fn pods_keep_apart_where_they_ask_to() {
    let mut apart = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "disk", "labelSelector": {"matchLabels": {"app": "a"}}},
    ]}}});
    let (other, _) = pod(json!({}));
    let plain = node(json!({}));
    assert_eq!(refusals(apart.take(), &plain, &[]), Vec::<String>::new());
    let apart = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "disk", "labelSelector": {"matchLabels": {"app": "a"}}},
    ]}}});
    assert_eq!(refusals(apart, &plain, &[other]), ["node(s) didn't match pod anti-affinity rules"]);
}

/// What a pod without a node is told, where `there` are on the one node.
fn told(spec: Value, node: &Arc<Object>, there: &[Arc<Object>]) -> String {
    let (pod, value) = pod(spec);
    let placed = HashMap::from([(Arc::from("n"), there.to_vec())]);
    let search = Search { pod: &pod, value: &value, nodes: std::slice::from_ref(node), placed: &placed };
    let unfit = fits(&search, node, there).expect_err("it does not fit");
    let open = if unfit.lasting { vec![] } else { vec![node] };
    let reasons = unfit.reasons.into_iter().map(|reason| (reason, 1)).collect();
    let found = super::super::preempt::find(&search, &open);
    explain(1, &counted(&reasons), found.err().as_deref())
}

/// `pkg/scheduler/framework/types.go`, `FitError.Error`; what each filter's status is, in its plugin's `Filter`.
#[test]
fn the_refusal_reads_as_the_scheduler_writes_it() {
    let lacks = |cpu: &str, priority: i64| json!({"priority": priority, "containers": [{"resources": {"requests": {"cpu": cpu}}}]});
    let plain = node(json!({}));
    let whole = |why: &str, after: &str| {
        let none = "0/1 nodes are available: ";
        format!("{none}1 {why}. no new claims to deallocate, preemption: {none}1 {after}.")
    };
    let unhelpful = "Preemption is not helpful for scheduling";
    assert_eq!(
        told(json!({"nodeSelector": {"disk": "hdd"}}), &plain, &[]),
        whole("node(s) didn't match Pod's node affinity/selector", unhelpful)
    );
    // More than the node has, whoever goes.
    assert_eq!(told(lacks("3", 0), &plain, &[]), whole("Insufficient cpu", unhelpful));
    let (other, _) = pod(lacks("1500m", 0));
    let there = std::slice::from_ref(&other);
    assert_eq!(
        told(lacks("1", 0), &plain, there),
        whole("Insufficient cpu", "No preemption victims found for incoming pod")
    );
    assert_eq!(told(lacks("1", 5), &plain, there), "0/1 nodes are available: 1 Insufficient cpu.");
    // Who may go holds too little.
    let (low, _) = pod(lacks("200m", -1));
    assert_eq!(
        told(lacks("1", 0), &plain, &[other.clone(), low]),
        whole("Insufficient cpu, 1 Too many pods", "Insufficient cpu")
    );
    let mut never = lacks("1", 5);
    never["preemptionPolicy"] = "Never".into();
    assert_eq!(
        told(never, &plain, there),
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to \
         preemptionPolicy=Never."
    );
}
