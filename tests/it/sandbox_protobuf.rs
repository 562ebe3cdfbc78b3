//! Bodies and answers in Kubernetes' protobuf, which Go's clients send where nobody tells them otherwise.

use http::{Method, Request, header};
use http_body_util::BodyExt;
use kube::Client;
use serde_json::{Value, json};

use crate::harness::need;
use crate::live::Live;
use crate::sandbox_server::{JSON, send};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn encoded(object: &Value) -> Vec<u8> {
    kube_etcd_codec::encode_protobuf(object).expect("it can be written").expect("its kind has protobuf")
}

async fn post(client: &Client, path: &str, object: &Value) -> (u16, Value) {
    send(client, Method::POST, path, PROTOBUF, encoded(object)).await
}

async fn get(client: &Client, path: &str) -> (u16, Value) {
    send(client, Method::GET, path, JSON, Vec::new()).await
}

/// The answer to who accepts nothing else, and what it calls itself.
async fn in_protobuf(client: &Client, path: &str) -> (String, Vec<u8>) {
    let request = Request::get(path).header(header::ACCEPT, PROTOBUF).body(kube::client::Body::empty());
    let response = client.send(request.expect("a request")).await.expect("an answer");
    let content = response.headers()[header::CONTENT_TYPE].to_str().expect("text").to_owned();
    (content, response.into_body().collect().await.expect("a body").to_bytes().to_vec())
}

#[tokio::test]
async fn an_operator_installs_its_definitions() {
    need!("etcd");
    let live = Live::start(&[]).await;
    let client = live.client().await;
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["size"], "properties": {
        "size": {"type": "integer", "minimum": 1}, "color": {"type": "string", "default": "red"}}}}});
    let definition = |schema: &Value| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "bars.x.example.com"},
            "spec": {"group": "x.example.com", "scope": "Namespaced", "names": {"plural": "bars", "kind": "Bar"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}}}]}})
    };
    let (status, said) = post(&client, DEFINITIONS, &definition(&schema)).await;
    assert_eq!((status, &said["spec"]["versions"][0]["schema"]["openAPIV3Schema"]), (201, &schema), "{said}");
    let path = format!("{DEFINITIONS}/bars.x.example.com");
    let established = |found: &Value| {
        let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True")
    };
    let found = live.until(&["customresourcedefinition", "bars.x.example.com"], established);
    let bars = "/apis/x.example.com/v1/namespaces/default/bars";
    let bar = |size: i64| {
        let bar =
            json!({"apiVersion": "x.example.com/v1", "kind": "Bar", "metadata": {"name": "b"}, "spec": {"size": size}});
        bar.to_string().into_bytes()
    };
    assert_eq!(send(&client, Method::POST, bars, JSON, bar(0)).await.0, 422);
    let (status, made) = send(&client, Method::POST, bars, JSON, bar(1)).await;
    assert_eq!((status, made["spec"]["color"].as_str()), (201, Some("red")), "{made}");
    // A custom resource itself has no protobuf.
    assert_eq!(send(&client, Method::POST, bars, PROTOBUF, b"k8s\0".to_vec()).await.0, 415);

    let (content, bytes) = in_protobuf(&client, &path).await;
    let answered = kube_etcd_codec::decode(&bytes).expect("an object");
    assert_eq!((content.as_str(), answered.unknown.len()), (PROTOBUF, 0));
    assert_eq!(answered.object["spec"], found["spec"]);
    let (content, bytes) = in_protobuf(&client, &format!("{bars}/b")).await;
    assert!(content == JSON && bytes.starts_with(b"{"), "{content}");

    let mut changed = answered.object;
    changed["spec"]["names"]["shortNames"] = json!(["ba"]);
    let (status, said) = send(&client, Method::PUT, &path, PROTOBUF, encoded(&changed)).await;
    assert_eq!((status, &said["spec"]["names"]["shortNames"]), (200, &json!(["ba"])), "{said}");
    let mut wrong = definition(&json!({"type": "object", "properties": {"a": {"items": [{"type": "string"}]}}}));
    wrong["metadata"]["name"] = json!("bars.x.example.com");
    assert_eq!(post(&client, DEFINITIONS, &wrong).await.0 / 100, 4);

    // etcd takes no more than 1.5 MiB at once, and says so itself.
    let large = json!({"apiVersion": "x.example.com/v1", "kind": "Bar", "metadata": {"name": "large"},
        "spec": {"size": 1, "color": "x".repeat(1_800_000)}});
    let (status, said) = send(&client, Method::POST, bars, JSON, large.to_string().into_bytes()).await;
    assert_eq!((status, said["message"].as_str()), (500, Some("etcdserver: request is too large")), "{said}");
    assert_eq!(get(&client, &format!("{bars}/large")).await.0, 404);
    live.stop().await;
}

#[tokio::test]
async fn pods_are_bound_evicted_and_given_tokens() {
    need!("etcd");
    let live = Live::start(&[]).await;
    let client = live.client().await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"schedulerName": "nobody", "containers": [{"name": "c", "image": "nginx"}]}});
    let (status, said) = post(&client, PODS, &pod).await;
    assert_eq!(status, 201, "{said}");
    let node = get(&client, "/api/v1/nodes").await.1["items"][0]["metadata"]["name"].clone();
    let binding = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
            "target": {"kind": "Node", "name": node}})
    };
    let (status, said) = post(&client, &format!("{PODS}/p/binding"), &binding("p")).await;
    assert_eq!(status, 201, "{said}");
    assert_eq!(get(&client, &format!("{PODS}/p")).await.1["spec"]["nodeName"], node);

    let accounts = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"audiences": ["here"], "expirationSeconds": 700}});
    let (status, said) = post(&client, accounts, &request).await;
    assert_eq!((status, &said["spec"]["audiences"]), (201, &json!(["here"])), "{said}");
    assert_eq!(said["spec"]["expirationSeconds"], 700);
    assert!(said["status"]["token"].as_str().is_some_and(|token| token.split('.').count() == 3), "{said}");

    let evict = async |name: &str, options: Value| {
        let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name},
            "deleteOptions": options});
        post(&client, &format!("{PODS}/p/eviction"), &eviction).await
    };
    let (status, said) = evict("p", json!({"dryRun": ["All"]})).await;
    assert_eq!(status / 100, 2, "{said}");
    let kept = get(&client, &format!("{PODS}/p")).await;
    assert!(kept.0 == 200 && kept.1["metadata"]["deletionTimestamp"].is_null(), "a dry run: {}", kept.1);
    let (status, said) = evict("p", json!({"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}})).await;
    assert_eq!(status, 409, "{said}");
    assert_eq!(post(&client, &format!("{PODS}/p/eviction"), &binding("p")).await.0, 400);
    let (status, said) = evict("p", json!({"gracePeriodSeconds": 0})).await;
    assert_eq!(status, 201, "{said}");
    assert_eq!(get(&client, &format!("{PODS}/p")).await.0, 404);
    live.stop().await;
}

/// A refusal that needs no body is read by a client that sends a long one first.
#[tokio::test]
async fn what_is_refused_unread_is_answered() {
    need!("etcd");
    let live = Live::start(&[]).await;
    let client = live.client().await;
    let long = || vec![b' '; 3_000_000];
    for (method, path, content, wanted) in [
        (Method::POST, "/apis/nowhere.example.com/v1/things", JSON, 404),
        (Method::POST, "/apis/apps/v1/namespaces/default/deployments/a/nothing", JSON, 404),
        (Method::PUT, "/api/v1/namespaces/default/configmaps", JSON, 405),
    ] {
        for _ in 0..5 {
            let (status, said) = send(&client, method.clone(), path, content, long()).await;
            assert_eq!(status, wanted, "{method} {path}: {said}");
        }
    }
    let request = Request::post("/api/v1/namespaces/default/configmaps").header(header::CONTENT_TYPE, JSON);
    let request = request.header(header::CONTENT_ENCODING, "gzip").body(kube::client::Body::from(long()));
    let response = client.send(request.expect("a request")).await.expect("an answer");
    assert_eq!(response.status().as_u16(), 415);
    live.stop().await;
}
