//! Waits for what cannot come: a command that waits for pods of which one has an image that no registry will give.

use serde_json::Value;
use tokio::sync::watch;

use super::runner::Runner;
use super::stuck::{self, text};
use crate::journal::{JournalView, KeyGlob, Piece};

/// How often the pods are looked at while a command waits.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);
/// What a registry says that has no such image, or gives it to nobody without an account.
const FINAL: [&str; 4] = [": not found", "manifest unknown", "pull access denied", "insufficient_scope"];
/// Conditions that a pod whose image is not there never lets come true.
const CONDITIONS: [&str; 4] = ["ready", "containersready", "available", "complete"];

/// The one object that a command waits for.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    kind: &'static str,
    name: String,
    namespace: Option<String>,
}

impl Runner<'_> {
    /// Comes to its end only when the command that runs waits in vain, and says for what.
    pub(super) async fn waits_in_vain(&self, running: watch::Receiver<String>) -> String {
        loop {
            tokio::time::sleep(LOOK).await;
            let command = running.borrow().clone();
            if let Some(target) = target(&command)
                && let Some(why) = why(&target, &Objects::of(&self.witness.journal(), &self.info.prefix))
            {
                return format!("`{}` waits for what will not come: {why}", command.trim());
            }
        }
    }
}

struct Objects {
    pods: Vec<Value>,
    sets: Vec<Value>,
    deployments: Vec<Value>,
}

impl Objects {
    fn of(view: &JournalView, prefix: &str) -> Self {
        let all = |folder: &str| {
            let glob = KeyGlob::from_pieces(&[Piece::Data(prefix.trim_end_matches('/')), Piece::Pattern(folder)]);
            let states = view.states(&glob, view.end()).into_iter();
            states.filter_map(|change| change.value.as_ref()?.object().ok().map(|object| (*object).clone())).collect()
        };
        Self { pods: all("/pods/**"), sets: all("/replicasets/**"), deployments: all("/deployments/**") }
    }
}

/// Plain commands only: what a shell makes of anything else is its own affair, as is a failure that it expects.
fn target(command: &str) -> Option<Target> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || " =/-_.,:\t\n".contains(letter);
    if !command.chars().all(plain) || command.trim().contains('\n') {
        return None;
    }
    let mut words = command.split_whitespace();
    if words.next() != Some("kubectl") {
        return None;
    }
    let (mut given, mut namespace, mut wanted) = (Vec::new(), None, None);
    while let Some(word) = words.next() {
        let (flag, value) = word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
        match flag {
            "-n" | "--namespace" => namespace = value.or_else(|| words.next()).map(str::to_owned),
            "--for" => wanted = value.or_else(|| words.next()),
            "--timeout" => drop(value.or_else(|| words.next())),
            "-w" | "--watch" => {}
            flag if flag.starts_with('-') => return None,
            _ => given.push(word),
        }
    }
    let objects = match given.as_slice() {
        ["rollout", "status", objects @ ..] => objects,
        ["wait", objects @ ..] => {
            let condition = wanted?.strip_prefix("condition=")?.to_lowercase();
            let condition = condition.strip_suffix("=true").unwrap_or(&condition);
            CONDITIONS.contains(&condition).then_some(objects)?
        }
        _ => return None,
    };
    let (kind, name) = match objects {
        [one] => one.split_once('/')?,
        [kind, name] if !name.contains('/') => (*kind, *name),
        _ => return None,
    };
    let kind = kube_etcd_codec::kind_called(kind.split('.').next()?)?.kind;
    if !matches!(kind, "Pod" | "Deployment" | "StatefulSet" | "DaemonSet" | "Job") {
        return None;
    }
    Some(Target { kind, name: name.to_owned(), namespace })
}

/// The pod that keeps the target from getting there, and why.
fn why(target: &Target, objects: &Objects) -> Option<String> {
    let here = |object: &Value| {
        target.namespace.as_ref().is_none_or(|namespace| text(&object["metadata"], "namespace") == namespace)
    };
    let mut pods = objects.pods.iter().filter(|pod| here(pod) && is_of(target, pod, objects) && is_final(pod));
    pods.find_map(stuck::line)
}

fn is_of(target: &Target, pod: &Value, objects: &Objects) -> bool {
    let owned = |object: &Value, kind: &str, name: &str| {
        let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        owners.into_iter().any(|owner| owner["kind"] == kind && owner["name"] == name)
    };
    match target.kind {
        "Pod" => text(&pod["metadata"], "name") == target.name,
        // Of the present revision: what is left of another one is on its way out.
        "Deployment" => objects.sets.iter().any(|set| {
            let same = |one: &Value, other: &Value, field: &str| one["metadata"][field] == other["metadata"][field];
            let revision =
                |object: &Value| object["metadata"]["annotations"]["deployment.kubernetes.io/revision"].clone();
            same(set, pod, "namespace")
                && owned(pod, "ReplicaSet", text(&set["metadata"], "name"))
                && owned(set, "Deployment", &target.name)
                && objects.deployments.iter().any(|deployment| {
                    same(deployment, pod, "namespace")
                        && text(&deployment["metadata"], "name") == target.name
                        && revision(deployment) == revision(set)
                        && deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]
                })
        }),
        kind => owned(pod, kind, &target.name),
    }
}

/// Whether a container waits for an image that will not come however long it waits.
fn is_final(pod: &Value) -> bool {
    let lists = ["initContainerStatuses", "containerStatuses"];
    let containers = lists.iter().flat_map(|list| pod["status"][*list].as_array().into_iter().flatten());
    containers.into_iter().any(|container| {
        let waiting = &container["state"]["waiting"];
        match text(waiting, "reason") {
            "InvalidImageName" | "ErrImageNeverPull" => true,
            "ErrImagePull" | "ImagePullBackOff" => FINAL.iter().any(|words| text(waiting, "message").contains(words)),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_waits_for_one_object_are_read() {
        let of = |command: &str| target(command).map(|target| (target.kind, target.name, target.namespace));
        let is = |kind, name: &str, space: Option<&str>| Some((kind, name.to_owned(), space.map(str::to_owned)));
        assert_eq!(of("kubectl rollout status deploy/web --timeout=5s"), is("Deployment", "web", None));
        assert_eq!(of("kubectl -n a rollout status sts web -w"), is("StatefulSet", "web", Some("a")));
        assert_eq!(
            of("kubectl wait --for=condition=Ready pod/a --namespace=b --timeout 9s"),
            is("Pod", "a", Some("b"))
        );
        assert_eq!(of("kubectl wait --for condition=available deployment.apps/a"), is("Deployment", "a", None));
        assert_eq!(of("kubectl wait --for=condition=complete job a"), is("Job", "a", None));
        for other in [
            "kubectl rollout status deploy/web || true",
            "! kubectl rollout status deploy/web",
            "kubectl rollout status deploy/$NAME",
            "kubectl rollout status deploy",
            "kubectl wait --for=delete pod/a",
            "kubectl wait --for=condition=PodScheduled pod/a",
            "kubectl wait --for=condition=Ready=False pod/a",
            "kubectl wait --for=condition=Ready pod/a pod/b",
            "kubectl wait --for=condition=Ready pod -l app=a",
            "kubectl rollout undo deploy/web",
            "kubectl get pods",
            "timeout 5 kubectl rollout status deploy/web",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    fn pod(owner: &Value, reason: &str, message: &str) -> Value {
        json!({
            "metadata": {"namespace": "n", "name": "p", "ownerReferences": [owner]},
            "status": {"containerStatuses": [
                {"name": "c", "state": {"waiting": {"reason": reason, "message": message}}, "lastState": {}},
            ]},
        })
    }

    #[test]
    fn only_a_pod_of_the_present_revision_whose_image_never_comes_ends_a_wait() {
        let revised = |name: &str, revision: &str, owner: Value| {
            json!({"metadata": {
                "namespace": "n", "name": name, "generation": 2, "ownerReferences": [owner],
                "annotations": {"deployment.kubernetes.io/revision": revision},
            }, "status": {"observedGeneration": 2}})
        };
        let of_web = json!({"kind": "Deployment", "name": "web"});
        let sets = vec![revised("web-1", "1", of_web.clone()), revised("web-2", "2", of_web)];
        let deployments = vec![revised("web", "2", json!({}))];
        let of_set = |name: &str| json!({"kind": "ReplicaSet", "name": name});
        let missing = "rpc error: code = NotFound desc = nginx:1.161: not found";
        let found = |pod: Value, command: &str| {
            let objects = Objects { pods: vec![pod], sets: sets.clone(), deployments: deployments.clone() };
            why(&target(command).expect("it waits"), &objects)
        };
        let rollout = "kubectl rollout status deployment/web";
        assert_eq!(
            found(pod(&of_set("web-2"), "ErrImagePull", missing), rollout).as_deref(),
            Some(
                "pod n/p is stuck: ErrImagePull of container c: rpc error: code = NotFound desc = nginx:1.161: not found"
            )
        );
        assert!(found(pod(&of_set("web-2"), "InvalidImageName", ""), rollout).is_some());
        assert!(found(pod(&json!({}), "ErrImageNeverPull", ""), "kubectl wait --for=condition=Ready pod/p").is_some());
        for (pod, command) in [
            (pod(&of_set("web-1"), "ErrImagePull", missing), rollout),
            (pod(&of_set("other"), "ErrImagePull", missing), rollout),
            (pod(&of_set("web-2"), "ErrImagePull", missing), "kubectl rollout status deployment/web -n m"),
            (pod(&of_set("web-2"), "ErrImagePull", "dial tcp: i/o timeout"), rollout),
            (pod(&of_set("web-2"), "CrashLoopBackOff", ""), rollout),
            (pod(&json!({}), "ErrImagePull", missing), "kubectl wait --for=condition=Ready pod/q"),
        ] {
            assert_eq!(found(pod.clone(), command), None, "{command}: {pod}");
        }
    }
}
