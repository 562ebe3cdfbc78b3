//! Every lab, walked by somebody who types only what the text shows.

use std::collections::BTreeMap;
use std::time::Instant;

use keywitness::lab::{Action, Answer, AnswerText, ClusterKind, Item, Lab, Place, Role};
use keywitness::text::SourceFile;

use super::window::{SOON, Window};
use super::{begin, labs};
use crate::harness::need;

fn read(name: &str) -> Lab {
    let file = labs().join(name).join("README.md");
    let text = std::fs::read_to_string(&file).expect("the lab is readable");
    keywitness::parse::parse(&SourceFile::new(name, file, text)).lab.expect("a lab without errors")
}

fn text(action: &Action) -> String {
    action.code.lines().map(|line| line.text.clone()).collect::<Vec<_>>().join("\n")
}

/// A person's windows: the first, and those that the text tells them to open.
struct Desk {
    first: Window,
    others: BTreeMap<String, Window>,
}

impl Desk {
    fn other(&mut self, terminal: &str, lab: &str) -> &Window {
        self.others.entry(terminal.to_owned()).or_insert_with(|| {
            let window = Window::beside(self.first.home(), 140, 50);
            window.line(&format!("{} shell {lab}", env!("CARGO_BIN_EXE_keywitness")));
            window.wait_until("its prompt", |screen| screen.trim_end().ends_with(") lab$"));
            window
        })
    }
}

/// A block as a person does it: typed where it can be, else by the word `lab`.
fn act(desk: &mut Desk, lab: &str, action: &Action, number: usize, kind: ClusterKind) {
    let is_theirs = !action.norun && matches!(action.role, Role::Action | Role::Solution) && action.on.allows(kind);
    if !is_theirs || (action.place == Place::Node && action.on.0.is_empty()) {
        return;
    }
    let special = action.background.is_some()
        || action.stop.is_some()
        || action.start.is_some()
        || action.place == Place::Node
        || action.opens;
    // What is left running in a terminal that has typed other things uses what they have set there.
    let is_used = desk.others.contains_key(&action.terminal);
    if action.background.is_some() && is_used && action.stop.is_none() {
        desk.other(&action.terminal, lab).line(&text(action));
    } else if !special && action.terminal != "1" {
        desk.other(&action.terminal, lab).paste(&text(action));
    } else if special {
        let window = &desk.first;
        let name = action.name.as_ref().map_or(number.to_string(), |name| name.value.clone());
        window.command(&format!("lab run {name}"));
    } else {
        desk.first.paste(&text(action));
    }
}

fn answer(question: &keywitness::lab::Question) -> Option<String> {
    match &question.answer {
        Answer::Choices(choices) => choices.iter().position(|choice| choice.right).map(|at| (at + 1).to_string()),
        Answer::Texts(texts) => texts.iter().find_map(|text| match text {
            AnswerText::Literal(template) => Some(format!("'{}'", template.leading_text())),
            // A person runs it and reads the answer off.
            AnswerText::Command(template) => Some(format!("\"$({})\"", template.leading_text())),
            AnswerText::Regex(_) | AnswerText::From(_) => None,
        }),
    }
}

/// Waits until so many checks of the step hold: what follows is judged from then on.
fn until_held(window: &Window, checks: usize) {
    let end = Instant::now() + 2 * SOON;
    loop {
        let list = window.command("lab list");
        let open = list.lines().find(|line| line.contains('▸')).unwrap_or_default();
        let held = open.rsplit("  ").next().and_then(|held| held.split(' ').next()).and_then(|held| held.parse().ok());
        if held.is_some_and(|held: usize| held >= checks) {
            return;
        }
        assert!(Instant::now() < end, "{checks} checks do not hold:\n{}", window.command("lab why"));
    }
}

fn walk(name: &str) {
    let lab = read(name);
    let kind = lab.clusters.first().map_or(ClusterKind::Sandbox, |kind| kind.value);
    let window = Window::open(140, 50);
    std::fs::write(window.home().join(".bashrc"), super::BASHRC).expect("written");
    begin(&window, name);
    let mut desk = Desk { first: window, others: BTreeMap::new() };
    for (at, step) in lab.steps.iter().enumerate() {
        let mut number = 0;
        let mut questions = 0;
        let mut checks = 0;
        let stretches = step.stretches();
        for (nth, stretch) in stretches.iter().enumerate() {
            for item in stretch.items {
                match item {
                    Item::Action(action) => {
                        number += 1;
                        act(&mut desk, name, action, number, kind);
                    }
                    Item::Question(question) if question.on.allows(kind) => {
                        questions += 1;
                        let id = question.name.as_ref().map_or(questions.to_string(), |name| name.value.clone());
                        if let Some(answer) = answer(question) {
                            desk.first.command(&format!("lab answer {id} {answer}"));
                        }
                    }
                    Item::Check(block) if block.on.allows(kind) => checks += block.checks.len(),
                    _ => {}
                }
            }
            if nth + 1 < stretches.len() {
                until_held(&desk.first, checks);
            }
        }
        let window = &desk.first;
        let end = Instant::now() + 2 * SOON;
        loop {
            let said = window.command("lab next");
            let next = format!("Step {} of {}", at + 2, lab.steps.len());
            if said.contains(&next) || said.contains("last step") {
                break;
            }
            assert!(
                Instant::now() < end && !said.contains("again goes on without"),
                "{name} does not go on from its step {}:\n{}\n{}",
                at + 1,
                window.command("lab why"),
                window.everything()
            );
        }
        window.clear_history();
    }
    let window = &desk.first;
    window.line("lab quit");
    window.wait("[Y/n]");
    window.line("n");
    let end = window.wait_until("the outer prompt", |screen| screen.trim_end().ends_with("outer$"));
    assert!(end.contains(&lab.title), "{end}");
}

macro_rules! walks {
    ($($test:ident: $lab:literal,)+) => {
        $(#[test]
        fn $test() {
            need!("tmux", "etcd", "etcdctl", "etcdutl", "kubectl");
            walk($lab);
        })+
    };
}

walks! {
    first_look: "first-look",
    closer_look: "closer-look",
    keys_and_objects: "keys-and-objects",
    watch_the_writes: "watch-the-writes",
    source_of_truth: "source-of-truth",
    health: "health",
    size_and_quota: "size-and-quota",
    backup_and_restore: "backup-and-restore",
    without_etcd: "without-etcd",
    make_it_so: "make-it-so",
    break_it: "break-it",
    rolling_update: "rolling-update",
    access: "access",
    controller: "controller",
    etcd_on_its_own: "etcd-on-its-own",
    install_etcd: "install-etcd",
    three_members: "three-members",
    lost_members: "lost-members",
}
