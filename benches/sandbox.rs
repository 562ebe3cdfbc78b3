//! What the sandbox costs: start to ready, memory, writes, lists and watches.
//!
//! `cargo bench --bench sandbox` measures our API; where `KUBEBUILDER_ASSETS` names a real kube-apiserver it
//! measures that beside it, over the same etcd. Every client talks HTTPS, as kubectl does.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use http::Request;
use http_body_util::BodyExt;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const STARTS: usize = 20;
/// A real kube-apiserver takes seconds for each.
const STARTS_OF_REAL: usize = 4;
const CONFIGMAPS: usize = 2_000;
const WRITERS: usize = 8;
const PODS: usize = 5_000;
const WATCHES: usize = 200;
const CHANGES: usize = 2_000;

/// A sandbox in a process of its own, so that its memory is its own.
struct Running {
    child: Child,
    /// The process that serves the API: the sandbox's own, or a kube-apiserver beside it.
    api: u32,
    client: Client,
}

impl Running {
    async fn start(apiserver: Option<&PathBuf>) -> Result<(Self, Duration)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keywitness"));
        command.arg("__sandbox").stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::piped());
        if let Some(path) = apiserver {
            command.arg("--apiserver").arg(path);
        }
        let began = Instant::now();
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let mut exports = HashMap::new();
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            let (name, value) = line.trim_start_matches("export ").split_once('=').ok_or("no variable")?;
            exports.insert(name.to_owned(), value.to_owned());
            if exports.contains_key("SANDBOX_ETCD_PID") {
                break;
            }
        }
        let kubeconfig = exports.get("KUBECONFIG").ok_or("the sandbox did not come up")?;
        let api = exports.get("SANDBOX_API_PID").ok_or("no process")?.parse()?;
        let config =
            kube::Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &KubeConfigOptions::default())
                .await?;
        let client = Client::try_from(config)?;
        client.request_text(Request::get("/api/v1/namespaces/default").body(Vec::new())?).await?;
        Ok((Self { child, api, client }, began.elapsed()))
    }

    /// Resident memory of the API, which in ours has the controllers in it; beside another API theirs is named too.
    fn memory(&self) -> Result<String> {
        let api = resident(self.api)?;
        if self.api == self.child.id() {
            return Ok(format!("{api:.0} MiB, controllers included"));
        }
        Ok(format!("{api:.0} MiB, and our controllers {:.0} MiB", resident(self.child.id())?))
    }

    fn stop(mut self) -> Result<()> {
        // SIGINT, as Ctrl-C sends it: the sandbox ends its etcd.
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

/// In MiB.
fn resident(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
    Ok(kib / 1024.0)
}

async fn create(client: &Client, path: &str, object: &serde_json::Value) -> Result<()> {
    let request = Request::post(path).header("content-type", "application/json").body(serde_json::to_vec(object)?)?;
    client.request_text(request).await?;
    Ok(())
}

/// A real API server refuses pods where the service account that they run as is not there yet.
async fn has_account(client: &Client) -> Result<()> {
    let path = "/api/v1/namespaces/default/serviceaccounts/default";
    while client.request_text(Request::get(path).body(Vec::new())?).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// `count` objects made by `WRITERS` clients side by side.
async fn fill(
    client: &Client,
    count: usize,
    path: &'static str,
    object: fn(usize) -> serde_json::Value,
) -> Result<Duration> {
    let began = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let client = client.clone();
        writers.spawn(async move {
            for number in (writer..count).step_by(WRITERS) {
                create(&client, path, &object(number)).await?;
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    Ok(began.elapsed())
}

fn configmap(number: usize) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("filler-{number}")}, "data": {"n": number.to_string()}})
}

/// On no node, so that nothing but the API works on them.
fn pod(number: usize) -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("pod-{number}"), "labels": {"app": "filler"}},
        "spec": {"nodeSelector": {"no-such": "node"}, "containers": [{"name": "web", "image": "nginx"}]}
    })
}

fn change(number: usize) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("change-{number}")}, "data": {"n": number.to_string()}})
}

/// From the first change to the last event at the last watch.
async fn watches(client: &Client) -> Result<Duration> {
    create(
        client,
        "/api/v1/namespaces",
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watched"}}),
    )
    .await?;
    let list: serde_json::Value = serde_json::from_str(
        &client.request_text(Request::get("/api/v1/namespaces/watched/configmaps").body(Vec::new())?).await?,
    )?;
    let revision = list["metadata"]["resourceVersion"].as_str().ok_or("no resourceVersion")?.to_owned();
    let open = Arc::new(AtomicUsize::new(0));
    let mut watchers = tokio::task::JoinSet::new();
    for _ in 0..WATCHES {
        let path = format!("/api/v1/namespaces/watched/configmaps?watch=1&resourceVersion={revision}");
        let client = client.clone();
        let open = open.clone();
        watchers.spawn(async move {
            let response = client.send(Request::get(path).body(kube::client::Body::empty())?).await?;
            open.fetch_add(1, Ordering::SeqCst);
            let mut body = response.into_body().into_data_stream();
            let mut seen = 0;
            while seen < CHANGES {
                let chunk = body.next().await.ok_or("a watch ended early")??;
                seen += chunk.split(|byte| *byte == b'\n').count() - 1;
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        });
    }
    while open.load(Ordering::SeqCst) < WATCHES {
        tokio::task::yield_now().await;
    }

    let began = Instant::now();
    fill(client, CHANGES, "/api/v1/namespaces/watched/configmaps", change).await?;
    while let Some(done) = watchers.join_next().await {
        done??;
    }
    Ok(began.elapsed())
}

async fn measure(name: &str, apiserver: Option<&PathBuf>) -> Result<()> {
    println!("{name}");
    let mut starts = Vec::new();
    let count = if apiserver.is_some() { STARTS_OF_REAL } else { STARTS };
    for _ in 0..count {
        let (running, took) = Running::start(apiserver).await?;
        starts.push(took);
        running.stop()?;
    }
    starts.sort();
    println!(
        "  start to first answer, median of {count}: {} ms (worst {} ms)",
        starts[count / 2].as_millis(),
        starts[count - 1].as_millis()
    );

    let (running, _) = Running::start(apiserver).await?;
    has_account(&running.client).await?;
    println!("  resident memory, fresh: {}", running.memory()?);
    let took = fill(&running.client, CONFIGMAPS, "/api/v1/namespaces/default/configmaps", configmap).await?;
    println!("  {CONFIGMAPS} configmaps by {WRITERS} clients: {} ms", took.as_millis());
    fill(&running.client, PODS, "/api/v1/namespaces/default/pods", pod).await?;
    println!("  resident memory with {PODS} pods: {}", running.memory()?);
    let began = Instant::now();
    let list = running.client.request_text(Request::get("/api/v1/namespaces/default/pods").body(Vec::new())?).await?;
    println!(
        "  list of {PODS} pods as JSON: {} ms, {:.1} MiB",
        began.elapsed().as_millis(),
        list.len() as f64 / 1_048_576.0
    );
    println!("  resident memory after the list: {}", running.memory()?);
    println!("  {CHANGES} changes past {WATCHES} watches: {} ms", watches(&running.client).await?.as_millis());
    println!("  resident memory at the end: {}", running.memory()?);
    running.stop()
}

#[tokio::main]
async fn main() -> Result<()> {
    measure("keywitness' API", None).await?;
    let real = std::env::var_os("KUBEBUILDER_ASSETS").map(|dir| PathBuf::from(dir).join("kube-apiserver"));
    if let Some(path) = real.filter(|path| path.exists()) {
        measure("kube-apiserver", Some(&path)).await
    } else {
        println!("no kube-apiserver beside it: KUBEBUILDER_ASSETS names none");
        Ok(())
    }
}
