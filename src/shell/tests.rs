//! Pages as they look: at three widths, with colour, without, and plain. `KEYWITNESS_BLESS=1` writes the files anew.

use std::fs;
use std::path::Path;

use super::look::Look;
use super::page::Page;
use super::said::{InWords, Teller};
use crate::lab::Lab;
use crate::learn::{Standing, StepState};
use crate::session::{SessionEvent, StepLine, Summary, View, sample};
use crate::text::SourceFile;

fn lab(text: &str) -> Lab {
    let parsed = crate::parse::parse(&SourceFile::new("lab.md", "lab.md", text));
    parsed.lab.unwrap_or_else(|| panic!("{:#?}", parsed.findings))
}

fn first_look() -> Lab {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs/first-look/README.md");
    lab(&fs::read_to_string(path).expect("the lab is readable"))
}

/// A step as a session shows it, its checks standing in turn as given.
fn view(lab: &Lab, step: usize, standings: &[Standing]) -> View {
    let mut view = sample(lab, step, &[("NAMESPACE", "demo"), ("PKI", "/etc/kubernetes/pki/etcd")]);
    for (check, standing) in view.step.checks.iter_mut().zip(standings) {
        check.standing = *standing;
    }
    view
}

#[track_caller]
fn golden(name: &str, lines: &[String]) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/learn");
    let file = dir.join(format!("{name}.txt"));
    let text = lines.join("\n").replace('\x1b', "␛") + "\n";
    if std::env::var_os("KEYWITNESS_BLESS").is_some() {
        fs::create_dir_all(&dir).expect("the folder is made");
        fs::write(&file, &text).expect("the golden file is written");
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(text == expected, "{name} differs; `KEYWITNESS_BLESS=1` writes it anew:\n{text}");
}

fn looks() -> impl Iterator<Item = (String, Look)> {
    [60, 80, 120].into_iter().flat_map(|columns| {
        [("colour", true, false), ("no-colour", false, false), ("plain", false, true)]
            .map(|(name, color, plain)| (format!("{columns}-{name}"), Look { columns, color, plain }))
    })
}

#[test]
fn pages_fit_their_screen() {
    let lab = first_look();
    for (name, look) in looks() {
        let mut pages = Vec::new();
        for (step, standings) in [
            (0, &[Standing::Holds, Standing::NotYet][..]),
            (2, &[]),
            (4, &[Standing::Holds, Standing::Broken, Standing::CannotJudge]),
            (5, &[]),
            (6, &[]),
        ] {
            let view = view(&lab, step, standings);
            let page = Page { lab: &lab, view: &view, look };
            if step == 0 {
                pages.extend(page.intro());
                pages.push(String::new());
            }
            pages.extend(page.step());
            pages.push(String::new());
        }
        if look.plain {
            assert!(pages.iter().all(|line| !line.contains(['│', '─', '✓', '•', '\x1b'])), "{pages:#?}");
        }
        golden(&format!("page-{name}"), &pages);
    }
}

#[test]
fn what_the_runner_gives_is_shown_by_its_value() {
    let lab = first_look();
    let view = view(&lab, 3, &[]);
    let look = Look { columns: 80, color: false, plain: true };
    let page = Page { lab: &lab, view: &view, look }.step().join("\n");
    assert!(page.contains("\"/registry/minions/the-node\"") && !page.contains("${LAB_NODE}"), "{page}");
    assert!(InWords::of(&lab, &view.values()).check(&view.step.checks[0]).contains("/registry/minions/the-node"));
}

const EVERYTHING: &str = "---\ntitle: Everything\n---\n# Everything\n\n## Try it\n\nText with **bold**, *emphasis*, `code`, a [link](https://example.com) and\na break.\n\n1. first\n2. second, which is long enough to be folded where a screen has only sixty columns\n   - nested\n\n> A quote of some length, that is folded as well, and keeps its bar at the left.\n\n| kind | key |\n| --- | ---: |\n| pod | `/registry/pods/NAMESPACE/NAME` |\n| namespace | `/registry/namespaces/NAME` |\n\n### Deeper\n\n```text\n  drawn ──▶ as it stands\n```\n\n```bash {name=one}\ntrue\n```\n\n<details><summary>Hint: look</summary>\n\nnot shown\n\n</details>\n\n<details><summary>More to read</summary>\n\nshown\n\n</details>\n\nA \x1b[31mcontrol sequence\x1b[0m of the file.\n\n```check\nkey /registry/namespaces/a exists\n```\n";

#[test]
fn every_kind_of_markdown_is_set() {
    let lab = lab(EVERYTHING);
    for (name, look) in looks() {
        let view = view(&lab, 0, &[]);
        let page = Page { lab: &lab, view: &view, look }.step();
        assert!(!page.iter().any(|line| line.contains("\x1b[31mcontrol")), "the file's own sequences pass");
        assert!(!page.iter().any(|line| line.contains("not shown")) && page.iter().any(|line| line.contains("shown")));
        golden(&format!("markdown-{name}"), &page);
    }
}

#[test]
fn what_turns_is_said_in_one_line() {
    let lab = first_look();
    let shown = view(&lab, 4, &[]);
    let words = InWords::of(&lab, &shown.values());
    for (name, look) in looks() {
        let teller = Teller { look, words: &words };
        let turned = |was, now| SessionEvent::CheckTurned {
            step: shown.step.id.clone(),
            check: shown.step.checks[0].clone(),
            was,
            now,
            evidence: Vec::new(),
        };
        let mut lines = Vec::new();
        for (was, now) in [
            (Standing::NotYet, Standing::Holds),
            (Standing::Holds, Standing::NotYet),
            (Standing::NotYet, Standing::Broken),
            (Standing::NotYet, Standing::CannotJudge),
            (Standing::Waiting, Standing::NotYet),
        ] {
            lines.extend(teller.event(&turned(was, now)));
        }
        lines.push(teller.status(&shown));
        let step = |number: usize, state| StepLine {
            number,
            id: format!("step-{number}"),
            title: lab.steps[number - 1].title.clone(),
            state,
            solved: number == 2,
            elsewhere: None,
            held: 1,
            checks: 2,
            points: 1,
            max_points: 2,
            can_reset: true,
        };
        let steps = vec![
            step(1, StepState::Done),
            step(2, StepState::Done),
            step(3, StepState::Skipped),
            step(4, StepState::Open),
            step(5, StepState::Untouched),
        ];
        lines.extend(teller.steps(&steps, 3, 10));
        let summary = Summary {
            hand_in: None,
            title: lab.title.clone(),
            points: 9,
            max_points: 10,
            finished: true,
            seconds: 431,
            hints: 1,
            wrong_answers: 2,
            steps,
        };
        lines.extend(teller.summary(&summary));
        golden(&format!("said-{name}"), &lines);
    }
}

#[test]
fn an_answer_stands_below_its_question_after_a_try() {
    let lab = first_look();
    let page = |attempts| {
        let mut view = view(&lab, 0, &[]);
        view.step.questions[0].attempts = attempts;
        let look = Look { columns: 80, color: false, plain: false };
        Page { lab: &lab, view: &view, look }.step().join("\n")
    };
    let untold = page(0);
    assert!(!untold.contains("Answer\n") && !untold.contains("mirror of it, under"), "{untold}");
    let told = page(1);
    let (_, answer) = told.split_once("\nAnswer\n").unwrap_or_else(|| panic!("{told}"));
    assert!(answer.trim_start().starts_with("It is a static pod of that node: "), "{answer}");
    assert!(answer.contains("mirror of it, under"), "{answer}");
}
