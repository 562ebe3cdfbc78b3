//! What checks will look for in the outputs of blocks, known before these run.

use std::collections::BTreeMap;

use super::plan::{Act, Checks, Judged, Plan};
use crate::grade;
use crate::lab::{self, CheckKind, Lab};

/// The patterns for each block, by where its fence begins.
pub(super) fn searched(lab: &Lab, plan: &Plan, vars: &lab::Vars) -> BTreeMap<usize, Vec<String>> {
    let items = lab.steps.iter().flat_map(|step| &step.items);
    let names: BTreeMap<&str, usize> = items
        .filter_map(|item| match item {
            lab::Item::Action(action) => Some((action.name.as_ref()?.value.as_str(), action.span.start)),
            _ => None,
        })
        .collect();
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for Checks { block, nearest } in checks(plan) {
        for check in &block.checks {
            let CheckKind::Output { action, test } = &check.kind else { continue };
            let offset = match action {
                Some(name) => names.get(name.value.as_str()).copied(),
                None => *nearest,
            };
            if let (Some(offset), Some(pattern)) = (offset, grade::searched(test, vars)) {
                found.entry(offset).or_default().push(pattern);
            }
        }
    }
    found
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
