//! One real etcd as a child process: loopback, mutual TLS, a private data folder, and election settings
//! that make it ready in a tenth of a second.

mod words;

pub use words::why_it_ended;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::error::SandboxError;
use crate::pki::Pki;
use crate::store::connect;
use owned_processes::{Guard, Process, free_port};

/// A running etcd; it ends when this is dropped.
#[derive(Debug)]
pub struct Etcd {
    pub client_url: String,
    /// The flags it was really started with.
    pub flags: Vec<String>,
    pub log: PathBuf,
    pub data: PathBuf,
    spec: EtcdSpec,
    child: Process,
}

#[derive(Debug, Clone)]
pub struct EtcdSpec {
    pub binary: PathBuf,
    pub node: String,
    pub pki: Pki,
    pub data: PathBuf,
    pub log: PathBuf,
    pub guard: Guard,
}

/// How often a start is tried again when another process took one of the free ports first.
const ATTEMPTS: usize = 5;
const ROOM_NEEDED: u128 = 100 << 20;
const ENDS_WITHIN: Duration = Duration::from_secs(1);
const READY_WITHIN: Duration = Duration::from_secs(20);
const LONGEST_LOG: u64 = 16 << 20;
const LOOK_AT_LOG: Duration = Duration::from_secs(10);

impl Etcd {
    /// Starts etcd and waits until it answers a read that needs a leader.
    pub async fn start(spec: &EtcdSpec) -> Result<(Self, etcd_client::Client), SandboxError> {
        let mut last = None;
        // What an earlier run left is never thrown away.
        let is_new = !spec.data.exists();
        for _ in 0..ATTEMPTS {
            let mut etcd = Self::spawn(spec)?;
            match etcd.ready(&spec.pki).await {
                Ok(client) => {
                    tracing::info!(url = etcd.client_url, process = etcd.process(), "etcd is ready");
                    return Ok((etcd, client));
                }
                Err(error) => {
                    tracing::warn!(%error, "etcd did not start");
                    let taken = etcd.last_words().iter().any(|line| line.contains("address already in use"));
                    etcd.stop().await;
                    if !taken {
                        return Err(error);
                    }
                    if is_new {
                        let _ = std::fs::remove_dir_all(&spec.data);
                    }
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| SandboxError::new("etcd could not be started")))
    }

    fn spawn(spec: &EtcdSpec) -> Result<Self, SandboxError> {
        let [client, peer, metrics] = free_ports()?;
        let flags = flags(spec, client, peer, metrics);
        let _ = std::fs::remove_file(&spec.log);
        let child = Self::launch(spec, &flags)?;
        Ok(Self {
            client_url: format!("https://127.0.0.1:{client}"),
            flags,
            log: spec.log.clone(),
            data: spec.data.clone(),
            spec: spec.clone(),
            child,
        })
    }

    fn launch(spec: &EtcdSpec, flags: &[String]) -> Result<Process, SandboxError> {
        let log = File::options()
            .append(true)
            .create(true)
            .open(&spec.log)
            .map_err(|error| SandboxError::io("etcd's log", &spec.log, &error))?;
        let copy = log.try_clone().map_err(|error| SandboxError::io("etcd's log", &spec.log, &error))?;
        let mut command = Command::new(&spec.binary);
        command
            .args(flags)
            // etcd reads every ETCD_* variable as a flag and refuses what is said twice.
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("ETCD_")))
            .env("GOMAXPROCS", "2")
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(copy));
        spec.guard.spawn(&mut command).map_err(|error| SandboxError::new(error.to_string()))
    }

    /// Over the same data and on the same ports, after an end of whatever kind.
    pub async fn restart(&mut self) -> Result<etcd_client::Client, SandboxError> {
        self.stop().await;
        self.child = Self::launch(&self.spec, &self.flags)?;
        let pki = self.spec.pki.clone();
        self.ready(&pki).await
    }

    /// Where it would speak to other members.
    pub(super) fn peer_url(&self) -> String {
        let flag = self.flags.iter().find_map(|flag| flag.strip_prefix("--listen-peer-urls="));
        flag.unwrap_or_default().to_owned()
    }

    pub fn process(&self) -> i32 {
        self.child.id()
    }

    async fn ready(&mut self, pki: &Pki) -> Result<etcd_client::Client, SandboxError> {
        let deadline = Instant::now() + READY_WITHIN;
        let client = connect(std::slice::from_ref(&self.client_url), pki).await?;
        loop {
            let answer = client.kv_client().get("health", None).await;
            if answer.is_ok() {
                return Ok(client);
            }
            if let Some(ended) = self.why_ended() {
                return Err(ended);
            }
            if Instant::now() > deadline {
                let why = answer.err().map(|error| error.to_string()).unwrap_or_default();
                return Err(SandboxError::new(format!(
                    "etcd did not answer within {} s: {why}",
                    READY_WITHIN.as_secs()
                ))
                .detail(self.last_words()));
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    fn why_ended(&mut self) -> Option<SandboxError> {
        let status = self.child.try_wait().ok()??;
        let mut words = self.last_words();
        words.extend(words::why_it_ended(&self.log).filter(|why| !words.contains(why)));
        if words.iter().any(|line| line.contains("no space left on device")) {
            return Some(no_space(&self.data, "etcd ended for want of it"));
        }
        Some(SandboxError::new(format!("etcd ended at once ({status})")).detail(words))
    }

    /// The error of a request, or why there was nobody to answer it.
    pub(super) async fn explain(&mut self, error: SandboxError) -> SandboxError {
        // Its connections break before it has ended.
        let deadline = Instant::now() + ENDS_WITHIN;
        loop {
            match self.why_ended() {
                Some(ended) => return ended,
                None if Instant::now() > deadline => return error,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn last_words(&self) -> Vec<String> {
        words::last_words(&std::fs::read_to_string(&self.log).unwrap_or_default())
    }

    /// SIGKILL: what a slower end would save is thrown away with the sandbox, and after a restart etcd's own
    /// log makes up for it.
    pub async fn stop(&mut self) {
        let _ = self.child.kill().await;
    }
}

/// Checks that etcd has room: its write-ahead log alone takes 64 MB at once.
pub(super) fn check_room(dir: &Path) -> Result<(), SandboxError> {
    match owned_processes::room(dir) {
        Some(room) if room < ROOM_NEEDED => Err(no_space(dir, &format!("{} MB are free, etcd needs 100", room >> 20))),
        _ => Ok(()),
    }
}

fn no_space(dir: &Path, why: &str) -> SandboxError {
    SandboxError::new(format!("no space for the sandbox in {}: {why}", dir.display()))
        .hint("free some, or set TMPDIR to a folder with more room")
}

fn flags(spec: &EtcdSpec, client: u16, peer: u16, metrics: u16) -> Vec<String> {
    let pki = |name: &str| spec.pki.file(name).display().to_string();
    let peer_url = format!("https://127.0.0.1:{peer}");
    let client_url = format!("https://127.0.0.1:{client}");
    [
        ("advertise-client-urls", client_url.clone()),
        ("cert-file", pki("etcd/server.crt")),
        ("client-cert-auth", "true".into()),
        ("data-dir", spec.data.display().to_string()),
        // One member elects itself, and waits up to this long for others first.
        ("election-timeout", "50".into()),
        ("heartbeat-interval", "10".into()),
        ("initial-advertise-peer-urls", peer_url.clone()),
        ("initial-cluster", format!("{}={peer_url}", spec.node)),
        ("key-file", pki("etcd/server.key")),
        ("listen-client-urls", client_url),
        ("listen-metrics-urls", format!("http://127.0.0.1:{metrics}")),
        ("listen-peer-urls", peer_url),
        ("max-txn-ops", "2048".into()),
        ("name", spec.node.clone()),
        ("peer-cert-file", pki("etcd/peer.crt")),
        ("peer-client-cert-auth", "true".into()),
        ("peer-key-file", pki("etcd/peer.key")),
        ("peer-trusted-ca-file", pki("etcd/ca.crt")),
        ("snapshot-count", "10000".into()),
        ("trusted-ca-file", pki("etcd/ca.crt")),
        ("unsafe-no-fsync", "true".into()),
    ]
    .iter()
    .map(|(name, value)| format!("--{name}={value}"))
    .collect()
}

/// Keeps the end of the log where it has grown long: compactions and slow disks are told for ever. Never ends.
pub async fn keep_log_short(log: PathBuf) {
    loop {
        tokio::time::sleep(LOOK_AT_LOG).await;
        let log = log.clone();
        // That it cannot be cut now is made up for by the next look.
        let _ = tokio::task::spawn_blocking(move || cut_log(&log, LONGEST_LOG)).await;
    }
}

/// etcd appends, so that it goes on at the new end.
fn cut_log(log: &Path, longest: u64) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom, Write};
    let mut file = File::options().read(true).append(true).open(log)?;
    let length = file.metadata()?.len();
    if length <= longest {
        return Ok(());
    }
    file.seek(SeekFrom::Start(length - longest / 4))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let line = end.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    file.set_len(0)?;
    file.write_all(&end[line..])
}

/// Free now; somebody else may take one before etcd does, so the caller tries again.
pub(super) fn free_ports<const N: usize>() -> Result<[u16; N], SandboxError> {
    let mut ports = [0; N];
    for port in &mut ports {
        *port = free_port().map_err(|error| SandboxError::new(error.to_string()))?;
    }
    Ok(ports)
}

/// Where etcd's name in its own flags becomes the place that a pod of a real cluster would show.
pub fn as_in_pod(flag: &str, pki: &Path, data: &Path) -> String {
    flag.replace(&pki.display().to_string(), "/etc/kubernetes/pki")
        .replace(&data.display().to_string(), "/var/lib/etcd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_has_grown_long_keeps_its_end_in_whole_lines() {
        let dir = tempfile::tempdir().expect("a folder");
        let log = dir.path().join("etcd.log");
        let text: String = (0..1000).map(|line| format!("line {line}\n")).collect::<Vec<_>>().concat();
        std::fs::write(&log, &text).expect("it is written");
        cut_log(&log, 1 << 20).expect("it is short");
        assert_eq!(std::fs::read_to_string(&log).expect("it is read"), text);
        cut_log(&log, 4000).expect("it is cut");
        let kept = std::fs::read_to_string(&log).expect("it is read");
        assert!(kept.len() <= 1000 && text.ends_with(&kept) && kept.starts_with("line "), "{kept}");
    }
}
