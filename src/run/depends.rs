//! What a part of a lab names: by that a step is known to build on what an earlier one made.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use kube_etcd_codec::KINDS;
use regex::Regex;

use crate::lab::keywords::GIVEN_PREFIX;
use crate::lab::{Action, Item, Lab, Role, Step};

/// Words of commands, of checks and of every object: they name nothing of the lab's own.
const COMMON: &str = "\
    absent add after all alpha and annotate annotations api apiversion apply apps auth awk bash break case cat cd \
    chmod clear client condition conditions config configuration console container containers contains context \
    cordon count cp create created createrevision cut data default delete deletetimestamp describe diff do done \
    drain dry-run echo edit elif else empty endpoint env esac etcd etcdctl etcdutl eval event events exec exists \
    exit explain export expose false fi file finalizers find for force from-literal function generic get go-template \
    grep grpc has head help http https if image images in items jq json jsonpath key keys keys-only kind kube-system \
    kubectl label labels lease list local log logs ls matches member merge metadata mkdir must mv name namespace \
    never new nginx no not null object of oldobject on or output patch patches path phase port prefix \
    print-value-only printf put pwd quay range ready registry replace replicas resource restart return rev rm \
    rollout run running same sandbox scale sed selector server set sh size sleep snapshot sort spec status stderr \
    stdout store strict string tail tee template test then timeout tmp touch tr true type uid undo uniq unordered \
    unset until update value values version wait watch wc where while wide with within without xargs yaml yes you";

static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let kinds = KINDS.iter().flat_map(|kind| {
        let short = kind.short_names.iter().map(|name| (*name).to_owned());
        short.chain([kind.plural.to_owned(), kind.singular()]).collect::<Vec<_>>()
    });
    COMMON.split_whitespace().map(str::to_owned).chain(kinds).collect()
});

static VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?").expect("a pattern of ours"));

/// What the step with this id names, its blocks' own names and those that it stops and starts included.
pub(super) fn reach(lab: &Lab, id: &str) -> BTreeSet<String> {
    let Some(step) = lab.steps.iter().find(|step| step.id == id) else { return BTreeSet::new() };
    let mut names = names_of(step);
    for item in &step.items {
        if let Item::Action(Action { name, stop, start, role, .. }) = item
            && *role != Role::Cleanup
        {
            let blocks = [name.as_ref(), stop.as_ref().map(|stop| &stop.block), start.as_ref()];
            names.extend(blocks.into_iter().flatten().map(|name| name.value.to_lowercase()));
        }
    }
    names
}

/// What the step's blocks and checks name, its clean-up aside.
pub(super) fn names_of(step: &Step) -> BTreeSet<String> {
    step.items.iter().flat_map(names_in).collect()
}

pub(super) fn names_in(item: &Item) -> BTreeSet<String> {
    match item {
        Item::Action(action) if action.role != Role::Cleanup => names_of_block(action),
        Item::Check(block) | Item::Wait(block) => block.checks.iter().flat_map(|check| names(&check.text)).collect(),
        Item::Action(_) | Item::Question(_) | Item::Prose(_) | Item::Shown(_) | Item::Hint(_) => BTreeSet::new(),
    }
}

pub(super) fn names_of_block(action: &Action) -> BTreeSet<String> {
    action.code.lines().flat_map(|line| names(&line.text)).collect()
}

/// Words that may be somebody's name for something: of an object, a label, a file; and the lab's variables.
fn names(text: &str) -> BTreeSet<String> {
    let variables = VARIABLE.captures_iter(text).map(|found| found[1].to_owned());
    let own = variables
        .filter(|name| !name.starts_with(GIVEN_PREFIX) && !matches!(name.as_str(), "HOME" | "PATH" | "KUBECONFIG"));
    let own = own.map(|name| format!("${name}")).collect::<Vec<_>>();
    let rest = VARIABLE.replace_all(text, " ");
    let words = rest.split_whitespace().filter(|word| !word.starts_with('-') || word.contains('='));
    let parts = words.flat_map(|word| word.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_')));
    let parts = parts.map(|part| part.trim_matches('-').to_lowercase());
    let names = parts
        .filter(|part| part.len() > 1 && !part.chars().all(|c| c.is_ascii_digit()) && !KNOWN.contains(part.as_str()));
    names.chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_what_commands_and_checks_are_about() {
        let of = |text: &str| names(text).into_iter().collect::<Vec<_>>();
        assert_eq!(of("kubectl label namespace \"$TEAM\" purpose=demo --overwrite"), ["$TEAM", "demo", "purpose"]);
        assert_eq!(of("kubectl scale deploy/web -n shop --replicas=3"), ["shop", "web"]);
        assert_eq!(of("key /registry/deployments/shop/web where object.spec.replicas == 3"), ["shop", "web"]);
        assert_eq!(of("kubectl get pods -A -o wide | grep -c Running"), Vec::<String>::new());
    }
}
