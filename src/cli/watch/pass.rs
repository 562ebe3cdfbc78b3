//! A run of the lab that is watched: from the beginning of the step that has changed where the cluster can be put back
//! to it, and else from the beginning, on a fresh cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{quiet, say};
use crate::cli::args::ClusterFlags;
use crate::cli::provider::{self, NoCluster};
use crate::cli::run::Sink;
use crate::cli::saving::{SaveArgs, Saver, Saving};
use crate::cli::{now, outputs};
use crate::cluster::StageSink;
use crate::lab::{ClusterKind, Lab};
use crate::outcome::{Attempt, RunEvent, StopCause};
use crate::run::{EventSink, Mode, Pass, Plan, Ready, Setup, Standing, StandingRequest, Stopped, resolve, stop_lab};
use owned_processes::{Guard, GuardSettings};

/// What a run takes.
pub(super) struct Job {
    pub(super) lab: Lab,
    /// For each step up to the first that is to be run, how many blocks have run when it begins.
    pub(super) begins: Vec<usize>,
    pub(super) raised: Option<Raised>,
    pub(super) on: Option<ClusterKind>,
    pub(super) max_wait: Option<Duration>,
    pub(super) seed: u64,
    /// Where runs are saved.
    pub(super) runs: PathBuf,
    /// Ends all of it.
    pub(super) whole: CancellationToken,
    /// Ends this run, and leaves the cluster.
    pub(super) interrupt: CancellationToken,
}

/// What a run left.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) raised: Option<Raised>,
    /// Where it was saved.
    pub(super) folder: Option<PathBuf>,
}

/// A cluster that stands, and for which labs.
pub(super) struct Raised {
    kind: ClusterKind,
    setup: Setup,
    standing: Standing,
}

impl Raised {
    pub(super) async fn close(self) {
        for left in self.standing.close().await {
            say(&format!("could not be cleaned up: {left}"));
        }
    }
}

/// Runs the lab, reports it, and saves what it was.
pub(super) async fn run(mut job: Job) -> Ended {
    let began = Instant::now();
    let sink = Sink(Mutex::new(outputs::fanout(&quiet(), false)));
    let args = SaveArgs { save: Some(job.runs.clone()), no_save: false };
    let saver = Saver::new(&args, Mode::Test, job.seed, now());
    sink.emit(saver.started());
    let attempt = Attempt { seed: job.seed, started_at: now(), ..Attempt::default() };
    let ended = match ready(&mut job).await {
        Ok((mut raised, ready, plan)) => {
            let pass = Pass { lab: &job.lab, plan: &plan, attempt: attempt.clone(), interrupt: job.interrupt.clone() };
            let saving = Saving { sink: &sink, saver: Some(&saver) };
            let recorded = Box::pin(raised.standing.pass(&pass, ready, &saving)).await;
            let folder = match recorded.and_then(|recorded| saver.save(0, &job.lab, &attempt, Some(recorded))) {
                Some(Ok(folder)) => Some(folder),
                Some(Err(why)) => {
                    say(&why);
                    None
                }
                None => None,
            };
            if raised.standing.is_of_use() {
                Ended { raised: Some(raised), folder }
            } else {
                if let Some(why) = raised.standing.why_of_no_use() {
                    say(&format!("the next run begins anew: {why}"));
                }
                raised.close().await;
                Ended { raised: None, folder }
            }
        }
        Err(stopped) => {
            stop_lab(&sink, (0, attempt), Mode::Test, &job.lab, &Plan::default(), stopped);
            Ended::default()
        }
    };
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    sink.emit(RunEvent::RunFinished { duration_ms });
    drop(sink.0.into_inner().unwrap_or_else(PoisonError::into_inner).finish());
    ended
}

/// A cluster that stands where the run begins.
async fn ready(job: &mut Job) -> Result<(Raised, Ready, Plan), Stopped> {
    let flags = ClusterFlags { on: job.on, ..ClusterFlags::default() };
    let kind = provider::choose(&job.lab, &flags)
        .map_err(|NoCluster { reason, detail }| Stopped { detail, ..Stopped::new(StopCause::CannotJudge, reason) })?;
    let mut plan =
        Plan::new(&job.lab, kind, Mode::Test).map_err(|skip| Stopped::new(StopCause::NothingToDo, skip.0))?;
    if let Some(longest) = job.max_wait {
        plan.cap(longest);
    }
    let setup = Setup::of(&job.lab);
    if let Some(mut raised) = job.raised.take() {
        if (raised.kind, &raised.setup) == (kind, &setup)
            && let Some(from) = raised.standing.goes_back_to(&job.begins)
        {
            let step = plan.steps.get(from.step).map_or("the clean-up", |step| step.title.as_str()).to_owned();
            let (why, began) = (from.why.clone(), Instant::now());
            match raised.standing.go_back(from, &job.interrupt).await {
                Ok(ready) => {
                    let why = why.map(|why| format!(", the last place before that can be put back: {why}"));
                    let took = began.elapsed().as_millis();
                    say(&format!("runs from “{step}”{} (put back in {took} ms)", why.unwrap_or_default()));
                    return Ok((raised, ready, plan));
                }
                Err(why) => say(&format!("“{step}” cannot be put back to its beginning: {why}")),
            }
        }
        raised.close().await;
    }
    say(&format!("runs the whole lab on a fresh {} cluster", kind.name()));
    let mut raised = raise(job, kind, &flags, setup).await?;
    let from = raised.standing.goes_back_to(&[0]);
    let from = from.ok_or_else(|| Stopped::new(StopCause::CannotJudge, "the cluster is not fresh"))?;
    let ready = raised.standing.go_back(from, &job.interrupt).await;
    let ready = ready.map_err(|why| Stopped::new(StopCause::CannotJudge, why))?;
    Ok((raised, ready, plan))
}

async fn raise(job: &Job, kind: ClusterKind, flags: &ClusterFlags, setup: Setup) -> Result<Raised, Stopped> {
    let agreed = provider::agree(&job.lab, kind, flags).await.map_err(Stopped::from)?;
    let vars = resolve(&job.lab, job.seed, &BTreeMap::new(), None)
        .map_err(|problems| Stopped::new(StopCause::Wrong, problems.join("; ")))?;
    let guard = Guard::start(GuardSettings::with_watchdog())
        .map_err(|error| Stopped::new(StopCause::CannotJudge, format!("no private folder to work in: {error}")))?;
    let provider = provider::build(kind, flags, agreed, &guard);
    let request = StandingRequest {
        lab: &job.lab,
        kind,
        vars: &vars,
        provider: provider.as_ref(),
        guard: guard.clone(),
        interrupt: job.whole.clone(),
    };
    let raised = tokio::select! {
        raised = Box::pin(Standing::raise(&request, &Untold)) => raised,
        () = job.interrupt.cancelled() => Err(Stopped::new(StopCause::Interrupted, "interrupted")),
    };
    match raised {
        Ok(standing) => Ok(Raised { kind, setup, standing }),
        Err(stopped) => {
            for left in guard.end().await {
                say(&format!("could not be cleaned up: {left}"));
            }
            Err(stopped)
        }
    }
}

/// The stages of a cluster's start are of no report here.
struct Untold;

impl StageSink for Untold {
    fn passed(&self, _: &str, _: Option<&str>, _: Duration) {}

    fn note(&self, text: &str) {
        say(text);
    }
}
