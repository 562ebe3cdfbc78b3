//! The page in a real browser: `tests/page/*.mjs`, each driven by node with Debian's Chromium.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Test, need, record_skip};

/// What `scripts/setup --browser` has installed, at the lock of this tree.
pub(crate) fn tools() -> Option<PathBuf> {
    let dir = match std::env::var_os("KEYWITNESS_PAGE_TOOLS") {
        Some(dir) => PathBuf::from(dir),
        None => owned_processes::tools_folder()?.parent()?.join("page"),
    };
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/package-lock.json");
    let same = std::fs::read(dir.join("package-lock.json")).ok()? == std::fs::read(lock).ok()?;
    (same && dir.join("node_modules/playwright-core").is_dir()).then_some(dir)
}

pub(crate) fn browser() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(owned_processes::tool)
}

fn driven(case: &str, before: &[&str]) {
    let Some(tools) = tools() else {
        record_skip(module_path!(), "browser", "playwright-core is not installed: scripts/setup --browser");
        return;
    };
    let Some(browser) = browser() else {
        record_skip(module_path!(), "browser", "chromium is not installed: scripts/setup --browser");
        return;
    };
    let Some(node) = owned_processes::tool("node") else {
        record_skip(module_path!(), "browser", "node is not installed");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let words: Vec<&str> = before.iter().copied().chain([node.to_str().expect("a path")]).collect();
    let output = Command::new(words[0])
        .args(&words[1..])
        .arg(root.join("tests/page").join(case))
        .env("KEYWITNESS_PAGE_TOOLS", tools)
        .env("KEYWITNESS_BROWSER", browser)
        .env("KEYWITNESS_BINARY", env!("CARGO_BIN_EXE_keywitness"))
        .env("KEYWITNESS_LABS", root.join("labs"))
        .env("KEYWITNESS_ASSETS", root.join("src/web/assets"))
        .envs(std::env::var_os("UPDATE_PICTURES").map(|_| ("KEYWITNESS_PICTURES", root.join("docs/pictures"))))
        .stdin(Stdio::null())
        .output()
        .expect("node starts");
    assert!(
        output.status.success(),
        "{case}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn causes_patterns_and_places_are_right() {
    driven("plain.mjs", &[]);
}

/// Of the recording in tests/golden/report, which has every kind of failure: as the only part of a course.
#[test]
fn the_report_for_a_browser_is_whole_and_accessible() {
    let text = include_str!("../golden/report/report.json");
    let mut report: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let labs = report["results"].as_array().map_or(0, Vec::len);
    report["shard"] = serde_json::json!({ "index": 1, "of": 1, "course": "", "labs": labs });
    report["labs"][0]["saved"] = "saved".into();
    let cast =
        "{\"version\":3}\n[0.1,\"o\",\"\\u001b[1m$\\u001b[0m kubectl get nodes\\r\\n\"]\n[0.1,\"m\",\"step: Look\"]\n";
    let test = Test::new(&["merge", "part.json", "--html", "report.html"]).file("part.json", &report.to_string());
    let test = test.file("saved/terminal-1.cast", cast);
    let done = test.run().expect_exit(2);
    let page = done.dir().join("report.html");
    driven("report.mjs", &["env", &format!("KEYWITNESS_REPORT={}", page.display())]);
}

#[test]
fn the_vendored_files_are_those_of_the_lock() {
    driven("vendored.mjs", &[]);
}

/// In `docs/pictures`, and what is to be read on them.
const PICTURES: &[(&str, &[&str])] = &[
    ("page-course.png", &["A first look into etcd", "You left off here", "step 6 of 8"]),
    ("page-lab.png", &["One command, one key", "holds", "kubectl create namespace demo", "Time line"]),
    ("page-failure.png", &["not yet", "purposes: demo", "changed"]),
    ("page-time-line.png", &["Time line", "deleted", "checks", "create deployment web"]),
];

/// The same picture, for those who read at night.
fn dark(name: &str) -> String {
    name.replace(".png", "-dark.png")
}

pub(crate) fn draws(name: &str) -> bool {
    PICTURES.iter().any(|(drawn, _)| *drawn == name || dark(drawn) == name)
}

/// `scripts/pictures` draws them again.
#[test]
fn the_pages_pictures_show_what_they_must() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    need!("etcd", "etcdctl", "kubectl");
    driven("pictures.mjs", &[]);
    let both = PICTURES.iter().flat_map(|(name, shows)| [((*name).to_owned(), shows), (dark(name), shows)]);
    for (name, shows) in both {
        let png = std::fs::read(folder.join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let at = png.windows(16).position(|part| part == b"tEXtDescription\0").expect("the picture's own words");
        let length = u32::from_be_bytes(png[at - 4..at].try_into().expect("four bytes")) as usize;
        let words = String::from_utf8_lossy(&png[at + 16..at + 4 + length]).into_owned();
        for word in *shows {
            assert!(words.contains(word), "{name} does not show {word:?}: {words}");
        }
    }
}

#[test]
fn a_lab_is_walked_by_typing_in_the_page() {
    need!("etcd", "etcdctl", "kubectl");
    driven("walk.mjs", &[]);
}

#[test]
fn a_lab_is_walked_with_no_network() {
    need!("etcd", "etcdctl", "kubectl", "unshare", "ip");
    let alone = ["unshare", "--net", "--map-root-user", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"];
    if !Command::new(alone[0]).args(&alone[1..]).arg("true").status().is_ok_and(|status| status.success()) {
        record_skip(module_path!(), "unshare", "no network namespace can be made here");
        return;
    }
    driven("walk.mjs", &alone);
}

#[test]
fn a_reload_a_cut_socket_and_a_second_tab_lose_nothing() {
    need!("etcd", "etcdctl", "kubectl");
    driven("link.mjs", &[]);
}

#[test]
fn a_class_looks_on_and_changes_nothing() {
    need!("etcd", "etcdctl", "kubectl");
    driven("audience.mjs", &[]);
}

#[test]
fn each_button_does_what_it_says_and_a_lab_that_means_harm_does_nothing() {
    need!("etcd", "etcdctl", "kubectl");
    driven("buttons.mjs", &[]);
}

#[test]
fn every_view_is_accessible_and_fits_in_each_size() {
    need!("etcd", "etcdctl", "kubectl");
    driven("faces.mjs", &[]);
}

#[test]
fn a_learner_works_behind_the_proxy_of_a_hub() {
    need!("etcd", "etcdctl", "kubectl");
    driven("hub.mjs", &[]);
}
