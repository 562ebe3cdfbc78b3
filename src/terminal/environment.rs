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

/// `LAB_` is ours to give. etcd and etcdctl read every variable of theirs and quarrel over them; the
/// person's kubeconfig is not the lab's. `HIST` and exported functions belong to the person's shell.
const FOREIGN: &[&str] = &["BASH_FUNC_", "ETCDCTL_", "ETCDUTL_", "ETCD_", "HIST", "KEYWITNESS_", "LAB_", "LC_"];

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

fn is_dropped(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    SHELL_OWN.contains(&name.as_ref())
        || name == "KUBECONFIG"
        || name == "KUBECTL_EXTERNAL_DIFF"
        || FOREIGN.iter().any(|prefix| name.starts_with(prefix))
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
        assert_eq!(get("PATH").as_deref(), Some("/run/bin:/usr/bin"));
        assert_eq!(get("KUBECONFIG").as_deref(), Some("/run/k"));
        assert_eq!(get("LAB_NODE").as_deref(), Some("n"));
        assert_eq!((get("BASH_ENV"), get("ETCDCTL_ENDPOINTS"), get("LC_TIME")), (None, None, None));
    }
}
