//! The scheduler: finds a node for each pod, or says in Kubernetes' words why there is none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::preempt::{self, Victims};
use super::spread::{self, Placed, Search};
use super::{fit, pods, volumes};
use crate::object::conditions::set_condition;
use crate::runtime::{
    CLAIMS, Cache, Context, Controller, Error, Key, NODES, Next, Object, PODS, Recorder, Rest, STORAGE_CLASSES,
    Severity, Source,
};

pub(crate) struct Scheduler {
    rest: Rest,
    pods: Arc<Cache>,
    nodes: Arc<Cache>,
    claims: Arc<Cache>,
    classes: Arc<Cache>,
    events: Recorder,
    /// Pods that wait for something to change.
    pending: Arc<Mutex<BTreeSet<Key>>>,
    /// Bound by us, though the watch has not said so yet.
    assumed: Mutex<HashMap<Arc<str>, Arc<str>>>,
}

impl Scheduler {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.as_manager("kube-scheduler"),
            pods: context.cache(&PODS),
            nodes: context.cache(&NODES),
            claims: context.cache(&CLAIMS),
            classes: context.cache(&STORAGE_CLASSES),
            events: context.recorder("default-scheduler"),
            pending: Arc::default(),
            assumed: Mutex::default(),
        }
    }

    fn place(&self, pod: &Object, value: &Value) -> Result<Arc<str>, Refusal> {
        let nodes = self.nodes.all();
        if nodes.is_empty() {
            return Err(Refusal::new("no nodes available to schedule pods".to_owned()));
        }
        if let Some(refusal) = volumes::refusal(value, &self.claims, &self.classes) {
            let unhelpful = format!("{} Preemption is not helpful for scheduling", nodes.len());
            let why = fit::none_available(nodes.len(), &unhelpful);
            return Err(Refusal::new(fit::explain(nodes.len(), &refusal, Some(&why))));
        }
        let mut assumed = self.assumed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut placed = Placed::new();
        let own = preempt::priority(value);
        for other in self.pods.all() {
            let Some(facts) = other.pod.as_ref().filter(|facts| !facts.phase.over()) else { continue };
            if let Some(node) = facts.node.as_ref().or_else(|| assumed.get(&other.uid)) {
                placed.entry(Arc::clone(node)).or_default().push(other);
            } else if let Some(node) = &facts.nominated
                && other.uid != pod.uid
                && !other.deleting
                && preempt::priority(&other.value()) >= own
            {
                // Room that others gave way for is kept for whom they gave way to.
                placed.entry(Arc::clone(node)).or_default().push(other);
            }
        }
        let (mut refusals, mut open): (BTreeMap<String, usize>, _) = (BTreeMap::new(), Vec::new());
        let mut best: Option<((i64, usize), Arc<str>)> = None;
        let search = Search { pod, value, nodes: &nodes, placed: &placed };
        for node in &nodes {
            let there = placed.get(&node.key.name).map_or(&[][..], Vec::as_slice);
            match fit::fits(&search, node, there) {
                Ok(()) => {
                    let load = (spread::load(&search, node), there.len());
                    if best.as_ref().is_none_or(|(least, _)| load < *least) {
                        best = Some((load, Arc::clone(&node.key.name)));
                    }
                }
                Err(unfit) => {
                    unfit.reasons.into_iter().for_each(|reason| *refusals.entry(reason).or_default() += 1);
                    if !unfit.lasting {
                        open.push(node);
                    }
                }
            }
        }
        let Some((_, node)) = best else {
            let lacks = fit::counted(&refusals);
            return Err(match preempt::find(&search, &open) {
                Ok(victims) => Refusal { message: fit::explain(nodes.len(), &lacks, None), victims: Some(victims) },
                Err(why) => Refusal::new(fit::explain(nodes.len(), &lacks, Some(&why))),
            });
        };
        assumed.retain(|uid, _| uid != &pod.uid);
        assumed.insert(Arc::clone(&pod.uid), Arc::clone(&node));
        Ok(node)
    }

    async fn bind(&self, pod: &Object, value: &Value, node: &str) -> Result<(), Error> {
        let binding = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": &*pod.key.name, "namespace": &*pod.key.namespace, "uid": &*pod.uid},
            "target": {"kind": "Node", "name": node},
        });
        match self.rest.create_part(&PODS, &pod.key.namespace, &pod.key.name, "binding", &binding).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() || error.is_conflict() => return Ok(()),
            Err(error) => {
                self.assumed.lock().unwrap_or_else(PoisonError::into_inner).remove(&pod.uid);
                return Err(error);
            }
        }
        let message = format!("Successfully assigned {} to {node}", pod.key);
        self.events.record(value, "", Severity::Normal, "Scheduled", &message).await;
        Ok(())
    }

    /// Reports why there is no node for it; where others give way, names theirs as the one that it waits for.
    async fn refuse(&self, pod: &Object, value: &Value, refusal: &Refusal) -> Result<(), Error> {
        let message = &*refusal.message;
        let mut conditions = value["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let mut condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message, "lastProbeTime": null,
        });
        let is_recorded = conditions
            .iter()
            .any(|held| ["type", "status", "reason", "message"].iter().all(|field| held[*field] == condition[*field]));
        if is_recorded && refusal.victims.is_none() {
            return Ok(());
        }
        if let Some(generation) = value["metadata"].get("generation") {
            condition["observedGeneration"] = generation.clone();
        }
        if !set_condition(&mut conditions, condition) && refusal.victims.is_none() {
            return Ok(());
        }
        self.events.record(value, "", Severity::Warning, "FailedScheduling", message).await;
        let mut patch = json!({"metadata": {"uid": &*pod.uid}, "status": {"conditions": conditions}});
        if let Some(victims) = &refusal.victims {
            patch["status"]["nominatedNodeName"] = (&*victims.node).into();
        }
        match self.rest.merge(&PODS, &pod.key.namespace, &pod.key.name, "status", &patch).await {
            Ok(patched) => {
                self.pods.wrote(&patched);
                Ok(())
            }
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether a pod that waits for a node is asked for anew, asks for something else, or is going.
fn wants_another_look(old: &Object, new: &Object) -> bool {
    let (before, after) = (old.value(), new.value());
    old.uid != new.uid
        || old.deleting != new.deleting
        || before["spec"] != after["spec"]
        || before["metadata"]["labels"] != after["metadata"]["labels"]
}

/// Why a pod has no node, and who gives way to it.
struct Refusal {
    message: String,
    victims: Option<Victims>,
}

impl Refusal {
    fn new(message: String) -> Self {
        Self { message, victims: None }
    }
}

impl Scheduler {
    /// Lets those of lower priority go, and keeps their room for the pod.
    async fn preempt(&self, pod: &Object, victims: &Victims) -> Result<(), Error> {
        for victim in &victims.pods {
            let value = victim.value();
            let mut conditions = value["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let condition = json!({
                "type": "DisruptionTarget", "status": "True", "reason": preempt::REASON,
                "message": "default-scheduler: preempting to accommodate a higher priority pod",
                "observedGeneration": value["metadata"]["generation"], "lastProbeTime": null,
            });
            set_condition(&mut conditions, condition);
            let patch = json!({"metadata": {"uid": &*victim.uid}, "status": {"conditions": conditions}});
            match self.rest.merge(&PODS, &victim.key.namespace, &victim.key.name, "status", &patch).await {
                Ok(marked) => self.pods.wrote(&marked),
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            }
            pods::delete(&self.rest, &self.pods, victim).await?;
            let message = format!("Preempted by pod {} on node {}", pod.uid, victims.node);
            self.events.record(&value, "", Severity::Normal, "Preempted", &message).await;
        }
        Ok(())
    }
}

#[async_trait]
impl Controller for Scheduler {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let waiting = |pending: &Arc<Mutex<BTreeSet<Key>>>| {
            let pending = Arc::clone(pending);
            move || pending.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect::<Vec<_>>()
        };
        let (after_pods, after_nodes, after_claims) =
            (waiting(&self.pending), waiting(&self.pending), waiting(&self.pending));
        vec![
            Source::new(Arc::clone(&self.pods), move |change| match &change.new {
                // What the scheduler itself wrote into its status is no reason to look for a node again.
                Some(pod) if pod.pod.as_ref().is_some_and(|facts| facts.node.is_none()) => {
                    let again = change.old.as_ref().is_none_or(|old| wants_another_look(old, pod));
                    if again { vec![pod.key.clone()] } else { Vec::new() }
                }
                Some(pod) if pod.pod.as_ref().is_some_and(|facts| facts.phase.over()) => after_pods(),
                Some(_) => Vec::new(),
                None => after_pods(),
            }),
            Source::new(Arc::clone(&self.nodes), move |_| after_nodes()),
            Source::new(Arc::clone(&self.claims), move |_| after_claims()),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let wants = |pod: &Object| pod.pod.as_ref().is_some_and(|facts| facts.node.is_none() && !facts.phase.over());
        let Some(pod) = self.pods.get(key).filter(|pod| wants(pod) && !pod.deleting) else {
            self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            return Ok(Next::Change);
        };
        if self.assumed.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&pod.uid) {
            return Ok(Next::Change);
        }
        let value = pod.value();
        let gated = value["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty());
        let ours = matches!(value["spec"]["schedulerName"].as_str(), None | Some("default-scheduler"));
        if gated || !ours {
            return Ok(Next::Change);
        }
        match self.place(&pod, &value) {
            Ok(node) => {
                self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
                if !volumes::select_node(&self.rest, &self.claims, &value, &node).await? {
                    self.assumed.lock().unwrap_or_else(PoisonError::into_inner).remove(&pod.uid);
                    return Ok(Next::After(Duration::from_millis(20)));
                }
                self.bind(&pod, &value, &node).await?;
                self.forget_bound();
                Ok(Next::Change)
            }
            Err(refusal) => {
                self.pending.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
                self.refuse(&pod, &value, &refusal).await?;
                if let Some(victims) = refusal.victims {
                    self.preempt(&pod, &victims).await?;
                }
                Ok(Next::Change)
            }
        }
    }

    fn workers(&self) -> usize {
        8
    }
}

impl Scheduler {
    /// What the cache knows by now need not be assumed.
    fn forget_bound(&self) {
        let mut assumed = self.assumed.lock().unwrap_or_else(PoisonError::into_inner);
        if assumed.len() < 64 {
            return;
        }
        let unbound: BTreeSet<Arc<str>> = self
            .pods
            .all()
            .iter()
            .filter(|pod| pod.pod.as_ref().is_some_and(|facts| facts.node.is_none()))
            .map(|pod| Arc::clone(&pod.uid))
            .collect();
        assumed.retain(|uid, _| unbound.contains(uid));
    }
}
