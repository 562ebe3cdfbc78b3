//! The folder for temporary files: named oddly, or on a disk that is full or gets full.

use std::process::{Command, Stdio};

use super::{Case, cases};
use crate::harness::{Test, need, record_skip};

cases! {
    an_empty_tmpdir_is_none => Case::new(&["run"], "environment/temp-folder.md").env("TMPDIR", "").exit(0);
    a_relative_tmpdir_is_reached_from_every_folder =>
        Case::new(&["run"], "environment/temp-folder.md").env("TMPDIR", ".").exit(0);
    a_tmpdir_with_a_colon_is_not_put_on_path =>
        Case::new(&["run"], "environment/temp-folder.md").env("TMPDIR", "/tmp/a:b").exit(0);
    a_tmpdir_that_is_not_there_is_passed_over =>
        Case::new(&["run"], "environment/temp-folder.md").env("TMPDIR", "/nonexistent/tmp").exit(0);
}

const FILLS: &str = "---\ntitle: A full disk\nclusters: [sandbox]\n---\n## One\n\n```bash\n\
    kubectl create configmap one\n\
    dd if=/dev/zero of=fill bs=1M 2>/dev/null || true\n\
    value=$(head -c 90000 /dev/zero | tr '\\0' a)\n\
    for i in $(seq 2000); do kubectl create configmap \"big$i\" --from-literal=\"a=$value\" >/dev/null 2>&1 || break; done\n\
    ```\n\n```check\nkey /registry/configmaps/default/never-made exists within 1s\n```\n";

/// A run whose temporary files lie on a disk of this size; none where this user may not mount one.
fn on_a_small_disk(size: &str, lab: &str) -> Option<(Option<i32>, String, Vec<String>)> {
    let mounts = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "bash", "-c", script]).stdin(Stdio::null());
        command
    };
    let may = mounts("mount -t tmpfs none /mnt").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        record_skip(module_path!(), "a mount namespace", "this user may not mount a small disk of its own");
        return None;
    }
    let test = Test::new(&["run", "lab.md"]).file("lab.md", lab).file("small/.keep", "");
    let plain = test.command();
    let mut command = mounts(&format!(
        "mount -t tmpfs -o size={size} none small; export TMPDIR=$PWD/small; \"$@\"; status=$?; ls -A small; exit $status"
    ));
    command.arg("bash").arg(plain.get_program()).args(plain.get_args()).current_dir(test.dir());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.env_remove("XDG_RUNTIME_DIR").output().expect("unshare runs");
    let screen = String::from_utf8_lossy(&output.stdout).into_owned();
    let left = screen.lines().filter(|line| line.starts_with("keywitness-")).map(str::to_owned).collect();
    Some((output.status.code(), screen, left))
}

#[test]
fn a_disk_too_small_for_etcd_is_named_before_etcd_starts() {
    need!("etcd", "kubectl");
    let lab = include_str!("../../cases/environment/temp-folder.md");
    let Some((exit, screen, left)) = on_a_small_disk("60m", lab) else { return };
    assert_eq!(exit, Some(3), "{screen}");
    assert!(screen.contains("no space for the sandbox in ") && screen.contains("etcd needs 100"), "{screen}");
    assert!(!screen.contains("goroutine") && !screen.contains(".go:"), "{screen}");
    assert!(left.is_empty(), "{left:?}");
}

/// Where etcd's second log does not fit, it may end while the sandbox starts; where it does, once the lab has filled
/// the disk, and then with no room to say why.
#[test]
fn a_disk_that_gets_full_is_named_as_why_etcd_ended() {
    need!("etcd", "kubectl");
    for size in ["120m", "180m"] {
        let Some((exit, screen, left)) = on_a_small_disk(size, FILLS) else { return };
        assert_eq!(exit, Some(3), "{size}: {screen}");
        let while_it_starts = screen.contains("no space for the sandbox in ");
        let later = screen.contains("etcd ended: ") && screen.contains("no space left on device");
        assert!(while_it_starts || later, "{size}: {screen}");
        assert!(!screen.contains("goroutine"), "{size}: {screen}");
        assert!(left.is_empty(), "{size}: {left:?}");
    }
}
