//! Where Docker or Podman is, as their users have them: nothing here opens a connection.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cluster::ClusterError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    Docker,
    Podman,
}

impl Flavor {
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// What of this machine decides where an engine is looked for; a value of its own so that tests can lay one out.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) home: PathBuf,
    pub(crate) uid: u32,
}

impl Surroundings {
    pub(crate) fn of_this_process() -> Self {
        Self {
            variables: std::env::vars().collect(),
            home: std::env::home_dir().unwrap_or_else(|| PathBuf::from("/")),
            uid: nix::unistd::getuid().as_raw(),
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

/// One place where an engine may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) flavor: Flavor,
    /// `unix:///path` or `tcp://127.0.0.1:port`.
    pub(crate) host: String,
    /// How it was found, for a person.
    pub(crate) why: String,
    /// The user named it: when it does not answer, no other is taken in its place.
    pub(crate) named: bool,
}

/// The places to try, in order. A place that the user named stands alone.
pub(crate) fn candidates(wanted: Option<Flavor>, around: &Surroundings) -> Result<Vec<Candidate>, ClusterError> {
    let wanted = wanted.or_else(|| match around.variable("KIND_EXPERIMENTAL_PROVIDER") {
        Some("podman") => Some(Flavor::Podman),
        Some("docker") => Some(Flavor::Docker),
        _ => None,
    });
    let mut found = Vec::new();
    if wanted != Some(Flavor::Podman)
        && let Some(named) = named_docker(around)?
    {
        return Ok(vec![named]);
    }
    if wanted != Some(Flavor::Docker)
        && let Some(host) = around.variable("CONTAINER_HOST")
    {
        return Ok(vec![named(Flavor::Podman, host, "CONTAINER_HOST".to_owned())?]);
    }
    if wanted != Some(Flavor::Podman) {
        found.extend(usual(Flavor::Docker, docker_sockets(around)));
    }
    if wanted != Some(Flavor::Docker) {
        found.extend(usual(Flavor::Podman, podman_sockets(around)));
    }
    Ok(found)
}

fn usual(flavor: Flavor, sockets: Vec<(PathBuf, &'static str)>) -> impl Iterator<Item = Candidate> {
    sockets.into_iter().map(move |(path, why)| Candidate {
        flavor,
        host: format!("unix://{}", path.display()),
        why: why.to_owned(),
        named: false,
    })
}

fn named(flavor: Flavor, host: &str, why: String) -> Result<Candidate, ClusterError> {
    let local = host.starts_with("unix://")
        || ["tcp://127.", "tcp://localhost:", "tcp://[::1]:"].iter().any(|start| host.starts_with(start));
    if !local {
        return Err(ClusterError::new(format!("{host} ({why}): the engine has to run on this machine")).hint(
            "a node's ports are published on the machine that runs the engine, and etcd is reached through one; \
             unset the variable or choose a local context to use the engine here",
        ));
    }
    Ok(Candidate { flavor, host: host.to_owned(), why, named: true })
}

/// In the docker command's own order: `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context.
fn named_docker(around: &Surroundings) -> Result<Option<Candidate>, ClusterError> {
    if let Some(host) = around.variable("DOCKER_HOST") {
        return named(Flavor::Docker, host, "DOCKER_HOST".to_owned()).map(Some);
    }
    let folder = around.variable("DOCKER_CONFIG").map_or_else(|| around.home.join(".docker"), PathBuf::from);
    let (context, source) = if let Some(context) = around.variable("DOCKER_CONTEXT") {
        (context.to_owned(), "DOCKER_CONTEXT".to_owned())
    } else {
        let file = folder.join("config.json");
        match current_context(&file)? {
            Some(context) => (context, format!("the current one of {}", file.display())),
            None => return Ok(None),
        }
    };
    if context == "default" {
        return Ok(None);
    }
    let host = context_host(&folder, &context).ok_or_else(|| {
        ClusterError::new(format!("docker context {context} ({source}) has no endpoint under {}", folder.display()))
            .hint("`docker context ls` shows what there is, `docker context use NAME` changes it")
    })?;
    named(Flavor::Docker, &host, format!("docker context {context}, {source}")).map(Some)
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(rename = "currentContext", default)]
    current_context: Option<String>,
}

fn current_context(file: &Path) -> Result<Option<String>, ClusterError> {
    let Ok(text) = std::fs::read_to_string(file) else { return Ok(None) };
    let config: DockerConfig = serde_json::from_str(&text)
        .map_err(|error| ClusterError::new(format!("{} cannot be read: {error}", file.display())))?;
    Ok(config.current_context.filter(|context| !context.is_empty()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextMeta {
    name: String,
    endpoints: std::collections::BTreeMap<String, ContextEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEndpoint {
    #[serde(default)]
    host: String,
}

/// The folders are named by a digest of the context's name; reading their files saves us from computing it.
fn context_host(folder: &Path, context: &str) -> Option<String> {
    std::fs::read_dir(folder.join("contexts/meta")).ok()?.flatten().find_map(|entry| {
        let text = std::fs::read_to_string(entry.path().join("meta.json")).ok()?;
        let meta: ContextMeta = serde_json::from_str(&text).ok()?;
        let endpoint = meta.endpoints.get("docker")?;
        (meta.name == context && !endpoint.host.is_empty()).then(|| endpoint.host.clone())
    })
}

fn docker_sockets(around: &Surroundings) -> Vec<(PathBuf, &'static str)> {
    let mut sockets = vec![(PathBuf::from("/var/run/docker.sock"), "Docker's usual socket")];
    if let Some(runtime) = around.variable("XDG_RUNTIME_DIR") {
        sockets.push((Path::new(runtime).join("docker.sock"), "rootless Docker's socket"));
    }
    sockets.extend([
        (around.home.join(".docker/run/docker.sock"), "Docker Desktop's socket"),
        (around.home.join(".docker/desktop/docker.sock"), "Docker Desktop's socket"),
        (around.home.join(".orbstack/run/docker.sock"), "OrbStack's socket"),
        (around.home.join(".colima/default/docker.sock"), "colima's socket"),
        (around.home.join(".rd/docker.sock"), "Rancher Desktop's socket"),
    ]);
    sockets
}

fn podman_sockets(around: &Surroundings) -> Vec<(PathBuf, &'static str)> {
    let mut sockets = Vec::new();
    if let Some(runtime) = around.variable("XDG_RUNTIME_DIR") {
        sockets.push((Path::new(runtime).join("podman/podman.sock"), "this user's Podman socket"));
    }
    let of_user = PathBuf::from(format!("/run/user/{}/podman/podman.sock", around.uid));
    if sockets.iter().all(|(path, _)| *path != of_user) {
        sockets.push((of_user, "this user's Podman socket"));
    }
    sockets.push((PathBuf::from("/run/podman/podman.sock"), "Podman's system socket"));
    sockets.push((
        around.home.join(".local/share/containers/podman/machine/podman.sock"),
        "the socket of podman's machine",
    ));
    if let Some(temp) = around.variable("TMPDIR") {
        let socket = Path::new(temp).join("podman/podman-machine-default-api.sock");
        sockets.push((socket, "the socket of podman's machine"));
    }
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(home: &Path, variables: &[(&str, &str)]) -> Surroundings {
        Surroundings {
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            home: home.to_owned(),
            uid: 1000,
        }
    }

    fn home_with_context() -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a folder");
        let meta =
            home.path().join(".docker/contexts/meta/f24fd3749c1368328e2b149bec149cb6795619f244c5b584e844961215dadd16");
        std::fs::create_dir_all(&meta).expect("made");
        std::fs::write(home.path().join(".docker/config.json"), r#"{"auths":{},"currentContext":"colima"}"#)
            .expect("written");
        std::fs::write(
            meta.join("meta.json"),
            r#"{"Name":"colima","Metadata":{},"Endpoints":{"docker":{"Host":"unix:///home/me/.colima/default/docker.sock","SkipTLSVerify":false}}}"#,
        )
        .expect("written");
        home
    }

    #[test]
    fn what_the_user_named_stands_alone() {
        let home = home_with_context();
        let found = |variables: &[(&str, &str)], wanted| {
            let found = candidates(wanted, &around(home.path(), variables)).expect("no error");
            assert_eq!(found.len(), 1, "{found:?}");
            (found[0].flavor, found[0].host.clone(), found[0].why.clone())
        };
        let host = ("DOCKER_HOST", "unix:///tmp/d.sock");
        let container = ("CONTAINER_HOST", "unix:///tmp/p.sock");
        let context = "unix:///home/me/.colima/default/docker.sock";
        assert_eq!(found(&[host, container], None).1, "unix:///tmp/d.sock");
        let (flavor, at, why) = found(&[container], None);
        assert_eq!((flavor, at.as_str()), (Flavor::Docker, context));
        assert!(why.starts_with("docker context colima"), "{why}");
        assert_eq!(found(&[host, container], Some(Flavor::Podman)).1, "unix:///tmp/p.sock");
        assert_eq!(found(&[container, ("KIND_EXPERIMENTAL_PROVIDER", "podman")], None).0, Flavor::Podman);
        assert_eq!(found(&[("DOCKER_CONTEXT", "colima")], None).1, context);
    }

    #[test]
    fn without_a_name_the_usual_places_are_tried() {
        let home = tempfile::tempdir().expect("a folder");
        let found = candidates(None, &around(home.path(), &[("XDG_RUNTIME_DIR", "/run/user/1000")])).expect("no error");
        assert_eq!(found[0].host, "unix:///var/run/docker.sock");
        assert_eq!(found[1].host, "unix:///run/user/1000/docker.sock");
        let podman: Vec<_> = found.iter().filter(|one| one.flavor == Flavor::Podman).map(|one| &one.host).collect();
        assert_eq!(podman[..2], ["unix:///run/user/1000/podman/podman.sock", "unix:///run/podman/podman.sock"]);
        assert!(found.iter().all(|one| !one.named));
        let only = candidates(Some(Flavor::Podman), &around(home.path(), &[])).expect("no error");
        assert!(only.iter().all(|one| one.flavor == Flavor::Podman));
    }

    #[test]
    fn what_cannot_work_says_so() {
        let home = home_with_context();
        let error = |variables: &[(&str, &str)]| {
            candidates(None, &around(home.path(), variables)).expect_err("an error").message
        };
        assert!(error(&[("DOCKER_HOST", "ssh://me@build")]).contains("on this machine"));
        assert!(error(&[("DOCKER_HOST", "tcp://10.0.0.7:2376")]).contains("on this machine"));
        assert!(error(&[("DOCKER_CONTEXT", "gone")]).contains("docker context gone"));
        std::fs::write(home.path().join(".docker/config.json"), "{").expect("written");
        assert!(error(&[]).contains("config.json cannot be read"));
    }
}
