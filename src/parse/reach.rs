//! Steps that give points and cannot earn them, and blocks that never run.

use super::context::Context;
use super::findings::{NOTHING_TO_DO, PROVES_NOTHING, UNREACHED};
use super::html::{Tag, tags};
use super::names::head;
use super::private::is_stray;
use crate::lab::{CheckBlock, CheckKind, ClusterKind, FoldKind, Item, On, Role, Step};
use crate::text::{Span, Spanned};

pub(super) fn look(steps: &[Step], clusters: &[Spanned<ClusterKind>], cx: &mut Context<'_>) {
    for step in steps {
        let here: Vec<ClusterKind> =
            clusters.iter().map(|kind| kind.value).filter(|kind| step.on.allows(*kind)).collect();
        if here.is_empty() {
            cx.findings
                .add(UNREACHED, step.span, "this step is for clusters that the lab does not name")
                .hint(named(clusters));
        } else {
            for (span, on) in step.items.iter().filter_map(place) {
                if !here.iter().any(|kind| on.allows(*kind)) {
                    let span = head(span, cx);
                    cx.findings
                        .add(UNREACHED, span, "this block is for clusters that the lab, or its step, does not name")
                        .hint(named(clusters));
                }
            }
        }
        points(step, cx);
        proofs(step, cx);
    }
}

fn named(clusters: &[Spanned<ClusterKind>]) -> String {
    let names: Vec<&str> = clusters.iter().map(|kind| kind.value.name()).collect();
    format!("the lab's clusters are {}", names.join(", "))
}

fn place(item: &Item) -> Option<(Span, &On)> {
    match item {
        Item::Action(action) => Some((action.span, &action.on)),
        Item::Check(block) | Item::Wait(block) => Some((block.span, &block.on)),
        Item::Question(question) => Some((question.span, &question.on)),
        Item::Prose(_) | Item::Shown(_) | Item::Hint(_) => None,
    }
}

/// A check before its step's first action has nothing that could make it true.
fn points(step: &Step, cx: &mut Context<'_>) {
    let acts = |item: &Item| matches!(item, Item::Action(action) if !action.norun && !matches!(action.role, Role::Cleanup | Role::Setup));
    let first = step.items.iter().position(acts);
    let early = &step.items[..first.unwrap_or(step.items.len())];
    for block in early.iter().filter_map(|item| if let Item::Check(block) = item { Some(block) } else { None }) {
        if block.points == Some(0) || (block.pre_pass && first.is_some()) || is_stray(step, block.span, cx.source) {
            continue;
        }
        let span = head(block.span, cx);
        let (message, hint) = if first.is_some() {
            (
                "this check is before its step's first action, so there is nothing to judge",
                "move it below the action, or set the action up in an earlier step",
            )
        } else if has_solution(step, block, cx) {
            continue;
        } else {
            ("this step has points but no action", "add an action, or a fold with a Solution, before the check")
        };
        cx.findings.add(NOTHING_TO_DO, span, message).hint(hint);
    }
}

/// Whether a fold says that there is a solution, as in a lab whose solutions were taken out of it.
fn has_solution(step: &Step, block: &CheckBlock, cx: &Context<'_>) -> bool {
    let above = Span::new(step.span.end, block.span.start.max(step.span.end));
    let folds = tags(cx.source, above);
    folds
        .iter()
        .any(|tag| matches!(tag, Tag::Summary { text, .. } if FoldKind::of(text, cx.language) == FoldKind::Solution))
}

/// What holds already proves nothing by itself.
fn proofs(step: &Step, cx: &mut Context<'_>) {
    let blocks = || step.items.iter().filter_map(|item| if let Item::Check(block) = item { Some(block) } else { None });
    let is_proved = |block: &CheckBlock| {
        !block.pre_pass && block.checks.iter().any(|check| !matches!(check.kind, CheckKind::Never { .. }))
    };
    if blocks().any(is_proved) {
        return;
    }
    for block in blocks().filter(|block| block.pre_pass && !is_stray(step, block.span, cx.source)) {
        let span = head(block.span, cx);
        cx.findings
            .add(PROVES_NOTHING, span, "this check may hold already, and no check of its step is proved")
            .hint("add a check of what the step changes, in a fence without `pre=pass`");
    }
}
