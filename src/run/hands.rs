//! What a session does by itself in a lab's terminals: blocks that a learner has it run, and their undoing.

use tokio_util::sync::CancellationToken;

use super::emit::Emitter;
use super::ground::Ground;
use super::plan::PlannedStep;
use super::runner::{Output, PATIENCE, Runner};
use super::{Mode, Plan};
use crate::journal::{Entry, Seq};
use crate::lab::{Action, Lab, PartId};
use crate::outcome::Verdict;
use crate::terminal::Terminals;
use crate::text::Printed;

/// The terminals of a session, whose blocks come one by one.
pub struct Hands<'a> {
    runner: Runner<'a>,
    plan: &'a Plan,
}

/// How a block came out.
#[derive(Debug, Clone)]
pub struct Ran {
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub printed: Printed,
    pub exit: Option<i32>,
}

/// What was undone, and what could not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undone {
    pub removed: Vec<String>,
    /// Keys that stay, each with the reason.
    pub left: Vec<String>,
}

impl<'a> Hands<'a> {
    pub fn new(ground: &'a Ground, lab: &'a Lab, plan: &'a Plan, emitter: &'a Emitter<'a>) -> Self {
        Self { runner: Runner::new(ground, lab, plan, Mode::Learn, emitter), plan }
    }

    /// Runs a block to its end, or until it is ready.
    pub async fn block(&mut self, step: &PlannedStep, action: &Action) -> Ran {
        let (verdict, reason) = self.runner.act_now(step, action).await;
        let block = action.id;
        let running = self.runner.backgrounds.iter().find(|running| running.action.id == block);
        let (printed, exit) = match (running, self.runner.outputs.get(&block)) {
            (Some(running), _) => (running.handle.since(running.mark), None),
            (None, Some(Output { printed, exit })) => (printed.clone(), *exit),
            (None, None) => (Printed::default(), None),
        };
        Ran { verdict, reason, printed, exit }
    }

    /// Background blocks that run: where each begins in the lab, what it is called, and what it printed since the mark.
    pub fn running(&self) -> Vec<(PartId, String, Printed)> {
        let running = self.runner.backgrounds.iter().filter(|running| !running.stopped);
        running.map(|running| (running.action.id, running.key.clone(), running.handle.since(running.mark))).collect()
    }

    /// From now on only what they print counts.
    pub fn mark(&mut self) {
        for running in &mut self.runner.backgrounds {
            running.mark = running.handle.mark();
        }
    }

    /// A background block that ended although nothing stopped it, reported once.
    pub fn ended_by_itself(&mut self) -> Option<String> {
        self.runner.ended_by_themselves().map(|(_, reason)| reason)
    }

    /// Ends the named background block, or all; their names.
    pub async fn stop(&mut self, name: Option<&str>) -> Vec<String> {
        let mut stopped = Vec::new();
        for running in &mut self.runner.backgrounds {
            if running.stopped || name.is_some_and(|name| name != running.key) {
                continue;
            }
            running.stopped = true;
            // It is over either way: what does not stop by itself is killed.
            drop(self.runner.terminals.stop(&running.key, false, PATIENCE).await);
            stopped.push(running.key.clone());
        }
        stopped
    }

    /// Ends everything in the terminals; blocks run later find fresh ones.
    pub async fn start_afresh(&mut self) {
        self.stop(None).await;
        self.runner.backgrounds.clear();
        self.runner.outputs.clear();
        self.runner.terminals.close_all().await;
        let ground = self.runner.ground;
        self.runner.terminals = Terminals::new(ground.terminals(ground.interrupt.child_token()));
    }

    /// The lab's clean-up, as at the end of a run.
    pub async fn clean_up(&mut self) {
        let fresh = self.runner.ground.terminals(CancellationToken::new());
        self.runner.clean_up(self.plan, fresh).await;
    }

    /// Through the API, deletes what was created after `since` and has one of these names; what else was created, and
    /// what was changed or deleted, is named. Somebody else may work in the same cluster.
    pub async fn undo(&self, since: Seq, is_ours: &(dyn Fn(&str) -> bool + Send + Sync)) -> Undone {
        let tidied = self.runner.tidy_those(since, is_ours).await;
        let view = self.runner.witness.journal();
        let why = |key: &str| {
            let ours =
                kube_etcd_codec::by_key(&self.runner.info.prefix, key).is_none_or(|resource| is_ours(&resource.name));
            if ours { "it could not be deleted" } else { "it was created, and no command of yours names it" }
        };
        let mut left: Vec<String> = tidied.stayed.iter().map(|key| format!("{key}: {}", why(key))).collect();
        let changed = view.entries(since, |entry| entry.change().is_some());
        let mut named = std::collections::BTreeSet::new();
        for recorded in &changed {
            let Some(change) = recorded.entry.change() else { continue };
            let was_there = view.state(&change.key, since).is_some();
            let below = change.key.strip_prefix(self.runner.info.prefix.as_str()).unwrap_or_default();
            if !was_there || super::leftover::is_of_the_cluster(below) || !named.insert(change.key.clone()) {
                continue;
            }
            let what = match (recorded.entry.as_ref(), view.state(&change.key, view.end())) {
                (Entry::Delete(_), None) => "it was deleted",
                _ => "it was changed",
            };
            left.push(format!("{}: {what}", change.key));
        }
        Undone { removed: tidied.removed, left }
    }
}
