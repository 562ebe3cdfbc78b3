//! A step as a session would show it, for the tests of faces.

use super::api::{BlockView, CheckView, ClusterView, LabView, QuestionView, StepView, View};
use crate::lab::{Answer, Item, Lab, Role};
use crate::learn::{Standing, StepState};

/// The step at its beginning: no check holds, nothing was run, asked or shown.
pub fn sample(lab: &Lab, step: usize, vars: &[(&str, &str)]) -> View {
    let line = |at: usize| lab.source.position(at).line;
    let written = &lab.steps[step];
    let (mut checks, mut questions, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
    let (mut hints, mut has_solution) = (0, false);
    for item in &written.items {
        match item {
            Item::Check(block) | Item::Wait(block) => {
                for check in &block.checks {
                    checks.push(CheckView {
                        number: checks.len() + 1,
                        text: check.text.clone(),
                        line: line(check.span.start),
                        fence: line(block.span.start),
                        standing: Standing::NotYet,
                        reason: None,
                        fail: None,
                        evidence: Vec::new(),
                        revision: None,
                        wait: matches!(item, Item::Wait(_)),
                        left: None,
                    });
                }
            }
            Item::Question(question) => questions.push(QuestionView {
                id: question.name.as_ref().map_or((questions.len() + 1).to_string(), |name| name.value.clone()),
                line: line(question.span.start),
                text: question.text.clone(),
                choices: match &question.answer {
                    Answer::Choices(choices) => choices.iter().map(|choice| choice.text.clone()).collect(),
                    Answer::Texts(_) => Vec::new(),
                },
                attempts: 0,
                right: false,
                points: 1,
                left: None,
            }),
            Item::Action(action) if action.role != Role::Setup => {
                has_solution |= action.role == Role::Solution;
                blocks.push(BlockView {
                    id: action.name.as_ref().map_or((blocks.len() + 1).to_string(), |name| name.value.clone()),
                    line: line(action.span.start),
                    role: action.role.name().to_owned(),
                    done: false,
                    background: action.background.is_some(),
                    on_node: false,
                    left: None,
                });
            }
            Item::Hint(_) => hints += 1,
            Item::Action(_) | Item::Prose(_) | Item::Shown(_) => {}
        }
    }
    View {
        lab: LabView { id: lab.id.clone(), title: lab.title.clone(), file: lab.source.path().display().to_string() },
        cluster: ClusterView {
            kind: "sandbox".to_owned(),
            kubernetes: None,
            etcd: None,
            route: String::new(),
            lost: None,
        },
        step: StepView {
            id: written.id.clone(),
            title: written.title.clone(),
            number: step + 1,
            line: line(written.span.start),
            state: StepState::Open,
            green: false,
            preparing: false,
            elsewhere: None,
            checks,
            questions,
            blocks,
            hints_given: 0,
            hints,
            has_solution,
            solution_shown: false,
            points: 0,
            max_points: 3,
        },
        open: step + 1,
        of: lab.steps.len(),
        points: 0,
        max_points: 10,
        finished: false,
        vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        given: vec![("LAB_NODE".to_owned(), "the-node".to_owned())],
        running: Vec::new(),
    }
}
