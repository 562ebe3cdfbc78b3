//! How fast events are decoded and matched, and how long a verdict takes from the commit in etcd:
//! `cargo bench --bench journal`. The second part needs etcd.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use keywitness::cluster::EtcdAccess;
use keywitness::expr::{Scope, Subject, compile, split};
use keywitness::grade::{Evidence, Judge, Progress};
use keywitness::journal::{Change, Entry, Journal, Mark, Revision};
use keywitness::lab::{Check, CheckKind, EventKind, EventOrder, Glob, PartId, Pattern, Template, Vars};
use keywitness::outcome::Verdict;
use keywitness::text::{Joined, Span};
use keywitness::witness::{Witness, WitnessRequest};
use owned_processes::{Guard, GuardSettings, tool};
use serde_json::{Value, json};

const EVENTS: Revision = 20_000;
const VERDICTS: usize = 500;

fn main() {
    matching();
    if tool("etcd").is_none() {
        println!("from commit to verdict: not measured, etcd is not installed");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(latency());
}

/// A pod as a cluster stores it, about 3 KB of protobuf.
fn pod(step: Revision) -> Value {
    let container = |name: &str| {
        json!({
            "name": name, "image": "registry.example/app:1.2.3", "imagePullPolicy": "IfNotPresent",
            "env": (0..8).map(|n| json!({ "name": format!("VARIABLE_{n}"), "value": format!("value-{n}") })).collect::<Vec<_>>(),
            "ports": [{ "containerPort": 8080, "protocol": "TCP" }],
            "resources": { "limits": { "cpu": "1", "memory": "512Mi" }, "requests": { "cpu": "100m", "memory": "64Mi" } },
            "volumeMounts": [{ "name": "data", "mountPath": "/data" }, { "name": "config", "mountPath": "/etc/app" }],
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        })
    };
    let condition =
        |kind: &str| json!({ "type": kind, "status": "True", "lastTransitionTime": "2026-11-21T10:00:00Z" });
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web-77ddd485f5-bnxcd", "generateName": "web-77ddd485f5-", "namespace": "demo",
            "uid": "5ffcffd1-a287-4ae3-9312-906be9ce2d19", "creationTimestamp": "2026-11-21T10:00:00Z",
            "labels": { "app": "web", "pod-template-hash": "77ddd485f5", "step": step.to_string() },
            "annotations": { "example.com/checksum": "0123456789abcdef".repeat(8) },
        },
        "spec": {
            "containers": [container("app"), container("proxy"), container("agent")],
            "volumes": [{ "name": "data", "emptyDir": {} }, { "name": "config", "configMap": { "name": "web" } }],
            "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "nodeName": "node-1",
            "serviceAccountName": "default", "schedulerName": "default-scheduler",
        },
        "status": {
            "phase": "Running", "podIP": "10.244.0.7", "hostIP": "10.0.0.2",
            "conditions": [condition("Initialized"), condition("Ready"), condition("PodScheduled")],
        },
    })
}

fn events(glob: &str, kind: EventKind, condition: &str) -> Check {
    let source = Joined::whole(condition, 0);
    let range = split(&source, 0, true).expect("it splits");
    let condition = compile(&source, range, Scope::Event, &Subject::any()).0.expect("it compiles");
    let patterns = vec![Pattern { kind, condition: Some(condition), span: Span::default() }];
    let glob = Glob(Template::text(glob, Span::default()));
    Check {
        id: PartId::default(),
        text: "events".to_owned(),
        span: Span::default(),
        kind: CheckKind::Events { glob, order: EventOrder::Ordered, patterns },
        within: None,
        hold_for: None,
    }
}

fn evidence(mark: Mark) -> Evidence {
    Evidence { mark, end: mark, observations: Vec::new(), vars: Vars::new(), prefix: "/registry".to_owned() }
}

fn matching() {
    let journal = Journal::new("/registry/");
    let started = SystemTime::now();
    journal.listed(1, started, Vec::new());
    let mark = Mark { revision: 1, at: started, wall: started, epoch: 0, read: true };
    let values: Vec<Vec<u8>> =
        (2..2 + EVENTS).map(|step| kube_etcd_codec::encode(&pod(step)).expect("a pod")).collect();
    let bytes: usize = values.iter().map(Vec::len).sum();
    for (revision, value) in (2..).zip(values) {
        let key = format!("/registry/pods/demo/web-{}", revision % 50);
        journal.push(Entry::Put(Change::new(key, revision, started).created(2, revision).value(value)));
    }
    let last = 1 + EVENTS;
    journal.delivered(last, started);
    // Only the last event fits, so that every one is decoded and matched.
    let condition = format!("object.metadata.labels.step == '{last}' && object.status.phase == 'Running'");
    let check = events("/registry/pods/**", EventKind::Put, &condition);
    let evidence = evidence(mark);
    let mut judge = Judge::new(&check);
    let begun = Instant::now();
    let progress = judge.judge(&evidence, &journal.view(), SystemTime::now());
    let took = begun.elapsed();
    assert!(matches!(&progress, Progress::Settled(judgement) if judgement.verdict == Verdict::Pass), "{progress:?}");
    let per_second = f64::from(u32::try_from(EVENTS).unwrap_or(u32::MAX)) / took.as_secs_f64();
    println!(
        "decoded and matched: {EVENTS} events of {} bytes in {took:.0?}: {per_second:.0} a second",
        bytes / usize::try_from(EVENTS).unwrap_or(1)
    );
    let begun = Instant::now();
    judge.judge(&evidence, &journal.view(), SystemTime::now());
    println!("judged again: {:.1?}", begun.elapsed());
}

struct Etcd(Child);

impl Drop for Etcd {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn latency() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let sockets = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let [url, peer] = sockets.map(|socket| format!("http://{}", socket.local_addr().expect("an address")));
    let mut command = Command::new(tool("etcd").expect("it was there before"));
    command.arg("--data-dir").arg(dir.path().join("data")).args(["--unsafe-no-fsync", "--log-level=error"]);
    command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url, "--listen-peer-urls", &peer]);
    command.args(["--initial-advertise-peer-urls", &peer, "--initial-cluster", &format!("default={peer}")]);
    let _etcd = Etcd(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("etcd starts"));
    let parents = vec![dir.path().to_path_buf()];
    let request = WitnessRequest {
        guard: Guard::start(GuardSettings { parents, watchdog: None, grace: Duration::from_secs(1) }).expect("a guard"),
        access: EtcdAccess::Direct { endpoints: vec![url.clone()], tls: None },
        prefix: "/registry".to_owned(),
        bare: true,
        members: Vec::new(),
    };
    let witness = Witness::open(request).await.expect("the witness opens");
    let mut client = etcd_client::Client::connect([&url], None).await.expect("a client");
    while client.put("/registry/ready", "1", None).await.is_err() {
        tokio::task::yield_now().await;
    }
    witness.progress().await.expect("an answer");
    let mut took = Vec::new();
    for round in 0..VERDICTS {
        let step = Revision::try_from(round).unwrap_or_default();
        let check =
            events("/registry/pods/demo/*", EventKind::Put, &format!("object.metadata.labels.step == '{step}'"));
        let evidence = evidence(witness.mark().await);
        let value = kube_etcd_codec::encode(&pod(step)).expect("a pod");
        let mut judge = Judge::new(&check);
        let watching = async {
            loop {
                let view = witness.journal();
                if let Progress::Settled(judgement) = judge.judge(&evidence, &view, SystemTime::now()) {
                    assert_eq!(judgement.verdict, Verdict::Pass, "{judgement:?}");
                    return Instant::now();
                }
                witness.grown(view.end()).await;
            }
        };
        let putting = async {
            client.put("/registry/pods/demo/web", value, None).await.expect("a put");
            Instant::now()
        };
        let (verdict, committed) = tokio::join!(watching, putting);
        // The watch may be faster than the answer to the put.
        took.push(verdict.saturating_duration_since(committed));
    }
    took.sort_unstable();
    println!(
        "from commit to verdict, {VERDICTS} times: p50 {:.2?}, p99 {:.2?}, longest {:.2?}",
        took[VERDICTS / 2],
        took[VERDICTS * 99 / 100],
        took[VERDICTS - 1]
    );
    witness.close().await;
}
