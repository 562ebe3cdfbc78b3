//! Nothing is done to somebody's cluster before that somebody has said so.

use super::ClusterError;
use super::attach::Pinned;

/// How many of a lab's commands the question shows.
const SHOWN: usize = 12;

/// What is to be agreed to.
#[derive(Debug, Clone)]
pub struct ConsentQuestion {
    /// Which cluster.
    pub cluster: String,
    /// Commands of the lab that change the cluster.
    pub commands: Vec<String>,
}

/// Who agrees.
pub enum Consent {
    /// `--yes`.
    Given,
    /// A person at a terminal.
    Ask(Box<dyn Fn(&ConsentQuestion) -> bool + Send + Sync>),
    /// There is no terminal to ask on.
    Nobody,
}

/// What was agreed to: the only way to a cluster that is not ours.
#[derive(Debug, Clone, Default)]
pub struct Agreed(pub(super) AgreedTo);

#[derive(Debug, Clone, Default)]
pub(super) enum AgreedTo {
    /// The cluster is the run's own.
    #[default]
    Nothing,
    /// A context, as it was read when the question was asked.
    Context(Box<Pinned>),
    /// A kind cluster of this name that keywitness did not make.
    Cluster(String),
}

impl Consent {
    pub(super) fn obtain(&self, cluster: String, commands: &[String]) -> Result<(), ClusterError> {
        let question = ConsentQuestion { cluster, commands: changing(commands) };
        match self {
            Consent::Given => Ok(()),
            Consent::Ask(ask) if ask(&question) => Ok(()),
            Consent::Ask(_) => Err(ClusterError::new(format!("you did not agree to use the {}", question.cluster))
                .hint("`--on sandbox` and `--on kind` make a cluster of their own")),
            Consent::Nobody => Err(ClusterError::new(format!(
                "the lab would change the {}, which keywitness did not make, and there is no terminal to ask on",
                question.cluster
            ))
            .detail(question.commands)
            .hint("--yes agrees without being asked")),
        }
    }
}

/// Commands that change a cluster, as far as their words show.
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
