//! Random requests against a sandbox whose memory is limited: none takes it down, none is answered late, and its
//! memory comes back. `KEYWITNESS_ATTACK=10000` sends as many, `KEYWITNESS_ATTACK_SEED` begins elsewhere.

use std::time::{Duration, Instant};

use futures::StreamExt;
use http::{Method, Request, header};
use http_body_util::BodyExt;
use kube::Client;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::harness::need;
use crate::live::Live;

const LONGEST: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 16;

const COLLECTIONS: [&str; 21] = [
    "/api/v1/namespaces/default/pods",
    "/api/v1/namespaces/default/configmaps",
    "/api/v1/namespaces/default/secrets",
    "/api/v1/namespaces/default/services",
    "/api/v1/namespaces/default/events",
    "/api/v1/namespaces/default/resourcequotas",
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/apis/apps/v1/namespaces/default/deployments",
    "/apis/apps/v1/namespaces/default/statefulsets",
    "/apis/apps/v1/namespaces/default/daemonsets",
    "/apis/batch/v1/namespaces/default/jobs",
    "/apis/batch/v1/namespaces/default/cronjobs",
    "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
    "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
    "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/apis/nowhere.example.com/v1/things",
];

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

struct Attack {
    random: StdRng,
}

impl Attack {
    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        of.choose(&mut self.random).expect("there is one")
    }

    fn chance(&mut self, of: u32) -> bool {
        self.random.random_ratio(1, of)
    }

    fn collection(&mut self) -> &'static str {
        self.one::<&'static str>(&COLLECTIONS)
    }

    fn path(&mut self) -> String {
        let mut path = self.collection().to_owned();
        if self.chance(2) {
            let name = self.one(&["a", "b", "c", "default", "x%2Fy", "..", "%00", "sandbox-control-plane"]);
            path = format!("{path}/{name}");
            if self.chance(4) {
                let part = self
                    .one(&["status", "scale", "eviction", "binding", "log", "finalize", "approval", "exec", "nothing"]);
                path = format!("{path}/{part}");
            }
        }
        if self.chance(3) {
            let pairs = [
                "limit=1",
                "limit=-1",
                "limit=9223372036854775807",
                "continue=eyJ2IjoibWV0YSJ9",
                "resourceVersion=1",
                "resourceVersion=99999999999999999999",
                "labelSelector=a%3Db%2Cc%20in%20(d%2Ce)",
                "labelSelector=((((",
                "fieldSelector=metadata.name%3Da",
                "fieldSelector=%3D%3D",
                "dryRun=All",
                "dryRun=Some",
                "force=true",
                "fieldManager=m",
                "fieldValidation=Strict",
                "timeoutSeconds=9223372036854775807",
                "pretty=true",
                "propagationPolicy=Orphan",
                "gracePeriodSeconds=-9223372036854775808",
                "sinceSeconds=-9223372036854775808",
                "tailLines=9223372036854775807",
                "resourceVersionMatch=Exact",
                "sendInitialEvents=true",
            ];
            path = format!("{path}?{}&{}", self.one(&pairs), self.one(&pairs));
        }
        path
    }

    fn scalar(&mut self) -> Value {
        match self.random.random_range(0..12) {
            0 => json!(i64::MAX),
            1 => json!(i64::MIN),
            2 => json!(u64::MAX),
            3 => json!(1e308),
            4 => json!(-1),
            5 => Value::Null,
            6 => json!(true),
            7 => json!("9".repeat(self.random.random_range(0..300))),
            8 => json!("\u{0}\u{fffd}é"),
            9 => json!([]),
            10 => json!({}),
            _ => json!("9000000000000000000%"),
        }
    }

    /// Something that would be right, before it is spoilt.
    fn object(&mut self) -> Value {
        let name = *self.one(&["a", "b", "c"]);
        let pod = json!({"containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80}],
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}, "env": [{"name": "A", "value": "b"}]}]});
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": pod});
        let rule = *self.one(&[
            "object.metadata.name != 'x'",
            "self.all(a, self.all(b, a + b >= 0))",
            "(((",
            "'a'.matches('(a+)+$')",
        ]);
        let spec = match self.random.random_range(0..7) {
            0 => pod,
            1 => json!({"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template,
                "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}}}),
            2 => json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}),
            3 => json!({"parallelism": 1, "completions": 1, "template": template}),
            4 => {
                json!({"minAvailable": "50%", "selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}})
            }
            5 => {
                json!({"group": "x.io", "scope": "Namespaced", "names": {"kind": "Ba", "plural": "bas"}, "versions": [{
                "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "numbers": {"type": "array", "items": {"type": "integer"}, "x-kubernetes-validations": [{"rule": rule}]}}}}}]})
            }
            _ => {
                json!({"failurePolicy": "Fail", "validations": [{"expression": rule}], "matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]}})
            }
        };
        json!({"metadata": {"name": name, "labels": {"a": "b"}, "finalizers": []}, "spec": spec, "data": {"a": "b"}})
    }

    fn spoil(&mut self, value: &mut Value, depth: usize) {
        if self.chance(6) || depth == 0 {
            *value = self.scalar();
            return;
        }
        match value {
            Value::Object(map) if !map.is_empty() => {
                let at = self.random.random_range(0..map.len());
                if let Some(value) = map.values_mut().nth(at) {
                    self.spoil(value, depth - 1);
                }
            }
            Value::Array(list) if !list.is_empty() => {
                let at = self.random.random_range(0..list.len());
                self.spoil(&mut list[at], depth - 1);
            }
            other => *other = self.scalar(),
        }
    }

    fn large(&mut self) -> String {
        let times = self.random.random_range(1..100_000);
        match self.random.random_range(0..7) {
            0 => "[".repeat(times),
            1 => "{\"a\":".repeat(times),
            2 => format!("{{\"metadata\":{{\"name\":\"a\"}},\"data\":{{\"a\":\"{}\"}}}}", "x".repeat(times * 20)),
            3 => format!("{{\"metadata\":{{\"name\":\"a\",\"finalizers\":[{}0]}}}}", "0,".repeat(times)),
            4 => format!(
                "{{\"metadata\":{{\"name\":\"a\",\"labels\":{{{}\"z\":\"z\"}}}}}}",
                (0..times / 10).map(|at| format!("\"k{at}\":\"v\",")).collect::<Vec<_>>().concat()
            ),
            5 => format!(
                "{{\"metadata\":{{\"name\":\"a\"}},\"spec\":{{\"containers\":[{}{{}}]}}}}",
                "{\"name\":\"c\",\"image\":\"i\"},".repeat(times / 10)
            ),
            _ => format!("a: &a [{}]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n", vec!["x"; times / 10].join(",")),
        }
    }

    fn operations(&mut self) -> String {
        let paths = [
            "/data/x",
            "/data",
            "/spec",
            "/metadata/labels",
            "/metadata/finalizers/-",
            "/spec/containers/0",
            "",
            "/a~1b/~0",
        ];
        let count = *self.one(&[1, 3, 25, 2000]);
        let list: Vec<Value> = (0..count)
            .map(|_| {
                json!({"op": self.one(&["add", "copy", "move", "remove", "replace", "test"]), "path": self.one(&paths),
                       "from": self.one(&paths), "value": self.scalar()})
            })
            .collect();
        json!(list).to_string()
    }

    fn body(&mut self) -> Vec<u8> {
        match self.random.random_range(0..10) {
            0 => Vec::new(),
            1 => (0..self.random.random_range(1..2000)).map(|_| self.random.random()).collect(),
            2 => {
                let raw: Vec<u8> = (0..self.random.random_range(1..200)).map(|_| self.random.random()).collect();
                [b"k8s\0\x0a\x07\x0a\x02v1\x12\x01X\x12".to_vec(), raw].concat()
            }
            3 => self.large().into_bytes(),
            4 => self.operations().into_bytes(),
            _ => {
                let mut object = self.object();
                for _ in 0..self.random.random_range(0..4) {
                    self.spoil(&mut object, 8);
                }
                let mut bytes = object.to_string().into_bytes();
                if self.chance(8) {
                    let at = self.random.random_range(0..bytes.len());
                    bytes[at] = self.random.random();
                }
                bytes
            }
        }
    }

    fn request(&mut self) -> Request<kube::client::Body> {
        let method = match self.random.random_range(0..10) {
            0..4 => Method::POST,
            4..6 => Method::PATCH,
            6 => Method::PUT,
            7 => Method::DELETE,
            _ => Method::GET,
        };
        let content = self.one(&[
            "application/json",
            "application/json",
            "application/yaml",
            "application/vnd.kubernetes.protobuf",
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/strategic-merge-patch+json",
            "application/apply-patch+yaml",
            "text/plain",
        ]);
        let accept = self.one(&[
            "application/json",
            "application/vnd.kubernetes.protobuf",
            "application/json;as=Table;v=v1;g=meta.k8s.io",
            "*/*",
        ]);
        let body = if method == Method::GET { Vec::new() } else { self.body() };
        let mut builder = Request::builder().header(header::CONTENT_TYPE, *content).header(header::ACCEPT, *accept);
        if self.chance(20) {
            builder = builder.header("impersonate-user", "eve").header("impersonate-extra-a", "b");
        }
        builder.method(method).uri(self.path()).body(body.into()).expect("a request")
    }
}

/// Four gigabytes of addresses: what goes wrong is to end the sandbox, not the machine. etcd maps more than that.
fn limit(process: &str) {
    let limited = std::process::Command::new("prlimit").args(["--pid", process, "--as=4000000000"]).status();
    assert!(limited.is_ok_and(|status| status.success()), "prlimit (util-linux) limits the sandbox's memory");
}

/// What was asked, how long the answer took, and what is wrong with it.
type Answered = (String, Duration, Result<(), String>);

async fn answered(client: &Client, request: Request<kube::client::Body>) -> Answered {
    let asked = format!("{} {}", request.method(), request.uri());
    let began = Instant::now();
    let all = async {
        let response = client.send(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        let panicked = status == 500 && String::from_utf8_lossy(&body).contains("caused apiserver to panic");
        if panicked { Err("a panic".to_owned()) } else { Ok(()) }
    };
    let result = match tokio::time::timeout(LONGEST, all).await {
        Err(_) => Err(format!("no answer within {LONGEST:?}")),
        Ok(result) => result,
    };
    (asked, began.elapsed(), result)
}

#[tokio::test]
async fn random_requests_neither_end_it_nor_hold_it_up() {
    need!("etcd");
    let (count, seed) = (number("KEYWITNESS_ATTACK", 500), number("KEYWITNESS_ATTACK_SEED", 1));
    let live = Live::start(&[]).await;
    limit(live.export("SANDBOX_API_PID"));
    let client = live.client().await;
    // What a first request of each kind loads, code above all, is no leftover of the attack.
    for path in COLLECTIONS.iter().filter(|path| !path.ends_with("reviews") && !path.ends_with("things")) {
        let list = Request::get(*path).body(kube::client::Body::empty()).expect("a request");
        let (asked, _, result) = answered(&client, list).await;
        assert_eq!(result, Ok(()), "{asked}");
    }
    let before = live.memory("SANDBOX_API_PID");
    // Watches that nobody reads, all the while.
    let mut unread = Vec::new();
    for _ in 0..(count / 10).min(300) {
        let watch = Request::get("/api/v1/configmaps?watch=1").body(kube::client::Body::empty()).expect("a request");
        unread.push(client.send(watch).await.expect("a watch begins"));
    }
    let mut attack = Attack { random: StdRng::seed_from_u64(seed) };
    let requests: Vec<_> = (0..count).map(|_| attack.request()).collect();
    let mut most = 0;
    let mut wrong = Vec::new();
    let mut longest = (Duration::ZERO, String::new());
    let mut answers =
        futures::stream::iter(requests).map(|request| answered(&client, request)).buffer_unordered(AT_ONCE);
    while let Some((asked, took, result)) = answers.next().await {
        if let Err(why) = result {
            wrong.push(format!("{asked}: {why} after {took:?}"));
        }
        if took > longest.0 {
            longest = (took, asked);
        }
        most = most.max(live.memory("SANDBOX_API_PID"));
    }
    drop(answers);
    drop(unread);
    assert!(wrong.is_empty(), "seed {seed}: {} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(most <= 512, "it took {most} MiB");
    let back = async {
        while live.memory("SANDBOX_API_PID") * 2 > before * 3 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let patience = if count < 5000 { Duration::ZERO } else { Duration::from_secs(60) };
    let came_back = tokio::time::timeout(patience, back).await.is_ok();
    println!(
        "{count} requests of seed {seed}: {before} MiB before, {most} MiB at most, {} MiB after; the longest answer took \
         {:?}: {}",
        live.memory("SANDBOX_API_PID"),
        longest.0,
        longest.1,
    );
    // The small run is not told from what a start leaves to be loaded.
    assert!(
        came_back || count < 5000,
        "a minute later it holds {} MiB, {before} at its start",
        live.memory("SANDBOX_API_PID")
    );
    // An interrupt in the middle of more of the same.
    let (sender, mut first) = tokio::sync::mpsc::channel(1);
    let load = tokio::spawn(async move {
        loop {
            let requests: Vec<_> = (0..AT_ONCE).map(|_| attack.request()).collect();
            let mut answers =
                futures::stream::iter(requests).map(|request| answered(&client, request)).buffer_unordered(AT_ONCE);
            while answers.next().await.is_some() {
                let _ = sender.try_send(());
            }
        }
    });
    first.recv().await.expect("it is under load");
    let began = Instant::now();
    live.stop().await;
    load.abort();
    let took = began.elapsed();
    println!("an interrupt under load ended it within {took:?}");
    assert!(took < Duration::from_secs(60), "Ctrl-C took {took:?}");
}
