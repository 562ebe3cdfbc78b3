//! Custom resources of two versions between which a webhook converts: asked over HTTPS, believed in what it may change,
//! and refused in the real server's words. The expected answers are those of kube-apiserver 1.36.2.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::routing::post;
use futures::{AsyncBufReadExt, StreamExt};
use http::Request;
use serde_json::{Value, json};

use crate::harness::need;
use crate::live::Live;
use crate::webhooks::serve_over_tls;

/// What was asked of the webhook: the version, and the names of the objects.
type Asked = Arc<Mutex<Vec<String>>>;

/// `hostPort` of v1 is `host` and `port` of v2; the path spoils the answer.
async fn convert(State(asked): State<Asked>, Path(path): Path<String>, Json(review): Json<Value>) -> Json<Value> {
    let request = &review["request"];
    let version = request["desiredAPIVersion"].as_str().unwrap_or_default().to_owned();
    let objects = request["objects"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = objects.iter().filter_map(|one| one["metadata"]["name"].as_str()).collect();
    let revisions = objects.iter().filter(|one| one["metadata"]["resourceVersion"] != Value::Null).count();
    asked.lock().expect("nobody panics").push(format!("{version} {} {revisions}", names.join(",")));
    let converted: Vec<Value> = objects
        .into_iter()
        .map(|mut object| {
            let map = object.as_object_mut().expect("an object");
            if let Some(Value::String(both)) = map.remove("hostPort") {
                let (host, port) = both.split_once(':').unwrap_or((&both, ""));
                map.insert("host".into(), json!(host));
                map.insert("port".into(), json!(port));
            } else if let (Some(host), Some(port)) = (map.remove("host"), map.remove("port")) {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                map.insert("hostPort".into(), json!(format!("{}:{}", text(&host), text(&port))));
            }
            object["apiVersion"] = json!(version);
            match path.as_str() {
                "name" => object["metadata"]["name"] = json!("other"),
                "uid" => object["metadata"]["uid"] = json!("other"),
                "kind" => object["kind"] = json!("Other"),
                "version" => object["apiVersion"] = json!("stable.example.com/v9"),
                "label" => object["metadata"]["labels"] = json!({"a": "b c"}),
                "labels" => object["metadata"]["labels"] = json!([1]),
                "marked" => {
                    object["metadata"]["labels"] = json!({"a": "b"});
                    object["metadata"]["finalizers"] = json!(["a/b"]);
                    object["metadata"]["generation"] = json!(77);
                    object["unknown"] = json!(1);
                }
                _ => {}
            }
            object
        })
        .collect();
    let mut response = json!({"uid": request["uid"], "convertedObjects": converted, "result": {"status": "Success"}});
    match path.as_str() {
        "failed" => response["result"] = json!({"status": "Failed", "message": "no way"}),
        "silent" => response["result"] = json!({"status": "Failed"}),
        "nothing" => response["convertedObjects"] = json!([]),
        "stranger" => response["uid"] = json!("another"),
        "absent" => response = Value::Null,
        _ => {}
    }
    Json(json!({"kind": "ConversionReview", "apiVersion": review["apiVersion"], "response": response}))
}

fn definition(client: &Value) -> Value {
    let version = |name: &str, stored: bool, properties: Value, fields: Value| {
        json!({
            "name": name, "served": true, "storage": stored,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}}, "selectableFields": fields,
        })
    };
    let text = json!({"type": "string"});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "hosts.stable.example.com"},
        "spec": {
            "group": "stable.example.com", "scope": "Namespaced",
            "names": {"kind": "Host", "plural": "hosts", "singular": "host", "listKind": "HostList"},
            "versions": [
                version("v1", true, json!({"hostPort": text, "size": {"type": "integer", "default": 1}}),
                    json!([{"jsonPath": ".hostPort"}])),
                version("v2", false, json!({"host": text, "port": text, "size": {"type": "integer"},
                    "color": {"type": "string", "default": "red"}}), json!([{"jsonPath": ".host"}, {"jsonPath": ".port"}])),
            ],
            "conversion": {"strategy": "Webhook", "webhook": {
                "clientConfig": client, "conversionReviewVersions": ["v7", "v1", "v1beta1"],
            }},
        },
    })
}

const V1: &str = "/apis/stable.example.com/v1/namespaces/default/hosts";
const V2: &str = "/apis/stable.example.com/v2/namespaces/default/hosts";

fn host(version: &str, name: &str, more: &Value) -> String {
    let mut object = json!({
        "apiVersion": format!("stable.example.com/{version}"), "kind": "Host", "metadata": {"name": name},
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        object[field] = value.clone();
    }
    object.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_converts_between_the_versions_of_a_custom_resource() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    let asked = Asked::default();
    let router = axum::Router::new().route("/{path}", post(convert)).with_state(Arc::clone(&asked));
    let (port, bundle) = serve_over_tls(router).await;
    let at = |path: &str| json!({"url": format!("https://127.0.0.1:{port}/{path}"), "caBundle": bundle});
    let raw = |path: &str| -> Value {
        serde_json::from_str(&live.kubectl(&["get", "--raw", path])).expect("an answer in JSON")
    };
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().into_iter().flatten();
        items.filter_map(|one| one["metadata"]["name"].as_str()).map(str::to_owned).collect()
    };
    live.apply(&definition(&at("convert")));
    live.kubectl(&["wait", "crd/hosts.stable.example.com", "--for=condition=Established", "--timeout=60s"]);

    // What is written is converted to the stored version, and the answer is what is stored, converted back.
    let (told, made) = live.try_kubectl(&["create", "-f", "-"], &host("v1", "a", &json!({"hostPort": "h1:80"})));
    assert!(made, "{told}");
    let input = host("v2", "b", &json!({"host": "h2", "port": "81", "color": "blue"}));
    let (made, _) = live.try_kubectl(&["create", "-f", "-", "-o", "json"], &input);
    let made: Value = serde_json::from_str(&made).expect("an object");
    assert_eq!(
        (&made["host"], &made["port"], &made["size"], &made["color"]),
        (&json!("h2"), &json!("81"), &json!(1), &Value::Null)
    );
    // The garbage collector asks as well, in the version that it prefers.
    let was_asked = |what: &str| asked.lock().expect("nobody panics").iter().any(|one| one == what);
    assert!(was_asked("stable.example.com/v1 b 0") && was_asked("stable.example.com/v2 b 0"));
    assert_eq!(raw(&format!("{V1}/b"))["hostPort"], "h2:81");
    assert_eq!(raw(&format!("{V2}/a"))["port"], "80");

    // Lists ask once, and fields are those of the version that is asked for.
    let list = raw(V2);
    assert_eq!((&list["items"][0]["host"], &list["items"][1]["host"]), (&json!("h1"), &json!("h2")));
    assert!(was_asked("stable.example.com/v2 a,b 0"));
    assert_eq!(names(&raw(&format!("{V2}?fieldSelector=host%3Dh1"))), ["a"]);
    assert_eq!(names(&raw(&format!("{V2}?fieldSelector=host%3Dh1,port%3D81"))), [""; 0]);
    assert_eq!(names(&raw(&format!("{V1}?fieldSelector=hostPort%3Dh2%3A81"))), ["b"]);
    assert_eq!(names(&raw(&format!("{V2}?limit=1"))), ["a"]);
    let (table, _) = live.try_kubectl(&["get", "hosts.v2.stable.example.com"], "");
    assert!(table.contains("NAME") && table.contains("\na ") && table.contains("\nb "), "{table}");

    // A change of one version is seen by a watch of the other, which chooses by its own fields.
    let client = live.client().await;
    let request = Request::get(format!("{V2}?watch=1&fieldSelector=host%3Dh1")).body(Vec::new()).expect("a request");
    let mut watch = client.request_stream(request).await.expect("a watch begins").lines();
    let mut event = async || -> Value {
        let line = tokio::time::timeout(Duration::from_secs(60), watch.next()).await.expect("an event in time");
        serde_json::from_str(&line.expect("it goes on").expect("it can be read")).expect("an event")
    };
    let first = event().await;
    assert_eq!((&first["type"], &first["object"]["port"]), (&json!("ADDED"), &json!("80")));
    live.kubectl(&["patch", "hosts.v2.stable.example.com", "a", "--type=merge", "-p", r#"{"port":"90"}"#]);
    let second = event().await;
    assert_eq!((&second["type"], &second["object"]["port"]), (&json!("MODIFIED"), &json!("90")));
    assert_eq!(raw(&format!("{V1}/a"))["hostPort"], "h1:90");
    live.kubectl(&["patch", "hosts.v1.stable.example.com", "a", "--type=merge", "-p", r#"{"hostPort":"h3:90"}"#]);
    let third = event().await;
    assert_eq!((&third["type"], &third["object"]["host"]), (&json!("DELETED"), &json!("h1")));
    drop(watch);

    // Of the metadata, labels and annotations are the webhook's to change; a field that the version does not know goes.
    let point = |client: &Value| live.apply(&definition(client));
    point(&at("marked"));
    let marked = raw(&format!("{V2}/a"));
    assert_eq!(marked["metadata"]["labels"], json!({"a": "b"}));
    assert_eq!((&marked["metadata"]["finalizers"], &marked["unknown"]), (&Value::Null, &Value::Null));
    assert_eq!(marked["metadata"]["generation"], 3);

    let about = "Error from server: conversion webhook for stable.example.com/v1, Kind=Host ";
    for (path, words) in [
        ("name", "returned invalid object: must have the same name: a != other"),
        ("uid", "returned invalid object: must have the same UID: "),
        ("kind", "returned invalid object at index 0: invalid kind (expected Host, received Other)"),
        (
            "version",
            "returned invalid object at index 0: invalid groupVersion (expected stable.example.com/v2, received stable.example.com/v9)",
        ),
        ("label", "returned invalid metadata: metadata.labels: Invalid value: \"b c\": a valid label must be"),
        ("labels", "returned invalid metadata: invalid metadata.labels of type []interface {} in converted object"),
        ("failed", "failed: no way"),
        ("silent", "failed: response.result.status was 'Failed', not 'Success'"),
        ("nothing", "returned 0 objects, expected 1"),
        ("stranger", "failed: expected response.uid="),
        ("absent", "failed: no response provided"),
    ] {
        point(&at(path));
        let (told, succeeded) = live.try_kubectl(&["get", "--raw", &format!("{V2}/a")], "");
        assert!(!succeeded && told.starts_with(&format!("{about}{words}")), "{path}: {told}");
    }
    // Nothing is read, written or deleted past a webhook that does not answer; the stored version goes on.
    point(&json!({"url": "https://127.0.0.1:1/x"}));
    let dial = "failed: Post \"https://127.0.0.1:1/x?timeout=30s\": dial tcp 127.0.0.1:1: connect: connection refused";
    for (args, input) in [
        (vec!["get", "hosts.v2.stable.example.com", "a"], String::new()),
        (vec!["get", "hosts.v2.stable.example.com"], String::new()),
        (vec!["create", "-f", "-"], host("v2", "c", &json!({"host": "h"}))),
        (vec!["create", "--dry-run=server", "-f", "-"], host("v2", "c", &json!({"host": "h"}))),
        (vec!["delete", "--wait=false", "hosts.v2.stable.example.com", "a"], String::new()),
    ] {
        let (told, succeeded) = live.try_kubectl(&args, &input);
        assert!(!succeeded && told.contains(dial), "{args:?}: {told}");
    }
    assert_eq!(names(&raw(V1)), ["a", "b"]);
    let service = |name: &str, port: u16| json!({"service": {"namespace": "default", "name": name, "path": "/convert", "port": port}, "caBundle": bundle});
    point(&service("nowhere", 443));
    let (told, _) = live.try_kubectl(&["get", "--raw", &format!("{V2}/a")], "");
    assert!(
        told.contains(
            "failed: Post \"https://nowhere.default.svc:443/convert?timeout=30s\": service \"nowhere\" not found"
        ),
        "{told}"
    );
    live.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }));
    point(&service("hook", port));
    assert_eq!(raw(&format!("{V2}/a"))["host"], "h3");
    // A definition takes its objects along, whatever its webhook says.
    point(&json!({"url": "https://127.0.0.1:1/x"}));
    live.kubectl(&["delete", "crd", "hosts.stable.example.com", "--timeout=60s"]);
    live.stop().await;
}
