//! A learner's points, given by the same rules as those of every other report.

use super::progress::StepState;
use super::state::{Standing, State};
use crate::outcome::{Attempt, CheckFact, LabReport, QuestionFact, RunEvent, Verdict, lab_report};

const NOT_REACHED: &str = "not reached";
const SKIPPED: &str = "skipped by the learner";
const SOLVED: &str = "solved by `lab solve`";

impl State {
    /// The lab as a report has it, as far as the learner has come.
    pub fn report(&self) -> LabReport {
        let mut report = lab_report(&self.events());
        for (step, progress) in report.steps.iter_mut().zip(&self.progress.steps) {
            step.hints_used = progress.hints;
        }
        report
    }

    /// Points now, and what the lab is worth on this cluster whatever is done.
    pub fn points(&self) -> (u32, u32) {
        let report = self.report();
        (report.points, report.max_points)
    }

    pub(super) fn count(&mut self) {
        (self.progress.points, self.progress.max_points) = self.points();
    }

    pub(super) fn step_maximum(&self, step: usize) -> u32 {
        self.report().steps.get(step).map_or(0, |step| step.max_points)
    }

    /// What a run would have reported of it.
    fn events(&self) -> Vec<RunEvent> {
        let outline = &self.outline;
        let mut events = vec![RunEvent::LabStarted {
            lab: 0,
            id: outline.id.clone(),
            file: outline.file.clone(),
            title: outline.title.clone(),
            attempt: Attempt::default(),
        }];
        for (step, known) in outline.steps.iter().zip(&self.progress.steps) {
            let id = || step.id.clone();
            let (title, line) = (step.title.clone(), step.line);
            events.push(RunEvent::StepStarted { lab: 0, step: id(), title, line, started_ms: 0 });
            let lost = match known.state {
                _ if known.solved => Some(SOLVED),
                StepState::Skipped => Some(SKIPPED),
                StepState::Untouched => Some(NOT_REACHED),
                StepState::Open | StepState::Done => None,
            };
            for (check, seen) in step.checks().zip(&known.checks) {
                if check.is_wait {
                    continue;
                }
                let (verdict, reason) = match (&check.left, lost, seen.standing) {
                    (Some(left), ..) => (Verdict::Skipped, Some(left.clone())),
                    (None, Some(lost), _) => (Verdict::Skipped, Some(lost.to_owned())),
                    (None, None, Standing::Holds) => (Verdict::Pass, None),
                    (None, None, Standing::Waiting) => (Verdict::Skipped, Some(NOT_REACHED.to_owned())),
                    (None, None, Standing::CannotJudge) => (Verdict::CannotJudge, seen.reason.clone()),
                    (None, None, Standing::NotYet | Standing::Broken) => (Verdict::Fail, seen.reason.clone()),
                };
                let check = CheckFact {
                    verdict,
                    reason,
                    revision: seen.revision,
                    evidence: seen.evidence.clone(),
                    ..check.fact.clone()
                };
                events.push(RunEvent::CheckFinished { lab: 0, step: id(), check, failure: None });
            }
            for (question, seen) in step.questions.iter().zip(&known.questions) {
                let (verdict, reason) = match (&question.left, seen.right, seen.attempts) {
                    (Some(left), ..) => (Verdict::Skipped, Some(left.clone())),
                    (None, true, _) => (Verdict::Pass, None),
                    (None, false, 0) => (Verdict::Skipped, Some("not answered".to_owned())),
                    (None, false, _) => (Verdict::Fail, Some("answered wrongly".to_owned())),
                };
                let question = QuestionFact { verdict, reason, ..question.fact.clone() };
                events.push(RunEvent::QuestionFinished { lab: 0, step: id(), question });
            }
        }
        events
    }
}
