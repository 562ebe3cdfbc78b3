//! Waits for what cannot come: a command or a check that waits for pods of which one has an image that no registry
//! will give.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde_json::Value;
use tokio::sync::watch;

use super::no_field::no_field;
use super::runner::Runner;
use super::stuck::{self, text};
use crate::grade::{self, Evidence, Judge, Need};
use crate::journal::{JournalView, KeyGlob, Piece};
use crate::lab::{Check, CheckKind, EventOrder, Holds};

/// How often the pods are looked at while a command or a check waits.
pub(super) const LOOK: std::time::Duration = std::time::Duration::from_millis(500);
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

impl Runner<'_> {
    /// Why a check that does not hold yet never will as things are. A background block may yet change them.
    pub(super) fn checked_in_vain(&self, check: &Check, judge: &mut Judge<'_>, evidence: &Evidence) -> Option<String> {
        if self.backgrounds.iter().any(|running| !running.stopped) {
            return None;
        }
        let found = no_field(check, &self.vars.values, &self.info.prefix, &self.witness.journal());
        if found.is_some() {
            return found;
        }
        if let Some(why) = judge.broken(evidence, &self.witness.journal()) {
            return Some(why);
        }
        let (target, demand) = checked(check, &self.vars.values, &self.info.prefix)?;
        let objects = Objects::of(&self.witness.journal(), &self.info.prefix);
        if !is_one(&target, &objects) || !demands_all(&target, demand, &objects) {
            return None;
        }
        why(&target, &objects).map(|why| format!("it waits for what will not come: {why}"))
    }
}

/// What a check wants of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    /// That the pod runs.
    Runs,
    /// That all of a controller's pods are ready.
    All,
    /// That so many are.
    Ready(u64),
}

/// Whether a check is of those that may be known to wait in vain.
pub(super) fn can_be_vain(check: &Check) -> bool {
    matches!(
        check.kind,
        CheckKind::Key { holds: Holds::Where(_), .. }
            | CheckKind::Resource { holds: Holds::Where(_), .. }
            | CheckKind::Events { order: EventOrder::Strict, .. }
    )
}

/// What a check waits for that a pod without its image keeps from coming: that it runs, or that all of a controller's
/// are ready. One of several conditions that must all hold is enough.
fn checked(check: &Check, vars: &BTreeMap<String, String>, prefix: &str) -> Option<(Target, Demand)> {
    let (CheckKind::Key { holds: Holds::Where(condition), .. }
    | CheckKind::Resource { holds: Holds::Where(condition), .. }) = &check.kind
    else {
        return None;
    };
    let target = match grade::needs(check, vars).pop() {
        Some(Need::Resource { kind, name, namespace }) => Target { kind: kind_of(&kind)?, name, namespace },
        Some(_) => return None,
        None => {
            let glob = grade::concerns(check, vars, prefix)?;
            let key = glob.exact()?.strip_prefix(prefix.trim_end_matches('/'))?.trim_start_matches('/');
            let [folder, namespace, name] = key.split('/').collect::<Vec<_>>().try_into().ok()?;
            Target { kind: kind_of(folder)?, name: name.to_owned(), namespace: Some(namespace.to_owned()) }
        }
    };
    let text = &condition.text;
    if !is_plain(text) {
        return None;
    }
    let demand = text.split("&&").find_map(|one| demanded(target.kind, one.trim()))?;
    Some((target, demand))
}

/// Conditions of which each has to hold, and nothing else.
pub(super) fn is_plain(text: &str) -> bool {
    !["||", "?", "!", "("].iter().any(|other| text.replace("!=", "").contains(other))
}

fn demanded(kind: &str, condition: &str) -> Option<Demand> {
    if kind == "Pod" {
        return RUNS.is_match(condition).then_some(Demand::Runs);
    }
    let found = READY.captures(condition)?;
    match found.name("number") {
        Some(number) => number.as_str().parse().ok().map(Demand::Ready),
        None => Some(Demand::All),
    }
}

/// Whether it is known which object is meant.
fn is_one(target: &Target, objects: &Objects) -> bool {
    let all = if target.kind == "Pod" { &objects.pods } else { &objects.controllers };
    let named = |one: &&Arc<Value>| target.kind == "Pod" || one["kind"] == target.kind;
    let named = all.iter().filter(named).filter(|one| text(&one["metadata"], "name") == target.name);
    target.namespace.is_some() || named.count() == 1
}

/// Whether every pod of a controller has to be ready, and none is on its way there but those that never will be.
fn demands_all(target: &Target, demand: Demand, objects: &Objects) -> bool {
    let here = |object: &Value| {
        target.namespace.as_ref().is_none_or(|namespace| text(&object["metadata"], "namespace") == namespace)
    };
    let wanted = match demand {
        Demand::Runs => return true,
        Demand::All => None,
        Demand::Ready(number) => Some(number),
    };
    let mut controllers = objects
        .controllers
        .iter()
        .filter(|one| here(one) && one["kind"] == target.kind && text(&one["metadata"], "name") == target.name);
    let is_all = |controller: &Value| wanted.is_none_or(|number| controller["spec"]["replicas"] == number);
    if wanted.is_some() && !controllers.any(|one| is_all(one)) {
        return false;
    }
    let of = |pod: &&Arc<Value>| here(pod) && (is_of(target, pod, objects, false)) && !is_going(pod);
    objects.pods.iter().filter(of).all(|pod| is_ready(pod) || is_final(pod))
}

fn is_going(pod: &Value) -> bool {
    pod["metadata"].get("deletionTimestamp").is_some_and(|time| !time.is_null())
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

static RUNS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^object\.status\.phase\s*==\s*"(Running|Succeeded)"$"#).expect("a constant"));
static READY: LazyLock<Regex> = LazyLock::new(|| {
    let counted = r"object\.status\.(readyReplicas|availableReplicas|numberReady|numberAvailable)";
    let all = r"object\.(spec\.replicas|status\.replicas|status\.desiredNumberScheduled)|(?P<number>[1-9][0-9]*)";
    Regex::new(&format!(r"^{counted}\s*(?:==|>=)\s*(?:{all})$")).expect("a constant")
});

struct Objects {
    pods: Vec<Arc<Value>>,
    sets: Vec<Arc<Value>>,
    /// Deployments, and sets of pods with names of their own.
    controllers: Vec<Arc<Value>>,
}

impl Objects {
    fn of(view: &JournalView, prefix: &str) -> Self {
        let all = |folder: &str| -> Vec<Arc<Value>> {
            let glob = KeyGlob::from_pieces(&[Piece::Data(prefix.trim_end_matches('/')), Piece::Pattern(folder)]);
            let states = view.states(&glob, view.end()).into_iter();
            states.filter_map(|change| Some(Arc::new((*change.value.as_ref()?.object().ok()?).clone()))).collect()
        };
        let controllers = [all("/deployments/**"), all("/statefulsets/**")].concat();
        Self { pods: all("/pods/**"), sets: all("/replicasets/**"), controllers }
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
    Some(Target { kind: kind_of(kind)?, name: name.to_owned(), namespace })
}

fn kind_of(named: &str) -> Option<&'static str> {
    let kind = kube_etcd_codec::kind_called(named.split('.').next()?)?.kind;
    matches!(kind, "Pod" | "Deployment" | "StatefulSet" | "DaemonSet" | "Job").then_some(kind)
}

/// The pod that keeps the target from getting there, and why.
fn why(target: &Target, objects: &Objects) -> Option<String> {
    let here = |object: &Value| {
        target.namespace.as_ref().is_none_or(|namespace| text(&object["metadata"], "namespace") == namespace)
    };
    let mut pods = objects.pods.iter().filter(|pod| here(pod) && is_of(target, pod, objects, true) && is_final(pod));
    pods.find_map(|pod| stuck::line(pod))
}

/// `present`: of the revision that a deployment has now.
fn is_of(target: &Target, pod: &Value, objects: &Objects, present: bool) -> bool {
    let owned = |object: &Value, kind: &str, name: &str| {
        let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        owners.into_iter().any(|owner| owner["kind"] == kind && owner["name"] == name)
    };
    match target.kind {
        "Pod" => text(&pod["metadata"], "name") == target.name,
        // What is left of another revision is on its way out.
        "Deployment" => objects.sets.iter().any(|set| {
            let same = |one: &Value, other: &Value, field: &str| one["metadata"][field] == other["metadata"][field];
            let revision =
                |object: &Value| object["metadata"]["annotations"]["deployment.kubernetes.io/revision"].clone();
            same(set, pod, "namespace")
                && owned(pod, "ReplicaSet", text(&set["metadata"], "name"))
                && owned(set, "Deployment", &target.name)
                && objects.controllers.iter().any(|deployment| {
                    same(deployment, pod, "namespace")
                        && deployment["kind"] == "Deployment"
                        && text(&deployment["metadata"], "name") == target.name
                        && (!present || revision(deployment) == revision(set))
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
            json!({"kind": "Deployment", "metadata": {
                "namespace": "n", "name": name, "generation": 2, "ownerReferences": [owner],
                "annotations": {"deployment.kubernetes.io/revision": revision},
            }, "status": {"observedGeneration": 2}})
        };
        let of_web = json!({"kind": "Deployment", "name": "web"});
        let sets = vec![Arc::new(revised("web-1", "1", of_web.clone())), Arc::new(revised("web-2", "2", of_web))];
        let controllers = vec![Arc::new(revised("web", "2", json!({})))];
        let of_set = |name: &str| json!({"kind": "ReplicaSet", "name": name});
        let missing = "rpc error: code = NotFound desc = nginx:1.161: not found";
        let found = |pod: Value, command: &str| {
            let objects = Objects { pods: vec![Arc::new(pod)], sets: sets.clone(), controllers: controllers.clone() };
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

    #[test]
    fn a_demand_is_one_that_only_what_runs_meets() {
        for (kind, condition, demand) in [
            ("Pod", "object.status.phase == \"Running\"", Some(Demand::Runs)),
            ("Pod", "object.status.phase==\"Succeeded\"", Some(Demand::Runs)),
            ("Pod", "object.status.phase == \"Pending\"", None),
            ("Pod", "object.status.phase != \"Running\"", None),
            ("Deployment", "object.status.readyReplicas == 3", Some(Demand::Ready(3))),
            ("Deployment", "object.status.availableReplicas >= object.spec.replicas", Some(Demand::All)),
            ("Deployment", "object.status.readyReplicas == 0", None),
            ("Deployment", "object.status.readyReplicas < 3", None),
            ("Deployment", "object.status.unavailableReplicas == 3", None),
            ("Deployment", "object.status.phase == \"Running\"", None),
            ("DaemonSet", "object.status.numberReady == object.status.desiredNumberScheduled", Some(Demand::All)),
        ] {
            assert_eq!(demanded(kind, condition), demand, "{kind} {condition}");
        }
    }

    #[test]
    fn all_are_demanded_where_none_else_is_on_its_way() {
        let target = |namespace: Option<&str>| Target {
            kind: "StatefulSet",
            name: "db".to_owned(),
            namespace: namespace.map(str::to_owned),
        };
        let set = |namespace: &str, replicas: u64| {
            Arc::new(json!({"kind": "StatefulSet", "metadata": {"name": "db", "namespace": namespace},
                "spec": {"replicas": replicas}}))
        };
        let owner = json!({"kind": "StatefulSet", "name": "db"});
        let stuck = pod(&owner, "ErrImagePull", "a: not found");
        let mut ready = pod(&owner, "", "");
        ready["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
        let coming = pod(&owner, "ContainerCreating", "");
        let of = |pods: &[&Value]| Objects {
            pods: pods.iter().map(|pod| Arc::new(Value::clone(pod))).collect(),
            sets: Vec::new(),
            controllers: vec![set("n", 2)],
        };
        let here = target(Some("n"));
        assert!(demands_all(&here, Demand::Ready(2), &of(&[&ready, &stuck])));
        assert!(demands_all(&here, Demand::All, &of(&[&ready, &stuck])));
        assert!(!demands_all(&here, Demand::Ready(1), &of(&[&ready, &stuck])), "one of them is enough");
        assert!(!demands_all(&here, Demand::Ready(2), &of(&[&coming, &stuck])), "one is on its way");
        assert!(is_one(&target(None), &of(&[])));
        let twice = Objects { controllers: vec![set("n", 2), set("m", 2)], ..of(&[]) };
        assert!(!is_one(&target(None), &twice) && is_one(&here, &twice));
    }
}
