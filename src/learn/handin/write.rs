use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::chain::Chain;
use super::evidence::{SavedObservation, stamp};
use super::{Body, CheckRecord, VERSION, digest};
use crate::grade::{Evidence, concerns};
use crate::journal::{Delivered, JournalView, KeyGlob};
use crate::lab::{Check, Lab};
use crate::outcome::{CheckFact, ClusterReport};

/// Samples that are kept of one check: the first and the last of them decide.
const SAMPLES: usize = 200;

/// An attempt at a lab, as it stands.
pub struct Attempt<'a> {
    pub tool: &'a str,
    pub lab: &'a Lab,
    pub learner: Option<&'a str>,
    pub seed: u64,
    /// As they may be shown.
    pub vars: &'a [(String, String)],
    /// Set by hand.
    pub given: Vec<String>,
    pub cluster: &'a ClusterReport,
    pub prefix: &'a str,
    pub parts: Vec<Part<'a>>,
    /// Step, line, attempts, and whether the answer was right.
    pub questions: Vec<(String, usize, u32, bool)>,
    /// Step, hints, and whether the solution was shown.
    pub steps: Vec<(String, u32, bool)>,
    pub points: (u32, u32),
    pub started: SystemTime,
    pub finished: SystemTime,
    /// By a clock that nobody sets.
    pub elapsed: Duration,
}

/// What was witnessed without a break, and the checks that were judged by it.
pub struct Part<'a> {
    pub journal: &'a JournalView,
    pub checks: Vec<JudgedCheck<'a>>,
}

/// A check as it came out, and what by.
pub struct JudgedCheck<'a> {
    pub step: &'a str,
    pub check: &'a Check,
    pub fact: &'a CheckFact,
    pub evidence: &'a Evidence,
    pub since: Option<SystemTime>,
    /// The journal had come so far.
    pub upto: Delivered,
}

/// Writes the file. `redact` takes out what is secret beside the Secrets.
pub fn write(out: impl Write, attempt: &Attempt<'_>, redact: &dyn Fn(&str) -> String) -> io::Result<()> {
    let mut chain = Chain::new(out);
    chain.push(&Body::HandIn { version: VERSION, tool: attempt.tool.to_owned() })?;
    chain.push(&Body::Lab {
        id: attempt.lab.id.clone(),
        title: attempt.lab.title.clone(),
        digest: digest(attempt.lab.source.text()),
    })?;
    chain.push(&Body::Seed { seed: attempt.seed.to_string() })?;
    let vars: BTreeMap<String, String> = attempt.vars.iter().cloned().collect();
    chain.push(&Body::Vars { vars, given: attempt.given.clone() })?;
    chain.push(&Body::Learner { name: attempt.learner.map(str::to_owned) })?;
    chain.push(&Body::Cluster {
        kind: attempt.cluster.kind.clone(),
        kubernetes: attempt.cluster.kubernetes.clone(),
        etcd: attempt.cluster.etcd.clone(),
        prefix: attempt.prefix.to_owned(),
    })?;
    for (number, part) in (0..).zip(&attempt.parts) {
        for line in lines(part, redact)? {
            chain.push(&Body::Journal { part: number, line })?;
        }
        for judged in &part.checks {
            chain.push(&Body::Check(Box::new(record(number, judged, redact))))?;
        }
    }
    for (step, line, attempts, right) in &attempt.questions {
        chain.push(&Body::Question { step: step.clone(), line: *line, attempts: *attempts, right: *right })?;
    }
    for (step, hints, solution) in &attempt.steps {
        chain.push(&Body::Step { step: step.clone(), hints: *hints, solution: *solution })?;
    }
    let (points, max_points) = attempt.points;
    chain.push(&Body::Points { points, max_points })?;
    chain.push(&Body::End {
        started: stamp(attempt.started),
        finished: stamp(attempt.finished),
        elapsed_ms: u64::try_from(attempt.elapsed.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Of the journal what the checks speak of.
fn lines(part: &Part<'_>, redact: &dyn Fn(&str) -> String) -> io::Result<Vec<Value>> {
    let globs: Vec<KeyGlob> = part
        .checks
        .iter()
        .filter_map(|judged| concerns(judged.check, &judged.evidence.vars, &judged.evidence.prefix))
        .collect();
    let mut text = Vec::new();
    part.journal.save_of(&mut text, redact, &|key| globs.iter().any(|glob| glob.matches(key)))?;
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).map_err(io::Error::other))
        .collect()
}

fn record(part: u32, judged: &JudgedCheck<'_>, redact: &dyn Fn(&str) -> String) -> CheckRecord {
    let fact = judged.fact;
    let all = &judged.evidence.observations;
    let first = all.iter().take(SAMPLES / 2);
    let last = all.iter().skip((SAMPLES / 2).max(all.len().saturating_sub(SAMPLES / 2)));
    CheckRecord {
        part,
        step: judged.step.to_owned(),
        line: fact.line,
        column: fact.column,
        text: fact.text.clone(),
        verdict: fact.verdict,
        reason: fact.reason.as_deref().map(redact),
        mark: judged.evidence.mark.into(),
        end: judged.evidence.end.into(),
        since: judged.since.map(stamp),
        upto: judged.upto.revision,
        epoch: judged.upto.epoch,
        at: stamp(judged.upto.at),
        observations: first.chain(last).map(|observation| SavedObservation::of(observation, redact)).collect(),
    }
}
