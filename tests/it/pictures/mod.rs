//! The README's pictures are golden files: each is drawn from what the binary prints on a terminal, holds the words
//! that it is there to show, and is out of date where the binary prints something else.
//! `scripts/pictures` draws them again.

mod draw;
mod record;

use std::fs;
use std::path::{Path, PathBuf};

use draw::{svg, text_of};
use record::{Row, record};

use crate::harness::need;

struct Picture {
    file: &'static str,
    /// As a person types it, in the project's folder.
    command: &'static [&'static str],
    /// Typed in the shell that it opens.
    typed: &'static [&'static str],
    /// The texts of the first and the last row that are shown; all where there are none.
    part: Option<(&'static str, &'static str)>,
    columns: u16,
    /// Rows appear one after the other, as they did.
    moves: bool,
    exit: u32,
    shows: &'static [&'static str],
}

const PICTURES: &[Picture] = &[
    Picture {
        file: "first-look.svg",
        command: &["run", "labs/first-look"],
        typed: &[],
        part: None,
        columns: 84,
        moves: true,
        exit: 0,
        shows: &["$ keywitness run labs/first-look", "One command, one key", "all proved", "passed"],
    },
    Picture {
        file: "failed.svg",
        command: &["run", "tests/pictures/label"],
        typed: &[],
        part: None,
        columns: 92,
        moves: false,
        exit: 1,
        shows: &["$ keywitness run", "PUT", "purposes", "README.md:1"],
    },
    Picture {
        file: "lint.svg",
        command: &["lint", "tests/pictures/broken"],
        typed: &[],
        part: None,
        columns: 92,
        moves: false,
        exit: 2,
        shows: &["$ keywitness lint", "did you mean `level`?", "`backgroud`", "`kye`", "README.md:3:1"],
    },
    Picture {
        file: "learn.svg",
        command: &["learn", "first-look"],
        typed: &["kubectl -n kube-system get pods -l component=etcd", "lab answer 2", "lab quit"],
        part: Some(("Step 1 of 8", "lab answer 2")),
        columns: 92,
        moves: false,
        exit: 0,
        shows: &["$ keywitness learn first-look", "Step 1 of 8", "2 of 2 · 1 question", "lab answer 2"],
    },
];

/// Words of a program that broke, which no picture may show.
const NEVER: &[&str] = &["Traceback", "panicked", "No such file", "command not found"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What a later run of the same version prints too: times, ports, the padding beside them and the journal aside, since
/// what else a cluster writes in that second differs.
fn lasting(text: &str) -> String {
    let mut kept = String::new();
    for line in text.lines().filter(|line| !line.contains("│ revision")) {
        for word in line.split_whitespace() {
            let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
            // Points and checks are the same in every run.
            if word.split_once('/').is_some_and(|(held, of)| is_number(held) && is_number(of)) {
                kept.push_str(word);
                kept.push(' ');
                continue;
            }
            let masked: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            let word = masked.as_str();
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            let is_time = ["ms", "s", "µs"].iter().any(|unit| {
                bare.strip_suffix(unit).is_some_and(|n| !n.is_empty() && n.chars().all(|c| c == '0' || c == '.'))
            });
            kept.push_str(if is_time {
                "TIME"
            } else if bare.chars().all(|c| c == '0') && !bare.is_empty() {
                "0"
            } else {
                word
            });
            kept.push(' ');
        }
        kept.push('\n');
    }
    kept
}

fn drawn(picture: &Picture) -> (Vec<Row>, String) {
    let mut recorded = record(picture.command, picture.typed, picture.columns, &root());
    assert_eq!(recorded.exit, picture.exit, "{}: {:?}", picture.file, text_of(&recorded.rows));
    if let Some((first, last)) = picture.part {
        let holds = |row: &Row, words: &str| text_of(std::slice::from_ref(row)).contains(words);
        let end = recorded.rows.iter().rposition(|row| holds(row, last)).expect("its last row");
        recorded.rows.truncate(end + 1);
        let start = recorded.rows.iter().position(|row| holds(row, first)).expect("its first row");
        recorded.rows.drain(..start);
    }
    let title = format!("keywitness {}", picture.command.join(" "));
    let svg = svg(&title, &recorded.rows, picture.columns, picture.moves);
    (recorded.rows, svg)
}

fn check(picture: &Picture) {
    let (rows, svg) = drawn(picture);
    let path = root().join("docs/pictures").join(picture.file);
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        fs::write(&path, svg).expect("the picture is written");
    }
    let held = draw::text_in_svg(&fs::read_to_string(&path).expect("the picture is there: scripts/pictures draws it"));
    for words in picture.shows {
        assert!(held.contains(words), "{} does not show {words:?}:\n{held}", picture.file);
    }
    for words in NEVER {
        assert!(!held.contains(words), "{} shows {words:?}:\n{held}", picture.file);
    }
    let (_, output) = held.split_once('\n').expect("the command, and what it printed");
    assert_eq!(
        lasting(output),
        lasting(&text_of(&rows)),
        "{} is older than what the binary prints: scripts/pictures draws it again; look at it before you commit it",
        picture.file
    );
}

#[test]
fn the_first_look_is_as_it_is_printed_today() {
    need!("etcd", "etcdctl", "kubectl");
    check(&PICTURES[0]);
}

#[test]
fn the_failure_is_as_it_is_printed_today() {
    need!("etcd", "etcdctl", "kubectl");
    check(&PICTURES[1]);
}

#[test]
fn the_findings_are_as_they_are_printed_today() {
    check(&PICTURES[2]);
}

#[test]
fn the_learners_terminal_is_as_it_is_today() {
    need!("etcd", "etcdctl", "kubectl");
    check(&PICTURES[3]);
}

/// By scripts/jobs-figures: figures of one day.
const MEASURED: [&str; 2] = ["jobs.svg", "jobs-dark.svg"];

#[test]
fn every_picture_of_the_docs_is_drawn_by_this_test() {
    for entry in fs::read_dir(root().join("docs/pictures")).expect("the pictures") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let drawn = PICTURES.iter().any(|picture| picture.file == name)
            || crate::page::draws(&name)
            || MEASURED.contains(&name.as_str());
        assert!(drawn, "docs/pictures/{name} is drawn by nothing, so nothing sees that it is out of date");
        let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README");
        assert!(readme.contains(&name), "docs/pictures/{name} is shown nowhere");
    }
}

#[test]
fn times_and_ports_do_not_make_a_picture_old() {
    let one = "  ✓ Find it    2/2 pts    177ms\n etcd at 127.0.0.1:4001\n";
    let two = "  ✓ Find it    2/2 pts   1.20s\n etcd at 127.0.0.1:4019\n";
    assert_eq!(lasting(one), lasting(two));
    assert_ne!(lasting(one), lasting("  ✗ Find it    2/2 pts    177ms\n etcd at 127.0.0.1:4001\n"));
}
