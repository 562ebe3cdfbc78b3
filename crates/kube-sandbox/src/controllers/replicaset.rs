//! `ReplicaSets` and `ReplicationControllers`: as many pods as asked for, no more.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::pods::{self, Selector};
use crate::object::conditions::set_condition;
use crate::object::labels;
use crate::runtime::{
    ApiResource, Cache, Context, Controller, Deleted, Error, Key, Next, Object, PODS, REPLICASETS,
    REPLICATION_CONTROLLERS, Recorder, Severity, Source, meta,
};

/// As many pods as are made in one go.
const BURST: usize = 500;

pub(crate) struct Replicas {
    context: Context,
    resource: ApiResource,
    sets: Arc<Cache>,
    pods: Arc<Cache>,
    events: Recorder,
}

impl Replicas {
    pub(crate) fn sets(context: &Context) -> Self {
        Self::new(context, REPLICASETS, "replicaset-controller")
    }

    pub(crate) fn controllers(context: &Context) -> Self {
        Self::new(context, REPLICATION_CONTROLLERS, "replication-controller")
    }

    fn new(context: &Context, resource: ApiResource, component: &'static str) -> Self {
        Self {
            sets: context.cache(&resource),
            pods: context.cache(&PODS),
            events: context.recorder(component),
            context: context.clone(),
            resource,
        }
    }

    async fn scale(&self, set: &Value, active: &[Arc<Object>]) -> Result<(), Error> {
        let wanted = usize::try_from(meta::int(&set["spec"]["replicas"], 1)).unwrap_or_default();
        if active.len() < wanted {
            let missing = (wanted - active.len()).min(BURST);
            for _ in 0..missing {
                let pod = pods::from_template(set, &set["spec"]["template"]);
                match pods::create(&self.context.rest, &self.pods, &pod).await {
                    Ok(pod) => {
                        let message = format!("Created pod: {}", meta::text(&pod, "/metadata/name"));
                        self.events.record(set, "", Severity::Normal, "SuccessfulCreate", &message).await;
                    }
                    Err(error) if error.is_terminating() => return Ok(()),
                    Err(error) => {
                        let message = format!("Error creating: {}", error.message());
                        self.events.record(set, "", Severity::Warning, "FailedCreate", &message).await;
                        return Err(error);
                    }
                }
            }
        } else if active.len() > wanted {
            let mut ranked: Vec<_> = active.to_vec();
            ranked.sort_by(|a, b| first_to_go(a, b));
            for pod in &ranked[..active.len() - wanted] {
                if let Deleted::Pending(_) | Deleted::Gone = pods::delete(&self.context.rest, &self.pods, pod).await? {
                    let message = format!("Deleted pod: {}", pod.key.name);
                    self.events.record(set, "", Severity::Normal, "SuccessfulDelete", &message).await;
                }
            }
        }
        Ok(())
    }

    async fn report(
        &self,
        set: &Value,
        active: &[Arc<Object>],
        terminating: usize,
        failure: Option<&Error>,
    ) -> Result<bool, Error> {
        let status = status_of(set, active, terminating, failure);
        let short = meta::int(&status["availableReplicas"], 0) < meta::int(&status["readyReplicas"], 0);
        if status != set["status"] {
            let mut set = set.clone();
            set["status"] = status;
            self.sets.wrote(&self.context.rest.replace(&self.resource, "status", &set).await?);
        }
        Ok(short)
    }
}

fn status_of(set: &Value, active: &[Arc<Object>], terminating: usize, failure: Option<&Error>) -> Value {
    let now = meta::now_seconds();
    let min_ready = meta::int(&set["spec"]["minReadySeconds"], 0);
    let count = |counts: &dyn Fn(&Object) -> bool| {
        i64::try_from(active.iter().filter(|pod| counts(pod)).count()).unwrap_or(i64::MAX)
    };
    let template = &set["spec"]["template"]["metadata"]["labels"];
    let ready = |pod: &Object| pod.pod.as_ref().is_some_and(|pod| pod.ready);
    let available = |pod: &Object| pod.pod.as_ref().is_some_and(|pod| pod.available(min_ready, now));
    let mut status = meta::without_zeros(&[
        ("fullyLabeledReplicas", count(&|pod| labels::selects_map(template, |key| pod.label(key)))),
        ("readyReplicas", count(&ready)),
        ("availableReplicas", count(&available)),
        ("observedGeneration", meta::int(&set["metadata"]["generation"], 0)),
    ]);
    status.insert("replicas".into(), active.len().into());
    if set["kind"] == "ReplicaSet" {
        status.insert("terminatingReplicas".into(), terminating.into());
    }
    let mut conditions = set["status"]["conditions"].as_array().cloned().unwrap_or_default();
    match failure {
        Some(error) => {
            let condition = json!({
                "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": error.message(),
            });
            // The first failure stays: each later one names another pod, and to write it would call for the next.
            if conditions.iter().all(|condition| condition["type"] != "ReplicaFailure") {
                set_condition(&mut conditions, condition);
            }
        }
        None => conditions.retain(|condition| condition["type"] != "ReplicaFailure"),
    }
    if !conditions.is_empty() {
        status.insert("conditions".into(), conditions.into());
    }
    status.into()
}

/// The order in which Kubernetes gives pods up: what serves least goes first.
fn first_to_go(a: &Object, b: &Object) -> Ordering {
    let (Some(one), Some(other)) = (&a.pod, &b.pod) else { return Ordering::Equal };
    let cost = |pod: &Object| {
        let value = pod.value();
        let cost = meta::text(&value, "/metadata/annotations/controller.kubernetes.io~1pod-deletion-cost");
        cost.parse::<i64>().unwrap_or_default()
    };
    let restarts = |pod: &Object| {
        let value = pod.value();
        let containers = value["status"]["containerStatuses"].as_array().into_iter().flatten();
        containers.map(|container| meta::int(&container["restartCount"], 0)).max().unwrap_or_default()
    };
    one.node
        .is_some()
        .cmp(&other.node.is_some())
        .then(one.phase.cmp(&other.phase))
        .then(one.ready.cmp(&other.ready))
        .then_with(|| cost(a).cmp(&cost(b)))
        .then(other.ready_since.cmp(&one.ready_since))
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then(b.created.cmp(&a.created))
        .then_with(|| b.version.cmp(&a.version))
}

#[async_trait]
impl Controller for Replicas {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let kind = if self.resource == REPLICASETS { "ReplicaSet" } else { "ReplicationController" };
        vec![
            Source::of(Arc::clone(&self.sets)),
            Source::owned(Arc::clone(&self.pods), kind),
            pods::orphans(Arc::clone(&self.pods), Arc::clone(&self.sets)),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.sets.get(key) else { return Ok(Next::Change) };
        let set = object.value();
        let selector = Selector::of(&set);
        let owned = pods::claim(&self.context.rest, &self.pods, &object, &set, &selector).await?;
        let (active, terminating) = pods::active(&owned);
        let outcome = if object.deleting { Ok(()) } else { self.scale(&set, &active).await };
        // What was just made or given up is already in the cache.
        let owned = pods::owned(&self.pods, &object);
        let (active, ending) = if outcome.is_ok() { pods::active(&owned) } else { (active, terminating) };
        let set = self.sets.get(key).map_or(set, |object| object.value());
        let waits = self.report(&set, &active, ending, outcome.as_ref().err()).await?;
        outcome?;
        Ok(if waits { Next::After(Duration::from_secs(1)) } else { Next::Change })
    }
}

#[cfg(test)]
#[path = "replicaset_tests.rs"]
mod tests;
