use serde_json::{Value, json};

use super::*;
use kube_etcd_codec::{KINDS, kind_by_api_version, kind_by_kind};

fn now() -> Timestamp {
    "2026-11-21T10:00:10Z".parse().unwrap()
}

/// The cells of one object, by column name.
fn cells(object: &Value) -> Vec<(String, String)> {
    let text = |field: &str| object[field].as_str().unwrap();
    let kind = kind_by_api_version(text("apiVersion"), text("kind")).unwrap();
    let table = table(kind, std::slice::from_ref(object), now());
    let names = table["columnDefinitions"].as_array().unwrap();
    let row = table["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(names.len(), row.len(), "{}", kind.kind);
    names.iter().zip(row).map(|(name, cell)| (text::plain(&name["name"]), text::plain(cell))).collect()
}

fn shown(object: &Value) -> String {
    cells(object).into_iter().map(|(_, cell)| cell).collect::<Vec<_>>().join("|")
}

/// What the real API server's printers showed in the recording, column by column.
#[test]
fn columns_are_those_of_the_recording() {
    let reads: Value = serde_json::from_str(include_str!("../../../../tests/data/reads.json")).unwrap();
    let mut seen = 0;
    for read in reads["reads"].as_array().unwrap() {
        let command = read["command"].as_str().unwrap();
        let words: Vec<&str> = command.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "get").map(|at| at + 1);
        let Some(resource) = at.and_then(|at| words.get(at)) else { continue };
        if words.iter().any(|word| word.starts_with("-o") && !words.contains(&"wide"))
            || command.contains("custom-columns")
        {
            continue;
        }
        let kind = KINDS.iter().find(|kind| {
            kind.plural == *resource || kind.short_names.contains(resource) || kind.singular() == *resource
        });
        let (Some(kind), Some(header)) = (kind, read["stdout"].as_str().unwrap().lines().next()) else { continue };
        if header.contains("LABELS") || command.contains("--no-headers") || command.contains(" auth ") {
            continue;
        }
        let table = table(kind, &[], now());
        let ours = table["columnDefinitions"].as_array().unwrap().iter();
        let ours = ours.filter(|column| words.contains(&"wide") || column["priority"] == 0);
        let ours: Vec<String> = ours.map(|column| text::plain(&column["name"]).to_uppercase()).collect();
        let theirs: Vec<&str> = header.split("  ").map(str::trim).filter(|name| !name.is_empty()).collect();
        let theirs: Vec<&str> = theirs.into_iter().filter(|name| *name != "NAMESPACE").collect();
        assert_eq!(ours, theirs, "{command}");
        seen += 1;
    }
    assert!(seen > 20, "only {seen} commands were compared");
}

#[test]
fn every_recorded_value_prints() {
    for line in include_str!("../../../../tests/data/values.jsonl").lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let object = &record["value"];
        if object["apiVersion"] != "stable.example.com/v1" {
            assert!(!shown(object).is_empty());
        }
    }
}

fn recorded(key: &str) -> Value {
    let lines = include_str!("../../../../tests/data/values.jsonl").lines();
    let mut found = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(|one| one["key"] == key);
    let mut object = found.next_back().expect("the key is recorded")["value"].clone();
    object["metadata"]["creationTimestamp"] = json!("2026-11-21T10:00:00Z");
    object
}

#[test]
fn recorded_objects() {
    for (key, expected) in [
        (
            "/registry/minions/rig-control-plane",
            "rig-control-plane|Ready,SchedulingDisabled|control-plane|10s|v1.36.2|172.18.0.2|<none>|Debian GNU/Linux 12 (bookworm)|6.18.44-fc-v595 (amd64)|containerd://2.1.9+unknown",
        ),
        ("/registry/services/specs/default/kubernetes", "kubernetes|ClusterIP|10.96.0.1|<none>|443/TCP|10s|<none>"),
        (
            "/registry/services/specs/kube-system/kube-dns",
            "kube-dns|ClusterIP|10.96.0.10|<none>|53/UDP,53/TCP,9153/TCP|10s|k8s-app=kube-dns",
        ),
        ("/registry/deployments/default/etcd-truth", "etcd-truth|0/2|0|0|10s|nginx|nginx:alpine|app=etcd-truth"),
        (
            "/registry/storageclasses/standard",
            "standard (default)|rancher.io/local-path|Delete|WaitForFirstConsumer|false|10s",
        ),
        ("/registry/secrets/default/db-password", "db-password|Opaque|1|10s"),
        ("/registry/rolebindings/default/robot-reads", "robot-reads|Role/reader|10s|||default/robot"),
        ("/registry/cronjobs/default/cj", "cj|0 0 * * *|<none>|False|0|<none>|10s|c|nginx:alpine|<none>"),
        ("/registry/ingress/default/web", "web|<none>|*||80|10s"),
        ("/registry/ipaddresses/10.96.0.10", "10.96.0.10|services/kube-system/kube-dns"),
        ("/registry/apiregistration.k8s.io/apiservices/v1.", "v1.|Local|True|10s"),
        (
            "/registry/endpointslices/kube-system/kube-dns-sxdsj",
            "kube-dns-sxdsj|IPv4|53,53,9153|10.244.0.2,10.244.0.3|10s",
        ),
    ] {
        assert_eq!(shown(&recorded(key)), expected, "{key}");
    }
}

fn pod(status: &Value) -> String {
    let containers = json!([{"name": "a"}, {"name": "b"}]);
    let spec = json!({"containers": containers, "initContainers": [{"name": "i"}]});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec, "status": status});
    let cells: Vec<String> = cells(&pod).into_iter().map(|(_, cell)| cell).collect();
    cells[1..4].join(" ")
}

#[test]
fn a_pods_status_tells_what_its_containers_do() {
    let running = json!({"ready": true, "restartCount": 0, "state": {"running": {}}});
    let waiting = |reason: &str| json!({"ready": false, "restartCount": 0, "state": {"waiting": {"reason": reason}}});
    let ended = |state: Value| {
        json!({"restartCount": 2, "state": {"terminated": state},
        "lastState": {"terminated": {"finishedAt": "2026-11-21T10:00:00Z"}}})
    };
    for (status, expected) in [
        (json!({"phase": "Pending"}), "0/2 Pending 0"),
        (json!({"phase": "Running", "containerStatuses": [running, running]}), "2/2 Running 0"),
        (
            json!({"phase": "Pending", "containerStatuses": [running, waiting("ImagePullBackOff")]}),
            "1/2 ImagePullBackOff 0",
        ),
        (
            json!({"phase": "Running", "containerStatuses": [ended(json!({"exitCode": 1, "reason": "Error"})), running]}),
            "1/2 Error 2 (10s ago)",
        ),
        (
            json!({"phase": "Failed", "containerStatuses": [ended(json!({"exitCode": 3}))]}),
            "0/2 ExitCode:3 2 (10s ago)",
        ),
        (
            json!({"phase": "Running", "containerStatuses": [ended(json!({"exitCode": 0, "reason": "Completed"})), running]}),
            "1/2 NotReady 2 (10s ago)",
        ),
        (json!({"phase": "Pending", "initContainerStatuses": [waiting("PodInitializing")]}), "0/2 Init:0/1 0"),
        (
            json!({"phase": "Pending", "initContainerStatuses": [waiting("CrashLoopBackOff")]}),
            "0/2 Init:CrashLoopBackOff 0",
        ),
        (json!({"phase": "Failed", "reason": "Evicted"}), "0/2 Evicted 0"),
    ] {
        assert_eq!(pod(&status), expected, "{status}");
    }
}

#[test]
fn a_pod_that_is_over_has_a_condition() {
    let kind = kind_by_kind("", "Pod").unwrap();
    let pods = [json!({"status": {"phase": "Succeeded"}}), json!({"status": {"phase": "Running"}})];
    let table = table(kind, &pods, now());
    assert_eq!(table["rows"][0]["conditions"][0]["reason"], "Succeeded");
    assert!(table["rows"][1].get("conditions").is_none());
}

#[test]
fn a_going_object_says_so() {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "Running"}});
    pod["metadata"]["deletionTimestamp"] = json!("2026-11-21T10:00:00Z");
    assert!(shown(&pod).contains("Terminating"));
    pod["status"]["phase"] = json!("Succeeded");
    assert!(!shown(&pod).contains("Terminating"));
}

#[test]
fn custom_columns() {
    let columns = [
        json!({"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"}),
        json!({"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1}),
        json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}),
        json!({"name": "None", "type": "string", "jsonPath": ".spec.none"}),
    ];
    let object = json!({"metadata": {"name": "c", "creationTimestamp": "2026-11-21T10:00:00Z"},
        "spec": {"cronSpec": "* *", "replicas": 3}});
    let with_columns = custom_table(&columns, std::slice::from_ref(&object), now());
    assert_eq!(with_columns["rows"][0]["cells"], json!(["c", "* *", 3, "10s", null]));
    assert_eq!(with_columns["columnDefinitions"][2]["priority"], 1);
    let plain = custom_table(&[], &[object], now());
    assert_eq!(plain["rows"][0]["cells"], json!(["c", "10s"]));
}
