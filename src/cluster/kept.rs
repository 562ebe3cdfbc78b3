//! Clusters that outlive the call that made them: what is remembered of each, in this user's state folder.

use std::path::PathBuf;

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
    pub(crate) fn save(&self, kubeconfig_of_run: &std::path::Path) -> Result<(), ClusterError> {
        let folder = folder(&self.name);
        private_folder(&folder)?;
        let read = std::fs::read(kubeconfig_of_run);
        let kubeconfig_text =
            read.map_err(|error| ClusterError::new(format!("{}: {error}", kubeconfig_of_run.display())))?;
        write_private(&kubeconfig(&self.name), &kubeconfig_text)?;
        let record = serde_json::to_vec_pretty(self).map_err(|error| ClusterError::new(error.to_string()))?;
        // Last: a record is only there when all of it is.
        write_private(&folder.join("cluster.json"), &record)
    }

    pub(crate) fn forget(name: &str) -> Result<(), ClusterError> {
        let folder = folder(name);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(ClusterError::new(format!("cannot remove {}: {error}", folder.display())))
            }
            _ => Ok(()),
        }
    }
}
