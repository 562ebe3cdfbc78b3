use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::ending::owned;
use super::*;

fn guard_in(parent: &std::path::Path) -> Guard {
    let settings = GuardSettings { watchdog: None, grace: Duration::from_secs(1), parents: vec![parent.to_owned()] };
    Guard::start(settings).expect("a guard")
}

fn marked(run_id: &str) -> Vec<i32> {
    owned(run_id, &[]).into_iter().map(|row| row.pid).collect()
}

/// Polls until it holds: nothing here depends on how long that takes.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what} never came");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn the_end_reaches_a_group_a_new_session_and_the_folder() {
    let parent = tempfile::tempdir().expect("a folder");
    let guard = guard_in(parent.path());
    let mode = guard.dir().metadata().expect("metadata").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let script = "trap '' TERM; setsid sleep 1000 & sleep 1000 & wait";
    let process = guard.spawn(Command::new("bash").args(["-c", script])).expect("a child");
    until("three processes", || marked(guard.run_id()).len() == 3);
    std::fs::write(guard.folder("kept").expect("a folder").join("file"), "x").expect("written");

    assert_eq!(guard.end().await, Vec::<String>::new());

    assert_eq!(marked(guard.run_id()), Vec::<i32>::new());
    assert!(!guard.dir().exists());
    drop(process);
}

#[tokio::test]
async fn what_forks_without_pause_does_not_outrun_the_end() {
    let parent = tempfile::tempdir().expect("a folder");
    let guard = guard_in(parent.path());
    // It ends by itself at some depth, so that a failure of this test does not take the machine.
    let script = "trap '' TERM; f() { if [ $1 -lt 1500 ]; then (f $(($1 + 1))); else sleep 1000; fi; }; f 0";
    let process = guard.spawn(Command::new("bash").args(["-c", script])).expect("a child");
    until("a chain", || marked(guard.run_id()).len() > 20);

    assert_eq!(guard.end().await, Vec::<String>::new());

    assert_eq!(marked(guard.run_id()), Vec::<i32>::new());
    drop(process);
}

#[tokio::test]
async fn ending_one_process_ends_its_group_but_not_the_run() {
    let parent = tempfile::tempdir().expect("a folder");
    let guard = guard_in(parent.path());
    let mut one = guard.spawn(Command::new("bash").args(["-c", "sleep 1000 & wait"])).expect("a child");
    let other = guard.spawn(Command::new("sleep").arg("1000")).expect("a child");
    until("three processes", || marked(guard.run_id()).len() == 3);
    one.end(Duration::from_secs(5)).await.expect("a status");
    until("one process", || marked(guard.run_id()) == [other.id()]);
}

#[tokio::test]
async fn a_dropped_guard_ends_its_run() {
    let parent = tempfile::tempdir().expect("a folder");
    let guard = guard_in(parent.path());
    let run_id = guard.run_id().to_owned();
    let child = guard.spawn(Command::new("sleep").arg("1000")).expect("a child");
    drop(child);
    drop(guard);
    assert_eq!(marked(&run_id), Vec::<i32>::new());
    assert_eq!(std::fs::read_dir(parent.path()).expect("a listing").count(), 0);
}

#[tokio::test]
async fn the_next_start_clears_what_a_killed_run_left() {
    let parent = tempfile::tempdir().expect("a folder");
    // A runner that is certainly gone, in a folder as it would have left it.
    let mut runner = std::process::Command::new("sleep").arg("0.05").spawn().expect("a runner");
    let stamp = super::stamp::Stamp::of(i32::try_from(runner.id()).expect("a pid"));
    runner.wait().expect("a status");
    let left: PathBuf = parent.path().join("keywitness-0123abcd");
    std::fs::create_dir(&left).expect("a folder");
    std::fs::write(left.join("owner"), serde_json::to_vec(&stamp).expect("JSON")).expect("written");
    let mut orphan = std::process::Command::new("sleep");
    let mut orphan = orphan.arg("1000").env(MARKER, "0123abcd").spawn().expect("an orphan");

    let guard = guard_in(parent.path());

    assert!(!left.exists());
    assert!(guard.dir().exists());
    orphan.wait().expect("killed, so that this returns");
}

#[tokio::test]
async fn a_start_leaves_the_folders_of_live_runs_and_of_others_alone() {
    let parent = tempfile::tempdir().expect("a folder");
    let other = parent.path().join("keywitness-notes");
    std::fs::create_dir(&other).expect("a folder");
    let first = guard_in(parent.path());
    let second = guard_in(parent.path());
    assert!(first.dir().exists() && second.dir().exists() && other.exists());
}

#[test]
fn a_reused_number_is_not_taken_for_the_process_that_had_it() {
    let mut stamp = serde_json::to_value(super::stamp::Stamp::of_this_process()).expect("JSON");
    stamp["started"] = "1".into();
    let stamp: super::stamp::Stamp = serde_json::from_value(stamp).expect("a stamp");
    assert!(stamp.is_reused());
    assert!(!super::stamp::Stamp::of_this_process().is_reused());
}

#[tokio::test]
async fn a_folder_that_a_lab_locked_is_removed() {
    let parent = tempfile::tempdir().expect("a folder");
    let guard = guard_in(parent.path());
    let locked = guard.folder("locked").expect("a folder");
    std::fs::write(locked.join("file"), "x").expect("written");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o500)).expect("locked");
    assert_eq!(guard.end().await, Vec::<String>::new());
    assert!(!guard.dir().exists());
}
