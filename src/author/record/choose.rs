//! Which of the candidates are proposed: at most three checks under a heading, so that each command is seen by one of
//! them.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Block, Layout};
use super::proposal::{Cause, Proposal, What};
use super::propose::{Candidate, Said, candidates};
use super::seen::{Run, RunKind};
use super::weigh::{Fit, Of, fits};
use super::write::cleanup;
use crate::lab::{Check, Code, Item, Lab};
use crate::outcome::Verdict;
use crate::parse::outline;

/// Checks that what stands under a heading gets without `--all`.
const MOST: usize = 3;

/// What a recording came to.
#[derive(Debug)]
pub struct Recorded {
    pub proposals: Vec<Proposal>,
    pub commands: Vec<Weighed>,
}

/// A command, and what fails without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    /// Its block, and its place in it.
    pub of: (usize, usize),
    pub line: usize,
    pub text: String,
    pub killed_by: Option<KilledBy>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KilledBy {
    /// What the lab has already.
    Lab,
    /// A proposal, by its place among them.
    Proposal(usize),
    /// Commands after it in its block: the block fails.
    Block,
    /// A later block, which fails.
    Later,
}

/// What is proposed for the lab by these runs of it.
pub fn recorded(layout: &Layout, runs: &[Run], all: bool) -> Result<Recorded, String> {
    let kinds = |wanted: &[RunKind]| runs.iter().filter(|run| wanted.contains(&run.kind)).collect::<Vec<&Run>>();
    let paused = kinds(&[RunKind::Plain, RunKind::Paced]);
    let whole = kinds(&[RunKind::Plain, RunKind::Paced, RunKind::Slowed]);
    let noise: BTreeSet<String> = kinds(&[RunKind::Null]).iter().flat_map(|run| run.changed()).collect();
    let mut found = Vec::new();
    for (index, block) in layout.blocks.iter().enumerate().filter(|(_, block)| !block.is_setup) {
        let Some(run) = paused.first() else { continue };
        let text = run.names.put_in_command(&said(layout, index));
        found.extend(candidates(&Said { index, block, text }, &paused, &whole, &noise));
    }
    // An `output` fence stands right after its block.
    found.sort_by_key(|candidate| (candidate.block, candidate.what != What::Output));
    let fits = fits(layout, runs, found)?;
    let mut covered = covered(layout, runs);
    let blocks_that_fail = broken(layout, runs);
    let chosen = choose(layout, &fits, &covered, all);
    let chosen = proved(layout, &paused, &fits, chosen);
    for fit in chosen.iter().map(|at| &fits[*at]) {
        covered.extend(&fit.kills);
    }
    let by_lab = self::covered(layout, runs);
    let mut proposals = proposals(layout, &fits, &chosen);
    let killed_by = |of: &Of| {
        if by_lab.contains(of) {
            return Some(KilledBy::Lab);
        }
        let proposal = chosen.iter().position(|at| fits[*at].kills.contains(of));
        proposal.map(KilledBy::Proposal).or_else(|| blocks_that_fail.contains(of).then_some(KilledBy::Block))
    };
    let commands = layout.mutants().into_iter().filter_map(|of| {
        let command = layout.blocks.get(of.0)?.commands.get(of.1)?;
        Some(Weighed { of, line: command.first, text: command.text.clone(), killed_by: killed_by(&of) })
    });
    let commands = commands.collect();
    proposals.extend(clean_up(layout, &paused, &noise));
    Ok(Recorded { proposals, commands })
}

/// What a block's commands say: themselves, and the files that they name.
fn said(layout: &Layout, index: usize) -> String {
    let block = &layout.blocks[index];
    let mut text = String::new();
    for command in &block.commands {
        text.push_str(&command.text);
        text.push('\n');
    }
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace() || c == '=' || c == ',')
        .map(|word| word.trim_matches(['"', '\'']).to_owned())
        .filter(|word| word.contains('.') || word.contains('/'))
        .collect();
    for word in words {
        let name = ["$LAB_DIR/", "${LAB_DIR}/"].iter().find_map(|dir| word.strip_prefix(dir));
        if let Some(name) = name
            && let Ok(file) = std::fs::read_to_string(layout.lab.dir.join(name))
        {
            text.push_str(&file);
        }
        // Written by an earlier command.
        for earlier in layout.blocks[..index].iter().flat_map(|block| &block.commands) {
            let writes = |sign: &str| earlier.text.split(sign).skip(1).any(|rest| rest.trim_start().starts_with(&word));
            if writes(">") || writes("tee ") {
                text.push_str(&earlier.text);
                text.push('\n');
            }
        }
    }
    text
}

/// The commands that the lab's own checks and expectations speak for.
fn covered(layout: &Layout, runs: &[Run]) -> BTreeSet<Of> {
    let mut covered = BTreeSet::new();
    for (index, block) in layout.blocks.iter().enumerate() {
        let Some(action) = layout.action(block) else { continue };
        let checks: Vec<&Check> = checks_after(&layout.lab, block).collect();
        for run in runs {
            let RunKind::Without { block: of, command } = run.kind else { continue };
            let fails = |check: &&Check| run.judge(check, block, block) == Verdict::Fail;
            let differs = action.expected.as_ref().is_some_and(|expected| !run.prints(block, expected));
            if of == index && (differs || checks.iter().any(fails)) {
                covered.insert((of, command));
            }
        }
        if let Code::Console(commands) = &action.code {
            for (at, own) in block.commands.iter().enumerate() {
                let expects = commands.iter().any(|command| {
                    command.expected.is_some() && command.lines.iter().any(|line| line.number == own.first)
                });
                if expects {
                    covered.insert((index, at));
                }
            }
        }
    }
    covered
}

/// Commands without which their own block fails.
fn broken(layout: &Layout, runs: &[Run]) -> BTreeSet<Of> {
    let of = |run: &Run| match run.kind {
        RunKind::Without { block, command } if !run.is_whole => Some((block, command)),
        _ => None,
    };
    let found: BTreeSet<Of> = runs.iter().filter_map(of).collect();
    found.into_iter().filter(|of| layout.blocks.len() > of.0).collect()
}

/// The checks that judge a block: up to the next one.
fn checks_after<'l>(lab: &'l Lab, block: &Block) -> impl Iterator<Item = &'l Check> {
    let items = lab.steps[block.step].items[block.item + 1..].iter();
    items
        .take_while(|item| !matches!(item, Item::Action(_)))
        .filter_map(|item| match item {
            Item::Check(block) => Some(&block.checks),
            _ => None,
        })
        .flatten()
}

/// Whether a step has checks of its own, or a block expectations.
fn is_judged(lab: &Lab, step: usize) -> bool {
    lab.steps[step].items.iter().any(|item| matches!(item, Item::Check(_)))
}

fn choose(layout: &Layout, fits: &[Fit], covered: &BTreeSet<Of>, all: bool) -> Vec<usize> {
    if all {
        let known: BTreeSet<String> = known_checks(&layout.lab);
        let fresh =
            |at: &usize| fits[*at].candidate.what == What::Output || !known.contains(&joined(&fits[*at].candidate));
        return (0..fits.len()).filter(fresh).collect();
    }
    let mut chosen = Vec::new();
    let sections = sections(layout);
    for (section, step) in sections.iter().copied().collect::<BTreeMap<usize, usize>>() {
        let is_here = |block: usize| sections[block].0 == section;
        let of_section = |at: &usize| is_here(fits[*at].candidate.block);
        let is_check = |at: &usize| fits[*at].candidate.what == What::Check;
        let is_strong = |at: &usize| fits[*at].candidate.cause != Cause::Beside;
        let checks: Vec<usize> = (0..fits.len()).filter(of_section).filter(is_check).collect();
        let mut open: BTreeSet<Of> =
            layout.mutants().into_iter().filter(|of| is_here(of.0) && !covered.contains(of)).collect();
        let mut taken: Vec<usize> = Vec::new();
        // First what speaks for commands that nothing speaks for yet.
        while taken.len() < MOST {
            let news = |at: &usize| fits[*at].kills.intersection(&open).count();
            let best = checks
                .iter()
                .filter(|at| is_strong(at) && news(at) > 0 && !taken.contains(at))
                .min_by_key(|at| (std::cmp::Reverse(news(at)), fits[**at].candidate.cause, **at));
            let Some(best) = best else { break };
            open.retain(|of| !fits[*best].kills.contains(of));
            taken.push(*best);
        }
        // Then what else is worth it, where nobody has chosen checks before.
        if !is_judged(&layout.lab, step) {
            let mut rest: Vec<usize> =
                checks.iter().copied().filter(|at| is_strong(at) && !taken.contains(at)).collect();
            rest.sort_by_key(|at| (fits[*at].candidate.cause, *at));
            for at in rest {
                if taken.len() < MOST {
                    taken.push(at);
                }
            }
        }
        // What is only read changes nothing: what it prints speaks for it.
        let outputs = (0..fits.len()).filter(of_section).filter(|at| !is_check(at));
        for at in outputs {
            if fits[at].kills.iter().any(|of| open.contains(of)) {
                open.retain(|of| !fits[at].kills.contains(of));
                taken.push(at);
            }
        }
        taken.sort_unstable();
        chosen.extend(taken);
    }
    chosen.sort_by_key(|at| {
        let candidate = &fits[*at].candidate;
        (candidate.block, candidate.what != What::Output, *at)
    });
    chosen
}

/// For each block the number of the heading that it stands under, of whatever level, and of its step.
fn sections(layout: &Layout) -> Vec<(usize, usize)> {
    let source = &layout.lab.source;
    let headings: Vec<usize> =
        outline(source).headings.iter().map(|heading| source.position(heading.span.start).line).collect();
    let above = |block: &Block| headings.iter().filter(|line| **line < block.line).count();
    layout.blocks.iter().map(|block| (above(block), block.step)).collect()
}

fn known_checks(lab: &Lab) -> BTreeSet<String> {
    let items = lab.steps.iter().flat_map(|step| &step.items);
    let blocks = items.filter_map(|item| if let Item::Check(block) = item { Some(block) } else { None });
    blocks.flat_map(|block| &block.checks).map(|check| check.text.clone()).collect()
}

fn joined(candidate: &Candidate) -> String {
    candidate.lines.join("\n")
}

/// Without the checks that held already before their stretch, which begins after the check before them.
fn proved(layout: &Layout, paused: &[&Run], fits: &[Fit], mut chosen: Vec<usize>) -> Vec<usize> {
    loop {
        let judged: BTreeSet<usize> = chosen
            .iter()
            .filter(|at| fits[**at].candidate.what == What::Check)
            .map(|at| fits[*at].candidate.block)
            .chain(
                (0..layout.blocks.len()).filter(|at| checks_after(&layout.lab, &layout.blocks[*at]).next().is_some()),
            )
            .collect();
        let first = |block: usize| {
            let step = layout.blocks[block].step;
            let begins = |at: &usize| layout.blocks[*at].step == step && !layout.blocks[*at].is_setup;
            let after = judged.range(..block).next_back().filter(|at| layout.blocks[**at].step == step);
            let from = after.map_or(0, |at| at + 1);
            (from..=block).find(begins).unwrap_or(block)
        };
        let is_proved = |at: &usize| {
            let Some(check) = &fits[*at].check else { return true };
            let block = fits[*at].candidate.block;
            let (from, to) = (&layout.blocks[first(block)], &layout.blocks[block]);
            paused.iter().all(|run| {
                run.judge_before(check, from) == Verdict::Fail && run.judge(check, from, to) == Verdict::Pass
            })
        };
        let kept: Vec<usize> = chosen.iter().copied().filter(is_proved).collect();
        if kept.len() == chosen.len() {
            return kept;
        }
        chosen = kept;
    }
}

fn proposals(layout: &Layout, fits: &[Fit], chosen: &[usize]) -> Vec<Proposal> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    let mut proposals = Vec::new();
    for fit in chosen.iter().map(|at| &fits[*at]) {
        let Candidate { block, what, lines, cause, why, .. } = &fit.candidate;
        let of = &layout.blocks[*block];
        let step = &layout.lab.steps[of.step];
        let count = counts.entry(of.step).or_default();
        *count += 1;
        let kills = fit.kills.iter().map(|(block, command)| layout.blocks[*block].commands[*command].first).collect();
        proposals.push(Proposal {
            id: format!("{}-{count}", step.id),
            step: step.id.clone(),
            line: of.line,
            what: *what,
            text: lines.clone(),
            cause: *cause,
            why: why.clone(),
            kills,
            accepted: true,
            block: *block,
        });
    }
    proposals
}

/// A step that takes away what the lab leaves, where it has none.
fn clean_up(layout: &Layout, paused: &[&Run], noise: &BTreeSet<String>) -> Option<Proposal> {
    let has_one = layout
        .lab
        .steps
        .iter()
        .flat_map(|step| &step.items)
        .any(|item| matches!(item, Item::Action(action) if action.role == crate::lab::Role::Cleanup));
    let left: Vec<Vec<String>> = paused.iter().map(|run| run.left()).collect();
    let first = left.first()?;
    let common: Vec<&String> =
        first.iter().filter(|key| left.iter().all(|left| left.contains(key)) && !noise.contains(*key)).collect();
    let text: Vec<String> = common.into_iter().rev().filter_map(|key| cleanup(key)).collect();
    if has_one || text.is_empty() {
        return None;
    }
    let last = layout.blocks.len().checked_sub(1)?;
    Some(Proposal {
        id: "clean-up".to_owned(),
        step: "clean-up".to_owned(),
        line: layout.lab.source.text().lines().count(),
        what: What::Cleanup,
        text,
        cause: Cause::Beside,
        why: "the lab leaves these objects behind".to_owned(),
        kills: Vec::new(),
        accepted: true,
        block: last,
    })
}
