use serde_json::{Value, json};

use super::*;

/// What kubectl sent is recorded in an annotation: with the defaults it must be what was stored.
#[test]
fn what_was_applied_becomes_what_was_stored() {
    let mut seen = Vec::new();
    for line in include_str!("../../../../tests/data/values.jsonl").lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let stored = &record["value"];
        let annotation = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
        let kind = stored["kind"].as_str().unwrap();
        let Some(applied) = stored.pointer(annotation).and_then(Value::as_str) else { continue };
        if ["CustomResourceDefinition", "CronTab", "ControllerRevision"].contains(&kind) {
            continue;
        }
        let mut object: Value = serde_json::from_str(applied).unwrap();
        // Admission gives a claim the default class.
        if kind == "PersistentVolumeClaim" {
            object["spec"]["storageClassName"] = json!("standard");
        }
        apply(kind, &mut object);
        let object = kube_etcd_codec::decode(&kube_etcd_codec::encode(&object).unwrap()).unwrap().object;
        for (field, expected) in stored.as_object().unwrap() {
            if !["metadata", "status"].contains(&field.as_str()) && !is_later_change(kind, field) {
                assert_eq!(&object[field], expected, "{kind} {field}");
            }
        }
        assert_eq!(object["metadata"]["labels"], stored["metadata"]["labels"], "{kind}");
        seen.push(kind.to_owned());
    }
    seen.dedup();
    assert!(seen.len() >= 15, "{seen:?}");
}

/// A later command changed these in the recording.
fn is_later_change(kind: &str, field: &str) -> bool {
    matches!((kind, field), ("StatefulSet", "spec") | ("ConfigMap", "data"))
}

#[test]
fn defaults_of_the_recorded_stateful_set() {
    let mut object = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {
        "serviceName": "db", "replicas": 2, "selector": {"matchLabels": {"app": "db"}},
        "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "nginx:alpine"}]}}}});
    apply("StatefulSet", &mut object);
    let lines = include_str!("../../../../tests/data/values.jsonl").lines();
    let stored = lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|record| record["key"] == "/registry/statefulsets/default/db" && record["value"]["spec"]["replicas"] == 2)
        .unwrap();
    let object = kube_etcd_codec::decode(&kube_etcd_codec::encode(&object).unwrap()).unwrap().object;
    assert_eq!(object["spec"], stored["value"]["spec"]);
}

#[test]
fn the_latest_image_is_always_pulled() {
    for (image, policy) in [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:0123", "IfNotPresent"),
    ] {
        let mut pod = json!({"spec": {"containers": [{"name": "c", "image": image}]}});
        apply("Pod", &mut pod);
        assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], policy, "{image}");
    }
}

#[test]
fn a_pod_asks_for_what_it_is_limited_to() {
    let containers = json!([{"name": "c", "image": "x", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}}]);
    let mut pod = json!({"spec": {"containers": containers}});
    apply("Pod", &mut pod);
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"], json!({"cpu": "100m", "memory": "1Gi"}));
    let mut deployment = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    apply("Deployment", &mut deployment);
    let requests = &deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"];
    assert_eq!(requests, &json!({"cpu": "100m"}));
}

#[test]
fn volumes_probes_and_fields() {
    let mut pod = json!({"spec": {
        "containers": [{"name": "c", "image": "x", "ports": [{"containerPort": 80}],
            "livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": 0},
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}],
        "volumes": [{"name": "a"}, {"name": "b", "configMap": {"name": "m"}}, {"name": "c", "hostPath": {"path": "/"}}],
        "serviceAccountName": "robot", "nodeName": null}});
    apply("Pod", &mut pod);
    let spec = &pod["spec"];
    let probe = json!({"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "timeoutSeconds": 1,
        "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3});
    assert_eq!(spec["containers"][0]["livenessProbe"], probe);
    assert_eq!(spec["containers"][0]["ports"][0]["protocol"], "TCP");
    assert_eq!(spec["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["apiVersion"], "v1");
    assert_eq!(
        spec["volumes"],
        json!([{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "m", "defaultMode": 420}},
        {"name": "c", "hostPath": {"path": "/", "type": ""}}])
    );
    assert_eq!(spec["serviceAccount"], "robot");
    assert!(spec.get("nodeName").is_none());
    let once = pod.clone();
    apply("Pod", &mut pod);
    assert_eq!(pod, once, "applied twice, the same");
}

#[test]
fn services() {
    let service = |spec: Value| {
        let mut service = json!({"spec": spec});
        apply("Service", &mut service);
        service["spec"].clone()
    };
    let plain = service(json!({"ports": [{"port": 80}]}));
    assert_eq!(plain["ports"][0], json!({"port": 80, "protocol": "TCP", "targetPort": 80}));
    assert_eq!((&plain["type"], &plain["internalTrafficPolicy"]), (&json!("ClusterIP"), &json!("Cluster")));
    assert!(plain.get("externalTrafficPolicy").is_none());
    let balanced = service(json!({"type": "LoadBalancer", "sessionAffinity": "ClientIP"}));
    assert_eq!(balanced["externalTrafficPolicy"], "Cluster");
    assert_eq!(balanced["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"], 10_800);
    assert!(service(json!({"type": "ExternalName"})).get("internalTrafficPolicy").is_none());
}

#[test]
fn a_custom_kind_of_the_same_name_is_left_alone() {
    let mut object = json!({"apiVersion": "serving.example.dev/v1", "kind": "Service", "spec": {"a": null}});
    let before = object.clone();
    apply("Service", &mut object);
    assert_eq!(object, before);
}

/// The recorded claim was stored without a phase; kubectl shows it as pending.
#[test]
fn a_claim_is_read_as_pending() {
    let mut claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {}});
    on_read(&mut claim);
    assert_eq!(claim["status"]["phase"], "Pending");
    claim["status"]["phase"] = json!("Bound");
    on_read(&mut claim);
    assert_eq!(claim["status"]["phase"], "Bound");
}
