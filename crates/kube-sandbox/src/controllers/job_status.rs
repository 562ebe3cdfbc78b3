//! What a job says of itself, and when it is over. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::job_policy;
use crate::runtime::{Object, Phase, meta, seconds};

fn holds(status: &Value, kind: &str) -> bool {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// When the job ended, if it did.
pub(crate) fn over(job: &Value) -> Option<i64> {
    let conditions = job["status"]["conditions"].as_array()?;
    let end = conditions.iter().find(|condition| {
        (condition["type"] == "Complete" || condition["type"] == "Failed") && condition["status"] == "True"
    })?;
    Some(seconds(&end["lastTransitionTime"]))
}

/// Adds a condition; says whether it is news.
pub(crate) fn add(status: &mut Value, kind: &str, reason: &str, message: &str) -> bool {
    if holds(status, kind) {
        return false;
    }
    let now = meta::now();
    let mut conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    conditions.push(json!({
        "type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now, "reason": reason, "message": message,
    }));
    status["conditions"] = conditions.into();
    true
}

/// `(condition, reason, message)` of a job that has come to its end.
pub(crate) fn verdict(job: &Value, owned: &[Arc<Object>]) -> Option<(&'static str, String, String)> {
    let (spec, status) = (&job["spec"], &job["status"]);
    let (succeeded, failed) = (meta::int(&status["succeeded"], 0), meta::int(&status["failed"], 0));
    let limit = meta::int(&spec["backoffLimit"], if job_policy::counts_by_index(job) { i64::MAX } else { 6 });
    let exceeded = |reason: &str, message: &str| Some(("Failed", reason.to_owned(), message.to_owned()));
    // What was found once stays so.
    for (target, end) in [("SuccessCriteriaMet", "Complete"), ("FailureTarget", "Failed")] {
        let held = status["conditions"].as_array().into_iter().flatten().find(|held| held["type"] == target);
        if let Some(held) = held.filter(|held| held["status"] == "True") {
            return Some((end, meta::text(held, "/reason").to_owned(), meta::text(held, "/message").to_owned()));
        }
    }
    if let Some(message) = job_policy::fails_job(job, owned) {
        return exceeded("PodFailurePolicy", &message);
    }
    if failed > limit || job_policy::restarted_too_often(job, owned) {
        return exceeded("BackoffLimitExceeded", "Job has reached the specified backoff limit");
    }
    if spec["suspend"] != true
        && let Some(allowed) = meta::number(&spec["activeDeadlineSeconds"])
        && status.get("startTime").is_some()
        && seconds(&status["startTime"]) + allowed <= meta::now_seconds()
    {
        return exceeded("DeadlineExceeded", "Job was active longer than specified deadline");
    }
    let (done, lost) = (completed(status), listed(&status["failedIndexes"]));
    if !lost.is_empty() {
        let count = |set: &BTreeSet<i64>| i64::try_from(set.len()).unwrap_or(i64::MAX);
        if spec["maxFailedIndexes"].as_i64().is_some_and(|allowed| count(&lost) > allowed) {
            let words = "Job has exceeded the specified maximal number of failed indexes";
            return exceeded("MaxFailedIndexesExceeded", words);
        }
        if count(&lost) + count(&done) >= meta::int(&spec["completions"], i64::MAX) {
            return exceeded("FailedIndexes", "Job has failed indexes");
        }
    }
    if let Some(rule) = job_policy::success(job, &done, |text| listed(&text.into())) {
        return Some(("Complete", "SuccessPolicy".to_owned(), format!("Matched rules at index {rule}")));
    }
    let active = meta::int(&status["active"], 0);
    let complete = match meta::number(&spec["completions"]) {
        Some(completions) => succeeded >= completions,
        None => succeeded > 0 && active == 0,
    };
    complete
        .then(|| ("Complete", "CompletionsReached".to_owned(), "Reached expected number of succeeded pods".to_owned()))
}

/// Seconds until the job's own deadline.
pub(crate) fn deadline(job: &Value) -> Option<i64> {
    let allowed = meta::number(&job["spec"]["activeDeadlineSeconds"])?;
    job["status"].get("startTime")?;
    Some((seconds(&job["status"]["startTime"]) + allowed - meta::now_seconds()).max(1))
}

/// Active, ready and going pods.
pub(crate) fn counts(status: &mut Value, owned: &[Arc<Object>]) {
    let over = |pod: &Object| pod.pod.as_ref().is_some_and(|facts| facts.phase.over());
    let active: Vec<_> = owned.iter().filter(|pod| !pod.deleting && !over(pod)).collect();
    let ready = active.iter().filter(|pod| pod.pod.as_ref().is_some_and(|facts| facts.ready)).count();
    let going = owned.iter().filter(|pod| pod.deleting && !over(pod)).count();
    if !status.is_object() {
        *status = json!({});
    }
    match active.len() {
        0 => drop(status.as_object_mut().and_then(|status| status.remove("active"))),
        number => status["active"] = number.into(),
    }
    status["ready"] = ready.into();
    status["terminating"] = going.into();
    if status.get("uncountedTerminatedPods").is_none() {
        status["uncountedTerminatedPods"] = json!({});
    }
}

/// Suspended or resumed: the Event's reason and words, and whether it is held up now.
pub(crate) fn note_suspension(status: &mut Value, suspended: bool) -> Option<(&'static str, &'static str, bool)> {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let known = conditions.into_iter().any(|held| held["type"] == "Suspended" && held["status"] == "True");
    if known == suspended {
        return None;
    }
    let (state, reason, words) =
        if suspended { ("True", "JobSuspended", "Job suspended") } else { ("False", "JobResumed", "Job resumed") };
    let now = meta::now();
    let mut conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let condition = json!({
        "type": "Suspended", "status": state, "lastProbeTime": now, "lastTransitionTime": now, "reason": reason, "message": words,
    });
    conditions.retain(|held| held["type"] != "Suspended");
    conditions.push(condition);
    status["conditions"] = conditions.into();
    Some((if suspended { "Suspended" } else { "Resumed" }, words, suspended))
}

fn index_of(pod: &Object, label: &str) -> Option<i64> {
    pod.label(label)?.parse().ok()
}

/// Indexes as Kubernetes writes them: `0-2,5`.
fn ranges(indexes: &BTreeSet<i64>) -> String {
    let mut parts: Vec<(i64, i64)> = Vec::new();
    for index in indexes {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => parts.push((*index, *index)),
        }
    }
    let text = |(first, last): &(i64, i64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    };
    parts.iter().map(text).collect::<Vec<_>>().join(",")
}

fn completed(status: &Value) -> BTreeSet<i64> {
    listed(&status["completedIndexes"])
}

/// `0-2,5` as the indexes that it means.
fn listed(text: &Value) -> BTreeSet<i64> {
    let text = text.as_str().unwrap_or_default();
    text.split(',')
        .filter_map(|part| match part.split_once('-') {
            Some((first, last)) => Some(first.parse().ok()?..=last.parse().ok()?),
            None => part.parse().ok().map(|index: i64| index..=index),
        })
        .flatten()
        .collect()
}

pub(crate) fn note_indexes(status: &mut Value, owned: &[Arc<Object>], label: &str) {
    let mut done = completed(status);
    let good = owned.iter().filter(|pod| pod.pod.as_ref().is_some_and(|facts| facts.phase == Phase::Succeeded));
    done.extend(good.filter_map(|pod| index_of(pod, label)));
    if !done.is_empty() {
        status["succeeded"] = done.len().into();
        status["completedIndexes"] = ranges(&done).into();
    }
}

/// Where failures are counted by index, those that failed for good.
pub(crate) fn note_failed_indexes(job: &mut Value, owned: &[Arc<Object>], label: &str) {
    if job_policy::counts_by_index(job) {
        let mut lost = listed(&job["status"]["failedIndexes"]);
        lost.extend(job_policy::failed_indexes(job, owned, label));
        job["status"]["failedIndexes"] = ranges(&lost).into();
    }
}

/// Indexes that are neither done, nor lost, nor running.
pub(crate) fn free_indexes(job: &Value, active: &[Arc<Object>], label: &str) -> Vec<i64> {
    let mut done = completed(&job["status"]);
    done.extend(listed(&job["status"]["failedIndexes"]));
    let running: BTreeSet<i64> = active.iter().filter_map(|pod| index_of(pod, label)).collect();
    let all = 0..meta::int(&job["spec"]["completions"], 0);
    all.filter(|index| !done.contains(index) && !running.contains(index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_over_when_its_numbers_say_so() {
        let job = |spec: Value, status: Value| json!({"spec": spec, "status": status});
        let reason = |job: &Value| verdict(job, &[]).map(|(kind, reason, _)| format!("{kind} {reason}"));
        assert_eq!(reason(&job(json!({"completions": 2}), json!({"succeeded": 1}))), None);
        assert_eq!(
            reason(&job(json!({"completions": 2}), json!({"succeeded": 2}))).as_deref(),
            Some("Complete CompletionsReached")
        );
        assert_eq!(
            reason(&job(json!({"completions": 1, "backoffLimit": 1}), json!({"failed": 2}))).as_deref(),
            Some("Failed BackoffLimitExceeded")
        );
        assert_eq!(reason(&job(json!({"completions": 1, "backoffLimit": 1}), json!({"failed": 1}))), None);
        let late =
            job(json!({"completions": 1, "activeDeadlineSeconds": 5}), json!({"startTime": "2020-01-01T00:00:00Z"}));
        assert_eq!(reason(&late).as_deref(), Some("Failed DeadlineExceeded"));
    }

    #[test]
    fn indexes_are_written_as_ranges() {
        assert_eq!(ranges(&BTreeSet::from([0, 1, 2, 5, 7, 8])), "0-2,5,7,8");
        assert_eq!(completed(&json!({"completedIndexes": "0-2,5"})), BTreeSet::from([0, 1, 2, 5]));
    }
}
