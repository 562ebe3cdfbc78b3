//! Preemption: which pods of lower priority give way to one that fits nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::fit;
use super::spread::Search;
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
fn waits_for_others(search: &Search<'_>, open: &[&Arc<Object>]) -> bool {
    let nominated = meta::text(search.value, "/status/nominatedNodeName");
    let own = priority(search.value);
    let there = search.placed.get(nominated).into_iter().flatten();
    open.iter().any(|node| &*node.key.name == nominated)
        && there.into_iter().any(|other| {
            let other = other.deleting.then(|| other.value());
            other.is_some_and(|other| priority(&other) < own && gives_way(&other))
        })
}

fn gives_way(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .filter(|condition| condition["type"] == "DisruptionTarget")
        .any(|condition| condition["status"] == "True" && condition["reason"] == REASON)
}

pub(crate) const REASON: &str = "PreemptionByScheduler";

/// The node on which the least has to go: the lowest of the highest priorities there, then the fewest pods. Of the
/// nodes, `open` are those on which it would help that others went. `Err` says why none is found.
pub(crate) fn find(search: &Search<'_>, open: &[&Arc<Object>]) -> Result<Victims, String> {
    let Search { value, nodes, placed, .. } = *search;
    if value["spec"]["preemptionPolicy"] == "Never" {
        return Err("not eligible due to preemptionPolicy=Never.".to_owned());
    }
    if waits_for_others(search, open) {
        return Err("not eligible due to a terminating pod on the nominated node.".to_owned());
    }
    let own = priority(value);
    let mut best: Option<((i64, usize), Victims)> = None;
    let mut why: BTreeMap<String, usize> = BTreeMap::new();
    let hopeless = nodes.len().saturating_sub(open.len());
    if hopeless > 0 {
        why.insert("Preemption is not helpful for scheduling".to_owned(), hopeless);
    }
    for node in open {
        let there = placed.get(&node.key.name).cloned().unwrap_or_default();
        let rated = there.into_iter().map(|other| (priority(&other.value()), other));
        let (mut lower, others): (Vec<_>, Vec<_>) = rated.partition(|(priority, _)| *priority < own);
        let mut stay: Vec<Arc<Object>> = others.into_iter().map(|(_, other)| other).collect();
        let fits_beside = |stay: &[Arc<Object>]| {
            let mut all = placed.clone();
            all.insert(Arc::clone(&node.key.name), stay.to_vec());
            fit::fits(&Search { placed: &all, ..*search }, node, stay)
        };
        if lower.is_empty() {
            *why.entry("No preemption victims found for incoming pod".to_owned()).or_default() += 1;
            continue;
        }
        if let Err(unfit) = fits_beside(&stay) {
            unfit.reasons.into_iter().for_each(|reason| *why.entry(reason).or_default() += 1);
            continue;
        }
        // As many stay as can, the most important and the oldest first.
        lower.sort_by(|(one, a), (other, b)| other.cmp(one).then_with(|| meta::oldest_first(a, b)));
        let mut victims = Vec::new();
        for (priority, other) in lower {
            stay.push(Arc::clone(&other));
            if fits_beside(&stay).is_err() {
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
    best.map(|(_, victims)| victims).ok_or_else(|| fit::none_available(nodes.len(), &fit::counted(&why)))
}
