use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::cast::Casts;
use owned_processes::{Guard, ShellIo};

/// What all terminals of a lab have in common.
#[derive(Clone)]
pub struct TerminalSettings {
    pub guard: Guard,
    /// A private folder for the terminals' own files.
    pub private_dir: PathBuf,
    /// Where each shell starts.
    pub cwd: PathBuf,
    /// Variables of every shell, over the runner's own environment: the lab's, `LAB_*`, `KUBECONFIG`.
    pub env: Vec<(String, String)>,
    /// Folders before all others on PATH.
    pub path_prefix: Vec<PathBuf>,
    pub rows: u16,
    pub columns: u16,
    /// Ends whatever runs, at once.
    pub cancel: CancellationToken,
    pub node: Option<NodeSettings>,
    /// Where what the terminals show is recorded.
    pub casts: Option<Casts>,
}

/// Shells on the control-plane node.
#[derive(Clone)]
pub struct NodeSettings {
    pub shells: Arc<dyn NodeShells>,
    /// Variables as they are on the node.
    pub env: Vec<(String, String)>,
    /// Folders of the node before all others on its PATH.
    pub path_prefix: Vec<String>,
}

/// Opens a shell on the node: an interactive POSIX shell, best bash, on a PTY there.
#[async_trait::async_trait]
pub trait NodeShells: Send + Sync {
    /// The error says why there is none, for a person.
    async fn open(&self, rows: u16, columns: u16) -> Result<ShellIo, String>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    Host,
    Node,
}

/// Terminals are known by name, separately on the host and on the node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminalId {
    pub place: Place,
    pub name: String,
}

impl TerminalId {
    pub fn host(name: impl Into<String>) -> Self {
        Self { place: Place::Host, name: name.into() }
    }

    pub fn node(name: impl Into<String>) -> Self {
        Self { place: Place::Node, name: name.into() }
    }
}

impl std::fmt::Display for TerminalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.place {
            Place::Host => write!(f, "terminal {}", self.name),
            Place::Node => write!(f, "terminal {} on the node", self.name),
        }
    }
}

/// Why a terminal could not even try: always "cannot judge".
#[derive(Debug, Clone, thiserror::Error)]
pub enum TerminalError {
    #[error("{terminal}: no shell could be started: {reason}")]
    NoShell { terminal: TerminalId, reason: String },
    #[error("{terminal} is taken by the background block `{name}`, which still runs there")]
    Busy { terminal: TerminalId, name: String },
    #[error("no background block `{0}` was started")]
    NoBackground(String),
    #[error("the background block `{0}` still runs")]
    StillRuns(String),
}
