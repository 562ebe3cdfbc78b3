//! The wall clock is set forward or back by an hour in the middle of a check.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::{Test, need, record_skip};

/// Fakes what the wall clock shows, and leaves the monotonic one as it is.
fn libfaketime() -> Option<PathBuf> {
    let folders = ["x86_64-linux-gnu", "aarch64-linux-gnu", "."];
    folders
        .iter()
        .map(|folder| PathBuf::from(format!("/usr/lib/{folder}/faketime/libfaketimeMT.so.1")))
        .find(|l| l.is_file())
}

const LAB: &str = "---\ntitle: A clock\nclusters: [sandbox]\n---\n## One\n\n```bash\n\
    kubectl get namespaces; touch \"$LAB_DIR/reached\"; while [ ! -e \"$LAB_DIR/stepped\" ]; do :; done\n\
    (unset LD_PRELOAD; sleep 2; kubectl create configmap late) >/dev/null 2>&1 &\n```\n\n```check\nCHECK\n```\n";

/// The exit status and the screen of a run whose clock is stepped when its block has begun.
fn stepped(by: &str, check: &str) -> Option<(Option<i32>, String, Duration)> {
    let Some(library) = libfaketime() else {
        record_skip(module_path!(), "libfaketime", "it is not installed: Debian's package faketime has it");
        return None;
    };
    let test = Test::new(&["run", "lab"]).file("lab/README.md", &LAB.replace("CHECK", check)).file("clock", "+0");
    let mut command = test.command();
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", test.dir().join("clock"));
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    while !test.dir().join("lab/reached").exists() {
        assert!(child.try_wait().expect("it can be waited for").is_none(), "the run ended by itself");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    fs::write(test.dir().join("clock"), by).expect("the clock is set");
    let began = Instant::now();
    fs::write(test.dir().join("lab/stepped"), "").expect("the block goes on");
    let output = child.wait_with_output().expect("it ends");
    Some((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), began.elapsed()))
}

#[test]
fn an_event_after_a_step_is_seen_by_never() {
    need!("etcd", "kubectl", "etcdctl");
    for by in ["+3600", "-3600"] {
        let Some((exit, screen, _)) = stepped(by, "never /registry/configmaps/default/late for 8s") else { return };
        assert_eq!(exit, Some(1), "{by}:\n{screen}");
        assert!(screen.contains("a PUT came"), "{by}:\n{screen}");
    }
}

#[test]
fn what_comes_in_time_is_in_time_whatever_the_clock_shows() {
    need!("etcd", "kubectl", "etcdctl");
    for by in ["+3600", "-3600"] {
        let check = "key /registry/configmaps/default/late exists within 30s\nevents /registry/configmaps/default/late within 30s\n  PUT";
        let Some((exit, screen, _)) = stepped(by, check) else { return };
        assert_eq!(exit, Some(0), "{by}:\n{screen}");
        let check = "run \"false\" within 1s\nkey /registry/configmaps/default/other exists within 1s";
        let Some((exit, screen, took)) = stepped(by, check) else { return };
        assert_eq!(exit, Some(1), "{by}:\n{screen}");
        assert!(took < Duration::from_secs(600), "its second lasted {took:?}");
    }
}
