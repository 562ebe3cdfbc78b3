//! What a lab comes to on a kind of cluster, in a mode.

mod builder;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use builder::{Builder, Left, place};

use super::depends;
use crate::grade::WITHIN;
use crate::lab::{Action, CheckBlock, CheckKind, ClusterKind, Item, Lab, PartId, Question, Requirement, Role, Step};
use crate::text::{did_you_mean, one_of};

/// Whether a lab is run as a reader would run it, or proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Run,
    /// The same, with its solutions.
    Solve,
    Test,
    /// By a learner: laid out like a test, done by hand.
    Learn,
    /// Nothing is run; what somebody has done is judged.
    Grade,
}

/// What a lab comes to on this kind of cluster, in this mode.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub steps: Vec<PlannedStep>,
    /// In document order, each with the index of its step.
    pub cleanup: Vec<(usize, Action)>,
    /// The checks and questions of the lab on this kind of cluster, by where they begin: their points are its maximum,
    /// whatever is run of it.
    pub counted: Arc<BTreeSet<PartId>>,
    /// What is left out because `run` runs no solutions.
    pub unsolved: Option<Box<Unsolved>>,
}

/// The first solution that is left out, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsolved {
    /// Of its step.
    pub title: String,
    /// How many steps are left out, in whole or in part.
    pub steps: usize,
}

#[derive(Debug, Clone)]
pub struct PlannedStep {
    pub id: String,
    pub title: String,
    pub offset: usize,
    pub timeout: Option<std::time::Duration>,
    pub quiet: bool,
    pub stretches: Vec<Stretch>,
    /// Why nothing of the step, or nothing more of it, takes place here: neutral.
    pub skip: Option<String>,
    /// What the skip leaves out.
    pub skipped_checks: Vec<CheckBlock>,
    pub skipped_questions: Vec<Question>,
}

/// Consecutive actions, and what judges them.
#[derive(Debug, Clone, Default)]
pub struct Stretch {
    /// Leading `setup` blocks: the proof looks after them.
    pub setup: Vec<Action>,
    pub acts: Vec<Act>,
    pub judged: Vec<Judged>,
}

#[derive(Debug, Clone)]
pub enum Act {
    Run(Action),
    Wait(Checks),
    Ask(Question),
    /// What is not for this cluster, and why.
    Left(Action, Skip),
    LeftWait(CheckBlock, Skip),
    LeftAsk(Question, Skip),
}

#[derive(Debug, Clone)]
pub enum Judged {
    Checks(Checks),
    /// Holds up the checks after it.
    Wait(Checks),
    Ask(Question),
    Left(CheckBlock, Skip),
    LeftWait(CheckBlock, Skip),
    LeftAsk(Question, Skip),
}

/// A fence of checks in its place.
#[derive(Debug, Clone)]
pub struct Checks {
    pub block: CheckBlock,
    /// The nearest action above in the step, by its number.
    pub nearest: Option<PartId>,
}

/// Why a part does not take place here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip(pub String);

impl Mode {
    /// The command that runs labs so.
    pub fn command(self) -> &'static str {
        match self {
            Mode::Run | Mode::Solve => "run",
            Mode::Test => "test",
            Mode::Learn => "learn",
            Mode::Grade => "grade",
        }
    }
}

impl Plan {
    /// Lays the lab out, or says why it cannot take place here at all.
    pub fn new(lab: &Lab, kind: ClusterKind, mode: Mode) -> Result<Self, Skip> {
        if !lab.clusters.is_empty() && !lab.clusters.iter().any(|allowed| allowed.value == kind) {
            let names: Vec<&str> = lab.clusters.iter().map(|allowed| allowed.value.name()).collect();
            return Err(Skip(format!("it does not run `--on {}`, but on {}", kind.name(), names.join(", "))));
        }
        let wants_pods = lab.requires.iter().any(|wanted| wanted.value == Requirement::Pods);
        if wants_pods && kind.runs_pods() == Some(false) {
            return Err(Skip(format!("it requires pods that really run, and a {} cluster runs none", kind.name())));
        }
        let mut plan = Self::default();
        let mut left = Left::default();
        for step in &lab.steps {
            plan.add(step, kind, mode, &mut left);
        }
        plan.counted = match mode {
            Mode::Run | Mode::Solve => Self::new(lab, kind, Mode::Test).map(|whole| whole.counted).unwrap_or_default(),
            Mode::Test | Mode::Learn | Mode::Grade => {
                Arc::new(plan.steps.iter().flat_map(PlannedStep::counted).collect())
            }
        };
        plan.unsolved = left.solution.map(|title| {
            let first = plan.steps.iter().position(|step| step.title == title).unwrap_or_default();
            let steps = plan.steps[first..].iter().filter(|step| step.skip.is_some()).count();
            Box::new(Unsolved { title, steps })
        });
        if plan.steps.iter().any(PlannedStep::does_something) {
            return Ok(plan);
        }
        let what = if mode == Mode::Run { " but solutions; `run --solve` runs them" } else { "" };
        Err(Skip(format!("it has nothing to run or to check with `--on {}`{what}", kind.name())))
    }

    /// Leaves of it one step and the earlier ones that it needs, as far as names show. `Err`: there is no such step.
    pub fn only(&mut self, lab: &Lab, step: &str) -> Result<(), Skip> {
        let Some(at) = self.steps.iter().position(|known| known.id == step) else {
            let ids: Vec<&str> = self.steps.iter().map(|step| step.id.as_str()).collect();
            let hint =
                did_you_mean(step, ids.iter().copied()).unwrap_or_else(|| format!("its steps are {}", one_of(ids)));
            return Err(Skip(format!("it has no step `{step}`; {hint}")));
        };
        let mut wanted = depends::reach(lab, step);
        let mut kept = BTreeSet::from([at]);
        for index in (0..at).rev() {
            let own = depends::reach(lab, &self.steps[index].id);
            if !own.is_disjoint(&wanted) {
                wanted.extend(own);
                kept.insert(index);
            }
        }
        for (index, planned) in self.steps.iter_mut().enumerate() {
            if !kept.contains(&index) && !planned.is_empty() {
                planned.leave(&format!("only `{step}` and what it needs were asked for"));
            }
        }
        self.cleanup
            .retain(|(index, action)| kept.contains(index) || !depends::names_of_block(action).is_disjoint(&wanted));
        Ok(())
    }

    /// No check is waited for longer than this.
    pub fn cap(&mut self, longest: Duration) {
        let cap = |checks: &mut Checks| {
            for check in checks.block.checks.iter_mut().filter(|check| !matches!(check.kind, CheckKind::Never { .. })) {
                check.within = Some(check.within.unwrap_or(WITHIN).min(longest));
            }
        };
        for stretch in self.steps.iter_mut().flat_map(|step| &mut step.stretches) {
            for act in &mut stretch.acts {
                if let Act::Wait(checks) = act {
                    cap(checks);
                }
            }
            for judged in &mut stretch.judged {
                if let Judged::Checks(checks) | Judged::Wait(checks) = judged {
                    cap(checks);
                }
            }
        }
    }

    fn add(&mut self, step: &Step, kind: ClusterKind, mode: Mode, left: &mut Left) {
        let index = self.steps.len();
        let mut builder = Builder::new(step, kind, mode, left);
        for stretch in step.stretches() {
            for item in stretch.items {
                match item {
                    Item::Action(action) if action.norun => {}
                    Item::Action(action) if action.role == Role::Cleanup => {
                        if step.on.allows(kind) && place(action, kind).is_none() {
                            self.cleanup.push((index, action.clone()));
                        }
                    }
                    Item::Prose(_) | Item::Shown(_) | Item::Hint(_) => {}
                    part => builder.part(part),
                }
            }
            builder.close();
        }
        let (has_parts, mut planned) = (builder.has_parts, builder.planned);
        if !has_parts && step.on.allows(kind) {
            // Only prose or a clean-up: there is nothing to leave out.
            planned.skip = None;
        }
        let has_cleanup = self.cleanup.iter().any(|(of, _)| *of == index);
        // A heading with nothing but prose under it is no step of a run.
        if has_cleanup || !planned.is_empty() {
            self.steps.push(planned);
        }
    }
}

impl PlannedStep {
    /// Nothing of it runs, is judged or is skipped: its clean-up alone takes place, at the end.
    pub(super) fn is_empty(&self) -> bool {
        self.stretches.is_empty() && self.skip.is_none() && self.skipped_questions.is_empty()
    }

    /// Nothing of it takes place.
    fn leave(&mut self, reason: &str) {
        for stretch in std::mem::take(&mut self.stretches) {
            for act in stretch.acts {
                if let Act::Ask(question) | Act::LeftAsk(question, _) = act {
                    self.skipped_questions.push(question);
                }
            }
            for judged in stretch.judged {
                match judged {
                    Judged::Checks(Checks { block, .. }) | Judged::Left(block, _) => self.skipped_checks.push(block),
                    Judged::Ask(question) | Judged::LeftAsk(question, _) => self.skipped_questions.push(question),
                    Judged::Wait(_) | Judged::LeftWait(..) => {}
                }
            }
        }
        self.skip.get_or_insert_with(|| reason.to_owned());
    }

    fn counted(&self) -> Vec<PartId> {
        let acts = self.stretches.iter().flat_map(|stretch| &stretch.acts).filter_map(|act| match act {
            Act::Ask(question) => Some(vec![question.id]),
            Act::Run(_) | Act::Wait(_) | Act::Left(..) | Act::LeftWait(..) | Act::LeftAsk(..) => None,
        });
        let judged = self.stretches.iter().flat_map(|stretch| &stretch.judged).filter_map(|judged| match judged {
            Judged::Checks(checks) => Some(checks.block.checks.iter().map(|check| check.id).collect()),
            Judged::Ask(question) => Some(vec![question.id]),
            Judged::Wait(_) | Judged::Left(..) | Judged::LeftWait(..) | Judged::LeftAsk(..) => None,
        });
        acts.chain(judged).flatten().collect()
    }

    fn does_something(&self) -> bool {
        self.stretches.iter().any(|stretch| {
            stretch.acts.iter().any(|act| matches!(act, Act::Run(action) if action.role != Role::Setup))
                || stretch.judged.iter().any(|judged| matches!(judged, Judged::Checks(_)))
        })
    }
}

impl Stretch {
    pub fn checks(&self) -> impl Iterator<Item = &Checks> {
        self.judged.iter().filter_map(|judged| match judged {
            Judged::Checks(checks) => Some(checks),
            Judged::Wait(_) | Judged::Ask(_) | Judged::Left(..) | Judged::LeftWait(..) | Judged::LeftAsk(..) => None,
        })
    }

    fn is_empty(&self) -> bool {
        self.setup.is_empty() && self.acts.is_empty() && self.judged.is_empty()
    }
}
