//! Clusters that are kept for many labs.

mod sandbox;
pub(super) mod standing;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::error::CliError;
use super::stages::StageLines;
use super::{args, screen};
use crate::cluster::{
    ClusterError, ClusterRequest, Clusters, Flavor, Found, KeptSandbox, Kind, Origin, bring_up_to_stay,
};
use crate::lab::{ClusterKind, ClusterSpec};
use crate::outcome::Exit;
use owned_processes::{Guard, GuardSettings, Interrupt};

#[derive(Debug, Args)]
pub(super) struct ClusterArgs {
    #[command(subcommand)]
    command: ClusterCommand,
    /// The container engine [default: the one that answers]
    #[arg(long, value_name = "NAME", global = true, value_parser = ["docker", "podman"])]
    engine: Option<String>,
}

#[derive(Debug, Subcommand)]
enum ClusterCommand {
    /// Create a cluster and keep it; other commands use it with `--cluster NAME`
    Up(UpArgs),
    /// Remove a kept cluster, or one left by a killed run
    Down {
        /// The cluster's name
        #[arg(value_name = "NAME", default_value = DEFAULT_NAME)]
        name: String,
    },
    /// List the kept sandboxes and the engine's kind clusters, and which run uses them
    List {
        /// Remove what killed runs left
        #[arg(long)]
        remove_left: bool,
    },
    /// Show the versions and the resource use of one cluster, or of all
    Status {
        /// The cluster's name [default: all]
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
struct UpArgs {
    /// The cluster's name
    #[arg(value_name = "NAME", default_value = DEFAULT_NAME)]
    name: String,
    /// Kind of cluster
    #[arg(long, value_name = "KIND", default_value = ClusterKind::Kind.name(), value_parser = args::cluster_kind(&[ClusterKind::Sandbox, ClusterKind::Kind]))]
    on: ClusterKind,
    /// Also write the kubeconfig to this file, which must not exist; `down` removes it
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// A kube-apiserver to run in place of the sandbox's own API (sandbox) [default: that of KUBEBUILDER_ASSETS, if it has one]
    #[arg(long, value_name = "PATH")]
    apiserver: Option<PathBuf>,
    /// Number of nodes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20))]
    nodes: Option<u32>,
    /// Kubernetes version, such as 1.36
    #[arg(long, value_name = "VERSION")]
    kubernetes: Option<String>,
    /// The node image (kind)
    #[arg(long, value_name = "NAME", env = "KEYWITNESS_NODE_IMAGE", hide_env_values = true)]
    image: Option<String>,
    /// A kind configuration file to start from
    #[arg(long, value_name = "FILE")]
    kind_config: Option<PathBuf>,
    /// Keep a cluster that failed to start, for inspection (kind)
    #[arg(long)]
    keep: bool,
}

const DEFAULT_NAME: &str = "labs";

pub(super) fn main(args: &ClusterArgs) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::unavailable(format!("no runtime: {error}"), "try again"))?;
    runtime.block_on(async {
        let engine = engine(args.engine.as_deref());
        match &args.command {
            ClusterCommand::Up(args) if args.on == ClusterKind::Sandbox => {
                KeptSandbox::clear_away().await;
                sandbox::up(args)
            }
            ClusterCommand::Up(args) => up(args, engine).await,
            ClusterCommand::Down { name } => down(name, engine).await,
            ClusterCommand::List { remove_left } => list(engine, *remove_left).await,
            ClusterCommand::Status { name } => status(engine, name.as_deref()).await,
        }
    })
}

async fn down(name: &str, engine: Option<Flavor>) -> Result<Exit, CliError> {
    KeptSandbox::clear_away().await;
    if let Some(kept) = KeptSandbox::find(name) {
        kept.end().await?;
        return print(&format!("cluster {name} is gone\n"));
    }
    let clusters = Clusters::look(engine).await.map_err(|error| no_engine(name, error))?;
    if !clusters.knows(name) {
        return Err(no_such_cluster(name, &clusters));
    }
    // A guard's start clears away what killed runs left: folders with keys, processes, containers.
    let guard = Guard::start(GuardSettings::default());
    let removed = clusters.remove(name).await;
    if let Ok(guard) = guard {
        guard.end().await;
    }
    removed?;
    print(&format!("cluster {name} is gone\n"))
}

fn no_such_cluster(name: &str, clusters: &Clusters) -> CliError {
    let sandboxes: Vec<String> = KeptSandbox::all().iter().map(|kept| kept.name.clone()).collect();
    let known = sandboxes.iter().map(String::as_str).chain(clusters.all().map(|found| found.name.as_str()));
    let hint = crate::text::did_you_mean(name, known.collect::<Vec<_>>());
    let hint = hint.unwrap_or_else(|| "`keywitness cluster list` names those that are there".to_owned());
    let message = format!("there is no cluster {name}: no sandbox, and no kind cluster on {}", clusters.engine());
    CliError::wrong_call(message, hint)
}

/// Without an engine only sandboxes can be found.
fn no_engine(name: &str, error: ClusterError) -> ClusterError {
    let message =
        format!("there is no sandbox {name}, and whether there is a kind cluster {name} is not known: {error}");
    ClusterError { message, ..error }
}

pub(super) fn engine(named: Option<&str>) -> Option<Flavor> {
    match named {
        Some("podman") => Some(Flavor::Podman),
        Some(_) => Some(Flavor::Docker),
        None => None,
    }
}

async fn up(args: &UpArgs, engine: Option<Flavor>) -> Result<Exit, CliError> {
    if args.apiserver.is_some() {
        return Err(CliError::wrong_call("--apiserver is for sandboxes", "leave it out, or --on sandbox"));
    }
    let unusable = |error: std::io::Error| CliError::unavailable(error.to_string(), "is the temp folder writable?");
    let interrupt = Interrupt::listen().map_err(unusable)?.token();
    let guard = Guard::start(GuardSettings::with_watchdog()).map_err(unusable)?;
    let request = ClusterRequest {
        lab: args.name.clone(),
        run_id: guard.run_id().to_owned(),
        spec: ClusterSpec { nodes: args.nodes, kubernetes: args.kubernetes.clone() },
        members: Vec::new(),
        private_dir: guard.dir().to_owned(),
        keep: args.keep,
        interrupt: interrupt.clone(),
    };
    let copy = args.kubeconfig.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
    let kind = Kind { guard: guard.clone(), engine, image: args.image.clone(), config: args.kind_config.clone() };
    let made = bring_up_to_stay(&kind, &request, copy, &StageLines::new()).await;
    for left in guard.end().await {
        eprintln!("{left}");
    }
    match made {
        Err(_) if interrupt.is_cancelled() => Ok(Exit::Interrupted),
        Err(error) => Err(error.into()),
        Ok((info, kubeconfig)) => print(&format!(
            "cluster {} is ready: Kubernetes {}, etcd {}\n  keywitness run --on kind --cluster {} LAB\n  \
             export KUBECONFIG={}\n  keywitness cluster down {}\n",
            info.name,
            info.kubernetes.as_deref().unwrap_or("?"),
            info.etcd.as_deref().unwrap_or("?"),
            info.name,
            kubeconfig.display(),
            info.name,
        )),
    }
}

async fn list(engine: Option<Flavor>, remove_left: bool) -> Result<Exit, CliError> {
    if remove_left {
        KeptSandbox::clear_away().await;
    }
    let mut text: String = KeptSandbox::all().iter().map(sandbox::row).collect();
    let clusters = match Clusters::look(engine).await {
        Ok(clusters) => clusters,
        Err(error) if text.is_empty() => return Err(error.into()),
        Err(error) => {
            screen::note(&format!("kind clusters are not listed: {error}"));
            return print(&text);
        }
    };
    for found in clusters.all() {
        if remove_left && found.origin == Origin::Left {
            clusters.remove(&found.name).await?;
            text.push_str(&format!("{:<40} removed: the run that made it was killed\n", found.name));
        } else {
            text.push_str(&format!(
                "{:<40} {:<10} {:<5} {}\n",
                found.name,
                nodes(found),
                age(found.age),
                origin(found)
            ));
        }
    }
    if text.is_empty() {
        text = format!("no kind clusters on {}, and no sandboxes\n", clusters.engine());
    }
    print(&text)
}

async fn status(engine: Option<Flavor>, name: Option<&str>) -> Result<Exit, CliError> {
    if let Some(kept) = name.and_then(KeptSandbox::find) {
        return print(&sandbox::status(&kept));
    }
    let mut text: String = match name {
        Some(_) => String::new(),
        None => KeptSandbox::all().iter().map(sandbox::status).collect(),
    };
    let clusters = match (Clusters::look(engine).await, name) {
        (Ok(clusters), _) => clusters,
        (Err(error), Some(name)) => return Err(no_engine(name, error).into()),
        (Err(error), None) if text.is_empty() => return Err(error.into()),
        (Err(error), None) => {
            screen::note(&format!("kind clusters are not shown: {error}"));
            return print(&text);
        }
    };
    let names: Vec<String> = match name {
        Some(name) => vec![clusters.get(name)?.name.clone()],
        None => clusters.all().map(|found| found.name.clone()).collect(),
    };
    text.push_str(&format!("engine: {}\n", clusters.engine()));
    for name in names {
        let found = clusters.with_usage(&name).await?;
        text.push_str(&format!("{} ({}, {}, {})\n", found.name, origin(&found), found.image, age(found.age)));
        for node in &found.nodes {
            let usage = node.usage.filter(|_| node.running).map_or("stopped".to_owned(), |(memory, processes)| {
                format!("{} MB of memory, {processes} processes", memory / 1_000_000)
            });
            text.push_str(&format!("  {:<44} {usage}\n", node.name));
        }
    }
    print(&text)
}

fn nodes(found: &Found) -> String {
    let running = found.nodes.iter().filter(|node| node.running).count();
    match found.nodes.len() {
        all if all == running => format!("{all} node{}", if all == 1 { "" } else { "s" }),
        all => format!("{running}/{all} nodes"),
    }
}

fn origin(found: &Found) -> String {
    match &found.origin {
        Origin::Kept(by) => format!("kept: {by}"),
        Origin::InUse(run) => format!("in use by the run {run}"),
        Origin::Left => format!("left by a killed run: `keywitness cluster down {}`", found.name),
        Origin::Foreign => "not made by keywitness".to_owned(),
    }
}

fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn print(text: &str) -> Result<Exit, CliError> {
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_err(|source| CliError::Output { what: "to standard output".to_owned(), source })?;
    Ok(Exit::Passed)
}
