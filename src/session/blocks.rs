//! The lab's blocks: found by name, run by the session, typed by the learner; and a step solved by them.

use tokio::sync::oneshot;

use super::api::{Answer, BlockText};
use super::engine::{Engine, Worked};
use super::outline::{PlacedBlock, PlacedCheck};
use super::printed::{Candidate, text_of};
use crate::lab::{CheckKind, PartId, Place, Role};
use crate::outcome::Verdict;
use crate::run::Ran;
use crate::text::{did_you_mean, redact};

/// What of a background block's output an answer shows.
const SHOWN: usize = 4 << 20;

impl<'a> Engine<'a> {
    /// The block that an output check is about.
    pub(super) fn block_of(&self, placed: PlacedCheck<'_>) -> Option<PartId> {
        match &placed.check.kind {
            CheckKind::Output { action: Some(name), .. } => self.course.named(&name.value).map(|block| block.action.id),
            _ => placed.nearest,
        }
    }

    pub(super) fn solution(&self) -> Answer {
        let blocks = self.course.steps.get(self.state.shown()).map_or(&[][..], |step| &step.blocks);
        let of_solution = blocks.iter().filter(|block| block.action.role == Role::Solution && block.left.is_none());
        Answer::Solution { blocks: of_solution.map(|block| self.block_text(block)).collect() }
    }

    pub(super) fn block_text(&self, block: &PlacedBlock<'_>) -> BlockText {
        BlockText {
            id: block.id.clone(),
            line: self.course.line(block.action.span.start),
            text: text_of(block.action),
            background: block.action.background.is_some(),
            on_node: block.action.place == Place::Node,
        }
    }

    /// A block of the step on the screen, or of any by its name; the next that was not run where none is named.
    pub(super) fn find_block(&self, wanted: Option<&str>) -> Result<&'a PlacedBlock<'a>, Answer> {
        let refuse = |reason: String, hint: Option<String>| Err(Answer::Refused { reason, hint });
        let course = self.course;
        let of_step: Vec<&'a PlacedBlock<'a>> = course
            .steps
            .get(self.state.shown())
            .map_or(&[][..], |step| &step.blocks)
            .iter()
            .filter(|block| shown(block))
            .collect();
        let found = match wanted {
            Some(wanted) => of_step
                .iter()
                .copied()
                .find(|block| block.id == wanted)
                .or_else(|| course.named(wanted).filter(|block| shown(block))),
            None => of_step.iter().copied().find(|block| {
                block.left.is_none() && block.action.role == Role::Action && !self.done.contains(&block.action.id)
            }),
        };
        match (found, wanted) {
            (Some(block), _) => match block.left {
                Some(why) => refuse(format!("the block `{}` does not run here: {why}", block.id), None),
                None => Ok(block),
            },
            (None, Some(wanted)) => {
                let names: Vec<&str> = of_step.iter().map(|block| block.id.as_str()).collect();
                let hint = did_you_mean(wanted, names.iter().copied())
                    .unwrap_or_else(|| format!("this step has {}", names.join(", ")));
                refuse(format!("there is no block `{wanted}`"), Some(hint).filter(|_| !names.is_empty()))
            }
            (None, None) if of_step.is_empty() => refuse("this step has no blocks".to_owned(), None),
            (None, None) => {
                let hint = "name one to run it again: `lab run NAME`".to_owned();
                refuse("every block of this step was run".to_owned(), Some(hint))
            }
        }
    }

    pub(super) fn run_block(&mut self, wanted: Option<&str>, reply: oneshot::Sender<Answer>) {
        match self.find_block(wanted) {
            Ok(block) => self.start_block(block, Some(reply), false),
            Err(refused) => drop(reply.send(refused)),
        }
    }

    fn start_block(&mut self, block: &'a PlacedBlock<'a>, reply: Option<oneshot::Sender<Answer>>, solving: bool) {
        let (hands, course) = (self.hands, self.course);
        let action = block.action;
        let planned = course
            .steps
            .iter()
            .find(|step| step.blocks.iter().any(|known| known.action.span == action.span))
            .and_then(|step| step.planned);
        let Some(planned) = planned else {
            if let Some(reply) = reply {
                let reason = "this block does not run here".to_owned();
                drop(reply.send(Answer::Refused { reason, hint: None }));
            }
            return;
        };
        self.work.push(Box::pin(async move {
            let ran = hands.lock().await.block(planned, action).await;
            Worked::Ran { block: action.id, ran, reply, solving }
        }));
    }

    pub(super) fn solve(&mut self, reply: oneshot::Sender<Answer>) {
        if self.solving.is_some() {
            let reason = "the step is being solved already".to_owned();
            drop(reply.send(Answer::Refused { reason, hint: None }));
            return;
        }
        self.solving = Some(reply);
        self.go_on_solving();
    }

    /// Runs the next block of the open stretch that was not run; where none is left, etcd decides.
    pub(super) fn go_on_solving(&mut self) {
        if self.solving.is_none() || !self.state.is_live() {
            return;
        }
        let (course, stretch) = (self.course, self.state.stretch());
        let blocks = course.steps.get(self.state.open()).map_or(&[][..], |step| &step.blocks);
        let next = blocks.iter().find(|block| {
            block.stretch == stretch
                && block.left.is_none()
                && block.action.role != Role::Setup
                && !self.done.contains(&block.action.id)
        });
        if let Some(block) = next {
            return self.start_block(block, None, true);
        }
        if let Some(reply) = self.solving.take() {
            drop(reply.send(self.view_answer()));
        }
    }

    pub(super) fn ran(&mut self, block: PartId, ran: Ran, reply: Option<oneshot::Sender<Answer>>, solving: bool) {
        self.moved();
        let passed = ran.verdict == Verdict::Pass;
        if passed {
            self.done.insert(block);
        }
        self.heard.of_blocks.insert(block, ran.printed.clone());
        let view = self.ground.witness.journal();
        let by = self.course.block(block).map(|block| text_of(block.action)).unwrap_or_default();
        self.heard.named(&by);
        self.heard.named(&ran.printed.text);
        let candidate = Candidate { printed: ran.printed.clone(), exit: ran.exit, own: true, by };
        self.printed(&[candidate], Some(block), &view);
        let mut output = redact(&ran.printed.text).into_owned();
        let cut = ran.printed.cut || output.len() > SHOWN;
        output.truncate(output.floor_char_boundary(SHOWN));
        if let Some(reply) = reply {
            drop(reply.send(Answer::Ran { passed, reason: ran.reason.clone(), output, cut }));
        }
        if !solving {
            return;
        }
        if passed {
            self.go_on_solving();
        } else if let Some(reply) = self.solving.take() {
            let line = self.course.block(block).map_or(0, |block| self.course.line(block.action.span.start));
            let reason = format!("the block at line {line} failed: {}", ran.reason.unwrap_or_default());
            let hint = Some("`lab reset` goes back to the step's beginning, where it can be solved".to_owned());
            drop(reply.send(Answer::Refused { reason, hint }));
        }
    }
}

/// What a learner sees of blocks.
pub(super) fn shown(block: &PlacedBlock<'_>) -> bool {
    block.action.role != Role::Setup
}
