//! Who owns what, and what becomes of it when the owner goes.

use serde_json::json;

use super::{condition, each, name, pods_of, text};
use crate::harness::need;
use crate::live::Live;

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_adopted_released_orphaned_and_collected() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    live.kubectl(&["run", "solo", "--image=nginx", "--labels=app=set"]);
    live.apply(&pods_of("set", "nginx", "ReplicaSet", &json!({"replicas": 2})));
    let owner = |pod: &serde_json::Value| text(&pod["metadata"]["ownerReferences"][0]["name"]);
    let pods = live.until(&["pods"], |pods| {
        let pods = pods["items"].as_array().expect("a list");
        pods.len() == 2 && pods.iter().all(|pod| owner(pod) == "set")
    });
    assert!(each(&pods, name).contains(&"solo".to_owned()), "one was there, one was made: {pods:#}");

    live.kubectl(&["label", "pod", "solo", "app=free", "--overwrite"]);
    live.until(&["pod", "solo"], |pod| owner(pod).is_empty());
    live.until(&["pods", "-l", "app=set"], |pods| pods["items"].as_array().is_some_and(|pods| pods.len() == 2));

    live.kubectl(&["delete", "replicaset", "set", "--cascade=orphan"]);
    live.until(&["pods", "-l", "app=set"], |pods| each(pods, owner) == ["", ""]);

    live.apply(&pods_of("web", "nginx", "Deployment", &json!({"replicas": 2})));
    live.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    live.kubectl(&["delete", "deployment", "web", "--cascade=foreground", "--timeout=60s"]);
    for dependents in ["replicasets", "pods"] {
        assert!(live.get(&[dependents, "-l", "app=web"]).is_null(), "dependents go first");
    }

    owners_in_a_circle(&live);
    one_of_two_owners_goes(&live);
    live.kubectl(&["create", "namespace", "held"]);
    live.kubectl(&["create", "configmap", "one", "-n", "held"]);
    let hold = r#"{"metadata":{"finalizers":["example.com/hold"]}}"#;
    live.kubectl(&["patch", "configmap", "one", "-n", "held", "-p", hold]);
    live.kubectl(&["delete", "namespace", "held", "--wait=false"]);
    let held =
        live.until(&["namespace", "held"], |held| condition(held, "NamespaceFinalizersRemaining")["status"] == "True");
    assert_eq!(
        text(&condition(&held, "NamespaceContentRemaining")["message"]),
        "Some resources are remaining: configmaps. has 1 resource instances"
    );
    assert_eq!(
        text(&condition(&held, "NamespaceFinalizersRemaining")["message"]),
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    );
    let free = r#"{"metadata":{"finalizers":null}}"#;
    live.kubectl(&["patch", "configmap", "one", "-n", "held", "--type=merge", "-p", free]);
    live.until(&["namespace", "held"], serde_json::Value::is_null);
    live.stop().await;
}

/// Those that wait for each other to go all go.
fn owners_in_a_circle(live: &Live) {
    for name in ["one", "two", "three"] {
        live.kubectl(&["create", "configmap", name]);
    }
    for (name, of) in [("one", "three"), ("two", "one"), ("three", "two")] {
        owned(live, name, &[of]);
    }
    live.kubectl(&["delete", "configmap", "one", "--cascade=foreground", "--wait=false"]);
    for name in ["one", "two", "three"] {
        live.until(&["configmap", name], serde_json::Value::is_null);
    }
}

/// What another owner keeps stays, and does not keep the one that goes.
fn one_of_two_owners_goes(live: &Live) {
    for name in ["stays", "goes", "shared"] {
        live.kubectl(&["create", "configmap", name]);
    }
    owned(live, "shared", &["stays", "goes"]);
    live.kubectl(&["delete", "configmap", "goes", "--cascade=foreground", "--timeout=60s"]);
    let shared = live.get(&["configmap", "shared"]);
    let owners = shared["metadata"]["ownerReferences"].clone();
    assert_eq!((&owners[0]["name"], owners.as_array().map(Vec::len)), (&json!("stays"), Some(1)), "{shared:#}");
}

fn owned(live: &Live, name: &str, owners: &[&str]) {
    let reference = |owner: &&str| {
        let uid = live.get(&["configmap", owner])["metadata"]["uid"].clone();
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid, "blockOwnerDeletion": true})
    };
    let owners: Vec<_> = owners.iter().map(reference).collect();
    let patch = json!({"metadata": {"ownerReferences": owners}}).to_string();
    live.kubectl(&["patch", "configmap", name, "-p", &patch]);
}
