//! Which kind of cluster a lab gets, and who brings it up.

use std::path::PathBuf;

use super::args::ClusterFlags;
use super::screen;
use crate::cluster::SandboxProvider;
use crate::cluster::{
    Agreed, Attach, Bare, ClusterError, Consent, ConsentQuestion, Flavor, GivenEtcd, KeptSandbox, Kind, Provider,
    Reuse, ReuseSandbox,
};
use crate::lab::{ClusterKind, Lab};
use owned_processes::{Guard, tool};

/// Why there is no cluster for a lab on this machine.
pub(super) struct NoCluster {
    pub(super) reason: String,
    pub(super) detail: Vec<String>,
}

/// What the command line asks for, or the first of the lab's clusters that this machine can bring up.
pub(super) fn choose(lab: &Lab, flags: &ClusterFlags) -> Result<ClusterKind, NoCluster> {
    if let Some(kind) = flags.on {
        return Ok(kind);
    }
    if flags.context.is_some() {
        return Ok(ClusterKind::Attach);
    }
    if let Some(name) = &flags.cluster_name {
        let is_sandbox = KeptSandbox::find(name).is_some();
        return Ok(if is_sandbox { ClusterKind::Sandbox } else { ClusterKind::Kind });
    }
    if flags.kind_config.is_some() {
        return Ok(ClusterKind::Kind);
    }
    let default = [ClusterKind::Sandbox, ClusterKind::Kind];
    let named: Vec<ClusterKind> = lab.clusters.iter().map(|kind| kind.value).collect();
    let candidates = if named.is_empty() { &default[..] } else { &named };
    let mut detail = Vec::new();
    for kind in candidates {
        match obstacle(*kind) {
            None => return Ok(*kind),
            Some(why) => detail.push(format!("{}: {why}", kind.name())),
        }
    }
    Err(NoCluster { reason: "this machine cannot create any of the lab's clusters".to_owned(), detail })
}

/// Why this machine cannot bring up such a cluster, as far as can be seen without trying.
pub(super) fn obstacle(kind: ClusterKind) -> Option<String> {
    let missing = |tools: &[&str]| {
        let name = tools.iter().find(|name| tool(name).is_none())?;
        Some(format!("{name} is not installed; scripts/setup gets it"))
    };
    match kind {
        ClusterKind::Sandbox => missing(&["etcd", "kubectl"]),
        ClusterKind::Kind => missing(&["kind", "kubectl"]),
        ClusterKind::Bare => missing(&["etcd", "etcdctl"]),
        ClusterKind::Attach => Some("an existing cluster is used only on request: --on attach".to_owned()),
    }
}

/// Asks before a lab changes a cluster that keywitness did not make.
pub(super) async fn agree(lab: &Lab, kind: ClusterKind, flags: &ClusterFlags) -> Result<Agreed, ClusterError> {
    let commands = lab.command_lines();
    match (kind, &flags.cluster_name) {
        (ClusterKind::Attach, _) => {
            Attach::agree(flags.context.as_deref(), flags.kubeconfig.as_deref(), &consent(flags), &commands)
        }
        (ClusterKind::Kind, Some(name)) => Reuse::agree(engine(flags), name, &consent(flags), &commands).await,
        (ClusterKind::Kind | ClusterKind::Sandbox | ClusterKind::Bare, _) => Ok(Agreed::default()),
    }
}

pub(super) fn build(kind: ClusterKind, flags: &ClusterFlags, agreed: Agreed, guard: &Guard) -> Box<dyn Provider> {
    match kind {
        ClusterKind::Bare => Box::new(Bare),
        ClusterKind::Kind if flags.cluster_name.is_some() => Box::new(Reuse {
            guard: guard.clone(),
            engine: engine(flags),
            name: flags.cluster_name.clone().unwrap_or_default(),
            agreed,
        }),
        ClusterKind::Attach => Box::new(Attach {
            agreed,
            given: GivenEtcd {
                endpoints: flags.etcd_endpoint.clone(),
                ca: flags.etcd_cacert.clone(),
                cert: flags.etcd_cert.clone(),
                key: flags.etcd_key.clone(),
            },
            engine: engine(flags),
        }),
        ClusterKind::Kind => Box::new(Kind {
            guard: guard.clone(),
            engine: engine(flags),
            image: std::env::var("KEYWITNESS_NODE_IMAGE").ok().filter(|image| !image.is_empty()),
            config: flags.kind_config.clone(),
        }),
        ClusterKind::Sandbox if flags.cluster_name.is_some() => {
            Box::new(ReuseSandbox { guard: guard.clone(), name: flags.cluster_name.clone().unwrap_or_default() })
        }
        ClusterKind::Sandbox => Box::new(SandboxProvider { guard: guard.clone(), apiserver: apiserver(flags) }),
    }
}

/// Named, or the one that envtest's variable leads to.
fn apiserver(flags: &ClusterFlags) -> Option<PathBuf> {
    flags.apiserver.clone().or_else(envtest_apiserver)
}

pub(super) fn envtest_apiserver() -> Option<PathBuf> {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").filter(|dir| !dir.is_empty())?;
    Some(PathBuf::from(assets).join("kube-apiserver")).filter(|path| path.is_file())
}

pub(super) fn consent(flags: &ClusterFlags) -> Consent {
    if flags.yes {
        Consent::Given
    } else if console::user_attended() && console::user_attended_stderr() {
        Consent::Ask(Box::new(|question: &ConsentQuestion| screen::agrees(question)))
    } else {
        Consent::Nobody
    }
}

pub(super) fn engine(flags: &ClusterFlags) -> Option<Flavor> {
    match flags.engine.as_deref() {
        Some("docker") => Some(Flavor::Docker),
        Some("podman") => Some(Flavor::Podman),
        _ => None,
    }
}
