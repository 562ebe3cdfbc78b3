//! The loop of somebody who writes a lab: one step, what goes on after a failure, and a lab that is looked at each time
//! it is saved.

use std::fs;
use std::io::{BufRead, BufReader};
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
    let mut until = |wanted: &str| loop {
        match lines.recv_timeout(Duration::from_secs(60)) {
            Ok(line) => {
                let found = line.contains(wanted);
                heard.push(line);
                if found {
                    return;
                }
            }
            Err(why) => panic!("no {wanted:?} came: {why}: {}", heard.join("\n")),
        }
    };
    until("judged by the last run");
    let file = watch.dir().join("maps/README.md");
    fs::write(&file, LAB.replace("object.data.b == \"1\"", "object.data.b == \"2\" within 1ms")).expect("it is saved");
    until("object.data.b = \"1\"");
    until("judged by the last run");
    fs::write(&file, LAB.replace("where object.data.b", "were object.data.b")).expect("it is saved");
    until("has errors");
    // As many editors do it.
    let new = watch.dir().join("maps/.new");
    fs::write(&new, LAB).expect("it is written");
    fs::rename(&new, &file).expect("it takes the place of the old one");
    until("judged by the last run");
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGINT).expect("it is told to end");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
