//! Whatever a run starts is gone afterwards, however the run ends.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Test, need};

/// Two background blocks, a job, a process in a session of its own, an opened shell, and a long command.
const LAB: &str = r#"---
title: Processes
clusters: [bare]
etcd: { e1: "http://127.0.0.1:${PORT}" }
vars:
  PORT: { port: true }
  PEER: { port: true }
---
# Processes

## Start

In terminal 2:

```bash {name=server terminal=2 background ready="ready to serve client requests"}
cd "$LAB_WORK"
etcd --name e1 --listen-client-urls "http://127.0.0.1:$PORT" --advertise-client-urls "http://127.0.0.1:$PORT" \
  --listen-peer-urls "http://127.0.0.1:$PEER" --initial-advertise-peer-urls "http://127.0.0.1:$PEER" \
  --initial-cluster "e1=http://127.0.0.1:$PEER"
```

In terminal 3:

```bash {name=watch terminal=3 background ready=none}
etcdctl watch --prefix ""
```

In terminal 4:

```bash {terminal=4 opens}
bash --norc
```

```bash {terminal=4}
(trap '' HUP TERM; while :; do read -t 1000 <> <(:); done) &
```

```bash
setsid bash -c 'echo detached >> "$LAB_DIR/reached"; exec tail -f /dev/null' &
etcdctl put a 1
```

```check
key a exists
```

## Wait

```bash
echo waiting >> "$LAB_DIR/reached"; tail -f /dev/null
```
"#;

/// One run whose processes can be told from all others, with temp folders of its own.
struct Run {
    test: Test,
    id: String,
}

impl Run {
    fn new(lab: &str) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let test = Test::new(&["run", "lab"]).file("lab/README.md", lab).file("tmp/.keep", "").env("KW_TEST_ID", &id);
        Self { test, id }
    }

    fn tmp(&self) -> std::path::PathBuf {
        self.test.dir().join("tmp")
    }

    fn command(&self) -> Command {
        let mut command = self.test.command();
        command.env("TMPDIR", self.tmp()).env_remove("XDG_RUNTIME_DIR");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs until the lab has come to its long command.
    fn started(&self) -> Child {
        let child = self.command().spawn().expect("the binary starts");
        self.reached("waiting");
        child
    }

    fn reached(&self, word: &str) {
        let file = self.test.dir().join("lab/reached");
        until(&format!("the lab at `{word}`"), || fs::read_to_string(&file).is_ok_and(|text| text.contains(word)));
    }

    /// By the environment, or by a path of ours among the words, where the environment was cleared.
    fn processes(&self) -> Vec<(i32, String)> {
        let marker = format!("KW_TEST_ID={}", self.id);
        let dir = self.test.dir().display().to_string();
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.map(|pid| (pid, command_line(pid)))
            .filter(|(pid, words)| {
                words.contains(&dir)
                    || fs::read(format!("/proc/{pid}/environ"))
                        .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == marker.as_bytes()))
            })
            .collect()
    }

    fn folders(&self) -> Vec<String> {
        let entries = fs::read_dir(self.tmp()).expect("the temp folder").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| name != ".keep").collect()
    }

    /// A run of another lab in the same place.
    #[track_caller]
    fn next_start(&self) {
        fs::write(self.test.dir().join("lab/README.md"), SHORT).expect("written");
        let (status, output) = ended(self.command().spawn().expect("the binary starts"));
        assert_eq!(status.code(), Some(0), "{output}");
    }

    #[track_caller]
    fn no_process_is_left(&self) {
        until_or("no process", || self.processes().is_empty(), || format!("{:?}", self.processes()));
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        self.no_process_is_left();
        until_or("no folder", || self.folders().is_empty(), || format!("{:?}", self.folders()));
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A test that fails must not leave to the machine what it is about.
        for (pid, _) in self.processes() {
            signal(pid, "KILL");
        }
    }
}

fn command_line(pid: i32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}

fn signal(pid: i32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status();
    status.expect("kill is there");
}

fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("a pid")
}

#[track_caller]
fn until(what: &str, holds: impl FnMut() -> bool) {
    until_or(what, holds, String::new);
}

#[track_caller]
fn until_or(what: &str, mut holds: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what} never came: {}", otherwise());
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn ended(child: Child) -> (ExitStatus, String) {
    let output = child.wait_with_output().expect("the binary ends");
    (output.status, String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_way_to_ask_a_run_to_stop_ends_all_and_exits_130() {
    need!("etcd", "etcdctl");
    for name in ["INT", "TERM", "HUP"] {
        let run = Run::new(LAB);
        let child = run.started();
        let asked = Instant::now();
        signal(pid(&child), name);
        let (status, output) = ended(child);
        assert_eq!(status.code(), Some(130), "SIG{name}: {output}");
        assert!(asked.elapsed() < Duration::from_secs(60), "SIG{name} took {:?}", asked.elapsed());
        run.nothing_is_left();
    }
}

#[test]
fn a_second_ctrl_c_does_not_wait_and_leaves_nothing_either() {
    need!("etcd", "etcdctl");
    let run = Run::new(LAB);
    let child = run.started();
    signal(pid(&child), "INT");
    signal(pid(&child), "TERM");
    let (status, output) = ended(child);
    assert_eq!(status.code(), Some(130), "{output}");
    run.nothing_is_left();
}

#[test]
fn a_killed_runner_leaves_nothing_whenever_it_is_killed() {
    need!("etcd", "etcdctl");
    for moment in [1, 3, 6, 10, 20, 60, 120, 200, 300, 450, 700] {
        let run = Run::new(LAB);
        let mut child = run.command().spawn().expect("the binary starts");
        std::thread::sleep(Duration::from_millis(moment));
        child.kill().expect("killed");
        let (status, _) = ended(child);
        assert_eq!(status.signal(), Some(9), "it had ended by itself");
        run.no_process_is_left();
        // Killed before it had a watchdog, it leaves a folder to the next start.
        run.next_start();
        assert_eq!(run.folders(), Vec::<String>::new(), "killed after {moment} ms");
    }
}

#[test]
fn a_killed_runner_leaves_nothing_of_a_lab_in_full_swing() {
    need!("etcd", "etcdctl");
    let run = Run::new(LAB);
    let mut child = run.started();
    run.reached("detached");
    let names: Vec<String> = run.processes().into_iter().map(|(_, command)| command).collect();
    for wanted in ["etcd --name e1", "etcdctl watch", "bash --norc", "tail -f /dev/null"] {
        assert!(names.iter().any(|command| command.contains(wanted)), "{wanted} in {names:#?}");
    }
    child.kill().expect("killed");
    ended(child);
    run.nothing_is_left();
}

#[test]
fn what_even_the_watchdog_missed_the_next_start_ends() {
    need!("etcd", "etcdctl");
    let run = Run::new(LAB);
    let mut child = run.started();
    let watchdogs: Vec<i32> = run
        .processes()
        .into_iter()
        .filter(|(_, command)| command.contains("__watchdog"))
        .map(|(watchdog, _)| watchdog)
        .collect();
    assert_eq!(watchdogs.len(), 1);
    signal(watchdogs[0], "KILL");
    child.kill().expect("killed");
    ended(child);
    assert!(!run.folders().is_empty());
    // The end of its terminal does not reach what left the session.
    assert!(run.processes().iter().any(|(_, command)| command.contains("tail -f /dev/null")));

    run.next_start();
    run.nothing_is_left();
}

/// Signals to the watchdog change nothing: only the runner's end counts.
#[test]
fn the_watchdog_heeds_no_signal_but_the_last() {
    need!("etcd", "etcdctl");
    let run = Run::new(LAB);
    let mut child = run.started();
    for (watchdog, _) in run.processes().iter().filter(|(_, command)| command.contains("__watchdog")) {
        for name in ["INT", "TERM", "HUP", "QUIT", "USR1"] {
            signal(*watchdog, name);
        }
    }
    child.kill().expect("killed");
    ended(child);
    run.nothing_is_left();
}

const SHORT: &str = "---\ntitle: Short\nclusters: [bare]\netcd: { e1: \"http://127.0.0.1:${PORT}\" }\nvars:\n  \
                     PORT: { port: true }\n---\n# Short\n\n## One\n\n```bash\necho \"done\" > \"$LAB_DIR/reached\"\n```\n\n\
                     ```check\nrun 'grep done \"$LAB_DIR/reached\"'\n```\n";

#[test]
fn a_run_without_a_terminal_or_any_open_stream_passes() {
    let run = Run::new(SHORT);
    let mut command = run.command();
    // No controlling terminal, no group of the test's.
    command.process_group(0);
    let (status, output) = ended(command.spawn().expect("the binary starts"));
    assert_eq!(status.code(), Some(0), "{output}");
    run.nothing_is_left();

    let script = format!("exec {} run lab <&- >&- 2>&-", env!("CARGO_BIN_EXE_keywitness"));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(run.test.dir()).env("TMPDIR", run.tmp()).env("KW_TEST_ID", &run.id);
    fs::remove_file(run.test.dir().join("lab/reached")).expect("the first run was here");
    assert_eq!(command.env_remove("XDG_RUNTIME_DIR").status().expect("it ends").code(), Some(0));
    assert!(run.test.dir().join("lab/reached").exists());
    run.nothing_is_left();
}

#[test]
fn ctrl_c_at_a_real_terminal_ends_the_run_and_not_by_the_shells_hand() {
    need!("etcd", "etcdctl");
    let run = Run::new(LAB);
    let pty = portable_pty::native_pty_system().openpty(portable_pty::PtySize::default()).expect("a PTY");
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_keywitness"));
    command.args(["run", "lab"]);
    command.cwd(run.test.dir());
    command.env("TMPDIR", run.tmp());
    command.env("KW_TEST_ID", &run.id);
    command.env_remove("XDG_RUNTIME_DIR");
    let mut child = pty.slave.spawn_command(command).expect("the binary starts");
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().expect("a reader");
    let screen = std::thread::spawn(move || {
        let mut seen = Vec::new();
        // The end of a PTY is an error on Linux.
        drop(std::io::Read::read_to_end(&mut reader, &mut seen));
        String::from_utf8_lossy(&seen).into_owned()
    });
    run.reached("waiting");
    let mut keys = pty.master.take_writer().expect("a writer");
    std::io::Write::write_all(&mut keys, b"\x03").expect("typed");
    let status = child.wait().expect("it ends");
    assert_eq!(status.exit_code(), 130);
    drop((keys, pty.master));
    run.nothing_is_left();
    let screen = screen.join().expect("the reader ends");
    assert!(screen.contains("interrupted"), "{screen}");
}

#[test]
fn folders_of_others_are_left_alone() {
    let run = Run::new(SHORT);
    let other = run.tmp().join("keywitness-of-mine");
    fs::create_dir(&other).expect("made");
    let (status, output) = ended(run.command().spawn().expect("the binary starts"));
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(Path::new(&other).exists());
}

/// Waits in its second step until the file `go` is there.
const SANDBOX: &str = r#"---
title: Sandbox
clusters: [sandbox]
---
# Sandbox

## Write

```bash
kubectl create namespace demo
```

```check
key /registry/namespaces/demo exists
```

## Wait

```bash
echo waiting >> "$LAB_DIR/reached"; until [ -e "$LAB_DIR/go" ]; do read -t 0.1 <> <(:); done
kubectl label namespace demo purpose=demo
```

```check
key /registry/namespaces/demo where object.metadata.labels.purpose == "demo"
```
"#;

#[test]
fn an_etcd_that_dies_in_the_middle_cannot_be_judged_and_leaves_nothing() {
    need!("etcd", "kubectl");
    let run = Run::new(SANDBOX);
    let child = run.started();
    let etcd: Vec<i32> = run
        .processes()
        .into_iter()
        .filter(|(_, command)| command.split(' ').next().is_some_and(|program| program.ends_with("/etcd")))
        .map(|(etcd, _)| etcd)
        .collect();
    assert_eq!(etcd.len(), 1, "{:?}", run.processes());
    signal(etcd[0], "KILL");
    fs::write(run.test.dir().join("lab/go"), "").expect("written");
    let (status, output) = ended(child);
    assert_eq!(status.code(), Some(3), "{output}");
    assert!(output.contains("cannot judge"), "{output}");
    run.nothing_is_left();
}

#[test]
fn a_sandbox_ends_with_its_runner_however_that_ends() {
    need!("etcd", "kubectl");
    for name in ["KILL", "INT"] {
        let run = Run::new(SANDBOX);
        let child = run.started();
        signal(pid(&child), name);
        let (status, output) = ended(child);
        assert!(status.signal() == Some(9) || status.code() == Some(130), "SIG{name}: {status:?} {output}");
        run.nothing_is_left();
    }
}

#[test]
fn what_runs_in_the_pod_of_etcd_ends_with_a_killed_runner() {
    need!("etcd", "etcdctl", "kubectl");
    for terminal in ["", "-i -t"] {
        let run = Run::new(&SANDBOX.replace(
            "until [ -e",
            &format!(
                r#"kubectl -n kube-system exec {terminal} "$(kubectl -n kube-system get pod -l component=etcd -o name)" -- etcdctl --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key watch --prefix ""; until [ -e"#
            ),
        ));
        let child = run.started();
        // Not kubectl, whose words name the paths of the pod.
        let tmp = run.tmp().display().to_string();
        let in_pod = |words: &str| words.contains("watch") && words.contains(&tmp) && !words.contains("kubectl");
        until("the watch in the pod", || run.processes().iter().any(|(_, words)| in_pod(words)));
        signal(pid(&child), "KILL");
        ended(child);
        run.nothing_is_left();
    }
}

#[test]
fn a_runner_killed_while_its_sandbox_comes_up_leaves_nothing() {
    need!("etcd", "kubectl");
    for moment in [20, 60, 100, 150, 200, 300, 500] {
        let run = Run::new(SANDBOX);
        let mut child = run.command().spawn().expect("the binary starts");
        std::thread::sleep(Duration::from_millis(moment));
        child.kill().expect("killed");
        ended(child);
        run.no_process_is_left();
        run.next_start();
        assert_eq!(run.folders(), Vec::<String>::new(), "killed after {moment} ms");
    }
}
