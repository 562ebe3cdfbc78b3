//! What people type, against one sandbox: each file of `tests/golden/sandbox` is a session with the real kubectl in
//! a namespace of its own. `$ command`, then both of its streams as they come, then `=> status` unless that is 0.
//! `*` in an expected line stands for anything, `...` alone for any lines.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures::StreamExt;
use kube_sandbox::{Sandbox, SandboxOptions};
use owned_processes::{Guard, GuardSettings};

use crate::harness::{self, need};

const PATIENCE: Duration = Duration::from_secs(90);
/// Two cores: more at once would only wait for each other.
const AT_ONCE: usize = 2;

struct Step {
    command: String,
    expected: Vec<String>,
    exit: i32,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), expected: Vec::new(), exit: 0 });
        } else if let Some(step) = steps.last_mut() {
            match line.strip_prefix("=> ").and_then(|status| status.parse().ok()) {
                Some(exit) => step.exit = exit,
                None => step.expected.push(line.to_owned()),
            }
        }
    }
    // Empty lines part the steps, and are no output.
    for step in &mut steps {
        while step.expected.last().is_some_and(String::is_empty) {
            step.expected.pop();
        }
    }
    steps
}

/// Whether a line is what is expected, where `*` stands for anything.
pub(crate) fn line_fits(expected: &str, line: &str) -> bool {
    let mut parts = expected.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn fits(expected: &[String], lines: &[&str]) -> bool {
    match (expected.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((first, more)), _) if first == "..." => {
            fits(more, lines) || lines.split_first().is_some_and(|(_, rest)| fits(expected, rest))
        }
        (Some((first, more)), Some((line, rest))) => line_fits(first, line) && fits(more, rest),
        _ => false,
    }
}

struct Place {
    sandbox: Sandbox,
    guard: Guard,
    path: std::ffi::OsString,
}

impl Place {
    async fn start() -> Self {
        let settings =
            GuardSettings { watchdog: Some(env!("CARGO_BIN_EXE_keywitness").into()), ..GuardSettings::default() };
        let guard = Guard::start(settings).expect("a guard");
        let dir = guard.folder("sandbox").expect("a private folder");
        let sandbox = Sandbox::start(SandboxOptions::new(guard.clone(), dir)).await.expect("a sandbox");
        let mut folders: Vec<PathBuf> =
            ["kubectl", "etcdctl"].iter().filter_map(|name| Some(harness::tool(name)?.parent()?.to_owned())).collect();
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        Self { sandbox, guard, path: std::env::join_paths(folders).expect("a path") }
    }

    async fn run(&self, home: &Path, command: &str) -> (i32, String) {
        let child = tokio::process::Command::new("bash")
            .args(["-c", &format!("exec 2>&1\n{command}")])
            .env("PATH", &self.path)
            .env("KUBECONFIG", home.join("kubeconfig"))
            .env("HOME", home)
            .env("NODE", &self.sandbox.node)
            .env("SERVER", format!("https://{}", self.sandbox.address()))
            .env("PKI", self.sandbox.pki().root())
            .env("CASES", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/sandbox"))
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a shell");
        match tokio::time::timeout(PATIENCE, child.wait_with_output()).await {
            Ok(output) => {
                let output = output.expect("the command ends");
                (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n"))
            }
            Err(_) => (-1, format!("no end within {} s", PATIENCE.as_secs())),
        }
    }

    /// What of a session comes out otherwise.
    async fn session(&self, file: &Path) -> Vec<String> {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let home = self.guard.dir().join(&name);
        std::fs::create_dir(&home).expect("a folder");
        std::fs::copy(self.sandbox.kubeconfig(), home.join("kubeconfig")).expect("a kubeconfig");
        let begin = format!(
            "kubectl create namespace {name} && kubectl config set-context --current --namespace {name} && \
             kubectl wait --for=create serviceaccount/default --timeout=30s"
        );
        let (exit, said) = self.run(&home, &begin).await;
        assert_eq!(exit, 0, "{name}: {said}");
        let mut wrong = Vec::new();
        for step in steps(&std::fs::read_to_string(file).expect("a session is read")) {
            let (exit, output) = self.run(&home, &step.command).await;
            let lines: Vec<&str> = output.trim_end().lines().collect();
            if exit != step.exit || !fits(&step.expected, &lines) {
                wrong.push(format!(
                    "{name}: $ {}\n--- expected => {}\n{}\n--- got => {exit}\n{}\n",
                    step.command,
                    step.exit,
                    step.expected.join("\n"),
                    output.trim_end()
                ));
            }
        }
        wrong
    }
}

/// `KEYWITNESS_SESSION=name` runs one of them.
async fn sessions(folder: &str, at_once: usize) {
    let only = std::env::var("KEYWITNESS_SESSION").ok();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the sessions are there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|file| file.extension().is_some_and(|ending| ending == "session"))
        .filter(|file| only.as_ref().is_none_or(|only| file.file_stem().is_some_and(|stem| stem == only.as_str())))
        .collect();
    files.sort();
    assert!(only.is_some() || !files.is_empty(), "there is no session");
    let place = Place::start().await;
    let wrong: Vec<Vec<String>> = futures::stream::iter(&files)
        .map(|file| Box::pin(place.session(file)))
        .buffer_unordered(at_once)
        .collect()
        .await;
    let Place { sandbox, guard, .. } = place;
    sandbox.stop().await;
    guard.end().await;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} steps went otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_go_as_on_a_real_cluster() {
    need!("etcd", "kubectl", "etcdctl", "openssl", "curl", "script");
    sessions("golden/sandbox", AT_ONCE).await;
}

/// One at a time: policies and webhooks among them are everybody's.
#[tokio::test(flavor = "multi_thread")]
async fn what_once_went_wrong_goes_as_on_a_real_cluster() {
    need!("etcd", "kubectl", "etcdctl", "openssl");
    sessions("cases/sandbox/sessions", 1).await;
}

#[test]
fn a_star_stands_for_anything() {
    assert!(line_fits("pod \"*\" deleted*", "pod \"a-1\" deleted from x namespace"));
    assert!(line_fits("same", "same"));
    assert!(!line_fits("a*b", "ac"));
    let expected = ["first", "...", "last"].map(str::to_owned);
    assert!(fits(&expected, &["first", "x", "y", "last"]));
    assert!(fits(&expected, &["first", "last"]));
    assert!(!fits(&expected, &["first", "x"]));
}
