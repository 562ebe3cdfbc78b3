//! One sandbox under watch, driven by the real kubectl.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, EventType, Identity, TlsOptions, WatchOptions};
use kube_sandbox::{Sandbox, SandboxOptions};
use owned_processes::{Guard, GuardSettings};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::normal::Names;
use super::recording::{Event, Step};
use crate::harness;

/// No command of the recordings takes longer.
const PATIENCE: Duration = Duration::from_secs(90);
/// For what a fresh cluster holds.
const START: Duration = Duration::from_secs(30);
/// A busy machine pauses in the middle of its start, too.
const QUIET: Duration = Duration::from_millis(400);

pub(crate) struct Watched {
    pub(crate) node: String,
    sandbox: Sandbox,
    guard: Guard,
    events: Arc<Mutex<Vec<Event>>>,
    moved: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Keys that components write for themselves; the recordings leave them out too.
fn noise(key: &str) -> bool {
    ["/registry/leases/", "/registry/masterleases/", "/registry/peerserverleases/"]
        .iter()
        .any(|start| key.starts_with(start))
}

impl Watched {
    pub(crate) async fn start() -> Self {
        let settings =
            GuardSettings { watchdog: Some(env!("CARGO_BIN_EXE_keywitness").into()), ..GuardSettings::default() };
        let guard = Guard::start(settings).expect("a guard");
        let dir = guard.folder("sandbox").expect("a private folder");
        // With a real API server in place of ours, what still differs is the controllers' doing.
        let apiserver = std::env::var_os("KEYWITNESS_REPLAY_APISERVER").map(Into::into);
        let options = SandboxOptions { apiserver, ..SandboxOptions::new(guard.clone(), dir) };
        let sandbox = Sandbox::start(options).await.expect("a sandbox");
        let pem = |name: &str| std::fs::read(sandbox.pki().file(name)).expect("a key file");
        let tls = TlsOptions::new()
            .ca_certificate(Certificate::from_pem(pem("etcd/ca.crt")))
            .identity(Identity::from_pem(pem("etcd/server.crt"), pem("etcd/server.key")));
        let options = ConnectOptions::new().with_tls(tls);
        let client = Client::connect([sandbox.etcd_url()], Some(options)).await.expect("etcd answers");
        let mut watched = Self {
            node: sandbox.node.clone(),
            sandbox,
            guard,
            events: Arc::default(),
            moved: watch::channel(0).1,
            task: tokio::spawn(async {}),
        };
        watched.follow(client).await;
        watched.rest().await;
        watched
    }

    pub(crate) async fn stop(self) {
        self.task.abort();
        self.sandbox.stop().await;
        self.guard.end().await;
    }

    /// Until what every cluster has at its start is there: accounts and certificates in each namespace, pods that run.
    async fn rest(&mut self) {
        let mut lacking: Vec<String> = ["default", "kube-system", "kube-public", "kube-node-lease"]
            .iter()
            .flat_map(|name| {
                [
                    format!("/registry/serviceaccounts/{name}/default"),
                    format!("/registry/configmaps/{name}/kube-root-ca.crt"),
                ]
            })
            .collect();
        // The last that the controllers do about a fresh cluster.
        lacking.extend(
            [
                "/registry/services/endpoints/kube-system/kube-dns",
                "/registry/endpointslices/kube-system/kube-dns-",
                "/registry/events/default/",
            ]
            .map(str::to_owned),
        );
        let whole = self.until(START, |events| {
            lacking.retain(|prefix| !events.iter().any(|event| event.key.starts_with(prefix)));
            lacking.is_empty()
        });
        assert!(whole.await, "a fresh sandbox lacks {lacking:?}");
        // Nothing of the start may be taken for the scenario's.
        while self.until(QUIET, |events| !events.is_empty()).await {}
    }

    /// From the first revision of all.
    async fn follow(&mut self, client: Client) {
        let options = WatchOptions::new().with_prefix().with_start_revision(1).with_fragment();
        let mut stream = client.watch_client().watch("/registry/", Some(options)).await.expect("a watch");
        let (told, moved) = watch::channel(0);
        let events = Arc::clone(&self.events);
        self.moved = moved;
        self.task = tokio::spawn(async move {
            while let Ok(Some(answer)) = stream.message().await {
                let mut held = events.lock().expect("the events");
                for event in answer.events() {
                    let Some(kv) = event.kv() else { continue };
                    let key = kv.key_str().unwrap_or_default().to_owned();
                    if noise(&key) {
                        continue;
                    }
                    let put = event.event_type() == EventType::Put;
                    let value = if put {
                        kube_etcd_codec::decode(kv.value()).unwrap_or_else(|error| panic!("{key}: {error}")).object
                    } else {
                        Value::Null
                    };
                    held.push(Event {
                        kind: if put { "PUT" } else { "DELETE" }.to_owned(),
                        key,
                        mod_revision: kv.mod_revision(),
                        version: kv.version(),
                        value,
                    });
                }
                drop(held);
                told.send_modify(|answers| *answers += 1);
            }
        });
    }

    /// Until `done` says so of the events that are new to it, or the time is up: then it answers false.
    pub(crate) async fn until(&mut self, limit: Duration, mut done: impl FnMut(Vec<Event>) -> bool) -> bool {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            self.moved.borrow_and_update();
            let new = std::mem::take(&mut *self.events.lock().expect("the events"));
            if done(new) {
                return true;
            }
            if !matches!(tokio::time::timeout_at(deadline, self.moved.changed()).await, Ok(Ok(()))) {
                return false;
            }
        }
    }

    pub(crate) fn names(&self) -> Names {
        Names::new(&self.node, "127.0.0.1")
    }

    /// `recorded` is the name that the node had in the recording.
    pub(crate) async fn run(&self, step: &Step, recorded: &str) -> Ran {
        let kubectl = harness::tool("kubectl").expect("kubectl was looked for before");
        let mut path = kubectl.parent().expect("a folder").as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut child = tokio::process::Command::new("sh")
            .args(["-c", &step.command.replace(recorded, &self.node)])
            .env("PATH", path)
            .env("KUBECONFIG", self.sandbox.kubeconfig())
            .env("HOME", self.guard.dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a shell");
        let mut stdin = child.stdin.take().expect("a pipe");
        let text = step.stdin.clone().unwrap_or_default().replace(recorded, &self.node);
        stdin.write_all(text.as_bytes()).await.expect("the command takes its input");
        drop(stdin);
        match tokio::time::timeout(PATIENCE, child.wait_with_output()).await {
            Ok(output) => {
                let output = output.expect("the command ends");
                Ran {
                    exit: output.status.code().unwrap_or(-1),
                    stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                    stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
                }
            }
            Err(_) => {
                Ran { exit: -1, stdout: String::new(), stderr: format!("no end within {} s", PATIENCE.as_secs()) }
            }
        }
    }
}
