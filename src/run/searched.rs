//! What checks will look for in the outputs of blocks, known before these run.

use std::collections::BTreeMap;

use super::plan::{Act, Checks, Judged, Plan};
use crate::grade;
use crate::lab::{self, Action, CheckKind, Lab, PartId, Ready};

/// The patterns for each block, by its number.
pub(super) fn searched(lab: &Lab, plan: &Plan, vars: &lab::Vars) -> BTreeMap<PartId, Vec<String>> {
    let names: BTreeMap<&str, PartId> =
        actions(lab).filter_map(|action| Some((action.name.as_ref()?.value.as_str(), action.id))).collect();
    let mut found: BTreeMap<PartId, Vec<String>> = BTreeMap::new();
    for action in actions(lab) {
        if let Some(text) = ready_text(action, vars) {
            found.entry(action.id).or_default().push(regex::escape(&text));
        }
    }
    for Checks { block, nearest } in checks(plan) {
        for check in &block.checks {
            let CheckKind::Output { action, test } = &check.kind else { continue };
            let id = match action {
                Some(name) => names.get(name.value.as_str()).copied(),
                None => *nearest,
            };
            if let (Some(id), Some(pattern)) = (id, grade::searched(test, vars)) {
                found.entry(id).or_default().push(pattern);
            }
        }
    }
    found
}

/// The text that says that a background block is ready.
fn ready_text(action: &Action, vars: &lab::Vars) -> Option<String> {
    match &action.background.as_ref()?.ready {
        Ready::Text(text) => text.render(vars).ok(),
        Ready::Watch | Ready::Port(_) | Ready::None => None,
    }
}

fn actions(lab: &Lab) -> impl Iterator<Item = &Action> {
    lab.steps.iter().flat_map(|step| &step.items).filter_map(|item| match item {
        lab::Item::Action(action) => Some(action),
        _ => None,
    })
}

fn checks(plan: &Plan) -> impl Iterator<Item = &Checks> {
    plan.steps.iter().flat_map(|step| &step.stretches).flat_map(|stretch| {
        let waits = stretch.acts.iter().filter_map(|act| match act {
            Act::Wait(checks) => Some(checks),
            Act::Run(_) | Act::Ask(_) | Act::Left(..) | Act::LeftWait(..) | Act::LeftAsk(..) => None,
        });
        waits.chain(stretch.judged.iter().filter_map(|judged| match judged {
            Judged::Checks(checks) | Judged::Wait(checks) => Some(checks),
            Judged::Ask(_) | Judged::Left(..) | Judged::LeftWait(..) | Judged::LeftAsk(..) => None,
        }))
    })
}
