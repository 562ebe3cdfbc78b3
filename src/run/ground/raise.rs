//! Brings a ground up: the cluster, the tools that the lab's commands find, the watch.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as Lock};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Ground, GroundRequest, Shared};
use crate::cluster::{Cluster, ClusterInfo, ClusterRequest, EtcdAccess, StageSink};
use crate::lab::keywords::GIVEN_PREFIX;
use crate::lab::{ClusterKind, Lab, Requirement};
use crate::outcome::StopCause;
use crate::run::environment::{Environment, Folders};
use crate::run::{Stopped, Vars};
use crate::terminal::{EtcdctlRoute, EtcdctlTls, install_etcdctl};
use crate::witness::{Observer, Witness, WitnessRequest};
use owned_processes::Guard;

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
            let why = format!("cannot write {}/etcdctl: {error}", bin.display());
            Stopped::new(StopCause::CannotJudge, why)
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
    let given = environment.host.iter().filter(|(name, _)| name.starts_with(GIVEN_PREFIX));
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
