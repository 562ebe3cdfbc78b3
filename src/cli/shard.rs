//! `test --shard I/N`: a course in N parts, of which each lab is in one.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::CliError;
use crate::outcome::{RunReport, ShardReport, Verdict};
use crate::text::sha256;

/// What is looked for beside the labs.
const FILE: &str = "durations.json";
const MOST: u32 = 1024;

/// `2/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spec {
    index: u32,
    of: u32,
}

pub(super) fn spec(text: &str) -> Result<Spec, String> {
    let parts = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
    let Some((index, of)) = parts else {
        return Err("write it as I/N: --shard 1/4 is the first of four parts".to_owned());
    };
    if of > MOST {
        return Err(format!("{MOST} parts are the most"));
    }
    if index == 0 || index > of {
        return Err(format!("the parts are 1/{of} to {of}/{of}"));
    }
    Ok(Spec { index, of })
}

/// How long labs took, by their ids.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Durations {
    schema: u32,
    /// In milliseconds.
    labs: BTreeMap<String, u64>,
}

impl Durations {
    /// Of that file, or of the one beside the labs, if there is one.
    pub(super) fn read(named: Option<&Path>, folder: &Path) -> Result<Self, CliError> {
        let path: PathBuf = named.map_or_else(|| folder.join(FILE), Path::to_owned);
        if named.is_none() && !path.is_file() {
            return Ok(Self::default());
        }
        let wrong = |why: String| {
            let hint = "`keywitness merge --write-durations FILE` or `test --write-durations FILE` writes one";
            CliError::wrong_call(format!("cannot read durations from {}: {why}", path.display()), hint)
        };
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let read: Self = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if read.schema == 1 { Ok(read) } else { Err(wrong(format!("its schema is {}, not 1", read.schema))) }
    }
}

/// The longest run of each lab that was run, for the next division of the course.
pub(super) fn durations(report: &RunReport, to: &mut dyn Write) -> io::Result<()> {
    let ran = report.results.iter().filter(|result| result.verdict != Verdict::Skipped && result.duration_ms > 0);
    let labs = ran.map(|result| (result.id.clone(), result.duration_ms)).collect();
    serde_json::to_writer_pretty(&mut *to, &Durations { schema: 1, labs })?;
    to.write_all(b"\n")
}

impl Spec {
    /// Whether each of these labs is in this part.
    pub(super) fn takes(self, ids: &[&str], durations: &Durations) -> Vec<bool> {
        divide(ids, self.of, &durations.labs).into_iter().map(|part| part + 1 == self.index).collect()
    }

    pub(super) fn report(self, ids: &[&str]) -> ShardReport {
        let course = sha256(ids.iter().flat_map(|id| [id, "\n"]).collect::<String>().as_bytes())[..16].to_owned();
        let labs = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        ShardReport { index: self.index, of: self.of, course, labs }
    }
}

/// The part of each lab, from 0. Where nothing is known of their durations, labs are dealt by their ids: one that is
/// added or taken out moves no other.
fn divide(ids: &[&str], parts: u32, durations: &BTreeMap<String, u64>) -> Vec<u32> {
    let known: Vec<u64> = ids.iter().filter_map(|id| durations.get(*id).copied()).collect();
    if known.is_empty() {
        return ids.iter().map(|id| by_id(id, parts)).collect();
    }
    let usual = known.iter().sum::<u64>() / known.len() as u64;
    let length = |index: usize| durations.get(ids[index]).copied().unwrap_or(usual).max(1);
    let mut order: Vec<usize> = (0..ids.len()).collect();
    // The longest first, each to the part that has least so far.
    order.sort_by_key(|index| (std::cmp::Reverse(length(*index)), ids[*index]));
    let mut loads = vec![0_u64; parts as usize];
    let mut part_of = vec![0_u32; ids.len()];
    for index in order {
        let part = (0..loads.len()).min_by_key(|part| loads[*part]).unwrap_or_default();
        loads[part] += length(index);
        part_of[index] = u32::try_from(part).unwrap_or_default();
    }
    part_of
}

fn by_id(id: &str, parts: u32) -> u32 {
    let number = u64::from_str_radix(&sha256(id.as_bytes())[..16], 16).unwrap_or_default();
    u32::try_from(number % u64::from(parts)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn course(size: usize) -> Vec<String> {
        (0..size).map(|number| format!("lab-{number}")).collect()
    }

    proptest! {
        /// However many parts there are, and whatever is known of the durations: each lab is in one of them.
        #[test]
        fn parts_are_disjoint_and_complete(
            parts in 1_u32..=64,
            size in 0_usize..200,
            known in prop::collection::btree_map("lab-[0-9]{1,3}", 0_u64..100_000, 0..150),
        ) {
            let ids = course(size);
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let durations = Durations { schema: 1, labs: known };
            let mut times = vec![0; size];
            for index in 1..=parts {
                for (lab, is_in) in (Spec { index, of: parts }).takes(&ids, &durations).into_iter().enumerate() {
                    times[lab] += usize::from(is_in);
                }
            }
            prop_assert!(times.iter().all(|times| *times == 1));
        }
    }

    #[test]
    fn known_durations_make_parts_of_equal_length() {
        let ids = course(2000);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let labs: BTreeMap<String, u64> = ids
            .iter()
            .enumerate()
            .map(|(number, id)| ((*id).to_owned(), 100 + (number as u64 * 7919) % 9000))
            .collect();
        let mut loads = [0_u64; 20];
        for (id, part) in ids.iter().zip(divide(&ids, 20, &labs)) {
            loads[part as usize] += labs[*id];
        }
        let mean = loads.iter().sum::<u64>() / 20;
        assert!(loads.iter().all(|load| load * 100 <= mean * 101), "{loads:?}");
    }

    #[test]
    fn dealt_by_ids_a_new_lab_moves_no_other() {
        let ids = course(50);
        let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let before = divide(&ids, 7, &BTreeMap::new());
        ids.push("another");
        assert_eq!(divide(&ids, 7, &BTreeMap::new())[..50], before);
    }

    #[test]
    fn what_is_no_part_is_refused() {
        assert_eq!(spec("2/4"), Ok(Spec { index: 2, of: 4 }));
        for text in ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1/2000"] {
            assert!(spec(text).is_err(), "{text}");
        }
    }
}
