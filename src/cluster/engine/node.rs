//! Node containers: which there are, where their ports are published, what they said.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder, StatsOptionsBuilder,
};
use futures::StreamExt;

use super::Engine;
use crate::cluster::ClusterError;

/// kind's label on every container of a cluster; its value is the cluster's name.
pub(crate) const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";
const ROLE_LABEL: &str = "io.x-k8s.kind.role";

/// A container that is, or may be, a node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) labels: HashMap<String, String>,
    pub(crate) running: bool,
    /// Seconds since 1970.
    pub(crate) created: i64,
    /// Its addresses on the engine's networks.
    pub(crate) addresses: Vec<IpAddr>,
}

impl From<ContainerSummary> for Node {
    fn from(one: ContainerSummary) -> Self {
        let names = one.names.unwrap_or_default();
        let networks = one.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        Self {
            id: one.id.unwrap_or_default(),
            name: names.first().map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default(),
            image: one.image.unwrap_or_default(),
            labels: one.labels.unwrap_or_default(),
            running: one.state == Some(ContainerSummaryStateEnum::RUNNING),
            created: one.created.unwrap_or_default(),
            addresses: networks.into_values().filter_map(|network| network.ip_address?.parse().ok()).collect(),
        }
    }
}

impl Node {
    pub(crate) fn is_control_plane(&self) -> bool {
        self.labels.get(ROLE_LABEL).is_some_and(|role| role == "control-plane")
    }

    /// A node of Kubernetes, not the load balancer that kind puts before several control planes.
    pub(crate) fn is_node(&self) -> bool {
        self.labels.get(ROLE_LABEL).is_some_and(|role| role == "control-plane" || role == "worker")
    }
}

/// What a node uses just now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) memory: u64,
    pub(crate) processes: u64,
}

impl Engine {
    /// Containers with a label, stopped ones too, control planes first and then by name.
    pub(crate) async fn nodes(&self, label: &str) -> Result<Vec<Node>, ClusterError> {
        let mut nodes = self.containers("label", label).await?;
        nodes.sort_by_key(|node| (!node.is_control_plane(), node.name.clone()));
        Ok(nodes)
    }

    /// The container of this very name.
    pub(crate) async fn container(&self, name: &str) -> Result<Option<Node>, ClusterError> {
        // The filter takes a part of a name too.
        Ok(self.containers("name", name).await?.into_iter().find(|node| node.name == name))
    }

    async fn containers(&self, filter: &str, value: &str) -> Result<Vec<Node>, ClusterError> {
        let filters = HashMap::from([(filter, vec![value])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.docker.list_containers(Some(options)).await;
        let found = found.map_err(|error| self.failed("list containers", &error))?;
        Ok(found.into_iter().map(Node::from).collect())
    }

    /// Where a port of the container is published on this machine.
    pub(crate) async fn published(&self, container: &str, port: u16) -> Result<Option<SocketAddr>, ClusterError> {
        let found =
            self.docker.inspect_container(container, None::<bollard::query_parameters::InspectContainerOptions>).await;
        let found = found.map_err(|error| self.failed(&format!("inspect {container}"), &error))?;
        let ports = found.network_settings.and_then(|settings| settings.ports).unwrap_or_default();
        let bindings = ports.get(&format!("{port}/tcp")).cloned().flatten().unwrap_or_default();
        Ok(bindings.into_iter().find_map(|binding| {
            let port = binding.host_port?.parse().ok()?;
            // Podman has answered with an empty address, and 0.0.0.0 is not one to connect to.
            let address = binding.host_ip.and_then(|ip| ip.parse().ok()).filter(|ip: &IpAddr| !ip.is_unspecified());
            Some(SocketAddr::new(address.unwrap_or(IpAddr::from([127, 0, 0, 1])), port))
        }))
    }

    /// The last lines that a container wrote, without colours.
    pub(crate) async fn last_words(&self, container: &str, lines: usize) -> Vec<String> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let mut stream = self.docker.logs(container, Some(options));
        let mut text = Vec::new();
        while let Some(Ok(chunk)) = stream.next().await {
            text.extend_from_slice(&chunk.into_bytes());
        }
        let text = String::from_utf8_lossy(&text);
        console::strip_ansi_codes(&text)
            .lines()
            .map(|line| line.trim_end().to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    }

    pub(crate) async fn usage(&self, container: &str) -> Option<Usage> {
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let stats = self.docker.stats(container, Some(options)).next().await?.ok()?;
        Some(Usage {
            memory: stats.memory_stats.and_then(|memory| memory.usage).unwrap_or_default(),
            processes: stats.pids_stats.and_then(|pids| pids.current).unwrap_or_default(),
        })
    }

    /// Removes a container with its anonymous volumes, running or not.
    pub(crate) async fn remove(&self, container: &str) -> Result<(), ClusterError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.docker.remove_container(container, Some(options)).await {
            Ok(()) | Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            Err(error) => Err(self.failed(&format!("remove {container}"), &error)),
        }
    }
}
