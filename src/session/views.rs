//! What faces are shown of the state.

use super::api::{
    Answer, BlockView, CheckView, ClusterView, Environment, EventLine, LabView, QuestionView, StepLine, StepView,
    Summary, View,
};
use super::blocks::shown;
use super::engine::Engine;
use super::event::SessionEvent;
use crate::grade;
use crate::journal::{Heartbeat, Recorded};
use crate::lab::keywords::GIVEN_PREFIX;
use crate::lab::{self, Place as Where};
use crate::learn::{CheckOutline, CheckProgress, Fact, Place, StepState};
use crate::outcome::LabReport;
use crate::text::{filled, redact};

impl Engine<'_> {
    pub(super) fn view_answer(&self) -> Answer {
        Answer::View { view: Box::new(self.view()) }
    }

    fn view(&self) -> View {
        let (progress, outline, info) = (self.state.progress(), self.state.outline(), &self.ground.info);
        let report = self.state.report();
        let running = self.hands.try_lock().map(|hands| hands.running()).unwrap_or_default();
        // Of a folder its name says more than its long path.
        let is_shown = |(name, value): &(&String, &String)| name.starts_with(GIVEN_PREFIX) && !value.starts_with('/');
        let given = self.ground.vars.values.iter().filter(is_shown);
        View {
            lab: LabView { id: outline.id.clone(), title: outline.title.clone(), file: outline.file.clone() },
            cluster: ClusterView {
                kind: progress.cluster.clone(),
                kubernetes: info.kubernetes.clone(),
                etcd: info.etcd.clone(),
                route: info.etcd_route.clone(),
                lost: self.cluster_lost().map(str::to_owned),
            },
            step: self.step_view(self.state.shown(), &report),
            open: self.state.open() + 1,
            of: outline.steps.len(),
            points: report.points,
            max_points: report.max_points,
            finished: self.state.is_over(),
            vars: self.vars_shown.clone(),
            given: given.map(|(name, value)| (name.clone(), value.clone())).collect(),
            running: running.into_iter().map(|(_, name, _)| name).collect(),
        }
    }

    fn step_view(&self, number: usize, report: &LabReport) -> StepView {
        let outline = self.state.outline().steps.get(number);
        let known = self.state.progress().steps.get(number);
        let course = self.course.steps.get(number);
        let (points, max_points) = report.steps.get(number).map_or((0, 0), |step| (step.points, step.max_points));
        let is_open = number == self.state.open();
        let checks = outline.map_or(0, |outline| outline.checks().count());
        StepView {
            id: outline.map(|step| step.id.clone()).unwrap_or_default(),
            title: outline.map(|step| step.title.clone()).unwrap_or_default(),
            number: number + 1,
            line: outline.map_or(0, |step| step.line),
            state: known.map(|step| step.state).unwrap_or_default(),
            green: is_open && self.state.is_green(),
            preparing: is_open && !self.state.is_live() && !self.state.is_over(),
            elsewhere: outline.and_then(|step| step.elsewhere.clone()),
            checks: (0..checks).filter_map(|check| self.check_view(Place { step: number, check })).collect(),
            questions: self.question_views(number),
            blocks: course.map_or_else(Vec::new, |step| {
                step.blocks
                    .iter()
                    .filter(|block| shown(block))
                    .map(|block| BlockView {
                        id: block.id.clone(),
                        line: self.course.line(block.action.span.start),
                        role: block.action.role.name().to_owned(),
                        done: self.done.contains(&block.action.id),
                        background: block.action.background.is_some(),
                        on_node: block.action.place == Where::Node,
                        left: block.left.map(str::to_owned),
                    })
                    .collect()
            }),
            hints_given: known.map_or(0, |step| step.hints),
            hints: outline.map_or(0, |step| step.hints),
            has_solution: outline.is_some_and(|step| step.has_solution),
            solution_shown: known.is_some_and(|step| step.solution),
            points,
            max_points,
        }
    }

    fn question_views(&self, number: usize) -> Vec<QuestionView> {
        let asked = self.course.steps.get(number).map_or(&[][..], |step| &step.questions);
        let known = self.state.progress().steps.get(number).map_or(&[][..], |step| &step.questions);
        let view = |(placed, known): (&super::outline::PlacedQuestion<'_>, &crate::learn::QuestionProgress)| {
            let choices = match &placed.question.answer {
                lab::Answer::Choices(choices) => choices.iter().map(|choice| self.filled(&choice.text)).collect(),
                lab::Answer::Texts(_) => Vec::new(),
            };
            QuestionView {
                id: placed.id.clone(),
                line: self.course.line(placed.question.span.start),
                text: self.filled(&placed.question.text),
                choices,
                attempts: known.attempts,
                right: known.right,
                points: placed.question.points.unwrap_or(1),
                left: placed.left.map(str::to_owned),
            }
        };
        asked.iter().zip(known).map(view).collect()
    }

    pub(super) fn check_view(&self, place: Place) -> Option<CheckView> {
        let (outline, known): (&CheckOutline, &CheckProgress) = self.state.check(place)?;
        let placed = self.course.steps.get(place.step)?.checks.get(place.check)?;
        let fail = placed.block.fail.as_ref().and_then(|fail| fail.render(&self.ground.vars.values).ok());
        Some(CheckView {
            number: place.check + 1,
            text: self.filled(&outline.fact.text),
            line: outline.fact.line,
            fence: outline.fact.fence,
            standing: known.standing,
            reason: known.reason.as_deref().map(|reason| redact(reason).into_owned()),
            fail,
            evidence: known.evidence.clone(),
            revision: known.revision,
            wait: outline.is_wait,
            left: outline.left.clone(),
        })
    }

    /// A text of the lab with its variables' values, without what is secret.
    pub(super) fn filled(&self, text: &str) -> String {
        let vars = &self.ground.vars.values;
        redact(&filled(text, |name| vars.get(name).cloned())).into_owned()
    }

    fn step_lines(&self, report: &LabReport) -> Vec<StepLine> {
        let (outline, progress) = (self.state.outline(), self.state.progress());
        let steps = outline.steps.iter().zip(&progress.steps).enumerate();
        let line = |(number, (step, known)): (usize, (&crate::learn::StepOutline, &crate::learn::StepProgress))| {
            let (held, checks) = self.state.counts(number);
            let points = report.steps.get(number);
            StepLine {
                number: number + 1,
                id: step.id.clone(),
                title: step.title.clone(),
                state: known.state,
                solved: known.solved,
                elsewhere: step.elsewhere.clone(),
                held,
                checks,
                points: points.map_or(0, |step| step.points),
                max_points: points.map_or(0, |step| step.max_points),
                can_reset: known.state != StepState::Untouched && step.elsewhere.is_none(),
            }
        };
        steps.map(line).collect()
    }

    pub(super) fn steps(&self) -> Answer {
        let report = self.state.report();
        Answer::Steps { steps: self.step_lines(&report), points: report.points, max_points: report.max_points }
    }

    pub(super) fn summary(&self) -> Summary {
        let (report, progress) = (self.state.report(), self.state.progress());
        let until = progress.finished.unwrap_or(progress.updated);
        let seconds = until.duration_since(progress.started).as_secs();
        let wrong = progress.steps.iter().flat_map(|step| &step.questions);
        Summary {
            title: progress.title.clone(),
            points: report.points,
            max_points: report.max_points,
            finished: progress.finished.is_some(),
            seconds: u64::try_from(seconds).unwrap_or_default(),
            hints: progress.steps.iter().map(|step| step.hints).sum(),
            wrong_answers: wrong.map(|known| known.attempts.saturating_sub(u32::from(known.right))).sum(),
            steps: self.step_lines(&report),
            hand_in: self.handed_in.as_ref().map(|file| file.display().to_string()),
        }
    }

    pub(super) fn environment(&self) -> Answer {
        // The learner's HOME is their own.
        let vars = self.ground.variables().iter().filter(|(name, _)| name != "HOME").cloned();
        Answer::Environment {
            environment: Environment {
                vars: vars.collect(),
                path: self.ground.path().iter().map(|path| path.display().to_string()).collect(),
                work: self.ground.work().display().to_string(),
                door: self.handle.door().display().to_string(),
            },
        }
    }

    /// The last changes since the step was opened, without what a cluster writes whatever a learner does.
    pub(super) fn events(&self, limit: usize) -> Answer {
        let changes = self.changes();
        let left_out = changes.len().saturating_sub(limit);
        let events = changes[left_out..].iter().filter_map(|recorded| self.event_line(recorded)).collect();
        Answer::Events { events, left_out }
    }

    /// Since the step in progress was opened.
    pub(super) fn changes(&self) -> Vec<Recorded> {
        let view = self.ground.witness.journal();
        let begun = self.begun.get(&self.state.open()).copied().unwrap_or(view.end());
        let prefix = &self.ground.info.prefix;
        view.entries(begun, |entry| entry.change().is_some_and(|change| Heartbeat::of(prefix, &change.key).is_none()))
    }

    fn event_line(&self, recorded: &Recorded) -> Option<EventLine> {
        let change = recorded.entry.change()?;
        let from = self.live.as_ref().map_or(change.at, |live| live.mark.at);
        let after = match change.at.duration_since(from) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Some(EventLine {
            revision: change.revision,
            kind: recorded.entry.name().to_owned(),
            key: change.key.to_string(),
            after_ms: after,
            what: grade::what_changed(change),
        })
    }

    /// A fact as faces hear of it.
    pub(super) fn event(&self, fact: &Fact) -> Option<SessionEvent> {
        let outline = self.state.outline();
        let id = |step: usize| outline.steps.get(step).map(|step| step.id.clone()).unwrap_or_default();
        Some(match *fact {
            Fact::StepOpened { step } => SessionEvent::StepOpened {
                step: id(step),
                title: outline.steps.get(step)?.title.clone(),
                number: step + 1,
                of: outline.steps.len(),
            },
            Fact::StretchOpened { step, stretch } => SessionEvent::StretchOpened {
                step: id(step),
                stretch: stretch + 1,
                of: outline.steps.get(step)?.stretches.len(),
            },
            Fact::CheckTurned { place, was, now } => {
                let check = self.check_view(place)?;
                let evidence = check.evidence.clone();
                SessionEvent::CheckTurned { step: id(place.step), check, was, now, evidence }
            }
            Fact::StepGreen { step } => {
                let (held, of) = self.state.counts(step);
                SessionEvent::StepGreen { step: id(step), held, of }
            }
            Fact::StepBroke { step } => {
                let (held, of) = self.state.counts(step);
                SessionEvent::StepBroke { step: id(step), held, of }
            }
            Fact::StepDone { step } => {
                let report = self.state.report();
                let points = report.steps.get(step)?;
                SessionEvent::StepDone { step: id(step), points: points.points, max_points: points.max_points }
            }
            Fact::StepSkipped { step, cost } => SessionEvent::StepSkipped { step: id(step), cost: cost.points },
            Fact::StepShown { step } => SessionEvent::StepShown { step: id(step), number: step + 1 },
            Fact::HintGiven { step, number } => {
                SessionEvent::HintGiven { step: id(step), number, of: outline.steps.get(step)?.hints }
            }
            Fact::SolutionShown { step } => SessionEvent::SolutionShown { step: id(step) },
            Fact::Answered { step, question, right, attempts } => SessionEvent::QuestionAnswered {
                step: id(step),
                question: outline.steps.get(step)?.questions.get(question)?.id.clone(),
                right,
                attempts,
            },
            // It comes when what could not be undone is known.
            Fact::WentBack { .. } => return None,
            Fact::Finished => SessionEvent::Finished { summary: self.summary() },
        })
    }
}
