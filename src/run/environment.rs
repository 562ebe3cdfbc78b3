use std::path::{Path, PathBuf};

use super::Vars;
use crate::cluster::Cluster;
use crate::lab::Lab;
use crate::lab::keywords::given;

/// The text may have the value of a secret variable in it, and everybody can read the arguments of a process.
const TAKE_COMMAND: &str = "set -- \"$KEYWITNESS_COMMAND\"; unset KEYWITNESS_COMMAND; eval \"set --; $1\"";

/// What every terminal and every command of a lab finds in its environment.
#[derive(Debug, Clone)]
pub(super) struct Environment {
    pub(super) host: Vec<(String, String)>,
    pub(super) node: Vec<(String, String)>,
    /// Folders before all others on PATH.
    pub(super) path_prefix: Vec<PathBuf>,
    /// `LAB_WORK`: where shells start and `run` checks run.
    pub(super) work: PathBuf,
}

/// Folders of the run.
pub(super) struct Folders<'a> {
    pub(super) work: &'a Path,
    /// What a tutorial appends to `~/.bashrc` is not the person's.
    pub(super) home: &'a Path,
    pub(super) private: &'a Path,
}

impl Environment {
    pub(super) fn new(lab: &Lab, vars: &Vars, cluster: &dyn Cluster, folders: &Folders<'_>) -> Self {
        let Folders { work, home, private } = *folders;
        let info = cluster.info();
        // Where there is no Kubernetes, kubectl must not find the learner's own clusters either.
        let none = private.join("no-cluster.kubeconfig");
        let kubeconfig = cluster.kubeconfig().unwrap_or(&none);
        let text = |path: &Path| path.display().to_string();
        let path = |path: Option<&PathBuf>| path.map(|path| text(path)).unwrap_or_default();
        let dir = std::path::absolute(&lab.dir).unwrap_or_else(|_| lab.dir.clone());
        let shared = |pki: Option<&PathBuf>, data: Option<&PathBuf>| {
            let mut all: Vec<(String, String)> = vars.values.clone().into_iter().collect();
            all.extend(
                [
                    (given::NODE, info.node.clone().unwrap_or_default()),
                    (given::ETCD_POD, info.etcd_pod.clone().unwrap_or_default()),
                    (given::ETCD_PKI, path(pki)),
                    (given::ETCD_DATA, path(data)),
                    (given::CLUSTER, info.name.clone()),
                    (given::ENGINE, info.engine.clone()),
                ]
                .map(|(name, value)| (name.to_owned(), value)),
            );
            all
        };
        let mut host = shared(info.pki.as_ref(), info.data.as_ref());
        host.extend(
            [
                (given::DIR, text(&dir)),
                (given::WORK, text(work)),
                ("HOME", text(home)),
                (given::KUBECONFIG, text(kubeconfig)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let node = shared(info.node_pki.as_ref(), info.node_data.as_ref());
        Self { host, node, path_prefix: Vec::new(), work: work.to_owned() }
    }

    /// A `bash -c` as checks and questions run it: outside of the terminals, with what they find.
    pub(super) fn command(&self, text: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new("bash");
        command.args(["--noprofile", "--norc", "-c", TAKE_COMMAND]).current_dir(&self.work);
        let env = crate::terminal::environment(std::env::vars_os(), &self.path_prefix, &self.host);
        command.env_clear().envs(env).env("KEYWITNESS_COMMAND", text);
        command
    }
}
