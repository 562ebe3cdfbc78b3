//! The same clusters on Podman, through its API.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use crate::containers::{Up, eventually, lab, need_engine};
use crate::kind::{ON_THE_NODE, pid, started};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn the_first_lab_passes_and_leaves_nothing() {
    let podman = need_engine!(podman);
    let home = home();
    let first_look = format!("{ROOT}/labs/first-look");
    let args = ["run", "--on", "kind", "--engine", "podman", "-v", &first_look];
    let said = podman.keywitness(&args, home.path()).run().expect_exit(0).stdout();
    assert!(said.contains("note: engine: podman"), "{said}");
    assert!(said.contains("all proved"), "{said}");
    assert!(!home.path().join(".kube/config").exists());
    assert_eq!(podman.traces("keywitness-first-look"), [""; 0]);
}

#[test]
fn a_shell_on_the_node_is_a_terminal_with_etcdctl() {
    let podman = need_engine!(podman);
    let home = home();
    podman
        .keywitness(&["run", "--on", "kind", "--engine", "podman", "podman-node.md"], home.path())
        .file("podman-node.md", &lab("clusters: [kind]\n", ON_THE_NODE))
        .run()
        .expect_exit(0);
    assert_eq!(podman.traces("keywitness-podman-node"), [""; 0]);
}

#[test]
fn an_interrupt_and_a_kill_leave_nothing() {
    let podman = need_engine!(podman);
    let home = home();
    let test = |name: &str| {
        podman
            .keywitness(&["run", "--on", "kind", "--engine", "podman", "-v", &format!("{name}.md")], home.path())
            .file(&format!("{name}.md"), &lab("", "```bash {timeout=300s}\nsleep 300\n```"))
    };
    let stopped = test("podman-stopped");
    let mut child = started(&stopped, "nodes");
    kill(pid(&child), Signal::SIGINT).expect("it is there");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(podman.traces("keywitness-podman-stopped"), [""; 0]);

    let killed = test("podman-killed");
    let mut child = started(&killed, "kind ·");
    let there = podman.traces("keywitness-podman-killed");
    assert!(there.iter().any(|line| line.starts_with("volume")), "a node of Podman's has a volume: {there:?}");
    kill(pid(&child), Signal::SIGKILL).expect("it is there");
    child.wait().expect("it ends");
    eventually("the watchdog clears away", Duration::from_secs(60), || {
        podman.traces("keywitness-podman-killed").is_empty()
    });
}

#[test]
fn a_kept_cluster_is_listed_used_and_removed() {
    let podman = need_engine!(podman);
    let name = "kw-test-podman-kept";
    let up = Up::new(podman, name, &["--nodes", "2"]);
    let listed = up.call(&["cluster", "list"]).run().expect_exit(0).stdout();
    assert!(listed.lines().any(|line| line.starts_with(name) && line.contains("2 nodes")), "{listed}");
    let status = up.call(&["cluster", "status", name]).run().expect_exit(0).stdout();
    assert!(status.contains(&format!("{name}-worker")), "{status}");
    let body =
        "```bash {name=nodes}\nkubectl get nodes -o name | wc -l\n```\n```check\noutput nodes contains \"2\"\n```";
    let run = up.call(&["run", "--on", "kind", "--cluster", name, "kept.md"]);
    run.file("kept.md", &lab("", body)).run().expect_exit(0);
}
