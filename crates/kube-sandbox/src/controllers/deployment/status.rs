//! What a deployment says of itself: counts, and the conditions Available and Progressing.

use serde_json::{Value, json};

use super::{Deployments, Round, fences};
use crate::runtime::{Error, meta, seconds};

pub(crate) fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    status["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

pub(crate) fn has_deadline(deployment: &Value) -> bool {
    deployment["spec"]["progressDeadlineSeconds"].as_i64().is_some_and(|seconds| seconds != i64::from(i32::MAX))
}

/// A condition that says the same is kept as it is; another one moves to the end, as in Kubernetes.
fn set(status: &mut Value, kind: &str, state: &str, reason: &str, message: &str) {
    let held = condition(status, kind).cloned();
    if held.as_ref().is_some_and(|held| held["status"] == state && held["reason"] == reason) {
        return;
    }
    let now = meta::now();
    let since = held
        .filter(|held| held["status"] == state)
        .map_or_else(|| now.clone().into(), |held| held["lastTransitionTime"].clone());
    let condition = json!({
        "type": kind, "status": state, "lastUpdateTime": now, "lastTransitionTime": since,
        "reason": reason, "message": message,
    });
    push(status, kind, condition);
}

fn push(status: &mut Value, kind: &str, condition: Value) {
    let mut conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|held| held["type"] != kind);
    conditions.push(condition);
    status["conditions"] = conditions.into();
}

pub(crate) fn set_progressing(deployment: &mut Value, state: &str, reason: &str, message: &str) {
    let status = &mut deployment["status"];
    if !status.is_object() {
        *status = json!({});
    }
    set(status, "Progressing", state, reason, message);
}

/// Notes that a deployment was paused or resumed; says whether that is news.
pub(crate) fn note_pause(deployment: &mut Value, paused: bool) -> bool {
    if !has_deadline(deployment) {
        return false;
    }
    let reason = condition(&deployment["status"], "Progressing").map(|held| meta::text(held, "/reason").to_owned());
    let known = reason.as_deref() == Some("DeploymentPaused");
    if reason.as_deref() == Some("ProgressDeadlineExceeded") || known == paused {
        return false;
    }
    let (reason, message) = if paused {
        ("DeploymentPaused", "Deployment is paused")
    } else {
        ("DeploymentResumed", "Deployment is resumed")
    };
    set_progressing(deployment, "Unknown", reason, message);
    true
}

pub(crate) fn complete(deployment: &Value, status: &Value) -> bool {
    let replicas = meta::int(&deployment["spec"]["replicas"], 1);
    let is = |field: &str| meta::int(&status[field], 0) == replicas;
    is("updatedReplicas")
        && is("replicas")
        && is("availableReplicas")
        && meta::int(&status["observedGeneration"], 0) >= meta::int(&deployment["metadata"]["generation"], 0)
}

fn progressed(before: &Value, after: &Value) -> bool {
    let of = |status: &Value, field: &str| meta::int(&status[field], 0);
    let old = |status: &Value| of(status, "replicas") - of(status, "updatedReplicas");
    let grew = |field: &str| of(after, field) > of(before, field);
    grew("updatedReplicas") || old(after) < old(before) || grew("readyReplicas") || grew("availableReplicas")
}

/// Seconds until the deadline, where a rollout is under way.
pub(crate) fn waits_for_deadline(deployment: &Value) -> Option<u64> {
    let held = condition(&deployment["status"], "Progressing")?;
    if !has_deadline(deployment)
        || complete(deployment, &deployment["status"])
        || matches!(held["reason"].as_str(), Some("NewReplicaSetAvailable" | "ProgressDeadlineExceeded"))
    {
        return None;
    }
    let deadline = seconds(&held["lastUpdateTime"]) + meta::int(&deployment["spec"]["progressDeadlineSeconds"], 600);
    Some(u64::try_from(deadline - meta::now_seconds()).unwrap_or_default() + 1)
}

fn timed_out(deployment: &Value, status: &Value) -> bool {
    let Some(held) = condition(status, "Progressing") else { return false };
    match held["reason"].as_str() {
        Some("NewReplicaSetAvailable") => false,
        Some("ProgressDeadlineExceeded") => true,
        _ => {
            let allowed = meta::int(&deployment["spec"]["progressDeadlineSeconds"], 600);
            seconds(&held["lastUpdateTime"]) + allowed < meta::now_seconds()
        }
    }
}

/// Counts from the replica sets' own statuses, and whether enough is available.
fn counted(round: &Round) -> Value {
    let deployment = &round.deployment;
    let of = |set: &Value, field: &str| meta::int(&set["status"][field], 0);
    let sum = |field: &str| round.all().map(|set| of(set, field)).sum::<i64>();
    let total: i64 = round.all().map(|set| meta::int(&set["spec"]["replicas"], 1)).sum();
    let available = sum("availableReplicas");
    let mut status = meta::without_zeros(&[
        ("observedGeneration", meta::int(&deployment["metadata"]["generation"], 0)),
        ("replicas", sum("replicas")),
        ("updatedReplicas", round.new.as_ref().map_or(0, |new| of(new, "replicas"))),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (total - available).max(0)),
    ]);
    let terminating: Option<i64> = round.all().map(|set| meta::number(&set["status"]["terminatingReplicas"])).sum();
    if let Some(terminating) = terminating {
        status.insert("terminatingReplicas".into(), terminating.into());
    }
    for kept in ["conditions", "collisionCount"] {
        if let Some(held) = deployment["status"].get(kept) {
            status.insert(kept.into(), held.clone());
        }
    }
    let mut status = Value::from(status);
    if available >= round.replicas() - fences(deployment).1 {
        set(&mut status, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.");
    } else {
        let message = "Deployment does not have minimum availability.";
        set(&mut status, "Available", "False", "MinimumReplicasUnavailable", message);
    }
    status
}

/// The status after this round, with how the rollout goes.
pub(crate) fn progress(round: &Round) -> Value {
    let deployment = &round.deployment;
    let before = &deployment["status"];
    let mut status = counted(round);
    let name = round.new.as_ref().map_or_else(|| round.name(), |new| meta::text(new, "/metadata/name"));
    let kind = if round.new.is_some() { "ReplicaSet" } else { "Deployment" };
    let held = condition(before, "Progressing").cloned();
    let settled = meta::int(&status["replicas"], 0) == meta::int(&status["updatedReplicas"], 0)
        && held.as_ref().is_some_and(|held| held["reason"] == "NewReplicaSetAvailable");
    if has_deadline(deployment) && !settled {
        if complete(deployment, &status) {
            let message = format!("{kind} \"{name}\" has successfully progressed.");
            set(&mut status, "Progressing", "True", "NewReplicaSetAvailable", &message);
        } else if progressed(before, &status) {
            let message = format!("{kind} \"{name}\" is progressing.");
            let now = meta::now();
            let since = held
                .filter(|held| held["status"] == "True")
                .map_or_else(|| now.clone().into(), |held| held["lastTransitionTime"].clone());
            let condition = json!({
                "type": "Progressing", "status": "True", "lastUpdateTime": now, "lastTransitionTime": since,
                "reason": "ReplicaSetUpdated", "message": message,
            });
            push(&mut status, "Progressing", condition);
        } else if timed_out(deployment, &status) {
            let message = format!("{kind} \"{name}\" has timed out progressing.");
            set(&mut status, "Progressing", "False", "ProgressDeadlineExceeded", &message);
        }
    }
    let failure = round.all().find_map(|set| condition(&set["status"], "ReplicaFailure"));
    match failure {
        Some(failure) => {
            let (state, reason) = (meta::text(failure, "/status"), meta::text(failure, "/reason"));
            set(&mut status, "ReplicaFailure", state, reason, meta::text(failure, "/message"));
        }
        None => {
            if let Some(conditions) = status["conditions"].as_array_mut() {
                conditions.retain(|condition| condition["type"] != "ReplicaFailure");
            }
        }
    }
    status
}

impl Deployments {
    pub(crate) async fn write_progress(&self, round: &mut Round) -> Result<(), Error> {
        let status = progress(round);
        self.write_status(round, status).await
    }

    pub(crate) async fn write_counts(&self, round: &mut Round) -> Result<(), Error> {
        let status = counted(round);
        self.write_status(round, status).await
    }

    async fn write_status(&self, round: &mut Round, status: Value) -> Result<(), Error> {
        if round.deployment["status"] == status {
            return Ok(());
        }
        round.deployment["status"] = status;
        self.write(round).await
    }
}
