//! A cluster that is brought up for many labs.

use std::path::PathBuf;

use super::kind::Kind;
use super::reuse::{Clusters, Origin};
use super::{Cluster, ClusterError, ClusterInfo, ClusterRequest, KeptSandbox, StageSink, kept};
use crate::text::is_lower_case;

/// `cluster up NAME`: makes the cluster and keeps it, with its kubeconfig in `copy` too; returns what it is and where its
/// kubeconfig lies.
pub async fn bring_up_to_stay(
    kind: &Kind,
    request: &ClusterRequest,
    copy: Option<PathBuf>,
    stages: &dyn StageSink,
) -> Result<(ClusterInfo, PathBuf), ClusterError> {
    let name = &request.lab;
    check_name(name)?;
    if KeptSandbox::find(name).is_some() {
        return Err(ClusterError::new(format!("there is a sandbox {name} already"))
            .hint(format!("choose another name, or remove it: `keywitness cluster down {name}`")));
    }
    if let Ok(found) = Clusters::look(kind.engine).await?.get(name) {
        let error = ClusterError::new(format!("there is a cluster {} already", found.name));
        let uses = format!("`keywitness run --on kind --cluster {name}` uses it");
        return Err(error.hint(match found.origin {
            Origin::Kept(_) | Origin::Left => format!("{uses}, `keywitness cluster down {name}` removes it"),
            Origin::InUse(_) => "a run uses it: choose another name, or wait for that run's end".to_owned(),
            Origin::Foreign => format!("keywitness did not make it: choose another name; {uses} if you agree"),
        }));
    }
    if let Some(copy) = &copy {
        kept::check_copy(copy)?;
    }
    let mut cluster = kind.create(name, request, stages).await?;
    match cluster.keep("cluster up", copy.clone()) {
        Ok(()) => Ok((cluster.info().clone(), copy.unwrap_or_else(|| kept::kubeconfig(name)))),
        Err(error) => {
            // A cluster that cannot be remembered would be lost track of.
            let left = Box::new(cluster).down().await.err();
            Err(error.detail(left.map(|left| left.message)))
        }
    }
}

/// A name must do for a host and for a folder.
pub fn check_name(name: &str) -> Result<(), ClusterError> {
    if is_name(name) {
        return Ok(());
    }
    Err(ClusterError::new(format!("{name:?} cannot name a cluster"))
        .hint("lower-case letters, digits and dashes, beginning with a letter, at most 48 of them"))
}

fn is_name(name: &str) -> bool {
    name.len() <= 48
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && is_lower_case(name, &['-'])
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_must_do_for_a_host() {
        assert!(super::is_name("labs-2"));
        for bad in ["", "Labs", "a_b", "-a", "a-", "9a", &"a".repeat(49)] {
            assert!(!super::is_name(bad), "{bad}");
        }
    }
}
