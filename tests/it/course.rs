//! The course as a reader meets it: answers with their why, a command to check oneself with, links that lead somewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use keywitness::lab::{CheckKind, Item, Lab};
use keywitness::parse::parse;
use keywitness::text::SourceFile;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("labs")
}

fn labs() -> BTreeMap<String, Lab> {
    let entries = std::fs::read_dir(folder()).expect("the course").map(|entry| entry.expect("an entry").path());
    let files = entries.map(|path| path.join("README.md")).filter(|file| file.is_file());
    files
        .map(|file| {
            let name = file.parent().and_then(Path::file_name).expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&file).expect("a lab");
            let parsed = parse(&SourceFile::new(format!("labs/{name}/README.md"), &file, text));
            (name, parsed.lab.unwrap_or_else(|| panic!("{:#?}", parsed.findings)))
        })
        .collect()
}

#[test]
fn each_question_is_answered_in_a_fold_that_says_why() {
    let mut without = Vec::new();
    let mut count = 0;
    for (name, lab) in labs() {
        for item in lab.steps.iter().flat_map(|step| &step.items) {
            let Item::Question(question) = item else { continue };
            count += 1;
            if question.why.as_deref().is_none_or(str::is_empty) {
                without.push(format!("{name}: {}", question.text));
            }
        }
    }
    assert!(count >= 30 && without.is_empty(), "{count} questions, without a why: {without:#?}");
}

/// What a command printed can be compared by eye; keys, changes and members cannot.
#[test]
fn a_step_that_is_judged_by_more_than_outputs_says_how_to_check_oneself() {
    let mut without = Vec::new();
    for (name, lab) in labs() {
        for (at, step) in lab.steps.iter().enumerate() {
            let end = lab.steps.get(at + 1).map_or(lab.source.text().len(), |next| next.span.start);
            let text = &lab.source.text()[step.span.start..end];
            let is_hidden = step.items.iter().any(|item| match item {
                Item::Check(block) => block.checks.iter().any(|check| !matches!(check.kind, CheckKind::Output { .. })),
                _ => false,
            });
            if is_hidden && !text.contains("\nCheck yourself: `") {
                without.push(format!("{name}: {}", step.title));
            }
        }
    }
    assert!(without.is_empty(), "{without:#?}");
}

/// The places of a page's steps and their parts, as GitHub names them.
fn headings(text: &str) -> Vec<String> {
    let titles = text.lines().filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")));
    let kept = |c: char| c.is_alphanumeric() || c == '-';
    titles.map(|title| title.to_lowercase().replace(' ', "-").chars().filter(|c| kept(*c)).collect()).collect()
}

/// Pages that are no labs are not linted, and lint looks for no heading of another page.
#[test]
fn every_link_leads_to_a_page_of_the_course_and_to_a_heading_of_it() {
    let links = regex::Regex::new(r"\[[^\[\]]+\]\(([^)\s]+)\)[^*?]").expect("a regex");
    let course = folder().canonicalize().expect("the course");
    let pages = ["README.md".to_owned(), "reference.md".to_owned()].into_iter();
    let mut broken = Vec::new();
    let mut count = 0;
    for page in pages.chain(labs().into_keys().map(|name| format!("{name}/README.md"))) {
        let file = course.join(&page);
        let text = std::fs::read_to_string(&file).expect("a page");
        for link in links.captures_iter(&text).map(|found| found[1].to_owned()).filter(|link| !link.contains("://")) {
            count += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let mut target = if path.is_empty() { file.clone() } else { file.with_file_name("").join(path) };
            if target.is_dir() {
                target.push("README.md");
            }
            // Whoever copies the course copies this folder, and nothing above it.
            let found = target.canonicalize().is_ok_and(|target| target.starts_with(&course))
                && (anchor.is_empty()
                    || std::fs::read_to_string(&target)
                        .is_ok_and(|text| headings(&text).iter().any(|heading| heading == anchor)));
            if !found {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(count > 120 && broken.is_empty(), "{count} links, broken: {broken:#?}");
}
