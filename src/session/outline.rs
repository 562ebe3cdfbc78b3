//! The lab as it lies on this kind of cluster: its parts in their places, and the outline that the learner's state goes by.

use crate::grade;
use crate::lab::{Action, Check, CheckBlock, CheckKind, Hint, Item, Lab, PartId, Question, Role, Step};
use crate::learn::{CheckOutline, Outline, QuestionOutline, StepOutline, StretchOutline};
use crate::run::{Act, Checks, Judged, Plan, PlannedStep, check_fact, question_fact};

/// A lab with its plan, step by step as the lab has them.
pub(super) struct Course<'a> {
    pub(super) lab: &'a Lab,
    pub(super) plan: &'a Plan,
    pub(super) steps: Vec<CourseStep<'a>>,
}

pub(super) struct CourseStep<'a> {
    pub(super) step: &'a Step,
    pub(super) planned: Option<&'a PlannedStep>,
    /// Of all stretches, one after the other.
    pub(super) checks: Vec<PlacedCheck<'a>>,
    pub(super) questions: Vec<PlacedQuestion<'a>>,
    pub(super) blocks: Vec<PlacedBlock<'a>>,
    pub(super) hints: Vec<&'a Hint>,
    pub(super) stretches: usize,
}

#[derive(Clone, Copy)]
pub(super) struct PlacedCheck<'a> {
    pub(super) check: &'a Check,
    pub(super) block: &'a CheckBlock,
    pub(super) stretch: usize,
    /// The nearest action above in the step, by its number.
    pub(super) nearest: Option<PartId>,
    pub(super) is_wait: bool,
    pub(super) left: Option<&'a str>,
}

pub(super) struct PlacedQuestion<'a> {
    pub(super) id: String,
    pub(super) question: &'a Question,
    pub(super) left: Option<&'a str>,
}

pub(super) struct PlacedBlock<'a> {
    pub(super) id: String,
    pub(super) action: &'a Action,
    pub(super) stretch: usize,
    pub(super) left: Option<&'a str>,
}

impl<'a> Course<'a> {
    pub(super) fn new(lab: &'a Lab, plan: &'a Plan) -> Self {
        let steps = lab.steps.iter().map(|step| {
            let planned = plan.steps.iter().find(|planned| planned.id == step.id);
            CourseStep::new(step, planned)
        });
        Self { lab, plan, steps: steps.collect() }
    }

    pub(super) fn outline(&self) -> Outline {
        let file = std::path::absolute(self.lab.source.path()).unwrap_or_else(|_| self.lab.source.path().to_owned());
        Outline {
            id: self.lab.id.clone(),
            file: file.display().to_string(),
            title: self.lab.title.clone(),
            steps: self.steps.iter().map(|step| self.step_outline(step)).collect(),
        }
    }

    fn step_outline(&self, step: &CourseStep<'a>) -> StepOutline {
        let elsewhere = step.planned.and_then(|planned| planned.skip.clone());
        let mut stretches = vec![StretchOutline::default(); step.stretches];
        for placed in &step.checks {
            let Some(stretch) = stretches.get_mut(placed.stretch) else { continue };
            stretch.checks.push(CheckOutline {
                fact: check_fact(self.lab, self.plan, placed.block, placed.check),
                fail: None,
                is_wait: placed.is_wait,
                lasts: !grade::can_turn_back(placed.check) && !matches!(placed.check.kind, CheckKind::Never { .. }),
                forbids: matches!(placed.check.kind, CheckKind::Never { .. }),
                left: placed.left.map(str::to_owned),
            });
        }
        let questions = step.questions.iter().map(|placed| QuestionOutline {
            id: placed.id.clone(),
            fact: question_fact(self.lab, self.plan, placed.question),
            left: placed.left.map(str::to_owned),
        });
        StepOutline {
            id: step.step.id.clone(),
            title: step.step.title.clone(),
            line: self.line(step.step.span.start),
            elsewhere,
            stretches,
            questions: questions.collect(),
            hints: u32::try_from(step.hints.len()).unwrap_or(u32::MAX),
            has_solution: step.blocks.iter().any(|block| block.action.role == Role::Solution && block.left.is_none()),
        }
    }

    pub(super) fn line(&self, offset: usize) -> usize {
        self.lab.source.position(offset).line
    }

    pub(super) fn block(&self, id: PartId) -> Option<&PlacedBlock<'a>> {
        self.steps.iter().flat_map(|step| &step.blocks).find(|block| block.action.id == id)
    }

    pub(super) fn named(&self, name: &str) -> Option<&PlacedBlock<'a>> {
        let blocks = self.steps.iter().flat_map(|step| &step.blocks);
        blocks.into_iter().find(|block| block.action.name.as_ref().is_some_and(|known| known.value == name))
    }
}

impl<'a> CourseStep<'a> {
    fn new(step: &'a Step, planned: Option<&'a PlannedStep>) -> Self {
        let hints = step.items.iter().filter_map(|item| match item {
            Item::Hint(hint) => Some(hint),
            _ => None,
        });
        let mut this = Self {
            step,
            planned,
            checks: Vec::new(),
            questions: Vec::new(),
            blocks: Vec::new(),
            hints: hints.collect(),
            stretches: planned.map_or(0, |planned| planned.stretches.len()),
        };
        let Some(planned) = planned else { return this };
        for (number, stretch) in planned.stretches.iter().enumerate() {
            for action in &stretch.setup {
                this.add_block(action, number, None);
            }
            for act in &stretch.acts {
                match act {
                    Act::Run(action) => this.add_block(action, number, None),
                    Act::Left(action, skip) => this.add_block(action, number, Some(&skip.0)),
                    Act::Wait(checks) => this.add_checks(checks, number, true),
                    Act::LeftWait(block, skip) => this.add_left(block, number, true, &skip.0),
                    Act::Ask(question) => this.add_question(question, None),
                    Act::LeftAsk(question, skip) => this.add_question(question, Some(&skip.0)),
                }
            }
            for judged in &stretch.judged {
                match judged {
                    Judged::Checks(checks) => this.add_checks(checks, number, false),
                    Judged::Wait(checks) => this.add_checks(checks, number, true),
                    Judged::Left(block, skip) => this.add_left(block, number, false, &skip.0),
                    Judged::LeftWait(block, skip) => this.add_left(block, number, true, &skip.0),
                    Judged::Ask(question) => this.add_question(question, None),
                    Judged::LeftAsk(question, skip) => this.add_question(question, Some(&skip.0)),
                }
            }
        }
        this
    }

    fn add_checks(&mut self, checks: &'a Checks, stretch: usize, is_wait: bool) {
        let Checks { block, nearest } = checks;
        for check in &block.checks {
            self.checks.push(PlacedCheck { check, block, stretch, nearest: *nearest, is_wait, left: None });
        }
    }

    fn add_left(&mut self, block: &'a CheckBlock, stretch: usize, is_wait: bool, why: &'a str) {
        for check in &block.checks {
            self.checks.push(PlacedCheck { check, block, stretch, nearest: None, is_wait, left: Some(why) });
        }
    }

    fn add_question(&mut self, question: &'a Question, left: Option<&'a str>) {
        let number = self.questions.len() + 1;
        let id = question.name.as_ref().map_or_else(|| number.to_string(), |name| name.value.clone());
        self.questions.push(PlacedQuestion { id, question, left });
    }

    fn add_block(&mut self, action: &'a Action, stretch: usize, left: Option<&'a str>) {
        let number = self.blocks.iter().filter(|block| block.action.role != Role::Setup).count() + 1;
        let id = action.name.as_ref().map_or_else(|| number.to_string(), |name| name.value.clone());
        self.blocks.push(PlacedBlock { id, action, stretch, left });
    }

    /// What runs unseen before a stretch's mark.
    pub(super) fn setup(&self, stretch: usize) -> &'a [Action] {
        self.planned.and_then(|planned| planned.stretches.get(stretch)).map_or(&[], |stretch| &stretch.setup)
    }
}
