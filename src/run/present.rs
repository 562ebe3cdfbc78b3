//! `grade`: a cluster is judged as it stands. Nothing of the lab is run but the commands of `run` checks.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use super::emit::Emitter;
use super::ground::{Ground, GroundRequest, Lasting};
use super::judge::Placed;
use super::lab::{Stages, begin, millis, stop};
use super::named::Named;
use super::plan::{Act, Judged, PlannedStep};
use super::{EventSink, Mode, Plan, Stopped, Vars};
use crate::cluster::Provider;
use crate::grade::{self, Evidence, Judge, Judgement, Observation};
use crate::journal::{Clock, Delivered, JournalView, Mark};
use crate::lab::{Check, CheckKind, ClusterKind, Lab};
use crate::outcome::{Attempt, CheckFact, ClusterReport, Failure, RunEvent, Spent, StopCause, Verdict};
use crate::text::keep_secret;
use owned_processes::Guard;

const NOT_ASKED: &str = "`grade` asks no questions";
const NOT_RUN: &str = "`grade` runs no blocks, so that there is no output to judge";
const NOT_WATCHED: &str = "what happened before is not known; `grade --record` watches while somebody works";
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// Beyond the time for which a check must hold.
const PATIENCE: Duration = Duration::from_secs(10);

/// A lab whose cluster is there.
pub struct GradeRequest<'a> {
    pub index: usize,
    pub lab: &'a Lab,
    pub plan: Plan,
    pub kind: ClusterKind,
    pub vars: Vars,
    pub provider: &'a dyn Provider,
    pub guard: Guard,
    /// `LAB_WORK`: where snapshots lie and `run` checks run.
    pub work: PathBuf,
    pub interrupt: CancellationToken,
}

/// What was judged, and by what.
pub struct Grading {
    pub checks: Vec<Graded>,
    pub journal: JournalView,
    pub cluster: ClusterReport,
    pub prefix: String,
}

pub struct Graded {
    pub step: String,
    pub check: Check,
    pub fact: CheckFact,
    pub evidence: Evidence,
    /// From when on a `never` counts.
    pub since: Option<SystemTime>,
    /// The journal had come so far.
    pub upto: Delivered,
}

/// Judges the lab, after `recording` where there is one: then events since its beginning count.
pub async fn grade_lab(
    request: GradeRequest<'_>,
    recording: Option<impl Future<Output = ()>>,
    sink: &dyn EventSink,
) -> Option<Grading> {
    let started = Instant::now();
    let emitter = Emitter::new(sink, request.index, Mode::Grade);
    keep_secret(&request.vars.secrets);
    begin(request.lab, &emitter, Attempt::default());
    let mut spent = Spent::default();
    let grading = match Box::pin(whole(&request, recording, &emitter, &mut spent)).await {
        Ok(grading) => Some(grading),
        Err(stopped) => {
            stop(request.lab, &request.plan, stopped, &emitter);
            None
        }
    };
    for left in request.guard.end().await {
        emitter.notice(format!("could not be cleaned up: {left}"));
    }
    emitter.emit(RunEvent::LabFinished { lab: emitter.lab(), duration_ms: millis(started.elapsed()), spent });
    grading
}

async fn whole(
    request: &GradeRequest<'_>,
    recording: Option<impl Future<Output = ()>>,
    emitter: &Emitter<'_>,
    spent: &mut Spent,
) -> Result<Grading, Stopped> {
    let started = Instant::now();
    let cannot = |error: std::io::Error| Stopped::new(StopCause::CannotJudge, format!("no folder to work in: {error}"));
    let cluster = request.guard.folder("cluster").map_err(cannot)?;
    let wanted = GroundRequest {
        lab: request.lab,
        kind: request.kind,
        vars: &request.vars,
        provider: request.provider,
        guard: request.guard.clone(),
        keep: true,
        lasting: Some(Lasting { cluster, work: request.work.clone() }),
        since: None,
        interrupt: request.interrupt.clone(),
    };
    let ground = Box::pin(Ground::raise(&wanted, &Stages { emitter })).await?;
    spent.up_ms = millis(started.elapsed());
    let cluster = ClusterReport {
        kind: request.kind.name().to_owned(),
        kubernetes: ground.info.kubernetes.clone(),
        etcd: ground.info.etcd.clone(),
    };
    emitter.emit(RunEvent::ClusterReady {
        lab: emitter.lab(),
        cluster: cluster.clone(),
        vars: request.vars.shown.clone(),
    });
    let mark = ground.witness.mark().await;
    let recorded = recording.is_some();
    if let Some(recording) = recording {
        recording.await;
    }
    let checking = Instant::now();
    let checks = judge(request, &ground, mark, recorded, emitter).await;
    spent.checks_ms = millis(checking.elapsed());
    let (journal, prefix) = (ground.witness.journal(), ground.info.prefix.clone());
    // A cluster that was there stays.
    drop(ground.close(true).await);
    if request.interrupt.is_cancelled() {
        return Err(Stopped::new(StopCause::Interrupted, "interrupted"));
    }
    Ok(Grading { checks, journal, cluster, prefix })
}

struct Open<'c> {
    step: &'c PlannedStep,
    placed: Placed<'c>,
    judge: Judge<'c>,
    evidence: Evidence,
    settled: Option<(Judgement, Delivered)>,
}

async fn judge(
    request: &GradeRequest<'_>,
    ground: &Ground,
    mark: Mark,
    recorded: bool,
    emitter: &Emitter<'_>,
) -> Vec<Graded> {
    ground.hide_secrets().await;
    let end = ground.witness.mark().await;
    let mark = if recorded { mark } else { end };
    let steps = || request.plan.steps.iter().filter(|step| !step.is_empty());
    let mut open: Vec<Open<'_>> = Vec::new();
    for step in steps() {
        for placed in Placed::all(step.stretches.iter().flat_map(super::plan::Stretch::checks)) {
            let (vars, prefix) = (ground.vars.values.clone(), ground.info.prefix.clone());
            let evidence = Evidence { mark, end, observations: Vec::new(), vars, prefix };
            let why = match placed.check.kind {
                CheckKind::Output { .. } => Some(NOT_RUN),
                CheckKind::Events { .. } | CheckKind::Never { .. } if !recorded => Some(NOT_WATCHED),
                _ => None,
            };
            let now = Delivered { revision: end.revision, at: end.at, epoch: end.epoch };
            let settled = why.map(|why| (Judgement::cannot_judge(why), now));
            open.push(Open { step, placed, judge: Judge::new(placed.check), evidence, settled });
        }
    }
    settle(ground, &mut open, end, &request.interrupt).await;
    let named = Named { lab: request.lab, emitter, counted: &request.plan.counted };
    let mut graded = Vec::new();
    let mut open = open.into_iter().peekable();
    for step in steps() {
        let started = Instant::now();
        named.start_step(step);
        for act in step.stretches.iter().flat_map(|stretch| &stretch.acts) {
            if let Act::Ask(question) | Act::LeftAsk(question, _) = act {
                named.skip_question(step, question, NOT_ASKED, true);
            }
        }
        for judged in step.stretches.iter().flat_map(|stretch| &stretch.judged) {
            match judged {
                Judged::Checks(checks) => {
                    for _ in &checks.block.checks {
                        graded.extend(open.next().map(|open| closed(named, open, end)));
                    }
                }
                Judged::Left(block, skip) => named.skip_checks(step, block, &skip.0, true),
                Judged::Ask(question) | Judged::LeftAsk(question, _) => {
                    named.skip_question(step, question, NOT_ASKED, true);
                }
                Judged::Wait(_) | Judged::LeftWait(..) => {}
            }
        }
        match &step.skip {
            Some(reason) => named.leave_out(step, reason),
            None => named.leave_parts(step),
        }
        named.finish_step(step, started);
    }
    graded
}

/// Looks at all checks together until each is decided.
async fn settle(ground: &Ground, open: &mut [Open<'_>], end: Mark, interrupt: &CancellationToken) {
    let longest = open.iter().filter_map(|open| open.placed.check.hold_for).max().unwrap_or_default();
    let deadline = Instant::now() + longest + PATIENCE;
    loop {
        // Whether etcd answers is seen in the journal.
        drop(ground.witness.progress().await);
        for open in open.iter_mut().filter(|open| open.settled.is_none()) {
            for need in grade::needs(open.placed.check, &ground.vars.values) {
                let at = Clock::now();
                let seen = ground.look(&need).await;
                open.evidence.observations.push(Observation { need, at, seen });
            }
            let view = ground.witness.journal();
            let look = open.judge.look(&open.evidence, &view, Some(end.at));
            if look.again.is_none() || Instant::now() > deadline || interrupt.is_cancelled() {
                let delivered = view.delivered().unwrap_or(Delivered { revision: 0, at: end.at, epoch: end.epoch });
                let revision = view.revision_at(view.end()).unwrap_or(delivered.revision);
                open.settled = Some((look.judgement, Delivered { revision, ..delivered }));
            }
        }
        if open.iter().all(|open| open.settled.is_some()) {
            return;
        }
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
}

fn closed(named: Named<'_>, open: Open<'_>, end: Mark) -> Graded {
    let Open { step, placed, evidence, settled, .. } = open;
    let (judgement, upto) = settled.unwrap_or_else(|| {
        (Judgement::cannot_judge("it was not judged"), Delivered { revision: 0, at: end.at, epoch: end.epoch })
    });
    let failed = judgement.verdict != Verdict::Pass;
    let failure = failed.then(|| Failure {
        author: placed.block.fail.as_ref().and_then(|fail| fail.render(&evidence.vars).ok()),
        explanation: judgement.explanation.clone(),
        ..Failure::default()
    });
    let fact = CheckFact {
        verdict: judgement.verdict,
        reason: judgement.reason,
        sampled: judgement.sampled,
        revision: judgement.revision,
        evidence: judgement.evidence,
        neutral: false,
        ..named.bare_fact(placed.block, placed.check)
    };
    let (lab, id) = (named.emitter.lab(), step.id.clone());
    let check = fact.clone();
    named.emit_of(placed.check, RunEvent::CheckFinished { lab, step: id.clone(), check, failure });
    let since = matches!(placed.check.kind, CheckKind::Never { .. }).then_some(end.at);
    Graded { step: id, check: placed.check.clone(), fact, evidence, since, upto }
}
