//! `cluster up --on sandbox`, and what the other calls show of sandboxes that stay.

use std::time::Instant;

use super::standing;
use super::{UpArgs, age, print};
use crate::cli::error::CliError;
use crate::cluster::{KeptSandbox, SandboxWish, check_name};
use crate::outcome::Exit;
use kube_sandbox::KUBERNETES_VERSION;

const DEFAULT_NODES: u32 = 1;

pub(super) fn up(args: &UpArgs) -> Result<Exit, CliError> {
    check_name(&args.name)?;
    // `--image` may come from the environment, where it is meant for kind.
    for (is_given, flag) in [(args.kind_config.is_some(), "--kind-config"), (args.keep, "--keep")] {
        if is_given {
            return Err(CliError::wrong_call(format!("{flag} is for kind clusters"), "leave it out, or --on kind"));
        }
    }
    if let Some(version) = &args.kubernetes
        && !is_version(version)
        && args.apiserver.is_none()
    {
        let message = format!("the sandbox follows Kubernetes {KUBERNETES_VERSION}, not {version}");
        return Err(CliError::wrong_call(
            message,
            "`--apiserver PATH` runs a kube-apiserver of another version over its etcd",
        ));
    }
    let absolute = |path: &std::path::PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let wish = SandboxWish {
        name: args.name.clone(),
        nodes: args.nodes.unwrap_or(DEFAULT_NODES),
        apiserver: args.apiserver.as_ref().map(absolute).or_else(crate::cli::provider::envtest_apiserver),
        kubeconfig: args.kubeconfig.as_ref().map(absolute),
    };
    let began = Instant::now();
    let kept = standing::start(&wish)?;
    let running = kept.running()?;
    print(&format!(
        "sandbox {name} is ready after {took:.2} s: Kubernetes {}, etcd {}\n\
         \x20 export KUBECONFIG={}\n\
         \x20 export PATH={}:$PATH    # etcdctl, with address and certificates\n\
         \x20 keywitness run --cluster {name} LAB\n\
         \x20 keywitness events --cluster {name}\n\
         \x20 keywitness cluster down {name}\n",
        running.kubernetes,
        running.etcd,
        kept.copy.as_ref().unwrap_or(&running.kubeconfig).display(),
        running.bin.display(),
        name = kept.name,
        took = began.elapsed().as_secs_f64(),
    ))
}

/// `1.36`, `v1.36.2`, or what lies between.
fn is_version(wanted: &str) -> bool {
    let wanted = wanted.trim_start_matches('v');
    let ours = KUBERNETES_VERSION.trim_start_matches('v');
    ours == wanted || ours.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
}

/// A line of `cluster list`.
pub(super) fn row(kept: &KeptSandbox) -> String {
    let nodes = format!("{} node{}", kept.nodes, if kept.nodes == 1 { "" } else { "s" });
    let state = if kept.up.is_some() { "sandbox: cluster up" } else { "sandbox: coming up" };
    format!("{:<40} {nodes:<10} {:<5} {state}\n", kept.name, age(kept.age()))
}

/// What `cluster status` says of it.
pub(super) fn status(kept: &KeptSandbox) -> String {
    let head = format!("{} (sandbox, {})\n", kept.name, age(kept.age()));
    let Some(running) = &kept.up else { return format!("{head}  it is coming up\n") };
    format!(
        "{head}  API         {}  Kubernetes {}, process {}{}\n  etcd        {}  etcd {}, process {}{}\n  \
         kubeconfig  {}\n  etcdctl     {}/etcdctl\n",
        running.server,
        running.kubernetes,
        kept.process,
        memory(kept.process),
        running.endpoint,
        running.etcd,
        running.etcd_process,
        memory(running.etcd_process),
        kept.copy.as_ref().unwrap_or(&running.kubeconfig).display(),
        running.bin.display(),
    )
}

/// What is resident of a process, where the system says.
fn memory(process: i32) -> String {
    let kilobytes = std::fs::read_to_string(format!("/proc/{process}/status")).ok().and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    kilobytes.map(|kilobytes| format!(", {} MB", kilobytes / 1000)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn a_version_is_named_as_long_as_one_likes() {
        for wanted in ["1", "1.36", "v1.36", "1.36.2", "v1.36.2"] {
            assert!(is_version(wanted), "{wanted}");
        }
        for wanted in ["1.3", "1.35", "1.36.1", "", "2"] {
            assert!(!is_version(wanted), "{wanted}");
        }
    }
}
