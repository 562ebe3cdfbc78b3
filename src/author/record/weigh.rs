//! Candidates against the runs: those stay that hold in every run, did not hold before, and fail where a command of their
//! own block is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::additions::Additions;
use super::layout::Layout;
use super::proposal::What;
use super::propose::Candidate;
use super::seen::{Run, RunKind};
use super::write::{check_fence, output_fence};
use crate::lab::{Action, Check, Expected, Item, Lab};
use crate::outcome::Verdict;
use crate::parse::parse;
use crate::text::SourceFile;

/// A command: its block, and its place in it.
pub(super) type Of = (usize, usize);

/// A candidate that may be proposed, and without which commands it does not hold.
pub(super) struct Fit {
    pub(super) candidate: Candidate,
    pub(super) check: Option<Check>,
    pub(super) kills: BTreeSet<Of>,
}

/// Reads all candidates where they would stand, and keeps those that are right, hold in all runs, and fail where a
/// command is left out.
pub(super) fn fits(layout: &Layout, runs: &[Run], mut found: Vec<Candidate>) -> Result<Vec<Fit>, String> {
    loop {
        let (source, places) = with_candidates(layout, &found);
        let parsed = parse(&source);
        let lines: BTreeMap<usize, usize> =
            places.iter().enumerate().flat_map(|(at, lines)| lines.iter().map(move |line| (*line, at))).collect();
        let refused: BTreeSet<usize> = parsed
            .findings
            .iter()
            .filter_map(|finding| lines.get(&source.position(finding.span.start).line).copied())
            .collect();
        if refused.is_empty() {
            let Some(lab) = parsed.lab else {
                let first = parsed.findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
                return Err(format!("the lab with what is proposed is not right: {first}"));
            };
            let read = |(at, candidate): (usize, Candidate)| read(&lab, candidate, &places[at]);
            let read = found.into_iter().enumerate().filter_map(read);
            return Ok(read.filter_map(|read| weighed(layout, runs, read)).collect());
        }
        let mut at = 0;
        found.retain(|_| {
            at += 1;
            !refused.contains(&(at - 1))
        });
    }
}

/// The lab with every candidate, and the lines of each.
fn with_candidates(layout: &Layout, found: &[Candidate]) -> (SourceFile, Vec<Vec<usize>>) {
    let mut additions = Additions::default();
    let mut places: Vec<(usize, usize, usize)> = Vec::new();
    for candidate in found {
        let block = &layout.blocks[candidate.block];
        let (after, fence) = match candidate.what {
            What::Output => (block.end, output_fence(block, &candidate.lines)),
            What::Check | What::Cleanup => (block.after, check_fence(block, &candidate.lines)),
        };
        let from = additions.next(after);
        places.push((after, from, from + fence.len()));
        additions.add(after, fence);
    }
    let original = &layout.lab.source;
    let source = SourceFile::new(original.name().to_owned(), original.path(), additions.apply(original.text()));
    let lines = places
        .iter()
        .map(|(after, from, to)| (*from..*to).map(|index| additions.line_of(*after, index)).collect())
        .collect();
    (source, lines)
}

/// What was read of a candidate.
struct Read {
    candidate: Candidate,
    check: Option<Check>,
    expected: Option<Expected>,
}

fn read(lab: &Lab, candidate: Candidate, lines: &[usize]) -> Option<Read> {
    let at = |offset: usize| lab.source.position(offset).line;
    for item in lab.steps.iter().flat_map(|step| &step.items) {
        match item {
            Item::Check(block) if candidate.what == What::Check => {
                if let Some(check) = block.checks.iter().find(|check| lines.contains(&at(check.span.start))) {
                    return Some(Read { candidate, check: Some(check.clone()), expected: None });
                }
            }
            Item::Action(Action { expected: Some(expected), .. })
                if candidate.what == What::Output && lines.contains(&at(expected.span.start)) =>
            {
                let expected = Some(expected.clone());
                return Some(Read { candidate, check: None, expected });
            }
            _ => {}
        }
    }
    None
}

fn weighed(layout: &Layout, runs: &[Run], read: Read) -> Option<Fit> {
    let Read { candidate, check, expected } = read;
    let block = &layout.blocks[candidate.block];
    let holds = |run: &Run| match (&check, &expected) {
        (Some(check), _) => match run.kind {
            RunKind::Slowed => run.comes_true(check, block),
            _ => run.judge(check, block, block) == Verdict::Pass,
        },
        (None, Some(expected)) => run.prints(block, expected),
        (None, None) => false,
    };
    let was_red = |run: &Run| check.as_ref().is_none_or(|check| run.judge_before(check, block) == Verdict::Fail);
    let mut kills = BTreeSet::new();
    for run in runs {
        let fits = match run.kind {
            RunKind::Plain | RunKind::Paced => was_red(run) && holds(run),
            RunKind::Slowed => holds(run),
            // What comes about without any command is none of theirs.
            RunKind::Null => expected.is_some() || !(was_red(run) && holds(run)),
            RunKind::Without { block, command } => {
                if block == candidate.block && !holds(run) {
                    kills.insert((block, command));
                }
                true
            }
        };
        if !fits {
            return None;
        }
    }
    (!kills.is_empty()).then_some(Fit { candidate, check, kills })
}
