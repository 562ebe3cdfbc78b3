//! What is proposed as the lines of a lab.

use kube_etcd_codec::by_key;

use super::additions::{Additions, replaced};
use super::corrected::Correction;
use super::layout::{Block, Layout};
use super::names::written;
use super::proposal::{Proposal, What};
use crate::lab::WRITTEN_PREFIX;

/// The draft with the proposals that are accepted, and with what is to stand in place of lines that show something else.
pub fn with_proposals(layout: &Layout, proposals: &[Proposal], corrections: &[Correction]) -> String {
    let text = layout.lab.source.text();
    let mut additions = Additions::default();
    let accepted = |what: What| proposals.iter().filter(move |proposal| proposal.accepted && proposal.what == what);
    for proposal in accepted(What::Output) {
        let block = &layout.blocks[proposal.block];
        additions.add(block.end, output_fence(block, &proposal.text));
    }
    for (index, block) in layout.blocks.iter().enumerate() {
        let lines: Vec<String> =
            accepted(What::Check).filter(|proposal| proposal.block == index).flat_map(|p| p.text.clone()).collect();
        if !lines.is_empty() {
            additions.add(block.after, check_fence(block, &lines));
        }
    }
    let places: Vec<(usize, usize, Vec<String>)> = corrections
        .iter()
        .map(|correction| {
            let Correction { first, last, lines } = correction;
            (additions.moved(*first), additions.moved(*last), lines.clone())
        })
        .collect();
    let mut out = replaced(&additions.apply(text), &places);
    for proposal in accepted(What::Cleanup) {
        let mut lines = vec![String::new(), "## Clean up".to_owned(), String::new(), "```bash {cleanup}".to_owned()];
        lines.extend(proposal.text.iter().cloned());
        lines.push("```".to_owned());
        let mut end = Additions::default();
        end.add(out.lines().count(), lines);
        out = end.apply(&out);
    }
    out
}

pub(super) fn check_fence(block: &Block, lines: &[String]) -> Vec<String> {
    let mut fence = vec![String::new(), "```check".to_owned()];
    fence.extend(lines.iter().cloned());
    fence.push("```".to_owned());
    prefixed(block, fence)
}

pub(super) fn output_fence(block: &Block, lines: &[String]) -> Vec<String> {
    let longest = lines.iter().map(|line| line.chars().take_while(|c| *c == '`').count()).max().unwrap_or_default();
    let ticks = "`".repeat(longest.max(2) + 1);
    let mut fence = vec![format!("{ticks}output")];
    fence.extend(lines.iter().cloned());
    fence.push(ticks);
    prefixed(block, fence)
}

fn prefixed(block: &Block, lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("{}{line}", block.prefix).trim_end().to_owned()).collect()
}

/// The command that takes away what a key holds.
pub(super) fn cleanup(key: &str) -> Option<String> {
    let object = by_key(WRITTEN_PREFIX, key)?;
    let what = match object.kind {
        Some(kind) => kind.kind.to_lowercase(),
        None => format!("{}.{}", object.plural, object.group),
    };
    let word = |text: &str| {
        let text = written(text);
        if text.contains('$') { format!("\"{text}\"") } else { text }
    };
    let namespace = object.namespace.filter(|namespace| namespace != "default");
    let namespace = namespace.map(|namespace| format!(" -n {}", word(&namespace))).unwrap_or_default();
    Some(format!("kubectl delete {what} {}{namespace} --ignore-not-found", word(&object.name)))
}

/// What is added, as a diff with a few lines around it.
pub fn difference(file: &str, before: &str, after: &str) -> String {
    let diff = similar::TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(2).header(file, file).to_string()
}
