//! Checks that the learner's lab does not have, judged by what was handed in for those that it has.

use std::collections::BTreeMap;

use super::verify::{check_vars, head, is_hidden, journals, text_is_cut};
use super::{CheckRecord, LabSide, Sealed};
use crate::grade::{Evidence, Judge, concerns, needs};
use crate::journal::{Delivered, Journal, Observation};
use crate::lab::{Check, Vars};
use crate::outcome::Verdict;

/// How such a check comes out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Further {
    pub verdict: Verdict,
    pub reason: Option<String>,
}

impl Further {
    fn unknown(reason: &str) -> Self {
        Self { verdict: Verdict::CannotJudge, reason: Some(reason.to_owned()) }
    }
}

/// Judges a check of the step as if it stood at the step's end. What the file does not hold is never guessed: of the
/// journal it has the keys that the lab's own checks speak of, and of everything else what those looked at.
pub fn judge_further(sealed: &Sealed, lab: &LabSide<'_>, step: &str, check: &Check) -> Further {
    let head = head(sealed);
    let journals = journals(sealed);
    let all = own(sealed, lab);
    let of_step: Vec<_> = all.iter().filter(|(record, _)| record.step == step && record.upto > 0).copied().collect();
    let Some((last, _)) = of_step.last() else {
        return Further::unknown("no check of the step was judged");
    };
    let vars: Vars = head
        .vars
        .iter()
        .filter(|(name, _)| !lab.secret.contains(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if check_vars(check).any(|name| lab.secret.contains(&name)) {
        return Further::unknown("it rests on hidden text");
    }
    let (record, observations) = match needs(check, &vars).into_iter().next() {
        None => {
            let Some(wanted) = concerns(check, &vars, &head.prefix) else {
                return Further::unknown("it is about no key");
            };
            let holds = |(record, check): &&(&CheckRecord, &Check)| {
                record.part == last.part
                    && concerns(check, &vars, &head.prefix).is_some_and(|glob| {
                        glob.to_string() == wanted.to_string() || wanted.exact().is_some_and(|key| glob.matches(key))
                    })
            };
            if !all.iter().any(|known| holds(&known)) {
                return Further::unknown(
                    "no check of the lab speaks of its keys, so that the hand-in does not hold them",
                );
            }
            (*last, Vec::new())
        }
        Some(need) => {
            let same = of_step.iter().rev().find(|(_, known)| needs(known, &vars).contains(&need));
            let Some((record, _)) = same else {
                return Further::unknown(
                    "no check of the step looks at the same, so that the hand-in does not hold it",
                );
            };
            let hidden = |seen: &super::SavedObservation| {
                text_is_cut(seen) || serde_json::to_string(seen).is_ok_and(|text| is_hidden(&text))
            };
            if record.observations.iter().any(hidden) {
                return Further::unknown("it rests on hidden text, or on text that was cut");
            }
            let seen: Vec<Observation> = record.observations.iter().cloned().map(|seen| seen.restore(&need)).collect();
            (*record, seen)
        }
    };
    judged(check, record, observations, journals.get(&record.part), &vars, &head.prefix)
}

/// The records of the lab's own checks, with the checks.
fn own<'a>(sealed: &'a Sealed, lab: &LabSide<'a>) -> Vec<(&'a CheckRecord, &'a Check)> {
    let records = super::verify::checks(sealed);
    records
        .filter_map(|(_, record)| {
            let known = lab.checks.get(&(record.line, record.column)).filter(|check| check.text == record.text)?;
            Some((record, *known))
        })
        .collect()
}

fn judged(
    check: &Check,
    record: &CheckRecord,
    observations: Vec<Observation>,
    journal: Option<&Journal>,
    vars: &BTreeMap<String, String>,
    prefix: &str,
) -> Further {
    let is_sampled = !observations.is_empty();
    let evidence = Evidence {
        mark: record.mark.into(),
        end: record.end.into(),
        observations,
        vars: vars.clone(),
        prefix: prefix.to_owned(),
    };
    let view = journal.and_then(|journal| {
        journal.view_at(Delivered { revision: record.upto, at: record.at.into(), epoch: record.epoch })
    });
    let empty = Journal::new("");
    let Some(view) = view.or_else(|| is_sampled.then(|| empty.view())) else {
        return Further::unknown("the journal of its step cannot be read");
    };
    if let Some(glob) = concerns(check, vars, prefix) {
        let changes = view.changes(&glob, 0);
        let values = changes.iter().filter_map(|recorded| recorded.entry.change()?.value.clone());
        let states = view.states(&glob, view.end());
        if values.chain(states.iter().filter_map(|change| change.value.clone())).any(|value| is_hidden(&value.text())) {
            return Further::unknown("it rests on hidden text");
        }
    }
    let since = record.since.map(Into::into).or(Some(evidence.mark.at));
    let judgement = Judge::new(check).look(&evidence, &view, since).judgement;
    Further { verdict: judgement.verdict, reason: judgement.reason }
}
