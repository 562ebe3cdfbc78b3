//! The environment of a lab's shells: the person's own, without what would make a lab run differently
//! than it reads.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Start-up files, prompts, history, and whatever changes how bash reads a script.
const SHELL_OWN: &[&str] = &[
    "BASH_ENV",
    "BASHOPTS",
    "BASH_XTRACEFD",
    "CDPATH",
    "COLUMNS",
    "ENV",
    "EXECIGNORE",
    "FIGNORE",
    "GLOBIGNORE",
    "IGNOREEOF",
    "INPUTRC",
    "LINES",
    "MAIL",
    "MAILCHECK",
    "MAILPATH",
    "OLDPWD",
    "POSIXLY_CORRECT",
    "PROMPT_COMMAND",
    "PROMPT_DIRTRIM",
    "PS0",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "PWD",
    "SHELLOPTS",
    "SHLVL",
    "TIMEFORMAT",
    "TMOUT",
];

/// What leads to another cluster or another lab. `LAB_` is the runner's to give; etcd and etcdctl read every
/// variable of theirs.
pub(super) const OF_OTHER_CLUSTERS: &[&str] = &["ETCDCTL_", "ETCDUTL_", "ETCD_", "KEYWITNESS_RUN", "LAB_"];

/// `HIST` and exported functions belong to the person's shell.
const FOREIGN: &[&str] = &["BASH_FUNC_", "HIST", "KEYWITNESS_", "LC_"];

/// What a lab writes goes to its own HOME, not to where the person's settings say.
const NAMES_HOME: &[&str] = &["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"];

/// Of the person's HOME, what a command of theirs on PATH needs: kubectl's plugins, and the way to a container engine.
const KEPT_OF_HOME: &[(&str, &str)] = &[("DOCKER_CONFIG", ".docker"), ("KREW_ROOT", ".krew")];

/// What goes through no proxy. Go's programs know, curl does not.
const LOOPBACK: &str = "localhost,127.0.0.1,::1";

/// Messages and sorting are the same everywhere; nothing waits for a key; the terminal is a plain one.
const GIVEN: &[(&str, &str)] = &[
    ("GIT_PAGER", "cat"),
    ("HISTCONTROL", "ignoreboth"),
    ("LC_ALL", if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" }),
    ("MANPAGER", "cat"),
    ("PAGER", "cat"),
    ("SYSTEMD_PAGER", "cat"),
    ("TERM", "xterm"),
];

/// The runner's environment as a lab's shell gets it: cleaned, then overlaid by `own`.
pub fn environment(
    outer: impl Iterator<Item = (OsString, OsString)>,
    path_prefix: &[PathBuf],
    own: &[(String, String)],
) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> = outer.filter(|(name, _)| !is_dropped(name)).collect();
    let home = env.iter().find(|(name, _)| name == "HOME").map(|(_, home)| PathBuf::from(home));
    for (name, folder) in KEPT_OF_HOME {
        let kept = home.as_ref().map(|home| home.join(folder)).filter(|folder| folder.is_dir());
        if let Some(kept) = kept
            && !env.iter().any(|(known, _)| known == name)
        {
            env.push((OsString::from(name), kept.into_os_string()));
        }
    }
    direct_to_loopback(&mut env);
    let path = env.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone());
    let path = path.unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
    let folders = path_prefix.iter().cloned().chain(std::env::split_paths(&path));
    // A folder with a colon in its name cannot be on PATH; the person's PATH alone is the best there is.
    let path = std::env::join_paths(folders).unwrap_or(path);
    let given = GIVEN.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let own = own.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    for (name, value) in given.chain([(OsString::from("PATH"), path)]).chain(own) {
        env.retain(|(known, _)| *known != name);
        env.push((name, value));
    }
    env
}

/// Programs read the one or the other name; what stood in either holds.
pub(super) fn direct_to_loopback(env: &mut Vec<(OsString, OsString)>) {
    let mut hosts: Vec<String> = Vec::new();
    let given = env.iter().filter(|(name, _)| name == "no_proxy" || name == "NO_PROXY");
    let given: Vec<String> = given.map(|(_, value)| value.to_string_lossy().into_owned()).collect();
    for host in given.iter().map(String::as_str).chain([LOOPBACK]).flat_map(|list| list.split(',')).map(str::trim) {
        if !host.is_empty() && !hosts.iter().any(|known| known == host) {
            hosts.push(host.to_owned());
        }
    }
    for name in ["NO_PROXY", "no_proxy"] {
        env.retain(|(known, _)| known != name);
        env.push((OsString::from(name), OsString::from(hosts.join(","))));
    }
}

fn is_dropped(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    SHELL_OWN.contains(&name.as_ref())
        || NAMES_HOME.contains(&name.as_ref())
        || name == "KUBECONFIG"
        || name == "KUBECTL_EXTERNAL_DIFF"
        || OF_OTHER_CLUSTERS.iter().chain(FOREIGN).any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_persons_environment_passes_without_what_changes_a_lab() {
        let outer = [
            ("HOME", "/home/x"),
            ("PATH", "/usr/bin"),
            ("KUBECONFIG", "/home/x/.kube/config"),
            ("BASH_ENV", "/x"),
            ("ETCDCTL_ENDPOINTS", "x"),
            ("LC_TIME", "de_DE"),
            ("HTTPS_PROXY", "p"),
            ("LAB_NODE", "old"),
            ("no_proxy", ".corp, 127.0.0.1"),
            ("NO_PROXY", "10.0.0.0/8"),
            ("XDG_CONFIG_HOME", "/home/x/.config"),
        ];
        let outer = outer.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let own = [("KUBECONFIG".to_owned(), "/run/k".to_owned()), ("LAB_NODE".to_owned(), "n".to_owned())];
        let env = environment(outer, &["/run/bin".into()], &own);
        let get = |name: &str| {
            let found: Vec<_> = env.iter().filter(|(known, _)| known == name).collect();
            assert!(found.len() < 2, "{name} twice");
            found.first().map(|(_, value)| value.to_string_lossy().into_owned())
        };
        assert_eq!(get("HOME").as_deref(), Some("/home/x"));
        assert_eq!(get("HTTPS_PROXY").as_deref(), Some("p"));
        assert_eq!(get("NO_PROXY").as_deref(), Some(".corp,127.0.0.1,10.0.0.0/8,localhost,::1"));
        assert_eq!((get("no_proxy"), get("XDG_CONFIG_HOME")), (get("NO_PROXY"), None));
        assert_eq!(get("PATH").as_deref(), Some("/run/bin:/usr/bin"));
        assert_eq!(get("KUBECONFIG").as_deref(), Some("/run/k"));
        assert_eq!(get("LAB_NODE").as_deref(), Some("n"));
        assert_eq!((get("BASH_ENV"), get("ETCDCTL_ENDPOINTS"), get("LC_TIME")), (None, None, None));
    }

    #[test]
    fn plugins_of_kubectl_are_found_from_a_home_of_the_labs_own() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join(".krew")).expect("a folder");
        let outer = [(OsString::from("HOME"), home.path().as_os_str().to_owned())];
        let own = [("HOME".to_owned(), "/run/home".to_owned())];
        let env = environment(outer.clone().into_iter(), &[], &own);
        let get = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, value)| PathBuf::from(value));
        assert_eq!(get("HOME"), Some("/run/home".into()));
        assert_eq!((get("KREW_ROOT"), get("DOCKER_CONFIG")), (Some(home.path().join(".krew")), None));
        let set = outer.into_iter().chain([(OsString::from("KREW_ROOT"), OsString::from("/krew"))]);
        assert!(environment(set, &[], &own).contains(&(OsString::from("KREW_ROOT"), OsString::from("/krew"))));
    }
}
