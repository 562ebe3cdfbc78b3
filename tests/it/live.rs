//! A sandbox in a process of its own, with the real kubectl and clients of its API.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::harness;

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Live {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    exports: BTreeMap<String, String>,
    log: tempfile::NamedTempFile,
}

impl Live {
    /// `__sandbox` takes `--apiserver PATH`.
    pub(crate) async fn start(args: &[&str]) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a file for the log");
        // `scripts/attack` names the binary that is shipped.
        let binary = std::env::var_os("KEYWITNESS_ATTACKED").unwrap_or(env!("CARGO_BIN_EXE_keywitness").into());
        let mut child = tokio::process::Command::new(binary)
            .arg("__sandbox")
            .args(args)
            .env_remove("KUBEBUILDER_ASSETS")
            .env("KEYWITNESS_LOG", "warn")
            .stderr(log.reopen().expect("the file is opened"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut live = Self { child, input, output, exports: BTreeMap::new(), log };
        while !live.exports.contains_key("SANDBOX_ETCD_PID") {
            let line = live.line().await;
            let (name, value) = line.trim_start_matches("export ").split_once('=').expect("a variable");
            live.exports.insert(name.to_owned(), value.to_owned());
        }
        live
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await.expect("a line in time");
        line.expect("output can be read").expect("the sandbox goes on")
    }

    /// What is logged as an error, which a panic is.
    pub(crate) fn errors(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.log.path()).expect("the log");
        log.lines().filter(|line| line.contains(" ERROR ") || line.contains("panicked")).map(str::to_owned).collect()
    }

    pub(crate) fn export(&self, name: &str) -> &str {
        &self.exports[name]
    }

    pub(crate) async fn client(&self) -> Client {
        let file = Kubeconfig::read_from(self.export("KUBECONFIG")).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("settings");
        Client::try_from(config).expect("a client")
    }

    /// A client that shows these credentials in place of the administrator's.
    pub(crate) async fn client_as(&self, auth: kube::config::AuthInfo) -> Client {
        let file = Kubeconfig::read_from(self.export("KUBECONFIG")).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let mut config = kube::Config::from_custom_kubeconfig(file, &options).await.expect("settings");
        config.auth_info = auth;
        Client::try_from(config).expect("a client")
    }

    /// SIGKILL, as a crash would end it.
    pub(crate) async fn kill_etcd(&mut self) {
        self.input.write_all(b"kill etcd\n").await.expect("the sandbox listens");
        assert_eq!(self.line().await, "etcd is killed");
    }

    pub(crate) async fn start_etcd(&mut self) {
        self.input.write_all(b"start etcd\n").await.expect("the sandbox listens");
        let line = self.line().await;
        let process = line.strip_prefix("etcd is back as ").expect("it is told");
        self.exports.insert("SANDBOX_ETCD_PID".to_owned(), process.to_owned());
    }

    /// Resident memory of the process that this export names, in MiB.
    pub(crate) fn memory(&self, export: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.export(export))).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(harness::tool(program).expect("the tool was looked for before"));
        // Not the tools' own variables of whoever runs the tests.
        command.args(args).envs(&self.exports).env("HOME", "/nonexistent").env_remove("CI");
        command
    }

    /// Standard output and error, and whether it succeeded.
    pub(crate) fn try_kubectl(&self, args: &[&str], input: &str) -> (String, bool) {
        let done = self.run_kubectl(args, input);
        (String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned(), done.status.success())
    }

    fn run_kubectl(&self, args: &[&str], input: &str) -> Output {
        use std::io::Write;
        let mut command = self.command("kubectl", args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("kubectl takes its input");
        child.wait_with_output().expect("kubectl ends")
    }

    #[track_caller]
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        let (told, succeeded) = self.try_kubectl(args, "");
        assert!(succeeded, "kubectl {}:\n{told}", args.join(" "));
        told
    }

    #[track_caller]
    pub(crate) fn etcdctl(&self, args: &[&str]) -> String {
        let done = self.command("etcdctl", args).output().expect("etcdctl starts");
        assert!(done.status.success(), "etcdctl {args:?}:\n{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    #[track_caller]
    pub(crate) fn apply(&self, manifest: &Value) {
        let (told, succeeded) = self.try_kubectl(&["apply", "-f", "-"], &manifest.to_string());
        assert!(succeeded, "{told}\n{manifest:#}");
    }

    /// The object, or null where there is none.
    #[track_caller]
    pub(crate) fn get(&self, what: &[&str]) -> Value {
        let args = [&["get", "-o", "json", "--ignore-not-found"], what].concat();
        // What is deprecated is told beside the answer.
        let done = self.run_kubectl(&args, "");
        assert!(done.status.success(), "kubectl {args:?}:\n{}", String::from_utf8_lossy(&done.stderr));
        if done.stdout.is_empty() { Value::Null } else { serde_json::from_slice(&done.stdout).expect("JSON") }
    }

    /// Until `done` says so of what `get` finds; the last that was found is told where it never does.
    #[track_caller]
    pub(crate) fn until(&self, what: &[&str], done: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let found = self.get(what);
            if done(&found) {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "not so within {PATIENCE:?}: kubectl get {what:?}:\n{found:#}");
        }
    }

    pub(crate) async fn stop(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).expect("it runs");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGINT)
            .expect("it is signalled");
        let status =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends in time").expect("it ends");
        assert!(status.success(), "{status}");
    }
}
