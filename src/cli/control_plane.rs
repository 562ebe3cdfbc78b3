//! Entry points that start a control plane and nothing else: `__sandbox` a whole sandbox, to try things
//! out; `__control-plane FILE` the API face and controllers over an etcd that runs already, in a node image.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::guard::{Guard, GuardSettings};
use crate::sandbox::{ControlPlane, ControlPlaneSpec, Sandbox, SandboxError, SandboxOptions};

pub(super) fn sandbox(_args: &[OsString]) -> ExitCode {
    with_runtime(run_sandbox())
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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::from(3)
}

fn told(error: SandboxError) -> String {
    std::iter::once(error.message).chain(error.detail).chain(error.hint).collect::<Vec<_>>().join("\n")
}

async fn run_sandbox() -> Result<(), String> {
    let guard = Guard::start(GuardSettings::default()).map_err(|error| error.to_string())?;
    let dir = guard.folder("sandbox").map_err(|error| error.to_string())?;
    let began = std::time::Instant::now();
    let sandbox = Sandbox::start(SandboxOptions::new(guard.clone(), dir)).await.map_err(told)?;
    eprintln!("ready after {} ms", began.elapsed().as_millis());
    println!("export KUBECONFIG={}", sandbox.kubeconfig().display());
    println!("export ETCDCTL_ENDPOINTS={}", sandbox.etcd_url());
    for (name, file) in [("CACERT", "etcd/ca.crt"), ("CERT", "etcd/server.crt"), ("KEY", "etcd/server.key")] {
        println!("export ETCDCTL_{name}={}", sandbox.pki().file(file).display());
    }
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())?;
    sandbox.stop().await;
    guard.end().await;
    Ok(())
}

async fn run_control_plane(spec: ControlPlaneSpec) -> Result<(), String> {
    let control_plane = ControlPlane::serve(&spec).await.map_err(told)?;
    println!("serving on https://{}", control_plane.address);
    let mut end =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(|error| error.to_string())?;
    tokio::select! {
        _ = end.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    drop(control_plane);
    Ok(())
}
