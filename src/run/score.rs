//! What verdicts that were come to elsewhere are worth, by the rules of every report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::emit::Emitter;
use super::lab::begin;
use super::named::Named;
use super::plan::{Act, Judged};
use super::{EventSink, Mode, Plan};
use crate::lab::{Check, Lab, Question};
use crate::outcome::{Attempt, CheckFact, RunEvent, Verdict, lab_report};

#[derive(Default)]
struct Collected(Mutex<Vec<RunEvent>>);

impl EventSink for Collected {
    fn emit(&self, event: RunEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

/// Where a check begins in its file: line and column.
pub type CheckPlace = (usize, usize);

/// The checks that are judged on the plan's kind of cluster, by where they begin.
pub fn judged_checks<'p>(lab: &Lab, plan: &'p Plan) -> BTreeMap<CheckPlace, &'p Check> {
    let stretches = plan.steps.iter().flat_map(|step| &step.stretches);
    let checks = stretches.flat_map(super::plan::Stretch::checks).flat_map(|checks| &checks.block.checks);
    checks.map(|check| (place(lab, check), check)).collect()
}

fn place(lab: &Lab, check: &Check) -> CheckPlace {
    let position = lab.source.position(check.span.start);
    (position.line, position.column)
}

/// Points and their maximum; what has no verdict was not done. Right answers are known by their questions' lines.
pub fn score(lab: &Lab, plan: &Plan, verdicts: &BTreeMap<CheckPlace, Verdict>, right: &BTreeSet<usize>) -> (u32, u32) {
    let collected = Collected::default();
    let emitter = Emitter::new(&collected, 0, Mode::Grade);
    begin(lab, &emitter, Attempt::default());
    let named = Named { lab, emitter: &emitter, counted: &plan.counted };
    for step in plan.steps.iter().filter(|step| !step.is_empty()) {
        named.start_step(step);
        let answer = |question: &Question| {
            let is_right = right.contains(&lab.source.position(question.span.start).line);
            let verdict = if is_right { Verdict::Pass } else { Verdict::Skipped };
            named.question(step, question, verdict, None, false);
        };
        for stretch in &step.stretches {
            for act in &stretch.acts {
                if let Act::Ask(question) | Act::LeftAsk(question, _) = act {
                    answer(question);
                }
            }
            for judged in &stretch.judged {
                match judged {
                    Judged::Checks(checks) => {
                        for check in &checks.block.checks {
                            let verdict = verdicts.get(&place(lab, check)).copied().unwrap_or(Verdict::Skipped);
                            let fact = named.bare_fact(&checks.block, check);
                            let check = CheckFact { verdict, neutral: false, ..fact };
                            let step = step.id.clone();
                            emitter.emit(RunEvent::CheckFinished { lab: 0, step, check, failure: None });
                        }
                    }
                    Judged::Left(block, skip) => named.skip_checks(step, block, &skip.0, true),
                    Judged::Ask(question) | Judged::LeftAsk(question, _) => answer(question),
                    Judged::Wait(_) | Judged::LeftWait(..) => {}
                }
            }
        }
        named.leave_parts(step);
    }
    let events = collected.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let report = lab_report(&events);
    (report.points, report.max_points)
}
