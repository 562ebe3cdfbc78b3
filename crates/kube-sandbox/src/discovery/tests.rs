use std::collections::BTreeMap;

use http_body_util::BodyExt;
use serde_json::Value;

use super::*;
use crate::resource::registry::Registry;

fn recorded(command: &str) -> Value {
    let reads: Value = serde_json::from_str(include_str!("../../../../tests/data/reads.json")).unwrap();
    let read = reads["reads"].as_array().unwrap().iter().find(|read| read["command"] == command).unwrap();
    serde_json::from_str(read["stdout"].as_str().unwrap()).unwrap()
}

async fn body(response: Response) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

fn by_name(list: &Value) -> BTreeMap<&str, &Value> {
    list["resources"].as_array().unwrap().iter().map(|one| (one["name"].as_str().unwrap(), one)).collect()
}

#[tokio::test]
async fn the_core_group_is_listed_as_recorded() {
    let served = Registry::default().served();
    let (ours, theirs) = (body(resources(&served, "", "v1")).await, recorded("kubectl get --raw /api/v1"));
    let (found, expected) = (by_name(&ours), by_name(&theirs));
    for (name, entry) in &expected {
        assert_eq!(found.get(name), Some(entry), "{name}");
    }
    assert_eq!(ours, theirs);
}

#[test]
fn groups_are_listed_as_recorded() {
    let served = Registry::default().served();
    let groups: Vec<Value> = served.groups().iter().filter(|(group, _)| !group.is_empty()).map(group_of).collect();
    assert_eq!(Value::from(groups), recorded("kubectl get --raw /apis")["groups"]);
}

#[tokio::test]
async fn the_aggregated_form_says_the_same() {
    let served = Registry::default().served();
    let list = body(aggregated_list(&served, true)).await;
    let resources = list["items"][0]["versions"][0]["resources"].as_array().unwrap();
    let pods = resources.iter().find(|one| one["resource"] == "pods").unwrap();
    assert_eq!(pods["responseKind"], json!({"group": "", "version": "v1", "kind": "Pod"}));
    assert_eq!((&pods["scope"], &pods["singularResource"]), (&json!("Namespaced"), &json!("pod")));
    let eviction =
        pods["subresources"].as_array().unwrap().iter().find(|one| one["subresource"] == "eviction").unwrap();
    assert_eq!(eviction["responseKind"]["group"], "policy");
}
