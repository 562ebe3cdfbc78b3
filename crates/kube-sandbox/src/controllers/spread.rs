//! Topology spread constraints: how evenly pods lie over nodes, zones, or what else nodes are labelled with.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::suits::{matches_node, tolerates};
use crate::object::labels;
use crate::runtime::Object;

/// The pods of each node.
pub(crate) type Placed = HashMap<Arc<str>, Vec<Arc<Object>>>;

/// A pod that looks for a node, and what it finds.
#[derive(Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) pod: &'a Object,
    pub(crate) value: &'a Value,
    pub(crate) nodes: &'a [Arc<Object>],
    pub(crate) placed: &'a Placed,
}

pub(super) const MISSING: &str = "node(s) didn't match pod topology spread constraints (missing required label)";
const UNEVEN: &str = "node(s) didn't match pod topology spread constraints";

fn constraints<'v>(value: &'v Value, when: &'v str) -> impl Iterator<Item = &'v Value> {
    let all = value["spec"]["topologySpreadConstraints"].as_array().into_iter().flatten();
    all.filter(move |one| one["whenUnsatisfiable"] == when)
}

fn key(constraint: &Value) -> &str {
    constraint["topologyKey"].as_str().unwrap_or_default()
}

fn counts(constraint: &Value, pod: &Object, other: &Object) -> bool {
    let keys = constraint["matchLabelKeys"].as_array().into_iter().flatten().filter_map(Value::as_str);
    other.key.namespace == pod.key.namespace
        && !other.deleting
        && constraint["labelSelector"].is_object()
        && labels::selects(&constraint["labelSelector"], |key| other.label(key))
        && keys.filter(|key| pod.label(key).is_some()).all(|key| other.label(key) == pod.label(key))
}

/// Whether the pods of a node, and the node itself, are looked at.
fn is_eligible(constraint: &Value, value: &Value, node: &Object) -> bool {
    let affinity = constraint["nodeAffinityPolicy"] == "Ignore" || matches_node(value, node);
    let honours = constraint["nodeTaintsPolicy"] == "Honor";
    let taints = || node.value()["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let hard = |taint: &Value| taint["effect"] != "PreferNoSchedule";
    affinity && (!honours || taints().iter().filter(|taint| hard(taint)).all(|taint| tolerates(value, taint)))
}

/// How many pods that count lie in each domain.
fn domains(constraint: &Value, search: &Search<'_>) -> BTreeMap<String, i64> {
    let mut all = BTreeMap::new();
    for node in search.nodes.iter().filter(|node| is_eligible(constraint, search.value, node)) {
        let Some(domain) = node.label(key(constraint)) else { continue };
        let there = search.placed.get(&node.key.name).into_iter().flatten();
        let count = there.filter(|other| counts(constraint, search.pod, other)).count();
        *all.entry(domain.to_owned()).or_default() += i64::try_from(count).unwrap_or(i64::MAX);
    }
    all
}

/// Why a node would make it too uneven.
pub(super) fn refuses(search: &Search<'_>, node: &Object) -> Option<&'static str> {
    for constraint in constraints(search.value, "DoNotSchedule") {
        let Some(domain) = node.label(key(constraint)) else { return Some(MISSING) };
        let all = domains(constraint, search);
        let enough = constraint["minDomains"].as_u64().is_none_or(|least| all.len() as u64 >= least);
        let least = if enough { all.values().min().copied().unwrap_or_default() } else { 0 };
        let itself = i64::from(counts(constraint, search.pod, search.pod));
        let skew = all.get(domain).copied().unwrap_or_default() + itself - least;
        if skew > constraint["maxSkew"].as_i64().unwrap_or(1) {
            return Some(UNEVEN);
        }
    }
    None
}

/// How many pods lie already where the node is, by the constraints that are only wished: fewer are better.
pub(super) fn load(search: &Search<'_>, node: &Object) -> i64 {
    let each = |constraint: &Value| match node.label(key(constraint)) {
        Some(domain) => domains(constraint, search).get(domain).copied().unwrap_or_default(),
        // Without the label it is no domain at all.
        None => i64::from(u16::MAX),
    };
    constraints(search.value, "ScheduleAnyway").map(each).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str, labels: Value, spec: Value) -> Arc<Object> {
        let value = json!({
            "kind": kind, "metadata": {"namespace": "d", "name": name, "uid": name, "labels": labels}, "spec": spec,
        });
        Arc::new(Object::of(value).expect("an object"))
    }

    fn wanting(constraint: Value) -> Arc<Object> {
        let mut whole = json!({
            "topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "a"}},
        });
        whole.as_object_mut().expect("a map").extend(constraint.as_object().expect("a map").clone());
        object("Pod", "new", json!({"app": "a"}), json!({"topologySpreadConstraints": [whole]}))
    }

    #[test]
    fn pods_are_spread_as_evenly_as_they_ask() {
        let node = |name: &str, zone: &str| object("Node", name, json!({"zone": zone}), json!({}));
        let nodes = [node("a1", "a"), node("a2", "a"), node("b1", "b"), object("Node", "x", json!({}), json!({}))];
        let pod = |name: &str, app: &str| object("Pod", name, json!({"app": app}), json!({}));
        let placed: Placed = HashMap::from([
            ("a1".into(), vec![pod("one", "a"), pod("other", "z")]),
            ("b1".into(), vec![pod("three", "z")]),
        ]);
        let refused = |constraint: Value| {
            let pod = wanting(constraint);
            let value = pod.value();
            let search = Search { pod: &pod, value: &value, nodes: &nodes, placed: &placed };
            let names = nodes.iter().filter(|node| refuses(&search, node).is_some());
            names.map(|node| node.key.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(refused(json!({})), ["a1", "a2", "x"], "one lies in zone a already");
        assert_eq!(refused(json!({"maxSkew": 2})), ["x"]);
        assert_eq!(refused(json!({"minDomains": 3, "maxSkew": 1})), ["a1", "a2", "x"]);
        assert_eq!(refused(json!({"whenUnsatisfiable": "ScheduleAnyway"})), Vec::<String>::new());
        let other = json!({"labelSelector": {"matchLabels": {"app": "z"}}});
        assert_eq!(refused(other), ["x"], "one lies in each zone");
        let wish = wanting(json!({"whenUnsatisfiable": "ScheduleAnyway"}));
        let value = wish.value();
        let search = Search { pod: &wish, value: &value, nodes: &nodes, placed: &placed };
        let loads = nodes.iter().map(|node| load(&search, node));
        assert_eq!(loads.collect::<Vec<_>>(), [1, 1, 0, i64::from(u16::MAX)]);
        let (pod, value) = (wanting(json!({})), wanting(json!({})).value());
        let search = Search { pod: &pod, value: &value, ..search };
        let missing = refuses(&search, &nodes[3]);
        assert_eq!(missing, Some(MISSING));
    }
}
