use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::resource::registry::Registry;

fn resource(group: &str, plural: &str) -> Arc<Resource> {
    Registry::default().served().find(group, "v1", plural).expect("a built-in kind")
}

fn config_map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}, "data": data})
}

fn fields(object: &Value, manager: &str) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    entries.iter().find(|entry| entry["manager"] == manager).map_or(Value::Null, |entry| entry["fieldsV1"].clone())
}

#[test]
fn a_created_object_is_its_creators_as_the_recordings_have_it() {
    let maps = resource("", "configmaps");
    let mut object = config_map(json!({"a": "1"}));
    object["metadata"]["annotations"] = json!({"x": "y"});
    on_update(&maps, None, &mut object, "kubectl-create", "");
    assert_eq!(
        fields(&object, "kubectl-create"),
        json!({"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:annotations": {".": {}, "f:x": {}}}})
    );

    let deployments = resource("apps", "deployments");
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": {"app": "d"}},
        "spec": {
            "replicas": 1, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            "template": {"spec": {"containers": [{"name": "c", "image": "i", "resources": {}}]}},
        },
        "status": {},
    });
    on_update(&deployments, None, &mut object, "m", "");
    assert_eq!(
        fields(&object, "m"),
        json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {
                "f:replicas": {},
                "f:strategy": {"f:type": {}, "f:rollingUpdate": {".": {}, "f:maxSurge": {}}},
                "f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:image": {}, "f:resources": {}},
                }}},
            },
        })
    );
}

#[test]
fn an_update_takes_over_what_it_changes() {
    let maps = resource("", "configmaps");
    let mut first = config_map(json!({"a": "1", "b": "1"}));
    on_update(&maps, None, &mut first, "one", "");
    let mut second = first.clone();
    second["data"] = json!({"a": "2", "c": "3"});
    on_update(&maps, Some(&first), &mut second, "two", "");
    assert_eq!(fields(&second, "one"), json!({"f:data": {}}), "b is gone and a is another's now");
    assert_eq!(fields(&second, "two"), json!({"f:data": {"f:a": {}, "f:c": {}}}));
}

#[test]
fn apply_conflicts_with_what_others_own_unless_it_is_forced() {
    let maps = resource("", "configmaps");
    let mut live = config_map(json!({"a": "2", "b": "x"}));
    on_update(&maps, None, &mut live, "kubectl-client-side-apply", "");
    let wanted = config_map(json!({"a": "3"}));
    let error = apply(&maps, &live, &wanted, "kubectl", false, "").expect_err("a conflict");
    assert_eq!(error.code, 409);
    assert!(
        error.message.starts_with("Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using v1"),
        "{}",
        error.message
    );
    assert!(error.message.ends_with(": .data.a"), "{}", error.message);
    let forced = apply(&maps, &live, &wanted, "kubectl", true, "").expect("it is forced");
    assert_eq!(forced["data"], json!({"a": "3", "b": "x"}));
    assert_eq!(fields(&forced, "kubectl"), json!({"f:data": {"f:a": {}}}));
    assert_eq!(fields(&forced, "kubectl-client-side-apply"), json!({"f:data": {".": {}, "f:b": {}}}));
}

#[test]
fn kubectl_takes_over_what_it_applied_by_itself() {
    let maps = resource("", "configmaps");
    let mut live = config_map(json!({"a": "2", "b": "x"}));
    let applied = live.to_string();
    live["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": applied});
    on_update(&maps, None, &mut live, "kubectl-client-side-apply", "");
    let wanted = config_map(json!({"a": "3", "b": "x"}));
    let done = apply(&maps, &live, &wanted, "kubectl", false, "").expect("no conflict");
    assert_eq!(done["data"], json!({"a": "3", "b": "x"}));
    assert!(apply(&maps, &live, &wanted, "another", false, "").is_err(), "only kubectl does");
    // What somebody else has changed since is theirs.
    let mut changed = live.clone();
    changed["data"]["a"] = json!("9");
    on_update(&maps, Some(&live), &mut changed, "them", "");
    let error = apply(&maps, &changed, &wanted, "kubectl", false, "").expect_err("a conflict");
    assert!(
        error.message.contains("conflict with \"them\"") && error.message.ends_with(": .data.a"),
        "{}",
        error.message
    );
}

#[test]
fn apply_removes_what_it_no_longer_states() {
    let maps = resource("", "configmaps");
    let mut live = config_map(json!({"a": "1", "b": "2"}));
    let first = live.clone();
    on_apply_create(&maps, &mut live, &first, "me");
    let second = apply(&maps, &live, &config_map(json!({"a": "1"})), "me", false, "").expect("it applies");
    assert_eq!(second["data"], json!({"a": "1"}));
}

#[test]
fn applied_list_items_come_and_go_by_their_keys() {
    let pods = resource("", "pods");
    let pod = |containers: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}});
    let mut live = pod(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]));
    let first = live.clone();
    on_apply_create(&pods, &mut live, &first, "me");
    live["spec"]["containers"][1]["imagePullPolicy"] = json!("Always");
    let wanted = pod(json!([{"name": "c", "image": "1"}, {"name": "b", "image": "2"}]));
    let merged = apply(&pods, &live, &wanted, "me", false, "").expect("it applies");
    assert_eq!(
        merged["spec"]["containers"],
        json!([{"name": "c", "image": "1"}, {"name": "b", "image": "2", "imagePullPolicy": "Always"}])
    );
}
