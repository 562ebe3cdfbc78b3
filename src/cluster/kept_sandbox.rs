//! Sandboxes that outlive the call that made them. Each is served by a process of its own, whose private folder lies
//! in this user's state folder and holds all that there is of the sandbox, its record included: what ends the process
//! leaves nothing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::reach::{private_folder, probe, write_private};
use super::sandbox::{admin_access, open_node_shell};
use super::{
    Cluster, ClusterError, ClusterInfo, ClusterRequest, EtcdAccess, Provider, SandboxProvider, StageSink, kept,
};
use crate::lab::{ClusterKind, ClusterSpec};
use owned_processes::{Guard, GuardSettings, RunFolder, ShellIo, runs_in};

const RECORD: &str = "sandbox.json";
/// A sandbox that was asked to end is killed after this.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(5);

/// What a sandbox that stays is asked to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SandboxWish {
    pub name: String,
    pub nodes: u32,
    pub apiserver: Option<PathBuf>,
    /// Where else its kubeconfig is written.
    pub kubeconfig: Option<PathBuf>,
}

/// A sandbox that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSandbox {
    pub name: String,
    /// Of the process that serves it.
    pub process: i32,
    pub nodes: u32,
    /// Seconds since 1970.
    pub started: u64,
    /// The copy of the kubeconfig that was asked for.
    pub copy: Option<PathBuf>,
    /// `None` while it comes up.
    pub up: Option<Running>,
}

/// What a sandbox is once it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub kubernetes: String,
    pub etcd: String,
    pub server: String,
    pub endpoint: String,
    pub etcd_process: i32,
    pub kubeconfig: PathBuf,
    /// The folder with an etcdctl that has endpoint and certificates.
    pub bin: PathBuf,
    pub node: String,
    pub pki: PathBuf,
    pub data: PathBuf,
    pub etcd_log: PathBuf,
}

/// Where the private folders of kept sandboxes lie.
fn place() -> PathBuf {
    kept::folder("")
}

fn read(run: &RunFolder) -> Option<KeptSandbox> {
    serde_json::from_slice(&std::fs::read(run.dir.join(RECORD)).ok()?).ok()
}

impl KeptSandbox {
    /// Those that go on, in the order of their names.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = runs_in(&place()).iter().filter_map(read).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    pub fn find(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|kept| kept.name == name)
    }

    /// The one of this name, or what there is in its place.
    pub fn get(name: &str) -> Result<Self, ClusterError> {
        Self::find(name).ok_or_else(|| {
            let error = ClusterError::new(format!("there is no sandbox {name}"));
            let names: Vec<String> = Self::all().into_iter().map(|kept| kept.name).collect();
            error.hint(if names.is_empty() {
                format!("`keywitness cluster up --on sandbox {name}` makes it")
            } else {
                format!("there is {}", names.join(", "))
            })
        })
    }

    /// Clears away what is left of sandboxes that were killed together with their watchdogs.
    pub async fn clear_away() {
        let place = place();
        if place.is_dir()
            && let Ok(guard) = Guard::start(GuardSettings { parents: vec![place], ..GuardSettings::default() })
        {
            guard.end().await;
        }
    }

    pub fn age(&self) -> Duration {
        now().saturating_sub(Duration::from_secs(self.started))
    }

    pub fn running(&self) -> Result<&Running, ClusterError> {
        self.up.as_ref().ok_or_else(|| {
            ClusterError::new(format!("the sandbox {} is still coming up", self.name)).hint("try again in a second")
        })
    }

    pub fn access(running: &Running) -> EtcdAccess {
        admin_access(&running.endpoint, &running.pki)
    }

    /// Asks the process to end, and waits until it has.
    pub async fn end(&self) -> Result<(), ClusterError> {
        let pid = Pid::from_raw(self.process);
        let goes_on = || runs_in(&place()).iter().any(|run| run.process == self.process);
        for (signal, patience) in [(Signal::SIGTERM, PATIENCE), (Signal::SIGKILL, PATIENCE)] {
            // It may have ended since.
            let _ = kill(pid, signal);
            let asked = Instant::now();
            while asked.elapsed() < patience {
                if !goes_on() {
                    Self::clear_away().await;
                    return Ok(());
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Err(ClusterError::new(format!("the sandbox {} does not end: its process is {}", self.name, self.process)))
    }
}

/// The serving side: a sandbox with all that must be gone when it ends.
pub struct StandingSandbox {
    record: KeptSandbox,
    guard: Guard,
    cluster: Box<dyn Cluster>,
}

impl StandingSandbox {
    pub async fn start(wish: SandboxWish, stages: &dyn StageSink) -> Result<Self, ClusterError> {
        let place = place();
        private_folder(&place)?;
        let settings = GuardSettings { parents: vec![place.clone()], ..GuardSettings::with_watchdog() };
        let guard = Guard::start(settings).map_err(|error| ClusterError::new(error.to_string()))?;
        let made = Self::start_with(&wish, guard.clone(), &place, stages).await;
        if made.is_err() {
            guard.end().await;
        }
        made
    }

    async fn start_with(
        wish: &SandboxWish,
        guard: Guard,
        place: &Path,
        stages: &dyn StageSink,
    ) -> Result<Self, ClusterError> {
        let mut record = KeptSandbox {
            name: wish.name.clone(),
            process: i32::try_from(std::process::id()).unwrap_or_default(),
            nodes: wish.nodes,
            started: now().as_secs(),
            copy: None,
            up: None,
        };
        claim(&record, &guard, place)?;
        let request = ClusterRequest {
            lab: wish.name.clone(),
            run_id: guard.run_id().to_owned(),
            spec: ClusterSpec { nodes: Some(wish.nodes), kubernetes: None },
            members: Vec::new(),
            private_dir: guard.dir().to_owned(),
            keep: false,
            interrupt: tokio_util::sync::CancellationToken::new(),
        };
        let provider = SandboxProvider { guard: guard.clone(), apiserver: wish.apiserver.clone() };
        let (cluster, mut running) = provider.start(&request, stages).await?;
        running.bin = guard.folder("bin").map_err(|error| ClusterError::new(error.to_string()))?;
        if let Some(copy) = &wish.kubeconfig {
            kept::copy_kubeconfig(&running.kubeconfig, copy)?;
            record.copy = Some(copy.clone());
            // Also when the process is killed.
            let owned = owned_processes::Owned::Folder(copy.clone());
            guard.record(owned).map_err(|error| ClusterError::new(error.to_string()))?;
        }
        record.up = Some(running);
        Ok(Self { record, guard, cluster: Box::new(cluster) })
    }

    pub fn running(&self) -> Result<&Running, ClusterError> {
        self.record.running()
    }

    /// From now on others find it ready.
    pub fn announce(&self) -> Result<&KeptSandbox, ClusterError> {
        save(&self.record, &self.guard)?;
        Ok(&self.record)
    }

    /// Whether its record is still there: without it nobody could find and end it.
    pub fn is_recorded(&self) -> bool {
        self.guard.dir().join(RECORD).is_file()
    }

    pub async fn end(self) -> Result<(), ClusterError> {
        let down = self.cluster.down().await;
        self.guard.end().await;
        down
    }
}

/// Takes the name, unless a cluster has it.
fn claim(record: &KeptSandbox, guard: &Guard, place: &Path) -> Result<(), ClusterError> {
    let name = &record.name;
    let failed = |error: std::io::Error| ClusterError::new(format!("{}: {error}", place.display()));
    let lock = File::options().create(true).append(true).open(place.join(".lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if let Some(known) = KeptSandbox::find(name) {
        return Err(ClusterError::new(format!(
            "there is a sandbox {name} already, served by process {}",
            known.process
        ))
        .hint(format!("`keywitness cluster status {name}` shows it, `keywitness cluster down {name}` removes it")));
    }
    if kept::folder(name).is_dir() {
        return Err(ClusterError::new(format!("there is a kind cluster {name} already"))
            .hint(format!("choose another name, or remove it: `keywitness cluster down {name}`")));
    }
    save(record, guard)
}

/// Whole, or not at all: others read it at any time.
fn save(record: &KeptSandbox, guard: &Guard) -> Result<(), ClusterError> {
    let text = serde_json::to_vec_pretty(record).map_err(|error| ClusterError::new(error.to_string()))?;
    let (new, path) = (guard.dir().join("sandbox.json.new"), guard.dir().join(RECORD));
    write_private(&new, &text)?;
    std::fs::rename(&new, &path).map_err(|error| ClusterError::new(format!("{}: {error}", path.display())))
}

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Uses a sandbox that stays, and leaves it running.
pub struct ReuseSandbox {
    pub guard: Guard,
    pub name: String,
}

#[async_trait]
impl Provider for ReuseSandbox {
    async fn up(&self, _: &ClusterRequest, stages: &dyn StageSink) -> Result<Box<dyn Cluster>, ClusterError> {
        let began = Instant::now();
        let kept = KeptSandbox::get(&self.name)?;
        let running = kept.running()?.clone();
        if let EtcdAccess::Direct { tls, .. } = KeptSandbox::access(&running) {
            probe(&running.endpoint, tls.as_ref(), ANSWER).await.map_err(|why| {
                ClusterError::new(format!("the etcd of the sandbox {} does not answer: {why}", self.name))
                    .hint(format!("recreate it: `keywitness cluster down {}`, then `up`", self.name))
            })?;
        }
        stages.passed("etcd and the API answer", Some(&running.endpoint), began.elapsed());
        let info = running.info(&self.name, true);
        Ok(Box::new(ReusedSandbox { info, running, guard: self.guard.clone() }))
    }
}

impl Running {
    pub(super) fn info(&self, name: &str, shared: bool) -> ClusterInfo {
        ClusterInfo {
            kind: ClusterKind::Sandbox,
            name: name.to_owned(),
            kubernetes: Some(self.kubernetes.clone()),
            etcd: Some(self.etcd.clone()),
            node: Some(self.node.clone()),
            etcd_pod: Some(format!("etcd-{}", self.node)),
            // The node is this machine, so that its paths are the host's.
            node_pki: Some(self.pki.join("etcd")),
            node_data: Some(self.data.clone()),
            pki: Some(self.pki.join("etcd")),
            data: Some(self.data.clone()),
            engine: String::new(),
            runs_pods: false,
            shared,
            etcd_route: format!("a process on this machine, at {}", self.endpoint),
            prefix: "/registry".into(),
            etcd_log: Some(self.etcd_log.clone()),
        }
    }
}

struct ReusedSandbox {
    info: ClusterInfo,
    running: Running,
    guard: Guard,
}

#[async_trait]
impl Cluster for ReusedSandbox {
    fn info(&self) -> &ClusterInfo {
        &self.info
    }

    fn kubeconfig(&self) -> Option<&Path> {
        Some(&self.running.kubeconfig)
    }

    fn etcd(&self) -> EtcdAccess {
        KeptSandbox::access(&self.running)
    }

    async fn node_shell(&self, rows: u16, columns: u16) -> Result<ShellIo, ClusterError> {
        open_node_shell(&self.guard, &self.running.kubeconfig, rows, columns)
    }

    async fn down(self: Box<Self>) -> Result<(), ClusterError> {
        Ok(())
    }
}
