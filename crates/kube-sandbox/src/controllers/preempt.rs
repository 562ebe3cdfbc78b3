//! Preemption: which pods of lower priority give way to one that fits nowhere else.

use std::sync::Arc;

use serde_json::Value;

use super::fit;
use super::spread::{Placed, Search};
use crate::runtime::{Object, meta};

/// Those of a node that have to go.
pub(crate) struct Victims {
    pub(crate) node: Arc<str>,
    pub(crate) pods: Vec<Arc<Object>>,
}

pub(crate) fn priority(pod: &Value) -> i64 {
    meta::int(&pod["spec"]["priority"], 0)
}

/// Whether the pod has made others give way already, who are still going.
pub(crate) fn waits_for_others(pod: &Value, placed: &Placed) -> bool {
    let own = priority(pod);
    let there = placed.get(meta::text(pod, "/status/nominatedNodeName")).into_iter().flatten();
    there.into_iter().any(|other| other.deleting && priority(&other.value()) < own)
}

/// The node on which the least has to go: the lowest of the highest priorities there, then the fewest pods.
pub(crate) fn find(search: &Search<'_>) -> Option<Victims> {
    let Search { value, nodes, placed, .. } = *search;
    if value["spec"]["preemptionPolicy"] == "Never" {
        return None;
    }
    let own = priority(value);
    let mut best: Option<((i64, usize), Victims)> = None;
    for node in nodes {
        let there = placed.get(&node.key.name).cloned().unwrap_or_default();
        let rated = there.into_iter().map(|other| (priority(&other.value()), other));
        let (mut lower, others): (Vec<_>, Vec<_>) = rated.partition(|(priority, _)| *priority < own);
        let mut stay: Vec<Arc<Object>> = others.into_iter().map(|(_, other)| other).collect();
        let fits_beside = |stay: &[Arc<Object>]| {
            let mut all = placed.clone();
            all.insert(Arc::clone(&node.key.name), stay.to_vec());
            fit::fits(&Search { placed: &all, ..*search }, node, stay).is_ok()
        };
        if lower.is_empty() || !fits_beside(&stay) {
            continue;
        }
        // As many stay as can, the most important and the oldest first.
        lower.sort_by(|(one, a), (other, b)| other.cmp(one).then_with(|| meta::oldest_first(a, b)));
        let mut victims = Vec::new();
        for (priority, other) in lower {
            stay.push(Arc::clone(&other));
            if !fits_beside(&stay) {
                stay.pop();
                victims.push((priority, other));
            }
        }
        let Some(highest) = victims.iter().map(|(priority, _)| *priority).max() else { continue };
        let rank = (highest, victims.len());
        if best.as_ref().is_none_or(|(least, _)| rank < *least) {
            let pods = victims.into_iter().map(|(_, other)| other).collect();
            best = Some((rank, Victims { node: Arc::clone(&node.key.name), pods }));
        }
    }
    best.map(|(_, victims)| victims)
}
