//! A file as an etcd snapshot.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;

use super::bolt;
use crate::journal::Seen;
use owned_processes::{Guard, tool};

/// etcdutl walks every page; a snapshot of the largest store takes it some seconds.
const LIMIT: Duration = Duration::from_secs(30);
const SUM: usize = 32;

/// `valid` is what `etcdutl snapshot restore` accepts without `--skip-hash-check`: the checksum that
/// `snapshot save` appends is there and right, and the database under it can be read. Where etcdutl is
/// at hand it must say so too.
pub(super) async fn look(guard: &Guard, path: &Path) -> Seen {
    let read = {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || Snapshot::read(&path)).await
    };
    let snapshot = match read {
        Ok(Ok(snapshot)) => snapshot,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Seen::Nothing(format!("there is no file {}", path.display()));
        }
        Ok(Err(error)) => return Seen::Unavailable(format!("{} cannot be read: {error}", path.display())),
        Err(error) => return Seen::Unavailable(format!("reading {} broke off: {error}", path.display())),
    };
    let valid = snapshot.valid && confirmed(guard, path).await;
    Seen::Snapshot(json!({
        "valid": valid, "revision": snapshot.revision, "keys": snapshot.keys, "size": snapshot.size,
    }))
}

/// Where etcdutl does not come to a verdict, ours stands.
async fn confirmed(guard: &Guard, path: &Path) -> bool {
    let Some(etcdutl) = tool("etcdutl") else { return true };
    let mut command = Command::new(etcdutl);
    command.args(["snapshot", "status"]).arg(path).args(["-w", "json"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut process) = guard.spawn(&mut command) else { return true };
    match tokio::time::timeout(LIMIT, process.wait()).await {
        Ok(status) => status.is_ok_and(|status| status.success()),
        Err(_) => true,
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Snapshot {
    valid: bool,
    revision: i64,
    keys: usize,
    size: usize,
}

impl Snapshot {
    fn read(path: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path)?;
        Ok(Self::of(&bytes))
    }

    fn of(bytes: &[u8]) -> Self {
        // Pages are a multiple of 512 bytes, so what is over is the checksum, as etcd itself reads it.
        let summed = bytes.len() % 512 == SUM;
        let (database, sum) = bytes.split_at(if summed { bytes.len() - SUM } else { bytes.len() });
        let right = summed && ring::digest::digest(&ring::digest::SHA256, database).as_ref() == sum;
        let contents = bolt::contents(database);
        Self {
            valid: right && contents.is_ok(),
            revision: contents.as_ref().map_or(0, |contents| contents.revision),
            keys: contents.as_ref().map_or(0, |contents| contents.live_keys),
            size: bytes.len(),
        }
    }
}
