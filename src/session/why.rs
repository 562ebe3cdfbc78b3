//! Why a check is not green: the dull causes first, then wanted against seen.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::api::{Answer, Command, Why};
use super::engine::Engine;
use super::live::first_line;
use super::outline::PlacedCheck;
use crate::journal::{Heartbeat, KeyGlob, Mark};
use crate::lab::{CheckKind, Template};
use crate::learn::{Place, Standing};
use crate::text::{nearest, redact};

/// Verbs of kubectl that write.
const WRITES: [&str; 22] = [
    "annotate",
    "apply",
    "autoscale",
    "cordon",
    "create",
    "delete",
    "drain",
    "edit",
    "expose",
    "label",
    "patch",
    "replace",
    "rollout",
    "run",
    "scale",
    "set",
    "taint",
    "uncordon",
    "certificate",
    "debug",
    "cp",
    "auth",
];

impl Engine<'_> {
    pub(super) fn why(&self) -> Answer {
        let step = self.state.open();
        let mut notes = Vec::new();
        if self.state.is_over() {
            notes.push("the lab is finished".to_owned());
        } else if self.state.is_green() {
            notes.push("every check of this step holds; `lab next` goes on".to_owned());
        } else if !self.state.is_live() {
            notes.push("the step is being prepared".to_owned());
        }
        notes.extend(self.dull_causes());
        let count = self.state.outline().steps.get(step).map_or(0, |outline| outline.checks().count());
        let places = (0..count).map(|check| Place { step, check });
        let checks = places.filter_map(|place| self.why_not(place)).collect();
        Answer::Why { checks, notes }
    }

    fn why_not(&self, place: Place) -> Option<Why> {
        let check = self.check_view(place)?;
        if check.left.is_some() || matches!(check.standing, Standing::Holds) {
            return None;
        }
        let Some((look, placed)) = self.live.as_ref().and_then(|live| live.found(place)) else {
            let waits = match check.standing {
                Standing::Waiting => "it is looked at when the checks before it hold".to_owned(),
                _ => self.not_heard(place).unwrap_or_else(|| "nothing has been seen of it yet".to_owned()),
            };
            return Some(Why { check, causes: vec![waits], explanation: Vec::new() });
        };
        let causes = self.near_namespace(placed).into_iter().collect();
        let explanation = look.judgement.explanation.iter().map(|line| redact(line).into_owned()).collect();
        Some(Why { check, causes, explanation })
    }

    /// What an output check waits for.
    fn not_heard(&self, place: Place) -> Option<String> {
        let placed = self.course.steps.get(place.step)?.checks.get(place.check)?;
        let CheckKind::Output { .. } = &placed.check.kind else { return None };
        let block = self.block_of(*placed).and_then(|offset| self.course.block(offset));
        Some(match block {
            Some(block) => format!(
                "nothing that you ran since this part of the step began printed it; the block `{0}` does: `lab run {0}`",
                block.id
            ),
            None => "nothing that you ran since this part of the step began printed it".to_owned(),
        })
    }

    /// What is often the cause, whatever the checks are.
    fn dull_causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let Some(live) = self.live.as_ref().filter(|_| !self.state.is_green()) else { return causes };
        if let Some(command) = &self.heard.last
            && command.status != 0
        {
            let words = last_line(&command.output);
            causes.push(format!("your last command ended with status {}: {words}", command.status));
        }
        causes.extend(self.another_cluster());
        if self.nothing_written(live.mark) && (!live.samples.is_empty() || self.awaits_changes()) {
            causes.push("nothing was written to etcd since this step began".to_owned());
        }
        causes
    }

    /// By the learner or what follows from it: nodes report, and leases are renewed, whatever anybody does.
    fn nothing_written(&self, mark: Mark) -> bool {
        let view = self.ground.witness.journal();
        let prefix = self.ground.info.prefix.trim_end_matches('/');
        let nodes = format!("{prefix}/minions/");
        let since = view.at(&mark).unwrap_or(view.end());
        let written = view.entries(since, |entry| {
            let is_theirs = |key: &str| Heartbeat::of(prefix, key).is_none() && !key.starts_with(&nodes);
            entry.change().is_some_and(|change| is_theirs(&change.key))
        });
        written.is_empty()
    }

    fn awaits_changes(&self) -> bool {
        let places = self.state.live_checks().into_iter();
        let checks = places.filter_map(|place| self.course.steps.get(place.step)?.checks.get(place.check));
        checks.into_iter().any(|placed| {
            matches!(placed.check.kind, CheckKind::Key { .. } | CheckKind::Keys { .. } | CheckKind::Events { .. })
        })
    }

    /// A kubectl that wrote, by its own account, and that this cluster's etcd has not heard of.
    fn another_cluster(&self) -> Option<String> {
        let ours = self.ground.kubeconfig()?.display().to_string();
        let told = |why: String| format!("your kubectl talks to another cluster: {why}");
        let last = self.heard.commands().filter(|command| writes(command)).last()?;
        for flag in ["--context", "--kubeconfig", "--server", "-s"] {
            if last.text.split_whitespace().any(|word| word == flag || word.starts_with(&format!("{flag}="))) {
                return Some(told(format!("`{}` has {flag}", first_line(&last.text))));
            }
        }
        if let Some(kubeconfig) = last.kubeconfig.as_ref().filter(|kubeconfig| **kubeconfig != ours) {
            let is = if kubeconfig.is_empty() { "is not set".to_owned() } else { format!("is {kubeconfig}") };
            return Some(told(format!("KUBECONFIG {is}; in this lab it is {ours}")));
        }
        if last.status != 0 || last.text.contains("--dry-run") {
            return None;
        }
        let unheard = self
            .changes()
            .iter()
            .all(|recorded| Timestamp::try_from(recorded.entry.at()).is_ok_and(|at| at < last.began));
        let unchanged = ["unchanged", "not labeled", "not patched", "No resources", "no change"];
        (unheard && !unchanged.iter().any(|word| last.output.contains(word)))
            .then(|| told(format!("`{}` succeeded, and this cluster's etcd has seen no write", first_line(&last.text))))
    }

    /// A namespace of nearly the name that a check wants.
    fn near_namespace(&self, placed: PlacedCheck<'_>) -> Option<String> {
        let vars = &self.ground.vars.values;
        let prefix = self.ground.info.prefix.trim_end_matches('/').to_owned();
        let view = self.ground.witness.journal();
        let glob = KeyGlob::new(&format!("{prefix}/namespaces/*"));
        let folder = format!("{prefix}/namespaces/");
        let there: BTreeSet<String> = view
            .states(&glob, view.end())
            .iter()
            .filter_map(|change| change.key.strip_prefix(folder.as_str()).map(str::to_owned))
            .collect();
        let wanted = namespace_of(&placed.check.kind, |template| template.render_key(vars, &prefix).ok(), &prefix)?;
        if there.contains(&wanted) {
            return None;
        }
        let near = nearest(&wanted, there.iter().map(String::as_str))?;
        Some(format!("there is a namespace {near}: did you mean {wanted}?"))
    }
}

/// The namespace that a check's key or resource lies in, or is.
fn namespace_of(kind: &CheckKind, render: impl Fn(&Template) -> Option<String>, prefix: &str) -> Option<String> {
    let key = match kind {
        CheckKind::Key { key, .. } => render(key)?,
        CheckKind::Keys { glob, .. } | CheckKind::Events { glob, .. } | CheckKind::Never { glob, .. } => {
            render(&glob.0)?
        }
        CheckKind::Resource { namespace: Some(namespace), .. } => return render(namespace),
        CheckKind::Resource { kind, name, namespace: None, .. } => {
            return ["namespace", "namespaces", "ns"]
                .contains(&kind.value.to_lowercase().as_str())
                .then(|| render(name))?;
        }
        CheckKind::Output { .. } | CheckKind::Etcd { .. } | CheckKind::Snapshot { .. } | CheckKind::Run { .. } => {
            return None;
        }
    };
    let rest = key.strip_prefix(prefix)?.trim_start_matches('/');
    let parts: Vec<&str> = rest.split('/').collect();
    let namespace = match parts.as_slice() {
        ["namespaces", name] => name,
        [group, _, namespace, _] if group.contains('.') => namespace,
        [_, namespace, _] | ["services", _, namespace, _] => namespace,
        _ => return None,
    };
    (!namespace.contains('*')).then(|| (*namespace).to_owned())
}

fn writes(command: &Command) -> bool {
    let words: Vec<&str> = command.text.split_whitespace().collect();
    words
        .iter()
        .position(|word| *word == "kubectl" || *word == "k")
        .is_some_and(|at| words[at + 1..].iter().find(|word| WRITES.contains(word)).is_some())
}

fn last_line(output: &str) -> String {
    let output = redact(output);
    let last = output.lines().map(str::trim).rfind(|line| !line.is_empty());
    last.map_or_else(|| "it printed nothing".to_owned(), |line| line.chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Span;

    #[test]
    fn the_namespace_of_a_key_is_found_in_its_place() {
        let of = |key: &str| {
            let kind = CheckKind::Key { key: Template::text(key, Span::default()), holds: crate::lab::Holds::Exists };
            namespace_of(&kind, |template| template.render_key(&crate::lab::Vars::new(), "/registry").ok(), "/registry")
        };
        assert_eq!(of("/registry/namespaces/demo").as_deref(), Some("demo"));
        assert_eq!(of("/registry/pods/demo/web").as_deref(), Some("demo"));
        assert_eq!(of("/registry/services/specs/demo/web").as_deref(), Some("demo"));
        assert_eq!(of("/registry/example.com/widgets/demo/w").as_deref(), Some("demo"));
        assert_eq!(of("/registry/minions/node"), None);
        assert_eq!(of("/registry/pods/*/web"), None);
    }
}
