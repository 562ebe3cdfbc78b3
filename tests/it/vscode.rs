//! The extension for VS Code: its own tests, by node, with the packages of its lock.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::record_skip;

/// What `scripts/setup --browser` has installed, at the lock of this tree; or what somebody has in the folder itself.
fn packages(root: &Path) -> Option<PathBuf> {
    let lock = std::fs::read(root.join("package-lock.json")).ok()?;
    let kept = owned_processes::tools_folder().and_then(|tools| Some(tools.parent()?.join("vscode")));
    let same = |dir: &PathBuf| {
        std::fs::read(dir.join("package-lock.json")).is_ok_and(|found| found == lock)
            && dir.join("node_modules/vscode-textmate").is_dir()
    };
    kept.into_iter().chain([root.to_owned()]).find(same)
}

#[test]
fn the_extension_passes_its_own_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("editors/vscode");
    let Some(node) = owned_processes::tool("node") else {
        record_skip(module_path!(), "node", "node is not installed");
        return;
    };
    let Some(packages) = packages(&root) else {
        record_skip(
            module_path!(),
            "node",
            "the packages of editors/vscode are not installed: scripts/setup --browser",
        );
        return;
    };
    let output = Command::new(node)
        .args(["--test", "test/grammar.test.js", "test/extension.test.js"])
        .current_dir(&root)
        .env("NODE_PATH", packages.join("node_modules"))
        .env_remove("UPDATE_SNAPSHOTS")
        .stdin(Stdio::null())
        .output()
        .expect("node starts");
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
