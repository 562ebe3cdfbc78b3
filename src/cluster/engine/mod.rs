//! The container engine, Docker or Podman, through its API.

mod discover;
mod exec;
mod files;
mod image;
mod network;
mod node;

use std::io::ErrorKind;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{SystemInfoCgroupVersionEnum, SystemVersion};

use super::ClusterError;
use discover::{Candidate, Surroundings, candidates};

pub use discover::Flavor;
pub(crate) use exec::ShellSpec;
pub(crate) use node::{CLUSTER_LABEL, Node};

/// How long an engine may take to say that it is there. Docker Desktop wakes in about two seconds; Podman gathers what
/// it reports itself anew each time, and has taken five on a busy machine.
const HELLO: Duration = Duration::from_secs(15);
/// Long enough for a `docker` call that waits for a busy disk.
const REQUEST_SECONDS: u64 = 120;
/// Docker 20.10 and Podman 4: what is older lacks private cgroup namespaces, which nodes need.
const OLDEST_DOCKER: (u32, u32) = (20, 10);
const OLDEST_PODMAN: (u32, u32) = (4, 0);

/// An engine that answered.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    docker: Docker,
    pub(crate) flavor: Flavor,
    pub(crate) host: String,
    why: String,
    pub(crate) version: String,
    cgroup_v1: bool,
    rootless: bool,
}

impl Engine {
    /// The engine that this user has, or what was tried and why none of it answered.
    pub(crate) async fn find(wanted: Option<Flavor>) -> Result<Self, ClusterError> {
        Self::find_in(wanted, &Surroundings::of_this_process()).await
    }

    async fn find_in(wanted: Option<Flavor>, around: &Surroundings) -> Result<Self, ClusterError> {
        let mut tried = Vec::new();
        let mut hint = None;
        for candidate in candidates(wanted, around)? {
            match Self::connect(&candidate).await {
                Ok(engine) => return Ok(engine),
                Err(refusal) => {
                    // A socket that is not there says nothing; one that is there and does not answer is the trouble.
                    if refusal.worth_telling || candidate.named {
                        hint = hint.or(refusal.hint);
                    }
                    tried.push(format!("{} ({}): {}", candidate.host, candidate.why, refusal.message));
                }
            }
        }
        let name = wanted.map_or("container engine", |flavor| match flavor {
            Flavor::Docker => "Docker",
            Flavor::Podman => "Podman",
        });
        Err(ClusterError::new(format!("no {name} answers")).detail(tried).hint(hint.unwrap_or_else(|| {
            "start Docker or Podman, or say which one is yours with DOCKER_HOST, CONTAINER_HOST or a docker context; \
             `--on sandbox` needs no engine"
                .to_owned()
        })))
    }

    async fn connect(candidate: &Candidate) -> Result<Self, Refusal> {
        let version = bollard::API_DEFAULT_VERSION;
        let docker = match candidate.host.strip_prefix("unix://") {
            Some(path) => Docker::connect_with_unix(path, REQUEST_SECONDS, version),
            None => Docker::connect_with_http(&candidate.host, REQUEST_SECONDS, version),
        }
        .map_err(|error| refusal(candidate, &error))?;
        let hello = async {
            let docker = docker.negotiate_version().await?;
            let version = docker.version().await?;
            let info = docker.info().await?;
            Ok::<_, Error>((docker, version, info))
        };
        let (docker, version, info) = match tokio::time::timeout(HELLO, hello).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(refusal(candidate, &error)),
            Err(_) => {
                return Err(Refusal {
                    message: format!("no answer within {} s", HELLO.as_secs()),
                    hint: Some(restart_hint(candidate.flavor)),
                    worth_telling: true,
                });
            }
        };
        let (flavor, version) = what_answered(&version);
        Ok(Self {
            docker,
            flavor,
            host: candidate.host.clone(),
            why: candidate.why.clone(),
            version,
            cgroup_v1: info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_1),
            rootless: info.security_options.unwrap_or_default().iter().any(|option| option.contains("rootless")),
        })
    }

    /// Which engine was taken and why, in one line.
    pub(crate) fn taken(&self) -> String {
        format!("{} {} at {} ({})", self.flavor.name(), self.version, self.host, self.why)
    }

    /// Refuses an engine on which no node can come up, before anything is made.
    pub(crate) fn check(&self) -> Result<(), ClusterError> {
        let oldest = match self.flavor {
            Flavor::Docker => OLDEST_DOCKER,
            Flavor::Podman => OLDEST_PODMAN,
        };
        if major_minor(&self.version).is_some_and(|version| version < oldest) {
            return Err(ClusterError::new(format!(
                "{} {} is too old: kind nodes need {}.{} or newer",
                self.flavor.name(),
                self.version,
                oldest.0,
                oldest.1
            ))
            .hint(match self.flavor {
                Flavor::Docker => {
                    "https://docs.docker.com/engine/install/ says how to upgrade it; `--on sandbox` needs no engine"
                }
                Flavor::Podman => {
                    "https://podman.io/docs/installation says how to upgrade it; `--on sandbox` needs no engine"
                }
            }));
        }
        if self.rootless && self.cgroup_v1 {
            return Err(ClusterError::new(format!(
                "{} runs rootless on cgroup v1, where no node can start",
                self.flavor.name()
            ))
            .hint("boot with systemd.unified_cgroup_hierarchy=1 for cgroup v2, or use the engine of root"));
        }
        Ok(())
    }

    pub(crate) fn cgroup_v1(&self) -> bool {
        self.cgroup_v1
    }

    /// What makes the engine's own command line, and kind, use this very engine.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let host = match self.flavor {
            Flavor::Docker => "DOCKER_HOST",
            Flavor::Podman => "CONTAINER_HOST",
        };
        vec![(host, self.host.clone()), ("KIND_EXPERIMENTAL_PROVIDER", self.flavor.name().to_owned())]
    }

    /// The engine's own command with the words that lead it to this very engine.
    pub(crate) fn command(&self) -> Vec<String> {
        let program = owned_processes::tool(self.flavor.name()).map(|path| path.to_string_lossy().into_owned());
        let program = program.unwrap_or_else(|| self.flavor.name().to_owned());
        match self.flavor {
            Flavor::Docker => vec![program, "--host".to_owned(), self.host.clone()],
            Flavor::Podman => vec![program, "--remote".to_owned(), "--url".to_owned(), self.host.clone()],
        }
    }

    fn failed(&self, doing: &str, error: &Error) -> ClusterError {
        ClusterError::new(format!("{} failed to {doing}: {}", self.flavor.name(), plain(error)))
    }
}

/// The engine's own words, without bollard's wrapping.
fn plain(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(cause) = source {
                let cause_text = cause.to_string();
                if !text.contains(&cause_text) {
                    text = format!("{text}: {cause_text}");
                }
                source = cause.source();
            }
            text
        }
    }
}

struct Refusal {
    message: String,
    hint: Option<String>,
    worth_telling: bool,
}

fn refusal(candidate: &Candidate, error: &Error) -> Refusal {
    match io_kind(error) {
        Some(ErrorKind::PermissionDenied) => Refusal {
            message: "permission denied".to_owned(),
            hint: Some(match candidate.flavor {
                Flavor::Docker => "you may not open Docker's socket: add yourself to its group with \
                     `sudo usermod -aG docker $USER` and log in again, or use rootless Docker"
                    .to_owned(),
                Flavor::Podman => "this Podman socket belongs to another user: start your own with \
                     `systemctl --user start podman.socket`"
                    .to_owned(),
            }),
            worth_telling: true,
        },
        Some(ErrorKind::ConnectionRefused) => Refusal {
            message: "the socket is there, but nothing answers".to_owned(),
            hint: Some(restart_hint(candidate.flavor)),
            worth_telling: true,
        },
        Some(ErrorKind::NotFound) => Refusal {
            message: "no such socket".to_owned(),
            hint: Some(restart_hint(candidate.flavor)),
            worth_telling: false,
        },
        _ => Refusal { message: plain(error), hint: Some(restart_hint(candidate.flavor)), worth_telling: true },
    }
}

fn restart_hint(flavor: Flavor) -> String {
    match flavor {
        Flavor::Docker => {
            "the engine seems to be stopped: start Docker Desktop, or `sudo systemctl start docker`; \
             `--on sandbox` needs no engine"
        }
        Flavor::Podman => {
            "the engine seems to be stopped: `systemctl --user start podman.socket`, or \
             `podman machine start`; `--on sandbox` needs no engine"
        }
    }
    .to_owned()
}

fn io_kind(error: &Error) -> Option<ErrorKind> {
    if let Error::SocketNotFoundError(path) = error {
        // bollard asks `exists`, which is also false where a folder on the way may not be entered.
        return Some(std::fs::metadata(path).err().map_or(ErrorKind::NotFound, |error| error.kind()));
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        source = cause.source();
    }
    None
}

/// `DOCKER_HOST` often points at Podman's socket, and only the components show it.
fn what_answered(version: &SystemVersion) -> (Flavor, String) {
    let podman = version.components.iter().flatten().find(|component| component.name.starts_with("Podman"));
    match podman {
        Some(podman) => (Flavor::Podman, podman.version.clone()),
        None => (Flavor::Docker, version.version.clone().unwrap_or_default()),
    }
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests;
