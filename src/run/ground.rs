//! A cluster that is up for a lab, with the one watch over it and all that the lab's commands find: what running a lab
//! and learning by it have in common.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::command::{self, CommandSeen};
use super::environment::{Environment, Folders};
use super::{Stopped, Vars, secrets};
use crate::cluster::{Cluster, ClusterError, ClusterInfo, ClusterRequest, EtcdAccess, Provider, StageSink};
use crate::journal::{JournalView, Need, Revision, Seen, Seq};
use crate::lab::{ClusterKind, Lab, Requirement};
use crate::outcome::StopCause;
use crate::terminal::{EtcdctlRoute, EtcdctlTls, NodeSettings, NodeShells, TerminalSettings, install_etcdctl};
use crate::text::keep_secret;
use crate::witness::{Observer, Witness, WitnessRequest};
use kube_etcd_codec::secret_texts;
use owned_processes::{Guard, ShellIo};

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
    /// Brings the cluster up and opens the watch. What was brought up is taken down again where that fails.
    pub async fn raise(request: &GroundRequest<'_>, stages: &dyn StageSink) -> Result<Self, Stopped> {
        let members = members(request.lab, request.vars)?;
        let folder = |name: &str| {
            let cannot =
                |error: std::io::Error| Stopped::new(StopCause::CannotJudge, format!("no folder to work in: {error}"));
            request.guard.folder(name).map_err(cannot)
        };
        let (private, work) = match &request.lasting {
            Some(lasting) => (lasting.cluster.clone(), lasting.work.clone()),
            None => (folder("cluster")?, folder("work")?),
        };
        let places = Places { home: folder("home")?, bin: folder("bin")?, shells: folder("terminals")?, private, work };
        let wanted = ClusterRequest {
            lab: request.lab.id.clone(),
            run_id: request.guard.run_id().to_owned(),
            spec: request.lab.cluster.clone(),
            members: members.clone(),
            private_dir: places.private.clone(),
            keep: request.keep,
            interrupt: request.interrupt.clone(),
        };
        let cluster = request
            .provider
            .up(&wanted, stages)
            .await
            .map_err(|error| Stopped::of_cluster("", error, &request.interrupt))?;
        match Box::pin(Self::over(request, cluster.as_ref(), places, members)).await {
            Ok(over) => Ok(over.with(cluster)),
            Err(stopped) => {
                if !request.keep {
                    // Why the lab cannot start is what matters.
                    drop(cluster.down().await);
                }
                Err(stopped)
            }
        }
    }

    async fn over(
        request: &GroundRequest<'_>,
        cluster: &dyn Cluster,
        places: Places,
        members: Vec<(String, String)>,
    ) -> Result<Over, Stopped> {
        let Places { work, home, bin, shells, private } = places;
        let lab = request.lab;
        let info = cluster.info().clone();
        let access = cluster.etcd();
        let folders = Folders { work: &work, home: &home, private: &private };
        let mut environment = Environment::new(lab, request.vars, cluster, &folders);
        if !info.runs_pods && lab.requires.iter().any(|wanted| wanted.value == Requirement::Pods) {
            let why = "it requires pods that really run, and this cluster runs none";
            return Err(Stopped::new(StopCause::NotHere, why));
        }
        environment.path_prefix.push(bin.clone());
        link_tools(&bin);
        install_etcdctl(&bin, &etcdctl_route(&access)).map_err(|error| {
            let told = format!("cannot write {}/etcdctl: {error}", bin.display());
            Stopped::new(StopCause::CannotJudge, told)
        })?;
        let watched = WitnessRequest {
            guard: request.guard.clone(),
            access,
            prefix: info.prefix.clone(),
            bare: request.kind == ClusterKind::Bare,
            members,
        };
        let witness = async {
            if let Some(since) = request.since
                && let Ok(witness) = Witness::open_from(watched.clone(), Some(since + 1)).await
            {
                return Ok(witness);
            }
            Witness::open(watched).await
        };
        let witness = tokio::select! {
            witness = witness => witness.map_err(|error| Stopped::new(StopCause::CannotJudge, error.to_string()))?,
            () = request.interrupt.cancelled() => return Err(Stopped::new(StopCause::Interrupted, "interrupted")),
        };
        let kubeconfig = cluster.kubeconfig().map(Path::to_owned);
        let observer = Observer::new(request.guard.clone(), kubeconfig.clone(), work);
        Ok(Over {
            vars: with_given(request.vars, &environment),
            info,
            witness,
            kind: request.kind,
            observer,
            environment,
            guard: request.guard.clone(),
            interrupt: request.interrupt.clone(),
            kubeconfig,
            shells,
        })
    }

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
    /// first: the command whose output is to be shown may have made one.
    pub async fn hide_secrets(&self) {
        // An etcd that does not answer takes no Secrets either; what it delivered is known.
        drop(tokio::time::timeout(SIGN_OF_LIFE, self.witness.progress()).await);
        let view = self.witness.journal();
        let found = {
            let mut upto = self.hidden_upto.lock().unwrap_or_else(PoisonError::into_inner);
            secrets::since(&view, std::mem::replace(&mut *upto, view.end()), &self.info.prefix)
        };
        keep_secret(found.texts);
        for (namespace, name) in found.encrypted {
            // Only the API can tell what stands in it.
            if let Seen::Resource(Some(object)) = self.observer.resource("Secret", &name, Some(&namespace)).await {
                keep_secret(secret_texts(&object));
            }
        }
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

/// A ground without its cluster, which its making only looks at.
struct Over {
    info: ClusterInfo,
    vars: Vars,
    witness: Witness,
    kind: ClusterKind,
    observer: Observer,
    environment: Environment,
    guard: Guard,
    interrupt: CancellationToken,
    kubeconfig: Option<PathBuf>,
    shells: PathBuf,
}

impl Over {
    fn with(self, cluster: Box<dyn Cluster>) -> Ground {
        let Self { info, vars, witness, kind, observer, environment, guard, interrupt, kubeconfig, shells } = self;
        let cluster = Shared(Arc::new(Mutex::new(Some(cluster))));
        let hidden_upto = Lock::new(0);
        Ground {
            info,
            vars,
            witness,
            kind,
            observer,
            environment,
            guard,
            interrupt,
            cluster,
            kubeconfig,
            shells,
            hidden_upto,
        }
    }
}

struct Places {
    work: PathBuf,
    home: PathBuf,
    bin: PathBuf,
    shells: PathBuf,
    private: PathBuf,
}

/// Checks and expected outputs name what the runner gives as well.
fn with_given(vars: &Vars, environment: &Environment) -> Vars {
    let mut vars = vars.clone();
    let given = environment.host.iter().filter(|(name, _)| name.starts_with("LAB_"));
    vars.values.extend(given.cloned());
    vars
}

fn members(lab: &Lab, vars: &Vars) -> Result<Vec<(String, String)>, Stopped> {
    let filled = lab.etcd.iter().map(|(name, endpoint)| {
        let endpoint =
            endpoint.render(&vars.values).map_err(|error| Stopped::new(StopCause::Wrong, error.to_string()))?;
        Ok((name.value.clone(), endpoint))
    });
    filled.collect()
}

/// What the lab's commands call may lie where only the runner looks.
fn link_tools(bin: &Path) {
    let tools = ["kubectl", "etcd", "etcdutl"].map(|name| (name, owned_processes::tool(name)));
    let own = [("keywitness", std::env::current_exe().ok())];
    for (name, path) in tools.into_iter().chain(own) {
        if let Some(path) = path {
            // Where it cannot be linked, the command says that it is not found.
            drop(std::os::unix::fs::symlink(path, bin.join(name)));
        }
    }
}

/// How an etcdctl of ours reaches this etcd.
pub fn etcdctl_route(access: &EtcdAccess) -> EtcdctlRoute {
    match access {
        EtcdAccess::Direct { endpoints, tls } => match owned_processes::tool("etcdctl") {
            Some(etcdctl) => EtcdctlRoute::Direct {
                etcdctl,
                endpoints: endpoints.clone(),
                tls: tls.as_ref().map(|tls| EtcdctlTls {
                    ca: tls.ca.clone(),
                    cert: tls.cert.clone(),
                    key: tls.key.clone(),
                }),
            },
            None => EtcdctlRoute::None(
                "it is not on this machine; scripts/setup gets it, and KEYWITNESS_ETCDCTL names one that is elsewhere"
                    .to_owned(),
            ),
        },
        EtcdAccess::Command { argv, .. } => EtcdctlRoute::Command(argv.clone()),
        EtcdAccess::None(why) => EtcdctlRoute::None(why.clone()),
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
