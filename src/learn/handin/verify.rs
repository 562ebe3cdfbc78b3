//! A file held against the lab, and against itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde_json::Value;

use super::{Body, CheckRecord, Sealed, Tampering, Trace, sha256, times};
use crate::grade::{Evidence, Judge, concerns, needs};
use crate::journal::{Delivered, Journal, Observation};
use crate::lab::{Check, Vars};
use crate::outcome::Verdict;
use crate::text::EventKind;

/// What the lab itself says.
pub struct LabSide<'a> {
    pub digest: String,
    /// The lab's checks on the file's kind of cluster, by where they begin: line and column.
    pub checks: BTreeMap<(usize, usize), &'a Check>,
    /// The values that follow from the seed.
    pub random: BTreeMap<String, String>,
    /// The variables whose values are not in the file.
    pub secret: BTreeSet<String>,
    /// Points and their maximum by these verdicts (by line and column) and right answers (by line).
    pub score: &'a dyn Fn(&BTreeMap<(usize, usize), Verdict>, &BTreeSet<usize>) -> (u32, u32),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub learner: Option<String>,
    pub lab: String,
    pub cluster: String,
    pub points: u32,
    pub max_points: u32,
    pub checks: Vec<Rejudged>,
    /// The checks of the lab's private part.
    pub private: Vec<Private>,
    pub hints: u32,
    pub solutions: u32,
    /// Variables that were set by hand.
    pub given: Vec<String>,
    pub traces: Vec<Trace>,
    /// The same attempt has the same.
    pub fingerprint: String,
    /// The objects that were made in it.
    pub made: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejudged {
    pub line: usize,
    pub text: String,
    pub recorded: Verdict,
    /// `None`: what it rests on is hidden, so that it is taken as it was handed in.
    pub found: Option<Verdict>,
}

/// A check of the lab's private part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Private {
    pub file: String,
    pub line: usize,
    pub text: String,
    pub verdict: Verdict,
    pub reason: Option<String>,
}

/// What stands in the head of a file.
#[derive(Debug, Default)]
pub(super) struct Head {
    lab: String,
    digest: String,
    pub(super) vars: BTreeMap<String, String>,
    given: Vec<String>,
    learner: Option<String>,
    cluster: String,
    pub(super) prefix: String,
    points: (u32, u32),
}

/// Judges every check again by the file's own evidence. `now` is the time of whoever verifies.
pub fn verify(sealed: &Sealed, lab: &LabSide<'_>, now: SystemTime) -> Verified {
    let mut traces = sealed.traces.clone();
    let head = head(sealed);
    let mut verified = Verified {
        learner: head.learner.clone(),
        lab: head.lab.clone(),
        cluster: head.cluster.clone(),
        points: 0,
        max_points: 0,
        checks: Vec::new(),
        private: Vec::new(),
        hints: 0,
        solutions: 0,
        given: head.given.clone(),
        traces: Vec::new(),
        fingerprint: fingerprint(sealed),
        made: made(sealed),
    };
    if traces.iter().any(|trace| trace.tampering == Tampering::FutureVersion) {
        return Verified { traces, ..verified };
    }
    if head.digest != lab.digest && !traces.iter().any(|trace| trace.tampering == Tampering::OtherLab) {
        traces.push(Trace::new(Tampering::OtherLab, None, "it was done with another text of the lab"));
    }
    for (name, value) in &lab.random {
        if !head.given.contains(name) && head.vars.get(name).is_some_and(|handed| handed != value) {
            traces.push(Trace::new(Tampering::OtherSeed, None, format!("{name} does not follow from the seed")));
        }
    }
    traces.extend(times::contradictions(sealed, now));
    traces.extend(versions(sealed));
    let journals = journals(sealed);
    let mut verdicts = BTreeMap::new();
    for (number, record) in checks(sealed) {
        let place = (record.line, record.column);
        let known = lab.checks.get(&place).filter(|check| check.text == record.text);
        let Some(check) = known else {
            if head.digest == lab.digest {
                let text = format!("the lab has no check `{}` in line {}", record.text, record.line);
                traces.push(Trace::new(Tampering::ChangedValue, Some(number), text));
            }
            continue;
        };
        let found = rejudged(record, check, journals.get(&record.part), &head, &lab.secret);
        if let Some(found) = found
            && (found == Verdict::Pass) != (record.verdict == Verdict::Pass)
        {
            let text = format!(
                "`{}` was handed in as {}, and its evidence says {}",
                record.text,
                record.verdict.word(),
                found.word()
            );
            traces.push(Trace::new(Tampering::ChangedValue, Some(number), text));
        }
        verdicts.insert(place, found.unwrap_or(record.verdict));
        verified.checks.push(Rejudged {
            line: record.line,
            text: record.text.clone(),
            recorded: record.verdict,
            found,
        });
    }
    let mut right = BTreeSet::new();
    for (_, body) in &sealed.bodies {
        match body {
            Body::Question { line, right: true, .. } => drop(right.insert(*line)),
            Body::Step { hints, solution, .. } => {
                verified.hints += hints;
                verified.solutions += u32::from(*solution);
            }
            _ => {}
        }
    }
    (verified.points, verified.max_points) = (lab.score)(&verdicts, &right);
    if head.digest == lab.digest
        && head.points != (verified.points, verified.max_points)
        && !traces.iter().any(|trace| matches!(trace.tampering, Tampering::EditedPoints | Tampering::CutFile))
    {
        let (points, max) = head.points;
        let text = format!(
            "{points}/{max} points were handed in; its evidence earns {}/{}",
            verified.points, verified.max_points
        );
        traces.push(Trace::new(Tampering::EditedPoints, None, text));
    }
    traces.sort_by_key(|trace| (trace.tampering, trace.line));
    Verified { traces, ..verified }
}

pub(super) fn head(sealed: &Sealed) -> Head {
    let mut head = Head::default();
    for (_, body) in &sealed.bodies {
        match body {
            Body::Lab { id, digest, .. } => {
                head.lab.clone_from(id);
                head.digest.clone_from(digest);
            }
            Body::Vars { vars, given } => {
                head.vars.clone_from(vars);
                head.given.clone_from(given);
            }
            Body::Learner { name } => head.learner.clone_from(name),
            Body::Cluster { kind, prefix, .. } => {
                head.cluster.clone_from(kind);
                head.prefix.clone_from(prefix);
            }
            Body::Points { points, max_points } => head.points = (*points, *max_points),
            _ => {}
        }
    }
    head
}

pub(super) fn checks(sealed: &Sealed) -> impl Iterator<Item = (usize, &CheckRecord)> {
    sealed.bodies.iter().filter_map(|(number, body)| match body {
        Body::Check(record) => Some((*number, record.as_ref())),
        _ => None,
    })
}

/// Lines of journals: where each is in the file, whose part it is, and what it says.
pub(super) fn entries(sealed: &Sealed) -> impl Iterator<Item = (usize, u32, &Value)> {
    sealed.bodies.iter().filter_map(|(number, body)| match body {
        Body::Journal { part, line } => Some((*number, *part, line)),
        _ => None,
    })
}

/// The journals that can be read, by their parts.
pub(super) fn journals(sealed: &Sealed) -> BTreeMap<u32, Journal> {
    let mut texts: BTreeMap<u32, String> = BTreeMap::new();
    for (_, part, line) in entries(sealed) {
        let text = texts.entry(part).or_default();
        text.push_str(&line.to_string());
        text.push('\n');
    }
    texts.into_iter().filter_map(|(part, text)| Some((part, Journal::load(text.as_bytes()).ok()?))).collect()
}

/// `None` where the evidence is not all in the file: the check is about what is hidden.
fn rejudged(
    record: &CheckRecord,
    check: &Check,
    journal: Option<&Journal>,
    head: &Head,
    secret: &BTreeSet<String>,
) -> Option<Verdict> {
    if record.verdict == Verdict::Skipped {
        return Some(Verdict::Skipped);
    }
    let vars: Vars = head
        .vars
        .iter()
        .filter(|(name, _)| !secret.contains(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let need = needs(check, &vars).into_iter().next();
    let observations: Vec<Observation> = match &need {
        Some(need) => record.observations.iter().cloned().map(|seen| seen.restore(need)).collect(),
        None => Vec::new(),
    };
    let evidence = Evidence {
        mark: record.mark.into(),
        end: record.end.into(),
        observations,
        vars: vars.clone(),
        prefix: head.prefix.clone(),
    };
    let view = journal.and_then(|journal| {
        journal.view_at(Delivered { revision: record.upto, at: record.at.into(), epoch: record.epoch })
    });
    // A check that is sampled needs no journal.
    let empty = Journal::new("");
    let Some(view) = view.or_else(|| need.is_some().then(|| empty.view())) else {
        return Some(Verdict::CannotJudge);
    };
    let found = Judge::new(check).look(&evidence, &view, record.since.map(Into::into)).judgement.verdict;
    let agrees = (found == Verdict::Pass) == (record.verdict == Verdict::Pass);
    if agrees {
        return Some(found);
    }
    let hidden_var = check_vars(check).any(|name| secret.contains(&name));
    let hidden_value = match concerns(check, &vars, &head.prefix) {
        Some(glob) => {
            let changes = view.changes(&glob, 0);
            let values = changes.iter().filter_map(|recorded| recorded.entry.change()?.value.clone());
            let states = view.states(&glob, view.end());
            values.chain(states.iter().filter_map(|change| change.value.clone())).any(|value| is_hidden(&value.text()))
        }
        None => record
            .observations
            .iter()
            .any(|seen| serde_json::to_string(seen).is_ok_and(|text| is_hidden(&text)) || text_is_cut(seen)),
    };
    if hidden_var || hidden_value { None } else { Some(found) }
}

pub(super) fn text_is_cut(seen: &super::SavedObservation) -> bool {
    serde_json::to_value(seen).is_ok_and(|value| value.to_string().contains("\"cut\":true"))
}

pub(super) fn check_vars(check: &Check) -> impl Iterator<Item = String> {
    let names = check.text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>().into_iter()
}

pub(super) fn is_hidden(text: &str) -> bool {
    text.contains(" bytes, hidden>")
}

/// A key's version counts its writes: where one is missing, an entry is.
fn versions(sealed: &Sealed) -> Option<Trace> {
    let mut known: BTreeMap<&str, i64> = BTreeMap::new();
    let mut of = None;
    for (number, part, line) in entries(sealed) {
        if of.replace(part) != Some(part) {
            known.clear();
        }
        let Some(key) = line["key"].as_str() else {
            if matches!(line["type"].as_str(), Some("GAP" | "EPOCH" | "LISTED")) {
                known.clear();
            }
            continue;
        };
        let version = line["version"].as_i64().unwrap_or_default();
        let before = known.get(key).copied();
        let change = change_of(line);
        let follows = match (change, before) {
            (Some(EventKind::Put), Some(before)) => version == before + 1,
            // A delete carries the version of what it deleted.
            (Some(EventKind::Delete), Some(before)) => version == before,
            _ => true,
        };
        if !follows {
            let text = format!("{key} goes from version {} to {version}", before.unwrap_or_default());
            return Some(Trace::new(Tampering::DroppedEntry, Some(number), text));
        }
        known.insert(key, if change == Some(EventKind::Delete) { 0 } else { version });
    }
    None
}

/// Whether a line of the journal is a change, and which.
pub(super) fn change_of(line: &Value) -> Option<EventKind> {
    line["type"].as_str().and_then(EventKind::of)
}

/// Over everything but who it is.
fn fingerprint(sealed: &Sealed) -> String {
    let bodies = sealed.bodies.iter().map(|(_, body)| body);
    let own = bodies.filter(|body| matches!(body, Body::Journal { .. } | Body::Check(_) | Body::End { .. }));
    sha256(own.filter_map(|body| serde_json::to_string(body).ok()).collect::<String>().as_bytes())
}

/// The ids of the objects that were created while it was recorded: no two clusters give the same.
fn made(sealed: &Sealed) -> BTreeSet<String> {
    let puts = entries(sealed).filter(|(.., line)| change_of(line) == Some(EventKind::Put) && line["version"] == 1);
    puts.filter_map(|(.., line)| line["value"]["object"]["metadata"]["uid"].as_str().map(str::to_owned)).collect()
}

/// One of several files that is another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubled {
    pub file: usize,
    pub of: usize,
}

/// Files that hold one attempt, whatever names are on them.
pub fn doubled(files: &[Option<&Verified>]) -> Vec<Doubled> {
    let mut found = Vec::new();
    for (file, verified) in files.iter().enumerate() {
        let Some(verified) = verified else { continue };
        let is_same = |other: &Verified| {
            other.fingerprint == verified.fingerprint || (!verified.made.is_empty() && other.made == verified.made)
        };
        if let Some(of) = files[..file].iter().position(|other| other.is_some_and(is_same)) {
            found.push(Doubled { file, of });
        }
    }
    found
}
