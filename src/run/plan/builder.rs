//! Lays out one step: what of it runs here, what is judged, and what is left out and why.

use std::collections::{BTreeMap, BTreeSet};

use super::{Act, Checks, Judged, Mode, PlannedStep, Skip, Stretch};
use crate::lab::{
    Action, Answer, AnswerText, Check, CheckBlock, CheckKind, ClusterKind, Item, On, PartId, Place, Question, Role,
    Step,
};
use crate::run::depends;

const SOLUTION_LEFT_OUT: &str = "the rest depends on a solution, which `run` leaves out; `run --solve` runs it";

/// Why this action has no place on this kind of cluster.
pub(super) fn place(action: &Action, kind: ClusterKind) -> Option<Skip> {
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

pub(super) struct Builder<'l> {
    kind: ClusterKind,
    mode: Mode,
    pub(super) planned: PlannedStep,
    stretch: Stretch,
    /// The nearest block above that prints, by its number; or why it does not run here.
    nearest: Option<Result<PartId, Skip>>,
    left: &'l mut Left,
    pub(super) has_parts: bool,
    /// A solution of the step is left out, and what follows it in the step.
    is_unsolved: bool,
}

/// What of the lab so far does not run.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Blocks by their names, and why.
    blocks: BTreeMap<String, String>,
    /// The title of the step of the first solution.
    pub(super) solution: Option<String>,
    /// What solutions, and the steps that build on them, are about.
    names: BTreeSet<String>,
}

impl<'l> Builder<'l> {
    pub(super) fn new(step: &Step, kind: ClusterKind, mode: Mode, left: &'l mut Left) -> Self {
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

    pub(super) fn part(&mut self, part: &Item) {
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
                None => self.nearest = Some(Ok(action.id)),
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

    pub(super) fn close(&mut self) {
        let stretch = std::mem::take(&mut self.stretch);
        if !stretch.is_empty() {
            self.planned.stretches.push(stretch);
        }
    }
}
