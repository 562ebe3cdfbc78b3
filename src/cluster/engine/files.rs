//! Files out of a container by the archive API, which needs no command in the container.

use std::io::Read;
use std::path::{Path, PathBuf};

use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures::StreamExt;

use super::Engine;
use crate::cluster::ClusterError;

impl Engine {
    /// One file's bytes.
    pub(crate) async fn read_file(&self, container: &str, path: &Path) -> Result<Vec<u8>, ClusterError> {
        // A link is given as a link, and may lead to another one.
        let mut at = path.to_owned();
        for _ in 0..8 {
            match self.archived(container, &at).await? {
                Archived::File(bytes) => return Ok(bytes),
                Archived::Link(target) => at = at.parent().unwrap_or(Path::new("/")).join(target),
            }
        }
        Err(ClusterError::new(format!("{} in {container} is a link that leads nowhere", path.display())))
    }

    async fn archived(&self, container: &str, path: &Path) -> Result<Archived, ClusterError> {
        let doing = || format!("copy {} out of {container}", path.display());
        let options = DownloadFromContainerOptionsBuilder::new().path(&path.to_string_lossy()).build();
        let mut stream = Box::pin(self.docker.download_from_container(container, Some(options)));
        let mut archive = Vec::new();
        while let Some(chunk) = stream.next().await {
            archive.extend_from_slice(&chunk.map_err(|error| self.failed(&doing(), &error))?);
        }
        let unreadable =
            |error: std::io::Error| ClusterError::new(format!("the archive of {} is broken: {error}", doing()));
        let mut archive = tar::Archive::new(archive.as_slice());
        for entry in archive.entries().map_err(unreadable)? {
            let mut entry = entry.map_err(unreadable)?;
            match entry.header().entry_type() {
                tar::EntryType::Regular => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes).map_err(unreadable)?;
                    return Ok(Archived::File(bytes));
                }
                tar::EntryType::Symlink => {
                    if let Some(target) = entry.link_name().map_err(unreadable)? {
                        return Ok(Archived::Link(target.into_owned()));
                    }
                }
                _ => {}
            }
        }
        Err(ClusterError::new(format!("{} in {container} is not a file", path.display())))
    }
}

enum Archived {
    File(Vec<u8>),
    Link(PathBuf),
}
