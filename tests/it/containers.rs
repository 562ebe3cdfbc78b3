//! A real container engine with a node image, for the tests that need one: `KEYWITNESS_NODE_IMAGE`, or the stand-in
//! that scripts/stand-in-image builds, once for all tests of a run.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::harness::{Test, tool};

/// Returns from the test, with the reason on record, where no engine, kind or image is to be had.
macro_rules! need_engine {
    () => {{
        crate::harness::need!("kind", "kubectl", "etcd", "etcdctl");
        match crate::containers::image() {
            Ok(image) => image,
            Err(reason) => {
                crate::harness::record_skip(module_path!(), reason);
                return;
            }
        }
    }};
}
pub(crate) use need_engine;

/// The command of the engine that the tests use.
pub(crate) fn command() -> &'static str {
    if std::env::var("KIND_EXPERIMENTAL_PROVIDER").is_ok_and(|name| name == "podman") { "podman" } else { "docker" }
}

/// The node image's name, or why there is none.
pub(crate) fn image() -> Result<&'static str, &'static str> {
    static IMAGE: OnceLock<Result<String, String>> = OnceLock::new();
    let image = IMAGE.get_or_init(|| {
        let engine = command();
        let answers = Command::new(engine).args(["version", "--format", "{{.Server.Version}}"]).output();
        if !answers.is_ok_and(|output| output.status.success()) {
            return Err(format!("no {engine} engine answers"));
        }
        if let Ok(named) = std::env::var("KEYWITNESS_NODE_IMAGE")
            && !named.is_empty()
        {
            return Ok(named);
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/stand-in-image");
        let built = Command::new(script).args([engine, env!("CARGO_BIN_EXE_keywitness")]).env("PATH", path()).output();
        let built = built.map_err(|error| format!("scripts/stand-in-image: {error}"))?;
        assert!(built.status.success(), "the stand-in image: {}", String::from_utf8_lossy(&built.stderr));
        Ok(String::from_utf8_lossy(&built.stdout).trim().to_owned())
    });
    image.as_deref().map_err(String::as_str)
}

/// PATH with the folder in which the tools were found.
pub(crate) fn path() -> std::ffi::OsString {
    let found = tool("kind").and_then(|kind| kind.parent().map(Path::to_owned));
    let own = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(found.into_iter().chain(std::env::split_paths(&own))).expect("a PATH")
}

pub(crate) fn engine(args: &[&str]) -> Output {
    Command::new(command()).args(args).output().expect("the engine's command starts")
}

/// Lines that the engine prints.
pub(crate) fn lines(args: &[&str]) -> Vec<String> {
    String::from_utf8_lossy(&engine(args).stdout).lines().map(str::to_owned).collect()
}

/// Containers, networks and volumes of clusters whose name contains `part`.
pub(crate) fn traces(part: &str) -> Vec<String> {
    let mut found = lines(&["ps", "-a", "--format", "container {{.Names}}"]);
    found.extend(lines(&["network", "ls", "--format", "network {{.Name}}"]));
    found.extend(lines(&["volume", "ls", "--format", "volume {{.Labels}}"]));
    found.retain(|line| line.contains(part));
    found
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
