//! What does not take place is named all the same: whatever gives points stands in the report, with the reason, so that
//! a lab's maximum is the same wherever its run stops.

use std::collections::BTreeSet;
use std::time::Instant;

use tracing::{Span, error_span};

use super::emit::Emitter;
use super::judge::rule;
use super::plan::{Act, Judged, Plan, PlannedStep, Stretch};
use super::runner::Runner;
use crate::lab::{Action, Check, CheckBlock, Lab, PartId, Question};
use crate::outcome::{ActionReport, CheckFact, Proof, QuestionFact, RunEvent, StopCause, Verdict};

pub(super) const EARLIER_IN_STEP: &str = "something before it in the step failed";
pub(super) const EARLIER_STEP: &str = "an earlier step failed";
pub(super) const INTERRUPTED: &str = "interrupted";
const NOT_STARTED: &str = "the lab did not start";
const NOT_ASKED: &str = "questions are asked by `keywitness learn`";

/// Names the parts of a lab.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) lab: &'a Lab,
    pub(super) emitter: &'a Emitter<'a>,
    /// Of its plan.
    pub(super) counted: &'a BTreeSet<PartId>,
}

impl Runner<'_> {
    /// Steps that are not begun because an earlier one failed.
    pub(super) fn skip_steps<'s>(&self, steps: impl Iterator<Item = &'s PlannedStep>) {
        for step in steps.filter(|step| !step.is_empty()) {
            self.named().start_step(step);
            self.named().skip_step(step, EARLIER_STEP);
            self.named().finish_step(step, Instant::now());
        }
    }

    pub(super) fn named(&self) -> Named<'_> {
        Named { lab: self.lab, emitter: self.emitter, counted: &self.counted }
    }
}

impl Named<'_> {
    /// Every step of a lab that stopped before its first one.
    pub(super) fn not_started(self, plan: &Plan) {
        for step in &plan.steps {
            if step.is_empty() {
                continue;
            }
            error_span!("step", id = step.id).in_scope(|| {
                self.start_step(step);
                self.skip_step(step, NOT_STARTED);
                self.finish_step(step, Instant::now());
            });
        }
    }

    fn line(self, offset: usize) -> usize {
        self.lab.source.position(offset).line
    }

    /// Where it is not the lab's own.
    fn file(self, offset: usize) -> Option<String> {
        let source = &self.lab.source;
        source.is_other(offset).then(|| source.name_at(offset).to_owned())
    }

    pub(super) fn check_span(self, check: &Check) -> Span {
        error_span!("check", line = self.line(check.span.start))
    }

    pub(super) fn emit_of(self, check: &Check, event: RunEvent) {
        self.check_span(check).in_scope(|| self.emitter.emit(event));
    }

    pub(super) fn start_step(self, step: &PlannedStep) {
        let (lab, line) = (self.emitter.lab(), self.line(step.offset));
        let (id, title, started_ms) = (step.id.clone(), step.title.clone(), self.emitter.elapsed_ms());
        self.emitter.emit(RunEvent::StepStarted { lab, step: id, title, line, started_ms });
    }

    pub(super) fn finish_step(self, step: &PlannedStep, started: Instant) {
        let (lab, duration_ms) = (self.emitter.lab(), Runner::clock(started));
        self.emitter.emit(RunEvent::StepFinished { lab, step: step.id.clone(), duration_ms });
    }

    pub(super) fn stop_step(self, step: &PlannedStep, cause: StopCause, reason: impl Into<String>) {
        let (lab, reason) = (self.emitter.lab(), reason.into());
        self.emitter.emit(RunEvent::StepStopped { lab, step: step.id.clone(), cause, reason });
    }

    /// What is not for this cluster or mode is named, and decides nothing.
    pub(super) fn leave_out(self, step: &PlannedStep, reason: &str) {
        self.leave_parts(step);
        self.stop_step(step, StopCause::NotHere, reason);
    }

    /// Parts of a step that this mode or cluster leaves out, whatever else becomes of the step.
    pub(super) fn leave_parts(self, step: &PlannedStep) {
        let reason = step.skip.as_deref().unwrap_or(NOT_ASKED);
        for block in &step.skipped_checks {
            self.skip_checks(step, block, reason, true);
        }
        for question in &step.skipped_questions {
            self.skip_question(step, question, reason, true);
        }
    }

    pub(super) fn skip_step(self, step: &PlannedStep, why: &str) {
        for stretch in &step.stretches {
            self.skip_stretch(step, stretch, why);
        }
        if let Some(reason) = &step.skip {
            return self.leave_out(step, reason);
        }
        self.leave_parts(step);
        self.stop_step(step, StopCause::EarlierFailed, why);
    }

    /// Everything that gives points is named wherever a run stops, so that their sum is always the same.
    pub(super) fn skip_stretch(self, step: &PlannedStep, stretch: &Stretch, reason: &str) {
        self.skip_acts(step, &stretch.acts, reason);
        self.skip_judged(step, &stretch.judged, reason);
    }

    pub(super) fn skip_acts(self, step: &PlannedStep, acts: &[Act], reason: &str) {
        for act in acts {
            match act {
                Act::Ask(question) => self.skip_question(step, question, reason, false),
                Act::LeftAsk(question, skip) => self.skip_question(step, question, &skip.0, true),
                Act::Run(_) | Act::Wait(_) | Act::Left(..) | Act::LeftWait(..) => {}
            }
        }
    }

    pub(super) fn skip_question(self, step: &PlannedStep, question: &Question, reason: &str, neutral: bool) {
        self.question(step, question, Verdict::Skipped, Some(reason.to_owned()), neutral);
    }

    pub(super) fn leave_wait(self, step: &PlannedStep, block: &CheckBlock, reason: &str) {
        for check in &block.checks {
            let wait = self.skipped_fact(block, check, reason, true);
            let (lab, step) = (self.emitter.lab(), step.id.clone());
            self.emit_of(check, RunEvent::WaitFinished { lab, step, wait, failure: None });
        }
    }

    pub(super) fn skip_judged(self, step: &PlannedStep, judged: &[Judged], reason: &str) {
        for judged in judged {
            match judged {
                Judged::Checks(checks) => self.skip_checks(step, &checks.block, reason, false),
                Judged::Left(block, skip) => self.skip_checks(step, block, &skip.0, true),
                Judged::LeftWait(block, skip) => self.leave_wait(step, block, &skip.0),
                Judged::Ask(question) => self.skip_question(step, question, reason, false),
                Judged::LeftAsk(question, skip) => self.skip_question(step, question, &skip.0, true),
                Judged::Wait(_) => {}
            }
        }
    }

    pub(super) fn skip_checks(self, step: &PlannedStep, block: &CheckBlock, reason: &str, neutral: bool) {
        for check in &block.checks {
            let fact = self.skipped_fact(block, check, reason, neutral);
            let (lab, step) = (self.emitter.lab(), step.id.clone());
            self.emit_of(check, RunEvent::CheckFinished { lab, step, check: fact, failure: None });
        }
    }

    pub(super) fn leave_action(self, step: &PlannedStep, action: &Action, reason: &str) {
        self.emitter.emit(RunEvent::ActionFinished {
            lab: self.emitter.lab(),
            step: step.id.clone(),
            action: ActionReport { reason: Some(reason.to_owned()), ..self.bare_action(action) },
            detail: Vec::new(),
        });
    }

    /// An action as a report has it before it is done.
    pub(super) fn bare_action(self, action: &Action) -> ActionReport {
        ActionReport {
            name: action.name.as_ref().map(|name| name.value.clone()),
            file: self.file(action.span.start),
            line: self.line(action.span.start),
            text: action.code.lines().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n"),
            role: action.role,
            terminal: action.terminal.clone(),
            verdict: Verdict::Skipped,
            reason: None,
            exit: None,
            failed_line: None,
            fault: None,
            output: String::new(),
            truncated: false,
            started_ms: self.emitter.elapsed_ms(),
            duration_ms: 0,
            detail: Vec::new(),
        }
    }

    /// A check that was not judged.
    pub(super) fn skipped_fact(self, block: &CheckBlock, check: &Check, reason: &str, neutral: bool) -> CheckFact {
        CheckFact { reason: Some(reason.to_owned()), neutral, ..self.bare_fact(block, check) }
    }

    pub(super) fn bare_fact(self, block: &CheckBlock, check: &Check) -> CheckFact {
        bare_fact(self.lab, self.counted, block, check)
    }

    pub(super) fn question(
        self,
        step: &PlannedStep,
        question: &Question,
        verdict: Verdict,
        reason: Option<String>,
        neutral: bool,
    ) {
        self.emitter.emit(RunEvent::QuestionFinished {
            lab: self.emitter.lab(),
            step: step.id.clone(),
            question: QuestionFact { verdict, reason, neutral, ..bare_question(self.lab, self.counted, question) },
        });
    }
}

/// A check as a report has it before it is judged.
pub fn check_fact(lab: &Lab, plan: &Plan, block: &CheckBlock, check: &Check) -> CheckFact {
    CheckFact { neutral: false, ..bare_fact(lab, &plan.counted, block, check) }
}

/// A question as a report has it before it is answered.
pub fn question_fact(lab: &Lab, plan: &Plan, question: &Question) -> QuestionFact {
    bare_question(lab, &plan.counted, question)
}

fn bare_fact(lab: &Lab, counted: &BTreeSet<PartId>, block: &CheckBlock, check: &Check) -> CheckFact {
    let position = lab.source.position(check.span.start);
    let end = lab.source.position(check.span.end);
    CheckFact {
        text: check.text.clone(),
        file: lab.source.name_at(check.span.start).to_owned(),
        line: position.line,
        column: position.column,
        end_line: end.line,
        end_column: end.column,
        at_ms: 0,
        verdict: Verdict::Skipped,
        reason: None,
        proof: Proof::NotRun,
        proof_reason: None,
        sampled: false,
        revision: None,
        evidence: Vec::new(),
        fence: lab.source.position(block.span.start).line,
        fence_points: block.points,
        rule: rule(block, check),
        neutral: true,
        elsewhere: !counted.contains(&check.id),
    }
}

fn bare_question(lab: &Lab, counted: &BTreeSet<PartId>, question: &Question) -> QuestionFact {
    QuestionFact {
        line: lab.source.position(question.span.start).line,
        name: question.name.as_ref().map(|name| name.value.clone()),
        text: question.text.clone(),
        verdict: Verdict::Skipped,
        reason: None,
        points: question.points.unwrap_or(1),
        neutral: false,
        elsewhere: !counted.contains(&question.id),
    }
}
