use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::{debug, warn};

use super::ledger::{self, Ledger, Owned};
use super::process::Process;
use super::watchdog::Watchdog;
use super::{LABEL, MARKER, ending, folder, table};

/// Hexadecimal digits of a run's id: short, since socket paths and container names have limits.
pub(super) const ID_LENGTH: usize = 8;

/// A shell that is closed in the middle of a run has nothing to save.
const SESSION_GRACE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
/// How a guard works.
pub struct GuardSettings {
    /// The binary that knows the watchdog's subcommand; without one, `kill -9` is left to the next start.
    pub watchdog: Option<PathBuf>,
    /// How long processes may take to end when asked, before they are killed.
    pub grace: Duration,
    /// Where the private folder may lie, best first.
    pub parents: Vec<PathBuf>,
}

impl Default for GuardSettings {
    /// Without a watchdog.
    fn default() -> Self {
        Self { watchdog: None, grace: Duration::from_secs(3), parents: folder::parents() }
    }
}

impl GuardSettings {
    /// For a program that calls [`watchdog_main`](crate::watchdog_main) under [`WATCHDOG`](crate::WATCHDOG).
    pub fn with_watchdog() -> Self {
        Self { watchdog: std::env::current_exe().ok(), ..Self::default() }
    }
}

/// Owns all that a run starts and leaves behind; clones are the same guard.
#[derive(Debug, Clone)]
pub struct Guard {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    run_id: String,
    dir: PathBuf,
    ledger: Ledger,
    grace: Duration,
    /// `None` once all is ended.
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    watchdog: Option<Watchdog>,
}

impl Guard {
    /// Clears away what killed runs left, and begins a run.
    pub fn start(settings: GuardSettings) -> io::Result<Self> {
        for (dir, run_id) in folder::stale(&settings.parents) {
            let entries = std::fs::File::open(dir.join(folder::LEDGER)).map_or_else(|_| Vec::new(), ledger::read);
            // What will not go today is tried again at the next start.
            let left = ending::end(&run_id, &dir, &entries, Duration::ZERO);
            warn!(run = run_id, ?left, "cleared away what a killed run left");
        }
        let mut run_id = uuid::Uuid::new_v4().simple().to_string();
        run_id.truncate(ID_LENGTH);
        let (dir, ledger) = folder::create(&settings.parents, &run_id)?;
        let watchdog = match &settings.watchdog {
            Some(binary) => match Watchdog::start(binary, &run_id, &dir) {
                Ok(watchdog) => Some(watchdog),
                Err(error) => {
                    drop(folder::remove(&dir));
                    return Err(error);
                }
            },
            None => None,
        };
        let GuardSettings { grace, .. } = settings;
        debug!(run = run_id, dir = %dir.display(), watchdog = watchdog.is_some(), "run begun");
        let state = Mutex::new(Some(State { watchdog }));
        Ok(Self { inner: Arc::new(Inner { run_id, dir, ledger, grace, state }) })
    }

    /// Short and unique: part of every name and label of this run.
    pub fn run_id(&self) -> &str {
        &self.inner.run_id
    }

    /// The label that everything of this run in a container engine carries.
    pub fn label(&self) -> String {
        format!("{LABEL}={}", self.inner.run_id)
    }

    /// The variable that everything this run starts carries in its environment.
    pub fn marker(&self) -> (&'static str, &str) {
        (MARKER, &self.inner.run_id)
    }

    /// The run's private folder, mode 0700.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Makes a private folder inside the run's own.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let dir = self.inner.dir.join(name);
        folder::private(&dir)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot make {}: {error}", dir.display())))?;
        Ok(dir)
    }

    /// From now on this ends with the run.
    pub fn record(&self, what: Owned) -> io::Result<()> {
        self.inner.ledger.own(what)
    }

    /// It is gone already, or may stay (`--keep`).
    pub fn release(&self, what: Owned) -> io::Result<()> {
        self.inner.ledger.release(what)
    }

    /// Starts a child in a group of its own. Between its fork and its entry in the ledger the marker in
    /// its environment already makes it this run's.
    pub fn spawn(&self, command: &mut tokio::process::Command) -> io::Result<Process> {
        let (name, value) = self.marker();
        let child = command.env(name, value).process_group(0).spawn().map_err(|error| {
            let program = command.as_std().get_program().to_string_lossy().into_owned();
            io::Error::new(error.kind(), format!("cannot start {program}: {error}"))
        })?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).expect("a child that nobody has waited for");
        let process = Process::new(child, group, self.clone());
        // Arguments may hold what is secret.
        debug!(group, program = %command.as_std().get_program().display(), "process started");
        self.record(Owned::Group(group))?;
        Ok(process)
    }

    /// The processes of this run, shells and what they run aside, whose program is called so; none where that cannot be
    /// told.
    pub fn processes(&self, program: &str) -> Vec<i32> {
        let (name, value) = self.marker();
        let marker = format!("{name}={value}");
        let own = nix::unistd::getsid(None).map_or(-1, nix::unistd::Pid::as_raw);
        let runs = |pid: i32| {
            let exe = std::fs::read_link(format!("/proc/{pid}/exe"));
            exe.is_ok_and(|exe| exe.file_name().is_some_and(|name| name == program))
        };
        let rows = table::processes().into_iter().filter(|row| row.session == own);
        rows.map(|row| row.pid).filter(|pid| runs(*pid) && table::carries(*pid, &marker)).collect()
    }

    /// What runs of this run's outside of our own session, these shells aside: jobs that were left running. None where
    /// that cannot be told.
    pub fn left_running(&self, shells: &[i32]) -> Vec<i32> {
        let (name, value) = self.marker();
        let marker = format!("{name}={value}");
        let own = nix::unistd::getsid(None).map_or(-1, nix::unistd::Pid::as_raw);
        let rows = table::processes().into_iter().filter(|row| row.session != own && !shells.contains(&row.pid));
        rows.map(|row| row.pid).filter(|pid| table::carries(*pid, &marker)).collect()
    }

    /// Ends a shell on a PTY with all its jobs, long before the run's end.
    pub async fn end_session(&self, leader: i32) {
        let session = Owned::Session(leader);
        let what = session.clone();
        // A shell that will not go now is tried again at the run's end.
        let is_gone = tokio::task::spawn_blocking(move || ending::end_one(what, SESSION_GRACE)).await;
        if is_gone.unwrap_or(false) {
            debug!(session = leader, "session ended");
            drop(self.release(session));
        } else {
            warn!(session = leader, "session does not end; it is tried again at the run's end");
        }
    }

    /// Ends all that the run owns, and returns what would not go, for a person to read.
    pub async fn end(&self) -> Vec<String> {
        let (inner, span) = (Arc::clone(&self.inner), tracing::Span::current());
        tokio::task::spawn_blocking(move || span.in_scope(|| inner.end()))
            .await
            .unwrap_or_else(|error| vec![format!("the clean-up broke off: {error}")])
    }
}

impl Inner {
    fn end(&self) -> Vec<String> {
        let Some(state) = self.state.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Vec::new();
        };
        let entries = std::fs::File::open(self.dir.join(folder::LEDGER)).map_or_else(|_| Vec::new(), ledger::read);
        let left = ending::end(&self.run_id, &self.dir, &entries, self.grace);
        if let Some(mut watchdog) = state.watchdog {
            watchdog.dismiss();
        }
        if left.is_empty() {
            debug!(run = self.run_id, owned = entries.len(), "run ended: all that it owned is gone");
        } else {
            warn!(run = self.run_id, ?left, "run ended, and something of it stays");
        }
        left
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}
