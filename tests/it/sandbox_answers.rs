//! Answers to a create, each as kube-apiserver 1.36.2 gave it.

use http::Method;
use serde_json::{Value, json};

use crate::harness::need;
use crate::live::Live;
use crate::sandbox_server::{JSON, send};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
const CLAIMS: &str = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
const SERVICES: &str = "/api/v1/namespaces/default/services";

fn job(name: &str, labels: &Value, of_template: &Value) -> Value {
    json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {"suspend": true, "template": {
            "metadata": {"labels": of_template},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]},
        }},
    })
}

fn headless(name: &str, more: &Value) -> Value {
    let mut service = json!({"metadata": {"name": name}, "spec": {"clusterIP": "None"}});
    for (field, value) in more.as_object().into_iter().flatten() {
        service["spec"][field] = value.clone();
    }
    service
}

/// Path, body, and what is at which place in the answer.
fn created() -> Vec<(&'static str, Value, &'static str, Value)> {
    let taint = |key: &str| json!({"key": key, "effect": "NoSchedule"});
    let not_ready = || taint("node.kubernetes.io/not-ready");
    let claim = json!({"metadata": {"name": "c"}, "spec": {"devices": {"requests": [
        {"name": "a", "exactly": {"deviceClassName": "x", "tolerations": [{"key": "k", "effect": "NoSchedule"}]}},
        {"name": "b", "firstAvailable": [
            {"name": "c", "deviceClassName": "x"}, {"name": "d", "deviceClassName": "y", "allocationMode": "All"}]},
    ]}}});
    let requests = json!([
        {"name": "a", "exactly": {
            "deviceClassName": "x", "allocationMode": "ExactCount", "count": 1,
            "tolerations": [{"key": "k", "operator": "Equal", "effect": "NoSchedule"}]}},
        {"name": "b", "firstAvailable": [
            {"name": "c", "deviceClassName": "x", "allocationMode": "ExactCount", "count": 1},
            {"name": "d", "deviceClassName": "y", "allocationMode": "All"}]},
    ]);
    vec![
        ("/api/v1/nodes", json!({"metadata": {"name": "n1"}}), "/spec/taints", json!([not_ready()])),
        (
            "/api/v1/nodes",
            json!({"metadata": {"name": "n2"}, "spec": {"taints": [taint("a")]}}),
            "/spec/taints",
            json!([taint("a"), not_ready()]),
        ),
        (
            "/api/v1/nodes",
            json!({"metadata": {"name": "n3"}, "spec": {"taints": [not_ready()]}}),
            "/spec/taints",
            json!([not_ready()]),
        ),
        (RBAC, json!({"kind": "Role", "metadata": {"name": "r"}, "rules": []}), "/rules", Value::Null),
        (RBAC, json!({"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": []}), "/rules", Value::Null),
        (
            "/api/v1/namespaces/default/limitranges",
            json!({"metadata": {"name": "l"}, "spec": {"limits": []}}),
            "/spec",
            json!({"limits": null}),
        ),
        (CLAIMS, claim, "/spec/devices/requests", requests),
        (JOBS, job("j1", &json!({"x": "y"}), &json!({"x": "y"})), "/metadata/labels", json!({"x": "y"})),
        (SERVICES, headless("s1", &json!({})), "/spec/ipFamilyPolicy", json!("RequireDualStack")),
        (SERVICES, headless("s2", &json!({"selector": {}})), "/spec/ipFamilies", json!(["IPv4", "IPv6"])),
        (SERVICES, headless("s3", &json!({"selector": {"a": "b"}})), "/spec/ipFamilies", json!(["IPv4"])),
    ]
}

#[tokio::test]
async fn what_a_create_answers_is_what_the_real_server_answers() {
    need!("etcd");
    let live = Live::start(&[]).await;
    let client = live.client().await;
    let post = async |path: &str, body: &Value| {
        let path = match body["kind"].as_str() {
            Some("Role") => format!("{path}/namespaces/default/roles"),
            Some("ClusterRole") => format!("{path}/clusterroles"),
            _ => path.to_owned(),
        };
        send(&client, Method::POST, &path, JSON, body.to_string().into_bytes()).await
    };
    for (path, body, place, expected) in created() {
        let (status, answer) = post(path, &body).await;
        assert_eq!(status, 201, "{body}: {answer}");
        assert_eq!(answer.pointer(place), Some(&expected), "{place} of {body}");
    }

    // A job that was given no labels has those of its template, and what the server adds there.
    for (name, of_template) in [("j2", json!({})), ("j3", json!({"a": "b"}))] {
        let (_, answer) = post(JOBS, &job(name, &json!({}), &of_template)).await;
        let labels = &answer["metadata"]["labels"];
        assert_eq!(labels["job-name"], name, "{answer}");
        assert_eq!(labels, &answer["spec"]["template"]["metadata"]["labels"]);
        let (_, read) = send(&client, Method::GET, &format!("{JOBS}/{name}"), JSON, Vec::new()).await;
        assert_eq!(&read["metadata"]["labels"], labels);
    }

    let of_role = |rule: &Value| json!({"kind": "ClusterRole", "metadata": {"name": "a"}, "aggregationRule": rule});
    let bad = json!({"clusterRoleSelectors": [{}, {"matchExpressions": [{"key": "a", "operator": "Bad"}]}]});
    let quota = |hard: &Value| json!({"metadata": {"name": "q"}, "spec": {"hard": hard}});
    let quotas = "/api/v1/namespaces/default/resourcequotas";
    let unmarshal = "json: cannot unmarshal string into Go struct field Pod.metadata of type v1.ObjectMeta";
    for (path, body, code, said) in [
        (
            RBAC,
            of_role(&json!({})),
            422,
            "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if \
             aggregationRule is non-nil",
        ),
        (
            RBAC,
            of_role(&bad),
            422,
            "aggregationRule.clusterRoleSelectors[1]: Invalid value: null: invalid label selector.",
        ),
        (
            quotas,
            quota(&json!({"count/pods": "1.5"})),
            422,
            "spec.hard[count/pods]: Invalid value: \"1500m\": must be an integer",
        ),
        (quotas, quota(&json!({"pods": 1.5})), 422, "spec.hard[pods]: Invalid value: \"1500m\": must be an integer"),
        ("/api/v1/namespaces/default/pods", json!({"metadata": "x"}), 400, unmarshal),
    ] {
        let (status, answer) = post(path, &body).await;
        assert_eq!(status, code, "{body}: {answer}");
        let message = answer["message"].as_str().expect("a message");
        assert!(message.contains(said), "{body}: {message}");
    }
    live.stop().await;
}
