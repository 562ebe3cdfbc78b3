//! What a node's state does to the pods on it.

use serde_json::{Value, json};

use super::{each, pods_of, text};
use crate::harness::need;
use crate::live::Live;

const NODE: &str = "sandbox-control-plane";

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_takes_what_the_budget_allows_and_no_more() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    live.apply(&pods_of("web", "nginx", "Deployment", &json!({"replicas": 3})));
    live.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    live.kubectl(&["create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=2"]);
    live.until(&["pdb", "web"], |budget| budget["status"]["disruptionsAllowed"] == 1);
    let drain = ["drain", NODE, "--pod-selector=app=web", "--ignore-daemonsets", "--force", "--timeout=3s"];
    let (told, succeeded) = live.try_kubectl(&drain, "");
    assert!(!succeeded, "{told}");
    assert!(told.contains("Cannot evict pod as it would violate the pod's disruption budget."), "{told}");
    assert_eq!(told.matches(" evicted").count(), 1, "{told}");
    let pods = live.until(&["pods", "-l", "app=web"], |pods| {
        let running = each(pods, |pod| text(&pod["status"]["phase"]));
        running == ["Pending", "Running", "Running"]
    });
    assert_eq!(pods["items"].as_array().map(Vec::len), Some(3));
    let budget = live.until(&["pdb", "web"], |budget| budget["status"]["disruptedPods"].is_null());
    assert_eq!(budget["status"]["currentHealthy"], 2, "{budget:#}");
    assert_eq!(budget["status"]["disruptionsAllowed"], 0);

    let told = ["events", "--field-selector", "involvedObject.kind=Node,reason=NodeNotSchedulable"];
    live.until(&told, |events| !events.is_null());
    live.kubectl(&["uncordon", NODE]);
    live.until(&["pdb", "web"], |budget| budget["status"]["disruptionsAllowed"] == 1);
    live.until(&["node", NODE], |node| node["spec"]["taints"].is_null());
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taint_ends_pods_when_their_patience_does() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    let bears = |seconds: &Value| {
        json!({"spec": {"tolerations": [
            {"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds},
        ]}})
        .to_string()
    };
    live.kubectl(&["run", "goes", "--image=nginx"]);
    live.kubectl(&["run", "waits", "--image=nginx", "--overrides", &bears(&json!(3))]);
    live.kubectl(&["run", "stays", "--image=nginx", "--overrides", &bears(&Value::Null)]);
    live.kubectl(&["wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s"]);
    live.kubectl(&["expose", "pod", "stays", "--port=80"]);
    live.until(&["endpoints", "stays"], |found| found["subsets"][0]["addresses"].is_array());
    live.kubectl(&["taint", "node", NODE, "k=v:NoExecute"]);
    live.until(&["pod", "goes"], Value::is_null);
    live.until(&["pod", "waits"], Value::is_null);
    assert_eq!(live.get(&["pod", "stays"])["status"]["phase"], "Running");
    let events = live.until(&["events", "--field-selector", "reason=TaintManagerEviction"], |events| {
        each(events, |event| text(&event["involvedObject"]["name"])) == ["goes", "waits"]
    });
    let at = |pod: &str| {
        let events = events["items"].as_array().expect("events");
        let event = events.iter().find(|event| event["involvedObject"]["name"] == pod).expect("its event");
        text(&event["firstTimestamp"]).parse::<jiff::Timestamp>().expect("a time").as_second()
    };
    assert!(at("waits") - at("goes") >= 2, "it bore the taint for three seconds: {events:#}");

    // A node that is not ready is tainted for it, and freed of the taint when it is.
    let unready =
        |status: &str| json!([{"op": "replace", "path": "/status/conditions/3/status", "value": status}]).to_string();
    let patch = |status: &str| {
        live.kubectl(&["patch", "node", NODE, "--subresource=status", "--type=json", "-p", &unready(status)]);
    };
    live.kubectl(&["taint", "node", NODE, "k-"]);
    patch("False");
    let effects = |node: &Value| {
        let taints = node["spec"]["taints"].as_array().into_iter().flatten();
        taints.map(|taint| format!("{}:{}", text(&taint["key"]), text(&taint["effect"]))).collect::<Vec<_>>()
    };
    let wanted = ["node.kubernetes.io/not-ready:NoSchedule", "node.kubernetes.io/not-ready:NoExecute"];
    live.until(&["node", NODE], |node| effects(node) == wanted);
    patch("True");
    live.until(&["node", NODE], |node| effects(node).is_empty());

    // A volume that fits is bound, and one of another class is not.
    live.apply(&json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"},
        "spec": {"storageClassName": "manual", "capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}},
    }));
    let claim = |name: &str, class: &str| {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
            "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        })
    };
    live.apply(&claim("fits", "manual"));
    live.apply(&claim("other", "none"));
    let bound = live.until(&["pvc", "fits"], |claim| claim["status"]["phase"] == "Bound");
    assert_eq!(bound["spec"]["volumeName"], "disk");
    assert_eq!(live.get(&["pvc", "other"])["status"]["phase"], "Pending");
    live.kubectl(&["delete", "pvc", "fits"]);
    live.until(&["pv", "disk"], |volume| volume["status"]["phase"] == "Released");
    live.stop().await;
}
