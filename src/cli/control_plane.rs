//! Entry points that start a control plane and nothing else: `__sandbox` a whole sandbox, to try things
//! out; `__control-plane FILE` the API face and controllers over an etcd that runs already, in a node image.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::io::{AsyncBufReadExt, BufReader};

use kube_sandbox::{ControlPlane, ControlPlaneSpec, Sandbox, SandboxError, SandboxOptions};
use owned_processes::{Guard, GuardSettings};

pub(super) fn sandbox(args: &[OsString]) -> ExitCode {
    let apiserver = args.iter().position(|arg| arg == "--apiserver").and_then(|at| args.get(at + 1));
    let only_nodes = args.iter().any(|arg| arg == "--only-nodes");
    with_runtime(run_sandbox(apiserver.map(PathBuf::from), only_nodes))
}

pub(super) fn control_plane(args: &[OsString]) -> ExitCode {
    let Some(file) = args.last() else {
        return failed(
            "__control-plane takes a file: {\"node\", \"address\", \"listen\", \"pki\", \"etcd_endpoints\", \"etcd_data\", \"etcd_log\", \"etcd_flags\", \"tokens\"}",
        );
    };
    let spec = std::fs::read(file)
        .map_err(|error| error.to_string())
        .and_then(|bytes| serde_json::from_slice::<ControlPlaneSpec>(&bytes).map_err(|error| error.to_string()));
    match spec {
        Ok(spec) => with_runtime(run_control_plane(spec)),
        Err(error) => failed(&format!("{}: {error}", file.to_string_lossy())),
    }
}

fn with_runtime(work: impl Future<Output = Result<(), String>>) -> ExitCode {
    if let Err(error) = super::log::start_from_environment() {
        return failed(&error);
    }
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    let done = runtime.block_on(work);
    // A read of standard input cannot be called off.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::from(3)
}

fn message(error: SandboxError) -> String {
    std::iter::once(error.message).chain(error.detail).chain(error.hint).collect::<Vec<_>>().join("\n")
}

/// Standard input takes `kill etcd` and `start etcd`; its end changes nothing.
async fn run_sandbox(apiserver: Option<PathBuf>, only_nodes: bool) -> Result<(), String> {
    let guard = Guard::start(GuardSettings::with_watchdog()).map_err(|error| error.to_string())?;
    let dir = guard.folder("sandbox").map_err(|error| error.to_string())?;
    let began = std::time::Instant::now();
    let options = SandboxOptions { apiserver, only_nodes, ..SandboxOptions::new(guard.clone(), dir) };
    let mut sandbox = Sandbox::start(options).await.map_err(message)?;
    // Before anything is printed: whoever reads it may interrupt at once.
    let mut interrupted =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).map_err(|error| error.to_string())?;
    eprintln!("ready after {} ms", began.elapsed().as_millis());
    println!("export KUBECONFIG={}", sandbox.kubeconfig().display());
    println!("export ETCDCTL_ENDPOINTS={}", sandbox.etcd_url());
    for (name, file) in [("CACERT", "etcd/ca.crt"), ("CERT", "etcd/server.crt"), ("KEY", "etcd/server.key")] {
        println!("export ETCDCTL_{name}={}", sandbox.pki().file(file).display());
    }
    println!("export SANDBOX_API_PID={}", sandbox.api_process());
    println!("export SANDBOX_ETCD_PID={}", sandbox.etcd_process());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut listening = true;
    loop {
        tokio::select! {
            _ = interrupted.recv() => break,
            line = lines.next_line(), if listening => match line.as_ref().map(Option::as_deref) {
                Ok(Some("kill etcd")) => {
                    sandbox.kill_etcd().await;
                    println!("etcd is killed");
                }
                Ok(Some("start etcd")) => {
                    sandbox.restart_etcd().await.map_err(message)?;
                    println!("etcd is back as {}", sandbox.etcd_process());
                }
                Ok(Some(other)) => eprintln!("no such command: {other}"),
                Ok(None) | Err(_) => listening = false,
            },
        }
    }
    sandbox.stop().await;
    guard.end().await;
    Ok(())
}

async fn run_control_plane(spec: ControlPlaneSpec) -> Result<(), String> {
    let guard = Guard::start(GuardSettings::with_watchdog()).map_err(|error| error.to_string())?;
    let control_plane = ControlPlane::serve(&spec, &guard).await.map_err(message)?;
    println!("serving on https://{}", control_plane.address);
    let mut end =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(|error| error.to_string())?;
    tokio::select! {
        _ = end.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    drop(control_plane);
    guard.end().await;
    Ok(())
}
