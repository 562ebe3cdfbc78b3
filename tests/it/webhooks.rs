//! Webhooks that a test serves, called by the sandbox: by URL, through a Service, changing and refusing.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::Path;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

use crate::harness::need;
use crate::live::Live;

/// What the path asks for.
async fn answer(Path(path): Path<String>, Json(review): Json<Value>) -> Json<Value> {
    let request = &review["request"];
    let labels = &request["object"]["metadata"]["labels"];
    let mut response = json!({"uid": request["uid"], "allowed": true});
    let patch = |operations: Value| json!(STANDARD.encode(operations.to_string()));
    let set = |name: &str, value: &str| match labels {
        Value::Object(_) => json!({"op": "add", "path": format!("/metadata/labels/{name}"), "value": value}),
        _ => json!({"op": "add", "path": "/metadata/labels", "value": {name: value}}),
    };
    match path.as_str() {
        "refuse" => {
            response["allowed"] = json!(false);
            response["status"] =
                json!({"code": 403, "reason": "Forbidden", "message": "the name is taken by the moon"});
        }
        // Refuses, and tells what it was asked.
        "tell" => {
            let text = |field: &str| request[field].as_str().unwrap_or_default().to_owned();
            let said = format!(
                "{} {}/{} {} in {} of {}: {}",
                text("operation"),
                request["resource"]["resource"].as_str().unwrap_or_default(),
                text("subResource"),
                text("name"),
                text("namespace"),
                request["kind"]["kind"].as_str().unwrap_or_default(),
                request["object"],
            );
            response["allowed"] = json!(false);
            response["status"] = json!({"message": said});
        }
        "warn" => response["warnings"] = json!(["mind the \"gap\""]),
        "stranger" => response["uid"] = json!("another"),
        "late" => tokio::time::sleep(Duration::from_secs(20)).await,
        "mark" => {
            response["patchType"] = json!("JSONPatch");
            response["patch"] = patch(json!([set("marked", request["operation"].as_str().unwrap_or_default())]));
        }
        // Counts how often it was called.
        "count" => {
            let before = labels["count"].as_str().and_then(|count| count.parse::<u32>().ok()).unwrap_or(0);
            response["patchType"] = json!("JSONPatch");
            response["patch"] = patch(json!([set("count", &(before + 1).to_string())]));
        }
        _ => {}
    }
    Json(json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response}))
}

async fn serve() -> (u16, String) {
    serve_over_tls(axum::Router::new().route("/{path}", post(answer))).await
}

/// The port of a server on this machine, and its certificate as `caBundle` takes it.
pub(crate) async fn serve_over_tls(router: axum::Router) -> (u16, String) {
    let names = ["127.0.0.1", "hook.default.svc", "podded.default.svc"].map(str::to_owned);
    let key = rcgen::generate_simple_self_signed(names.to_vec()).expect("a certificate");
    let bundle = STANDARD.encode(key.cert.pem());
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .expect("settings");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(settings));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
            });
        }
    });
    (port, bundle)
}

fn configuration(kind: &str, name: &str, client: Value, more: &Value) -> Value {
    let mut hook = json!({
        "name": format!("{name}.example.com"), "clientConfig": client, "sideEffects": "None",
        "admissionReviewVersions": ["v1"], "timeoutSeconds": 5,
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        hook[field] = value.clone();
    }
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": format!("{kind}WebhookConfiguration"),
        "metadata": {"name": name}, "webhooks": [hook],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_called_and_obeyed() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    let (port, bundle) = serve().await;
    let at = |path: &str| json!({"url": format!("https://127.0.0.1:{port}/{path}"), "caBundle": bundle});
    let only = |name: &str| json!({"matchLabels": {"try": name}});
    let map = |name: &str, labels: Value| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}).to_string()
    };
    let create = |name: &str, trial: &str| live.try_kubectl(&["create", "-f", "-"], &map(name, json!({"try": trial})));
    let service = |name: &str, path: &str, port: u16| json!({"service": {"namespace": "default", "name": name, "path": path, "port": port}, "caBundle": bundle});
    live.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }));
    live.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "podded"},
        "spec": {"selector": {"app": "hook"}, "ports": [{"port": 443, "targetPort": port}]},
    }));
    for (name, trial, client, more) in [
        ("refuse", "refuse", at("refuse"), json!({})),
        ("warn", "warn", at("warn"), json!({})),
        ("stranger", "stranger", at("stranger"), json!({})),
        ("late", "late", at("late"), json!({"timeoutSeconds": 1})),
        ("dead", "dead", json!({"url": "https://127.0.0.1:1/x"}), json!({})),
        ("ignored", "ignored", json!({"url": "https://127.0.0.1:1/x"}), json!({"failurePolicy": "Ignore"})),
        ("untrusted", "untrusted", json!({"url": format!("https://127.0.0.1:{port}/allow")}), json!({})),
        ("external", "external", service("hook", "/refuse", port), json!({})),
        ("podded", "podded", service("podded", "/refuse", 443), json!({})),
        ("nowhere", "nowhere", service("nowhere", "/refuse", 443), json!({})),
        (
            "conditions",
            "conditions",
            at("refuse"),
            json!({"matchConditions": [{"name": "n", "expression": "object.metadata.name == 'conditional'"}]}),
        ),
    ] {
        let mut more = more;
        more["objectSelector"] = only(trial);
        live.apply(&configuration("Validating", name, client, &more));
    }
    let dial = "Internal error occurred: failed calling webhook \"dead.example.com\": failed to call webhook: Post \
         \"https://127.0.0.1:1/x?timeout=5s\": dial tcp 127.0.0.1:1: connect: connection refused";
    let refused = "denied the request: the name is taken by the moon";
    for (trial, succeeds, words) in [
        ("nothing", true, "configmap/nothing created"),
        ("refuse", false, refused),
        (
            "refuse",
            false,
            "Error from server (Forbidden): error when creating \"STDIN\": admission webhook \"refuse.example.com\" denied",
        ),
        ("warn", true, "Warning: mind the \"gap\""),
        ("stranger", false, "received invalid webhook response: expected response.uid="),
        ("late", false, "context deadline exceeded"),
        ("dead", false, dial),
        ("ignored", true, "created"),
        ("untrusted", false, "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
        ("external", false, refused),
        ("podded", false, "connect: connection refused"),
        ("nowhere", false, "/refuse?timeout=5s\": service \"nowhere\" not found"),
        ("conditions", true, "created"),
    ] {
        let (told, succeeded) = create(trial, trial);
        assert!(succeeded == succeeds && told.contains(words), "{trial}: {told}");
    }
    let (told, succeeded) = create("conditional", "conditions");
    assert!(!succeeded && told.contains(refused), "{told}");
    // What the pod would listen at is a port of this machine.
    live.kubectl(&["run", "hook", "--image=nginx", "--labels=app=hook"]);
    live.kubectl(&["wait", "pod/hook", "--for=condition=Ready", "--timeout=60s"]);
    live.until(&["endpointslices", "-l", "kubernetes.io/service-name=podded"], |found| {
        found["items"][0]["endpoints"][0]["conditions"]["ready"] == true
    });
    let (told, succeeded) = create("podded", "podded");
    assert!(!succeeded && told.contains(refused), "{told}");
    let (told, _) = live.try_kubectl(&["create", "--dry-run=server", "-f", "-"], &map("dry", json!({"try": "refuse"})));
    assert!(told.contains(refused), "{told}");

    // A deletion is a write as well.
    let rules =
        json!([{"apiGroups": [""], "apiVersions": ["*"], "operations": ["DELETE"], "resources": ["configmaps"]}]);
    let more = json!({"objectSelector": only("ignored"), "rules": rules});
    live.apply(&configuration("Validating", "keep", at("refuse"), &more));
    let (told, succeeded) = live.try_kubectl(&["delete", "configmap", "ignored"], "");
    assert!(!succeeded && told.contains(refused), "{told}");
    live.kubectl(&["delete", "validatingwebhookconfiguration", "keep"]);
    live.kubectl(&["delete", "configmap", "ignored"]);

    // Those that change: in the order of their names, and again where one after it has changed the object.
    let counts = |name: &str, policy: &str| {
        let more = json!({"objectSelector": only("change"), "reinvocationPolicy": policy});
        live.apply(&configuration("Mutating", name, at("count"), &more));
    };
    counts("a", "IfNeeded");
    counts("b", "Never");
    let both = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}]);
    live.apply(&configuration("Mutating", "c", at("mark"), &json!({"objectSelector": only("change"), "rules": both})));
    assert!(create("change", "change").1);
    let labels = live.get(&["configmap", "change"])["metadata"]["labels"].clone();
    assert_eq!(labels, json!({"try": "change", "count": "3", "marked": "CREATE"}));
    live.kubectl(&["annotate", "configmap", "change", "a=b"]);
    assert_eq!(live.get(&["configmap", "change"])["metadata"]["labels"]["marked"], "UPDATE");
    live.stop().await;
}

/// To connect to a pod is no write, and is asked about all the same: with what was asked for, before the pod is looked
/// for.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_and_policies_hear_of_connections() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    let (port, bundle) = serve().await;
    live.kubectl(&["run", "web", "--image=redis:7.4"]);
    live.kubectl(&["wait", "pod/web", "--for=condition=Ready", "--timeout=60s"]);
    let rules = |part: &str| {
        let resource = format!("pods/{part}");
        json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"], "resources": [resource]}])
    };
    let client = json!({"url": format!("https://127.0.0.1:{port}/tell"), "caBundle": bundle});
    live.apply(&configuration("Validating", "tell", client.clone(), &json!({"rules": rules("exec")})));
    let (told, succeeded) = live.try_kubectl(&["exec", "web", "-i", "--", "echo", "a b"], "");
    assert!(!succeeded, "{told}");
    let wanted = r#"CONNECT pods/exec web in default of PodExecOptions: {"apiVersion":"v1","command":["echo","a b"],"container":"web","kind":"PodExecOptions","stderr":true,"stdin":true,"stdout":true}"#;
    assert!(told.contains(wanted), "{told}");
    // What is written to pods is another matter, and so are its other connections. Nothing is behind that port here, so that
    // the command ends.
    live.kubectl(&["label", "pod", "web", "a=b"]);
    let (told, _) = live.try_kubectl(&["port-forward", "pod/web", ":80"], "");
    assert!(!told.contains("CONNECT"), "{told}");
    live.apply(&configuration("Validating", "forward", client.clone(), &json!({"rules": rules("portforward")})));
    live.apply(&configuration("Validating", "attach", client, &json!({"rules": rules("attach")})));
    let (told, succeeded) = live.try_kubectl(&["port-forward", "pod/web", ":80"], "");
    assert!(!succeeded && told.contains("CONNECT pods/portforward web in default of PodPortForwardOptions"), "{told}");
    let (told, succeeded) = live.try_kubectl(&["attach", "web"], "");
    assert!(!succeeded && told.contains("CONNECT pods/attach web in default of PodAttachOptions"), "{told}");
    live.kubectl(&["delete", "validatingwebhookconfigurations", "--all"]);
    assert_eq!(live.kubectl(&["exec", "web", "--", "echo", "a b"]).trim(), "a b");

    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "no-shell"},
        "spec": {
            "matchConstraints": {"resourceRules": rules("exec")},
            "validations": [{
                "expression": "!('sh' in object.command) || request.name != 'web' || request.namespace != 'default'",
                "message": "no shells in production",
            }],
        },
    });
    live.apply(&policy);
    live.apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "no-shell"}, "spec": {"policyName": "no-shell", "validationActions": ["Deny"]},
    }));
    let (told, succeeded) = live.try_kubectl(&["exec", "web", "--", "sh", "-c", "true"], "");
    assert!(!succeeded && told.contains("no shells in production"), "{told}");
    assert_eq!(live.kubectl(&["exec", "web", "--", "echo", "still"]).trim(), "still");
    live.stop().await;
}

/// A Service without a selector is what somebody writes its slices to be.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_found_behind_slices_that_somebody_wrote() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    let (port, bundle) = serve().await;
    live.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"},
        "spec": {"ports": [{"name": "other", "port": 80}, {"name": "tls", "port": 443}]},
    }));
    let slice = |name: &str, ports: Value, endpoints: Value| {
        live.apply(&json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "hook"}},
            "ports": ports, "endpoints": endpoints,
        }));
    };
    let client = json!({
        "service": {"namespace": "default", "name": "hook", "path": "/refuse", "port": 443}, "caBundle": bundle,
    });
    live.apply(&configuration("Validating", "refuse", client, &json!({})));
    let create = || live.try_kubectl(&["create", "configmap", "a"], "");
    let (told, succeeded) = create();
    assert!(!succeeded && told.contains(":443: connect: connection refused"), "nothing stands behind it: {told}");
    // Neither one that is not ready nor another port is it. A pod's port is that port of this machine.
    let pod = json!({"kind": "Pod", "namespace": "default", "name": "somewhere"});
    slice(
        "hook-a",
        json!([{"name": "tls", "port": 1, "protocol": "TCP"}]),
        json!([{"addresses": ["10.9.8.7"], "conditions": {"ready": false}, "targetRef": pod}]),
    );
    slice("hook-b", json!([{"name": "other", "port": 1}]), json!([{"addresses": ["10.9.8.7"], "targetRef": pod}]));
    let (told, succeeded) = create();
    assert!(!succeeded && told.contains(":443: connect: connection refused"), "{told}");
    let endpoints = json!([{"addresses": ["10.9.8.7"], "targetRef": pod}]);
    slice("hook-c", json!([{"name": "tls", "port": port}]), endpoints);
    let (told, succeeded) = create();
    assert!(!succeeded && told.contains("denied the request: the name is taken by the moon"), "{told}");
    live.stop().await;
}
