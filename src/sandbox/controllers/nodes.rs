//! What follows from the state of a node: the taint of a cordon, and the end of pods that a taint does not bear.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::runtime::{
    Context, Controller, Error, Key, NODES, Next, Object, PODS, Recorder, Rest, Severity, Source, Store, seconds,
};
use super::{fit, meta, pods};

const CORDON: &str = "node.kubernetes.io/unschedulable";

pub(crate) struct Nodes {
    rest: Rest,
    nodes: Arc<Store>,
    pods: Arc<Store>,
    events: Recorder,
    registry: Recorder,
    /// Nodes that were told of.
    registered: Mutex<BTreeSet<Arc<str>>>,
}

impl Nodes {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            nodes: context.store(&NODES),
            pods: context.store(&PODS),
            events: context.recorder("taint-eviction-controller"),
            registry: context.recorder("node-controller"),
            registered: Mutex::default(),
        }
    }

    /// The pods that a `NoExecute` taint ends; how long until the next one's time is up.
    async fn evict(&self, node: &Object, taints: &[Value]) -> Result<Next, Error> {
        let mut next: Option<i64> = None;
        for pod in self.pods.all() {
            let here = pod.pod.as_ref().is_some_and(|facts| facts.node.as_deref() == Some(&node.key.name));
            if !here || pod.deleting {
                continue;
            }
            let value = pod.value();
            let Some(wait) = patience(&value, taints) else { continue };
            if wait > 0 {
                next = Some(next.map_or(wait, |next| next.min(wait)));
                continue;
            }
            let message = format!("Marking for deletion Pod {}", pod.key);
            self.events.record(&value, "", Severity::Normal, "TaintManagerEviction", &message).await;
            pods::delete(&self.rest, &self.pods, &pod).await?;
        }
        Ok(next.map_or(Next::Change, |seconds| Next::After(Duration::from_secs(u64::try_from(seconds).unwrap_or(1)))))
    }
}

/// Seconds that a pod may stay under these taints; `None` where it may stay for good.
fn patience(pod: &Value, taints: &[Value]) -> Option<i64> {
    let mut least: Option<i64> = None;
    for taint in taints {
        let tolerations = pod["spec"]["tolerations"].as_array().into_iter().flatten();
        let borne: Vec<&Value> = tolerations
            .filter(|toleration| fit::tolerates(&json!({"spec": {"tolerations": [toleration]}}), taint))
            .collect();
        if borne.is_empty() {
            return Some(0);
        }
        let limit = borne.iter().filter_map(|toleration| toleration["tolerationSeconds"].as_i64()).min();
        if let Some(limit) = limit {
            let left = (seconds(&taint["timeAdded"]) + limit - meta::now_seconds()).max(0);
            least = Some(least.map_or(left, |least| least.min(left)));
        }
    }
    least
}

#[async_trait]
impl Controller for Nodes {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let nodes = Arc::clone(&self.nodes);
        vec![
            Source::of(Arc::clone(&self.nodes)),
            // A pod may land on a node that is tainted already.
            Source::new(Arc::clone(&self.pods), move |change| {
                let unbound =
                    change.old.as_ref().is_none_or(|pod| pod.pod.as_ref().is_some_and(|facts| facts.node.is_none()));
                let landed = change.new.as_ref().filter(|_| unbound).and_then(|pod| pod.pod.as_ref()?.node.clone());
                let node = landed.and_then(|name| nodes.find("", &name));
                let tainted = node
                    .filter(|node| node.value()["spec"]["taints"].as_array().is_some_and(|taints| !taints.is_empty()));
                tainted.map(|node| node.key.clone()).into_iter().collect()
            }),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(node) = self.nodes.get(key) else { return Ok(Next::Change) };
        let mut value = node.value();
        if self.registered.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(&node.uid)) {
            let name = &node.key.name;
            let message = format!("Node {name} event: Registered Node {name} in Controller");
            self.registry.record(&value, "", Severity::Normal, "RegisteredNode", &message).await;
        }
        let mut taints = value["spec"]["taints"].as_array().cloned().unwrap_or_default();
        let cordoned = value["spec"]["unschedulable"] == true;
        let tainted = taints.iter().any(|taint| taint["key"] == CORDON && taint["effect"] == "NoSchedule");
        if cordoned != tainted {
            if cordoned {
                taints.push(json!({"key": CORDON, "effect": "NoSchedule", "timeAdded": meta::now()}));
            } else {
                taints.retain(|taint| taint["key"] != CORDON);
            }
            let patch = if taints.is_empty() { Value::Null } else { taints.clone().into() };
            let patch = json!({"metadata": {"resourceVersion": node.version.to_string()}, "spec": {"taints": patch}});
            value = self.rest.merge(&NODES, "", &node.key.name, "", &patch).await?;
            self.nodes.wrote(&value);
        }
        taints.retain(|taint| taint["effect"] == "NoExecute");
        if taints.is_empty() { Ok(Next::Change) } else { self.evict(&node, &taints).await }
    }
}
