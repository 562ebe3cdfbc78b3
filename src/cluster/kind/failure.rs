//! Why a cluster did not come up, as far as what was printed shows it.

/// Signs in what kind and the node said, and what usually causes them.
const CAUSES: &[(&str, &str)] = &[
    (
        "no space left on device",
        "the disk of the engine is full: `docker system df` shows with what, `docker system prune` frees some",
    ),
    ("port is already allocated", "a port of the kind configuration is taken: `docker ps` or `ss -ltnp` shows by what"),
    ("address already in use", "a port of the kind configuration is taken: `docker ps` or `ss -ltnp` shows by what"),
    ("too many open files", INOTIFY),
    ("inotify", INOTIFY),
    (
        "not run on a host using cgroup v1",
        "this host has cgroup v1, which this Kubernetes refuses: boot with \
     systemd.unified_cgroup_hierarchy=1, or ask for an older one (`cluster: {kubernetes: \"1.34\"}`)",
    ),
    ("Delegate=yes", "a rootless engine needs its controllers delegated: https://kind.sigs.k8s.io/docs/user/rootless/"),
    (
        "running kind with rootless provider requires",
        "a rootless engine needs cgroup v2 and its controllers delegated: \
     https://kind.sigs.k8s.io/docs/user/rootless/",
    ),
    ("address pools have been fully subnetted", POOLS),
    ("non-overlapping IPv4 address pool", POOLS),
    (
        "exec format error",
        "the node image is for another processor: name one for this machine with KEYWITNESS_NODE_IMAGE",
    ),
    ("no such host", "the image is not here and this machine does not reach the registry"),
    (
        "could not find a log line that matches",
        "the node's init did not come up: on a rootless engine a delegation is \
     missing, on others the image is not a node image, or is much older or newer than kind",
    ),
    (
        "kubelet is not healthy",
        "the kubelet did not start: cgroup v1, swap, a full disk or too little memory (2 GB are needed)",
    ),
    (
        "timed out waiting for the condition",
        "the control plane did not answer in time: too little memory (2 GB are needed), \
     a slow disk, or a kind configuration with a wrong value",
    ),
    (
        "executable file not found",
        "kind drives the engine by its own command, and that is not on PATH: install the docker or podman command",
    ),
];

const INOTIFY: &str = "the kernel's inotify limits are used up, as often with several clusters: \
     `sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512`";
const POOLS: &str =
    "the engine has no subnet left for another network: `docker network prune` removes those that nothing uses";

/// What usually causes this. The first sign in the table that was seen decides: special ones stand before general ones.
pub(super) fn usual_cause<'a>(said: impl Iterator<Item = &'a String> + Clone) -> Option<&'static str> {
    CAUSES.iter().find(|(sign, _)| said.clone().any(|line| line.contains(sign))).map(|(_, cause)| *cause)
}

/// What kind calls the error: without its stack, and without the page-long command that failed.
pub(super) fn reasons(said: &[String]) -> Vec<String> {
    let from = said.iter().position(|line| line.starts_with("ERROR:")).unwrap_or(0);
    let error: Vec<String> = said[from..]
        .iter()
        .take_while(|line| !line.starts_with("Stack Trace"))
        .filter(|line| !line.trim().is_empty() && !is_noise(line))
        .map(|line| shortened(line))
        .collect();
    super::command::last(&error)
}

/// The id of the container that came to nothing, and advice about the command that we gave.
fn is_noise(line: &str) -> bool {
    let bare = line.trim_start_matches("Command Output:").trim();
    bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit()) || line.starts_with("Run 'docker run --help'")
}

fn shortened(line: &str) -> String {
    let Some((before, rest)) = line.split_once("command \"") else { return line.to_owned() };
    let Some((command, after)) = rest.split_once("\" failed with") else { return line.to_owned() };
    let words: Vec<&str> = command.split_whitespace().collect();
    if words.len() < 8 {
        return line.to_owned();
    }
    format!("{before}command \"{} …\" failed with{after}", words[..2].join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_special_sign_decides() {
        let said = ["ERROR: failed: timed out waiting for the condition", "etcd: write: no space left on device"]
            .map(String::from);
        assert!(usual_cause(said.iter()).is_some_and(|cause| cause.contains("disk")));
        assert_eq!(usual_cause([String::from("something new")].iter()), None);
    }

    #[test]
    fn the_error_is_told_without_the_command_that_failed() {
        let said = [
            "Creating cluster",
            "ERROR: failed to create cluster: command \"docker run --name a --label b --tty c d e f\" failed with error: exit status 125",
            "",
            "Command Output: 095f4f028fab94a1ac733d0a4264d9fc361c607bd53324ff1f317ab872ca26bb",
            "docker: Error response from daemon: no.",
            "Run 'docker run --help' for more information",
            "Stack Trace: ",
            "main.go:1",
        ]
        .map(String::from);
        assert_eq!(
            reasons(&said),
            [
                "ERROR: failed to create cluster: command \"docker run …\" failed with error: exit status 125",
                "docker: Error response from daemon: no."
            ]
        );
    }
}
