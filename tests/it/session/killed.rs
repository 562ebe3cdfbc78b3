//! A session whose process is killed at any moment is resumed where it stood, and nothing of it runs on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keywitness::session::{Answer, Left, Request, door, running};
use rand::Rng;

use super::helper::{Learner, Settings, read};
use crate::harness::need;

/// Sessions that are killed at once.
const LANES: u32 = 4;
/// Milliseconds from a session's start to its end: it has gone through all steps and back by then.
const LONGEST: u64 = 2500;
const CHILD: &str = "KEYWITNESS_TEST_SESSION";
const LAB: &str = r#"---
title: Many steps
clusters: [sandbox]
vars:
  NS: { random: "kill-????" }
---
# Many steps

## One

```bash
kubectl create namespace "$NS"
```

```check
key /registry/namespaces/${NS} exists
```

## Two

```bash
kubectl -n "$NS" create configmap two
```

```check
key /registry/configmaps/${NS}/two exists
```

## Three

```bash
kubectl -n "$NS" create configmap three
```

```check
key /registry/configmaps/${NS}/three exists
```
"#;

/// In a process of its own: a learner who goes on and on.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(given) = std::env::var(CHILD) else { return };
    let (lab, state) = given.split_once('|').expect("two paths");
    let mut learner = Learner::begin(Settings::in_folder(Path::new(lab), Path::new(state))).await;
    loop {
        let view = learner.view().await;
        learner.until_open(&view.step.id).await;
        learner.ask(Request::Solve).await;
        learner.until_green(&view.step.id).await;
        // A lab that is finished is not resumed: this one never is.
        let again = Request::Reset { step: Some("1".to_owned()) };
        learner.ask(if view.open == view.of { again } else { Request::Next }).await;
    }
}

fn begin(lab: &Path, state: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["session::killed::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{}|{}", lab.display(), state.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes that have this folder among their arguments.
fn processes_of(dir: &Path) -> Vec<String> {
    let dir = dir.display().to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(&dir) && line.contains("etcd")).collect()
}

/// Begins and kills a session so many times; what is then left of it is resumed.
fn killed_and_resumed(times: u32) {
    let dir = tempfile::tempdir().expect("a folder");
    let (lab, state): (PathBuf, PathBuf) = (dir.path().join("many.md"), dir.path().join("state"));
    std::fs::write(&lab, LAB).expect("it is written");
    let mut name = None;
    for round in 0..times {
        let mut child = begin(&lab, &state);
        let found = wait_for("no session began", || running(&state).pop());
        // Any moment: while it starts, acts, writes its progress or goes back.
        std::thread::sleep(Duration::from_millis(rand::rng().random_range(0..LONGEST)));
        let answer = door::ask(&found.door, Request::List);
        child.kill().expect("it is killed");
        child.wait().expect("it is gone");
        wait_for("its etcd runs on", || processes_of(&state).is_empty().then_some(()));
        assert!(running(&state).is_empty(), "nobody holds the session");
        let progress = match Left::of(&state, &read(&lab)) {
            Left::Progress(progress) => progress,
            // Killed before it had begun anything.
            Left::Nothing if name.is_none() => continue,
            other => panic!("round {round}: {other:?}"),
        };
        let ns = progress.vars["NS"].clone();
        assert_eq!(*name.get_or_insert(ns.clone()), ns, "the names stay the same");
        if let Ok(Answer::Steps { max_points, .. }) = answer {
            assert_eq!(progress.max_points, max_points);
        }
    }
    if name.is_none() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut learner = Learner::begin(Settings::in_folder(&lab, &state)).await;
        assert!(learner.resumed);
        // A session that was killed on its way back goes back first: the step is another then.
        let open = learner.settles(|view| !view.step.preparing).await;
        // What the steps before made is there.
        if open.open > 1 {
            assert_eq!(learner.runs("kubectl get namespace \"$NS\"").await.0, 0, "{open:?}");
        }
        if open.open > 2 {
            assert_eq!(learner.runs("kubectl -n \"$NS\" get configmap two").await.0, 0, "{open:?}");
        }
        assert!(learner.quit(false).await.is_empty());
    });
}

/// Twenty kills, or `KEYWITNESS_KILLS`, of several sessions beside each other: most of the time each of them waits.
#[test]
fn a_killed_session_is_resumed_where_it_stood() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let kills: u32 = std::env::var("KEYWITNESS_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let times = kills / LANES + u32::from(lane < kills % LANES);
            scope.spawn(move || killed_and_resumed(times));
        }
    });
    eprintln!("{kills} kills took {:?}", began.elapsed());
}
