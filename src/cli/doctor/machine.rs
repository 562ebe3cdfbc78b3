//! Folders, space, memory and limits.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::Finding;
use owned_processes::{Guard, GuardSettings, room, state_folder};

/// An etcd's write-ahead log alone takes 64 MB at once.
const LEAST_ROOM: u128 = 200 << 20;
const GOOD_ROOM: u128 = 1 << 30;
/// For etcd, the API and what a lab starts; and for a node of kind.
const SANDBOX_MEMORY: u64 = 300 << 20;
const KIND_MEMORY: u64 = 2 << 30;
/// With the kernels' defaults a second kind cluster often does not start.
const WATCHES: u64 = 65_536;
const INSTANCES: u64 = 256;
const OPEN_FILES: u64 = 1024;
const PROXIES: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

pub(super) async fn look() -> Vec<Finding> {
    let mut findings = vec![work_folder().await, state()];
    findings.extend(memory());
    if cfg!(target_os = "linux") {
        findings.push(cgroups(Path::new("/sys/fs/cgroup")));
        findings.push(inotify(Path::new("/proc/sys/fs/inotify")));
        findings.extend(std::fs::read_to_string("/proc/self/limits").ok().and_then(|text| open_files(&text)));
    }
    findings.push(proxies(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())));
    findings
}

/// Where a run puts its sockets, its scripts and the data of its etcd.
async fn work_folder() -> Finding {
    let name = "work folder";
    let fix = "set TMPDIR to a folder that you may write to, with room";
    let guard = match Guard::start(GuardSettings::default()) {
        Ok(guard) => guard,
        Err(error) => return Finding::missing(name, error.to_string(), "every lab", fix),
    };
    let dir = guard.dir().parent().unwrap_or(guard.dir()).to_owned();
    let room = room(&dir).unwrap_or(u128::MAX);
    let free = format!("{}, {} free", dir.display(), size(room));
    let runs = script_runs(guard.dir());
    guard.end().await;
    match runs {
        Err(error) => Finding::missing(
            name,
            format!("{}: a script in it does not run: {error}", dir.display()),
            "every lab",
            "set TMPDIR to a folder that is not mounted with noexec",
        ),
        Ok(()) if room < LEAST_ROOM => Finding::missing(name, free, "every lab: etcd needs 200 MB", fix),
        Ok(()) if room < GOOD_ROOM => Finding::warning(name, free, "labs that write much", fix),
        Ok(()) => Finding::good(name, free),
    }
}

fn script_runs(dir: &Path) -> std::io::Result<()> {
    let script = dir.join("script");
    std::fs::write(&script, "#!/bin/sh\nexit 0\n")?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700))?;
    Command::new(&script).status().map(drop)
}

fn state() -> Finding {
    let folder = state_folder();
    let write = || {
        std::fs::create_dir_all(&folder)?;
        let probe = folder.join(format!(".doctor.{}", std::process::id()));
        std::fs::write(&probe, "")?;
        std::fs::remove_file(&probe)
    };
    match write() {
        Ok(()) => Finding::good("state folder", folder.display().to_string()),
        Err(error) => Finding::warning(
            "state folder",
            format!("{}: {error}", folder.display()),
            "clusters that stay, and the progress of learners",
            "set KEYWITNESS_STATE to a folder that you may write to",
        ),
    }
}

fn memory() -> Option<Finding> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let available = line.split_whitespace().next()?.parse::<u64>().ok()? << 10;
    let detail = format!("{} available", size(u128::from(available)));
    let fix = "stop what uses it: `ps aux --sort=-rss | head`";
    Some(match available {
        0..SANDBOX_MEMORY => {
            Finding::warning("memory", detail, "labs may be killed without it: a sandbox takes 200 MB", fix)
        }
        SANDBOX_MEMORY..KIND_MEMORY => Finding::warning("memory", detail, "--on kind: a node takes about 2 GB", fix),
        _ => Finding::good("memory", detail),
    })
}

fn cgroups(root: &Path) -> Finding {
    let name = "cgroups";
    let Ok(controllers) = std::fs::read_to_string(root.join("cgroup.controllers")) else {
        let fix = "boot with systemd.unified_cgroup_hierarchy=1";
        return Finding::warning(name, "version 1", "--on kind with Kubernetes 1.35 and later", fix);
    };
    let lacking: Vec<&str> = ["cpu", "memory", "pids"]
        .into_iter()
        .filter(|wanted| !controllers.split_whitespace().any(|has| has == *wanted))
        .collect();
    if lacking.is_empty() {
        return Finding::good(name, "version 2");
    }
    let detail = format!("version 2, without {}", lacking.join(", "));
    Finding::warning(
        name,
        detail,
        "--on kind without root",
        "https://kind.sigs.k8s.io/docs/user/rootless/ says how to delegate them",
    )
}

fn inotify(folder: &Path) -> Finding {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let (Some(watches), Some(instances)) = (read("max_user_watches"), read("max_user_instances")) else {
        return Finding::good("inotify", "limits are not known");
    };
    let detail = format!("{watches} watches, {instances} instances");
    if watches >= WATCHES && instances >= INSTANCES {
        return Finding::good("inotify", detail);
    }
    let fix = "sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512";
    Finding::warning("inotify", detail, "several kind clusters at once", fix)
}

fn open_files(limits: &str) -> Option<Finding> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    let few = soft.parse::<u64>().is_ok_and(|soft| soft < OPEN_FILES);
    let detail = format!("{soft} a process");
    Some(if few {
        Finding::warning("open files", detail, "labs with many watches", "ulimit -n 4096")
    } else {
        Finding::good("open files", detail)
    })
}

/// Only their names: an address may hold a password.
fn proxies(is_set: impl Fn(&str) -> bool) -> Finding {
    let set: Vec<String> =
        PROXIES.iter().flat_map(|name| [(*name).to_owned(), name.to_lowercase()]).filter(|name| is_set(name)).collect();
    if set.is_empty() {
        return Finding::good("proxy", "none");
    }
    Finding::good("proxy", format!("{} set; clusters on this machine are reached directly", set.join(", ")))
}

fn size(bytes: u128) -> String {
    match bytes {
        0..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn limits_that_are_low_are_told_with_the_command_that_raises_them() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
        write("max_user_watches", "8192\n");
        write("max_user_instances", "128\n");
        let low = inotify(dir.path());
        assert_eq!((low.state, low.detail.as_str()), (State::Warning, "8192 watches, 128 instances"));
        assert!(low.fix.is_some_and(|fix| fix.starts_with("sudo sysctl ")));
        write("max_user_watches", "524288\n");
        write("max_user_instances", "512\n");
        assert_eq!(inotify(dir.path()).state, State::Good);
        assert_eq!(cgroups(dir.path()).detail, "version 1");
        write("cgroup.controllers", "cpuset cpu io\n");
        assert_eq!(cgroups(dir.path()).detail, "version 2, without memory, pids");
        write("cgroup.controllers", "cpuset cpu io memory pids\n");
        assert_eq!(cgroups(dir.path()).state, State::Good);
        let limits =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            256                 4096    files\n";
        assert_eq!(open_files(limits).map(|finding| finding.state), Some(State::Warning));
    }

    #[test]
    fn of_proxies_only_the_names_are_shown() {
        assert_eq!(proxies(|_| false).detail, "none");
        assert_eq!(
            proxies(|name| name == "https_proxy").detail,
            "https_proxy set; clusters on this machine are reached directly"
        );
    }
}
