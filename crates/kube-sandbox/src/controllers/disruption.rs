//! `PodDisruptionBudgets`: how many pods may be taken away now.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::object::conditions::set_condition;
use crate::object::labels;
use crate::runtime::{
    BUDGETS, Cache, Context, Controller, Error, Key, Next, PODS, Recorder, Rest, Severity, Source, meta, seconds,
};

/// Who evicts a pod deletes it; after so many seconds it is taken not to have done so.
const DELETED_WITHIN: i64 = 120;

pub(crate) struct Budgets {
    rest: Rest,
    budgets: Arc<Cache>,
    pods: Arc<Cache>,
    events: Recorder,
}

impl Budgets {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            budgets: context.cache(&BUDGETS),
            pods: context.cache(&PODS),
            events: context.recorder("controllermanager"),
        }
    }
}

/// Evicted pods that are not seen to go yet, without those that have gone and those that nobody deletes after all;
/// and how long until the next of the latter.
fn still_disrupted(budget: &Value, there: impl Fn(&str) -> bool, now: i64) -> (Map<String, Value>, Option<i64>) {
    let disrupted = budget["status"]["disruptedPods"].as_object().into_iter().flatten();
    let mut next: Option<i64> = None;
    let held = disrupted.filter(|(name, since)| {
        let left = seconds(since) + DELETED_WITHIN - now;
        let kept = left > 0 && there(name);
        if kept {
            next = Some(next.map_or(left, |next| next.min(left)));
        }
        kept
    });
    (held.map(|(name, since)| (name.clone(), since.clone())).collect(), next)
}

fn status_of(budget: &Value, expected: i64, healthy: i64, disrupted: Map<String, Value>) -> Value {
    let spec = &budget["spec"];
    let desired = if spec["maxUnavailable"].is_null() {
        meta::int_or_percent(&spec["minAvailable"], expected, true)
    } else {
        (expected - meta::int_or_percent(&spec["maxUnavailable"], expected, true)).max(0)
    };
    let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
    let generation = budget["metadata"]["generation"].clone();
    let mut conditions = budget["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let (state, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let condition = json!({
        "type": "DisruptionAllowed", "status": state, "reason": reason, "message": "", "observedGeneration": generation,
    });
    set_condition(&mut conditions, condition);
    let mut status = json!({
        "observedGeneration": generation,
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": conditions,
    });
    if !disrupted.is_empty() {
        status["disruptedPods"] = disrupted.into();
    }
    status
}

#[async_trait]
impl Controller for Budgets {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let budgets = Arc::clone(&self.budgets);
        vec![
            Source::of(Arc::clone(&self.budgets)),
            Source::new(Arc::clone(&self.pods), move |change| {
                let Some(pod) = change.either().next() else { return Vec::new() };
                let near = budgets.in_namespace(&pod.key.namespace);
                let selects = |budget: &&Arc<crate::runtime::Object>| {
                    let value = budget.value();
                    change.either().any(|pod| labels::selects(&value["spec"]["selector"], |key| pod.label(key)))
                };
                near.iter().filter(selects).map(|budget| budget.key.clone()).collect()
            }),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.budgets.get(key).filter(|budget| !budget.deleting) else { return Ok(Next::Change) };
        let mut budget = object.value();
        let over = |pod: &crate::runtime::Object| pod.pod.as_ref().is_some_and(|facts| facts.phase.over());
        let mut pods = self.pods.in_namespace(&key.namespace);
        pods.retain(|pod| !over(pod) && labels::selects(&budget["spec"]["selector"], |key| pod.label(key)));
        let there = |name: &str| pods.iter().any(|pod| &*pod.key.name == name && !pod.deleting);
        let (disrupted, next) = still_disrupted(&budget, there, meta::now_seconds());
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let stays = |pod: &crate::runtime::Object| !pod.deleting && !disrupted.contains_key(&*pod.key.name);
        let healthy = pods.iter().filter(|pod| stays(pod) && pod.pod.as_ref().is_some_and(|facts| facts.ready)).count();
        if pods.is_empty() {
            self.events.record(&budget, "", Severity::Normal, "NoPods", "No matching pods found").await;
        }
        let status = status_of(&budget, count(pods.len()), count(healthy), disrupted);
        if status != budget["status"] {
            budget["status"] = status;
            self.budgets.wrote(&self.rest.replace(&BUDGETS, "status", &budget).await?);
        }
        Ok(next.map_or(Next::Change, |left| Next::After(Duration::from_secs(u64::try_from(left).unwrap_or(1)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_counts_from_either_side() {
        let budget = |spec: Value| json!({"metadata": {"generation": 1}, "spec": spec, "status": {}});
        let allowed = |spec: Value, expected, healthy| {
            status_of(&budget(spec), expected, healthy, Map::new())["disruptionsAllowed"].clone()
        };
        assert_eq!(allowed(json!({"minAvailable": 1}), 3, 3), 2);
        assert_eq!(allowed(json!({"minAvailable": "50%"}), 3, 2), 0);
        assert_eq!(allowed(json!({"maxUnavailable": 1}), 3, 3), 1);
        assert_eq!(allowed(json!({"minAvailable": 0}), 0, 0), 0);
    }

    #[test]
    fn an_evicted_pod_counts_until_it_goes_or_the_time_is_up() {
        let at = |seconds: i64| meta::time(jiff::Timestamp::from_second(seconds).expect("a time"));
        let budget = json!({"status": {"disruptedPods": {"gone": at(1000), "late": at(800), "going": at(990)}}});
        let (held, next) = still_disrupted(&budget, |name| name != "gone", 1000);
        assert_eq!(held.keys().collect::<Vec<_>>(), ["going"]);
        assert_eq!(next, Some(110));
    }
}
