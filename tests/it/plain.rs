//! Help, findings and the reference are in plain technical English: none of the words of a literary voice that readers
//! stumbled over.

use std::fs;
use std::path::Path;

use keywitness::parse::RULES;
use regex::Regex;

use crate::harness::Test;

const LITERARY: &str = concat!(
    r"\b(stands?|stood|lies|nobody|whoever|whosoever|owes?|told|tells|anyhow|seldom|thereof|hitherto|",
    r"begins no|opens no|means? nothing|by itself|complain|without a word|come to pass|not the author's to give|",
    r"anew|mend(s|ed|ing)?|for ever|breaks? off|and none|shall|",
    r"what \w+ carries|(run|runs) every lab so often)\b|",
    r"(\b(this|that|it|what|which)|`[^`]*`) (is|are) no [a-z`]",
);

const DOCUMENTS: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/architecture.md",
    "docs/labs.md",
    "docs/lint.md",
    "docs/page.md",
    "docs/tools.md",
    "crates/kube-cel-host/README.md",
    "crates/kube-etcd-codec/README.md",
    "crates/kube-sandbox/README.md",
    "crates/owned-processes/README.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines with such a word, each with where it is.
fn literary(place: &str, text: &str) -> Vec<String> {
    let words = Regex::new(LITERARY).expect("a pattern of ours");
    let found = text.lines().enumerate().filter_map(|(number, line)| {
        let line = line.replace("stand-in", "");
        let word = words.find(&line)?;
        Some(format!("{place}:{}: {:?} in {line}", number + 1, word.as_str()))
    });
    found.collect()
}

/// The help of a command and of those below it, each with its words.
fn helps(command: &[String], found: &mut Vec<(String, String)>) {
    let call: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
    let help = Test::new(&call).run().expect_exit(0).stdout();
    assert!(help.contains("Usage:"), "{help}");
    let below = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    for name in below.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()) {
        if !name.is_empty() && name != "help" {
            helps(&[command, &[name.to_owned()]].concat(), found);
        }
    }
    found.push((call.join(" "), help));
}

/// The prose of a document, without its fences.
fn prose(text: &str) -> String {
    let mut in_fence = false;
    let lines = text.lines().map(|line| {
        let is_mark = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        in_fence ^= is_mark;
        if in_fence || is_mark { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn help_findings_and_the_reference_are_plain() {
    let mut found = Vec::new();
    let mut all = Vec::new();
    helps(&[], &mut all);
    assert!(all.len() > 15, "{all:?}");
    for (command, help) in &all {
        found.extend(literary(command, help));
    }
    for rule in RULES {
        found.extend(literary(rule.code.0, rule.meaning));
    }
    for name in DOCUMENTS {
        found.extend(literary(name, &prose(&fs::read_to_string(root().join(name)).expect("a document"))));
    }
    for case in fs::read_dir(root().join("tests/golden/lint")).expect("the cases") {
        let case = case.expect("an entry").path();
        let text = fs::read_to_string(case.join("stderr")).unwrap_or_default();
        // The message and the cure; the line of the lab between them is the author's.
        let ours = text.lines().filter(|line| line.starts_with("   = ") || line.contains("[KW"));
        let ours: Vec<&str> = ours.map(|line| line.split_once("]: ").map_or(line, |(_, message)| message)).collect();
        found.extend(literary(&case.display().to_string(), &ours.join("\n")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn literary_words_are_seen() {
    for text in ["it stands under it", "`x` is no duration", "nobody reaches it", "ended by itself without a word"] {
        assert_eq!(literary("here", text).len(), 1, "{text}");
    }
    for text in ["there is no lab here", "a standard", "it is not a duration", "no longer"] {
        assert!(literary("here", text).is_empty(), "{text}");
    }
}
