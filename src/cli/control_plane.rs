//! A sandbox by itself: `__sandbox` runs one until its standard input closes or Ctrl-C.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::guard::{Guard, GuardSettings};
use crate::sandbox::{Sandbox, SandboxOptions};

pub(super) fn sandbox(_args: &[OsString]) -> ExitCode {
    match with_runtime(run_sandbox()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(3)
        }
    }
}

fn with_runtime(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(work)
}

async fn run_sandbox() -> Result<(), String> {
    let guard = Guard::start(GuardSettings::default()).map_err(|error| error.to_string())?;
    let dir = guard.folder("sandbox").map_err(|error| error.to_string())?;
    let began = std::time::Instant::now();
    let sandbox = Sandbox::start(SandboxOptions::new(guard.clone(), dir))
        .await
        .map_err(|error| format!("{error}\n{}", error.detail.join("\n")))?;
    eprintln!("ready after {} ms", began.elapsed().as_millis());
    println!("export KUBECONFIG={}", sandbox.kubeconfig().display());
    println!("export ETCDCTL_ENDPOINTS={}", sandbox.etcd_url());
    for (name, file) in [("CACERT", "ca"), ("CERT", "server"), ("KEY", "server")] {
        let ending = if name == "KEY" { "key" } else { "crt" };
        println!("export ETCDCTL_{name}={}/etcd/{file}.{ending}", sandbox.pki().root().display());
    }
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())?;
    sandbox.stop().await;
    guard.end().await;
    Ok(())
}
