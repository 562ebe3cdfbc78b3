//! `keywitness new`: what it writes passes its own test.

use std::fs;

use crate::harness::{Test, need};

fn made(template: &str) -> String {
    let done = Test::new(&["new", "labs/my-lab", "--template", template]).run().expect_exit(0);
    assert!(done.stdout().starts_with("made labs/my-lab/README.md\n"), "{}", done.stdout());
    fs::read_to_string(done.dir().join("labs/my-lab/README.md")).expect("the lab")
}

fn passes(template: &str) {
    let lab = made(template);
    let done = Test::new(&["test", "labs/my-lab"]).file("labs/my-lab/README.md", &lab).run().expect_exit(0);
    let lint = Test::new(&["lint", "labs/my-lab"]).file("labs/my-lab/README.md", &lab).run().expect_exit(0);
    assert_eq!(lint.stdout(), "1 lab: no findings\n", "{}", lint.stderr());
    drop(done);
}

#[test]
fn a_new_tutorial_passes_its_test() {
    need!("etcd", "kubectl", "etcdctl");
    passes("tutorial");
}

#[test]
fn a_new_challenge_passes_its_test() {
    need!("etcd", "kubectl", "etcdctl");
    passes("challenge");
}

#[test]
fn a_new_bare_lab_passes_its_test() {
    need!("etcd", "etcdctl");
    passes("bare");
}

#[test]
fn nothing_is_written_over() {
    let done = Test::new(&["new", "mine"]).file("mine/README.md", "Mine.\n").run().expect_exit(2);
    assert!(done.stderr().contains("mine/README.md exists already"), "{}", done.stderr());
    assert_eq!(fs::read_to_string(done.dir().join("mine/README.md")).expect("the file"), "Mine.\n");
}

#[test]
fn a_name_that_is_no_id_is_refused() {
    for name in ["My Lab", "..", "-x", "a_b", "lab-", "9", "ä"] {
        let done = Test::new(&["new", "--", name]).run().expect_exit(2);
        assert!(done.stderr().contains("cannot be a lab's name"), "{name}: {}", done.stderr());
    }
}
