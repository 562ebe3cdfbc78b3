use super::report::{LabReport, Notice, RunReport, StepReport};
use super::score::{StepFacts, stop_verdict};
use super::totals::is_flaky;
use super::{Attempt, Exit, RunEvent, StopCause, Verdict};
use crate::text::Severity;

/// The command whose runs owe proofs.
const PROVING_COMMAND: &str = "test";

/// The report of a whole run from its events.
pub fn fold<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> RunReport {
    let mut fold = Fold::default();
    for event in events {
        fold.apply(event);
    }
    fold.report()
}

/// The report of the first lab of these events.
pub fn lab_report<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> LabReport {
    let mut fold = Fold::default();
    events.into_iter().for_each(|event| fold.apply(event));
    fold.lab(0).unwrap_or_else(LabReport::empty)
}

/// The report as it grows, event by event.
#[derive(Debug, Default)]
pub struct Fold {
    run: RunReport,
    labs: Vec<LabFacts>,
    interrupted: bool,
    finished: bool,
}

#[derive(Debug)]
struct LabFacts {
    report: LabReport,
    steps: Vec<StepFacts>,
    stop: Option<(StopCause, String)>,
    keys_left: Vec<String>,
}

impl Fold {
    pub fn apply(&mut self, event: &RunEvent) {
        match event {
            RunEvent::RunStarted { tool, command, seed, started_at, terms } => {
                self.run.schema = 1;
                self.run.tool.clone_from(tool);
                self.run.command.clone_from(command);
                self.run.seed = seed.to_string();
                self.run.started_at.clone_from(started_at);
                self.run.allow_flaky = terms.allow_flaky;
                self.run.shard.clone_from(&terms.shard);
                self.run.host.clone_from(&terms.host);
            }
            RunEvent::DiagnosticFound { diagnostic } => self.run.diagnostics.push(diagnostic.clone()),
            RunEvent::LeftOut(left) => self.run.left_out.push(left.clone()),
            RunEvent::LabStarted { lab, id, file, title, attempt } => {
                self.start_lab(*lab, id, file, title, attempt);
            }
            RunEvent::ClusterReady { lab, cluster, vars } => self.with_lab(*lab, |facts| {
                facts.report.cluster = cluster.clone();
                facts.report.vars = vars.iter().cloned().collect();
            }),
            RunEvent::StepStarted { lab, step, title, line, started_ms } => self.with_lab(*lab, |facts| {
                if !facts.steps.iter().any(|known| known.report.id == *step) {
                    let mut step = StepFacts::new(step, title, *line);
                    step.report.started_ms = *started_ms;
                    facts.steps.push(step);
                }
            }),
            RunEvent::StepWitnessed { lab, step, events, left_out } => self.with_step(*lab, step, |facts| {
                facts.report.events.extend_from_slice(events);
                facts.report.events_left_out += left_out;
            }),
            RunEvent::ActionFinished { lab, step, action, detail } => self.with_step(*lab, step, |facts| {
                let mut action = action.clone();
                action.detail.clone_from(detail);
                facts.report.actions.push(action);
            }),
            RunEvent::CheckFinished { lab, step, check, failure } => {
                self.with_step(*lab, step, |facts| facts.checks.push((check.clone(), failure.clone())));
            }
            RunEvent::WaitFinished { lab, step, wait, failure } => {
                self.with_step(*lab, step, |facts| facts.waits.push((wait.clone(), failure.clone())));
            }
            RunEvent::QuestionFinished { lab, step, question } => {
                self.with_step(*lab, step, |facts| facts.questions.push(question.clone()));
            }
            RunEvent::StepStopped { lab, step, cause, reason } => self.with_step(*lab, step, |facts| {
                facts.stop.get_or_insert((*cause, reason.clone()));
                facts.report.stop = facts.stop.as_ref().map(|(cause, _)| *cause);
            }),
            RunEvent::StepFinished { lab, step, duration_ms } => {
                self.with_step(*lab, step, |facts| facts.report.duration_ms += duration_ms);
            }
            RunEvent::LabStopped { lab, cause, reason, detail } => self.with_lab(*lab, |facts| {
                facts.stop.get_or_insert((*cause, reason.clone()));
                facts.report.detail.extend_from_slice(detail);
            }),
            RunEvent::KeysLeft { lab, keys } => {
                self.with_lab(*lab, |facts| facts.keys_left.extend_from_slice(keys));
            }
            RunEvent::LabFinished { lab, duration_ms, spent } => self.with_lab(*lab, |facts| {
                facts.report.duration_ms = *duration_ms;
                facts.report.spent = *spent;
                // Clean-up runs last, wherever the document has it.
                facts.steps.sort_by_key(|step| step.report.line);
            }),
            RunEvent::RunSaved { lab, folder } => {
                self.with_lab(*lab, |facts| facts.report.saved = Some(folder.clone()));
            }
            RunEvent::Noticed { lab, message } => {
                let lab = lab.and_then(|lab| self.labs.get(lab)).map(|facts| facts.report.id.clone());
                self.run.notices.push(Notice { lab, message: message.clone() });
            }
            RunEvent::Interrupted => self.interrupted = true,
            RunEvent::RunFinished { duration_ms } => {
                self.run.duration_ms = *duration_ms;
                self.finished = true;
            }
            RunEvent::StagePassed { .. }
            | RunEvent::Pulling { .. }
            | RunEvent::ActionStarted { .. }
            | RunEvent::CheckPending { .. } => {}
        }
    }

    pub fn report(&self) -> RunReport {
        let mut run = self.run.clone();
        run.labs = self.labs.iter().map(LabFacts::settled).collect();
        run.sum_up();
        run.exit = self.exit().code();
        run
    }

    pub fn verdict(&self, lab: usize) -> Verdict {
        self.labs.get(lab).map_or(Verdict::Skipped, LabFacts::verdict)
    }

    pub fn lab(&self, lab: usize) -> Option<LabReport> {
        self.labs.get(lab).map(LabFacts::settled)
    }

    pub fn step(&self, lab: usize, step: &str) -> Option<&StepReport> {
        let facts = self.labs.get(lab)?;
        facts.steps.iter().map(|facts| &facts.report).find(|report| report.id == step)
    }

    /// In order of precedence.
    pub fn exit(&self) -> Exit {
        let decides = |lab: &&LabFacts| {
            let runs = self.labs.iter().filter(|other| other.report.file == lab.report.file).map(LabFacts::verdict);
            !self.run.allow_flaky || !is_flaky(runs)
        };
        let any = |test: &dyn Fn(&LabFacts) -> bool| self.labs.iter().filter(decides).any(test);
        if self.interrupted {
            Exit::Interrupted
        } else if self.run.diagnostics.iter().any(|finding| finding.severity == Severity::Error)
            || any(&LabFacts::is_wrong)
        {
            Exit::WrongInput
        } else if any(&|lab| lab.verdict() == Verdict::Fail) {
            Exit::CheckFailed
        } else if any(&|lab| lab.verdict() == Verdict::CannotJudge) || !self.finished {
            // A run whose end was never reported is not a passed one.
            Exit::CannotJudge
        } else {
            Exit::Passed
        }
    }

    fn start_lab(&mut self, lab: usize, id: &str, file: &str, title: &str, attempt: &Attempt) {
        // Labs run side by side, so that one may start before those that were named before it.
        while self.labs.len() <= lab {
            self.labs.push(LabFacts::default());
        }
        let report = &mut self.labs[lab].report;
        id.clone_into(&mut report.id);
        file.clone_into(&mut report.file);
        title.clone_into(&mut report.title);
        report.order = u32::try_from(attempt.order).unwrap_or(u32::MAX);
        (report.repeat, report.repeats, report.retry) = (attempt.repeat, attempt.repeats, attempt.retry);
        report.seed = attempt.seed.to_string();
        attempt.started_at.clone_into(&mut report.started_at);
    }

    fn with_lab(&mut self, lab: usize, change: impl FnOnce(&mut LabFacts)) {
        if let Some(facts) = self.labs.get_mut(lab) {
            change(facts);
        }
    }

    fn with_step(&mut self, lab: usize, step: &str, change: impl FnOnce(&mut StepFacts)) {
        let proofs_demanded = self.run.command == PROVING_COMMAND;
        let steps = self.labs.get_mut(lab).map(|facts| &mut facts.steps);
        if let Some(facts) = steps.and_then(|steps| steps.iter_mut().find(|facts| facts.report.id == step)) {
            change(facts);
            facts.settle(proofs_demanded);
        }
    }
}

impl Default for LabFacts {
    fn default() -> Self {
        let report = LabReport::empty();
        Self { report, steps: Vec::new(), stop: None, keys_left: Vec::new() }
    }
}

impl LabFacts {
    fn settled(&self) -> LabReport {
        let mut report = self.report.clone();
        report.steps = self.steps.iter().map(|facts| facts.report.clone()).collect();
        report.points = report.steps.iter().map(|step| step.points).sum();
        report.max_points = report.steps.iter().map(|step| step.max_points).sum();
        report.verdict = self.verdict();
        report.reason = self.reason(report.verdict);
        report.stop = self.stop.as_ref().map(|(cause, _)| *cause);
        report.keys_left.clone_from(&self.keys_left);
        report
    }

    /// The lab itself is wrong, or a proof of it failed.
    fn is_wrong(&self) -> bool {
        !self.keys_left.is_empty()
            || self.steps.iter().any(|step| step.proof_failed)
            || self.steps.iter().filter_map(|step| step.stop.as_ref()).chain(&self.stop).any(|(cause, _)| match cause {
                StopCause::Wrong | StopCause::NothingToDo => true,
                StopCause::CannotJudge
                | StopCause::Failed
                | StopCause::Background
                | StopCause::TimedOut
                | StopCause::FailFast
                | StopCause::NotHere
                | StopCause::EarlierFailed
                | StopCause::Interrupted => false,
            })
    }

    fn verdict(&self) -> Verdict {
        let stopped = self.stop.as_ref().map(|(cause, _)| stop_verdict(*cause));
        let left = (!self.keys_left.is_empty()).then_some(Verdict::Fail);
        let steps = self.steps.iter().map(|step| step.report.verdict);
        let worst = steps.clone().chain(stopped).chain(left).filter(|verdict| *verdict != Verdict::Skipped).max();
        worst.unwrap_or(Verdict::Skipped)
    }

    fn reason(&self, verdict: Verdict) -> Option<String> {
        if let Some((cause, reason)) = &self.stop
            && stop_verdict(*cause) == verdict
        {
            return Some(reason.clone());
        }
        let step = self.steps.iter().map(|facts| &facts.report).find(|step| step.verdict == verdict);
        match (verdict, step) {
            (Verdict::Pass, _) => None,
            (_, Some(step)) => Some(format!("{}: {}", step.title, step.reason.as_deref().unwrap_or(verdict.word()))),
            (_, None) if self.keys_left.is_empty() => None,
            (_, None) => Some(format!("the clean-up left what the lab created: {}", self.keys_left.join(", "))),
        }
    }
}
