//! One lab from its cluster's start to its end.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::emit::Emitter;
use super::ground::{Ground, GroundRequest};
use super::named::Named;
use super::recording::Recording;
use super::runner::Runner;
use super::tidy::Tidied;
use super::{EventSink, Mode, Plan, Unsolved, Vars};
use crate::cluster::{ClusterError, Layer, LayerState, Provider, StageSink};
use crate::journal::{JournalView, Seq};
use crate::lab::{ClusterKind, Lab};
use crate::outcome::{Attempt, ClusterReport, PullState, PulledLayer, RunEvent, Spent, StopCause, Verdict};
use crate::terminal::{Casts, TerminalSettings};
use crate::text::keep_secret;
use owned_processes::Guard;

/// A lab to run, with all that is particular to this run of it.
pub struct LabRequest<'a> {
    /// Counts the labs of the run.
    pub index: usize,
    pub attempt: Attempt,
    pub lab: &'a Lab,
    pub plan: Plan,
    pub mode: Mode,
    pub kind: ClusterKind,
    pub vars: Vars,
    pub provider: &'a dyn Provider,
    /// This lab's own: it ends with it.
    pub guard: Guard,
    /// The cluster stays as the steps left it: nothing is cleaned up.
    pub keep: bool,
    /// Who looks at what is kept.
    pub hold: Option<&'a dyn Hold>,
    /// After a step that failed, those go on that do not build on it.
    pub keep_going: bool,
    /// After each block the run waits until no key has changed for so long.
    pub settle: Option<Duration>,
    pub interrupt: CancellationToken,
}

/// Somebody who looks at a cluster that is kept, before anything is cleaned up.
#[async_trait::async_trait]
pub trait Hold: Send + Sync {
    /// Returns when they have seen enough.
    async fn hold(&self, lab: &str, settings: TerminalSettings);
}

/// What a run leaves to be judged again.
pub struct Recorded {
    pub recording: Recording,
    pub journal: JournalView,
    pub casts: Casts,
}

/// Runs the lab, and reports everything to the sink: the result stands in the fold of those events. Nothing is
/// returned where the lab did not start.
pub async fn run_lab(request: LabRequest<'_>, sink: &dyn EventSink) -> Option<Recorded> {
    let started = Instant::now();
    let lab = request.lab;
    let emitter = Emitter::new(sink, request.index, request.mode);
    keep_secret(&request.vars.secrets);
    begin(lab, &emitter, request.attempt.clone());
    if let Some(Unsolved { title, steps }) = request.plan.unsolved.as_deref() {
        let (all, s) = (request.plan.steps.len(), if *steps == 1 { "" } else { "s" });
        emitter.notice(format!(
            "`run` leaves out solutions, the first in “{title}”, and what builds on them: {steps} step{s} of {all}; \
             `run --solve` runs everything"
        ));
    }
    let mut spent = Spent::default();
    let mut recorded = None;
    if let Err(stopped) = Box::pin(whole(&request, &emitter, &mut spent, &mut recorded)).await {
        stop(lab, &request.plan, stopped, &emitter);
    }
    let ending = Instant::now();
    for left in request.guard.end().await {
        emitter.notice(format!("could not be cleaned up: {left}"));
    }
    spent.down_ms += millis(ending.elapsed());
    emitter.emit(RunEvent::LabFinished { lab: emitter.lab(), duration_ms: millis(started.elapsed()), spent });
    recorded
}

/// Reports a lab that stopped before anything of it was started.
pub fn stop_lab(
    sink: &dyn EventSink,
    (index, attempt): (usize, Attempt),
    mode: Mode,
    lab: &Lab,
    plan: &Plan,
    stopped: Stopped,
) {
    let emitter = Emitter::new(sink, index, mode);
    begin(lab, &emitter, attempt);
    stop(lab, plan, stopped, &emitter);
    emitter.emit(RunEvent::LabFinished { lab: index, duration_ms: 0, spent: Spent::default() });
}

pub(super) fn begin(lab: &Lab, emitter: &Emitter<'_>, attempt: Attempt) {
    emitter.emit(RunEvent::LabStarted {
        lab: emitter.lab(),
        id: lab.id.clone(),
        file: lab.source.name().to_owned(),
        title: lab.title.clone(),
        attempt,
    });
}

/// What gives points is named even where no step was begun, unless the lab is not for this cluster.
pub(super) fn stop(lab: &Lab, plan: &Plan, stopped: Stopped, emitter: &Emitter<'_>) {
    let is_for_here = !matches!(
        stopped.cause,
        StopCause::NotHere | StopCause::NothingToDo | StopCause::FailFast | StopCause::EarlierFailed
    );
    emitter.emit(stopped.event(emitter.lab()));
    if is_for_here && !emitter.has_steps() {
        Named { lab, emitter, counted: &plan.counted }.not_started(plan);
    }
}

/// What keeps a lab from starting or from ending as it should.
#[derive(Debug, Clone)]
pub struct Stopped {
    pub cause: StopCause,
    pub reason: String,
    pub detail: Vec<String>,
}

impl Stopped {
    pub fn new(cause: StopCause, reason: impl Into<String>) -> Self {
        Self { cause, reason: reason.into(), detail: Vec::new() }
    }

    pub(super) fn of_cluster(what: &str, error: ClusterError, interrupt: &CancellationToken) -> Self {
        if interrupt.is_cancelled() {
            return Self::new(StopCause::Interrupted, "interrupted");
        }
        let stopped = Self::from(error);
        Self { reason: format!("{what}{}", stopped.reason), ..stopped }
    }

    pub(super) fn event(self, lab: usize) -> RunEvent {
        RunEvent::LabStopped { lab, cause: self.cause, reason: self.reason, detail: self.detail }
    }
}

impl From<ClusterError> for Stopped {
    fn from(error: ClusterError) -> Self {
        let mut detail = error.detail;
        detail.extend(error.hint.map(|hint| format!("hint: {hint}")));
        Self { cause: StopCause::CannotJudge, reason: error.message, detail }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

async fn whole(
    request: &LabRequest<'_>,
    emitter: &Emitter<'_>,
    spent: &mut Spent,
    recorded: &mut Option<Recorded>,
) -> Result<(), Stopped> {
    let bringing_up = Instant::now();
    let wanted = GroundRequest {
        lab: request.lab,
        kind: request.kind,
        vars: &request.vars,
        provider: request.provider,
        guard: request.guard.clone(),
        keep: request.keep,
        lasting: None,
        since: None,
        interrupt: request.interrupt.clone(),
    };
    let ground = Box::pin(Ground::raise(&wanted, &Stages { emitter })).await?;
    spent.up_ms = millis(bringing_up.elapsed());
    emitter.emit(RunEvent::ClusterReady {
        lab: emitter.lab(),
        cluster: ClusterReport {
            kind: request.kind.name().to_owned(),
            kubernetes: ground.info.kubernetes.clone(),
            etcd: ground.info.etcd.clone(),
        },
        vars: request.vars.shown.clone(),
    });
    *recorded = Some(Box::pin(on_ground(request, &ground, emitter, spent)).await);
    let ending = Instant::now();
    if request.keep
        && !request.interrupt.is_cancelled()
        && let Some(hold) = request.hold
    {
        let stays = if request.kind == ClusterKind::Sandbox { ", and the sandbox" } else { "" };
        emitter.notice(format!("the cluster is as the steps left it; `exit` ends this shell{stays}"));
        hold.hold(&request.lab.id, ground.terminals(request.interrupt.clone())).await;
    } else if request.keep && request.kind == ClusterKind::Sandbox && !request.interrupt.is_cancelled() {
        let kubeconfig = ground.kubeconfig().unwrap_or(Path::new("")).display().to_string();
        emitter.notice(format!("the sandbox stays as the steps left it until Ctrl-C: export KUBECONFIG={kubeconfig}"));
        request.interrupt.cancelled().await;
    }
    let down = ground.close(request.keep).await;
    spent.down_ms = millis(ending.elapsed());
    down.map_err(|error| Stopped::of_cluster("the cluster was not removed: ", error, &CancellationToken::new()))
}

async fn on_ground(request: &LabRequest<'_>, ground: &Ground, emitter: &Emitter<'_>, spent: &mut Spent) -> Recorded {
    let mut runner = Runner::new(ground, request.lab, &request.plan, request.mode, emitter);
    runner.keep_going = request.keep_going;
    runner.settle = request.settle;
    runner.hide_secrets().await;
    let start = ground.witness.journal().end();
    runner.steps(&request.plan.steps).await;
    if request.interrupt.is_cancelled() {
        emitter.emit(Stopped::new(StopCause::Interrupted, "interrupted").event(emitter.lab()));
    }
    let (actions, checks) = (runner.spent.actions, runner.spent.checks);
    spent.actions_ms = millis(actions);
    spent.checks_ms = millis(checks);
    let cleaning = Instant::now();
    // A second Ctrl-C ends the process, so that the clean-up after the first needs no token of its own.
    let fresh = TerminalSettings { casts: Some(runner.casts.clone()), ..ground.terminals(CancellationToken::new()) };
    if request.keep {
        runner.stop_backgrounds().await;
    } else {
        runner.clean_up(&request.plan, fresh).await;
    }
    if !request.keep
        && request.mode == Mode::Test
        && request.kind != ClusterKind::Bare
        && emitter.lab_verdict() == Verdict::Pass
    {
        let keys = runner.keys_left(start).await;
        if !keys.is_empty() {
            emitter.emit(RunEvent::KeysLeft { lab: emitter.lab(), keys });
        }
    }
    if ground.info.shared && !request.keep && !request.interrupt.is_cancelled() {
        leave_as_found(&runner, start, emitter).await;
    }
    spent.cleanup_ms = millis(cleaning.elapsed());
    let Runner { recording, casts, .. } = runner;
    Recorded { recording, journal: ground.witness.journal(), casts }
}

/// A kept cluster of ours is tidied; in somebody else's, what stays is only named.
pub(super) async fn leave_as_found(runner: &Runner<'_>, start: Seq, emitter: &Emitter<'_>) {
    let tidied = if runner.kind == ClusterKind::Attach {
        Tidied { removed: Vec::new(), stayed: runner.keys_left_after(start, Duration::from_secs(3)).await }
    } else {
        runner.tidy(start).await
    };
    for (what, keys) in [("removed what the lab left", tidied.removed), ("left in the cluster", tidied.stayed)] {
        if !keys.is_empty() {
            emitter.notice(format!("{what}: {}", keys.join(", ")));
        }
    }
}

pub(super) struct Stages<'a> {
    pub(super) emitter: &'a Emitter<'a>,
}

/// The layers of a pull as an event lists them.
pub fn pulled(layers: &[Layer]) -> Vec<PulledLayer> {
    let layer = |layer: &Layer| PulledLayer {
        id: layer.id.clone(),
        state: match layer.state {
            LayerState::Waiting => PullState::Waiting,
            LayerState::Downloading => PullState::Downloading,
            LayerState::Unpacking => PullState::Unpacking,
            LayerState::Done => PullState::Done,
        },
        current: layer.current,
        total: layer.total,
    };
    layers.iter().map(layer).collect()
}

impl StageSink for Stages<'_> {
    fn passed(&self, stage: &str, detail: Option<&str>, took: Duration) {
        self.emitter.emit(RunEvent::StagePassed {
            lab: self.emitter.lab(),
            stage: stage.to_owned(),
            detail: detail.map(str::to_owned),
            duration_ms: millis(took),
        });
    }

    fn pulling(&self, image: &str, layers: &[Layer]) {
        let (lab, image) = (self.emitter.lab(), image.to_owned());
        self.emitter.emit(RunEvent::Pulling { lab, image, layers: pulled(layers) });
    }

    fn note(&self, text: &str) {
        self.emitter.notice(text);
    }
}
