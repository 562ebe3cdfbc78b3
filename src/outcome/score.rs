//! A step's facts to its verdict and points.

use super::report::{Against, CheckReport, QuestionReport, StepReport};
use super::{CheckFact, Failure, Proof, ProofRule, QuestionFact, StopCause, Verdict};

/// What is known about a step so far.
#[derive(Debug)]
pub(super) struct StepFacts {
    pub(super) report: StepReport,
    pub(super) waits: Vec<(CheckFact, Option<Failure>)>,
    pub(super) checks: Vec<(CheckFact, Option<Failure>)>,
    pub(super) questions: Vec<QuestionFact>,
    pub(super) stop: Option<(StopCause, String)>,
    /// A proof that a test demands did not come out: the lab is wrong, not the learner.
    pub(super) proof_failed: bool,
}

impl StepFacts {
    pub(super) fn new(id: &str, title: &str, line: usize) -> Self {
        let report = StepReport {
            id: id.to_owned(),
            title: title.to_owned(),
            line,
            verdict: Verdict::Pass,
            reason: None,
            points: 0,
            max_points: 0,
            hints_used: 0,
            started_ms: 0,
            duration_ms: 0,
            stop: None,
            actions: Vec::new(),
            waits: Vec::new(),
            checks: Vec::new(),
            questions: Vec::new(),
            events: Vec::new(),
            events_left_out: 0,
        };
        let (waits, checks, questions) = (Vec::new(), Vec::new(), Vec::new());
        Self { report, waits, checks, questions, stop: None, proof_failed: false }
    }

    /// Whether nothing of it took place, because it is not for this cluster or mode.
    pub(super) fn is_neutral(&self) -> bool {
        let ran = self.report.actions.iter().any(|action| action.verdict != Verdict::Skipped)
            || self.waits.iter().chain(&self.checks).any(|(check, _)| !check.neutral)
            || self.questions.iter().any(|question| !question.neutral);
        !ran && !matches!(self.stop, Some((cause, _)) if cause != StopCause::NotHere)
    }

    /// Draws the verdict, the reason and the points from the facts anew.
    pub(super) fn settle(&mut self, proofs_demanded: bool) {
        let mut checks: Vec<CheckReport> = self.checks.iter().map(report).collect();
        if proofs_demanded {
            self.proof_failed = demand_proofs(&self.checks, &mut checks);
        } else {
            show_unproved(&self.checks, &mut checks);
        }
        self.score(&mut checks);
        self.report.questions = self.questions.iter().map(question).collect();
        self.proof_failed |= proofs_demanded && self.questions.iter().any(|q| q.verdict == Verdict::Fail);
        self.report.points =
            checks.iter().map(|c| c.points).sum::<u32>() + self.report.questions.iter().map(|q| q.points).sum::<u32>();
        self.report.max_points = checks.iter().map(|c| c.max_points).sum::<u32>()
            + self.report.questions.iter().map(|q| q.max_points).sum::<u32>();
        self.report.checks = checks;
        self.report.waits = self.waits.iter().map(report).collect();
        self.decide();
    }

    /// A fence with points earns them as a whole, shown at its first check; else each check earns one.
    fn score(&self, checks: &mut [CheckReport]) {
        let passes: Vec<bool> = checks.iter().map(|check| check.verdict == Verdict::Pass).collect();
        let others_pass = self
            .checks
            .iter()
            .zip(&passes)
            .all(|((fact, _), pass)| fact.rule != ProofRule::Red || fact.neutral || *pass);
        for (index, (fact, _)) in self.checks.iter().enumerate() {
            if fact.elsewhere {
                continue;
            }
            let is_mate = |mate: &CheckFact| mate.fence == fact.fence && !mate.elsewhere;
            let mates = || self.checks.iter().zip(&passes).filter(|((mate, _), _)| is_mate(mate));
            let is_first = self.checks.iter().position(|(mate, _)| is_mate(mate)) == Some(index);
            let (worth, earned) = match fact.fence_points {
                Some(points) if is_first => (points, mates().all(|(_, pass)| *pass)),
                Some(_) => (0, false),
                None => (1, passes[index]),
            };
            let conditional = match fact.fence_points {
                Some(_) => mates().any(|((mate, _), _)| mate.rule != ProofRule::Red),
                None => fact.rule != ProofRule::Red,
            };
            checks[index].max_points = worth;
            checks[index].points = if earned && (!conditional || others_pass) { worth } else { 0 };
        }
    }

    fn decide(&mut self) {
        let report = &self.report;
        let actions = report.actions.iter().map(|a| (a.verdict, a.reason.as_ref(), a.verdict == Verdict::Skipped));
        let checks = report.waits.iter().chain(&report.checks).map(|c| (c.verdict, c.reason.as_ref(), c.neutral));
        let questions = self.questions.iter().map(|q| (q.verdict, q.reason.as_ref(), q.neutral));
        let parts: Vec<_> = actions.chain(checks).chain(questions).filter(|(.., neutral)| !neutral).collect();
        let mut worst = parts.iter().map(|(verdict, ..)| *verdict).max();
        if worst == Some(Verdict::Pass)
            && !report.checks.is_empty()
            && report.checks.iter().all(|c| c.neutral)
            && self.questions.iter().all(|q| q.neutral)
        {
            // Its blocks ran, and nothing was judged.
            worst = Some(Verdict::Skipped);
        }
        let stopped = self.stop.as_ref().map(|(cause, reason)| (stop_verdict(*cause), reason));
        let verdict = match (worst, stopped) {
            (None, _) if self.is_neutral() && self.has_parts() => Verdict::Skipped,
            // What ran decides; a part that is not for this place says nothing about it.
            (Some(worst), Some((Verdict::Skipped, _))) if self.is_not_here() => worst,
            (worst, stopped) => worst.max(stopped.map(|(verdict, _)| verdict)).unwrap_or(Verdict::Pass),
        };
        let first = parts.iter().find(|(part, ..)| *part == verdict && verdict != Verdict::Pass);
        let reason = match (verdict, first, stopped) {
            (Verdict::Pass, ..) => None,
            (_, Some((_, reason, _)), _) if verdict != Verdict::Skipped => reason.cloned(),
            (_, first, stopped) => {
                let left = || self.report.checks.iter().find_map(|check| check.reason.clone());
                let first = || first.and_then(|(_, reason, _)| reason.cloned()).or_else(left);
                stopped.map(|(_, reason)| reason.clone()).or_else(first)
            }
        };
        self.report.verdict = verdict;
        self.report.reason = reason;
    }

    fn is_not_here(&self) -> bool {
        matches!(self.stop, Some((StopCause::NotHere, _)))
    }

    fn has_parts(&self) -> bool {
        self.stop.is_some() || !self.report.actions.is_empty() || !self.checks.is_empty() || !self.questions.is_empty()
    }
}

pub(super) fn stop_verdict(cause: StopCause) -> Verdict {
    match cause {
        StopCause::Wrong | StopCause::Failed | StopCause::Background | StopCause::TimedOut => Verdict::Fail,
        StopCause::CannotJudge | StopCause::Interrupted => Verdict::CannotJudge,
        StopCause::NotHere | StopCause::NothingToDo | StopCause::EarlierFailed | StopCause::FailFast => {
            Verdict::Skipped
        }
    }
}

/// In a test a check that passes without its proof is a failure of the lab; answers whether one did.
fn demand_proofs(facts: &[(CheckFact, Option<Failure>)], checks: &mut [CheckReport]) -> bool {
    // A check that owes a proof and lacks it is a failure itself; here it matters whether there is any.
    let owed = |neutral| facts.iter().any(|(fact, _)| fact.rule == ProofRule::Red && fact.neutral == neutral);
    let mut failed = false;
    for ((fact, _), check) in facts.iter().zip(checks) {
        if fact.neutral || fact.verdict != Verdict::Pass {
            continue;
        }
        let why = fact.proof_reason.as_deref();
        let problem = match (fact.proof, fact.rule) {
            (Proof::Exempt, rule) if !owed(false) => {
                if owed(true) {
                    // The check that would prove it is not for this cluster: nobody's fault, and no proof.
                    check.proof = Proof::NotRun;
                    continue;
                }
                let what = if rule == ProofRule::Never { "`never`" } else { "pre=pass" };
                Some(format!(
                    "proves nothing: {what} needs another check in the step that is red before and green after"
                ))
            }
            (Proof::Red | Proof::Exempt, _) => None,
            (Proof::ProvesNothing, _) => {
                Some(format!("proves nothing: {}", why.unwrap_or("it held already before the step's actions; check something that they change, or add `pre=pass` and a second check")))
            }
            (Proof::NotRun, _) => {
                Some(format!("is not proved: {}", why.unwrap_or("it was not evaluated before the step's actions")))
            }
        };
        if let Some(problem) = problem {
            failed = true;
            check.verdict = Verdict::Fail;
            check.unproved = true;
            check.reason = Some(problem);
        }
    }
    failed
}

/// Where no proofs are demanded, an exempt check counts as proved only beside one that was red before.
fn show_unproved(facts: &[(CheckFact, Option<Failure>)], checks: &mut [CheckReport]) {
    let is_red = |(fact, _): &(CheckFact, Option<Failure>)| {
        !fact.neutral && fact.proof == Proof::Red && fact.verdict == Verdict::Pass
    };
    if facts.iter().any(is_red) {
        return;
    }
    for check in checks.iter_mut().filter(|check| check.proof == Proof::Exempt) {
        check.proof = Proof::NotRun;
    }
}

fn report((fact, failure): &(CheckFact, Option<Failure>)) -> CheckReport {
    CheckReport {
        text: fact.text.clone(),
        file: fact.file.clone(),
        line: fact.line,
        column: fact.column,
        end_line: fact.end_line,
        end_column: fact.end_column,
        at_ms: fact.at_ms,
        verdict: fact.verdict,
        reason: fact.reason.clone(),
        points: 0,
        max_points: 0,
        proof: fact.proof,
        unproved: false,
        sampled: fact.sampled,
        revision: fact.revision,
        evidence: fact.evidence.clone(),
        failure: failure.clone(),
        against: failure.as_ref().map(|failure| Against::of(&failure.explanation)).unwrap_or_default(),
        neutral: fact.neutral,
    }
}

fn question(fact: &QuestionFact) -> QuestionReport {
    QuestionReport {
        line: fact.line,
        name: fact.name.clone(),
        text: fact.text.clone(),
        verdict: fact.verdict,
        reason: fact.reason.clone(),
        points: if fact.verdict == Verdict::Pass { fact.points } else { 0 },
        max_points: if fact.elsewhere { 0 } else { fact.points },
    }
}
