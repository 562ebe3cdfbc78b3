//! Which node image: the user's, the one for the Kubernetes version that the lab asks for, or kind's own.

use super::command::KindCommand;
use super::config::minor_of;
use crate::cluster::ClusterError;
use crate::cluster::engine::Engine;

const REPOSITORY: &str = "kindest/node";

/// The newest published image of each Kubernetes version, from kind's release notes. An image that is here already
/// is taken before any of these.
const PUBLISHED: &[&str] = &[
    "v1.25.16", "v1.26.15", "v1.27.16", "v1.28.15", "v1.29.14", "v1.30.13", "v1.31.12", "v1.32.8", "v1.33.4",
    "v1.34.0", "v1.35.0", "v1.36.1",
];

pub(super) async fn choose(
    named: Option<&str>,
    kubernetes: Option<&str>,
    engine: &Engine,
    kind: &KindCommand,
) -> Result<Option<String>, ClusterError> {
    if let Some(image) = named {
        return Ok(Some(image.to_owned()));
    }
    let Some(version) = kubernetes else {
        return Ok(kind.default_image().await);
    };
    for_version(version, &engine.tags(REPOSITORY).await?).map(Some)
}

fn for_version(version: &str, here: &[String]) -> Result<String, ClusterError> {
    let version = version.trim_start_matches('v');
    let parts: Vec<Option<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
    match parts[..] {
        [Some(_), Some(_), Some(_)] => Ok(format!("{REPOSITORY}:v{version}")),
        [Some(major), Some(minor)] => here
            .iter()
            .filter(|image| minor_of(Some(image.as_str())) == Some((major, minor)))
            .max_by_key(|image| patch_of(image))
            .cloned()
            .or_else(|| {
                let start = format!("v{major}.{minor}.");
                PUBLISHED.iter().find(|tag| tag.starts_with(&start)).map(|tag| format!("{REPOSITORY}:{tag}"))
            })
            .ok_or_else(|| {
                ClusterError::new(format!("no node image is known for Kubernetes {version}")).hint(
                    "write the whole version, such as \"1.36.1\", or name the image with KEYWITNESS_NODE_IMAGE; \
                     https://github.com/kubernetes-sigs/kind/releases lists what is published",
                )
            }),
        _ => Err(ClusterError::new(format!("`cluster: {{kubernetes: \"{version}\"}}` is not a version"))
            .hint("write it as \"1.36\" or \"1.36.1\"")),
    }
}

fn patch_of(image: &str) -> Option<u32> {
    image.split('@').next()?.rsplit('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_here_is_taken_before_one_that_has_to_come() {
        let here =
            ["kindest/node:v1.33.1", "docker.io/kindest/node:v1.33.10", "kindest/node:v1.34.0"].map(String::from);
        assert_eq!(for_version("1.33", &here).expect("an image"), "docker.io/kindest/node:v1.33.10");
        assert_eq!(for_version("1.32", &here).expect("an image"), "kindest/node:v1.32.8");
        assert_eq!(for_version("v1.33.7", &here).expect("an image"), "kindest/node:v1.33.7");
        assert!(for_version("1.99", &here).expect_err("unknown").message.contains("1.99"));
        assert!(for_version("latest", &here).is_err());
    }
}
