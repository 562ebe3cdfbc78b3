//! Folders of labs: each Markdown file is a lab or is named as none, whatever is wrong with the others, and `list`, `lint` and
//! `test` say the same.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::Test;

/// A lab that needs no tools to be read.
const FINE: &str = "# Fine\n\n## Make one\n\n```bash\nkubectl create namespace fine\n```\n\n```check\nkey /registry/namespaces/fine exists\n```\n";

fn with_head(head: &str) -> String {
    format!("{head}{FINE}")
}

/// The course of all near misses.
fn course(test: Test) -> Test {
    test.file("course/a/README.md", &with_head("---\nlevel: beginner\n---\n"))
        .file("course/b/README.md", &with_head("\n---\nlevel: beginner\n---\n"))
        .file("course/c/README.md", &with_head("--\nlevel: beginner\n---\n"))
        .file("course/d/readme.md", &with_head("---\nlevel: beginner\n---\n"))
        .file("course/e/lab.md", &with_head("---\nlevel: beginner\n---\n"))
        .file("course/f/README.md", &with_head("---\nlevle: beginner\n---\n"))
        .file("course/g/README.md", &with_head("\u{feff}---\nlevel: beginner\n---\n"))
        .file("course/h/README.md", &with_head("---\nlevel: beginner\n"))
        .file("course/i/README.md", FINE)
        .file("course/j.md", FINE)
        .bytes(
            "course/k/README.md",
            b"---\ntitle: caf\xe9\n---\n## A\n\n```bash\nls\n```\n\n```check\noutput contains \"a\"\n```\n",
        )
        .file("course/README.md", "# The course\n\n```bash\nls\n```\n")
        .file("course/a/notes.md", "# Notes\n")
        .file("course/.hidden/README.md", FINE)
}

const LABS: [&str; 11] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j.md", "k"];

/// `course/d/readme.md` is `d`.
fn short(file: &str) -> String {
    let path = file.strip_prefix("course/").unwrap_or(file);
    path.split('/').next().unwrap_or(path).to_owned()
}

#[test]
fn list_names_each_file_of_a_course() {
    let done = course(Test::new(&["list", "course", "--format", "json"])).run().expect_exit(2);
    let all: Value = serde_json::from_str(&done.stdout()).expect("JSON");
    let files = |key: &str| -> Vec<String> {
        let list = all[key].as_array().expect("a list").clone();
        list.iter().map(|lab| lab["file"].as_str().expect("a file").to_owned()).collect()
    };
    let labs: BTreeSet<String> = files("labs").iter().map(|file| short(file)).collect();
    assert_eq!(labs, BTreeSet::from(LABS.map(str::to_owned)));
    assert_eq!(files("others"), ["course/README.md", "course/a/notes.md"]);
    assert!(all["others"][0]["reason"].as_str().is_some_and(|why| why.contains("no front matter")), "{all:#}");
    let human = course(Test::new(&["list", "course"])).run().expect_exit(2);
    assert!(human.stderr().contains("no lab: course/a/notes.md: it has no front matter"), "{}", human.stderr());
    assert_eq!(human.stdout().lines().count(), LABS.len());
}

#[test]
fn lint_has_a_finding_for_each_near_miss() {
    let done = course(Test::new(&["lint", "course", "--format", "json"])).run().expect_exit(2);
    let report: Value = serde_json::from_str(&done.stdout()).expect("JSON");
    let found: Vec<(String, String)> = report["diagnostics"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| {
            (short(finding["file"].as_str().unwrap_or("")), finding["code"].as_str().unwrap_or("").to_owned())
        })
        .collect();
    let wanted = [
        ("b", "KW001"),
        ("c", "KW001"),
        ("d", "KW083"),
        ("e", "KW083"),
        ("f", "KW002"),
        ("g", "KW006"),
        ("h", "KW001"),
        ("k", "KW008"),
    ];
    assert_eq!(found, wanted.map(|(file, code)| (file.to_owned(), code.to_owned())), "{report:#}");
    let human = course(Test::new(&["lint", "course"])).run().expect_exit(2);
    assert!(human.stdout().starts_with("11 labs: "), "{}", human.stdout());
}

#[test]
fn a_lab_with_errors_keeps_no_other_from_running() {
    // Both are named; the good one has no cluster here, and says so.
    let done = Test::new(&["test", "course", "--on", "bare", "--format", "json"])
        .file("course/bad/README.md", &with_head("---\nlevle: beginner\n---\n"))
        .file("course/good/README.md", FINE)
        .run()
        .expect_exit(2);
    let report: Value = serde_json::from_str(&done.stdout()).expect("JSON");
    let labs: Vec<&str> =
        report["labs"].as_array().expect("labs").iter().filter_map(|lab| lab["id"].as_str()).collect();
    assert_eq!(labs, ["bad", "good"], "{report:#}");
    assert_eq!(report["labs"][0]["verdict"], "fail");
    assert!(report["labs"][0]["reason"].as_str().is_some_and(|why| why.contains("1 error")), "{report:#}");
}

#[test]
fn labs_are_tested_in_the_order_of_their_needs() {
    let step = "## S\n\n```bash\ntrue\n```\n";
    let run = |command: &str| {
        let done = Test::new(&[command, "course", "--on", "bare", "--format", "json"])
            .file("course/a/README.md", &format!("---\ntitle: A\nneeds: [b]\n---\n{step}"))
            .file("course/b/README.md", &format!("---\ntitle: B\nneeds: [c]\n---\n{step}"))
            .file("course/c/README.md", &format!("---\ntitle: C\n---\n{step}"))
            .run();
        let report: Value = serde_json::from_str(&done.stdout()).expect("JSON");
        let labs = report["labs"].as_array().expect("labs").clone();
        labs.iter().map(|lab| lab["id"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(run("test"), ["c", "b", "a"]);
    assert_eq!(run("run"), ["c", "b", "a"]);
}

#[test]
fn a_folder_without_labs_says_what_lies_in_it() {
    let done = Test::new(&["lint", "docs"]).file("docs/a.md", "# A\n").file("docs/b.md", "# B\n").run().expect_exit(2);
    assert!(done.stderr().contains("there is no lab in docs"), "{}", done.stderr());
    assert!(done.stderr().contains("docs/a.md: it has no front matter"), "{}", done.stderr());
}

#[test]
fn a_link_that_leads_back_is_followed_once() {
    let test = Test::new(&["list", "course"]).file("course/a/README.md", FINE).link("course/a/again", "../../course");
    let done = test.run().expect_exit(0);
    assert_eq!(done.stdout().lines().count(), 1, "{}", done.stdout());
}

#[test]
fn deep_and_large_files_are_refused_at_once() {
    let deep: Vec<String> = (0..300).map(|depth| format!("{}- x\n", "  ".repeat(depth))).collect();
    let deep = deep.concat();
    let quotes = format!("{} x\n", "> ".repeat(60));
    let large = "word ".repeat(500_000);
    for (text, message) in [(deep, "nest deeper than 48"), (quotes, "nest deeper than 48"), (large, "more than 2 MB")] {
        let done =
            Test::new(&["lint", "lab.md"]).file("lab.md", &with_head(&format!("---\ntitle: A\n---\n{text}"))).run();
        let done = done.expect_exit(2);
        assert!(done.stderr().contains("[KW007]") && done.stderr().contains(message), "{}", done.stderr());
        assert_eq!(done.stdout(), "1 lab: 1 error\n");
    }
}
