use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::environment::Environment;
use super::secrets;
use super::tell::Teller;
use super::{Mode, Vars};
use crate::cluster::ClusterInfo;
use crate::codec::secret_texts;
use crate::guard::Guard;
use crate::journal::{Seen, Seq};
use crate::lab::{Action, ClusterKind, Lab};
use crate::terminal::{self, Background, BlockResult, Terminals};
use crate::text::{Printed, keep_secret};
use crate::witness::{Observer, Witness};

/// How long a stopped background block may take before it is killed.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// A block that says nothing of when it is ready has not been seen to work: before it is stopped it is given so
/// long from its start to end by itself.
pub(super) const UNSEEN: Duration = Duration::from_secs(3);
/// How long a cluster that a command failed on may take to say that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// A lab under way: everything that its steps share.
pub(super) struct Runner<'a> {
    pub(super) lab: &'a Lab,
    pub(super) mode: Mode,
    pub(super) kind: ClusterKind,
    pub(super) info: ClusterInfo,
    pub(super) vars: Vars,
    pub(super) tell: &'a Teller<'a>,
    pub(super) guard: Guard,
    pub(super) environment: Environment,
    pub(super) terminals: Terminals,
    pub(super) witness: &'a Witness,
    pub(super) observer: Observer,
    pub(super) interrupt: CancellationToken,
    /// What blocks printed, by where their fence begins.
    pub(super) outputs: BTreeMap<usize, Output>,
    /// What checks look for in what blocks print, by where a block's fence begins.
    pub(super) searched: BTreeMap<usize, Vec<String>>,
    pub(super) backgrounds: Vec<Running<'a>>,
    pub(super) spent: Spending,
    /// Secrets of the cluster are hidden up to here.
    pub(super) hidden_upto: Seq,
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

/// Why a step, and with it the lab, does not go on. The reason has been told already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

impl<'a> Runner<'a> {
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
            None => self.observer.api_answers().await.err(),
            gone => gone,
        }
    }

    /// In a bare lab the store is the lab's own.
    pub(super) async fn store_is_gone(&self) -> Option<String> {
        if self.kind == ClusterKind::Bare {
            return None;
        }
        match tokio::time::timeout(SIGN_OF_LIFE, self.witness.progress()).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("etcd has not answered for {} s", SIGN_OF_LIFE.as_secs())),
        }
    }

    /// Takes in the Secrets that came since the last time, so that no output shows them. The journal is caught up
    /// first: the command whose output is to be shown may have made one.
    pub(super) async fn hide_secrets(&mut self) {
        // An etcd that does not answer takes no Secrets either; what it delivered is known.
        drop(tokio::time::timeout(SIGN_OF_LIFE, self.witness.progress()).await);
        let view = self.witness.journal();
        let found = secrets::since(&view, self.hidden_upto, &self.info.prefix);
        self.hidden_upto = view.end();
        keep_secret(found.texts);
        for (namespace, name) in found.encrypted {
            // Only the API can tell what stands in it.
            if let Seen::Resource(Some(object)) = self.observer.resource("Secret", &name, Some(&namespace)).await {
                keep_secret(secret_texts(&object));
            }
        }
    }

    pub(super) fn clock(started: Instant) -> u64 {
        u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
