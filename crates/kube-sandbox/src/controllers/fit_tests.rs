use std::collections::{BTreeMap, HashMap};

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
    fits(&search, node, there).err().unwrap_or_default()
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

#[test]
fn the_refusal_reads_as_the_scheduler_writes_it() {
    let refusals = BTreeMap::from([("node(s) didn't match Pod's node affinity/selector".to_owned(), 1)]);
    assert_eq!(
        explain(1, &refusals, None),
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, \
         preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    );
    let refusals = BTreeMap::from([("Insufficient cpu".to_owned(), 1)]);
    assert!(explain(1, &refusals, None).ends_with("1 No preemption victims found for incoming pod."));
}
