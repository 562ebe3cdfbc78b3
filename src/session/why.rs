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

/// What kubectl says of an object that it has written.
const WRITTEN: [&str; 21] = [
    "annotated",
    "approved",
    "autoscaled",
    "configured",
    "cordoned",
    "created",
    "deleted",
    "edited",
    "exposed",
    "evicted",
    "labeled",
    "patched",
    "paused",
    "replaced",
    "restarted",
    "resumed",
    "scaled",
    "serverside-applied",
    "tainted",
    "uncordoned",
    "updated",
];

impl Engine<'_> {
    pub(super) fn why(&self) -> Answer {
        let step = self.state.open();
        let mut notes = Vec::new();
        if self.state.is_over() {
            notes.push("the lab is finished".to_owned());
        } else if self.state.is_green() {
            notes.push("every check of this step holds; `lab next` goes on".to_owned());
        } else if !self.state.is_live() && self.cluster_lost().is_none() {
            notes.push("the step is being prepared".to_owned());
        }
        if let Some(reason) = self.cluster_lost() {
            notes
                .push(format!("etcd does not answer ({reason}): nothing is judged, and no step begins, until it does"));
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
                _ => self
                    .ran_too_early(place)
                    .or_else(|| self.not_heard(place))
                    .unwrap_or_else(|| "nothing has been seen of it yet".to_owned()),
            };
            return Some(Why { check, causes: vec![waits], explanation: Vec::new() });
        };
        let causes = self.near_namespace(placed).into_iter().chain(self.ran_too_early(place)).collect();
        let explanation = look.judgement.explanation.iter().map(|line| redact(line).into_owned()).collect();
        Some(Why { check, causes, explanation })
    }

    /// The block of an output check was run, but before the check's part of the step began.
    fn ran_too_early(&self, place: Place) -> Option<String> {
        let placed = self.course.steps.get(place.step)?.checks.get(place.check)?;
        let CheckKind::Output { .. } = &placed.check.kind else { return None };
        let block = self.course.block(self.block_of(*placed)?)?;
        self.heard.was_too_early(block.action.id).then(|| {
            format!(
                "you ran the block `{0}` before this part of the step began, and only what is printed from then on \
                 counts: run it again, or type `lab run {0}`",
                block.id
            )
        })
    }

    /// What an output check waits for.
    fn not_heard(&self, place: Place) -> Option<String> {
        let placed = self.course.steps.get(place.step)?.checks.get(place.check)?;
        let CheckKind::Output { .. } = &placed.check.kind else { return None };
        let block = self.block_of(*placed).and_then(|id| self.course.block(id));
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

    /// A kubectl that wrote, by its own account, and that this cluster's etcd has not heard of; or one that was told to
    /// go elsewhere. That a command failed, or wrote nothing, is no sign of another cluster.
    fn another_cluster(&self) -> Option<String> {
        let ours = self.ground.kubeconfig()?.display().to_string();
        let because = |why: String| format!("your kubectl talks to another cluster: {why}");
        let last = self.heard.commands().filter(|command| is_kubectl(command)).last()?;
        for flag in ["--context", "--kubeconfig", "--server", "-s"] {
            if last.text.split_whitespace().any(|word| word == flag || word.starts_with(&format!("{flag}="))) {
                return Some(because(format!("`{}` has {flag}", first_line(&last.text))));
            }
        }
        if let Some(kubeconfig) = last.kubeconfig.as_ref().filter(|kubeconfig| **kubeconfig != ours) {
            let is = if kubeconfig.is_empty() { "is not set".to_owned() } else { format!("is {kubeconfig}") };
            return Some(because(format!("KUBECONFIG {is}; in this lab it is {ours}")));
        }
        let written =
            self.heard.commands().filter(|command| is_kubectl(command) && says_written(&command.output)).last()?;
        let unheard = self
            .changes()
            .iter()
            .all(|recorded| Timestamp::try_from(recorded.entry.at()).is_ok_and(|at| at < written.began));
        let said = written.output.lines().find(|line| says_written(line)).unwrap_or_default();
        unheard.then(|| {
            let text = first_line(&written.text);
            because(format!("`{text}` says \"{}\", and this cluster's etcd has seen no write", redact(said.trim())))
        })
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
            let is_namespace =
                kube_etcd_codec::kind_called(&kind.value.to_lowercase()).is_some_and(|kind| kind.kind == "Namespace");
            return if is_namespace { render(name) } else { None };
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

fn is_kubectl(command: &Command) -> bool {
    command.text.split(|c: char| c.is_whitespace() || "|;&()".contains(c)).any(|word| word == "kubectl" || word == "k")
}

/// `namespace/demo created`, `namespace "demo" deleted`; what was only tried is not written.
fn says_written(output: &str) -> bool {
    output.lines().any(|line| {
        let names_object = line.contains('/') || line.contains('"');
        let is_written = line.split_whitespace().skip(1).any(|word| WRITTEN.contains(&word.trim_end_matches(',')));
        names_object && is_written && !line.contains("dry run)") && !line.contains("not ")
    })
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
    fn only_what_kubectl_says_that_it_has_written_counts_as_written() {
        for line in [
            "namespace/demo created",
            "namespace \"demo\" deleted",
            "deployment.apps/web scaled",
            "deployment.apps/web image updated",
            "configmap/a serverside-applied",
            "pod \"web\" deleted from demo namespace",
        ] {
            assert!(says_written(&format!("Warning: something\n{line}\n")), "{line}");
        }
        for text in [
            "",
            "no",
            "yes",
            "namespace/demo unchanged",
            "namespace/demo not labeled",
            "pod/web created (dry run)",
            "pod/web created (server dry run)",
            "Edit cancelled, no changes made.",
            "Error from server (NotFound): namespaces \"demo\" not found",
            "created",
        ] {
            assert!(!says_written(text), "{text}");
        }
    }

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
