//! `DaemonSets`: one pod on each node that it may run on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::pods::{self, Selector};
use super::{fit, revisions};
use crate::runtime::{
    Cache, Context, Controller, DAEMONSETS, Error, Key, NODES, Next, Object, PODS, REVISIONS, Recorder, Rest, Severity,
    Source, meta,
};

const REVISION: &str = "controller-revision-hash";
const GENERATION: &str = "pod-template-generation";

pub(crate) struct DaemonSets {
    rest: Rest,
    sets: Arc<Cache>,
    pods: Arc<Cache>,
    nodes: Arc<Cache>,
    revisions: Arc<Cache>,
    events: Recorder,
}

/// A pod that belongs to the set, and the node it is for.
type Placed = (String, Arc<Object>);

impl DaemonSets {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            sets: context.cache(&DAEMONSETS),
            pods: context.cache(&PODS),
            nodes: context.cache(&NODES),
            revisions: context.cache(&REVISIONS),
            events: context.recorder("daemonset-controller"),
        }
    }

    async fn create(&self, set: &Value, hash: &str, node: &str) -> Result<(), Error> {
        let mut pod = pods::from_template(set, &set["spec"]["template"]);
        pod["metadata"]["labels"][REVISION] = hash.into();
        pod["metadata"]["labels"][GENERATION] = template_generation(set).into();
        place(&mut pod, node);
        match pods::create(&self.rest, &self.pods, &pod).await {
            Ok(made) => {
                let message = format!("Created pod: {}", meta::text(&made, "/metadata/name"));
                self.events.record(set, "", Severity::Normal, "SuccessfulCreate", &message).await;
                Ok(())
            }
            Err(error) if error.is_terminating() => Ok(()),
            Err(error) => {
                let message = format!("Error creating: {}", error.message());
                self.events.record(set, "", Severity::Warning, "FailedCreate", &message).await;
                Err(error)
            }
        }
    }

    async fn delete(&self, set: &Value, pod: &Object) -> Result<(), Error> {
        pods::delete(&self.rest, &self.pods, pod).await?;
        let message = format!("Deleted pod: {}", pod.key.name);
        self.events.record(set, "", Severity::Normal, "SuccessfulDelete", &message).await;
        Ok(())
    }

    async fn act(&self, set: &Value, hash: &str, placed: &[Placed], nodes: &[Arc<Object>]) -> Result<(), Error> {
        let update = &set["spec"]["updateStrategy"];
        let all = i64::try_from(nodes.iter().filter(|node| runs_on(set, node).0).count()).unwrap_or_default();
        let surge = match update["type"].as_str() {
            Some("OnDelete") => 0,
            _ => meta::int_or_percent(&update["rollingUpdate"]["maxSurge"], all, true),
        };
        for node in nodes {
            let name = &*node.key.name;
            let over = |pod: &Object| pod.pod.as_ref().is_some_and(|facts| facts.phase.over());
            // One that has ended and is on its way out is replaced already.
            let there: Vec<&Arc<Object>> = placed
                .iter()
                .filter(|(at, pod)| at == name && !(pod.deleting && over(pod)))
                .map(|(_, pod)| pod)
                .collect();
            let (should, may_stay) = runs_on(set, node);
            if !should && there.is_empty() {
                continue;
            }
            if !may_stay {
                for pod in there.iter().filter(|pod| !pod.deleting) {
                    self.delete(set, pod).await?;
                }
                continue;
            }
            for pod in there.iter().filter(|pod| over(pod) && !pod.deleting) {
                let message = format!("Found failed daemon pod {} on node {name}, will try to kill it", pod.key);
                self.events.record(set, "", Severity::Warning, "FailedDaemonPod", &message).await;
                self.delete(set, pod).await?;
            }
            if should && there.is_empty() {
                self.create(set, hash, name).await?;
            }
            // Of several the oldest stays.
            let mut living: Vec<_> = there.iter().filter(|pod| !pod.deleting && !over(pod)).collect();
            living.sort_by(|a, b| meta::oldest_first(a, b));
            if surge == 0 {
                for pod in living.iter().skip(1) {
                    self.delete(set, pod).await?;
                }
            } else if living.is_empty() && should && !there.is_empty() {
                self.create(set, hash, name).await?;
            }
        }
        if surge > 0 {
            return self.surge(set, hash, placed, nodes, surge).await;
        }
        if set["spec"]["updateStrategy"]["type"] == "OnDelete" {
            return Ok(());
        }
        let total = i64::try_from(nodes.iter().filter(|node| runs_on(set, node).0).count()).unwrap_or_default();
        let most =
            meta::int_or_percent(&set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"], total, true).max(1);
        let ready = |pod: &Object| !pod.deleting && pod.pod.as_ref().is_some_and(|facts| facts.ready);
        let serving = i64::try_from(placed.iter().filter(|(_, pod)| ready(pod)).count()).unwrap_or_default();
        let mut may_go = most - (total - serving).max(0);
        for (_, pod) in placed.iter().filter(|(_, pod)| !pod.deleting && pod.label(REVISION) != Some(hash)) {
            if ready(pod) {
                if may_go <= 0 {
                    continue;
                }
                may_go -= 1;
            }
            self.delete(set, pod).await?;
        }
        Ok(())
    }

    /// New pods beside the old ones, at most so many at once; an old one goes when its successor serves.
    async fn surge(
        &self,
        set: &Value,
        hash: &str,
        placed: &[Placed],
        nodes: &[Arc<Object>],
        most: i64,
    ) -> Result<(), Error> {
        let (now, min_ready) = (meta::now_seconds(), meta::int(&set["spec"]["minReadySeconds"], 0));
        let serves = |pod: &Object| pod.pod.as_ref().is_some_and(|facts| facts.available(min_ready, now));
        let (mut at_once, mut candidates) = (0, Vec::new());
        for node in nodes.iter().filter(|node| runs_on(set, node).0) {
            let mut there: Vec<&Arc<Object>> =
                placed.iter().filter(|(at, pod)| *at == *node.key.name && !pod.deleting).map(|(_, pod)| pod).collect();
            there.sort_by(|a, b| meta::oldest_first(a, b));
            let (new, old): (Vec<_>, Vec<_>) = there.into_iter().partition(|pod| pod.label(REVISION) == Some(hash));
            match (new.first(), old.first()) {
                (_, None) => {}
                (None, Some(old)) if serves(old) => candidates.push(&*node.key.name),
                (None, Some(_)) => self.create(set, hash, &node.key.name).await?,
                (Some(new), Some(old)) if serves(new) || !serves(old) => self.delete(set, old).await?,
                (Some(_), Some(_)) => at_once += 1,
            }
            for pod in new.iter().skip(1).chain(old.iter().skip(1)) {
                self.delete(set, pod).await?;
            }
        }
        for node in candidates.into_iter().take(usize::try_from(most - at_once).unwrap_or_default()) {
            self.create(set, hash, node).await?;
        }
        Ok(())
    }

    fn placed(owned: &[Arc<Object>]) -> Vec<Placed> {
        let node_of = |pod: &Arc<Object>| {
            let bound = pod.pod.as_ref().and_then(|facts| facts.node.as_deref().map(str::to_owned));
            bound.or_else(|| {
                let value = pod.value();
                let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";
                Some(meta::text(&value, terms).to_owned())
            })
        };
        owned.iter().filter_map(|pod| Some((node_of(pod)?, Arc::clone(pod)))).collect()
    }
}

fn template_generation(set: &Value) -> String {
    meta::text(set, "/metadata/annotations/deprecated.daemonset.template.generation").to_owned()
}

/// `(a pod should be made, one that is there may stay)`.
fn runs_on(set: &Value, node: &Object) -> (bool, bool) {
    let mut pod = json!({"metadata": {}, "spec": set["spec"]["template"]["spec"]});
    place(&mut pod, &node.key.name);
    let machine = node.value();
    if !fit::matches_node(&pod, node) {
        return (false, false);
    }
    let taints = machine["spec"]["taints"].as_array().into_iter().flatten();
    let refused: Vec<&Value> = taints.filter(|taint| !fit::tolerates(&pod, taint)).collect();
    let evicts = refused.iter().any(|taint| taint["effect"] == "NoExecute");
    let bars = refused.iter().any(|taint| taint["effect"] == "NoSchedule");
    (!bars && !evicts, !evicts)
}

/// Binds the pod to its node by affinity, and lets it bear the troubles of nodes.
pub(crate) fn place(pod: &mut Value, node: &str) {
    let field = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    let required = &mut pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    match required["nodeSelectorTerms"].as_array_mut() {
        Some(terms) => terms.iter_mut().for_each(|term| term["matchFields"] = json!([field])),
        None => *required = json!({"nodeSelectorTerms": [{"matchFields": [field]}]}),
    }
    let mut borne = vec![
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    ];
    if pod["spec"]["hostNetwork"] == true {
        borne.push(("network-unavailable", "NoSchedule"));
    }
    let mut tolerations = pod["spec"]["tolerations"].as_array().cloned().unwrap_or_default();
    for (name, effect) in borne {
        let toleration = json!({"key": format!("node.kubernetes.io/{name}"), "operator": "Exists", "effect": effect});
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    pod["spec"]["tolerations"] = tolerations.into();
}

fn status_of(set: &Value, hash: &str, placed: &[Placed], nodes: &[Arc<Object>]) -> Value {
    let now = meta::now_seconds();
    let min_ready = meta::int(&set["spec"]["minReadySeconds"], 0);
    let (mut desired, mut current, mut misplaced, mut ready, mut updated, mut available) = (0, 0, 0, 0, 0, 0);
    for node in nodes {
        let mut there: Vec<_> = placed.iter().filter(|(at, _)| *at == *node.key.name).map(|(_, pod)| pod).collect();
        there.sort_by(|a, b| meta::oldest_first(a, b));
        if !runs_on(set, node).0 {
            misplaced += i64::from(!there.is_empty());
            continue;
        }
        desired += 1;
        let Some(pod) = there.first() else { continue };
        current += 1;
        let Some(facts) = pod.pod.as_ref().filter(|_| !pod.deleting) else { continue };
        ready += i64::from(facts.ready);
        available += i64::from(facts.available(min_ready, now));
        updated += i64::from(pod.label(REVISION) == Some(hash));
    }
    let mut status = meta::without_zeros(&[
        ("observedGeneration", meta::int(&set["metadata"]["generation"], 0)),
        ("updatedNumberScheduled", updated),
        ("numberAvailable", available),
        ("numberUnavailable", desired - available),
    ]);
    for (field, count) in [
        ("currentNumberScheduled", current),
        ("numberMisscheduled", misplaced),
        ("desiredNumberScheduled", desired),
        ("numberReady", ready),
    ] {
        status.insert(field.into(), count.into());
    }
    if let Some(collisions) = set["status"].get("collisionCount") {
        status.insert("collisionCount".into(), collisions.clone());
    }
    status.into()
}

#[async_trait]
impl Controller for DaemonSets {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let sets = Arc::clone(&self.sets);
        vec![
            Source::of(Arc::clone(&self.sets)),
            Source::owned(Arc::clone(&self.pods), "DaemonSet"),
            pods::orphans(Arc::clone(&self.pods), Arc::clone(&self.sets)),
            Source::new(Arc::clone(&self.nodes), move |_| sets.all().iter().map(|set| set.key.clone()).collect()),
            Source::new(Arc::clone(&self.revisions), |_| Vec::new()),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.sets.get(key).filter(|set| !set.deleting) else { return Ok(Next::Change) };
        let set = object.value();
        let owned = pods::claim(&self.rest, &self.pods, &object, &set, &Selector::of(&set)).await?;
        let revision = revisions::current(&self.rest, &self.revisions, &set, REVISION).await?;
        let hash = meta::text(&revision, "/metadata/labels/controller-revision-hash").to_owned();
        let nodes = self.nodes.all();
        let outcome = self.act(&set, &hash, &Self::placed(&owned), &nodes).await;
        let owned = pods::owned(&self.pods, &object);
        let status = status_of(&set, &hash, &Self::placed(&owned), &nodes);
        let waits = meta::int(&status["numberAvailable"], 0) < meta::int(&status["numberReady"], 0);
        if status != set["status"] {
            let mut set = set.clone();
            set["status"] = status;
            self.sets.wrote(&self.rest.replace(&DAEMONSETS, "status", &set).await?);
        }
        outcome?;
        let running: Vec<String> =
            owned.iter().filter_map(|pod| Some(format!("{}-{}", object.key.name, pod.label(REVISION)?))).collect();
        let mut live: Vec<&str> = running.iter().map(String::as_str).collect();
        live.push(revisions::name(&revision));
        revisions::truncate(&self.rest, &self.revisions, &set, &live).await?;
        Ok(if waits { Next::After(Duration::from_secs(1)) } else { Next::Change })
    }
}
