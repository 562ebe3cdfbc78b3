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
    r"what \w+ carries|(run|runs) every lab so often)\b|",
    r"(\b(this|that|it|what|which)|`[^`]*`) (is|are) no [a-z`]",
);

const COMMANDS: &[&[&str]] = &[
    &["--help"],
    &["run", "--help"],
    &["test", "--help"],
    &["merge", "--help"],
    &["learn", "--help"],
    &["shell", "--help"],
    &["lint", "--help"],
    &["list", "--help"],
    &["decode", "--help"],
    &["events", "--help"],
    &["get", "--help"],
    &["doctor", "--help"],
    &["grade", "--help"],
    &["verify", "--help"],
    &["cluster", "--help"],
    &["cluster", "up", "--help"],
    &["cluster", "down", "--help"],
    &["cluster", "list", "--help"],
    &["cluster", "status", "--help"],
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines with such a word, each with where it is.
fn literary(place: &str, text: &str) -> Vec<String> {
    let words = Regex::new(LITERARY).expect("a pattern of ours");
    let found = text.lines().enumerate().filter_map(|(number, line)| {
        let word = words.find(line)?;
        Some(format!("{place}:{}: {:?} in {line}", number + 1, word.as_str()))
    });
    found.collect()
}

#[test]
fn help_findings_and_the_reference_are_plain() {
    let mut found = Vec::new();
    for command in COMMANDS {
        let help = Test::new(command).run().expect_exit(0).stdout();
        assert!(help.contains("Usage:"), "{help}");
        found.extend(literary(&command.join(" "), &help));
    }
    for rule in RULES {
        found.extend(literary(rule.code.0, rule.meaning));
    }
    found.extend(literary("docs/labs.md", &fs::read_to_string(root().join("docs/labs.md")).expect("the reference")));
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
