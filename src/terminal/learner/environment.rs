//! The environment of the learner's own shell: all of the person's, but for what leads to other clusters.

use std::ffi::{OsStr, OsString};

use crate::terminal::environment::{OF_OTHER_CLUSTERS, direct_to_loopback};

pub(super) fn environment(
    outer: impl Iterator<Item = (OsString, OsString)>,
    own: &[(String, String)],
) -> Vec<(OsString, OsString)> {
    let is_foreign = |name: &OsStr| {
        let name = name.to_string_lossy();
        name == "KUBECONFIG" || OF_OTHER_CLUSTERS.iter().any(|prefix| name.starts_with(prefix))
    };
    let is_own = |name: &OsStr| own.iter().any(|(known, _)| name == known.as_str());
    let mut env: Vec<_> = outer.filter(|(name, _)| !is_foreign(name) && !is_own(name)).collect();
    env.extend(own.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
    direct_to_loopback(&mut env);
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_persons_environment_stays_but_for_other_clusters() {
        let outer =
            [("HOME", "/home/x"), ("LC_ALL", "de_DE"), ("INPUTRC", "/x"), ("KUBECONFIG", "/x"), ("ETCDCTL_CERT", "/x")];
        let outer = outer.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let env = environment(outer, &[("KUBECONFIG".to_owned(), "/lab".to_owned())]);
        let get = |name: &str| {
            env.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string_lossy().into_owned())
        };
        assert_eq!(get("HOME").as_deref(), Some("/home/x"));
        assert_eq!((get("LC_ALL").as_deref(), get("INPUTRC").as_deref()), (Some("de_DE"), Some("/x")));
        assert_eq!((get("KUBECONFIG").as_deref(), get("ETCDCTL_CERT")), (Some("/lab"), None));
        assert!(get("no_proxy").is_some_and(|hosts| hosts.contains("127.0.0.1")));
    }
}
