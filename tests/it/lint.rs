//! `keywitness lint`: each folder of `tests/golden/lint` is one case, with the lab, what standard
//! error says to the letter, and the exit status. `UPDATE_GOLDEN=1` writes the answers anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keywitness::parse::RULES;

use crate::harness::Test;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lint")
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(golden()).expect("the golden folder").map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    cases
}

/// The case's files but the answers, as paths under the case.
fn inputs(dir: &Path, under: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir.join(under)).expect("a folder of a case") {
        let path = under.join(entry.expect("an entry").file_name());
        if dir.join(&path).is_dir() {
            inputs(dir, &path, found);
        } else if path != Path::new("stderr") && path != Path::new("exit") {
            found.push(path);
        }
    }
}

fn lint(case: &Path) -> (String, String) {
    let mut files = Vec::new();
    inputs(case, Path::new(""), &mut files);
    let target = if files.contains(&PathBuf::from("lab.md")) { "lab.md" } else { "." };
    let test = files.iter().fold(Test::new(&["lint", target]), |test, file| {
        let text = fs::read_to_string(case.join(file)).expect("an input file");
        test.file(&file.to_string_lossy(), &text)
    });
    let done = test.run();
    (done.stderr(), format!("{}\n", done.exit().expect("an exit status")))
}

#[test]
fn each_case_says_what_its_golden_file_says() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let (stderr, exit) = lint(&case);
        if update {
            fs::write(case.join("stderr"), &stderr).expect("the answer is written");
            fs::write(case.join("exit"), &exit).expect("the answer is written");
        }
        let wanted = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
        if stderr != wanted("stderr") || exit != wanted("exit") {
            let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
            wrong.push(format!("--- {name}: wanted\n{}{}+++ got\n{stderr}{exit}", wanted("stderr"), wanted("exit")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_kind_of_finding_has_a_case() {
    let mut seen = BTreeSet::new();
    for case in cases() {
        let stderr = fs::read_to_string(case.join("stderr")).unwrap_or_default();
        seen.extend(RULES.iter().map(|rule| rule.code.0).filter(|code| stderr.contains(&format!("[{code}]"))));
    }
    // A golden case is text: `courses.rs` has a file that is none.
    seen.insert("KW008");
    // It is about a saved run: see below.
    seen.insert("KW087");
    let missing: Vec<&str> = RULES.iter().map(|rule| rule.code.0).filter(|code| !seen.contains(code)).collect();
    assert!(missing.is_empty(), "no golden case shows {missing:?}");
}

#[test]
fn codes_are_unique_and_in_order() {
    let codes: Vec<&str> = RULES.iter().map(|rule| rule.code.0).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
}

#[test]
fn twelve_mistakes_are_twelve_findings_each_at_its_place() {
    let done = Test::new(&["lint", "lab.md", "--format", "json"])
        .file("lab.md", &fs::read_to_string(golden().join("twelve-mistakes/lab.md")).expect("the lab"))
        .run()
        .expect_exit(2);
    let report: serde_json::Value = serde_json::from_str(&done.stdout()).expect("JSON");
    let found = report["diagnostics"].as_array().expect("diagnostics");
    let places: BTreeSet<(u64, u64)> = found
        .iter()
        .map(|finding| (finding["line"].as_u64().unwrap_or(0), finding["column"].as_u64().unwrap_or(0)))
        .collect();
    let codes: BTreeSet<&str> = found.iter().filter_map(|finding| finding["code"].as_str()).collect();
    assert_eq!((found.len(), places.len(), codes.len()), (12, 12, 12), "{found:#?}");
}

#[test]
fn labs_are_listed_with_what_a_learner_asks_first() {
    let lab = |title: &str, level: &str| {
        format!("---\ntitle: {title}\nlevel: {level}\nminutes: 10\n---\n## A step\n\nText.\n")
    };
    let done = Test::new(&["list"])
        .file("labs/one/README.md", &lab("The first", "beginner"))
        .file("labs/another.md", &lab("漢字", "advanced"))
        .run()
        .expect_exit(0);
    assert_eq!(
        done.stdout(),
        "another  advanced  10 min  sandbox,kind,attach  漢字\none      beginner  10 min  sandbox,kind,attach  The first\n"
    );
}

#[test]
fn minutes_are_held_against_saved_runs() {
    let lab = "---\ntitle: A\nminutes: 2\n---\n## A\n\n```bash\nls\n```\n";
    let lint = |duration_ms: u64, verdict: &str| {
        let test = Test::new(&["lint", "lab.md", "--runs", "runs"]).file("lab.md", lab);
        let path = fs::canonicalize(test.dir()).expect("the folder").join("lab.md").display().to_string();
        let head = serde_json::json!({
            "format": 1, "tool": "keywitness", "command": "test", "solved": true, "seed": "1", "started_at": "2026-11-28T00:00:00Z",
            "lab": {"id": "lab", "title": "A", "file": "lab.md", "path": path},
            "cluster": {"kind": "sandbox", "kubernetes": null, "etcd": null}, "verdict": verdict, "duration_ms": duration_ms,
        });
        test.file("runs/lab/run.json", &head.to_string()).run().expect_exit(0).stderr()
    };
    let said = lint(125_000, "pass");
    assert!(said.contains("lab.md:3:1: warning[KW087]: `minutes: 2`, and a saved run took 2 min 5 s"), "{said}");
    assert!(said.contains("say at least `minutes: 4`"), "{said}");
    assert!(!lint(110_000, "pass").contains("KW087"));
    // What failed was waited for.
    assert!(!lint(125_000, "fail").contains("KW087"));
}
