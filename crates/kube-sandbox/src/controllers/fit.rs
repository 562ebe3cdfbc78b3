//! Whether a pod fits a node, reason by reason, in the words of Kubernetes' scheduler.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::spread::{self, Search};
pub(crate) use super::suits::{matches_node, tolerates};
use crate::object::labels;
use crate::object::ports;
use crate::object::quantity::{self, Amounts};
use crate::runtime::{Object, meta};

/// Why a pod does not fit a node.
#[derive(Debug)]
pub(crate) struct Unfit {
    pub(crate) reasons: Vec<String>,
    /// It is for what the node is: no other pod that went would help.
    pub(crate) lasting: bool,
}

/// The first filter that refuses names its reasons; the order is that of the default plugins.
pub(crate) fn fits(search: &Search<'_>, node: &Object, there: &[Arc<Object>]) -> Result<(), Unfit> {
    let value = search.value;
    let machine = node.value();
    let refuse = |reason: &str| Err(Unfit { reasons: vec![reason.to_owned()], lasting: true });
    let refuse_now = |reason: &str| Err(Unfit { reasons: vec![reason.to_owned()], lasting: false });
    let cordon = serde_json::json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
    if machine["spec"]["unschedulable"] == true && !tolerates(value, &cordon) {
        return refuse("node(s) were unschedulable");
    }
    let wanted = meta::text(value, "/spec/nodeName");
    if !wanted.is_empty() && wanted != &*node.key.name {
        return refuse("node(s) didn't match the requested node name");
    }
    let taints = machine["spec"]["taints"].as_array().into_iter().flatten();
    let mut hard = taints.filter(|taint| taint["effect"] != "PreferNoSchedule");
    if hard.any(|taint| !tolerates(value, taint)) {
        return refuse("node(s) had untolerated taint(s)");
    }
    if !matches_node(value, node) {
        return refuse("node(s) didn't match Pod's node affinity/selector");
    }
    if ports_taken(value, there) {
        return refuse_now("node(s) didn't have free ports for the requested pod ports");
    }
    let lacking = lacking(value, &machine, there);
    if !lacking.reasons.is_empty() {
        return Err(lacking);
    }
    if let Some(reason) = spread::refuses(search, node) {
        return if reason == spread::MISSING { refuse(reason) } else { refuse_now(reason) };
    }
    match affinity(search, node) {
        Some(ALONE) => refuse(ALONE),
        Some(reason) => refuse_now(reason),
        None => Ok(()),
    }
}

fn ports_taken(pod: &Value, there: &[Arc<Object>]) -> bool {
    ports::wants_any(pod) && there.iter().any(|other| ports::conflict(pod, &other.value()))
}

fn lacking(pod: &Value, node: &Value, there: &[Arc<Object>]) -> Unfit {
    let room = &node["status"]["allocatable"];
    let (mut reasons, mut lasting) = (Vec::new(), false);
    let most = room["pods"].as_str().and_then(|pods| pods.parse::<usize>().ok());
    if most.is_some_and(|most| there.len() >= most) {
        reasons.push("Too many pods".to_owned());
    }
    let asked = quantity::requests(&pod["spec"]);
    if asked.iter().all(|(_, amount)| *amount == 0) {
        return Unfit { reasons, lasting };
    }
    let mut used = Amounts::new();
    for other in there {
        for (resource, amount) in quantity::requests(&other.value()["spec"]) {
            *used.entry(resource).or_default() += amount;
        }
    }
    for (resource, amount) in asked.into_iter().filter(|(_, amount)| *amount > 0) {
        let held = room.get(&resource).map_or(0, quantity::parse);
        if used.get(&resource).copied().unwrap_or_default() + amount > held {
            reasons.push(format!("Insufficient {resource}"));
            lasting |= amount > held;
        }
    }
    Unfit { reasons, lasting }
}

const ALONE: &str = "node(s) didn't match pod affinity rules";

/// Required affinity and anti-affinity between pods, of the newcomer and of those already there.
fn affinity(search: &Search<'_>, node: &Object) -> Option<&'static str> {
    let Search { pod, value, nodes, placed } = *search;
    let terms = |value: &Value, kind: &str| {
        let terms = &value["spec"]["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"];
        terms.as_array().cloned().unwrap_or_default()
    };
    let selected = |term: &Value, from: &Object, other: &Object| {
        let namespaces = term["namespaces"].as_array();
        let near = namespaces.map_or(from.key.namespace == other.key.namespace, |namespaces| {
            namespaces.iter().any(|namespace| *namespace == *other.key.namespace)
        });
        near && labels::selects(&term["labelSelector"], |key| other.label(key))
    };
    let neighbours = |term: &Value| {
        let topology = term["topologyKey"].as_str().unwrap_or_default().to_owned();
        let here = node.label(&topology).map(str::to_owned);
        let same = nodes.iter().filter(move |other| here.is_some() && other.label(&topology) == here.as_deref());
        same.flat_map(|other| placed.get(&other.key.name).into_iter().flatten()).cloned().collect::<Vec<_>>()
    };
    for term in terms(value, "podAffinity") {
        let met = neighbours(&term).iter().any(|other| selected(&term, pod, other));
        // The first of its group may stand alone.
        let first = selected(&term, pod, pod) && !placed.values().flatten().any(|other| selected(&term, pod, other));
        if !met && !first {
            return Some(ALONE);
        }
    }
    for term in terms(value, "podAntiAffinity") {
        if neighbours(&term).iter().any(|other| selected(&term, pod, other)) {
            return Some("node(s) didn't match pod anti-affinity rules");
        }
    }
    let refused = placed.values().flatten().any(|other| {
        let theirs = other.value();
        terms(&theirs, "podAntiAffinity").iter().any(|term| {
            selected(term, other, pod) && neighbours(term).iter().any(|neighbour| neighbour.uid == other.uid)
        })
    });
    refused.then_some("node(s) didn't satisfy existing pods anti-affinity rules")
}

/// The one line that `kubectl describe pod` shows: what each node lacks, and where others cannot give way, why not.
pub(crate) fn explain(nodes: usize, lacks: &str, preemption: Option<&str>) -> String {
    let after = preemption.map(|why| format!(" no new claims to deallocate, preemption: {why}")).unwrap_or_default();
    format!("{}{after}", none_available(nodes, lacks))
}

pub(crate) fn none_available(nodes: usize, why: &str) -> String {
    format!("0/{nodes} nodes are available: {why}.")
}

/// How many nodes have each reason, as the scheduler lists them.
pub(crate) fn counted(reasons: &BTreeMap<String, usize>) -> String {
    let mut counted: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    counted.sort();
    counted.join(", ")
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
