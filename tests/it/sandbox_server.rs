//! The sandbox as a server: inputs that once had too much done to them, or too little.

use base64::Engine;
use http::{Method, Request, header};
use http_body_util::BodyExt;
use kube::Client;
use serde_json::{Value, json};

use crate::harness::{self, need};
use crate::live::Live;

pub(crate) const JSON: &str = "application/json";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const PODS: &str = "/api/v1/namespaces/default/pods";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// The status and the body, whatever they are.
pub(crate) async fn send(client: &Client, method: Method, path: &str, content: &str, body: Vec<u8>) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, content);
    let request = request.body(kube::client::Body::from(body)).expect("a request");
    let response = client.send(request).await.expect("an answer");
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into())))
}

async fn ask(client: &Client, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    send(client, method, path, JSON, body).await
}

async fn patch(client: &Client, path: &str, kind: &str, body: &Value) -> (u16, Value) {
    send(client, Method::PATCH, path, &format!("application/{kind}"), body.to_string().into_bytes()).await
}

fn map(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

/// One field of protobuf that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("a short field");
    [&[number << 3 | 2, length], bytes].concat()
}

/// A message in the envelope that Go's clients send.
fn envelope(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let types = [field(1, version.as_bytes()), field(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), field(1, &types), field(2, raw), field(3, b""), field(4, b"")].concat()
}

#[tokio::test]
async fn options_in_protobuf_are_obeyed_or_refused() {
    need!("etcd");
    let live = Live::start(&[]).await;
    let client = live.client().await;
    let gone = async |name: &str| ask(&client, Method::GET, &format!("{MAPS}/{name}"), &Value::Null).await.0 == 404;
    let delete =
        async |name: &str, raw: Vec<u8>| send(&client, Method::DELETE, &format!("{MAPS}/{name}"), PROTOBUF, raw).await;
    assert_eq!(ask(&client, Method::POST, MAPS, &map("m")).await.0, 201);

    for version in ["v1", "apps/v1", "meta.k8s.io/v1"] {
        let (status, _) = delete("m", envelope(version, "DeleteOptions", &field(5, b"All"))).await;
        assert!(status == 200 && !gone("m").await, "a dry run of {version}: {status}");
    }
    let wrong = field(2, &field(1, b"00000000-0000-0000-0000-000000000000"));
    let (status, body) = delete("m", envelope("v1", "DeleteOptions", &wrong)).await;
    assert_eq!((status, body["reason"].as_str()), (409, Some("Conflict")), "{body}");
    // What is not understood: another kind, another format, half a message.
    let refused = [
        envelope("v1", "ConfigMap", b""),
        envelope("v1", "NoSuchKind", b""),
        b"hello".to_vec(),
        b"k8s\0\xff\xff\xff".to_vec(),
        envelope("v1", "DeleteOptions", b"\x2a\x7f"),
    ];
    for body in refused {
        let (status, said) = delete("m", body.clone()).await;
        assert!(status == 400 && !gone("m").await, "{body:?}: {status} {said}");
    }
    for (content, body) in [
        (JSON, "[]"),
        (JSON, "\"x\""),
        (JSON, "{\"dryRun\": \"All\"}"),
        (JSON, "{\"gracePeriodSeconds\": \"1\"}"),
        (JSON, "{\"kind\": \"Pod\"}"),
        (JSON, "{\"dryRun\": [\"Some\"]}"),
        ("application/yaml", "dryRun: [All"),
        ("text/plain", "{}"),
    ] {
        let (status, said) = send(&client, Method::DELETE, &format!("{MAPS}/m"), content, body.into()).await;
        assert!(matches!(status, 400 | 415 | 422) && !gone("m").await, "{content} {body}: {status} {said}");
    }
    assert_eq!(delete("m", envelope("v1", "DeleteOptions", b"")).await.0, 200);
    assert!(gone("m").await);

    // The whole of a collection, dry.
    assert_eq!(ask(&client, Method::POST, MAPS, &map("n")).await.0, 201);
    let dry = envelope("v1", "DeleteOptions", &field(5, b"All"));
    assert_eq!(send(&client, Method::DELETE, MAPS, PROTOBUF, dry).await.0, 200);
    assert!(!gone("n").await);

    // An orphan keeps its pods.
    let controllers = "/api/v1/namespaces/default/replicationcontrollers";
    let template =
        json!({"metadata": {"labels": {"o": "r"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}});
    let controller =
        json!({"metadata": {"name": "r"}, "spec": {"replicas": 2, "selector": {"o": "r"}, "template": template}});
    assert_eq!(ask(&client, Method::POST, controllers, &controller).await.0, 201);
    let pods = async || {
        let (_, list) = ask(&client, Method::GET, &format!("{PODS}?labelSelector=o%3Dr"), &Value::Null).await;
        list["items"].as_array().cloned().unwrap_or_default()
    };
    while pods().await.len() < 2 {}
    let orphan = envelope("v1", "DeleteOptions", &field(4, b"Orphan"));
    let (status, _) = send(&client, Method::DELETE, &format!("{controllers}/r"), PROTOBUF, orphan).await;
    assert_eq!(status, 200);
    while ask(&client, Method::GET, &format!("{controllers}/r"), &Value::Null).await.0 != 404 {}
    assert!(pods().await.iter().all(|pod| pod["metadata"]["deletionTimestamp"].is_null()));
    assert_eq!(pods().await.len(), 2);

    // A scale of two, and one that is no scale.
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let template =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}});
    let spec = json!({"selector": {"matchLabels": {"a": "b"}}, "template": template});
    assert_eq!(ask(&client, Method::POST, deployments, &json!({"metadata": {"name": "d"}, "spec": spec})).await.0, 201);
    let path = format!("{deployments}/d/scale");
    let scale = envelope("autoscaling/v1", "Scale", &[field(1, &field(1, b"d")), field(2, b"\x08\x02")].concat());
    let (status, scaled) = send(&client, Method::PUT, &path, PROTOBUF, scale).await;
    assert_eq!((status, scaled["spec"]["replicas"].as_i64()), (200, Some(2)), "{scaled}");
    assert_eq!(send(&client, Method::PUT, &path, PROTOBUF, envelope("v1", "Pod", b"")).await.0, 400);
    assert_eq!(ask(&client, Method::PUT, &path, &json!({"spec": {"replicas": "3"}})).await.0, 400);
    live.stop().await;
}

#[tokio::test]
async fn numbers_without_measure_are_refused_or_borne() {
    need!("etcd");
    let live = Live::start(&[]).await;
    let client = live.client().await;
    let containers = json!([{"name": "c", "image": "nginx"}]);
    let pod = json!({"metadata": {"name": "q"}, "spec": {"terminationGracePeriodSeconds": i64::MAX, "containers": containers}});
    assert_eq!(ask(&client, Method::POST, PODS, &pod).await.0, 201);
    loop {
        let (_, pod) = ask(&client, Method::GET, &format!("{PODS}/q"), &Value::Null).await;
        if pod["status"]["phase"] == "Running" {
            break;
        }
    }
    let (status, deleted) = ask(&client, Method::DELETE, &format!("{PODS}/q"), &Value::Null).await;
    assert_eq!(
        (status, deleted["metadata"]["deletionGracePeriodSeconds"].as_i64()),
        (200, Some(i64::MAX)),
        "{deleted}"
    );
    let (status, _) = ask(&client, Method::DELETE, &format!("{PODS}/q?gracePeriodSeconds=0"), &Value::Null).await;
    assert_eq!(status, 200);

    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}});
    let selector = json!({"matchLabels": {"a": "b"}});
    let rolling =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "9000000000000000000%", "maxUnavailable": 0}});
    let spec = json!({"replicas": 3, "strategy": rolling, "selector": selector, "template": template});
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let (status, said) =
        ask(&client, Method::POST, deployments, &json!({"metadata": {"name": "surge"}, "spec": spec})).await;
    assert!(status == 201 || status == 422, "{said}");

    // Every numeric field that controllers count with.
    let kinds = [
        (
            deployments,
            json!({"replicas": 1, "minReadySeconds": 0, "revisionHistoryLimit": 1, "progressDeadlineSeconds": 600,
            "selector": selector, "template": template}),
        ),
        (
            "/apis/apps/v1/namespaces/default/replicasets",
            json!({"replicas": 1, "minReadySeconds": 0, "selector": selector, "template": template}),
        ),
        (
            "/apis/apps/v1/namespaces/default/statefulsets",
            json!({"replicas": 1, "minReadySeconds": 0, "revisionHistoryLimit": 1,
            "ordinals": {"start": 0}, "serviceName": "s", "selector": selector, "template": template,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}),
        ),
        (
            "/apis/apps/v1/namespaces/default/daemonsets",
            json!({"minReadySeconds": 0, "revisionHistoryLimit": 1, "selector": selector, "template": template}),
        ),
        (
            "/apis/batch/v1/namespaces/default/jobs",
            json!({"parallelism": 1, "completions": 1, "backoffLimit": 1,
            "activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 60,
            "template": {"spec": {"restartPolicy": "Never", "activeDeadlineSeconds": 60, "containers": containers}}}),
        ),
        (
            "/apis/batch/v1/namespaces/default/cronjobs",
            json!({"schedule": "* * * * *", "startingDeadlineSeconds": 60,
            "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": containers}}}}}),
        ),
        (
            "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
            json!({"minReplicas": 1, "maxReplicas": 2,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "surge"},
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 1, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 1}]}}}),
        ),
        ("/apis/policy/v1/namespaces/default/poddisruptionbudgets", json!({"minAvailable": 1, "selector": selector})),
        (
            PODS,
            json!({"terminationGracePeriodSeconds": 1, "activeDeadlineSeconds": 1, "containers": [{"name": "c", "image": "nginx",
            "ports": [{"containerPort": 80, "hostPort": 0}],
            "livenessProbe": {"tcpSocket": {"port": 80}, "initialDelaySeconds": 0, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 1}}],
            "securityContext": {"runAsUser": 1, "fsGroup": 1}, "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}]}),
        ),
    ];
    let numbers =
        ["-9223372036854775808", "9223372036854775807", "2147483647", "-1", "1e308", "18446744073709551615", "1.5"];
    let mut count = 0;
    for (path, spec) in kinds {
        let text = spec.to_string();
        for (at, _) in
            text.match_indices(':').filter(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            let end = at + 1 + text[at + 1..].find(|c: char| !c.is_ascii_digit()).expect("more follows");
            for number in numbers {
                count += 1;
                let body = format!(
                    "{{\"metadata\":{{\"name\":\"n{count}\"}},\"spec\":{}{number}{}}}",
                    &text[..=at],
                    &text[end..]
                );
                let (status, said) = send(&client, Method::POST, path, JSON, body.clone().into_bytes()).await;
                assert!(matches!(status, 201 | 400 | 422), "{body}: {status} {said}");
                // What would make two thousand million pods is looked at by its controller, then taken back.
                if status == 201 {
                    let options = json!({"propagationPolicy": "Background", "gracePeriodSeconds": 0});
                    ask(&client, Method::DELETE, &format!("{path}/n{count}"), &options).await;
                }
            }
        }
    }
    assert!(count > 200, "only {count} were tried");
    // The controllers are all there still.
    let fresh = json!({"replicas": 1, "selector": {"matchLabels": {"z": "z"}},
        "template": {"metadata": {"labels": {"z": "z"}}, "spec": {"containers": containers}}});
    assert_eq!(
        ask(&client, Method::POST, deployments, &json!({"metadata": {"name": "last"}, "spec": fresh})).await.0,
        201
    );
    loop {
        let (_, found) = ask(&client, Method::GET, &format!("{deployments}/last"), &Value::Null).await;
        if found["status"]["readyReplicas"] == 1 {
            break;
        }
    }
    assert_eq!(live.errors(), Vec::<String>::new(), "nothing panicked");
    live.stop().await;
}

#[tokio::test]
async fn bodies_and_patches_keep_the_bounds_of_the_real_server() {
    need!("etcd");
    let live = Live::start(&[]).await;
    let client = live.client().await;
    assert_eq!(ask(&client, Method::POST, MAPS, &map("m")).await.0, 201);
    let path = format!("{MAPS}/m");

    let (status, said) = send(&client, Method::POST, MAPS, JSON, vec![b' '; (3 << 20) + 1]).await;
    assert_eq!((status, said["message"].as_str()), (413, Some("Request entity too large: limit is 3145728")), "{said}");
    let bomb: Value =
        serde_json::from_str(include_str!("../../crates/kube-sandbox/tests/jsonpatch-copy-22.json")).expect("a patch");
    assert_eq!(patch(&client, &path, "json-patch+json", &bomb).await.0, 422);
    let many = json!(vec![json!({"op": "test", "path": "/kind", "value": "ConfigMap"}); 10_001]);
    let (status, said) = patch(&client, &path, "json-patch+json", &many).await;
    assert_eq!(
        (status, said["message"].as_str()),
        (413, Some("Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"))
    );
    for (content, body) in [
        (JSON, "[".repeat(100_000)),
        (JSON, "{\"a\":".repeat(100_000)),
        ("application/yaml", "[".repeat(100_000)),
        ("application/yaml", "a: &a [x,x]\nb: &b [*a,*a]\n".to_owned() + &"c: [*b,*b,*b]\n".repeat(3) + "d: *nothing"),
    ] {
        let (status, said) = send(&client, Method::POST, MAPS, content, body.into_bytes()).await;
        assert_eq!(status, 400, "{said}");
    }
    for encoding in ["gzip", "br", "identity, gzip", "x-unknown"] {
        let request = Request::post(MAPS).header(header::CONTENT_TYPE, JSON).header(header::CONTENT_ENCODING, encoding);
        let request = request.body(kube::client::Body::from(map("e").to_string().into_bytes())).expect("a request");
        let response = client.send(request).await.expect("an answer");
        assert_eq!(response.status(), 415, "{encoding}");
    }
    assert_eq!(ask(&client, Method::GET, &format!("{MAPS}/e"), &Value::Null).await.0, 404);
    // One map of a megabyte and a half is more than etcd takes; here Kubernetes' own limit comes first.
    let large = json!({"metadata": {"name": "l"}, "data": {"a": "x".repeat(1_200_000)}});
    let (status, said) = ask(&client, Method::POST, MAPS, &large).await;
    assert!(matches!(status, 413 | 422), "{said}");
    let annotated = json!({"metadata": {"name": "l", "annotations": {"a": "x".repeat(300_000)}}});
    assert_eq!(ask(&client, Method::POST, MAPS, &annotated).await.0, 422);
    live.stop().await;
}

#[tokio::test]
async fn a_field_that_is_given_twice_is_named() {
    need!("etcd");
    let live = Live::start(&[]).await;
    let client = live.client().await;
    let path = "/apis/apps/v1/namespaces/default/deployments?dryRun=All&fieldValidation=";
    let body = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"replicas":1,"replicas":2,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"n","image":"nginx"}]}}}}"#;
    let (status, said) = send(&client, Method::POST, &format!("{path}Strict"), JSON, body.into()).await;
    let message = said["message"].as_str().unwrap_or_default();
    assert_eq!(status, 400, "{said}");
    assert!(message.ends_with("strict decoding error: duplicate field \"spec.replicas\""), "{message}");
    let unknown = body.replace("\"replicas\":1", "\"unknownField\":1,\"replicas\":1");
    let (_, said) = send(&client, Method::POST, &format!("{path}Strict"), JSON, unknown.into()).await;
    let message = said["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("unknown field \"spec.unknownField\", duplicate field \"spec.replicas\""), "{message}");
    let (status, made) = send(&client, Method::POST, &format!("{path}Warn"), JSON, body.into()).await;
    assert_eq!((status, made["spec"]["replicas"].as_i64()), (201, Some(2)));
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice}\ndata:\n  a: one\n  a: two\n";
    let twice = format!("{MAPS}?dryRun=All&fieldValidation=");
    let (status, said) = send(&client, Method::POST, &format!("{twice}Strict"), "application/yaml", yaml.into()).await;
    let message = said["message"].as_str().unwrap_or_default();
    assert_eq!(status, 400, "{said}");
    assert!(message.contains("line 6: key \"a\" already set in map"), "{message}");
    let (status, made) = send(&client, Method::POST, &format!("{twice}Ignore"), "application/yaml", yaml.into()).await;
    assert_eq!((status, made["data"]["a"].as_str()), (201, Some("two")));
    live.stop().await;
}

#[tokio::test]
async fn a_strategic_patch_puts_what_it_adds_first() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    live.kubectl(&["create", "deployment", "patch-demo", "--image=nginx"]);
    let patch = json!({"spec": {"template": {"spec": {
        "containers": [{"name": "patch-demo-ctr-2", "image": "redis"}], "tolerations": [{"key": "a"}]}}}});
    live.kubectl(&["patch", "deployment", "patch-demo", "--patch", &patch.to_string()]);
    let images = ["get", "deployment", "patch-demo", "-o", "jsonpath={.spec.template.spec.containers[*].image}"];
    assert_eq!(live.kubectl(&images), "redis nginx");
    live.stop().await;
}

#[tokio::test]
async fn a_deletion_that_deletes_says_so() {
    need!("etcd");
    let live = Live::start(&[]).await;
    let client = live.client().await;
    let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeSelector": {"x/y": "no"}, "containers": [{"name": "c", "image": "pause"}]}});
    for round in 0..200_u64 {
        let (status, said) = ask(&client, Method::POST, PODS, &pod).await;
        assert_eq!(status, 201, "{said}");
        // The scheduler and the quota's controller write meanwhile; each round meets them at another moment.
        tokio::time::sleep(std::time::Duration::from_millis(round % 10 * 3)).await;
        let (status, said) =
            ask(&client, Method::DELETE, &format!("{PODS}/p"), &json!({"gracePeriodSeconds": 0})).await;
        assert_eq!(status, 200, "round {round}: {said}");
    }
    live.stop().await;
}

#[tokio::test]
async fn a_name_in_a_certificate_is_a_name() {
    need!("etcd", "kubectl", "openssl");
    let live = Live::start(&[]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str| dir.path().join(name);
    let name = "eve\u{6}\u{3}U\u{4}\n\u{c}\u{e}system:masters";
    let mut openssl = std::process::Command::new(harness::tool("openssl").expect("it was looked for"));
    openssl.args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-utf8", "-keyout"]);
    let made = openssl.arg(file("key")).arg("-out").arg(file("csr")).args(["-subj", &format!("/CN={name}")]).output();
    assert!(made.is_ok_and(|made| made.status.success()), "a request is made");
    let csr = std::fs::read(file("csr")).expect("a request");
    live.apply(&json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "eve"},
        "spec": {"request": base64::engine::general_purpose::STANDARD.encode(csr),
                 "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]},
    }));
    live.kubectl(&["certificate", "approve", "eve"]);
    let signed = live.until(&["csr", "eve"], |csr| csr["status"]["certificate"].is_string());
    let certificate = signed["status"]["certificate"].as_str().expect("a certificate");
    let certificate = base64::engine::general_purpose::STANDARD.decode(certificate).expect("base64");
    std::fs::write(file("crt"), certificate).expect("it is written");
    let config: Value = serde_json::from_str(&live.kubectl(&["config", "view", "--raw", "-o", "json"])).expect("JSON");
    let cluster = &config["clusters"][0]["cluster"];
    let server = format!("--server={}", cluster["server"].as_str().expect("a server"));
    let ca = cluster["certificate-authority-data"].as_str().expect("an authority");
    std::fs::write(file("ca"), base64::engine::general_purpose::STANDARD.decode(ca).expect("base64"))
        .expect("it is written");
    let flag = |flag: &str, name: &str| format!("--{flag}={}", file(name).display());
    let as_eve = |args: &[&str]| {
        let options = [
            "--kubeconfig=/dev/null".to_owned(),
            server.clone(),
            flag("certificate-authority", "ca"),
            flag("client-certificate", "crt"),
            flag("client-key", "key"),
        ];
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        live.try_kubectl(&[args, &options].concat(), "")
    };
    let (said, _) = as_eve(&["auth", "whoami", "-o", "json"]);
    let who: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(who["status"]["userInfo"]["username"], name);
    assert_eq!(who["status"]["userInfo"]["groups"], json!(["system:authenticated"]));
    let (said, allowed) = as_eve(&["auth", "can-i", "*", "*"]);
    assert!(!allowed && said.trim_end().ends_with("no"), "{said}");
    live.stop().await;
}

#[tokio::test]
async fn whoever_shows_nothing_is_anonymous() {
    need!("etcd", "kubectl");
    let live = Live::start(&[]).await;
    let nobody = live.client_as(kube::config::AuthInfo::default()).await;
    let get = async |client: &Client, path: &str| ask(client, Method::GET, path, &Value::Null).await;
    for path in ["/version", "/healthz", "/livez", "/readyz"] {
        let (status, said) = get(&nobody, path).await;
        assert_eq!(status, 200, "{path}: {said}");
    }
    for path in ["/api/v1/pods", "/metrics", "/apis", "/api/v1/namespaces/kube-system/secrets"] {
        let (status, said) = get(&nobody, path).await;
        let message = said["message"].as_str().unwrap_or_default();
        assert!(status == 403 && message.contains("User \"system:anonymous\" cannot"), "{path}: {status} {said}");
    }
    let wrong = kube::config::AuthInfo { token: Some("wrong".to_owned().into()), ..kube::config::AuthInfo::default() };
    assert_eq!(get(&live.client_as(wrong).await, "/version").await.0, 401, "a token that nobody has is no token");
    // By the role that says so: without it nothing is open.
    live.kubectl(&["delete", "clusterrolebinding", "system:public-info-viewer"]);
    assert_eq!(get(&nobody, "/version").await.0, 403);
    live.stop().await;
}

#[tokio::test]
async fn a_program_that_reads_nothing_is_heard_to_its_end() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    need!("etcd", "etcdctl");
    let live = Live::start(&[]).await;
    let client = live.client().await;
    for name in ["a", "b", "c"] {
        let large = json!({"metadata": {"name": name}, "data": {"a": "x".repeat(900_000)}});
        assert_eq!(ask(&client, Method::POST, MAPS, &large).await.0, 201);
    }
    let (_, list) =
        ask(&client, Method::GET, "/api/v1/namespaces/kube-system/pods?labelSelector=component%3Detcd", &Value::Null)
            .await;
    let name = list["items"][0]["metadata"]["name"].as_str().expect("etcd's pod").to_owned();
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::namespaced(client, "kube-system");
    let command = [
        "etcdctl",
        "--cacert=/etc/kubernetes/pki/etcd/ca.crt",
        "--cert=/etc/kubernetes/pki/etcd/server.crt",
        "--key=/etc/kubernetes/pki/etcd/server.key",
        "get",
        "--prefix",
        "/registry/configmaps/default/",
        "--print-value-only",
    ];
    let streams = kube::api::AttachParams::default().stdin(true).stdout(true).stderr(true);
    let mut program = pods.exec(&name, command, &streams).await.expect("it begins");
    let mut input = program.stdin().expect("an input");
    let mut output = program.stdout().expect("an output");
    let writing = tokio::spawn(async move {
        // It fills the program's pipe, which nobody reads.
        let _ = input.write_all(&vec![b'x'; 256 << 10]).await;
    });
    let mut said = Vec::new();
    let reading = tokio::time::timeout(std::time::Duration::from_secs(60), output.read_to_end(&mut said));
    reading.await.expect("it is heard to its end").expect("it can be read");
    assert!(said.len() > 2_700_000, "{} bytes", said.len());
    writing.abort();
    live.stop().await;
}
