//! The runs of a recording: each on a cluster of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use owned_processes::{Guard, GuardSettings, Interrupt};
use tokio_util::sync::CancellationToken;

use crate::author::record::{Additions, Layout, Names, Run, RunKind, other_values};
use crate::cli::args::ClusterFlags;
use crate::cli::error::CliError;
use crate::cli::{provider, screen};
use crate::cluster::Agreed;
use crate::journal::Mark;
use crate::lab::{ClusterKind, Lab};
use crate::outcome::{Attempt, RunEvent, StopCause, Verdict, lab_report};
use crate::run::{self, EventSink, LabRequest, Mode, Plan, Vars, resolve, run_lab};

/// A block's doings are over when no key has changed for so long.
const REST: Duration = Duration::from_millis(700);
/// Between two commands of the run whose clock shows it.
const PAUSE: Duration = Duration::from_millis(1300);
/// No run takes longer; a command that waits for what never comes ends by its block's own limit first.
const LONGEST: Duration = Duration::from_secs(900);
/// The slowed store stands still for the first, and goes on for the second, again and again.
const STILL: Duration = Duration::from_millis(60);
const GOES: Duration = Duration::from_millis(30);

pub(super) struct Recording<'a> {
    pub(super) layout: &'a Layout,
    /// What was added to the file for it.
    pub(super) added: &'a Additions,
    pub(super) kind: ClusterKind,
    pub(super) seed: u64,
    pub(super) jobs: usize,
}

/// A block that does not run as it is.
pub(super) struct Stuck {
    /// The line of its fence.
    pub(super) fence: usize,
    /// That of its first command that does not run, where what stands before it does.
    pub(super) command: Option<usize>,
    pub(super) why: String,
}

/// One run to do.
struct Wish {
    kind: RunKind,
    lab: Lab,
    /// Which of the runs with different seeds and names.
    turn: usize,
    settle: Option<Duration>,
    slowed: bool,
}

/// What a run left, before runs are compared.
struct Left {
    kind: RunKind,
    recorded: run::Recorded,
    is_whole: bool,
}

/// Keeps what is told.
#[derive(Default)]
struct Kept(Mutex<Vec<RunEvent>>);

impl EventSink for Kept {
    fn emit(&self, event: RunEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl Recording<'_> {
    /// The first run shows that the lab runs at all; the others are done side by side. Nothing where it was interrupted.
    pub(super) async fn all(&self) -> Result<Option<Vec<Run>>, CliError> {
        let interrupt = Interrupt::listen()
            .map_err(|error| CliError::unavailable(format!("cannot listen for Ctrl-C: {error}"), "try again"))?
            .token();
        let layout = self.layout;
        let whole = |kind: RunKind, turn: usize, lab: Lab| Wish { kind, lab, turn, settle: Some(REST), slowed: false };
        let Some(first) = self.one(whole(RunKind::Plain, 0, layout.plain()), &interrupt).await? else {
            return Ok(None);
        };
        let mutants = layout.mutants();
        screen::note(&format!(
            "the lab runs; 4 more runs of it and one without each of its {} commands",
            mutants.len()
        ));
        let mut wishes = vec![
            whole(RunKind::Paced, 1, layout.paced(PAUSE)),
            whole(RunKind::Plain, 2, layout.plain()),
            Wish { settle: None, slowed: true, ..whole(RunKind::Slowed, 3, layout.plain()) },
            Wish { settle: None, ..whole(RunKind::Null, 0, layout.null(&took(&first))) },
        ];
        // The longest first.
        wishes.extend(
            mutants
                .into_iter()
                .rev()
                .map(|(block, command)| whole(RunKind::Without { block, command }, 0, layout.without(block, command))),
        );
        let all = wishes.len();
        let mut running = std::pin::pin!(
            futures::stream::iter(wishes).map(|wish| self.one(wish, &interrupt)).buffer_unordered(self.jobs)
        );
        let mut left = vec![first];
        while let Some(one) = running.next().await {
            let Some(one) = one? else { return Ok(None) };
            left.push(one);
            if screen::is_live() {
                screen::note(&format!("{} of {all} runs", left.len() - 1));
            }
        }
        // Whichever ended first.
        left.sort_by_key(|left| order(&left.kind));
        let vars: Vec<BTreeMap<String, String>> =
            left.iter().map(|left| left.recorded.recording.vars.clone()).collect();
        let names = Names::of_runs(&vars.iter().collect::<Vec<_>>());
        let run = |(left, names): (Left, Names)| Run {
            kind: left.kind,
            journal: left.recorded.journal.journal(),
            recording: left.recorded.recording,
            names,
            is_whole: left.is_whole,
        };
        Ok(Some(left.into_iter().zip(names).map(run).collect()))
    }

    /// Blocks that do not run as they are; nothing where it was interrupted.
    pub(super) async fn failing(&self) -> Result<Option<Vec<Stuck>>, CliError> {
        let interrupt = Interrupt::listen()
            .map_err(|error| CliError::unavailable(format!("cannot listen for Ctrl-C: {error}"), "try again"))?
            .token();
        let wish = Wish { kind: RunKind::Plain, lab: self.layout.plain(), turn: 0, settle: None, slowed: false };
        let (_, events) = self.run(&wish, &interrupt, true).await?;
        let failed = events.into_iter().filter_map(|event| match event {
            RunEvent::ActionFinished { action, .. } if !matches!(action.verdict, Verdict::Pass | Verdict::Skipped) => {
                let why = action.reason.unwrap_or_else(|| "it failed".to_owned());
                Some(Stuck { fence: action.line, command: action.failed_line, why })
            }
            _ => None,
        });
        Ok((!interrupt.is_cancelled()).then(|| failed.collect()))
    }

    /// Which of these commands the rest of the lab cannot do without.
    pub(super) async fn needed(&self, commands: Vec<(usize, usize)>) -> Result<Vec<(usize, usize)>, CliError> {
        let interrupt = CancellationToken::new();
        let run = |of: (usize, usize)| {
            let interrupt = &interrupt;
            async move {
                let lab = self.layout.lacking(of.0, of.1);
                let kind = RunKind::Without { block: of.0, command: of.1 };
                let left = self.one(Wish { kind, lab, turn: 0, settle: None, slowed: false }, interrupt).await?;
                Ok(left.filter(|left| !left.is_whole).map(|_| of))
            }
        };
        let all: Vec<Result<Option<(usize, usize)>, CliError>> =
            futures::stream::iter(commands).map(run).buffer_unordered(self.jobs).collect().await;
        let found: Result<Vec<Option<(usize, usize)>>, CliError> = all.into_iter().collect();
        Ok(found?.into_iter().flatten().collect())
    }

    /// What a run left, and told; `goes_on`: with what does not build on what failed.
    async fn run(
        &self,
        wish: &Wish,
        interrupt: &CancellationToken,
        goes_on: bool,
    ) -> Result<(Option<run::Recorded>, Vec<RunEvent>), CliError> {
        let guard = Guard::start(GuardSettings::with_watchdog())
            .map_err(|error| CliError::unavailable(format!("no private folder to work in: {error}"), "try again"))?;
        let plan = Plan::new(&wish.lab, self.kind, Mode::Solve)
            .map_err(|skip| CliError::wrong_call(skip.0, "the lab must run on its own cluster here"))?;
        let flags = ClusterFlags::default();
        let provider = provider::build(self.kind, &flags, Agreed::default(), &guard);
        let token = interrupt.child_token();
        let request = LabRequest {
            index: 0,
            attempt: Attempt::default(),
            lab: &wish.lab,
            plan,
            mode: Mode::Solve,
            kind: self.kind,
            vars: self.vars(wish)?,
            provider: provider.as_ref(),
            guard: guard.clone(),
            keep: false,
            hold: None,
            keep_going: goes_on,
            settle: wish.settle,
            interrupt: token.clone(),
        };
        let kept = Kept::default();
        let recorded = {
            let mut running = std::pin::pin!(run_lab(request, &kept));
            let slow = async {
                match self.kind {
                    ClusterKind::Sandbox if wish.slowed => slowed(&guard).await,
                    // Its etcd runs in a terminal of the lab, where a shell would take it for stopped.
                    _ if wish.slowed => busy().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                recorded = &mut running => recorded,
                () = slow => None,
                () = tokio::time::sleep(LONGEST) => {
                    token.cancel();
                    running.await
                }
            }
        };
        Ok((recorded, kept.0.into_inner().unwrap_or_else(PoisonError::into_inner)))
    }

    async fn one(&self, wish: Wish, interrupt: &CancellationToken) -> Result<Option<Left>, CliError> {
        if interrupt.is_cancelled() {
            return Ok(None);
        }
        let (recorded, events) = self.run(&wish, interrupt, false).await?;
        if interrupt.is_cancelled() {
            return Ok(None);
        }
        let failed = failure(&events, self.added);
        let must_pass = !matches!(wish.kind, RunKind::Without { .. });
        match (recorded, failed) {
            (Some(recorded), None) => Ok(Some(Left { kind: wish.kind, recorded, is_whole: true })),
            (Some(recorded), Some(_)) if !must_pass => Ok(Some(Left { kind: wish.kind, recorded, is_whole: false })),
            (_, failed) => Err(of_failure(&wish, failed.unwrap_or_else(|| "it did not start".to_owned()))),
        }
    }

    /// Each of the runs by a seed of its own has its own names too.
    fn vars(&self, wish: &Wish) -> Result<Vars, CliError> {
        let given = if wish.turn == 0 { BTreeMap::new() } else { other_values(&wish.lab, wish.turn) };
        let seed = self.seed.wrapping_add(u64::try_from(wish.turn).unwrap_or_default());
        resolve(&wish.lab, seed, &given, None)
            .map_err(|problems| CliError::wrong_call(problems.join("; "), "mend the lab's variables"))
    }
}

fn order(kind: &RunKind) -> (usize, usize, usize) {
    match kind {
        RunKind::Plain => (0, 0, 0),
        RunKind::Paced => (1, 0, 0),
        RunKind::Slowed => (2, 0, 0),
        RunKind::Null => (3, 0, 0),
        RunKind::Without { block, command } => (4, *block, *command),
    }
}

/// How long each block took until all was at rest.
fn took(left: &Left) -> Vec<Duration> {
    let recording = &left.recorded.recording;
    let at = |moment: &run::Moment| Mark::from(moment.mark).at;
    let begins = recording.acts.iter().map(|act| at(&act.before));
    let ends = recording.acts.iter().skip(1).map(|act| at(&act.before)).chain(recording.finished.iter().map(at));
    begins.zip(ends).map(|(begin, end)| end.duration_since(begin).unwrap_or_default()).collect()
}

/// Why the lab did not come to its end.
fn failure(events: &[RunEvent], added: &Additions) -> Option<String> {
    let stopped = events.iter().find_map(|event| match event {
        RunEvent::ActionFinished { action, .. } if matches!(action.verdict, Verdict::Fail | Verdict::CannotJudge) => {
            let line = added.original(action.failed_line.unwrap_or(action.line));
            let reason = action.reason.as_deref().unwrap_or("it failed");
            let last = action.output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            let last = if last.is_empty() { String::new() } else { format!(": {last}") };
            Some(format!("line {line}: {reason}{last}"))
        }
        RunEvent::StepStopped { cause, reason, .. } if *cause != StopCause::NotHere => Some(reason.clone()),
        RunEvent::LabStopped { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    stopped.or_else(|| {
        let report = lab_report(events);
        (report.verdict != Verdict::Pass).then(|| report.reason.unwrap_or_else(|| report.verdict.word().to_owned()))
    })
}

fn of_failure(wish: &Wish, why: String) -> CliError {
    let what = match wish.kind {
        RunKind::Plain if wish.turn == 0 => "the lab does not run",
        RunKind::Plain => "the lab does not run with another seed and other names",
        RunKind::Paced => "the lab does not run with pauses between its commands",
        RunKind::Slowed => "the lab does not run on a slow store",
        RunKind::Null | RunKind::Without { .. } => "a run of the recording failed",
    };
    let hint = "a block must end well by itself; one that must fail says `fails`, one that stays `background`, and one \
                that is only shown `norun`";
    CliError::wrong_call(format!("{what}: {why}"), hint)
}

/// Has the store of this run stand still most of the time, until it is dropped.
async fn slowed(guard: &Guard) {
    let mut still = Still(Vec::new());
    loop {
        let (own, program) = (guard.clone(), "etcd");
        // It looks through all processes.
        let found = tokio::task::spawn_blocking(move || own.processes(program)).await.unwrap_or_default();
        for _ in 0..20 {
            still.stop(&found);
            tokio::time::sleep(STILL).await;
            still.go_on();
            tokio::time::sleep(GOES).await;
        }
    }
}

/// Takes the processors for itself, until it is dropped.
async fn busy() {
    struct Ends(Arc<AtomicBool>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = Arc::new(AtomicBool::new(false));
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for _ in 0..cpus * 2 {
        let over = Arc::clone(&over);
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
    }
    let _ends = Ends(over);
    std::future::pending::<()>().await;
}

/// Processes that stand still; they go on when this is dropped.
struct Still(Vec<i32>);

impl Still {
    fn stop(&mut self, processes: &[i32]) {
        for process in processes {
            if kill(Pid::from_raw(*process), Signal::SIGSTOP).is_ok() {
                self.0.push(*process);
            }
        }
    }

    fn go_on(&mut self) {
        for process in self.0.drain(..) {
            // It may have ended.
            let _ = kill(Pid::from_raw(process), Signal::SIGCONT);
        }
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        self.go_on();
    }
}
