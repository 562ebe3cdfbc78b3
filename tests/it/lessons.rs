//! What lessons of well-known pages show when something goes wrong, as labs in the sandbox.

use std::path::{Path, PathBuf};

use crate::harness::{Done, Test, need};

#[path = "lessons/events.rs"]
mod events;

fn lesson(name: &str) -> Test {
    let text = std::fs::read_to_string(file(name, "md")).expect("the lesson is there");
    Test::new(&["run", "--on", "sandbox", "lesson.md", "--save", "runs"]).file("lesson.md", &text)
}

fn file(name: &str, extension: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/sandbox/lessons/{name}.{extension}"))
}

#[track_caller]
fn passes(name: &str) -> Done {
    let done = lesson(name).run();
    assert_eq!(done.exit(), Some(0), "{name}:\n{}\n{}", done.stdout(), done.stderr());
    done
}

/// Passes, with the Events that a real cluster has.
#[track_caller]
fn goes_as_on_a_real_cluster(name: &str) {
    let done = passes(name);
    let table = std::fs::read_to_string(file(name, "events")).expect("the table is there");
    let journal = std::fs::read_to_string(done.dir().join("runs/lesson/journal.jsonl")).expect("the run is saved");
    if let Err(differs) = events::compare(&table, &journal) {
        panic!("{name}: {differs}\n{}", done.stdout());
    }
}

#[test]
fn a_rollout_of_a_tag_that_does_not_exist_stands_still() {
    need!("etcd", "kubectl");
    goes_as_on_a_real_cluster("failed-rollout");
}

#[test]
fn a_pod_is_debugged() {
    need!("etcd", "kubectl");
    goes_as_on_a_real_cluster("debug");
}

#[test]
fn a_command_that_is_not_there_is_not_started() {
    need!("etcd", "kubectl");
    goes_as_on_a_real_cluster("bad-command");
}

#[test]
fn what_takes_too_much_memory_is_killed() {
    need!("etcd", "kubectl");
    goes_as_on_a_real_cluster("out-of-memory");
}

#[test]
fn a_liveness_probe_goes_through_its_whole_arc() {
    need!("etcd", "kubectl");
    passes("liveness");
}

#[test]
fn a_job_fails_by_the_status_of_its_script() {
    need!("etcd", "kubectl");
    passes("job-exit-codes");
}

#[test]
fn a_wait_in_vain_names_the_pods_own_reason() {
    need!("etcd", "kubectl");
    let done = lesson("waits-in-vain").run();
    assert_eq!(done.exit(), Some(1), "{}\n{}", done.stdout(), done.stderr());
    let screen = done.stdout() + &done.stderr();
    assert!(screen.contains("is stuck: "), "{screen}");
    assert!(screen.contains("of container none: "), "{screen}");
    assert!(screen.contains("lookup registry.invalid on 172.18.0.1:53: no such host"), "{screen}");
}

#[test]
fn a_wait_for_an_image_that_no_registry_has_ends_at_once() {
    need!("etcd", "kubectl");
    let done = lesson("never-comes").run();
    assert_eq!(done.exit(), Some(1), "{}\n{}", done.stdout(), done.stderr());
    let screen = done.stdout() + &done.stderr();
    // Neither the command's own limit nor the block's.
    let words = "`kubectl rollout status deployment/web --timeout=290s` waits for what will not come: pod default/web-";
    assert!(screen.contains(words) && screen.contains("nginx:1.161: not found"), "{screen}");
    assert!(!screen.contains("not reached") || !screen.contains("timed out waiting"), "{screen}");
}

#[test]
fn a_check_for_what_no_registry_has_ends_before_its_time() {
    need!("etcd", "kubectl");
    let done = lesson("never-runs").run();
    assert_eq!(done.exit(), Some(1), "{}\n{}", done.stdout(), done.stderr());
    let screen = done.stdout() + &done.stderr();
    let ends = screen.matches("it waits for what will not come: pod default/web").count();
    assert!(ends >= 3 && screen.contains("nginx:1.161: not found"), "{screen}");
    // Who waits for the failure itself sees it.
    assert!(screen.contains("1/4 points"), "{screen}");
}

#[test]
fn a_webhook_that_nobody_serves_refuses() {
    need!("etcd", "kubectl");
    goes_as_on_a_real_cluster("webhook");
}

#[test]
fn a_webhook_that_the_lab_serves_refuses_and_converts() {
    need!("etcd", "kubectl", "python3", "openssl");
    goes_as_on_a_real_cluster("webhook-served");
}

#[test]
fn a_policy_changes_what_is_created() {
    need!("etcd", "kubectl");
    goes_as_on_a_real_cluster("mutating-policy");
}

#[test]
fn a_pod_has_the_time_that_it_asks_for_to_end() {
    need!("etcd", "kubectl");
    passes("graceful-end");
}

#[test]
fn a_pod_of_low_priority_gives_way_on_the_one_node_for_both() {
    need!("etcd", "kubectl");
    goes_as_on_a_real_cluster("preemption");
}
