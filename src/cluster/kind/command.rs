//! The `kind` command: where it is, how old it is, and what it says while it works.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio_util::sync::CancellationToken;

use crate::cluster::engine::Engine;
use crate::cluster::{ClusterError, StageSink};
use owned_processes::Guard;

/// The first kind whose nodes have private cgroup namespaces and whose images are of the kind that is still published.
const OLDEST: (u32, u32) = (0, 20);
/// kind gives kubeadm four minutes; an image that kind pulls by itself comes on top.
const CREATE_LIMIT: Duration = Duration::from_mins(15);
const GRACE: Duration = Duration::from_secs(5);
/// How long nodes may take that a failed kind has still in the making.
const REST: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub(super) struct KindCommand {
    path: PathBuf,
    pub(super) version: String,
}

/// What a call of kind came to.
pub(super) struct Called {
    pub(super) ok: bool,
    /// All that it said, stage marks left out.
    pub(super) said: Vec<String>,
}

impl KindCommand {
    pub(super) async fn find() -> Result<Self, ClusterError> {
        let Some(path) = owned_processes::tool("kind") else {
            return Err(ClusterError::new("the kind command is not on PATH").hint(install()));
        };
        let output = tokio::process::Command::new(&path).arg("version").stdin(Stdio::null()).output().await;
        let output =
            output.map_err(|error| ClusterError::new(format!("{} does not start: {error}", path.display())))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let Some(version) = version_in(&said) else {
            return Err(ClusterError::new(format!("{} is not kind: `kind version` said {said:?}", path.display()))
                .hint(install()));
        };
        let oldest = format!("v{}.{}", OLDEST.0, OLDEST.1);
        if numbers(&version).is_some_and(|numbers| numbers < OLDEST) {
            return Err(ClusterError::new(format!("kind {version} is too old: {oldest} or newer is needed"))
                .detail([format!("found at {}", path.display())])
                .hint(install()));
        }
        Ok(Self { path, version })
    }

    /// The node image that this kind was released with. kind does not print it, but carries its name.
    pub(super) async fn default_image(&self) -> Option<String> {
        let bytes = tokio::fs::read(&self.path).await.ok()?;
        let name = regex::bytes::Regex::new(r"kindest/node:v\d+\.\d+\.\d+(-[0-9a-z.]+)?@sha256:[0-9a-f]{64}")
            .expect("a valid regex");
        Some(String::from_utf8_lossy(name.find(&bytes)?.as_bytes()).into_owned())
    }

    /// Runs kind to its end; cancelled, it is asked to stop and its children are ended.
    pub(super) async fn call(
        &self,
        args: &[&str],
        engine: &Engine,
        network: Option<&str>,
        guard: &Guard,
        interrupt: &CancellationToken,
        stages: &mut Stages<'_>,
    ) -> Result<Called, ClusterError> {
        let mut command = tokio::process::Command::new(&self.path);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("KUBECONFIG").env_remove("DOCKER_CONTEXT").envs(engine.environment());
        if let Some(network) = network {
            command.env("KIND_EXPERIMENTAL_DOCKER_NETWORK", network).env("KIND_EXPERIMENTAL_PODMAN_NETWORK", network);
        }
        let failed = |error: std::io::Error| ClusterError::new(format!("{}: {error}", self.path.display()));
        let mut process = guard.spawn(&mut command).map_err(failed)?;
        let mut out = lines(process.take_stdout());
        let mut err = lines(process.take_stderr());
        let mut said = Vec::new();
        let listening = async {
            let (mut out_open, mut err_open) = (true, true);
            while out_open || err_open {
                let line = tokio::select! {
                    line = out.next_line(), if out_open => { out_open = matches!(line, Ok(Some(_))); line }
                    line = err.next_line(), if err_open => { err_open = matches!(line, Ok(Some(_))); line }
                };
                if let Ok(Some(line)) = line {
                    let line = console::strip_ansi_codes(&line).into_owned();
                    if !stages.take(&line) {
                        said.push(line);
                    }
                }
            }
        };
        let stopped = tokio::select! {
            () = listening => None,
            () = interrupt.cancelled() => Some("interrupted"),
            () = tokio::time::sleep(CREATE_LIMIT) => Some("did not end within 15 minutes"),
        };
        if let Some(reason) = stopped {
            process.end(GRACE).await.map_err(failed)?;
            return Err(
                ClusterError::new(format!("`kind {}` was stopped: {reason}", args.join(" "))).detail(last(&said))
            );
        }
        let ok = process.wait().await.map_err(failed)?.success();
        if !ok {
            // kind makes all nodes at once, and at the first failure leaves the others' `docker run` to themselves.
            process.rest(REST).await;
        }
        Ok(Called { ok, said })
    }
}

type Lines = tokio::io::Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>;

fn lines(pipe: Option<impl AsyncRead + Send + Unpin + 'static>) -> Lines {
    let pipe: Box<dyn AsyncRead + Send + Unpin> = match pipe {
        Some(pipe) => Box::new(pipe),
        None => Box::new(tokio::io::empty()),
    };
    BufReader::new(pipe).lines()
}

pub(super) fn last(said: &[String]) -> Vec<String> {
    said[said.len().saturating_sub(12)..].to_vec()
}

/// Turns the marks that kind prints into stages of ours, with the time that each took.
pub(super) struct Stages<'a> {
    sink: &'a dyn StageSink,
    began: Instant,
    /// The last mark that was not ticked off: where a failure happened.
    pub(super) at: Option<String>,
}

impl<'a> Stages<'a> {
    pub(super) fn new(sink: &'a dyn StageSink) -> Self {
        Self { sink, began: Instant::now(), at: None }
    }

    pub(super) fn pass(&mut self, stage: &str, detail: Option<&str>) {
        self.sink.passed(stage, detail, self.began.elapsed());
        self.began = Instant::now();
    }

    /// True where the line was a mark of a stage.
    fn take(&mut self, line: &str) -> bool {
        let Some((mark, text)) = mark(line) else { return false };
        match mark {
            Mark::Begun | Mark::Failed => self.at = Some(text),
            Mark::Done => {
                self.at = None;
                // What kind takes for stages of their own, a learner need not tell apart.
                if let Some(stage) = STAGES.iter().find(|(start, _)| text.starts_with(start)) {
                    self.pass(stage.1, None);
                }
            }
        }
        true
    }
}

const STAGES: &[(&str, &str)] = &[
    ("Preparing nodes", "nodes"),
    ("Starting control-plane", "control plane"),
    ("Installing CNI", "network"),
    ("Joining worker nodes", "workers"),
];

#[derive(Debug, PartialEq, Eq)]
enum Mark {
    Begun,
    Done,
    Failed,
}

fn mark(line: &str) -> Option<(Mark, String)> {
    let line = line.trim_start();
    let mut characters = line.chars();
    let mark = match characters.next()? {
        '•' => Mark::Begun,
        '✓' => Mark::Done,
        '✗' => Mark::Failed,
        _ => return None,
    };
    // After the words come a picture and dots.
    let text: String = characters.take_while(char::is_ascii).collect();
    Some((mark, text.trim().trim_end_matches('.').trim_end().to_owned()))
}

fn version_in(said: &str) -> Option<String> {
    said.split_whitespace().find(|word| numbers(word).is_some()).map(ToOwned::to_owned)
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn install() -> String {
    let how = if cfg!(target_os = "macos") {
        "`brew install kind`"
    } else {
        "`go install sigs.k8s.io/kind@latest`, your distribution's package, or the file from \
         https://kind.sigs.k8s.io/docs/user/quick-start/#installation"
    };
    format!("install it with {how}; KEYWITNESS_KIND names one that is elsewhere. `--on sandbox` needs none")
}

/// The file that kind writes its own kubeconfig to, never the user's.
pub(super) fn kubeconfig_in(dir: &Path) -> PathBuf {
    dir.join("kubeconfig")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Seen(Mutex<Vec<String>>);

    impl StageSink for Seen {
        fn passed(&self, stage: &str, _detail: Option<&str>, _took: Duration) {
            self.0.lock().expect("a list").push(stage.to_owned());
        }
    }

    #[test]
    fn kinds_marks_become_stages() {
        let said = "Creating cluster \"a\" ...\n • Ensuring node image (kindest/node:v1.36.2) 🖼  ...\n ✓ Ensuring node image (kindest/node:v1.36.2) 🖼\n \
                    • Preparing nodes 📦 📦   ...\n ✓ Preparing nodes 📦 📦 \n • Writing configuration 📜  ...\n ✓ Writing configuration 📜\n \
                    • Starting control-plane 🕹️  ...\n ✗ Starting control-plane 🕹️\nERROR: failed";
        let seen = Seen::default();
        let mut stages = Stages::new(&seen);
        let rest: Vec<_> = said.lines().filter(|line| !stages.take(line)).collect();
        assert_eq!(rest, ["Creating cluster \"a\" ...", "ERROR: failed"]);
        assert_eq!(stages.at.as_deref(), Some("Starting control-plane"));
        assert_eq!(*seen.0.lock().expect("a list"), ["nodes"]);
    }

    #[test]
    fn versions_are_read_from_what_kind_says() {
        assert_eq!(version_in("kind v0.27.0 go1.24.4 linux/amd64\n").as_deref(), Some("v0.27.0"));
        assert_eq!(numbers("v0.9.0"), Some((0, 9)));
        assert!(numbers("v0.9.0") < Some(OLDEST));
        assert_eq!(version_in("some other program"), None);
    }
}
