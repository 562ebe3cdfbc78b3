//! `docs/labs.md` is the format's reference: its examples are labs, and its codes are all there are.

use std::fmt::Write as _;
use std::path::Path;

use keywitness::lab::keywords::FenceKind;
use keywitness::lab::meanings::{self, attributes_of, meaning, table};
use keywitness::parse::{RULES, parse};
use keywitness::text::{Severity, SourceFile};

use crate::harness::{Test, need};

fn reference() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/labs.md");
    std::fs::read_to_string(page).expect("the reference")
}

/// Each block of four backticks and `markdown`, with the line that it begins in.
fn examples(page: &str) -> Vec<(usize, String)> {
    let mut examples = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in page.lines().enumerate() {
        match &mut open {
            None if line == "````markdown" => open = Some((number + 2, String::new())),
            Some(_) if line == "````" => examples.extend(open.take()),
            Some((_, text)) => writeln!(text, "{line}").expect("a String takes it"),
            None => {}
        }
    }
    examples
}

#[test]
fn each_example_is_a_lab_without_findings() {
    let examples = examples(&reference());
    assert!(examples.len() >= 8, "only {} examples were found", examples.len());
    for (line, text) in examples {
        // A part of a lab gets the head that it does not show.
        let text = if text.starts_with("---") { text } else { format!("---\ntitle: An example\n---\n{text}") };
        let source = SourceFile::new(format!("docs/labs.md example of line {line}"), "example.md", text);
        let parsed = parse(&source);
        let drawn: String = parsed.findings.iter().map(|finding| finding.draw(&source, false)).collect();
        assert!(drawn.is_empty(), "{drawn}");
        assert!(parsed.lab.is_some());
    }
}

#[test]
fn every_code_stands_in_the_reference() {
    let mut wanted = String::from("| code | | meaning |\n| --- | --- | --- |\n");
    for rule in RULES {
        let severity = if rule.severity == Severity::Error { "error" } else { "warning" };
        let meaning = rule.meaning.replace('|', "\\|");
        writeln!(wanted, "| {} | {severity} | {meaning} |", rule.code.0).expect("a String takes it");
    }
    let reference = reference();
    let found = reference.split("## What lint finds\n\n").nth(1).unwrap_or_default();
    assert_eq!(found, wanted, "docs/labs.md should end with this table:\n{wanted}");
}

#[test]
fn the_tables_of_the_reference_are_made_from_the_code() {
    let of_check = ["on", "points", "fail", "pre"].map(|word| meaning(meanings::FENCE, word).expect("an attribute"));
    let actions = attributes_of(&[FenceKind::Script, FenceKind::Console]);
    let checks = table("check", meanings::CHECKS).replacen("| meaning |", "| holds when |", 1);
    for wanted in [
        table("key", meanings::FRONT_MATTER),
        table("of the step", meanings::STEP),
        table("attribute", actions),
        table("key of a variable", meanings::VARIABLE),
        table("variable", meanings::GIVEN),
        checks,
        table("attribute of `check`", of_check),
        table("within a check", meanings::WITHIN_CHECKS),
        meanings::names_table(),
        table("name", meanings::NAMES),
        meanings::functions_table(),
    ] {
        assert!(reference().contains(&format!("\n{wanted}\n")), "docs/labs.md should have this table:\n{wanted}");
    }
}

/// The pages whose examples are labs; the findings' page shows what is wrong.
const PAGES: &[&str] = &["labs.md", "writing.md"];

#[test]
fn each_example_passes_its_own_test() {
    need!("etcd", "kubectl", "etcdctl", "etcdutl");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut test = Test::new(&["test", "examples", "--jobs", "2"]);
    let mut count = 0;
    for page in PAGES {
        let text = std::fs::read_to_string(docs.join(page)).expect("the page");
        for (line, text) in examples(&text) {
            // A part of a lab gets the head that it does not show.
            let text = if text.starts_with("---") { text } else { format!("---\ntitle: An example\n---\n{text}") };
            test = test.file(&format!("examples/{}-{line}/README.md", page.trim_end_matches(".md")), &text);
            count += 1;
        }
    }
    assert!(count >= 20, "only {count} examples were found");
    test.run().expect_exit(0);
}
