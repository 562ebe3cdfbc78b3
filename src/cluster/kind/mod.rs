//! A Kubernetes cluster in containers, made by the `kind` command.

mod command;
mod config;
mod failure;
mod image;
mod ready;
mod running;

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::engine::{CLUSTER_LABEL, Engine, Flavor};
use super::{Cluster, ClusterError, ClusterRequest, Provider, StageSink};
use owned_processes::{Guard, Owned};

use command::{KindCommand, Stages, kubeconfig_in};
use config::Wanted;

pub(crate) use running::KindCluster;

/// Names longer than this would make host names of nodes that are too long.
const LAB_NAME: usize = 28;
const LATE: std::time::Duration = std::time::Duration::from_secs(1);

/// Makes a cluster for one run.
#[derive(Debug, Clone)]
pub struct Kind {
    pub guard: Guard,
    /// The engine that the user wants; else the one that answers.
    pub engine: Option<Flavor>,
    /// A node image in the place of what the lab asks for (`KEYWITNESS_NODE_IMAGE`).
    pub image: Option<String>,
    /// The user's own kind configuration, to start from.
    pub config: Option<PathBuf>,
}

#[async_trait]
impl Provider for Kind {
    async fn up(&self, request: &ClusterRequest, stages: &dyn StageSink) -> Result<Box<dyn Cluster>, ClusterError> {
        let name = cluster_name(&request.lab, &request.run_id);
        let mut cluster = self.create(&name, request, stages).await?;
        if request.keep {
            cluster.keep(&format!("run --keep of {}", request.lab), None)?;
            stages.note(&format!("kept: `keywitness cluster down {name}` removes the cluster"));
        }
        Ok(Box::new(cluster))
    }
}

impl Kind {
    /// Makes the cluster `name`; what was made before a failure is removed unless it is to be kept.
    pub(crate) async fn create(
        &self,
        name: &str,
        request: &ClusterRequest,
        sink: &dyn StageSink,
    ) -> Result<KindCluster, ClusterError> {
        let mut stages = Stages::new(sink);
        let engine = Engine::find(self.engine).await?;
        sink.note(&format!("engine: {}", engine.taken()));
        engine.check()?;
        let kind = KindCommand::find().await?;
        if owned_processes::tool("kubectl").is_none() {
            return Err(ClusterError::new("the kubectl command is not on PATH").hint(
                "labs call it: https://kubernetes.io/docs/tasks/tools/ says how to install it; \
                 KEYWITNESS_KUBECTL names one that is elsewhere",
            ));
        }
        stages.pass("engine", Some(&format!("{} {}, kind {}", engine.flavor.name(), engine.version, kind.version)));

        let image = image::choose(self.image.as_deref(), request.spec.kubernetes.as_deref(), &engine, &kind).await?;
        if let Some(image) = &image {
            let here = engine.has_image(image).await?;
            if !here {
                engine.pull(image, sink, &request.interrupt).await?;
            }
            stages.pass("image", Some(&format!("{image}{}", if here { "" } else { ", pulled" })));
        }

        let own = self.config.as_deref().map(read_config).transpose()?;
        let wanted = Wanted {
            name,
            nodes: request.spec.nodes,
            image: image.as_deref(),
            cgroup_v1: engine.cgroup_v1(),
            own: own.as_ref().map(|(text, from)| (text.as_str(), from.as_str())),
        };
        let config = config::config(&wanted)?;
        let owner = Ownership::record(&self.guard, &engine, name, &config::node_names(&config, name))?;
        match self.bring_up(name, &config, image.as_deref(), &kind, &engine, request, &mut stages).await {
            Ok(mut cluster) => {
                cluster.own(owner, self.guard.clone());
                Ok(cluster)
            }
            Err(error) if request.keep => {
                owner.release(&self.guard);
                let how = format!("kept for inspection: remove it with `keywitness cluster down {name}`");
                Err(ClusterError {
                    hint: Some(error.hint.map_or(how.clone(), |hint| format!("{hint}; {how}"))),
                    ..error
                })
            }
            Err(error) => {
                let left = remove_unfinished(&engine, name).await;
                if left.is_ok() {
                    owner.release(&self.guard);
                }
                Err(error.detail(left.err().map(|left| left.message)))
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what the steps before it found out; each is used once")]
    async fn bring_up(
        &self,
        name: &str,
        config: &str,
        image: Option<&str>,
        kind: &KindCommand,
        engine: &Engine,
        request: &ClusterRequest,
        stages: &mut Stages<'_>,
    ) -> Result<KindCluster, ClusterError> {
        engine.make_network(name, self.guard.run_id()).await?;
        let dir = request.private_dir.join("kind");
        super::reach::private_folder(&dir)?;
        let file = dir.join("config.json");
        super::reach::write_private(&file, config.as_bytes())?;
        let kubeconfig = kubeconfig_in(&dir);
        let paths = [file.to_string_lossy(), kubeconfig.to_string_lossy()];
        // kind removes the nodes of a failed creation, and with them what they said, unless it is told to retain them.
        let mut args = vec!["create", "cluster", "--retain", "--config", &paths[0], "--kubeconfig", &paths[1]];
        if let Some(image) = image {
            args.extend(["--image", image]);
        }
        let called = kind.call(&args, engine, Some(name), &self.guard, &request.interrupt, stages).await?;
        if !called.ok {
            return Err(creation_failed(engine, name, &called.said, stages.at.as_deref()).await);
        }
        let cluster = KindCluster::connect(engine.clone(), name, kubeconfig, &dir, ready::LIMIT);
        let ready = tokio::select! {
            ready = cluster => ready,
            () = request.interrupt.cancelled() => return Err(ClusterError::new("interrupted while the cluster came up")),
        };
        let cluster = match ready {
            Ok(cluster) => cluster,
            Err(error) => return Err(not_ready(engine, name, error).await),
        };
        stages.pass("ready", Some(&cluster.summary()));
        Ok(cluster)
    }
}

/// What the watchdog ends when nobody else can: by kind's label, which our network carries as well.
pub(crate) struct Ownership(Vec<Owned>);

impl Ownership {
    fn record(guard: &Guard, engine: &Engine, name: &str, nodes: &[String]) -> Result<Self, ClusterError> {
        let mut labels = vec![label(name)];
        if engine.flavor == Flavor::Podman {
            // kind labels a node's volume with nothing but the node's name.
            labels.extend_from_slice(nodes);
        }
        let owned = |label| Owned::Labelled { engine: engine.command(), label };
        let all: Vec<Owned> = labels.into_iter().map(owned).collect();
        for one in &all {
            guard.record(one.clone()).map_err(|error| ClusterError::new(format!("the run's ledger: {error}")))?;
        }
        Ok(Self(all))
    }

    pub(crate) fn release(self, guard: &Guard) {
        for one in self.0 {
            // Where this cannot be written, the end of the run looks once more for what is gone.
            drop(guard.release(one));
        }
    }
}

fn label(name: &str) -> String {
    format!("{CLUSTER_LABEL}={name}")
}

/// Removes a cluster of ours: its nodes with their volumes, and its network.
pub(crate) async fn remove(engine: &Engine, name: &str) -> Result<(), ClusterError> {
    let nodes = engine.nodes(&label(name)).await?;
    let removals = nodes.iter().map(|node| engine.remove(&node.id));
    futures::future::try_join_all(removals).await?;
    engine.remove_volumes(name).await?;
    engine.remove_network(name).await
}

/// Removes what a creation left that was broken off: the engine may still be making what nobody waits for any more.
async fn remove_unfinished(engine: &Engine, name: &str) -> Result<(), ClusterError> {
    // What fails now, since a container has just come into the network, is tried again below.
    drop(remove(engine, name).await);
    tokio::time::sleep(LATE).await;
    remove(engine, name).await
}

/// The kubeconfig of a cluster that kind knows, into a file of this run.
pub(crate) async fn fetch_kubeconfig(
    engine: &Engine,
    name: &str,
    into: &Path,
    guard: &Guard,
) -> Result<(), ClusterError> {
    let kind = KindCommand::find().await?;
    let never = tokio_util::sync::CancellationToken::new();
    let args = ["get", "kubeconfig", "--name", name];
    let called = kind.call(&args, engine, None, guard, &never, &mut Stages::new(&Unseen)).await?;
    if !called.ok {
        return Err(
            ClusterError::new(format!("kind has no kubeconfig of {name}")).detail(failure::reasons(&called.said))
        );
    }
    // What kind notes about itself stands on lines of its own before the document.
    let from = called.said.iter().position(|line| line.starts_with("apiVersion:")).unwrap_or(0);
    super::reach::write_private(into, called.said[from..].join("\n").as_bytes())
}

struct Unseen;

impl StageSink for Unseen {
    fn passed(&self, _stage: &str, _detail: Option<&str>, _took: std::time::Duration) {}
}

fn read_config(path: &Path) -> Result<(String, String), ClusterError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ClusterError::new(format!("{} cannot be read: {error}", path.display())))?;
    Ok((text, path.display().to_string()))
}

async fn creation_failed(engine: &Engine, name: &str, said: &[String], at: Option<&str>) -> ClusterError {
    let at = at.map_or(String::new(), |stage| format!(" at “{stage}”"));
    let (whose, words) = last_words(engine, name).await;
    let cause = failure::usual_cause(said.iter().chain(&words));
    let mut error =
        ClusterError::new(format!("kind could not create the cluster {name}{at}")).detail(failure::reasons(said));
    if !words.is_empty() {
        error =
            error.detail([format!("the {whose}'s last output:")]).detail(words.iter().map(|line| format!("  {line}")));
    }
    error.hint = cause.map(ToOwned::to_owned);
    error
}

async fn not_ready(engine: &Engine, name: &str, error: ClusterError) -> ClusterError {
    let (whose, words) = last_words(engine, name).await;
    let cause = failure::usual_cause(words.iter()).map(ToOwned::to_owned);
    let error = error.detail(words.iter().map(|line| format!("{whose}: {line}")));
    ClusterError { hint: error.hint.clone().or(cause), ..error }
}

/// What the first container that ended wrote, since that is why; where all run, what the first one did.
async fn last_words(engine: &Engine, name: &str) -> (&'static str, Vec<String>) {
    let nodes = engine.nodes(&label(name)).await.unwrap_or_default();
    match nodes.iter().find(|node| !node.running).or(nodes.first()) {
        Some(node) if node.is_node() => ("node", engine.last_words(&node.id, 10).await),
        Some(balancer) => ("load balancer", engine.last_words(&balancer.id, 10).await),
        None => ("node", Vec::new()),
    }
}

fn cluster_name(lab: &str, run_id: &str) -> String {
    let mut lab: String =
        lab.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(LAB_NAME).collect();
    lab.truncate(lab.trim_end_matches('-').len());
    format!("keywitness-{lab}-{run_id}")
}
