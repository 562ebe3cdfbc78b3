//! One lab from its cluster's start to its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::environment::{Environment, Folders};
use super::named::Named;
use super::runner::{Runner, Spending};
use super::tell::Teller;
use super::tidy::Tidied;
use super::{EventSink, Mode, Plan, Vars};
use crate::cluster::{Cluster, ClusterError, ClusterRequest, EtcdAccess, Layer, LayerState, Provider, StageSink};
use crate::guard::{Guard, ShellIo};
use crate::journal::Seq;
use crate::lab::{ClusterKind, Lab, Requirement};
use crate::outcome::{ClusterReport, PullState, PulledLayer, RunEvent, Spent, StopCause, Verdict};
use crate::terminal::{
    EtcdctlRoute, EtcdctlTls, NodeSettings, NodeShells, TerminalSettings, Terminals, install_etcdctl,
};
use crate::text::keep_secret;
use crate::witness::{Observer, Witness, WitnessRequest};

/// Wide enough that no table of kubectl's is folded.
const SCREEN: (u16, u16) = (50, 200);

/// A lab to run, with all that is particular to this run of it.
pub struct LabRequest<'a> {
    /// Counts the labs of the run.
    pub index: usize,
    pub lab: &'a Lab,
    pub plan: Plan,
    pub mode: Mode,
    pub kind: ClusterKind,
    pub vars: Vars,
    pub provider: &'a dyn Provider,
    /// This lab's own: it ends with it.
    pub guard: Guard,
    pub keep: bool,
    pub interrupt: CancellationToken,
}

/// Runs the lab, and tells everything to the sink: how it came out stands in the fold of what was told.
pub async fn run_lab(request: LabRequest<'_>, sink: &dyn EventSink) {
    let started = Instant::now();
    let lab = request.lab;
    let tell = Teller::new(sink, request.index, request.mode);
    keep_secret(&request.vars.secrets);
    start(lab, &tell);
    let mut spent = Spent::default();
    if let Err(stopped) = Box::pin(whole(&request, &tell, &mut spent)).await {
        stop(lab, &request.plan, stopped, &tell);
    }
    let ending = Instant::now();
    for left in request.guard.end().await {
        tell.notice(format!("could not be cleaned up: {left}"));
    }
    spent.down_ms += millis(ending.elapsed());
    tell.tell(RunEvent::LabFinished { lab: tell.lab(), duration_ms: millis(started.elapsed()), spent });
}

/// Reports a lab that stopped before anything of it was started.
pub fn stop_lab(sink: &dyn EventSink, index: usize, mode: Mode, lab: &Lab, plan: &Plan, stopped: Stopped) {
    let tell = Teller::new(sink, index, mode);
    start(lab, &tell);
    stop(lab, plan, stopped, &tell);
    tell.tell(RunEvent::LabFinished { lab: index, duration_ms: 0, spent: Spent::default() });
}

fn start(lab: &Lab, tell: &Teller<'_>) {
    tell.tell(RunEvent::LabStarted {
        lab: tell.lab(),
        id: lab.id.clone(),
        file: lab.source.name().to_owned(),
        title: lab.title.clone(),
    });
}

/// What gives points is named even where no step was begun, unless the lab is not for this cluster.
fn stop(lab: &Lab, plan: &Plan, stopped: Stopped, tell: &Teller<'_>) {
    let is_for_here = !matches!(stopped.cause, StopCause::NotHere | StopCause::NothingToDo);
    tell.tell(stopped.event(tell.lab()));
    if is_for_here && !tell.has_steps() {
        Named { lab, tell }.not_started(plan);
    }
}

/// What keeps a lab from starting or from ending as it should.
#[derive(Debug, Clone)]
pub struct Stopped {
    pub cause: StopCause,
    pub reason: String,
    pub detail: Vec<String>,
}

impl Stopped {
    pub fn new(cause: StopCause, reason: impl Into<String>) -> Self {
        Self { cause, reason: reason.into(), detail: Vec::new() }
    }

    fn of_cluster(what: &str, error: ClusterError, interrupt: &CancellationToken) -> Self {
        if interrupt.is_cancelled() {
            return Self::new(StopCause::Interrupted, "interrupted");
        }
        let stopped = Self::from(error);
        Self { reason: format!("{what}{}", stopped.reason), ..stopped }
    }

    fn event(self, lab: usize) -> RunEvent {
        RunEvent::LabStopped { lab, cause: self.cause, reason: self.reason, detail: self.detail }
    }
}

impl From<ClusterError> for Stopped {
    fn from(error: ClusterError) -> Self {
        let mut detail = error.detail;
        detail.extend(error.hint.map(|hint| format!("hint: {hint}")));
        Self { cause: StopCause::CannotJudge, reason: error.message, detail }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

async fn whole(request: &LabRequest<'_>, tell: &Teller<'_>, spent: &mut Spent) -> Result<(), Stopped> {
    let bringing_up = Instant::now();
    let members = members(request.lab, &request.vars)?;
    let folder = |name: &str| {
        let cannot =
            |error: std::io::Error| Stopped::new(StopCause::CannotJudge, format!("no folder to work in: {error}"));
        request.guard.folder(name).map_err(cannot)
    };
    let private = folder("cluster")?;
    let (work, home, bin, shells) = (folder("work")?, folder("home")?, folder("bin")?, folder("terminals")?);
    let wanted = ClusterRequest {
        lab: request.lab.id.clone(),
        run_id: request.guard.run_id().to_owned(),
        spec: request.lab.cluster.clone(),
        members: members.clone(),
        private_dir: private.clone(),
        keep: request.keep,
        interrupt: request.interrupt.clone(),
    };
    let cluster = request
        .provider
        .up(&wanted, &Stages { tell })
        .await
        .map_err(|error| Stopped::of_cluster("", error, &request.interrupt))?;
    spent.up_ms = millis(bringing_up.elapsed());
    let cluster = Shared(Arc::new(Mutex::new(Some(cluster))));
    let places = Places { work, home, bin, shells, private };
    let result = Box::pin(on_cluster(request, &cluster, &places, members, tell, spent)).await;
    let ending = Instant::now();
    if request.keep && request.kind == ClusterKind::Sandbox && !request.interrupt.is_cancelled() {
        let kubeconfig = cluster.kubeconfig().await.unwrap_or_default();
        tell.notice(format!("the sandbox stays until Ctrl-C: export KUBECONFIG={}", kubeconfig.display()));
        request.interrupt.cancelled().await;
    }
    let down = match cluster.take().await {
        Some(cluster) if !request.keep => cluster.down().await,
        _ => Ok(()),
    };
    spent.down_ms = millis(ending.elapsed());
    result?;
    down.map_err(|error| Stopped::of_cluster("the cluster did not go down: ", error, &CancellationToken::new()))
}

struct Places {
    work: PathBuf,
    home: PathBuf,
    bin: PathBuf,
    shells: PathBuf,
    private: PathBuf,
}

async fn on_cluster(
    request: &LabRequest<'_>,
    cluster: &Shared,
    places: &Places,
    members: Vec<(String, String)>,
    tell: &Teller<'_>,
    spent: &mut Spent,
) -> Result<(), Stopped> {
    let lab = request.lab;
    let (info, access, kubeconfig, mut environment) = {
        let held = cluster.0.lock().await;
        let held = held.as_ref().ok_or_else(|| Stopped::new(StopCause::CannotJudge, "the cluster is gone"))?;
        let folders = Folders { work: &places.work, home: &places.home, private: &places.private };
        let environment = Environment::new(lab, &request.vars, held.as_ref(), &folders);
        (held.info().clone(), held.etcd(), held.kubeconfig().map(Path::to_owned), environment)
    };
    if !info.runs_pods && lab.requires.iter().any(|wanted| wanted.value == Requirement::Pods) {
        return Err(Stopped::new(StopCause::NotHere, "it requires pods that really run, and this cluster runs none"));
    }
    environment.path_prefix.push(places.bin.clone());
    link_tools(&places.bin);
    install_etcdctl(&places.bin, &etcdctl_route(&access)).map_err(|error| {
        let told = format!("cannot write {}/etcdctl: {error}", places.bin.display());
        Stopped::new(StopCause::CannotJudge, told)
    })?;
    let opening = Instant::now();
    let witness = Witness::open(WitnessRequest {
        guard: request.guard.clone(),
        access,
        prefix: info.prefix.clone(),
        bare: request.kind == ClusterKind::Bare,
        members,
    });
    let witness = tokio::select! {
        witness = witness => witness.map_err(|error| Stopped::new(StopCause::CannotJudge, error.to_string()))?,
        () = request.interrupt.cancelled() => return Err(Stopped::new(StopCause::Interrupted, "interrupted")),
    };
    spent.up_ms += millis(opening.elapsed());
    tell.tell(RunEvent::ClusterReady {
        lab: tell.lab(),
        cluster: ClusterReport {
            kind: request.kind.name().to_owned(),
            kubernetes: info.kubernetes.clone(),
            etcd: info.etcd.clone(),
        },
        vars: request.vars.shown.clone(),
    });
    let terminals = |cancel: CancellationToken| TerminalSettings {
        guard: request.guard.clone(),
        private_dir: places.shells.clone(),
        cwd: places.work.clone(),
        env: environment.host.clone(),
        path_prefix: environment.path_prefix.clone(),
        rows: SCREEN.0,
        columns: SCREEN.1,
        cancel,
        node: Some(NodeSettings {
            shells: Arc::new(cluster.clone()),
            env: environment.node.clone(),
            path_prefix: Vec::new(),
        }),
    };
    let mut runner = Runner {
        lab,
        mode: request.mode,
        kind: request.kind,
        info: info.clone(),
        vars: with_given(&request.vars, &environment),
        tell,
        guard: request.guard.clone(),
        environment: environment.clone(),
        terminals: Terminals::new(terminals(request.interrupt.child_token())),
        witness: &witness,
        observer: Observer::new(request.guard.clone(), kubeconfig, places.work.clone()),
        interrupt: request.interrupt.clone(),
        outputs: std::collections::BTreeMap::new(),
        searched: super::searched::searched(lab, &request.plan, &with_given(&request.vars, &environment).values),
        backgrounds: Vec::new(),
        spent: Spending::default(),
        hidden_upto: 0,
    };
    runner.hide_secrets().await;
    let start = witness.journal().end();
    runner.steps(&request.plan.steps).await;
    if request.interrupt.is_cancelled() {
        tell.tell(Stopped::new(StopCause::Interrupted, "interrupted").event(tell.lab()));
    }
    let (actions, checks) = (runner.spent.actions, runner.spent.checks);
    spent.actions_ms = millis(actions);
    spent.checks_ms = millis(checks);
    let cleaning = Instant::now();
    // A second Ctrl-C ends the process, so that the clean-up after the first needs no token of its own.
    runner.clean_up(&request.plan, terminals(CancellationToken::new())).await;
    if request.mode == Mode::Test && request.kind != ClusterKind::Bare && tell.lab_verdict() == Verdict::Pass {
        let keys = runner.keys_left(start).await;
        if !keys.is_empty() {
            tell.tell(RunEvent::KeysLeft { lab: tell.lab(), keys });
        }
    }
    if info.shared && !request.interrupt.is_cancelled() {
        leave_as_found(&runner, start, tell).await;
    }
    drop(runner);
    spent.cleanup_ms = millis(cleaning.elapsed());
    witness.close().await;
    Ok(())
}

/// A kept cluster of ours is tidied; in somebody else's, what stays is only named.
async fn leave_as_found(runner: &Runner<'_>, start: Seq, tell: &Teller<'_>) {
    let tidied = if runner.kind == ClusterKind::Kind {
        runner.tidy(start).await
    } else {
        Tidied { removed: Vec::new(), stayed: runner.keys_left_after(start, Duration::from_secs(3)).await }
    };
    for (what, keys) in [("removed what the lab left", tidied.removed), ("left in the cluster", tidied.stayed)] {
        if !keys.is_empty() {
            tell.notice(format!("{what}: {}", keys.join(", ")));
        }
    }
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
    let tools = ["kubectl", "etcd", "etcdutl"].map(|name| (name, crate::guard::tool(name)));
    let own = [("keywitness", std::env::current_exe().ok())];
    for (name, path) in tools.into_iter().chain(own) {
        if let Some(path) = path {
            // Where it cannot be linked, the command says that it is not found.
            drop(std::os::unix::fs::symlink(path, bin.join(name)));
        }
    }
}

fn etcdctl_route(access: &EtcdAccess) -> EtcdctlRoute {
    match access {
        EtcdAccess::Direct { endpoints, tls } => match crate::guard::tool("etcdctl") {
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

    async fn kubeconfig(&self) -> Option<PathBuf> {
        self.0.lock().await.as_ref()?.kubeconfig().map(Path::to_owned)
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

struct Stages<'a> {
    tell: &'a Teller<'a>,
}

/// The layers of a pull as an event tells of them.
pub fn pulled(layers: &[Layer]) -> Vec<PulledLayer> {
    let layer = |layer: &Layer| PulledLayer {
        id: layer.id.clone(),
        state: match layer.state {
            LayerState::Waiting => PullState::Waiting,
            LayerState::Downloading => PullState::Downloading,
            LayerState::Unpacking => PullState::Unpacking,
            LayerState::Done => PullState::Done,
        },
        current: layer.current,
        total: layer.total,
    };
    layers.iter().map(layer).collect()
}

impl StageSink for Stages<'_> {
    fn passed(&self, stage: &str, detail: Option<&str>, took: Duration) {
        self.tell.tell(RunEvent::StagePassed {
            lab: self.tell.lab(),
            stage: stage.to_owned(),
            detail: detail.map(str::to_owned),
            duration_ms: millis(took),
        });
    }

    fn pulling(&self, image: &str, layers: &[Layer]) {
        let (lab, image) = (self.tell.lab(), image.to_owned());
        self.tell.tell(RunEvent::Pulling { lab, image, layers: pulled(layers) });
    }

    fn note(&self, text: &str) {
        self.tell.notice(text);
    }
}
