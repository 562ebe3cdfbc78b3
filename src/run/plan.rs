use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::depends;
use crate::lab::{
    Action, Answer, AnswerText, Check, CheckBlock, CheckKind, ClusterKind, Item, Lab, On, Place, Question, Requirement,
    Role, Step,
};

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
    pub counted: Arc<BTreeSet<usize>>,
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
    /// The nearest action above in the step, by where its fence begins.
    pub nearest: Option<usize>,
}

/// Why a part does not take place here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip(pub String);

const SOLUTION_LEFT_OUT: &str = "the rest depends on a solution, which `run` leaves out; `run --solve` runs it";

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

    fn counted(&self) -> Vec<usize> {
        let acts = self.stretches.iter().flat_map(|stretch| &stretch.acts).filter_map(|act| match act {
            Act::Ask(question) => Some(vec![question.span.start]),
            Act::Run(_) | Act::Wait(_) | Act::Left(..) | Act::LeftWait(..) | Act::LeftAsk(..) => None,
        });
        let judged = self.stretches.iter().flat_map(|stretch| &stretch.judged).filter_map(|judged| match judged {
            Judged::Checks(checks) => Some(checks.block.checks.iter().map(|check| check.span.start).collect()),
            Judged::Ask(question) => Some(vec![question.span.start]),
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

/// Why this action has no place on this kind of cluster.
fn place(action: &Action, kind: ClusterKind) -> Option<Skip> {
    if !action.on.allows(kind) {
        return Some(only_on(&action.on));
    }
    let wants_node = action.place == Place::Node;
    match kind {
        ClusterKind::Sandbox if wants_node && action.on.0.is_empty() => {
            Some(Skip("it runs on a node, and the sandbox has none".to_owned()))
        }
        ClusterKind::Bare if wants_node => Some(Skip("it runs on a node, and a bare lab has none".to_owned())),
        _ => None,
    }
}

fn only_on(on: &On) -> Skip {
    let names: Vec<&str> = on.0.iter().map(|kind| kind.name()).collect();
    Skip(format!("only on {}", names.join(", ")))
}

struct Builder<'l> {
    kind: ClusterKind,
    mode: Mode,
    planned: PlannedStep,
    stretch: Stretch,
    /// The nearest block above that prints, by where its fence begins; or why it does not run here.
    nearest: Option<Result<usize, Skip>>,
    left: &'l mut Left,
    has_parts: bool,
    /// A solution of the step is left out, and what follows it in the step.
    is_unsolved: bool,
}

/// What of the lab so far does not run.
#[derive(Debug, Default)]
struct Left {
    /// Blocks by their names, and why.
    blocks: BTreeMap<String, String>,
    /// The title of the step of the first solution.
    solution: Option<String>,
    /// What solutions, and the steps that build on them, are about.
    names: BTreeSet<String>,
}

impl<'l> Builder<'l> {
    fn new(step: &Step, kind: ClusterKind, mode: Mode, left: &'l mut Left) -> Self {
        let elsewhere = (!step.on.allows(kind)).then(|| only_on(&step.on).0);
        let names = depends::names_of(step);
        let builds_on = left.solution.clone().filter(|_| left.names.is_empty() || !names.is_disjoint(&left.names));
        if builds_on.is_some() {
            left.names.extend(names);
        }
        let unsolved = builds_on.map(|title| {
            format!("it builds on the solution of “{title}”, which `run` leaves out; `run --solve` runs it")
        });
        let planned = PlannedStep {
            id: step.id.clone(),
            title: step.title.clone(),
            offset: step.span.start,
            timeout: step.timeout,
            quiet: step.quiet,
            stretches: Vec::new(),
            skip: elsewhere.or(unsolved),
            skipped_checks: Vec::new(),
            skipped_questions: Vec::new(),
        };
        Self {
            kind,
            mode,
            planned,
            stretch: Stretch::default(),
            nearest: None,
            left,
            has_parts: false,
            is_unsolved: false,
        }
    }

    fn part(&mut self, part: &Item) {
        self.has_parts = true;
        match part {
            Item::Action(action) => self.action(action),
            Item::Check(block) => self.check(block),
            Item::Wait(block) => self.wait(block),
            Item::Question(question) => self.question(question),
            Item::Prose(_) | Item::Shown(_) | Item::Hint(_) => {}
        }
        if self.is_unsolved {
            self.left.names.extend(depends::names_in(part));
        }
    }

    fn action(&mut self, action: &Action) {
        let skip = place(action, self.kind);
        if self.planned.skip.is_none() && action.role == Role::Solution && self.mode == Mode::Run && skip.is_none() {
            // What follows builds on what the solution does, and would be waited for in vain.
            self.planned.skip = Some(SOLUTION_LEFT_OUT.to_owned());
            self.left.solution.get_or_insert_with(|| self.planned.title.clone());
            self.is_unsolved = true;
        }
        if let Some(why) = self.planned.skip.as_ref().or(skip.as_ref().map(|skip| &skip.0))
            && let Some(name) = &action.name
        {
            self.left.blocks.insert(name.value.clone(), why.clone());
        }
        if self.planned.skip.is_some() {
            return;
        }
        if action.prints() {
            match &skip {
                None => self.nearest = Some(Ok(action.span.start)),
                // Beside a block of the same stretch that is written for this kind of cluster, it is the other's twin.
                Some(_) if self.ran().any(|action| action.on.0.contains(&self.kind)) => {}
                Some(skip) => self.nearest = Some(Err(skip.clone())),
            }
        }
        match skip {
            Some(skip) => self.stretch.acts.push(Act::Left(action.clone(), skip)),
            None if action.role == Role::Setup && self.stretch.acts.is_empty() => {
                self.stretch.setup.push(action.clone());
            }
            None => self.stretch.acts.push(Act::Run(action.clone())),
        }
    }

    fn check(&mut self, block: &CheckBlock) {
        if self.planned.skip.is_some() {
            self.planned.skipped_checks.push(block.clone());
        } else if !block.on.allows(self.kind) {
            self.stretch.judged.push(Judged::Left(block.clone(), only_on(&block.on)));
        } else {
            for (block, skip) in self.apart(block) {
                let judged = match skip {
                    Some(skip) => Judged::Left(block, skip),
                    None => Judged::Checks(self.placed(block)),
                };
                self.stretch.judged.push(judged);
            }
        }
    }

    /// The fence's checks, in order, with those apart that cannot be judged here, and why.
    fn apart(&self, block: &CheckBlock) -> Vec<(CheckBlock, Option<Skip>)> {
        let mut parts: Vec<(CheckBlock, Option<Skip>)> = Vec::new();
        for check in &block.checks {
            let skip = self.cannot_be_judged(check);
            match parts.last_mut() {
                Some((part, why)) if *why == skip => part.checks.push(check.clone()),
                _ => parts.push((CheckBlock { checks: vec![check.clone()], ..block.clone() }, skip)),
            }
        }
        parts
    }

    fn cannot_be_judged(&self, check: &Check) -> Option<Skip> {
        match &check.kind {
            CheckKind::Output { action: Some(name), .. } => self.was_left(&name.value),
            CheckKind::Output { action: None, .. } => match &self.nearest {
                Some(Err(skip)) => Some(Skip(format!("the block that it judges was left out: {}", skip.0))),
                Some(Ok(_)) | None => None,
            },
            _ => self.nothing_acted(),
        }
    }

    fn was_left(&self, name: &str) -> Option<Skip> {
        self.left.blocks.get(name).map(|why| Skip(format!("the block `{name}` was left out: {why}")))
    }

    fn ran(&self) -> impl Iterator<Item = &Action> {
        self.stretch.acts.iter().filter_map(|act| match act {
            Act::Run(action) => Some(action),
            Act::Left(..) | Act::Wait(_) | Act::Ask(_) | Act::LeftWait(..) | Act::LeftAsk(..) => None,
        })
    }

    /// Where every action before these checks was left out here, nothing can have made them true. A block for
    /// a node is often the very one that does, unless one for this kind of cluster stands beside it.
    fn nothing_acted(&self) -> Option<Skip> {
        let left = self.stretch.acts.iter().find_map(|act| match act {
            Act::Left(action, skip) => Some((action, skip)),
            Act::Run(_) | Act::Wait(_) | Act::Ask(_) | Act::LeftWait(..) | Act::LeftAsk(..) => None,
        });
        let (action, skip) = left?;
        let mut ran = self.ran();
        let acted = if action.on.allows(self.kind) {
            ran.any(|action| action.on.0.contains(&self.kind))
        } else {
            ran.next().is_some()
        };
        (!acted).then(|| Skip(format!("the block that it judges was left out: {}", skip.0)))
    }

    fn wait(&mut self, block: &CheckBlock) {
        if self.planned.skip.is_some() {
            return;
        }
        let parts = if block.on.allows(self.kind) {
            self.apart(block)
        } else {
            vec![(block.clone(), Some(only_on(&block.on)))]
        };
        for (block, skip) in parts {
            let before_checks = self.stretch.judged.is_empty();
            match skip {
                Some(skip) if before_checks => self.stretch.acts.push(Act::LeftWait(block, skip)),
                Some(skip) => self.stretch.judged.push(Judged::LeftWait(block, skip)),
                None if before_checks => self.stretch.acts.push(Act::Wait(self.placed(block))),
                None => self.stretch.judged.push(Judged::Wait(self.placed(block))),
            }
        }
    }

    fn placed(&self, block: CheckBlock) -> Checks {
        Checks { block, nearest: self.nearest.as_ref().and_then(|nearest| nearest.as_ref().ok().copied()) }
    }

    fn question(&mut self, question: &Question) {
        if self.planned.skip.is_some() || matches!(self.mode, Mode::Run | Mode::Solve) {
            self.planned.skipped_questions.push(question.clone());
            return;
        }
        let texts = if let Answer::Texts(texts) = &question.answer { texts.as_slice() } else { &[] };
        let from_left = texts.iter().find_map(|text| match text {
            AnswerText::From(name) => self.was_left(&name.value),
            AnswerText::Literal(_) | AnswerText::Regex(_) | AnswerText::Command(_) => None,
        });
        let skip = if question.on.allows(self.kind) { from_left } else { Some(only_on(&question.on)) };
        let question = question.clone();
        // A question does not part the actions from the checks that judge them.
        let before_checks = self.stretch.judged.is_empty();
        match skip {
            Some(skip) if before_checks => self.stretch.acts.push(Act::LeftAsk(question, skip)),
            Some(skip) => self.stretch.judged.push(Judged::LeftAsk(question, skip)),
            None if before_checks => self.stretch.acts.push(Act::Ask(question)),
            None => self.stretch.judged.push(Judged::Ask(question)),
        }
    }

    fn close(&mut self) {
        let stretch = std::mem::take(&mut self.stretch);
        if !stretch.is_empty() {
            self.planned.stretches.push(stretch);
        }
    }
}
