use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::emit::Emitter;
use super::ground::Ground;
use super::recording::Recording;
use super::{Mode, Plan, Vars};
use crate::cluster::ClusterInfo;
use crate::lab::{Action, ClusterKind, Lab, PartId};
use crate::terminal::{self, Background, BlockResult, Casts, TerminalSettings, Terminals};
use crate::text::Printed;
use crate::witness::Witness;

/// How long a stopped background block may take before it is killed.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// A block that says nothing of when it is ready has not been seen to work: before it is stopped it is given so
/// long from its start to end by itself.
pub(super) const UNSEEN: Duration = Duration::from_secs(3);

/// A lab under way: everything that its steps share.
pub(super) struct Runner<'a> {
    pub(super) lab: &'a Lab,
    pub(super) mode: Mode,
    /// After a step that failed, those go on that do not build on it.
    pub(super) keep_going: bool,
    /// After each block the run waits until no key has changed for so long.
    pub(super) settle: Option<Duration>,
    pub(super) kind: ClusterKind,
    pub(super) ground: &'a Ground,
    pub(super) info: &'a ClusterInfo,
    pub(super) vars: &'a Vars,
    pub(super) emitter: &'a Emitter<'a>,
    pub(super) terminals: Terminals,
    pub(super) witness: &'a Witness,
    pub(super) interrupt: CancellationToken,
    /// What blocks printed, by their numbers.
    pub(super) outputs: BTreeMap<PartId, Output>,
    /// What checks look for in what blocks print, by the block's number.
    pub(super) searched: BTreeMap<PartId, Vec<String>>,
    pub(super) backgrounds: Vec<Running<'a>>,
    pub(super) spent: Spending,
    /// Of its plan.
    pub(super) counted: Arc<BTreeSet<PartId>>,
    pub(super) recording: Recording,
    /// What its terminals show.
    pub(super) casts: Casts,
}

/// What a block that has ended printed.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) printed: Printed,
    pub(super) exit: Option<i32>,
}

impl Output {
    pub(super) fn of(result: &BlockResult) -> Self {
        let (text, cut, found) = (result.output.as_str().into(), result.truncated, result.found.clone());
        Self { printed: Printed { text, cut, found }, exit: result.exit }
    }
}

/// A background block that was started.
pub(super) struct Running<'a> {
    /// By which the terminals know it.
    pub(super) key: String,
    pub(super) action: &'a Action,
    pub(super) handle: Background,
    /// Where its output stood when the present stretch began.
    pub(super) mark: terminal::Mark,
    pub(super) started: Instant,
    /// A later block ended it, so that its end is no failure.
    pub(super) stopped: bool,
}

#[derive(Debug, Default)]
pub(super) struct Spending {
    pub(super) actions: Duration,
    pub(super) checks: Duration,
}

/// Why a step, and with it the lab, does not go on. The reason has been reported already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

impl<'a> Runner<'a> {
    pub(super) fn new(ground: &'a Ground, lab: &'a Lab, plan: &Plan, mode: Mode, emitter: &'a Emitter<'a>) -> Self {
        let casts = Casts::default();
        // A session may go on for days.
        let recorded = (mode != Mode::Learn).then(|| casts.clone());
        let terminals = TerminalSettings { casts: recorded, ..ground.terminals(ground.interrupt.child_token()) };
        Self {
            lab,
            mode,
            keep_going: false,
            settle: None,
            kind: ground.kind,
            ground,
            info: &ground.info,
            vars: &ground.vars,
            emitter,
            terminals: Terminals::new(terminals),
            witness: &ground.witness,
            interrupt: ground.interrupt.clone(),
            outputs: BTreeMap::new(),
            searched: super::searched::searched(lab, plan, &ground.vars.values),
            backgrounds: Vec::new(),
            spent: Spending::default(),
            counted: Arc::clone(&plan.counted),
            recording: Recording::new(ground, lab),
            casts,
        }
    }

    /// What the blocks printed that ran before, by their numbers in the recording.
    pub(super) fn goes_on_after(&mut self, blocks: &BTreeMap<PartId, usize>) {
        self.recording.is_of(blocks);
        for (block, index) in blocks {
            let act = self.recording.acts.get(*index);
            let said = act.and_then(|act| act.said.last()).and_then(|said| said.output.clone());
            if let Some(output) = said {
                self.outputs.insert(*block, Output { printed: output.text.restore(), exit: output.exit });
            }
        }
    }

    pub(super) fn line(&self, offset: usize) -> usize {
        self.lab.source.position(offset).line
    }

    /// Every action of the lab that has this name.
    pub(super) fn action_named(&self, name: &str) -> Option<&'a Action> {
        let actions = self.lab.steps.iter().flat_map(|step| &step.items).filter_map(|item| match item {
            crate::lab::Item::Action(action) => Some(action),
            _ => None,
        });
        actions.into_iter().find(|action| action.name.as_ref().is_some_and(|known| known.value == name))
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupt.is_cancelled()
    }

    /// Whether a block may have failed because the store or the API is gone.
    pub(super) async fn cluster_is_gone(&self) -> Option<String> {
        match self.store_is_gone().await {
            None => self.ground.observer.api_answers().await.err(),
            gone => gone,
        }
    }

    pub(super) async fn store_is_gone(&self) -> Option<String> {
        self.ground.store_is_gone().await
    }

    pub(super) fn clock(started: Instant) -> u64 {
        u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
