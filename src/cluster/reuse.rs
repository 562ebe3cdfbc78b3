//! Clusters that are there: which, whose, and one of them for a run that leaves it as it was.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::consent::{Agreed, AgreedTo, Consent};
use super::engine::{CLUSTER_LABEL, Engine, Flavor, Node};
use super::kept::{self, Kept};
use super::kind::{KindCluster, fetch_kubeconfig, remove};
use super::{Cluster, ClusterError, ClusterRequest, Provider, StageSink};
use owned_processes::Guard;

/// Whose a cluster is, which decides who may remove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Made to stay: by `cluster up`, or by a run with `--keep`.
    Kept(String),
    /// A run that goes on has it.
    InUse(String),
    /// The run that made it was killed.
    Left,
    /// Made by hand with kind.
    Foreign,
}

/// A kind cluster on the engine.
#[derive(Debug, Clone)]
pub struct Found {
    pub name: String,
    pub origin: Origin,
    pub nodes: Vec<FoundNode>,
    pub image: String,
    pub age: Duration,
}

#[derive(Debug, Clone)]
pub struct FoundNode {
    pub name: String,
    pub running: bool,
    /// Bytes of memory and number of processes; only where asked for.
    pub usage: Option<(u64, u64)>,
}

/// What is on the engine of this user.
pub struct Clusters {
    engine: Engine,
    found: BTreeMap<String, Found>,
}

impl Clusters {
    pub async fn look(wanted: Option<Flavor>) -> Result<Self, ClusterError> {
        let engine = Engine::find(wanted).await?;
        let runs = engine.runs_of_clusters().await?;
        let mut nodes: BTreeMap<String, Vec<Node>> = BTreeMap::new();
        for node in engine.nodes(CLUSTER_LABEL).await? {
            if let Some(name) = node.labels.get(CLUSTER_LABEL).cloned() {
                nodes.entry(name).or_default().push(node);
            }
        }
        // A run that was killed early has left a network and no node.
        for name in runs.keys() {
            nodes.entry(name.clone()).or_default();
        }
        let found = nodes
            .into_iter()
            .map(|(name, nodes)| {
                let kept = Kept::of(&name).filter(|kept| kept.host == engine.host);
                let origin = match (kept, runs.get(&name)) {
                    (Some(kept), _) => Origin::Kept(kept.by),
                    (None, Some(run)) if owned_processes::is_live(run) => Origin::InUse(run.clone()),
                    (None, Some(_)) => Origin::Left,
                    (None, None) => Origin::Foreign,
                };
                (name.clone(), found(name, origin, &nodes))
            })
            .collect();
        Ok(Self { engine, found })
    }

    pub fn engine(&self) -> String {
        self.engine.taken()
    }

    pub fn all(&self) -> impl Iterator<Item = &Found> {
        self.found.values()
    }

    pub fn get(&self, name: &str) -> Result<&Found, ClusterError> {
        self.found.get(name).ok_or_else(|| {
            let names: Vec<_> = self.found.keys().map(String::as_str).collect();
            let error = ClusterError::new(format!("there is no kind cluster {name} on {}", self.engine.taken()));
            match names[..] {
                [] => error.hint(format!("`keywitness cluster up {name}` makes it")),
                _ => error.hint(format!("there is {}", names.join(", "))),
            }
        })
    }

    /// What the nodes of a cluster use just now.
    pub async fn with_usage(&self, name: &str) -> Result<Found, ClusterError> {
        let mut found = self.get(name)?.clone();
        for node in &mut found.nodes {
            node.usage = self.engine.usage(&node.name).await.map(|usage| (usage.memory, usage.processes));
        }
        Ok(found)
    }

    /// There is such a cluster, or what is remembered of one whose containers are gone.
    pub fn knows(&self, name: &str) -> bool {
        self.found.contains_key(name) || kept::is_remembered(name)
    }

    /// Removes a cluster of ours; one that a run uses, or that was made by hand, stays.
    pub async fn remove(&self, name: &str) -> Result<(), ClusterError> {
        if !self.found.contains_key(name) && kept::is_remembered(name) {
            // Its containers are gone already; what is left are a record and a kubeconfig with its keys.
            return match Kept::of(name).filter(|kept| kept.host != self.engine.host) {
                Some(kept) => Err(ClusterError::new(format!("the cluster {name} is on another engine: {}", kept.host))
                    .hint(format!("select that engine, then `keywitness cluster down {name}` removes it"))),
                None => Kept::forget(name),
            };
        }
        match &self.get(name)?.origin {
            Origin::InUse(run) => {
                return Err(ClusterError::new(format!("the cluster {name} is in use by the run {run}"))
                    .hint("end that run first; what it started is removed with it"));
            }
            Origin::Foreign => {
                return Err(ClusterError::new(format!("the cluster {name} was not made by keywitness"))
                    .hint(format!("`kind delete cluster --name {name}` removes it")));
            }
            Origin::Kept(_) | Origin::Left => {}
        }
        remove(&self.engine, name).await?;
        Kept::forget(name)
    }
}

fn found(name: String, origin: Origin, nodes: &[Node]) -> Found {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let created = nodes.iter().filter_map(|node| u64::try_from(node.created).ok()).min().unwrap_or(now);
    Found {
        name,
        origin,
        image: nodes.first().map(|node| node.image.clone()).unwrap_or_default(),
        age: Duration::from_secs(now.saturating_sub(created)),
        nodes: nodes
            .iter()
            .map(|node| FoundNode { name: node.name.clone(), running: node.running, usage: None })
            .collect(),
    }
}

/// Uses a kind cluster that is there, and leaves it running.
#[derive(Debug, Clone)]
pub struct Reuse {
    pub guard: Guard,
    pub engine: Option<Flavor>,
    pub name: String,
    pub agreed: Agreed,
}

impl Reuse {
    /// Asks whether a lab may change the cluster, where it was not made by keywitness.
    pub async fn agree(
        engine: Option<Flavor>,
        name: &str,
        consent: &Consent,
        commands: &[String],
    ) -> Result<Agreed, ClusterError> {
        match Clusters::look(engine).await?.get(name)?.origin {
            Origin::Foreign => {
                consent.obtain(format!("kind cluster {name}"), commands)?;
                Ok(Agreed(AgreedTo::Cluster(name.to_owned())))
            }
            Origin::Kept(_) | Origin::InUse(_) | Origin::Left => Ok(Agreed::default()),
        }
    }
}

#[async_trait]
impl Provider for Reuse {
    async fn up(&self, request: &ClusterRequest, stages: &dyn StageSink) -> Result<Box<dyn Cluster>, ClusterError> {
        let began = std::time::Instant::now();
        let clusters = Clusters::look(self.engine).await?;
        stages.note(&format!("engine: {}", clusters.engine.taken()));
        let found = clusters.get(&self.name)?;
        let is_agreed = matches!(&self.agreed.0, AgreedTo::Cluster(name) if *name == self.name);
        if found.origin == Origin::Foreign && !is_agreed {
            return Err(ClusterError::new(format!("the use of the kind cluster {} was not confirmed", self.name)));
        }
        let stopped: Vec<_> = found.nodes.iter().filter(|node| !node.running).map(|node| node.name.as_str()).collect();
        if !stopped.is_empty() || found.nodes.is_empty() {
            let command = clusters.engine.flavor.name();
            return Err(ClusterError::new(format!("the cluster {} is not running", self.name))
                .hint(format!("`{command} start {}` starts its nodes", stopped.join(" "))));
        }
        if let Origin::InUse(run) = &found.origin {
            return Err(ClusterError::new(format!("the cluster {} is in use by the run {run}", self.name)));
        }
        let dir = request.private_dir.join("kind");
        super::reach::private_folder(&dir)?;
        let kubeconfig: PathBuf = dir.join("kubeconfig");
        let saved = kept::kubeconfig(&self.name);
        match std::fs::read(&saved) {
            Ok(text) => super::reach::write_private(&kubeconfig, &text)?,
            Err(_) => fetch_kubeconfig(&clusters.engine, &self.name, &kubeconfig, &self.guard).await?,
        }
        let limit = Duration::from_secs(30);
        let connect = KindCluster::connect(clusters.engine.clone(), &self.name, kubeconfig, &dir, limit);
        let cluster = connect.await.map_err(|error| match error.hint {
            Some(_) => error,
            None => error.hint("`keywitness cluster status` shows what runs"),
        })?;
        stages.passed("ready", Some(&cluster.summary()), began.elapsed());
        Ok(Box::new(cluster))
    }
}
