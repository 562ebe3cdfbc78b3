//! What a face needs to begin a session: the attempt that is taken up again or a new one, its cluster, its variables.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::args::ClusterFlags;
use super::error::CliError;
use super::provider::{self, NoCluster};
use super::screen;
use crate::lab::{ClusterKind, Lab};
use crate::learn::Progress;
use crate::run::{Ask, Vars, resolve};
use crate::session::{Left, SessionRequest, StartError};
use owned_processes::{Guard, GuardSettings, state_folder};

/// A session that a face asks for.
pub(super) struct Wanted<'a> {
    pub(super) lab: Arc<Lab>,
    pub(super) cluster: &'a ClusterFlags,
    pub(super) seed: Option<u64>,
    pub(super) vars: &'a [(String, String)],
    /// There may be somebody to ask for the values that the lab asks for.
    pub(super) asks: bool,
    /// Begins again although it could be resumed.
    pub(super) fresh: bool,
    pub(super) learner: Option<String>,
}

/// Asks what has to be asked, and listens to `interrupt` only from then on.
pub(super) async fn request(
    wanted: Wanted<'_>,
    interrupt: impl FnOnce() -> io::Result<CancellationToken>,
) -> Result<SessionRequest, CliError> {
    let Wanted { lab, cluster, seed, vars: given, asks, fresh, learner } = wanted;
    let state = state_folder();
    let kept = match Left::of(&state, &lab) {
        Left::Progress(progress) if !fresh => Some(progress),
        _ => None,
    };
    let kind = kind(cluster, &lab, kept.as_deref())?;
    let agreed = provider::agree(&lab, kind, cluster).await?;
    let (seed, vars) = vars(seed, given, &lab, kept.as_deref(), asks)?;
    let interrupt = interrupt().map_err(|error| CliError::unavailable(error.to_string(), "try again"))?;
    let guard = Guard::start(GuardSettings::with_watchdog())
        .map_err(|error| CliError::unavailable(error.to_string(), "is the temp folder writable?"))?;
    let provider = provider::build(kind, cluster, agreed, &guard);
    Ok(SessionRequest { lab, kind, seed, vars, provider, guard, state, learner, fresh, interrupt })
}

/// That of the attempt that is taken up again, or what the flags ask for.
fn kind(flags: &ClusterFlags, lab: &Lab, kept: Option<&Progress>) -> Result<ClusterKind, CliError> {
    let before =
        kept.and_then(|kept| lab.clusters.iter().map(|kind| kind.value).find(|kind| kind.name() == kept.cluster));
    if let (Some(kind), None) = (before, flags.on) {
        return Ok(kind);
    }
    provider::choose(lab, flags)
        .map_err(|NoCluster { reason, detail }| CliError::unavailable(reason, detail.join("; ")))
}

/// The values of the attempt that is taken up again, or new ones.
fn vars(
    seed: Option<u64>,
    named: &[(String, String)],
    lab: &Lab,
    kept: Option<&Progress>,
    asks: bool,
) -> Result<(u64, Vars), CliError> {
    let mut given: BTreeMap<String, String> = kept.map(|kept| kept.vars.clone()).unwrap_or_default();
    for (name, value) in named {
        if !lab.vars.iter().any(|var| var.name.value == *name) {
            let hint = crate::text::did_you_mean(name, lab.vars.iter().map(|var| var.name.value.as_str()));
            let hint =
                hint.unwrap_or_else(|| "the front matter of a lab declares its variables under `vars`".to_owned());
            return Err(CliError::wrong_call(format!("{} has no variable {name}", lab.id), hint));
        }
        given.insert(name.clone(), value.clone());
    }
    let before = kept.and_then(|kept| kept.seed.parse().ok());
    let seed = seed.or(before).unwrap_or_else(rand::random);
    let mut ask = screen::ask;
    let asks = asks && kept.is_none() && console::user_attended() && std::io::stdin().is_terminal();
    let ask: Option<&mut Ask<'_>> = if asks { Some(&mut ask) } else { None };
    let vars = resolve(lab, seed, &given, ask);
    vars.map(|vars| (seed, vars))
        .map_err(|problems| CliError::wrong_call(problems.join("; "), "set it with --var NAME=VALUE"))
}

pub(super) fn not_started(error: StartError, lab: &Lab) -> CliError {
    match error {
        StartError::Running { .. } => {
            CliError::wrong_call(error.to_string(), format!("join it: keywitness shell {}", lab.id))
        }
        StartError::Stopped { stopped } => {
            let hint = if stopped.detail.is_empty() { "try again".to_owned() } else { stopped.detail.join("; ") };
            CliError::unavailable(stopped.reason, hint)
        }
        StartError::NotHere(_) => {
            CliError::wrong_call(error.to_string(), "`keywitness list` shows where each lab runs")
        }
        StartError::Folder(_) => CliError::unavailable(error.to_string(), "is the state folder writable?"),
    }
}
