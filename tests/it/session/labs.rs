//! Labs of the course, walked by somebody who types only what the text shows.

use std::collections::BTreeSet;

use keywitness::lab::{self, AnswerText, Item, Role};
use keywitness::session::{Answer, Request, SessionEvent};

use super::helper::{Learner, Settings, lab_of_course};
use crate::harness::need;

/// Types each block of the step that is shown, has those for the background run, and answers its questions.
async fn walk_step(learner: &mut Learner, id: &str) {
    let step = learner.lab.steps.iter().find(|step| step.id == id).expect("a step of the lab").clone();
    let view = learner.view().await;
    let mut typed = BTreeSet::new();
    for item in &step.items {
        let Item::Action(action) = item else { continue };
        let shown =
            view.step.blocks.iter().find(|block| {
                block.line == learner.lab.source.position(action.span.start).line && block.left.is_none()
            });
        let Some(block) = shown.filter(|_| !matches!(action.role, Role::Setup | Role::Cleanup)) else { continue };
        typed.insert(block.id.clone());
        if block.background || block.on_node || action.stop.is_some() || action.start.is_some() || action.opens {
            let ran = learner.ask(Request::Run { block: Some(block.id.clone()) }).await;
            assert!(matches!(ran, Answer::Ran { passed: true, .. }), "{id}: {ran:?}");
        } else {
            let Answer::Block { block } = learner.ask(Request::Block { block: Some(block.id.clone()) }).await else {
                panic!("the block's text")
            };
            learner.types(&block.text).await;
        }
    }
    for question in view.step.questions.iter().filter(|question| question.left.is_none()) {
        let asked = step.items.iter().find_map(|item| match item {
            Item::Question(asked) if learner.lab.source.position(asked.span.start).line == question.line => Some(asked),
            _ => None,
        });
        let text = match &asked.expect("the question").answer {
            lab::Answer::Choices(choices) => choices.iter().position(|choice| choice.right).expect("one is right") + 1,
            lab::Answer::Texts(texts) => match &texts[0] {
                AnswerText::Literal(text) => {
                    let answer = Request::Answer {
                        question: Some(question.id.clone()),
                        text: text.render(&learner.vars()).expect("a value"),
                    };
                    let answer = learner.ask(answer).await;
                    assert!(matches!(answer, Answer::Answered { right: true, .. }), "{answer:?}");
                    continue;
                }
                _ => continue,
            },
        };
        let answer = Request::Answer { question: Some(question.id.clone()), text: text.to_string() };
        let answer = learner.ask(answer).await;
        assert!(matches!(answer, Answer::Answered { right: true, .. }), "{answer:?}");
    }
}

/// To the end, and how many points of how many.
pub(super) async fn walk(settings: Settings) -> (u32, u32) {
    let mut learner = Learner::begin(settings).await;
    loop {
        let view = learner.view().await;
        if view.finished {
            break;
        }
        let id = view.step.id.clone();
        learner.until_open(&id).await;
        walk_step(&mut learner, &id).await;
        learner.until_green(&id).await;
        learner.agrees(Request::Next).await;
    }
    let finished = learner.heard.iter().any(|event| matches!(event, SessionEvent::CheckTurned { .. }));
    assert!(finished, "what turned was told");
    let view = learner.view().await;
    let left = learner.quit(false).await;
    assert!(left.is_empty(), "{left:?}");
    (view.points, view.max_points)
}

#[tokio::test(flavor = "multi_thread")]
async fn first_look_is_walked_to_the_end_by_typing() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let (points, of) = walk(Settings::of(lab_of_course("first-look"))).await;
    assert_eq!(points, of);
    assert!(of >= 10, "{of}");
}
