//! `keywitness export`: labs for learners.

use std::fs;
use std::path::Path;

use keywitness::lab::{Item, Role};
use keywitness::parse::parse;
use keywitness::text::{Severity, SourceFile};

use crate::harness::Test;

const LAB: &str = include_str!("../../src/author/templates/challenge.md");

fn lab() -> String {
    LAB.replace("@TITLE@", "My lab").replace("@ID@", "my-lab")
}

#[test]
fn no_lab_of_the_course_keeps_a_solution_and_each_is_a_lab_still() {
    let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs");
    let mut solutions = 0;
    for folder in fs::read_dir(labs).expect("the labs").map(|entry| entry.expect("a lab").path()) {
        let Ok(text) = fs::read_to_string(folder.join("README.md")) else { continue };
        let output =
            Test::new(&["export", folder.to_str().expect("a path"), "--without-solutions"]).run().expect_exit(0);
        // Pictures and links lead to where the lab lies.
        let solved = |text: &str| {
            let source = SourceFile::new("README.md", folder.join("README.md"), text);
            let parsed = parse(&source);
            let errors: Vec<_> = parsed.findings.iter().filter(|f| f.severity == Severity::Error).cloned().collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", folder.display());
            let items = parsed.lab.expect("a lab").steps.into_iter().flat_map(|step| step.items);
            items.filter(|item| matches!(item, Item::Action(action) if action.role == Role::Solution)).count()
        };
        solutions += solved(&text);
        assert_eq!(solved(&output.stdout()), 0, "{}", folder.display());
        assert!(!output.stdout().contains("```answer"), "{}", folder.display());
    }
    assert!(solutions >= 12, "only {solutions} solutions in the course");
}

#[test]
fn a_handout_is_one_page() {
    let done = Test::new(&["export", "lab.md", "--handout", "--format", "html", "-o", "out.html"])
        .file("lab.md", &lab())
        .run()
        .expect_exit(0);
    let page = fs::read_to_string(done.dir().join("out.html")).expect("the page");
    assert!(page.starts_with("<!doctype html>") && page.contains("<h1>My lab</h1>"), "{page}");
    assert!(page.contains("type=\"checkbox\"") && !page.contains("Solution") && !page.contains("<script"), "{page}");
}

#[test]
fn a_lab_is_not_written_over_and_a_form_is_named() {
    let test = |args: &[&str]| Test::new(args).file("lab.md", &lab()).run().expect_exit(2);
    let done = test(&["export", "lab.md", "--handout", "-o", "lab.md"]);
    assert!(done.stderr().contains("lab.md is the lab itself"), "{}", done.stderr());
    assert_eq!(fs::read_to_string(done.dir().join("lab.md")).expect("the lab"), lab());
    test(&["export", "lab.md"]);
    test(&["export", "lab.md", "--handout", "--without-solutions"]);
}
