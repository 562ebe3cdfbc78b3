//! The recipes of deploy/: their files are read, and the commands in them are taken by this binary.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Test, need};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files() -> Vec<(PathBuf, String)> {
    let folders = ["deploy/github", "deploy/gitlab", "deploy/kubernetes", "deploy/jupyterhub", ".github/workflows"];
    let mut found = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(root().join(folder)).expect(folder) {
            let path = entry.expect("an entry").path();
            let text = fs::read_to_string(&path).expect("a text");
            found.push((path, text));
        }
    }
    found.push((root().join("docs/ci.md"), fs::read_to_string(root().join("docs/ci.md")).expect("the page")));
    found
}

/// Each call of the binary in these texts: the command and its flags, up to the end of the shell's line.
fn calls(text: &str) -> Vec<(String, Vec<String>)> {
    let joined = text.replace("\\\n", " ").replace("' '\n", " ").replace("'\n    f'", "");
    let mut found = Vec::new();
    for (at, _) in joined.match_indices("keywitness ") {
        let rest: &str = joined[at + "keywitness ".len()..].split(['\n', ';', '`', '#']).next().unwrap_or_default();
        let mut words = rest.split_whitespace();
        let Some(command) = words.next().filter(|word| ["test", "merge", "serve", "verify"].contains(word)) else {
            continue;
        };
        let flags = words.filter(|word| word.starts_with("--")).map(|word| word.trim_matches(['"', '\'']).to_owned());
        found.push((command.to_owned(), flags.collect()));
    }
    found
}

#[test]
fn the_commands_of_the_recipes_exist() {
    let mut seen = BTreeSet::new();
    for (path, text) in files() {
        for (command, flags) in calls(&text) {
            let help = Test::new(&[&command, "--help"]).run().expect_exit(0).stdout();
            for flag in flags {
                let is_known = help.split_whitespace().any(|word| word.trim_end_matches(',') == flag);
                assert!(is_known, "{}: keywitness {command} has no {flag}", path.display());
            }
            seen.insert(command);
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["merge", "serve", "test", "verify"]);
}

/// Whatever the manifest says is known to the API: a field that it does not know is refused.
#[test]
fn the_indexed_job_is_taken_by_an_api_that_checks_its_fields() {
    need!("etcd", "kubectl", "etcdctl");
    let job = fs::read_to_string(root().join("deploy/kubernetes/job.yaml")).expect("the recipe");
    let lab = "---\ntitle: A job\nclusters: [sandbox]\n---\n# A job\n\n## Make it\n\n```bash\nkubectl apply --validate=strict -f \
               job.yaml\n```\n```check\nresource job/labs where object.spec.completionMode == \"Indexed\" && \
               object.spec.podFailurePolicy.rules.size() == 3\n```\n\n## Clean up\n\n```bash {cleanup}\nkubectl delete -f \
               job.yaml --ignore-not-found\n```\n";
    let in_lab = lab.replace("job.yaml", "\"$LAB_DIR/job.yaml\"");
    let done = Test::new(&["test", "job", "--format", "json"])
        .file("job/README.md", &in_lab)
        .file("job/job.yaml", &job)
        .run()
        .expect_exit(0);
    let report: Value = serde_json::from_str(&done.stdout()).expect("JSON");
    assert_eq!(report["labs"][0]["verdict"], "pass", "{report:#}");
}

#[test]
fn the_exit_statuses_of_the_failure_policy_are_ours() {
    let job = fs::read_to_string(root().join("deploy/kubernetes/job.yaml")).expect("the recipe");
    let after = |action: &str| {
        let rule = job.split(&format!("action: {action}")).nth(1).unwrap_or_default();
        let values = rule.split("values: [").nth(1).unwrap_or_default();
        values.split(']').next().unwrap_or_default().to_owned()
    };
    // 1 and 2 are the labs' own; 3 is the cluster's or a tool's.
    assert_eq!((after("FailIndex").as_str(), after("Count").as_str()), ("1, 2", "3"));
}

#[test]
fn the_homebrew_formula_has_the_checksum_of_each_target() {
    const TARGETS: [&str; 4] =
        ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "x86_64-apple-darwin", "aarch64-apple-darwin"];
    let folder = tempfile::tempdir().expect("a temp folder");
    let sums = folder.path().join("SHA256SUMS");
    let formula = |targets: &[&str]| {
        let lines: Vec<String> = targets
            .iter()
            .enumerate()
            .map(|(number, target)| format!("{number:064x}  keywitness-9.8.7-{target}.tar.gz\n"))
            .collect();
        fs::write(&sums, lines.concat()).expect("the checksums are written");
        Command::new(root().join("scripts/formula")).arg("9.8.7").arg(&sums).output().expect("bash starts")
    };
    let done = formula(&TARGETS);
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for (number, target) in TARGETS.iter().enumerate() {
        let own = format!("/v9.8.7/keywitness-9.8.7-{target}.tar.gz\"\n      sha256 \"{number:064x}\"\n");
        assert!(text.contains(&own), "{target}: {text}");
    }
    let done = formula(&TARGETS[..3]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && said.contains("no checksum of keywitness-9.8.7-aarch64-apple-darwin"), "{said}");
}

/// What stands in for protoc was made of the files of the version that is built.
#[test]
fn no_build_needs_protoc() {
    let script = fs::read_to_string(root().join("scripts/protoc")).expect("the script");
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("the lock");
    let locked = lock.split("name = \"etcd-client\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
    let locked = locked.expect("etcd-client is locked");
    assert!(
        script.contains(&format!("# of etcd-client {locked}\n")),
        "scripts/protoc --renew makes it anew for etcd-client {locked}"
    );
    // Nothing else is compiled by protoc.
    let users: Vec<&str> = lock
        .split("[[package]]")
        .filter(|package| package.contains("\n \"tonic-prost-build\"") || package.contains("\n \"prost-build\""))
        .filter_map(|package| package.split("name = \"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(users, ["etcd-client", "tonic-prost-build"]);
    // Of other files a protoc on PATH is asked, and where there is none the message says what to do.
    let output = Command::new(root().join("scripts/protoc"))
        .args(["-o", "out", "other.proto"])
        .current_dir(std::env::temp_dir())
        .env("PATH", "/nowhere")
        .output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).expect("sh starts");
    assert!(said.contains("no protoc is on PATH"), "{said}");
}
