//! Where the sandbox does not do what the recording shows, and why that is right or harmless. Each entry is a
//! reason that a user would accept; whatever is not here fails the test.

/// `(scenario, a part of the difference's text, reason)`; `*` is every scenario.
pub(crate) const ACCEPTED: &[(&str, &str, &str)] = &[
    ("*", ": .status.resources", CGROUP),
    ("*", "(Pulled: Successfully pulled image", PULL),
    ("*", ": Successfully pulled image", PULL),
    ("all-kinds", "before binding): .count", TIMING),
    ("all-kinds", "No matching pods found): .count", TIMING),
    ("apply", "/registry/configmaps/default/applied: 0 of them, recorded 1", CUT_OFF),
    ("apply", "milestones: /registry/configmaps/default/applied", CUT_OFF),
    ("apply", "order: DELETE /registry/configmaps/default/applied | recorded ", CUT_OFF),
    ("daemonset", "/registry/pods/default/agent-<r>: 0 of them, recorded 1", CUT_OFF),
    ("daemonset", "milestones: /registry/pods/default/agent-<r>", CUT_OFF),
    ("daemonset", "order: DELETE /registry/pods/default/agent-<r> | recorded ", CUT_OFF),
    ("deployment-lifecycle", "order:", FAST_END),
    ("deployment-bad-update", "order:", FAST_END),
    ("deployment-bad-update", "rollout undo deployment/web` warned no", CLIENT),
    ("errors", "no objects passed to scale", CLIENT),
    ("errors", "scale deployment nosuch --replicas=2` warned no", CLIENT),
    ("job", "Failed: Error: failed to create containerd task", STAND_IN),
    ("job", "Started: Container started", STAND_IN),
    ("job", "Completed: Job completed", STAND_IN),
    ("job", "/registry/jobs/default/hello: .status.", STAND_IN),
    ("job", "/registry/pods/default/hello-<r>: .status.", STAND_IN),
    ("job", "milestones: /registry/pods/default/hello-<r>", STAND_IN),
    ("node", ".spec.providerID", MACHINE),
    ("node", ": .status.capacity", MACHINE),
    ("node", ": .status.allocatable", MACHINE),
    ("node", ": .status.images", MACHINE),
    ("node", ": .status.nodeInfo", MACHINE),
    ("node", ": .status.features", MACHINE),
    ("node", ": .status.declaredFeatures", MACHINE),
    ("node", ": .status.runtimeHandlers", MACHINE),
    ("node", "NodeSchedulable: Node", KUBELET_LOOP),
    ("pod-unschedulable-and-bad-image", "NodeSchedulable: Node", KUBELET_LOOP),
    ("serviceaccount-rbac", "/registry/minions/<node>", HEARTBEAT),
    ("reads", "once-<r>", STAND_IN),
    ("reads", "\"once  ", STAND_IN),
    ("reads", "job.batch/once", STAND_IN),
    ("reads", "job/once", STAND_IN),
    ("reads", "Non-terminated Pods", STAND_IN),
    ("reads", "`kubectl get nodes -o wide`", MACHINE),
    ("reads", "ephemeral-storage:", MACHINE),
    ("reads", "describe node rig-control-plane` printed no \"  cpu", SIZE),
    ("reads", "describe node rig-control-plane` printed \"  cpu", SIZE),
    ("reads", "describe node rig-control-plane` printed no \"  memory", SIZE),
    ("reads", "describe node rig-control-plane` printed \"  memory", SIZE),
    ("reads", "describe node rig-control-plane` printed no \"  kube-system", SIZE),
    ("reads", "describe node rig-control-plane` printed \"  kube-system", SIZE),
    ("reads", "memory:  246", MACHINE),
    ("reads", "Machine ID:", MACHINE),
    ("reads", "System UUID:", MACHINE),
    ("reads", "Kernel Version:", MACHINE),
    ("reads", "Container Runtime Version:", MACHINE),
    ("reads", "ProviderID:", MACHINE),
    ("reads", "Kube-Proxy Version:", CLIENT),
    ("reads", "`kubectl describe node rig-control-plane` printed 8", RESTART),
    ("reads", "`kubectl version`", CLIENT),
    ("reads", "ConfigMapOptional:", CLIENT),
    ("reads", "Optional:  false", CLIENT),
    ("reads", "`kubectl -n shop describe pod solo` printed no \"  Normal  ", CLIENT),
    ("reads", "`kubectl -n shop describe pod solo` printed \"  Normal  ", CLIENT),
    ("reads", "`kubectl get --raw /version`: .compiler", BUILD),
    ("reads", "`kubectl get --raw /version`: .git", BUILD),
    ("reads", "`kubectl get --raw /version`: .goVersion", BUILD),
    ("reads", "`kubectl -n kube-system describe pod etcd-rig-control-plane`", ETCD),
    ("reads", "`kubectl -n kube-system get pod etcd-rig-control-plane -o yaml`", ETCD),
    ("reads", "etcd-rig-control-plane -o json`: .metadata.annotations", ETCD),
    ("reads", "etcd-rig-control-plane -o json`: .spec.containers[0].command", ETCD),
    ("reads", "etcd-rig-control-plane -o json`: .spec.containers[0].image", ETCD),
    ("reads", "etcd-rig-control-plane -o json`: .spec.volumes", ETCD),
    ("reads", "etcd-rig-control-plane -o json`: .status.allocatedResources", ETCD),
    ("reads", "etcd-rig-control-plane -o json`: .status.containerStatuses[0].containerID", ETCD),
    ("reads", "etcd-rig-control-plane -o json`: .status.containerStatuses[0].image", ETCD),
    ("reads", "etcd-rig-control-plane -o json`: .status.containerStatuses[0].lastState", RESTART),
    ("reads", "etcd-rig-control-plane -o json`: .status.containerStatuses[0].restartCount", RESTART),
    ("reads", "`kubectl -n kube-system logs etcd-rig-control-plane --tail=5`", ETCD),
    ("reads", "`kubectl config ", CONTEXT),
    ("reads", "--watch-only --request-timeout=1s`", TIMING),
];

const SIZE: &str = "the sandbox's node has 4 processors and 8 GiB on every machine, so that shares of it are others";
const CGROUP: &str =
    "the recorded kubelet took the limit of its own nested cgroup for one of the pod; no pod asked for it";
const PULL: &str = "how long a pull took and what it brought is part of the Event's words; nothing is pulled here";
const TIMING: &str = "what is seen in passing depends on when one looks";
const CUT_OFF: &str = "the recording ends before the last deletion reached its watch";
const FAST_END: &str =
    "pods stop and start in other moments, and on a busy machine an old one may be gone before the next is made";
const CLIENT: &str = "kubectl 1.32 words this differently from 1.36; the server's answer is the same";
const STAND_IN: &str =
    "the recorded image is a stand-in without a program named true; here `true` succeeds, as in the real image";
const MACHINE: &str = "the machine, its runtime and its images are others";
const KUBELET_LOOP: &str =
    "a kubelet looks at its node each 10 s; the recorded Event of the uncordon came in the next scenario";
const RESTART: &str = "the recorded rig was restarted once before it was read";
const BUILD: &str = "this API is not a build of kube-apiserver and does not pretend to be one";
const ETCD: &str = "the pod shows the real etcd of this sandbox: its version, its ports, its flags, its log";
const CONTEXT: &str = "a kubeconfig's context is named by whoever made the cluster";
const HEARTBEAT: &str = "a heartbeat of the recorded node happened to fall into this scenario";

pub(crate) fn reason(scenario: &str, difference: &str) -> Option<&'static str> {
    let fits =
        |(of, part, _): &&(&str, &str, &'static str)| (*of == "*" || *of == scenario) && difference.contains(part);
    ACCEPTED.iter().find(fits).map(|(_, _, reason)| *reason)
}

/// kubectl's own words, which changed between the recording's client (1.36) and the one that is here.
pub(crate) fn client_words(text: &str) -> String {
    static DELETED: std::sync::LazyLock<regex::Regex> =
        std::sync::LazyLock::new(|| regex::Regex::new(r"(?m) deleted from \S+ namespace").expect("a rule"));
    DELETED.replace_all(text, " deleted").into_owned()
}
