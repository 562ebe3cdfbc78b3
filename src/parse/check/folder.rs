//! Where Kubernetes keeps its objects in etcd, for those who look elsewhere.

use crate::text::{did_you_mean, is_lower_case};
use kube_etcd_codec::{KINDS, Kind};

/// Why a key names no folder of etcd.
pub(super) struct Instead {
    /// What follows `/registry/` and is wrong.
    pub(super) under: String,
    pub(super) write: String,
}

/// Folders whose objects lie one folder deeper.
const DEEPER: &[(&str, &[&str])] = &[("services", &["specs", "endpoints"])];

/// What to write for the path after `/registry/`, which is known up to its first variable; `None` where it is right.
pub(super) fn instead(path: &str, open: bool) -> Option<Instead> {
    let segments: Vec<&str> = path.split('/').collect();
    let first = segments[0];
    // The last segment may be the beginning of a variable's.
    let whole = segments.len() - usize::from(open);
    let second = segments.get(1).copied().filter(|_| whole > 1);
    if let Some((_, deeper)) = DEEPER.iter().find(|(folder, _)| *folder == first) {
        let second = second?;
        if deeper.contains(&second) || second.contains('*') || second.is_empty() {
            return None;
        }
        let rest = path.split_once('/').map_or("", |(_, rest)| rest);
        let write = format!(
            "Services are stored under /registry/services/specs: /registry/services/specs/{}",
            shown(rest, open)
        );
        return Some(Instead { under: format!("{first}/{second}"), write });
    }
    if kube_etcd_codec::known_folder(first) {
        return None;
    }
    let under = || first.to_owned();
    // `/registry/apps/deployments`, `/registry/apps/v1/deployments`, `/registry/networking.k8s.io/ingresses`.
    let group = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_group = KINDS
        .iter()
        .any(|kind| kind.group == first || (!kind.group.is_empty() && kind.group.split('.').next() == Some(group)))
        || matches!(first, "core" | "v1" | "api" | "apis");
    if is_group {
        let is_version =
            |segment: &str| segment.starts_with('v') && segment[1..].starts_with(|c: char| c.is_ascii_digit());
        let at =
            (1..segments.len()).find(|at| !is_version(segments[*at]) && segments[*at] != "namespaces").unwrap_or(1);
        let found = segments.get(at).copied().filter(|_| at < whole).unwrap_or_default();
        if let Some(kind) = meant(found) {
            if kind.folder.split('/').next() == Some(first) {
                return None;
            }
            let rest = segments[at + 1..].join("/");
            let rest = if rest.is_empty() { "…".to_owned() } else { shown(&rest, open) };
            let write = format!("the API group is not part of the key: /registry/{}/{rest}", kind.folder);
            return Some(Instead { under: segments[..=at].join("/"), write });
        }
        if !first.contains('.') {
            let write = match first {
                "apps" => "the API group is not part of the key: /registry/deployments/…".to_owned(),
                _ => "the API group is not part of the key: /registry/RESOURCE/…".to_owned(),
            };
            return Some(Instead { under: under(), write });
        }
    }
    if first.contains('.') {
        let plain = is_lower_case(first, &['.', '-']);
        if plain && !first.starts_with('.') && !first.ends_with('.') {
            return None;
        }
    }
    let write = if first.is_empty() {
        "name the resource: /registry/pods/…".to_owned()
    } else if let Some(kind) = meant(first) {
        format!("{} are stored under /registry/{}", kind.plural, kind.folder)
    } else {
        did_you_mean(first, kube_etcd_codec::first_folders())
            .unwrap_or_else(|| "resources of other groups are stored under /registry/GROUP.DOMAIN/…".to_owned())
    };
    Some(Instead { under: under(), write })
}

/// The rest of a key as a hint shows it.
fn shown(rest: &str, open: bool) -> String {
    if open { format!("{rest}…") } else { rest.to_owned() }
}

/// The kind that kubectl would take the word for.
pub(super) fn meant(word: &str) -> Option<&'static Kind> {
    let lower = word.to_lowercase();
    KINDS.iter().filter(|kind| kind.is_stored()).find(|kind| kind.is_called(&lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(path: &str) -> String {
        instead(path, false).map(|found| format!("{} → {}", found.under, found.write)).unwrap_or_default()
    }

    #[test]
    fn near_folders_are_named() {
        for (path, wanted) in [
            ("pod/demo/web", "pod → pods are stored under /registry/pods"),
            ("deployment/demo/web", "deployment → deployments are stored under /registry/deployments"),
            (
                "apps/deployments/demo/web",
                "apps/deployments → the API group is not part of the key: /registry/deployments/demo/web",
            ),
            (
                "apps/deployment/demo/web",
                "apps/deployment → the API group is not part of the key: /registry/deployments/demo/web",
            ),
            (
                "apps/v1/deployments/d/w",
                "apps/v1/deployments → the API group is not part of the key: /registry/deployments/d/w",
            ),
            ("batch/jobs/d/*", "batch/jobs → the API group is not part of the key: /registry/jobs/d/*"),
            (
                "networking.k8s.io/ingresses/d/w",
                "networking.k8s.io/ingresses → the API group is not part of the key: /registry/ingress/d/w",
            ),
            ("nodes/a", "nodes → nodes are stored under /registry/minions"),
            ("svc/d/w", "svc → services are stored under /registry/services/specs"),
            ("Pods/d/w", "Pods → pods are stored under /registry/pods"),
            (
                "services/demo/web",
                "services/demo → Services are stored under /registry/services/specs: /registry/services/specs/demo/web",
            ),
            ("deploymets/d/w", "deploymets → did you mean `deployments`?"),
        ] {
            assert_eq!(hint(path), wanted, "{path}");
        }
        for fine in [
            "pods/d/w",
            "services/specs/d/w",
            "services/**",
            "services/endpoints/d/w",
            "example.com/widgets/d/w",
            "apiextensions.k8s.io/customresourcedefinitions/a",
            "apiregistration.k8s.io/apiservices/v1.",
            "events/d/*",
            "leases/kube-node-lease/n",
        ] {
            assert_eq!(hint(fine), "", "{fine}");
        }
    }
}
