//! A cluster that is up for a lab, with the one watch over it and all that the lab's commands find: what running a lab
//! and learning by it have in common.

mod raise;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::command::{self, CommandSeen};
use super::environment::Environment;
use super::{Vars, secrets};
use crate::cluster::{Cluster, ClusterError, ClusterInfo, Provider};
use crate::journal::{Delivered, JournalView, Need, Revision, Seen, Seq};
use crate::lab::{ClusterKind, Lab};
use crate::terminal::{NodeSettings, NodeShells, TerminalSettings};
use crate::text::keep_secret;
use crate::witness::{Observer, Witness};
use kube_etcd_codec::secret_texts;
use owned_processes::{Guard, ShellIo};
pub use raise::etcdctl_route;

/// Wide enough that no table of kubectl's is folded.
const SCREEN: (u16, u16) = (50, 200);
/// How long a cluster that a command failed on may take to say that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// What a lab needs of a machine.
pub struct GroundRequest<'a> {
    pub lab: &'a Lab,
    pub kind: ClusterKind,
    pub vars: &'a Vars,
    pub provider: &'a dyn Provider,
    pub guard: Guard,
    pub keep: bool,
    /// Folders that outlive this process, which are there; without them all lies in the guard's own.
    pub lasting: Option<Lasting>,
    /// The journal begins at this revision, where etcd still knows it.
    pub since: Option<Revision>,
    pub interrupt: CancellationToken,
}

/// Where a session that is resumed later keeps what it needs.
#[derive(Debug, Clone)]
pub struct Lasting {
    /// The cluster's own files.
    pub cluster: PathBuf,
    /// `LAB_WORK`.
    pub work: PathBuf,
}

/// The ground that a lab stands on.
pub struct Ground {
    pub info: ClusterInfo,
    /// With what the runner itself gives.
    pub vars: Vars,
    pub witness: Witness,
    pub(super) kind: ClusterKind,
    pub(super) observer: Observer,
    pub(super) environment: Environment,
    pub(super) guard: Guard,
    pub(super) interrupt: CancellationToken,
    cluster: Shared,
    kubeconfig: Option<PathBuf>,
    shells: PathBuf,
    /// Secrets of the cluster are hidden up to here.
    hidden_upto: Lock<Seq>,
}

impl Ground {
    pub fn kind(&self) -> ClusterKind {
        self.kind
    }

    /// Whether an etcd that does not answer is a fault: in a bare lab it is the lab's own, and may be down.
    pub fn store_must_answer(&self) -> bool {
        self.kind != ClusterKind::Bare
    }

    pub fn kubeconfig(&self) -> Option<&Path> {
        self.kubeconfig.as_deref()
    }

    /// Variables of the lab's shells, over the environment of whoever starts them.
    pub fn variables(&self) -> &[(String, String)] {
        &self.environment.host
    }

    /// Folders before all others on PATH.
    pub fn path(&self) -> &[PathBuf] {
        &self.environment.path_prefix
    }

    /// `LAB_WORK`.
    pub fn work(&self) -> &Path {
        &self.environment.work
    }

    /// One look at whatever is neither in the journal nor a block's output.
    pub async fn look(&self, need: &Need) -> Seen {
        match need {
            Need::Output { .. } => Seen::Nothing("no block has run".to_owned()),
            Need::Run { command } => match self.command(command).await {
                Ok(CommandSeen { exit, stdout, stderr }) => Seen::Run { exit, stdout, stderr },
                Err(why) => Seen::Unavailable(why),
            },
            Need::Etcd { member } => match self.witness.etcd(member.as_deref()).await {
                Ok(seen) => Seen::Etcd(seen),
                Err(why) => Seen::Unavailable(why),
            },
            Need::Resource { kind, name, namespace } => self.observer.resource(kind, name, namespace.as_deref()).await,
            Need::Snapshot { file } => self.observer.snapshot(file).await,
        }
    }

    /// `bash -c` in `LAB_WORK`, with the lab's environment.
    pub async fn command(&self, text: &str) -> Result<CommandSeen, String> {
        command::run(&self.environment, &self.guard, &self.interrupt, text).await
    }

    /// Why the store does not answer, if so. In a bare lab it is the lab's own, and may be down.
    pub async fn store_is_gone(&self) -> Option<String> {
        if !self.store_must_answer() {
            return None;
        }
        match tokio::time::timeout(SIGN_OF_LIFE, self.witness.progress()).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(self.why_etcd_ended().unwrap_or_else(|| error.to_string())),
            Err(_) => Some(
                self.why_etcd_ended()
                    .unwrap_or_else(|| format!("etcd has not answered for {} s", SIGN_OF_LIFE.as_secs())),
            ),
        }
    }

    fn why_etcd_ended(&self) -> Option<String> {
        self.info.why_etcd_ended().map(|why| format!("etcd ended: {why}"))
    }

    /// Takes in the Secrets that came since the last time, so that no output shows them. The journal is caught up
    /// first, as far as that is returned: the command whose output is to be shown may have made one.
    pub async fn hide_secrets(&self) -> Option<Delivered> {
        // An etcd that does not answer takes no Secrets either; what it delivered is known.
        let told = tokio::time::timeout(SIGN_OF_LIFE, self.witness.progress()).await;
        let delivered = told.ok().and_then(Result::ok);
        let view = self.witness.journal();
        let found = {
            let mut upto = self.hidden_upto.lock().unwrap_or_else(PoisonError::into_inner);
            secrets::since(&view, std::mem::replace(&mut *upto, view.end()), &self.info.prefix)
        };
        keep_secret(found.texts);
        for (namespace, name) in found.encrypted {
            // Only the API knows what stands in it.
            if let Seen::Resource(Some(object)) = self.observer.resource("Secret", &name, Some(&namespace)).await {
                keep_secret(secret_texts(&object));
            }
        }
        delivered
    }

    /// Takes in the Secrets that are in the journal already, as far as they can be read in it.
    pub fn hide_known_secrets(&self, view: &JournalView) {
        let mut upto = self.hidden_upto.lock().unwrap_or_else(PoisonError::into_inner);
        if *upto >= view.end() || *upto == 0 {
            return;
        }
        let found = secrets::since(view, *upto, &self.info.prefix);
        if found.encrypted.is_empty() {
            *upto = view.end();
        }
        keep_secret(found.texts);
    }

    /// Keeps the state of the cluster's store in a file; `Ok(false)` where this kind of cluster cannot.
    pub async fn save(&self, file: &Path) -> Result<bool, ClusterError> {
        let held = self.cluster.0.lock().await;
        match held.as_ref() {
            Some(cluster) => cluster.save(file).await,
            None => Err(ClusterError::new("the cluster is gone")),
        }
    }

    /// Puts the store back to what a file holds; `Ok(false)` where this kind of cluster cannot.
    pub async fn restore(&self, file: &Path) -> Result<bool, ClusterError> {
        let mut held = self.cluster.0.lock().await;
        match held.as_mut() {
            Some(cluster) => cluster.restore(file).await,
            None => Err(ClusterError::new("the cluster is gone")),
        }
    }

    pub(super) fn terminals(&self, cancel: CancellationToken) -> TerminalSettings {
        TerminalSettings {
            guard: self.guard.clone(),
            private_dir: self.shells.clone(),
            cwd: self.environment.work.clone(),
            env: self.environment.host.clone(),
            path_prefix: self.environment.path_prefix.clone(),
            rows: SCREEN.0,
            columns: SCREEN.1,
            cancel,
            node: Some(NodeSettings {
                shells: Arc::new(self.cluster.clone()),
                env: self.environment.node.clone(),
                path_prefix: Vec::new(),
            }),
            casts: None,
        }
    }

    /// Ends the watch, and the cluster unless it is to stay.
    pub async fn close(self, keep: bool) -> Result<(), ClusterError> {
        self.witness.close().await;
        match self.cluster.take().await {
            Some(cluster) if !keep => cluster.down().await,
            _ => Ok(()),
        }
    }
}

/// The cluster, which shells on its node and its end both need.
#[derive(Clone)]
struct Shared(Arc<Mutex<Option<Box<dyn Cluster>>>>);

impl Shared {
    async fn take(&self) -> Option<Box<dyn Cluster>> {
        self.0.lock().await.take()
    }
}

#[async_trait::async_trait]
impl NodeShells for Shared {
    async fn open(&self, rows: u16, columns: u16) -> Result<ShellIo, String> {
        let held = self.0.lock().await;
        let cluster = held.as_ref().ok_or("the cluster is gone")?;
        cluster.node_shell(rows, columns).await.map_err(|error| match error.hint {
            Some(hint) => format!("{} ({hint})", error.message),
            None => error.message,
        })
    }
}
