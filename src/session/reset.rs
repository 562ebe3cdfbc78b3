//! Going back to the beginning of a step.

use tokio::sync::oneshot;

use super::api::Answer;
use super::engine::{Engine, Worked};
use super::event::SessionEvent;
use crate::lab::ClusterKind;
use crate::learn::Input;
use crate::run::Undone;
use crate::text::did_you_mean;

impl Engine<'_> {
    pub(super) fn reset(&mut self, wanted: Option<&str>, reply: oneshot::Sender<Answer>) {
        let step = match wanted.map(|wanted| self.step_named(wanted)).transpose() {
            Ok(step) => step,
            Err(refused) => return drop(reply.send(refused)),
        };
        // A bare lab's etcd is the learner's own: it begins again as a whole.
        let step = if self.ground.kind() == ClusterKind::Bare { Some(0) } else { step };
        self.going_back = Some(reply);
        if let Some(refused) = self.requested(Input::Reset { step })
            && let Some(reply) = self.going_back.take()
        {
            drop(reply.send(refused));
        }
    }

    /// By its id, or its number from 1.
    fn step_named(&self, wanted: &str) -> Result<usize, Answer> {
        let steps = &self.state.outline().steps;
        let by_number = wanted.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let found = steps.iter().position(|step| step.id == wanted).or(by_number.filter(|step| *step < steps.len()));
        found.ok_or_else(|| {
            let hint = did_you_mean(wanted, steps.iter().map(|step| step.id.as_str()));
            let hint = hint.unwrap_or_else(|| "`lab list` names them".to_owned());
            Answer::Refused { reason: format!("there is no step `{wanted}`"), hint: Some(hint) }
        })
    }

    pub(super) fn go_back(&mut self, step: usize) {
        self.live = None;
        if let Some(reply) = self.solving.take() {
            let reason = "the lab went back meanwhile".to_owned();
            drop(reply.send(Answer::Refused { reason, hint: None }));
        }
        let (ground, hands, home) = (self.ground, self.hands, self.home);
        let begun = self.begun.get(&step).copied();
        let names = self.heard.names();
        self.work.push(Box::pin(async move {
            let mut hands = hands.lock().await;
            let mut outcome = match ground.kind() {
                ClusterKind::Sandbox => {
                    hands.start_afresh().await;
                    put_back(ground, home, step).await
                }
                ClusterKind::Kind | ClusterKind::Attach => match begun {
                    Some(begun) => {
                        hands.start_afresh().await;
                        let is_own = ground.kind() == ClusterKind::Kind && !ground.info.shared;
                        Ok(hands.undo(begun, &|name| is_own || names.contains(name)).await)
                    }
                    None => {
                        Err("the step was begun by an earlier session, whose changes are not known here".to_owned())
                    }
                },
                ClusterKind::Bare => {
                    hands.start_afresh().await;
                    let own = "what you started in your own shells still runs; stop it there".to_owned();
                    Ok(Undone { removed: Vec::new(), left: vec![own] })
                }
            };
            if let Ok(undone) = &mut outcome {
                let (copy, work) = (home.work_at(step), ground.work().to_owned());
                let left = tokio::task::spawn_blocking(move || crate::run::put_back_files(&copy, &work)).await;
                undone.left.extend(left.unwrap_or_else(|error| vec![format!("LAB_WORK: {error}")]));
            }
            Worked::Restored { step, outcome }
        }));
    }

    pub(super) fn restored(&mut self, step: usize, outcome: Result<Undone, String>) {
        let reply = self.going_back.take();
        match outcome {
            Ok(undone) => {
                self.heard.forget();
                self.forget_evidence_from(step);
                let course = self.course;
                let again: Vec<_> =
                    course.steps.iter().skip(step).flat_map(|step| &step.blocks).map(|block| block.action.id).collect();
                self.done.retain(|block| !again.contains(block));
                let id = self.state.outline().steps.get(step).map(|step| step.id.clone()).unwrap_or_default();
                self.handle.emit(SessionEvent::WentBack { step: id.clone(), left: undone.left.clone() });
                self.input(Input::Restored { step });
                if let Some(reply) = reply {
                    drop(reply.send(Answer::WentBack { step: id, left: undone.left }));
                }
            }
            Err(why) => {
                self.input(Input::NotRestored);
                if let Some(reply) = reply {
                    let reason = format!("the step cannot be reset: {why}");
                    drop(reply.send(Answer::Refused { reason, hint: None }));
                }
            }
        }
    }
}

/// The store as it was when the step began; known to be so before anything is judged by it.
async fn put_back(ground: &crate::run::Ground, home: &super::folder::Home, step: usize) -> Result<Undone, String> {
    let file = home.checkpoint(step);
    if !file.exists() {
        return Err("its beginning was not kept".to_owned());
    }
    match ground.restore(&file).await {
        Ok(true) => {}
        Ok(false) => return Err("this cluster's store cannot be put back".to_owned()),
        Err(error) => {
            let detail = error.detail.last().map(|line| format!(" ({line})")).unwrap_or_default();
            return Err(format!("{error}{detail}"));
        }
    }
    if ground.witness.mark().await.read { Ok(Undone::default()) } else { Err("etcd does not answer again".to_owned()) }
}
