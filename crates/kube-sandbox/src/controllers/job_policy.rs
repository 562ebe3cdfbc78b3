//! What the failures and successes of a job's pods mean by the policies that it names. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::runtime::{Object, Phase, meta, seconds};

/// On a pod of a job that counts failures by index: how often its index failed before.
pub(crate) const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
pub(crate) const INDEX_IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
/// After a failed pod the next one waits this long, then twice as long.
const BACK_OFF: i64 = 10;
const LONGEST_BACK_OFF: i64 = 600;

/// How a failure is to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    Counted,
    Ignored,
    FailsIndex,
    FailsJob(String),
}

/// Whether a pod that is deleted is replaced only when it has come to its end.
pub(crate) fn replaces_only_failed(job: &Value) -> bool {
    job["spec"]["podReplacementPolicy"] == "Failed" || job["spec"].get("podFailurePolicy").is_some()
}

/// A pod that is being deleted will not succeed any more.
pub(crate) fn failed(job: &Value, pod: &Object) -> bool {
    let phase = pod.pod.as_ref().map_or(Phase::Unknown, |facts| facts.phase);
    phase == Phase::Failed || !replaces_only_failed(job) && pod.deleting && phase != Phase::Succeeded
}

pub(crate) fn taken(job: &Value, pod: &Value) -> Taken {
    let rules = job["spec"]["podFailurePolicy"]["rules"].as_array().into_iter().flatten();
    for (at, rule) in rules.enumerate() {
        let why = match rule.get("onExitCodes") {
            Some(asked) => exit_code(pod, asked).map(|(name, code)| {
                let pod = format!("{}/{}", meta::text(pod, "/metadata/namespace"), meta::text(pod, "/metadata/name"));
                format!("Container {name} for pod {pod} failed with exit code {code}")
            }),
            None => condition(pod, &rule["onPodConditions"]).map(|kind| {
                let pod = format!("{}/{}", meta::text(pod, "/metadata/namespace"), meta::text(pod, "/metadata/name"));
                format!("Pod {pod} has condition {kind}")
            }),
        };
        let Some(why) = why else { continue };
        return match rule["action"].as_str() {
            Some("Ignore") => Taken::Ignored,
            Some("FailIndex") => Taken::FailsIndex,
            Some("FailJob") => Taken::FailsJob(format!("{why} matching FailJob rule at index {at}")),
            _ => Taken::Counted,
        };
    }
    Taken::Counted
}

fn exit_code<'a>(pod: &'a Value, asked: &Value) -> Option<(&'a str, i64)> {
    let fits = |code: i64| {
        let named = asked["values"].as_array().into_iter().flatten().any(|value| value.as_i64() == Some(code));
        code != 0 && named == (asked["operator"] == "In")
    };
    ["containerStatuses", "initContainerStatuses"].iter().find_map(|list| {
        pod["status"][*list].as_array().into_iter().flatten().find_map(|held| {
            let code = held["state"]["terminated"]["exitCode"].as_i64()?;
            let meant = asked["containerName"].as_str().is_none_or(|name| held["name"] == name);
            (meant && fits(code)).then(|| (meta::text(held, "/name"), code))
        })
    })
}

fn condition<'a>(pod: &'a Value, asked: &Value) -> Option<&'a str> {
    let patterns = || asked.as_array().into_iter().flatten();
    pod["status"]["conditions"].as_array()?.iter().find_map(|held| {
        let wanted = |pattern: &Value| {
            held["type"] == pattern["type"] && held["status"] == pattern["status"].as_str().unwrap_or("True")
        };
        patterns().any(wanted).then(|| meta::text(held, "/type"))
    })
}

/// The message of the first failure that fails the whole job.
pub(crate) fn fails_job(job: &Value, owned: &[Arc<Object>]) -> Option<String> {
    job["spec"].get("podFailurePolicy")?;
    owned.iter().filter(|pod| failed(job, pod)).find_map(|pod| match taken(job, &pod.value()) {
        Taken::FailsJob(message) => Some(message),
        _ => None,
    })
}

/// Restarts of containers count as failures where pods are not replaced.
pub(crate) fn restarted_too_often(job: &Value, owned: &[Arc<Object>]) -> bool {
    if job["spec"]["template"]["spec"]["restartPolicy"] != "OnFailure" {
        return false;
    }
    let going = |pod: &&Arc<Object>| {
        pod.pod.as_ref().is_some_and(|facts| matches!(facts.phase, Phase::Running | Phase::Pending))
    };
    let restarts: i64 = owned
        .iter()
        .filter(going)
        .map(|pod| {
            let value = pod.value();
            let of = |list: &str| -> i64 {
                let held = value["status"][list].as_array().into_iter().flatten();
                held.map(|held| meta::int(&held["restartCount"], 0)).sum()
            };
            of("initContainerStatuses") + of("containerStatuses")
        })
        .sum();
    let limit = meta::int(&job["spec"]["backoffLimit"], 6);
    if limit == 0 { restarts > 0 } else { restarts >= limit }
}

/// When a pod came to its end, as far as it says.
fn ended(pod: &Value) -> i64 {
    let containers = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let last = containers.map(|held| seconds(&held["state"]["terminated"]["finishedAt"])).max().unwrap_or_default();
    if last > 0 {
        return last;
    }
    let deleted = seconds(&pod["metadata"]["deletionTimestamp"]);
    if deleted > 0 {
        return deleted - meta::int(&pod["metadata"]["deletionGracePeriodSeconds"], 0);
    }
    seconds(&pod["metadata"]["creationTimestamp"])
}

fn left_after(failures: i64, last: i64) -> i64 {
    if failures == 0 {
        return 0;
    }
    let doublings = u32::try_from((failures - 1).clamp(0, 6)).unwrap_or_default();
    last + (BACK_OFF << doublings).min(LONGEST_BACK_OFF) - meta::now_seconds()
}

/// The failures since the last success, and the time of the latest. Pods go, so that it has to be remembered.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failures {
    count: i64,
    last: i64,
}

impl Failures {
    /// Pods that came to their end since the last look.
    pub(crate) fn note(&mut self, job: &Value, ends: &[Arc<Object>]) {
        let of = |pod: &&Arc<Object>| !failed(job, pod);
        let success = ends.iter().filter(of).map(|pod| ended(&pod.value())).max();
        let failures = ends.iter().filter(|pod| failed(job, pod)).map(|pod| pod.value());
        let counted = failures.filter(|pod| taken(job, pod) != Taken::Ignored).map(|pod| ended(&pod));
        self.add(success, &counted.collect::<Vec<_>>());
    }

    fn add(&mut self, success: Option<i64>, failures: &[i64]) {
        if success.is_some() {
            *self = Self::default();
        }
        let later: Vec<i64> =
            failures.iter().copied().filter(|at| success.is_none_or(|success| *at > success)).collect();
        self.count += i64::try_from(later.len()).unwrap_or_default();
        self.last = later.into_iter().chain([self.last]).max().unwrap_or_default();
    }

    /// Seconds until a pod may follow.
    pub(crate) fn wait(self, job: &Value) -> i64 {
        if counts_by_index(job) { 0 } else { left_after(self.count, self.last) }
    }
}

pub(crate) fn counts_by_index(job: &Value) -> bool {
    job["spec"]["backoffLimitPerIndex"].is_i64() && job["spec"]["completionMode"] == "Indexed"
}

fn annotation(pod: &Value, name: &str) -> i64 {
    pod["metadata"]["annotations"][name].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// What the next pod of an index carries: failures before it, those of them that did not count, and how many
/// seconds it still has to wait.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) failures: i64,
    pub(crate) ignored: i64,
    pub(crate) wait: i64,
}

pub(crate) fn pasts(job: &Value, owned: &[Arc<Object>], label: &str) -> BTreeMap<i64, Past> {
    let mut pasts: BTreeMap<i64, Past> = BTreeMap::new();
    for pod in owned.iter().filter(|pod| failed(job, pod)) {
        let Some(index) = pod.label(label).and_then(|text| text.parse().ok()) else { continue };
        let value = pod.value();
        let counted = taken(job, &value) != Taken::Ignored;
        let failures = annotation(&value, INDEX_FAILURES) + i64::from(counted);
        let ignored = annotation(&value, INDEX_IGNORED) + i64::from(!counted);
        let past = Past { failures, ignored, wait: left_after(failures + ignored, ended(&value)) };
        let held = pasts.entry(index).or_insert(past);
        if held.failures + held.ignored < failures + ignored {
            *held = past;
        }
    }
    pasts
}

/// The indexes that failed for good.
pub(crate) fn failed_indexes(job: &Value, owned: &[Arc<Object>], label: &str) -> BTreeSet<i64> {
    let limit = meta::int(&job["spec"]["backoffLimitPerIndex"], i64::MAX);
    let gone = |pod: &&Arc<Object>| {
        let value = pod.value();
        match taken(job, &value) {
            Taken::FailsIndex => true,
            Taken::Ignored => false,
            Taken::Counted | Taken::FailsJob(_) => annotation(&value, INDEX_FAILURES) >= limit,
        }
    };
    let bad = owned.iter().filter(|pod| failed(job, pod)).filter(gone);
    bad.filter_map(|pod| pod.label(label)?.parse().ok()).collect()
}

/// The first rule of the success policy that these indexes meet.
pub(crate) fn success(job: &Value, done: &BTreeSet<i64>, parse: impl Fn(&str) -> BTreeSet<i64>) -> Option<usize> {
    if done.is_empty() {
        return None;
    }
    let rules = job["spec"]["successPolicy"]["rules"].as_array()?;
    rules.iter().position(|rule| {
        let count = rule["succeededCount"].as_i64().and_then(|count| usize::try_from(count).ok());
        match rule["succeededIndexes"].as_str().map(&parse) {
            Some(asked) if asked.is_empty() => false,
            Some(asked) => {
                let met = asked.intersection(done).count();
                met == asked.len() || count.is_some_and(|count| met >= count)
            }
            None => count.is_some_and(|count| done.len() >= count),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_are_tried_in_order() {
        let job = json!({"spec": {"podFailurePolicy": {"rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
            {"action": "FailJob", "onExitCodes": {"containerName": "c", "operator": "In", "values": [42]}},
            {"action": "FailIndex", "onExitCodes": {"operator": "NotIn", "values": [1]}},
        ]}}});
        let pod = |code: i64| {
            json!({"metadata": {"namespace": "n", "name": "p"}, "status": {"containerStatuses": [
                {"name": "c", "state": {"terminated": {"exitCode": code}}}]}})
        };
        let message = "Container c for pod n/p failed with exit code 42 matching FailJob rule at index 1";
        assert_eq!(taken(&job, &pod(42)), Taken::FailsJob(message.to_owned()));
        assert_eq!(taken(&job, &pod(1)), Taken::Counted);
        assert_eq!(taken(&job, &pod(3)), Taken::FailsIndex);
        let mut evicted = pod(42);
        evicted["status"]["conditions"] = json!([{"type": "DisruptionTarget", "status": "True"}]);
        assert_eq!(taken(&job, &evicted), Taken::Ignored);
    }

    #[test]
    fn failures_are_remembered_until_the_next_success() {
        let now = meta::now_seconds();
        let mut failures = Failures::default();
        failures.add(None, &[now - 3]);
        assert!((6..=7).contains(&failures.wait(&json!({}))));
        failures.add(None, &[now - 1, now - 2]);
        assert!((38..=39).contains(&failures.wait(&json!({}))));
        failures.add(Some(now), &[now - 1]);
        assert_eq!(failures.wait(&json!({})), 0);
    }

    #[test]
    fn a_success_policy_asks_for_indexes_or_their_number() {
        let parse = |text: &str| text.split(',').filter_map(|part| part.parse().ok()).collect();
        let job = |rule: Value| json!({"spec": {"successPolicy": {"rules": [rule]}}});
        let done = BTreeSet::from([0, 3]);
        assert_eq!(success(&job(json!({"succeededIndexes": "0"})), &done, parse), Some(0));
        assert_eq!(success(&job(json!({"succeededIndexes": "0,1"})), &done, parse), None);
        assert_eq!(success(&job(json!({"succeededIndexes": "0,1", "succeededCount": 1})), &done, parse), Some(0));
        assert_eq!(success(&job(json!({"succeededCount": 3})), &done, parse), None);
    }
}
