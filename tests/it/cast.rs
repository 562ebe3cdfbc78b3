//! A terminal's recording of a saved run plays in asciinema-player, in a real browser.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Test, need, record_skip};
use crate::page;

/// What `scripts/setup --browser` has installed, at the lock of this tree.
fn player() -> Option<PathBuf> {
    let dir = match std::env::var_os("KEYWITNESS_CAST_TOOLS") {
        Some(dir) => PathBuf::from(dir),
        None => owned_processes::tools_folder()?.parent()?.join("cast"),
    };
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cast/package-lock.json");
    let same = std::fs::read(dir.join("package-lock.json")).ok()? == std::fs::read(lock).ok()?;
    (same && dir.join("node_modules/asciinema-player").is_dir()).then_some(dir)
}

#[test]
fn a_saved_recording_plays_with_its_markers() {
    need!("etcd", "etcdctl", "kubectl");
    let (Some(player), Some(tools), Some(browser), Some(node)) =
        (player(), page::tools(), page::browser(), owned_processes::tool("node"))
    else {
        record_skip(
            module_path!(),
            "browser",
            "asciinema-player, chromium or node is missing: scripts/setup --browser",
        );
        return;
    };
    let lab =
        include_str!("../../src/author/templates/tutorial.md").replace("@TITLE@", "My lab").replace("@ID@", "my-lab");
    let done = Test::new(&["test", "my-lab", "--save", "runs"]).file("my-lab/README.md", &lab).run().expect_exit(0);
    let output = Command::new(node)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cast/play.mjs"))
        .env("KEYWITNESS_PAGE_TOOLS", tools)
        .env("KEYWITNESS_CAST_TOOLS", player)
        .env("KEYWITNESS_BROWSER", browser)
        .env("KEYWITNESS_CAST", done.dir().join("runs/my-lab/terminal-1.cast"))
        .stdin(Stdio::null())
        .output()
        .expect("node starts");
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&said));
}
