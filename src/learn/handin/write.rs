use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chain::Chain;
use super::{Body, CheckRecord, VERSION, digest};
use crate::grade::{Evidence, concerns};
use crate::journal::{Delivered, JournalView, KeyGlob, SavedMark, SavedObservation, stamp};
use crate::lab::{Check, Lab};
use crate::outcome::{CheckFact, ClusterReport};

/// Samples that are kept of one check: the first and the last of them decide.
const SAMPLES: usize = 200;
/// A longer output is cut: what rests on the missing part is not judged again.
const LONGEST: usize = 64 << 10;

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
    pub parts: Vec<Part>,
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

/// What was witnessed without a break, as far as the checks speak of it, and the checks that were judged by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub journal: Vec<Value>,
    pub checks: Vec<CheckRecord>,
}

impl Part {
    /// `redact` takes out what is secret beside the Secrets.
    pub fn of(journal: &JournalView, judged: &[JudgedCheck<'_>], redact: &dyn Fn(&str) -> String) -> io::Result<Self> {
        let checks = judged.iter().map(|judged| record(judged, redact)).collect();
        Ok(Self { journal: lines(journal, judged, redact)?, checks })
    }

    /// Of a check that earned nothing, with the reason.
    pub fn without_evidence(step: &str, fact: &CheckFact) -> Self {
        let nowhere = SavedMark::default();
        let record = CheckRecord {
            part: 0,
            step: step.to_owned(),
            line: fact.line,
            column: fact.column,
            text: fact.text.clone(),
            verdict: fact.verdict,
            reason: fact.reason.clone(),
            mark: nowhere,
            end: nowhere,
            since: None,
            upto: 0,
            epoch: 0,
            at: Timestamp::UNIX_EPOCH,
            observations: Vec::new(),
        };
        Self { journal: Vec::new(), checks: vec![record] }
    }
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

/// Writes the file.
pub fn write(out: impl Write, attempt: &Attempt<'_>) -> io::Result<()> {
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
        for line in &part.journal {
            chain.push(&Body::Journal { part: number, line: line.clone() })?;
        }
        for record in &part.checks {
            chain.push(&Body::Check(Box::new(CheckRecord { part: number, ..record.clone() })))?;
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
fn lines(journal: &JournalView, judged: &[JudgedCheck<'_>], redact: &dyn Fn(&str) -> String) -> io::Result<Vec<Value>> {
    let globs: Vec<KeyGlob> = judged
        .iter()
        .filter_map(|judged| concerns(judged.check, &judged.evidence.vars, &judged.evidence.prefix))
        .collect();
    let mut text = Vec::new();
    journal.save_of(&mut text, redact, &|key| globs.iter().any(|glob| glob.matches(key)))?;
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).map_err(io::Error::other))
        .collect()
}

fn record(judged: &JudgedCheck<'_>, redact: &dyn Fn(&str) -> String) -> CheckRecord {
    let fact = judged.fact;
    let all = &judged.evidence.observations;
    let first = all.iter().take(SAMPLES / 2);
    let last = all.iter().skip((SAMPLES / 2).max(all.len().saturating_sub(SAMPLES / 2)));
    CheckRecord {
        part: 0,
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
        observations: first.chain(last).map(|observation| SavedObservation::of(observation, LONGEST, redact)).collect(),
    }
}
