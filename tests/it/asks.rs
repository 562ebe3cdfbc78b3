//! Clusters that keywitness did not make: what is asked before one is used, and what is refused.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::fake_engine::Engine;
use crate::harness::{Test, need};

const LAB: &str = r#"---
title: On your cluster
clusters: [attach, kind]
vars:
  NAMESPACE: { ask: "A name for your namespace", default: demo, pattern: "[a-z]+" }
---
# On your cluster

## Create

```bash
kubectl create namespace "$NAMESPACE"
```

```check {points=4}
key /registry/namespaces/${NAMESPACE} exists
```
"#;

const KUBECONFIG: &str = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "mine",
 "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}], "users": [],
 "contexts": [{"name": "mine", "context": {"cluster": "c"}}]}"#;

const PATIENCE: Duration = Duration::from_secs(60);

/// What a terminal shows of a command on that cluster, where a person types an answer whenever a text has come; and its exit status.
fn typed(verb: &str, answers: &[(&str, &str)]) -> (String, u32) {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("lab.md"), LAB).expect("written");
    fs::write(dir.path().join("config"), KUBECONFIG).expect("written");
    let pty = portable_pty::native_pty_system().openpty(portable_pty::PtySize::default()).expect("a PTY");
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_keywitness"));
    command.args([verb, "--on", "attach", "--kubeconfig", "config", "lab.md"]);
    command.cwd(dir.path());
    command.env("XDG_STATE_HOME", dir.path().join("state"));
    for name in ["CI", "GITHUB_ACTIONS", "NO_COLOR"] {
        command.env_remove(name);
    }
    let mut child = pty.slave.spawn_command(command).expect("the binary starts");
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().expect("a reader");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let screen = Arc::clone(&seen);
    let reading = std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        // The end of a PTY is an error on Linux.
        while let Ok(read @ 1..) = reader.read(&mut chunk) {
            screen.lock().expect("no reader panics").extend_from_slice(&chunk[..read]);
        }
    });
    let shown = || String::from_utf8_lossy(&seen.lock().expect("no reader panics")).into_owned();
    let mut keys = pty.master.take_writer().expect("a writer");
    for (until, answer) in answers {
        let began = Instant::now();
        while !shown().contains(until) {
            assert!(began.elapsed() < PATIENCE, "no {until:?} in:\n{}", shown());
            std::thread::park_timeout(Duration::from_millis(10));
        }
        keys.write_all(answer.as_bytes()).expect("typed");
    }
    let status = child.wait().expect("it ends");
    drop((keys, pty.master));
    reading.join().expect("the reader ends");
    (shown(), status.exit_code())
}

#[test]
fn a_cluster_of_ones_own_is_asked_about_before_variables_each_on_its_own_line() {
    need!("kubectl");
    let (screen, exit) = typed("run", &[("Continue? [y/N] ", "n\r")]);
    assert_eq!(exit, 3, "{screen}");
    assert!(screen.contains("cluster of the context mine (https://127.0.0.1:1)"), "{screen}");
    assert!(screen.contains("you did not agree") && screen.contains("0/4 points"), "{screen}");
    assert!(!screen.contains("A name for your namespace"), "{screen}");

    let (screen, exit) = typed("run", &[("Continue? [y/N] ", "y\r"), ("A name for your namespace [demo]: ", "\r")]);
    assert_eq!(exit, 3, "{screen}");
    assert!(screen.contains("does not answer"), "{screen}");
    for prompt in ["Continue? [y/N]", "A name for your namespace [demo]:"] {
        assert!(screen.lines().any(|line| line.starts_with(prompt)), "{prompt:?} shares its line:\n{screen}");
    }
}

#[test]
fn a_learner_is_asked_before_their_own_cluster_is_used() {
    need!("kubectl");
    let (screen, exit) = typed("learn", &[("Continue? [y/N] ", "n\r")]);
    assert_eq!(exit, 3, "{screen}");
    assert!(screen.contains("cluster of the context mine (https://127.0.0.1:1)"), "{screen}");
    assert!(screen.contains("you did not agree") && !screen.contains("A name for your namespace"), "{screen}");

    let (screen, exit) = typed("learn", &[("Continue? [y/N] ", "y\r"), ("A name for your namespace [demo]: ", "\r")]);
    assert_eq!(exit, 3, "{screen}");
    assert!(screen.contains("does not answer"), "{screen}");

    // Nobody to ask is no consent.
    let call = Test::new(&["learn", "--on", "attach", "--kubeconfig", "config", "lab.md"]);
    let done = call.file("lab.md", LAB).file("config", KUBECONFIG).run().expect_exit(3);
    assert!(done.stderr().contains("no terminal to ask on") && done.stderr().contains("--yes"), "{}", done.stderr());
}

fn on(engine: &Engine, dir: &Path, args: &[&str]) -> Test {
    let socket = engine.serve(dir);
    Test::new(args)
        .file("lab.md", LAB)
        .env("DOCKER_HOST", &format!("unix://{}", socket.display()))
        .env("HOME", &dir.display().to_string())
        .env("TMPDIR", &dir.display().to_string())
        .env("XDG_RUNTIME_DIR", "")
        .env("XDG_STATE_HOME", &dir.join("state").display().to_string())
}

#[test]
fn a_kind_cluster_of_somebody_else_is_asked_about_and_never_removed() {
    need!("kubectl");
    let mut engine = Engine::new();
    engine.cluster = Some("mine".to_owned());
    let call = |args: &[&str]| on(&engine, tempfile::tempdir().expect("a folder").path(), args).run().expect_exit(3);
    let done = call(&["run", "--on", "kind", "--cluster", "mine", "lab.md"]);
    for part in ["kind cluster mine", "keywitness did not make", "no terminal to ask on", "--yes", "0/4 points"] {
        assert!(done.stdout().contains(part), "{part:?}: {}", done.stdout());
    }
    let elsewhere = tempfile::tempdir().expect("a folder");
    let unknown = on(&engine, elsewhere.path(), &["cluster", "down", "mien"]).run().expect_exit(2).stderr();
    assert!(unknown.contains("there is no cluster mien") && unknown.contains("did you mean `mine`?"), "{unknown}");
    let down = call(&["cluster", "down", "mine"]).stderr();
    assert!(down.contains("was not made by keywitness"), "{down}");
    let up = call(&["cluster", "up", "mine"]).stderr();
    assert!(up.contains("already") && !up.contains("cluster down"), "it would be refused: {up}");
    assert!(engine.changes().is_empty(), "{:?}", engine.changes());
}

#[test]
fn down_removes_what_is_left_of_a_cluster_whose_containers_are_gone() {
    let engine = Engine::new();
    let dir = tempfile::tempdir().expect("a folder");
    let record = dir.path().join("state/keywitness/clusters/labs");
    fs::create_dir_all(&record).expect("made");
    fs::write(record.join("kubeconfig"), "a key").expect("written");
    let killed = dir.path().join("keywitness-0123abcd");
    fs::create_dir_all(killed.join("cluster")).expect("made");
    fs::write(killed.join("cluster/client.key"), "a key").expect("written");
    for no_name in ["..", ".", "../clusters/labs", "labs/", "/"] {
        let other = tempfile::tempdir().expect("a folder");
        let call = on(&engine, other.path(), &["cluster", "down", no_name])
            .env("XDG_STATE_HOME", &dir.path().join("state").display().to_string());
        let refused = call.run().expect_exit(2).stderr();
        assert!(refused.contains("there is no cluster"), "{refused}");
    }
    assert!(record.join("kubeconfig").exists(), "what is no name removes nothing");
    on(&engine, dir.path(), &["cluster", "down"]).run().expect_exit(0);
    assert!(!record.exists(), "the record with its keys");
    assert!(!killed.exists(), "the private folder of a killed run");
}
