//! Real container engines with a node image, for the tests that need one: `KEYWITNESS_NODE_IMAGE`, or the stand-in
//! that scripts/stand-in-image builds, once for all tests of a run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::harness::{Test, tool};

/// Returns from the test, with the reason on record, where no engine, kind or image is to be had. Of `docker`, where
/// nothing else is named, it gives the image's name; of `podman`, the engine.
macro_rules! need_engine {
    () => {
        crate::containers::need_engine!(main_engine).image.as_str()
    };
    ($engine:ident) => {{
        crate::harness::need!("kind", "kubectl", "etcd", "etcdctl");
        match crate::containers::$engine() {
            Ok(engine) => engine,
            Err(missing) => {
                crate::harness::record_skip(module_path!(), missing.what, &missing.why);
                return;
            }
        }
    }};
}
pub(crate) use need_engine;

/// An engine that answers, with a node image.
#[derive(Debug)]
pub(crate) struct Real {
    name: &'static str,
    /// Leads the engine's command to where the product will look.
    host: Option<String>,
    pub(crate) image: String,
}

/// What is not here, and how that was seen.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) what: &'static str,
    pub(crate) why: String,
}

type Found = Result<&'static Real, &'static Missing>;

/// The engine of most tests: Docker, or Podman where kind is told to use that.
pub(crate) fn main_engine() -> Found {
    if command() == "podman" { podman() } else { docker() }
}

pub(crate) fn docker() -> Found {
    static DOCKER: OnceLock<Result<Real, Missing>> = OnceLock::new();
    DOCKER.get_or_init(|| Real::find("docker", None)).as_ref()
}

/// Podman through its API, as the product reaches it.
pub(crate) fn podman() -> Found {
    static PODMAN: OnceLock<Result<Real, Missing>> = OnceLock::new();
    let find = || {
        let named = std::env::var("CONTAINER_HOST").ok();
        let own = std::env::var_os("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("podman/podman.sock"));
        let mut sockets = own.into_iter().chain(["/run/podman/podman.sock".into()]).filter(|path| path.exists());
        let host = named.or_else(|| Some(format!("unix://{}", sockets.next()?.display())));
        let missing = || Missing { what: "podman", why: "no socket of podman's API".to_owned() };
        Real::find("podman", Some(host.ok_or_else(missing)?))
    };
    PODMAN.get_or_init(find).as_ref()
}

/// The command of the engine that most tests use.
pub(crate) fn command() -> &'static str {
    if std::env::var("KIND_EXPERIMENTAL_PROVIDER").is_ok_and(|name| name == "podman") { "podman" } else { "docker" }
}

impl Real {
    fn find(name: &'static str, host: Option<String>) -> Result<Self, Missing> {
        let mut this = Self { name, host, image: String::new() };
        let answers = this.command().args(["version", "--format", "{{.Server.Version}}"]).output();
        if !answers.is_ok_and(|output| output.status.success()) {
            return Err(Missing { what: name, why: format!("no {name} engine answers") });
        }
        if let Ok(named) = std::env::var("KEYWITNESS_NODE_IMAGE")
            && !named.is_empty()
        {
            return Ok(Self { image: named, ..this });
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/stand-in-image");
        let mut build = Command::new(script);
        build.args([name, env!("CARGO_BIN_EXE_keywitness")]).env("PATH", path());
        if let Some(host) = &this.host {
            build.env("CONTAINER_HOST", host);
        }
        let built = build.output().expect("scripts/stand-in-image starts");
        assert!(built.status.success(), "the stand-in image: {}", String::from_utf8_lossy(&built.stderr));
        String::from_utf8_lossy(&built.stdout).trim().clone_into(&mut this.image);
        Ok(this)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.name);
        if let Some(host) = &self.host {
            command.args(["--remote", "--url", host]);
        }
        command
    }

    pub(crate) fn engine(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("the engine's command starts")
    }

    /// Lines that the engine prints.
    pub(crate) fn lines(&self, args: &[&str]) -> Vec<String> {
        String::from_utf8_lossy(&self.engine(args).stdout).lines().map(str::to_owned).collect()
    }

    /// Containers, networks and volumes of clusters whose name contains `part`.
    pub(crate) fn traces(&self, part: &str) -> Vec<String> {
        let mut found = self.lines(&["ps", "-a", "--format", "container {{.Names}}"]);
        found.extend(self.lines(&["network", "ls", "--format", "network {{.Name}}"]));
        found.extend(self.lines(&["volume", "ls", "--format", "volume {{.Labels}}"]));
        found.retain(|line| line.contains(part));
        found
    }

    /// A call of keywitness that uses the engine, in a home of its own.
    pub(crate) fn keywitness(&self, args: &[&str], home: &Path) -> Test {
        let test = keywitness(args, &self.image, home);
        match &self.host {
            Some(host) => test.env("CONTAINER_HOST", host),
            None => test,
        }
    }
}

/// A cluster made with `cluster up`, gone with this value, whatever became of the test.
pub(crate) struct Up<'a> {
    real: &'a Real,
    name: &'a str,
    pub(crate) home: tempfile::TempDir,
}

impl<'a> Up<'a> {
    pub(crate) fn new(real: &'a Real, name: &'a str, args: &[&str]) -> Self {
        let this = Self { real, name, home: tempfile::tempdir().expect("a folder") };
        this.call(&[&["cluster", "up", name], args].concat()).run().expect_exit(0);
        this
    }

    /// A call of keywitness that has this engine and this home.
    pub(crate) fn call(&self, args: &[&str]) -> Test {
        self.real.keywitness(&[args, &["--engine", self.real.name]].concat(), self.home.path())
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let done = self.call(&["cluster", "down", self.name]).run();
        if !std::thread::panicking() {
            assert_eq!(done.exit(), Some(0), "{}", done.stderr());
            assert_eq!(self.real.traces(self.name), [""; 0]);
        }
    }
}

/// PATH with the folder in which the tools were found.
pub(crate) fn path() -> std::ffi::OsString {
    let found = tool("kind").and_then(|kind| kind.parent().map(Path::to_owned));
    let own = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(found.into_iter().chain(std::env::split_paths(&own))).expect("a PATH")
}

/// What the main engine does, for tests that have asked for its image already.
pub(crate) fn engine(args: &[&str]) -> Output {
    main_engine().expect("asked for before").engine(args)
}

pub(crate) fn lines(args: &[&str]) -> Vec<String> {
    main_engine().expect("asked for before").lines(args)
}

pub(crate) fn traces(part: &str) -> Vec<String> {
    main_engine().expect("asked for before").traces(part)
}

/// A call of keywitness that uses the engine, in a home of its own.
pub(crate) fn keywitness(args: &[&str], image: &str, home: &Path) -> Test {
    let home = home.display().to_string();
    Test::new(args)
        .env("PATH", &path().to_string_lossy())
        .env("HOME", &home)
        .env("XDG_STATE_HOME", &format!("{home}/state"))
        .env("KEYWITNESS_NODE_IMAGE", image)
        .env("KUBECONFIG", "")
}

/// A lab with one step.
pub(crate) fn lab(front: &str, body: &str) -> String {
    format!("---\ntitle: A lab\n{front}---\n# A lab\n\nIt is tried.\n\n## One\n\n{body}\n")
}

/// Waits for something that other processes do.
#[track_caller]
pub(crate) fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
