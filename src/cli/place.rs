//! A cluster that is there, to be looked at: nothing of it is made, changed or removed.

use std::time::Duration;

use super::args::ClusterFlags;
use super::error::CliError;
use super::provider;
use crate::cluster::{Agreed, Attach, Cluster, ClusterRequest, Consent, KeptSandbox, Reuse, StageSink};
use crate::lab::keywords::given;
use crate::lab::{ClusterKind, ClusterSpec};
use crate::witness::WitnessRequest;
use owned_processes::{Guard, GuardSettings, Interrupt};

pub(super) struct Place {
    pub(super) guard: Guard,
    pub(super) cluster: Box<dyn Cluster>,
    pub(super) interrupt: tokio_util::sync::CancellationToken,
}

struct Silent;

impl StageSink for Silent {
    fn passed(&self, _: &str, _: Option<&str>, _: Duration) {}
}

/// Which kind of cluster is meant; the flags then name the very one.
pub(super) fn choose(flags: &ClusterFlags) -> Result<(ClusterKind, ClusterFlags), CliError> {
    let mut flags = flags.clone();
    let kind = match flags.on {
        Some(kind) => kind,
        None if flags.context.is_some() || !flags.etcd_endpoint.is_empty() => ClusterKind::Attach,
        None if flags.cluster_name.is_none() && is_in_a_lab() => ClusterKind::Attach,
        None => match &flags.cluster_name {
            Some(name) if KeptSandbox::find(name).is_none() => ClusterKind::Kind,
            _ => ClusterKind::Sandbox,
        },
    };
    match kind {
        ClusterKind::Bare => Err(CliError::wrong_call(
            "a bare lab's etcd ends with the lab",
            "name a cluster that is there: --cluster NAME, or --on attach",
        )),
        ClusterKind::Kind if flags.cluster_name.is_none() => Err(CliError::wrong_call(
            "which kind cluster is meant?",
            "--cluster NAME; `keywitness cluster list` shows them",
        )),
        ClusterKind::Sandbox if flags.cluster_name.is_none() => {
            flags.cluster_name = Some(only_sandbox()?);
            Ok((kind, flags))
        }
        ClusterKind::Sandbox | ClusterKind::Kind | ClusterKind::Attach => Ok((kind, flags)),
    }
}

/// In a shell of a lab the kubeconfig is that of the lab's own cluster.
fn is_in_a_lab() -> bool {
    [given::CLUSTER, given::KUBECONFIG].iter().all(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn only_sandbox() -> Result<String, CliError> {
    let names: Vec<String> = KeptSandbox::all().into_iter().map(|kept| kept.name).collect();
    match &names[..] {
        [name] => Ok(name.clone()),
        [] => Err(CliError::wrong_call(
            "no cluster is named, and there is no sandbox that stays",
            "--cluster NAME, or --on attach for the current context; `keywitness cluster up --on sandbox` makes a sandbox",
        )),
        _ => Err(CliError::wrong_call(
            format!("which sandbox is meant: {}?", names.join(", ")),
            format!("--cluster {}", names[0]),
        )),
    }
}

impl Place {
    pub(super) async fn open(flags: &ClusterFlags) -> Result<Self, CliError> {
        let unusable = |error: std::io::Error| CliError::unavailable(error.to_string(), "is the temp folder writable?");
        let (kind, flags) = choose(flags)?;
        let interrupt = Interrupt::listen().map_err(unusable)?.token();
        // Reading changes nothing, so that there is nothing to agree to.
        let agreed = match kind {
            ClusterKind::Attach => {
                Attach::agree(flags.context.as_deref(), flags.kubeconfig.as_deref(), &Consent::Given, &[])?
            }
            ClusterKind::Kind => {
                let name = flags.cluster_name.as_deref().unwrap_or_default();
                Reuse::agree(provider::engine(&flags), name, &Consent::Given, &[]).await?
            }
            ClusterKind::Sandbox | ClusterKind::Bare => Agreed::default(),
        };
        let guard = Guard::start(GuardSettings::with_watchdog()).map_err(unusable)?;
        let made = async {
            let private_dir = guard.folder("cluster").map_err(unusable)?;
            let request = ClusterRequest {
                lab: "look".to_owned(),
                run_id: guard.run_id().to_owned(),
                spec: ClusterSpec::default(),
                members: Vec::new(),
                private_dir,
                keep: true,
                interrupt: interrupt.clone(),
            };
            Ok::<_, CliError>(provider::build(kind, &flags, agreed, &guard).up(&request, &Silent).await?)
        };
        match made.await {
            Ok(cluster) => Ok(Self { guard, cluster, interrupt }),
            Err(error) => {
                guard.end().await;
                Err(error)
            }
        }
    }

    pub(super) fn prefix(&self) -> String {
        self.cluster.info().prefix.trim_end_matches('/').to_owned()
    }

    pub(super) fn request(&self) -> WitnessRequest {
        WitnessRequest {
            guard: self.guard.clone(),
            access: self.cluster.etcd(),
            prefix: self.prefix(),
            bare: false,
            members: Vec::new(),
        }
    }

    /// Leaves the cluster as it is.
    pub(super) async fn leave(self) {
        // What was forwarded or copied for reading goes with the guard.
        drop(self.cluster.down().await);
        for left in self.guard.end().await {
            super::screen::note(&format!("could not be cleaned up: {left}"));
        }
    }
}

/// Runs with a cluster at hand, and lets go of it however that ends.
pub(super) fn with<T>(
    flags: &ClusterFlags,
    work: impl AsyncFnOnce(&Place) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let runtime = super::runtime()
        .map_err(|error| CliError::unavailable(format!("no threads to run on: {error}"), "try again"))?;
    let done = runtime.block_on(async {
        let place = Place::open(flags).await?;
        let done = work(&place).await;
        place.leave().await;
        done
    });
    // A read of standard input cannot be called off.
    runtime.shutdown_background();
    done
}
