//! Clusters that outlive the call that made them: what is remembered of each, in this user's state folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ClusterError;
use super::reach::{private_folder, write_private};

/// What is remembered of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) name: String,
    /// The engine's command with its words, as the ledger has it.
    pub(crate) engine: String,
    pub(crate) host: String,
    /// `cluster up`, or the lab of a run with `--keep`.
    pub(crate) by: String,
    /// The copy of the kubeconfig that was asked for.
    #[serde(default)]
    pub(crate) copy: Option<PathBuf>,
}

/// `clusters/NAME` in the state folder.
pub(crate) fn folder(name: &str) -> PathBuf {
    owned_processes::state_folder().join("clusters").join(name)
}

/// Something is remembered of a cluster of this name; `..` and a path are no names.
pub(crate) fn is_remembered(name: &str) -> bool {
    let mut parts = std::path::Path::new(name).components();
    let is_one_name =
        matches!((parts.next(), parts.next()), (Some(std::path::Component::Normal(part)), None) if part == name);
    is_one_name && folder(name).is_dir()
}

pub(crate) fn kubeconfig(name: &str) -> PathBuf {
    folder(name).join("kubeconfig")
}

impl Kept {
    pub(crate) fn of(name: &str) -> Option<Self> {
        let text = std::fs::read_to_string(folder(name).join("cluster.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Remembers the cluster, with a copy of its kubeconfig.
    pub(crate) fn save(&self, kubeconfig_of_run: &Path) -> Result<(), ClusterError> {
        let folder = folder(&self.name);
        private_folder(&folder)?;
        let read = std::fs::read(kubeconfig_of_run);
        let kubeconfig_text =
            read.map_err(|error| ClusterError::new(format!("{}: {error}", kubeconfig_of_run.display())))?;
        write_private(&kubeconfig(&self.name), &kubeconfig_text)?;
        if let Some(copy) = &self.copy {
            copy_kubeconfig(kubeconfig_of_run, copy)?;
        }
        let record = serde_json::to_vec_pretty(self).map_err(|error| ClusterError::new(error.to_string()))?;
        // Last: a record is only there when all of it is.
        write_private(&folder.join("cluster.json"), &record)
    }

    pub(crate) fn forget(name: &str) -> Result<(), ClusterError> {
        let folder = folder(name);
        let gone = |path: &Path, removed: std::io::Result<()>| match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(ClusterError::new(format!("cannot remove {}: {error}", path.display())))
            }
            _ => Ok(()),
        };
        if let Some(copy) = Self::of(name).and_then(|kept| kept.copy) {
            gone(&copy, std::fs::remove_file(&copy))?;
        }
        gone(&folder, std::fs::remove_dir_all(&folder))
    }
}

/// Never over a file that is there: it may be somebody's own kubeconfig.
pub(crate) fn copy_kubeconfig(from: &Path, to: &Path) -> Result<(), ClusterError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let text = std::fs::read(from).map_err(|error| not_written(to, &error))?;
    let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    new.and_then(|mut file| file.write_all(&text)).map_err(|error| not_written(to, &error))
}

/// Says before a cluster is made that its kubeconfig could not be written there.
pub(crate) fn check_copy(to: &Path) -> Result<(), ClusterError> {
    if to.symlink_metadata().is_ok() {
        return Err(not_written(to, &nix::errno::Errno::EEXIST.into()));
    }
    let folder = to.parent().unwrap_or(to);
    folder.read_dir().map(drop).map_err(|error| not_written(to, &error))
}

fn not_written(to: &Path, error: &std::io::Error) -> ClusterError {
    let failure = ClusterError::new(format!("cannot write the kubeconfig {}: {error}", to.display()));
    if error.kind() == std::io::ErrorKind::AlreadyExists {
        return failure.hint("keywitness changes no existing kubeconfig: name a new file");
    }
    failure
}
