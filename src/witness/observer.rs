//! One sample of anything that is not in the journal.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::Witness;
use super::kube::Api;
use super::snapshot;
use crate::guard::Guard;
use crate::journal::{Need, Observation, Seen};

/// A `run` check's command that takes longer cannot be judged.
const RUN_LIMIT: Duration = Duration::from_secs(30);
/// The most that is kept of what it prints.
const OUTPUT_LIMIT: u64 = 1 << 20;

/// Where and how things are looked at.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub guard: Guard,
    /// `None` where there is no Kubernetes.
    pub kubeconfig: Option<PathBuf>,
    /// `LAB_WORK`: where commands run and files lie.
    pub work: PathBuf,
    /// The terminals' environment.
    pub env: Vec<(String, String)>,
}

pub struct Observer {
    surroundings: Surroundings,
    api: OnceCell<Api>,
}

impl Observer {
    pub fn new(surroundings: Surroundings) -> Self {
        Self { surroundings, api: OnceCell::new() }
    }

    /// Looks once, in bounded time. Outputs are the terminals' to tell: that need is not answered here.
    pub async fn observe(&self, need: &Need, witness: &Witness) -> Observation {
        let at = SystemTime::now();
        let seen = match need {
            Need::Resource { kind, name, namespace } => self.resource(kind, name, namespace.as_deref()).await,
            Need::Etcd { member } => match witness.etcd(member.as_deref()).await {
                Ok(fields) => Seen::Etcd(fields),
                Err(reason) => Seen::Unavailable(reason),
            },
            Need::Snapshot { file } => snapshot::look(&self.surroundings, file).await,
            Need::Run { command } => self.run(command).await,
            Need::Output { action } => {
                let action = action.as_deref().unwrap_or("the action above");
                Seen::Unavailable(format!("what {action} printed is not known here"))
            }
        };
        Observation { need: need.clone(), at, seen }
    }

    async fn resource(&self, kind: &str, name: &str, namespace: Option<&str>) -> Seen {
        let Some(kubeconfig) = &self.surroundings.kubeconfig else {
            return Seen::Unavailable("there is no Kubernetes in this lab".to_owned());
        };
        let api = match self.api.get_or_try_init(|| Api::open(kubeconfig)).await {
            Ok(api) => api,
            Err(reason) => return Seen::Unavailable(reason),
        };
        match api.read(kind, name, namespace).await {
            Ok(object) => Seen::Resource(object.map(Arc::new)),
            Err(reason) => Seen::Unavailable(reason),
        }
    }

    async fn run(&self, text: &str) -> Seen {
        let mut command = Command::new("bash");
        command.arg("-c").arg(text);
        command.current_dir(&self.surroundings.work).envs(self.surroundings.env.iter().cloned());
        match run(&self.surroundings.guard, command, RUN_LIMIT).await {
            Ok(Ran { exit, stdout, stderr }) => Seen::Run { exit, stdout, stderr },
            Err(reason) => Seen::Unavailable(format!("`{text}`: {reason}")),
        }
    }
}

pub(super) struct Ran {
    pub(super) exit: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs a command to its end, and ends it where it takes too long.
pub(super) async fn run(guard: &Guard, mut command: Command, limit: Duration) -> Result<Ran, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = guard.spawn(&mut command).map_err(|error| error.to_string())?;
    let (stdout, stderr) = (process.take_stdout(), process.take_stderr());
    let all = async {
        let (stdout, stderr, status) = tokio::join!(read(stdout), read(stderr), process.wait());
        (stdout, stderr, status)
    };
    let Ok((stdout, stderr, status)) = tokio::time::timeout(limit, all).await else {
        // What it was about to say no longer matters.
        drop(process.kill().await);
        return Err(format!("it did not end within {limit:?}"));
    };
    let status = status.map_err(|error| error.to_string())?;
    // As a shell reports a death by signal.
    let exit = status.code().or_else(|| std::os::unix::process::ExitStatusExt::signal(&status).map(|s| 128 + s));
    Ok(Ran { exit: exit.unwrap_or(-1), stdout, stderr })
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut bytes = Vec::new();
    // An error ends the output as its end does; the status tells the rest.
    let _ = (&mut stream).take(OUTPUT_LIMIT).read_to_end(&mut bytes).await;
    // The rest is drained, so that the command does not block on a full pipe.
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
