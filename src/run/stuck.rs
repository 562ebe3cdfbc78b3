//! Pods that cannot go on, in the cluster's own words: what a command or a check waits for in vain.

use serde_json::Value;

use super::runner::Runner;
use crate::journal::{JournalView, KeyGlob, Piece};

/// More are only counted.
const SHOWN: usize = 5;
/// What the cluster itself runs is no part of the lab.
const OF_THE_CLUSTER: &str = "kube-system";
/// Why a container waits that will not start by itself.
const WAITS: [&str; 9] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
];

impl Runner<'_> {
    /// One line for each pod that is stuck as the journal stands now.
    pub(super) fn stuck_pods(&self) -> Vec<String> {
        stuck(&self.witness.journal(), &self.info.prefix)
    }
}

/// Whether a command waits for something of the cluster.
pub(super) fn waits(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    words.contains(&"kubectl") && words.contains(&"wait")
        || words.windows(2).any(|pair| pair == ["rollout", "status"])
        || words.iter().any(|word| word.starts_with("--wait"))
}

fn stuck(view: &JournalView, prefix: &str) -> Vec<String> {
    let glob = KeyGlob::from_pieces(&[Piece::Data(prefix.trim_end_matches('/')), Piece::Pattern("/pods/**")]);
    let pods = view.states(&glob, view.end()).into_iter().filter_map(|change| change.value.as_ref()?.object().ok());
    let mut lines: Vec<String> = pods.filter_map(|pod| line(&pod)).collect();
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!("and {more} more pods"));
    }
    lines
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

pub(super) fn line(pod: &Value) -> Option<String> {
    let metadata = &pod["metadata"];
    let namespace = text(metadata, "namespace");
    if namespace == OF_THE_CLUSTER || metadata.get("deletionTimestamp").is_some_and(|time| !time.is_null()) {
        return None;
    }
    let (reason, message) = why(&pod["status"])?;
    let message = message.trim();
    let after = if message.is_empty() { String::new() } else { format!(": {message}") };
    Some(format!("pod {namespace}/{} is stuck: {reason}{after}", text(metadata, "name")))
}

/// The reason and the message of what keeps a pod from going on.
fn why(status: &Value) -> Option<(String, String)> {
    for list in ["initContainerStatuses", "containerStatuses"] {
        for container in status[list].as_array().into_iter().flatten() {
            let waiting = &container["state"]["waiting"];
            let reason = text(waiting, "reason");
            if !WAITS.contains(&reason) {
                continue;
            }
            let last = &container["lastState"]["terminated"];
            // A loop's own words say how long it waits; what it failed with stands in its last end.
            let message = match (last["exitCode"].as_i64(), text(last, "message")) {
                (Some(code), "") if reason == "CrashLoopBackOff" => {
                    format!("it ended with status {code} ({})", text(last, "reason"))
                }
                (Some(code), said) if reason == "CrashLoopBackOff" => {
                    format!("it ended with status {code} ({}): {said}", text(last, "reason"))
                }
                _ => text(waiting, "message").to_owned(),
            };
            return Some((format!("{reason} of container {}", text(container, "name")), message));
        }
    }
    let unscheduled = status["conditions"].as_array()?.iter().find(|condition| {
        condition["type"] == "PodScheduled" && condition["status"] == "False" && condition["reason"] == "Unschedulable"
    });
    if let Some(condition) = unscheduled {
        return Some(("Unschedulable".to_owned(), text(condition, "message").to_owned()));
    }
    (status["phase"] == "Failed" && !text(status, "reason").is_empty())
        .then(|| (text(status, "reason").to_owned(), text(status, "message").to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: Value) -> Option<String> {
        line(&json!({"metadata": {"namespace": "n", "name": "p"}, "status": status}))
    }

    #[test]
    fn a_pod_that_cannot_go_on_says_why() {
        let waiting = |reason: &str, last: Value| json!({"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": reason, "message": "no such tag"}}, "lastState": last}]});
        assert_eq!(
            pod(waiting("ErrImagePull", json!({}))).as_deref(),
            Some("pod n/p is stuck: ErrImagePull of container c: no such tag")
        );
        assert_eq!(
            pod(waiting("CrashLoopBackOff", json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})))
                .as_deref(),
            Some("pod n/p is stuck: CrashLoopBackOff of container c: it ended with status 137 (OOMKilled)")
        );
        assert_eq!(pod(waiting("ContainerCreating", json!({}))), None);
        let unscheduled =
            json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"});
        assert_eq!(
            pod(json!({"conditions": [unscheduled]})).as_deref(),
            Some("pod n/p is stuck: Unschedulable: 0/1 nodes")
        );
        let deadline =
            json!({"phase": "Failed", "reason": "DeadlineExceeded", "message": "too long", "conditions": []});
        assert_eq!(pod(deadline).as_deref(), Some("pod n/p is stuck: DeadlineExceeded: too long"));
        assert_eq!(pod(json!({"phase": "Running", "conditions": []})), None);
    }

    #[test]
    fn commands_that_wait_are_told_from_others() {
        for command in
            ["kubectl wait --for=condition=Ready pod/a", "kubectl -n x rollout status deploy/web --timeout=5s"]
        {
            assert!(waits(command), "{command}");
        }
        assert!(!waits("kubectl get pods"));
        assert!(!waits("grep wait file"));
    }
}
