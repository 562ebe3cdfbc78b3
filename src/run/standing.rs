//! A lab that is run again and again on one cluster while it is written: from the beginning of the step that has
//! changed, where all can be put back to what it was then.
//!
//! What is put back is known to be so: the store is etcd's own snapshot, the files are copies, and a shell that took
//! over what another held has said that it holds the same. Whatever else a step may have left (a job that runs on, a
//! node's files) makes its end no place to go back to.

mod checkpoint;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use checkpoint::Checkpoint;
pub(super) use checkpoint::Keeper;

use super::emit::Emitter;
use super::ground::{Ground, GroundRequest};
use super::lab::{begin, leave_as_found, millis};
use super::recording::{Reached, Recording};
use super::replay::{ReplayRequest, replayed_upto};
use super::runner::Runner;
use super::{EventSink, Mode, Plan, Recorded, Stopped, Vars};
use crate::cluster::{Provider, StageSink};
use crate::journal::Seq;
use crate::lab::{ClusterKind, Lab};
use crate::outcome::{Attempt, ClusterReport, RunEvent, Spent, StopCause, Verdict};
use crate::terminal::{Casts, TerminalSettings, Terminals};
use crate::text::keep_secret;
use owned_processes::Guard;

/// What a standing lab needs of a machine.
pub struct StandingRequest<'a> {
    pub lab: &'a Lab,
    pub kind: ClusterKind,
    pub vars: &'a Vars,
    pub provider: &'a dyn Provider,
    /// Its own: it ends with it.
    pub guard: Guard,
    pub interrupt: CancellationToken,
}

/// A cluster that stands, and the beginnings of steps that it can be put back to.
pub struct Standing {
    ground: Ground,
    guard: Guard,
    folder: PathBuf,
    shown: Vec<(String, String)>,
    /// The journal before the lab's first block.
    start: Seq,
    /// Of the last pass that came to its end, with its events.
    recording: Recording,
    events: Vec<RunEvent>,
    checkpoints: Vec<Checkpoint>,
    /// Nothing of it is where the last checkpoint left it.
    has_run: bool,
    up_ms: u64,
}

/// The lab as it is now.
pub struct Pass<'a> {
    pub lab: &'a Lab,
    pub plan: &'a Plan,
    pub attempt: Attempt,
    pub interrupt: CancellationToken,
}

/// A cluster that stands where a pass goes on, with the lab's shells.
pub struct Ready {
    from: GoingBack,
    terminals: Terminals,
    casts: Casts,
}

/// From which step of the plan a pass goes on, and why from no later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoingBack {
    pub step: usize,
    pub why: Option<String>,
    at: usize,
}

impl Standing {
    /// Brings the cluster up; nothing of the lab has run then.
    pub async fn raise(request: &StandingRequest<'_>, stages: &dyn StageSink) -> Result<Self, Stopped> {
        let bringing_up = Instant::now();
        keep_secret(&request.vars.secrets);
        let wanted = GroundRequest {
            lab: request.lab,
            kind: request.kind,
            vars: request.vars,
            provider: request.provider,
            guard: request.guard.clone(),
            keep: false,
            lasting: None,
            since: None,
            interrupt: request.interrupt.clone(),
        };
        let ground = Box::pin(Ground::raise(&wanted, stages)).await?;
        let no_folder = |error: std::io::Error| Stopped::new(StopCause::CannotJudge, error.to_string());
        let folder = request.guard.folder("checkpoints").map_err(no_folder)?;
        let _ = ground.hide_secrets().await;
        let start = ground.witness.journal().end();
        Ok(Self {
            ground,
            guard: request.guard.clone(),
            folder,
            shown: request.vars.shown.clone(),
            start,
            recording: Recording::default(),
            events: Vec::new(),
            checkpoints: Vec::new(),
            has_run: false,
            up_ms: millis(bringing_up.elapsed()),
        })
    }

    /// From where a pass goes on; `None`: this cluster cannot be put back to any beginning of a step.
    pub fn goes_back_to(&self, begins: &[usize]) -> Option<GoingBack> {
        if !self.has_run {
            return Some(GoingBack { step: 0, why: None, at: 0 });
        }
        let mut why = None;
        for (step, position) in begins.iter().enumerate().rev() {
            let Some(at) = self.checkpoints.iter().rposition(|kept| kept.position == *position) else { continue };
            match &self.checkpoints[at].obstacle {
                None => return Some(GoingBack { step, why, at }),
                Some(obstacle) => drop(why.get_or_insert_with(|| obstacle.clone())),
            }
        }
        None
    }

    /// Puts all back to there. `Err`: something is not as it was, and this cluster is of no use any more.
    pub async fn go_back(&mut self, from: GoingBack, interrupt: &CancellationToken) -> Result<Ready, String> {
        let casts = Casts::default();
        let settings =
            TerminalSettings { casts: Some(casts.clone()), ..self.ground.terminals(interrupt.child_token()) };
        let terminals = Terminals::new(settings);
        if self.has_run {
            let kept = self.checkpoints.get(from.at).ok_or("there is no such checkpoint")?;
            let shells = kept.put_back(&self.ground, &self.guard).await?;
            self.checkpoints.truncate(from.at + 1);
            terminals.take_over(&shells).await?;
        }
        Ok(Ready { from, terminals, casts })
    }

    /// Runs the lab from there to its end, and reports it whole: what came before, by what was seen of it then. Nothing
    /// where it was interrupted.
    pub async fn pass(&mut self, pass: &Pass<'_>, ready: Ready, sink: &dyn EventSink) -> Option<Recorded> {
        let started = Instant::now();
        let kept = Keeping { sink, events: Mutex::default() };
        let at = ready.from.at;
        let recorded = {
            let emitter = Emitter::new(&kept, 0, Mode::Test);
            begin(pass.lab, &emitter, pass.attempt.clone());
            let mut spent = Spent { up_ms: std::mem::take(&mut self.up_ms), ..Spent::default() };
            let recorded = Box::pin(self.run(pass, ready, &emitter, &mut spent)).await;
            emitter.emit(RunEvent::LabFinished { lab: 0, duration_ms: millis(started.elapsed()), spent });
            recorded
        };
        if pass.interrupt.is_cancelled() {
            // The last whole pass is still what is known; what this one left after its beginning belongs to none.
            self.checkpoints.truncate(at + 1);
            return None;
        }
        self.events = kept.events.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.recording = recorded.recording.clone();
        Some(recorded)
    }

    async fn run(&mut self, pass: &Pass<'_>, ready: Ready, emitter: &Emitter<'_>, spent: &mut Spent) -> Recorded {
        let Pass { lab, plan, .. } = pass;
        let Ready { from, terminals, casts } = ready;
        let has_run = std::mem::replace(&mut self.has_run, true);
        emitter.emit(RunEvent::ClusterReady {
            lab: emitter.lab(),
            cluster: ClusterReport {
                kind: self.ground.kind().name().to_owned(),
                kubernetes: self.ground.info.kubernetes.clone(),
                etcd: self.ground.info.etcd.clone(),
            },
            vars: self.shown.clone(),
        });
        let mut runner = Runner::new(&self.ground, lab, plan, Mode::Test, emitter);
        (runner.interrupt, runner.terminals, runner.casts) = (pass.interrupt.clone(), terminals, casts);
        let mut stopped = false;
        if let Some(kept) = self.checkpoints.get(from.at).filter(|_| from.step > 0) {
            let journal = self.ground.witness.journal().journal();
            let request = ReplayRequest {
                index: 0,
                lab,
                plan,
                mode: Mode::Test,
                recording: &self.recording,
                journal: &journal,
                events: &self.events,
                is_same_lab: false,
                is_same_setup: true,
            };
            let replayed = replayed_upto(&request, emitter, from.step);
            stopped = replayed.stopped;
            let reached = Reached { stretches: kept.stretches, looks: kept.looks };
            runner.recording.begin_with(&self.recording, kept.position, reached, kept.moment);
            runner.goes_on_after(&replayed.blocks);
        }
        runner.hide_secrets().await;
        let known = has_run.then_some(runner.recording.position());
        let mut keeper = Keeper { folder: &self.folder, guard: &self.guard, known, made: Vec::new() };
        if stopped {
            runner.skip_steps(plan.steps.iter().skip(from.step));
        } else {
            Box::pin(runner.steps_from(&plan.steps, from.step, Some(&mut keeper))).await;
        }
        let made = keeper.made;
        if pass.interrupt.is_cancelled() {
            emitter.emit(Stopped::new(StopCause::Interrupted, "interrupted").event(emitter.lab()));
        }
        (spent.actions_ms, spent.checks_ms) = (millis(runner.spent.actions), millis(runner.spent.checks));
        let cleaning = Instant::now();
        let fresh =
            TerminalSettings { casts: Some(runner.casts.clone()), ..self.ground.terminals(CancellationToken::new()) };
        runner.clean_up(plan, fresh).await;
        if self.ground.kind() != ClusterKind::Bare && emitter.lab_verdict() == Verdict::Pass {
            let keys = runner.keys_left(self.start).await;
            if !keys.is_empty() {
                emitter.emit(RunEvent::KeysLeft { lab: emitter.lab(), keys });
            }
        }
        if self.ground.info.shared && !pass.interrupt.is_cancelled() {
            leave_as_found(&runner, self.start, emitter).await;
        }
        spent.cleanup_ms = millis(cleaning.elapsed());
        let Runner { recording, casts, .. } = runner;
        self.checkpoints.extend(made);
        Recorded { recording, journal: self.ground.witness.journal(), casts }
    }

    /// Whether a later pass can go on from somewhere in it.
    pub fn is_of_use(&self) -> bool {
        self.checkpoints.iter().any(|kept| kept.obstacle.is_none())
    }

    /// Why a pass cannot go on from where the last one began.
    pub fn why_of_no_use(&self) -> Option<&str> {
        self.checkpoints.first()?.obstacle.as_deref()
    }

    /// Ends it with all that it started; what would not go.
    pub async fn close(self) -> Vec<String> {
        // The guard ends whatever stays.
        drop(self.ground.close(false).await);
        self.guard.end().await
    }
}

/// Keeps what is told, and passes it on.
struct Keeping<'a> {
    sink: &'a dyn EventSink,
    events: Mutex<Vec<RunEvent>>,
}

impl EventSink for Keeping<'_> {
    fn emit(&self, event: RunEvent) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        self.sink.emit(event);
    }
}
