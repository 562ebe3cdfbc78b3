//! The loop of somebody who writes a lab: one step, what goes on after a failure, and a lab that is looked at each time
//! it is saved.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{Done, Test, need};

const LAB: &str = r#"---
title: Three maps
clusters: [sandbox]
---
# Three maps

## One

```bash
kubectl create configmap alpha-map --from-literal=a=1
```

```check
key /registry/configmaps/default/alpha-map where object.data.a == "1" within 300s
```

## Two

```bash
kubectl create configmap beta-map --from-literal=b=1
```

```check
key /registry/configmaps/default/beta-map where object.data.b == "1"
```

## Three

```bash
kubectl label configmap alpha-map kind-of=thing
```

```check
key /registry/configmaps/default/alpha-map where object.metadata.labels["kind-of"] == "thing"
```

## Clean up

```bash {cleanup}
kubectl delete configmap alpha-map beta-map --ignore-not-found
```
"#;

fn run(args: &[&str], lab: &str) -> Done {
    Test::new(args).file("maps/README.md", lab).run()
}

/// Of each step: its verdict and its reason.
fn steps(done: &Done) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&done.stdout()).expect("standard output is JSON");
    let steps = report["labs"][0]["steps"].as_array().expect("steps");
    let text = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_owned();
    steps.iter().map(|step| (text(step, "verdict"), text(step, "reason"))).collect()
}

#[test]
fn after_a_failure_goes_on_what_does_not_build_on_it_and_no_check_is_waited_for_longer_than_asked() {
    need!("etcd", "kubectl", "etcdctl");
    // Without --max-wait the first check alone is waited for five minutes.
    let broken = LAB.replace("object.data.a == \"1\"", "object.data.a == \"2\"");
    let done =
        run(&["test", "maps", "--keep-going", "--max-wait", "200ms", "--format", "json"], &broken).expect_exit(1);
    let found = steps(&done);
    let verdicts: Vec<&str> = found.iter().map(|(verdict, _)| verdict.as_str()).collect();
    assert_eq!(verdicts[..3], ["fail", "pass", "skipped"], "{found:?}");
    assert!(found[2].1.contains("it builds on “One”, which failed"), "{found:?}");
    let done = run(&["test", "maps", "--max-wait", "200ms", "--format", "json"], &broken).expect_exit(1);
    assert_eq!(steps(&done)[1].0, "skipped");
}

#[test]
fn one_step_runs_with_what_it_needs() {
    need!("etcd", "kubectl", "etcdctl");
    let done = run(&["test", "maps#three", "--format", "json"], LAB).expect_exit(0);
    let found = steps(&done);
    let verdicts: Vec<&str> = found.iter().map(|(verdict, _)| verdict.as_str()).collect();
    assert_eq!(verdicts[..3], ["pass", "skipped", "pass"], "{found:?}");
    assert!(found[1].1.contains("only `three` and what it needs were asked for"), "{found:?}");
    let wrong = run(&["test", "maps#thre"], LAB).expect_exit(2);
    assert!(wrong.stdout().contains("it has no step `thre`; did you mean `three`?"), "{}", wrong.stdout());
}

#[test]
fn a_lab_that_is_saved_is_judged_by_the_last_run() {
    need!("etcd", "kubectl", "etcdctl");
    let saved = run(&["test", "maps", "--save", "runs"], LAB).expect_exit(0);
    let folder = saved.dir().join("runs/maps").display().to_string();
    let watch = Test::new(&["watch", "maps", "--run", &folder, "--no-run"]).file("maps/README.md", LAB);
    let mut child = watch.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let (told, lines) = mpsc::channel();
    let hear = |from: Box<dyn std::io::Read + Send>| {
        let told = told.clone();
        std::thread::spawn(move || {
            BufReader::new(from).lines().map_while(Result::ok).for_each(|line| drop(told.send(line)));
        });
    };
    hear(Box::new(child.stdout.take().expect("a pipe")));
    hear(Box::new(child.stderr.take().expect("a pipe")));
    let mut heard = Vec::new();
    // Lines of standard error may come before what was printed earlier.
    let mut until = |wanted: &[&str]| {
        let from = heard.len();
        while !wanted.iter().all(|text| heard[from..].iter().any(|line: &String| line.contains(text))) {
            match lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => heard.push(line),
                Err(why) => panic!("not all of {wanted:?} came: {why}: {}", heard.join("\n")),
            }
        }
    };
    until(&["judged by the last run"]);
    let file = watch.dir().join("maps/README.md");
    fs::write(&file, LAB.replace("object.data.b == \"1\"", "object.data.b == \"2\" within 1ms")).expect("it is saved");
    until(&["object.data.b = \"1\"", "judged by the last run"]);
    fs::write(&file, LAB.replace("where object.data.b", "were object.data.b")).expect("it is saved");
    until(&["has errors"]);
    // As many editors do it.
    let new = watch.dir().join("maps/.new");
    fs::write(&new, LAB).expect("it is written");
    fs::rename(&new, &file).expect("it takes the place of the old one");
    until(&["judged by the last run"]);
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGINT).expect("it is told to end");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_lab_whose_need_has_not_passed_is_skipped_with_the_reason() {
    need!("etcd", "kubectl", "etcdctl");
    let lab = |needs: &str, command: &str| {
        format!("---\ntitle: A lab\nneeds: [{needs}]\nclusters: [sandbox]\n---\n## Do it\n\n```bash\n{command}\n```\n")
    };
    let done = Test::new(&["test", "course", "--jobs", "4", "--format", "json"])
        .file("course/a/README.md", &lab("", "false"))
        .file("course/b/README.md", &lab("a", "true"))
        .file("course/c/README.md", &lab("b", "true"))
        .file("course/d/README.md", &lab("", "true"))
        .file("course/e/README.md", &lab("d", "true"))
        .run()
        .expect_exit(1);
    let report: Value = serde_json::from_str(&done.stdout()).expect("standard output is JSON");
    let mut labs: Vec<_> = report["labs"].as_array().expect("labs").iter().collect();
    labs.sort_by_key(|lab| lab["id"].as_str());
    let found: Vec<_> = labs.iter().map(|lab| (lab["verdict"].as_str(), lab["reason"].as_str())).collect();
    assert_eq!(found[0].0, Some("fail"));
    assert_eq!(found[1], (Some("skipped"), Some("not begun: it needs a, which has not passed")));
    assert_eq!(found[2], (Some("skipped"), Some("not begun: it needs b, which has not passed")));
    assert_eq!((found[3].0, found[4].0), (Some("pass"), Some("pass")));
}

/// Where somebody watches, a shell opens on what is kept, before the clean-up.
#[test]
fn a_kept_cluster_is_looked_at_in_a_shell() {
    need!("etcd", "kubectl", "etcdctl");
    let test = Test::new(&["test", "maps", "--keep"]).file("maps/README.md", LAB);
    let pty = portable_pty::native_pty_system().openpty(portable_pty::PtySize::default()).expect("a PTY");
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_keywitness"));
    command.args(["test", "maps", "--keep"]);
    command.cwd(test.dir());
    command.env("XDG_CACHE_HOME", test.dir().join("cache"));
    for name in ["CI", "GITHUB_ACTIONS", "NO_COLOR"] {
        command.env_remove(name);
    }
    let mut child = pty.slave.spawn_command(command).expect("the binary starts");
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().expect("a reader");
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let screen = std::sync::Arc::clone(&seen);
    let reading = std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        // The end of a PTY is an error on Linux.
        while let Ok(read @ 1..) = reader.read(&mut chunk) {
            screen.lock().expect("no reader panics").extend_from_slice(&chunk[..read]);
        }
    });
    let shown = || String::from_utf8_lossy(&seen.lock().expect("no reader panics")).into_owned();
    let until = |wanted: &str| {
        let began = std::time::Instant::now();
        while !shown().contains(wanted) {
            assert!(began.elapsed() < Duration::from_secs(120), "no {wanted:?} in:\n{}", shown());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    };
    let mut keys = pty.master.take_writer().expect("a writer");
    until("(maps, kept)");
    // The quotes are not in the answer.
    keys.write_all(b"kubectl get configmap beta-map -o name && etcdctl get --keys-only /registry/configmaps/default/beta-map && echo se''en\n")
        .expect("typed");
    until("seen");
    assert!(shown().contains("configmap/beta-map\r\n/registry/configmaps/default/beta-map"), "{}", shown());
    keys.write_all(b"exit\n").expect("typed");
    let status = child.wait().expect("it ends");
    drop((keys, pty.master));
    reading.join().expect("the reader ends");
    assert_eq!(status.exit_code(), 0, "{}", shown());
}

/// It would be waited for five minutes.
#[test]
fn a_wait_ends_when_its_answer_cannot_change_any_more() {
    need!("etcd", "kubectl", "etcdctl");
    let head = "---\ntitle: A lab\nclusters: [sandbox]\n---\n## Do it\n\n";
    let strict = format!(
        "{head}```bash\nkubectl create configmap one --from-literal=a=1\nkubectl label configmap one x=y\n\
         kubectl annotate configmap one z=w\n```\n\n```check\nevents /registry/configmaps/default/one strict within 300s\n  \
         PUT where oldObject == null\n  PUT where object.metadata.annotations.z == \"w\"\n```\n\n\
         ```bash {{cleanup}}\nkubectl delete configmap one\n```\n"
    );
    let done = run(&["test", "maps"], &strict).expect_exit(1);
    let said = done.stdout();
    assert!(said.contains("what came in place of event 2 is revision"), "{said}");
    assert!(said.contains("/registry/configmaps/default/one is not created again"), "{said}");
}
