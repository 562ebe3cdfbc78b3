//! `keywitness grade`: a lab that somebody has done is judged by what is there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use clap::Args;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;

use super::args::{ClusterFlags, Format, LabArgs, LookFlags, ReportArgs, SettingArgs};
use super::error::CliError;
use super::run::{Sink, exit};
use super::{findings, lint, outputs, place, provider, screen};
use crate::cluster::{Agreed, Attach, Consent, Reuse};
use crate::lab::keywords::GIVEN_PREFIX;
use crate::lab::{CheckKind, ClusterKind, Item, Lab, Var, VarDefault};
use crate::learn::handin::{Attempt, JudgedCheck, Part, write};
use crate::outcome::{Exit, RunEvent, Terms};
use crate::run::{GradeRequest, Graded, Grading, Mode, Plan, Vars, grade_lab, resolve};
use crate::text::redact;
use owned_processes::{Guard, GuardSettings, Interrupt};

/// Grade a lab that was done by hand, by the state of the cluster
///
/// Nothing of the lab is run but the commands of `run` checks. Without --record only the present state is known: checks
/// of events, of their absence and of outputs cannot be judged. With --record keywitness watches until Enter or
/// Ctrl-C, and judges the events too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keywitness grade labs/make-it-so --cluster dev\n  \
    keywitness grade labs/make-it-so --cluster dev --record --hand-in anna.handin --learner Anna")]
pub(super) struct GradeArgs {
    /// The lab: a file, or a folder with a README.md
    #[arg(value_name = "LAB")]
    lab: PathBuf,
    /// Watch until Enter or Ctrl-C, then judge the events too
    #[arg(long)]
    record: bool,
    /// Write a file to hand in: the checks with their evidence, for `keywitness verify`
    #[arg(long, value_name = "FILE")]
    hand_in: Option<PathBuf>,
    /// The learner's name, for the file to hand in
    #[arg(long, value_name = "NAME", requires = "hand_in")]
    learner: Option<String>,
    /// The folder in which `run` checks run and snapshots are looked for
    #[arg(long, value_name = "DIR", default_value = ".")]
    work: PathBuf,
    /// Do not ask before `run` checks run against a cluster that keywitness did not create
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    look: LookFlags,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    settings: SettingArgs,
}

pub(super) fn main(args: &GradeArgs) -> Result<Exit, CliError> {
    // What is handed in is of the lab as learners have it.
    let read = if args.hand_in.is_some() { lint::read } else { lint::read_whole };
    let lab = one_lab(&args.lab, args.report.format == Format::Json, read)?;
    let (kind, mut flags) = place::choose(&args.look.flags())?;
    flags.yes = args.yes;
    if let Some(file) = args.hand_in.as_ref().filter(|file| file.exists()) {
        return Err(CliError::wrong_call(format!("{} exists already", file.display()), "name a file that does not"));
    }
    let given: BTreeMap<String, String> = args.settings.vars.iter().cloned().collect();
    let seed = seed(args, &lab, &given)?;
    let vars = resolve(&lab, seed, &given, None)
        .map_err(|problems| CliError::wrong_call(problems.join("; "), "--var NAME=VALUE sets a variable"))?;
    let plan = Plan::new(&lab, kind, Mode::Grade).map_err(|skip| {
        CliError::wrong_call(format!("{} cannot be graded here: {}", lab.id, skip.0), "name another cluster")
    })?;
    let sink = Sink(Mutex::new(outputs::fanout(&args.report, false)));
    let started = Instant::now();
    sink.0.lock().unwrap_or_else(PoisonError::into_inner).event(RunEvent::RunStarted {
        tool: super::TOOL.to_owned(),
        command: Mode::Grade.command().to_owned(),
        seed,
        started_at: super::now(),
        terms: Terms { host: super::host(), ..Terms::default() },
    });
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| CliError::unavailable(format!("no threads to run on: {error}"), "try again"))?;
    let (began, shown) = (SystemTime::now(), vars.shown.clone());
    let graded = runtime.block_on(grade(args, &lab, Ready { kind, flags, vars, plan }, &sink));
    // A read of standard input cannot be called off.
    runtime.shutdown_background();
    let graded = graded?;
    let mut fanout = sink.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    fanout.event(RunEvent::RunFinished { duration_ms });
    let (report, broken) = fanout.finish();
    if let (Some(file), Some(grading), Some(outcome)) = (&args.hand_in, &graded, report.labs.first()) {
        let unwritten = |source| CliError::Output { what: file.display().to_string(), source };
        let judged: Vec<JudgedCheck<'_>> = grading.checks.iter().map(judged).collect();
        let part = Part::of(&grading.journal, &judged, &|text| redact(text).into_owned());
        let attempt = Attempt {
            tool: super::TOOL,
            lab: &lab,
            learner: args.learner.as_deref(),
            seed,
            vars: &[shown, given_by_the_runner(grading)].concat(),
            given: given.into_keys().collect(),
            cluster: &grading.cluster,
            prefix: &grading.prefix,
            parts: vec![part.map_err(unwritten)?],
            questions: Vec::new(),
            steps: Vec::new(),
            points: (outcome.points, outcome.max_points),
            started: began,
            finished: SystemTime::now(),
            elapsed: started.elapsed(),
        };
        hand_in(file, &attempt).map_err(unwritten)?;
        screen::note(&format!("{} can be handed in; `keywitness verify` judges it again", file.display()));
    }
    Ok(exit(&report, broken))
}

/// Of what the runner gives, what the checks speak of.
fn given_by_the_runner(grading: &Grading) -> Vec<(String, String)> {
    let mut found = BTreeMap::new();
    for graded in &grading.checks {
        let given = graded.evidence.vars.iter().filter(|(name, _)| name.starts_with(GIVEN_PREFIX));
        let named = given.filter(|(name, _)| graded.check.text.contains(&format!("${{{name}}}")));
        found.extend(named.map(|(name, value)| (name.clone(), value.clone())));
    }
    found.into_iter().collect()
}

fn judged(graded: &Graded) -> JudgedCheck<'_> {
    JudgedCheck {
        step: &graded.step,
        check: &graded.check,
        fact: &graded.fact,
        evidence: &graded.evidence,
        since: graded.since,
        upto: graded.upto,
    }
}

fn hand_in(file: &Path, attempt: &Attempt<'_>) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create_new(file)?);
    write(&mut out, attempt)?;
    out.flush()
}

/// The seed of the learner's attempt, where the lab has values that follow from it.
fn seed(args: &GradeArgs, lab: &Lab, given: &BTreeMap<String, String>) -> Result<u64, CliError> {
    let is_open = |var: &&Var| matches!(var.default, VarDefault::Random(_)) && !given.contains_key(&var.name.value);
    match (args.settings.seed, lab.vars.iter().find(is_open)) {
        (Some(seed), _) => Ok(seed),
        (None, None) => Ok(0),
        (None, Some(var)) => Err(CliError::wrong_call(
            format!("which value had {}? It is random in this lab", var.name.value),
            format!("--seed N as in the attempt, or --var {}=VALUE", var.name.value),
        )),
    }
}

/// With or without private parts.
pub(super) type ReadLabs = fn(&LabArgs) -> Result<(Vec<lint::Linted>, Vec<super::labs::NoLab>), CliError>;

/// The one lab that is named, without errors; what is wrong with it is drawn where a person reads.
pub(super) fn one_lab(path: &Path, quiet: bool, read: ReadLabs) -> Result<Lab, CliError> {
    let (mut labs, _) = read(&LabArgs { paths: vec![path.to_owned()] })?;
    let (Some(linted), true) = (labs.pop(), labs.is_empty()) else {
        return Err(CliError::wrong_call(
            format!("{} is not one lab", path.display()),
            "name a lab file, or a folder with a README.md",
        ));
    };
    let format = if quiet { Format::Json } else { Format::Human };
    findings::emit_all(&linted.parsed.findings, &linted.file.source, format, &mut |_| {});
    linted
        .parsed
        .lab
        .ok_or_else(|| CliError::wrong_call(format!("{} has errors", path.display()), "`keywitness lint` shows them"))
}

struct Ready {
    kind: ClusterKind,
    flags: ClusterFlags,
    vars: Vars,
    plan: Plan,
}

async fn grade(args: &GradeArgs, lab: &Lab, ready: Ready, sink: &Sink) -> Result<Option<Grading>, CliError> {
    let unusable = |error: std::io::Error| CliError::unavailable(error.to_string(), "is the temp folder writable?");
    let Ready { kind, flags, vars, plan } = ready;
    let commands = run_checks(lab);
    // Reading changes nothing; what an author's commands do is not known.
    let consent = if commands.is_empty() { Consent::Given } else { provider::consent(&flags) };
    let agreed = match (kind, flags.cluster_name.as_deref()) {
        (ClusterKind::Attach, _) => {
            Attach::agree(flags.context.as_deref(), flags.kubeconfig.as_deref(), &consent, &commands)?
        }
        (ClusterKind::Kind, Some(name)) => Reuse::agree(provider::engine(&flags), name, &consent, &commands).await?,
        _ => Agreed::default(),
    };
    let interrupt = Interrupt::listen().map_err(unusable)?.token();
    let guard = Guard::start(GuardSettings::with_watchdog()).map_err(unusable)?;
    let provider = provider::build(kind, &flags, agreed, &guard);
    let work = std::path::absolute(&args.work).map_err(unusable)?;
    let request = GradeRequest {
        index: 0,
        lab,
        plan,
        kind,
        vars,
        provider: provider.as_ref(),
        guard,
        work,
        // The end of a recording is not the end of the grading.
        interrupt: if args.record { CancellationToken::new() } else { interrupt.clone() },
    };
    let recording = args.record.then(|| recording(interrupt));
    Ok(Box::pin(grade_lab(request, recording, sink)).await)
}

/// The commands that checks run.
fn run_checks(lab: &Lab) -> Vec<String> {
    let blocks = lab.steps.iter().flat_map(|step| &step.items).filter_map(|item| match item {
        Item::Check(block) => Some(block),
        _ => None,
    });
    let checks = blocks.flat_map(|block| &block.checks);
    checks.filter(|check| matches!(check.kind, CheckKind::Run { .. })).map(|check| check.text.clone()).collect()
}

/// Until Enter or Ctrl-C.
async fn recording(interrupt: CancellationToken) {
    screen::note("recording what happens in the cluster; Enter (or Ctrl-C) ends the recording and grades it");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let enter = async {
        // Where standard input has ended, only Ctrl-C is left.
        if !matches!(lines.next_line().await, Ok(Some(_))) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = enter => {}
        () = interrupt.cancelled() => {}
    }
}
