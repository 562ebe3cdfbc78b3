//! The state of a sandbox's store in a file, and a sandbox put back to it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::control_plane::{ControlPlane, ControlPlaneSpec};
use crate::error::SandboxError;
use crate::etcd::Etcd;
use crate::pki::Pki;
use crate::store::connect;
use owned_processes::{self as guard, Guard};

/// How long the port of a face that was ended may stay taken.
const PORT_FREE: Duration = Duration::from_secs(3);
const RESTORED_WITHIN: Duration = Duration::from_secs(20);

/// Writes etcd's own snapshot; the file is there whole or not at all.
pub(super) async fn save(etcd: &Etcd, pki: &Pki, file: &Path) -> Result<(), SandboxError> {
    let failed = |error: etcd_client::Error| SandboxError::new(format!("etcd gives no snapshot: {error}"));
    let io = |error: std::io::Error| SandboxError::io("the snapshot", file, &error);
    let client = connect(std::slice::from_ref(&etcd.client_url), pki).await?;
    let mut stream = client.maintenance_client().snapshot().await.map_err(failed)?;
    let unready = file.with_extension("new");
    let mut out = tokio::fs::File::create(&unready).await.map_err(io)?;
    while let Some(part) = stream.message().await.map_err(failed)? {
        out.write_all(part.blob()).await.map_err(io)?;
    }
    out.flush().await.map_err(io)?;
    drop(out);
    tokio::fs::rename(&unready, file).await.map_err(io)
}

/// Makes a data folder of a snapshot, as etcd's own tool does: the store it gives has the snapshot's revisions, and an
/// id of its own, so that nobody takes it for the one that went on.
pub(super) async fn unpack(
    etcd: &Etcd,
    node: &str,
    file: &Path,
    data: &Path,
    guard: &Guard,
) -> Result<(), SandboxError> {
    let tool = guard::tool("etcdutl").ok_or_else(|| {
        SandboxError::new(
            "putting a sandbox back needs etcdutl, and there is none on PATH or in the private tools folder",
        )
        .hint("run `scripts/setup`, or set KEYWITNESS_ETCDUTL to an etcdutl program")
    })?;
    let peer = etcd.peer_url();
    if data.exists() {
        tokio::fs::remove_dir_all(data)
            .await
            .map_err(|error| SandboxError::io("what an earlier reset left", data, &error))?;
    }
    let mut command = Command::new(tool);
    command
        .args(["snapshot", "restore"])
        .arg(file)
        .arg("--data-dir")
        .arg(data)
        .args(["--name", node, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("{node}={peer}")])
        .args(["--initial-cluster-token", &uuid::Uuid::new_v4().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut process = guard.spawn(&mut command).map_err(|error| SandboxError::new(error.to_string()))?;
    let stderr = process.take_stderr();
    let words = async {
        let mut text = String::new();
        if let Some(mut stderr) = stderr {
            // What it said is only for its error.
            let _ = tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut text).await;
        }
        text
    };
    let ended = tokio::time::timeout(RESTORED_WITHIN, async { tokio::join!(process.wait(), words) }).await;
    match ended {
        Ok((Ok(status), _)) if status.success() => Ok(()),
        Ok((Ok(status), words)) => {
            let last = words.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
            Err(SandboxError::new(format!("etcdutl could not read the snapshot ({status})"))
                .detail(last.into_iter().collect()))
        }
        Ok((Err(error), _)) => Err(SandboxError::new(format!("etcdutl cannot be waited for: {error}"))),
        Err(_) => Err(SandboxError::new(format!("etcdutl had not ended after {} s", RESTORED_WITHIN.as_secs()))),
    }
}

/// A store whose putting back was broken off is as it was before.
pub(super) async fn put_right(data: &Path) {
    if !data.exists() {
        // Where there is none, there is nothing to put right.
        let _ = tokio::fs::rename(data.with_extension("old"), data).await;
    }
}

/// The API on the same address as before, over the store as it is now.
pub(super) async fn serve_again(
    spec: &ControlPlaneSpec,
    client: etcd_client::Client,
    guard: &Guard,
) -> Result<ControlPlane, SandboxError> {
    let deadline = Instant::now() + PORT_FREE;
    loop {
        match Box::pin(ControlPlane::start(spec, client.clone(), guard)).await {
            Err(error) if Instant::now() < deadline && error.message.contains("in use") => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            outcome => return outcome,
        }
    }
}
