//! What follows from the state of a node: the taints of a cordon and of bad conditions, and the end of pods that
//! a taint does not bear.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{fit, pods};
use crate::object::conditions::set_condition;
use crate::runtime::{
    Cache, Context, Controller, Error, Key, NODES, Next, Object, PODS, Recorder, Rest, Severity, Source, meta,
};

const CORDON: &str = "node.kubernetes.io/unschedulable";
/// Which condition of a node puts which taint on it.
const OF_CONDITIONS: &[(&str, &str, &str)] = &[
    ("Ready", "False", "node.kubernetes.io/not-ready"),
    ("Ready", "Unknown", "node.kubernetes.io/unreachable"),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
];

pub(crate) struct Nodes {
    rest: Rest,
    nodes: Arc<Cache>,
    pods: Arc<Cache>,
    events: Recorder,
    registry: Recorder,
    /// Since when each pod, by its uid, has been under a taint that it bears for a while only.
    patient: Mutex<HashMap<Arc<str>, i64>>,
    /// Nodes that were reported.
    registered: Mutex<BTreeSet<Arc<str>>>,
}

impl Nodes {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            nodes: context.cache(&NODES),
            pods: context.cache(&PODS),
            events: context.recorder("taint-eviction-controller"),
            registry: context.recorder("node-controller"),
            patient: Mutex::default(),
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
            let Some(limit) = patience(&value, taints) else { continue };
            // The clock starts when the pod is first seen so, whatever time the taint names.
            let since = *self.patient().entry(Arc::clone(&pod.uid)).or_insert_with(meta::now_seconds);
            let wait = since + limit - meta::now_seconds();
            if wait > 0 {
                next = Some(next.map_or(wait, |next| next.min(wait)));
                continue;
            }
            let message = format!("Marking for deletion Pod {}", pod.key);
            self.patient().remove(&pod.uid);
            self.events.record(&value, "", Severity::Normal, "TaintManagerEviction", &message).await;
            self.mark(&pod, &value).await?;
            pods::delete(&self.rest, &self.pods, &pod).await?;
        }
        Ok(next.map_or(Next::Change, |seconds| Next::After(Duration::from_secs(u64::try_from(seconds).unwrap_or(1)))))
    }

    fn patient(&self) -> MutexGuard<'_, HashMap<Arc<str>, i64>> {
        self.patient.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pod says why it goes.
    async fn mark(&self, pod: &Object, value: &Value) -> Result<(), Error> {
        let mut conditions = value["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let condition = json!({
            "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
            "observedGeneration": value["metadata"]["generation"], "lastProbeTime": null,
        });
        set_condition(&mut conditions, condition);
        let patch = json!({"metadata": {"uid": &*pod.uid}, "status": {"conditions": conditions}});
        match self.rest.merge(&PODS, &pod.key.namespace, &pod.key.name, "status", &patch).await {
            Ok(marked) => self.pods.wrote(&marked),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The taints that a node has, less those of states that are over, with those of its present state.
fn should_have(node: &Value, held: &[Value]) -> Vec<Value> {
    let condition = |kind: &str| {
        let conditions = node["status"]["conditions"].as_array();
        conditions.and_then(|all| all.iter().find(|condition| condition["type"] == kind))
    };
    let mut wanted = Vec::new();
    for (kind, status, key) in OF_CONDITIONS {
        if condition(kind).is_some_and(|condition| condition["status"] == *status) {
            wanted.push((*key, "NoSchedule"));
            if *kind == "Ready" {
                wanted.push((*key, "NoExecute"));
            }
        }
    }
    if node["spec"]["unschedulable"] == true {
        wanted.push((CORDON, "NoSchedule"));
    }
    let is = |taint: &Value, (key, effect): (&str, &str)| taint["key"] == key && taint["effect"] == effect;
    let ours = |taint: &Value| {
        let keys = OF_CONDITIONS.iter().map(|(_, _, key)| *key).chain([CORDON]);
        let execute = taint["effect"] == "NoExecute" && taint["key"] != CORDON;
        (taint["effect"] == "NoSchedule" || execute) && keys.into_iter().any(|key| taint["key"] == key)
    };
    let mut taints: Vec<Value> =
        held.iter().filter(|taint| !ours(taint) || wanted.iter().any(|wanted| is(taint, *wanted))).cloned().collect();
    for wanted in wanted {
        if !taints.iter().any(|taint| is(taint, wanted)) {
            taints.push(json!({"key": wanted.0, "effect": wanted.1, "timeAdded": meta::now()}));
        }
    }
    taints
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
        if let Some(limit) = borne.iter().filter_map(|toleration| meta::number(&toleration["tolerationSeconds"])).min()
        {
            least = Some(least.map_or(limit, |least| least.min(limit)).max(0));
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
        let held = value["spec"]["taints"].as_array().cloned().unwrap_or_default();
        let mut taints = should_have(&value, &held);
        if taints != held {
            let patch = if taints.is_empty() { Value::Null } else { taints.clone().into() };
            let patch = json!({"metadata": {"resourceVersion": node.version.to_string()}, "spec": {"taints": patch}});
            value = self.rest.merge(&NODES, "", &node.key.name, "", &patch).await?;
            self.nodes.wrote(&value);
        }
        taints.retain(|taint| taint["effect"] == "NoExecute");
        if !taints.is_empty() {
            return self.evict(&node, &taints).await;
        }
        // Only pods of other nodes may still be waiting.
        let mut elsewhere = self.pods.all();
        elsewhere.retain(|pod| pod.pod.as_ref().is_some_and(|facts| facts.node.as_deref() != Some(&node.key.name)));
        let elsewhere: BTreeSet<&str> = elsewhere.iter().map(|pod| &*pod.uid).collect();
        self.patient().retain(|uid, _| elsewhere.contains(&**uid));
        Ok(Next::Change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(taints: &[Value]) -> Vec<(&str, &str)> {
        taints
            .iter()
            .map(|taint| (taint["key"].as_str().expect("a key"), taint["effect"].as_str().expect("an effect")))
            .collect()
    }

    #[test]
    fn taints_follow_the_cordon_and_the_conditions_and_leave_others_alone() {
        let own = json!({"key": "team", "value": "a", "effect": "NoSchedule"});
        let late = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
        let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        assert_eq!(should_have(&ready, &[own.clone(), late.clone()]), std::slice::from_ref(&own));
        let gone = json!({
            "spec": {"unschedulable": true},
            "status": {"conditions": [{"type": "Ready", "status": "Unknown"}, {"type": "DiskPressure", "status": "True"}]},
        });
        assert_eq!(
            keys(&should_have(&gone, &[own, late])),
            [
                ("team", "NoSchedule"),
                ("node.kubernetes.io/unreachable", "NoSchedule"),
                ("node.kubernetes.io/unreachable", "NoExecute"),
                ("node.kubernetes.io/disk-pressure", "NoSchedule"),
                (CORDON, "NoSchedule"),
            ]
        );
    }

    #[test]
    fn patience_ends_with_the_shortest_toleration() {
        let taint = json!({"key": "k", "effect": "NoExecute"});
        let pod = |tolerations: Value| json!({"spec": {"tolerations": tolerations}});
        assert_eq!(patience(&pod(json!([])), std::slice::from_ref(&taint)), Some(0), "nothing bears it");
        let forever = pod(json!([{"key": "k", "operator": "Exists"}]));
        assert_eq!(patience(&forever, std::slice::from_ref(&taint)), None);
        let while_ = pod(json!([{"key": "k", "operator": "Exists", "tolerationSeconds": 30}, {"operator": "Exists"}]));
        assert_eq!(patience(&while_, &[taint]), Some(30));
    }
}
