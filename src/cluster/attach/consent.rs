//! Nothing is done to somebody's cluster before that somebody has said so.

use super::kubeconfig::Pinned;
use crate::cluster::ClusterError;

/// How many of a lab's commands the question shows.
const SHOWN: usize = 12;

/// What is to be agreed to.
#[derive(Debug, Clone)]
pub struct AttachQuestion {
    pub context: String,
    pub server: String,
    /// Commands of the lab that change the cluster.
    pub commands: Vec<String>,
}

/// Who agrees.
pub enum Consent {
    /// `--yes`.
    Given,
    /// A person at a terminal.
    Ask(Box<dyn Fn(&AttachQuestion) -> bool + Send + Sync>),
    /// Nobody is there to be asked.
    Nobody,
}

pub(super) fn obtain(
    consent: &Consent,
    pinned: &Pinned,
    named_in_full: bool,
    commands: &[String],
) -> Result<(), ClusterError> {
    let Pinned { context, server, .. } = pinned;
    if pinned.looks_like_production() && !named_in_full {
        return Err(ClusterError::new(format!("the current context {context} ({server}) looks like production"))
            .hint(format!("if that is the cluster you mean, name it: --context {context}")));
    }
    let question = AttachQuestion { context: context.clone(), server: server.clone(), commands: changing(commands) };
    match consent {
        Consent::Given => Ok(()),
        Consent::Ask(ask) if ask(&question) => Ok(()),
        Consent::Ask(_) => Err(ClusterError::new(format!("you did not agree to use the context {context}"))
            .hint("`--on sandbox` and `--on kind` make a cluster of their own")),
        Consent::Nobody => Err(ClusterError::new(format!(
            "the lab would change the cluster of the context {context} ({server}), and nobody is here to agree"
        ))
        .detail(question.commands)
        .hint("--yes agrees beforehand")),
    }
}

/// Commands that change a cluster, as far as their words tell.
fn changing(commands: &[String]) -> Vec<String> {
    const VERBS: &[&str] = &[
        "create",
        "apply",
        "run",
        "delete",
        "label",
        "annotate",
        "patch",
        "edit",
        "replace",
        "scale",
        "expose",
        "set",
        "rollout",
        "taint",
        "cordon",
        "uncordon",
        "drain",
        "autoscale",
        "put",
        "del",
        "compact",
        "defrag",
    ];
    let changes = |line: &&String| {
        let mut words = line.split_whitespace().skip_while(|word| !matches!(*word, "kubectl" | "etcdctl"));
        words.next().is_some() && words.filter(|word| !word.starts_with('-')).take(2).any(|word| VERBS.contains(&word))
    };
    let mut found: Vec<String> = commands.iter().filter(changes).map(|line| line.trim().to_owned()).collect();
    if found.len() > SHOWN {
        let more = found.len() - SHOWN;
        found.truncate(SHOWN);
        found.push(format!("… and {more} more"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::changing;

    #[test]
    fn what_only_reads_is_not_shown() {
        let lines = [
            "kubectl create namespace \"$NAMESPACE\"",
            "kubectl get pods -A",
            "  kubectl -n demo delete pod a",
            "etcdctl get / --prefix --keys-only",
            "FOO=1 kubectl label namespace demo a=b",
            "echo create",
        ]
        .map(String::from);
        assert_eq!(
            changing(&lines),
            [
                "kubectl create namespace \"$NAMESPACE\"",
                "kubectl -n demo delete pod a",
                "FOO=1 kubectl label namespace demo a=b"
            ]
        );
        let many: Vec<_> = (0..20).map(|n| format!("kubectl create ns n{n}")).collect();
        assert_eq!(changing(&many).last().map(String::as_str), Some("… and 8 more"));
    }
}
