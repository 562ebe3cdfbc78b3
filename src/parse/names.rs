//! Names of blocks: each once, and only those that exist.

use std::collections::BTreeMap;

use super::context::Context;
use super::findings::{BUSY_TERMINAL, NO_SUCH_BLOCK, SAME_NAME};
use crate::lab::{Action, Answer, AnswerText, CheckBlock, CheckKind, Item, On, Role, Step};
use crate::text::{Span, Spanned, did_you_mean};

pub(super) fn no_such(name: &Spanned<String>, known: &[&str], cx: &mut Context<'_>) {
    if cx.findings.unread {
        return;
    }
    let hint = did_you_mean(&name.value, known.iter().copied())
        .unwrap_or_else(|| format!("give the block that you mean a name: {{name={}}}", name.value));
    cx.findings.add(NO_SUCH_BLOCK, name.span, format!("no block is named `{}`", name.value)).hint(hint);
}

/// What a name stands for.
struct Named<'a> {
    action: Option<&'a Action>,
    span: Span,
    /// Its place among all actions.
    order: usize,
}

pub(super) fn look(steps: &[Step], cx: &mut Context<'_>) {
    let names = collect(steps, cx);
    let mut order = 0;
    for step in steps {
        let mut nearest: Option<&Action> = None;
        for item in &step.items {
            match item {
                Item::Action(action) => {
                    order += 1;
                    references(action, order, &names, cx);
                    if action.prints() {
                        nearest = Some(action);
                    }
                }
                Item::Check(block) | Item::Wait(block) => outputs(block, nearest, &names, cx),
                Item::Question(question) => {
                    if let Answer::Texts(texts) = &question.answer {
                        for text in texts {
                            if let AnswerText::From(name) = text {
                                printed(name, &names, cx);
                            }
                        }
                    }
                }
                Item::Prose(_) | Item::Shown(_) | Item::Hint(_) => {}
            }
        }
    }
    terminals(steps, cx);
}

fn collect<'a>(steps: &'a [Step], cx: &mut Context<'_>) -> BTreeMap<&'a str, Named<'a>> {
    let mut names: BTreeMap<&str, Named<'_>> = BTreeMap::new();
    let mut order = 0;
    for item in steps.iter().flat_map(|step| &step.items) {
        let (name, action) = match item {
            Item::Action(action) => {
                order += 1;
                (action.name.as_ref(), Some(action))
            }
            Item::Question(question) => (question.name.as_ref(), None),
            _ => continue,
        };
        let Some(name) = name else { continue };
        if let Some(first) = names.get(name.value.as_str()) {
            let line = cx.line(first.span.start);
            cx.findings
                .add(SAME_NAME, name.span, format!("the block in line {line} is named `{}` already", name.value))
                .hint("a name is unique in the whole lab");
            continue;
        }
        names.insert(&name.value, Named { action, span: name.span, order });
    }
    names
}

fn known<'a>(names: &BTreeMap<&'a str, Named<'_>>, wanted: impl Fn(&Named<'_>) -> bool) -> Vec<&'a str> {
    names.iter().filter(|(_, named)| wanted(named)).map(|(name, _)| *name).collect()
}

fn references(action: &Action, order: usize, names: &BTreeMap<&str, Named<'_>>, cx: &mut Context<'_>) {
    let stopped = action.stop.as_ref().map(|stop| &stop.block);
    for name in stopped.into_iter().chain(&action.start) {
        let is_background = |named: &Named<'_>| named.action.is_some_and(|action| action.background.is_some());
        match names.get(name.value.as_str()) {
            Some(named) if !is_background(named) => {
                let message = format!("`{}` is not a background block", name.value);
                cx.findings
                    .add(NO_SUCH_BLOCK, name.span, message)
                    .hint("only what was left running can be stopped and started again");
            }
            Some(named) if named.order >= order => {
                let message = format!("`{}` has not begun yet", name.value);
                cx.findings
                    .add(NO_SUCH_BLOCK, name.span, message)
                    .hint("put the background block before the one that stops it");
            }
            Some(_) => {}
            None => no_such(name, &known(names, is_background), cx),
        }
    }
}

fn outputs(block: &CheckBlock, nearest: Option<&Action>, names: &BTreeMap<&str, Named<'_>>, cx: &mut Context<'_>) {
    for check in &block.checks {
        let CheckKind::Output { action, .. } = &check.kind else { continue };
        match (action, nearest) {
            (Some(name), _) => printed(name, names, cx),
            (None, None) => cx
                .findings
                .add(NO_SUCH_BLOCK, check.span, "there is no action above this check in its step")
                .hint("name the block whose output you mean: `output NAME …`"),
            (None, Some(_)) => {}
        }
    }
}

fn printed(name: &Spanned<String>, names: &BTreeMap<&str, Named<'_>>, cx: &mut Context<'_>) {
    let prints = |named: &Named<'_>| named.action.is_some_and(|action| !action.norun);
    match names.get(name.value.as_str()) {
        Some(named) if !prints(named) => {
            let message = format!("`{}` names a block that does not run", name.value);
            cx.findings.add(NO_SUCH_BLOCK, name.span, message).hint("name an action");
        }
        Some(_) => {}
        None => no_such(name, &known(names, prints), cx),
    }
}

/// A background block keeps its terminal until it is stopped.
fn terminals(steps: &[Step], cx: &mut Context<'_>) {
    // By terminal: the block that holds it.
    let mut busy: BTreeMap<&str, &Action> = BTreeMap::new();
    let actions = steps.iter().flat_map(|step| &step.items).filter_map(|item| match item {
        Item::Action(action) if !action.norun && action.role != Role::Cleanup => Some(action),
        _ => None,
    });
    let mut background: BTreeMap<&str, &Action> = BTreeMap::new();
    for action in actions {
        if let Some(stop) = &action.stop {
            busy.retain(|_, held| held.name.as_ref().is_none_or(|name| name.value != stop.block.value));
        }
        if let Some(held) = busy.get(action.terminal.as_str())
            && meet(&held.on, &action.on)
            && !cx.findings.any_in(head(held.span, cx))
        {
            let line = cx.line(held.span.start);
            let span = head(action.span, cx);
            let stop = held.name.as_ref().map_or_else(
                || "give that block a name and stop it with `stop=NAME`".to_owned(),
                |name| format!("stop it with `stop={}`", name.value),
            );
            cx.findings
                .add(
                    BUSY_TERMINAL,
                    span,
                    format!("the background block of line {line} still runs in terminal {}", action.terminal),
                )
                .hint(format!("use another terminal, or {stop}"));
        }
        if let Some(start) = &action.start
            && let Some(again) = background.get(start.value.as_str())
        {
            busy.insert(&again.terminal, again);
        }
        if action.background.is_some() {
            busy.insert(&action.terminal, action);
            if let Some(name) = &action.name {
                background.insert(&name.value, action);
            }
        }
    }
}

fn meet(one: &On, other: &On) -> bool {
    one.0.is_empty() || other.0.is_empty() || one.0.iter().any(|kind| other.0.contains(kind))
}

/// The opening line of a fence.
pub(super) fn head(span: Span, cx: &Context<'_>) -> Span {
    let text = cx.source.slice(span);
    let start = span.start + text.find(['`', '~']).unwrap_or(0);
    let end = span.start + text.find('\n').unwrap_or(text.len());
    Span::new(start, end.max(start) - usize::from(text[..end - span.start].ends_with('\r')))
}
