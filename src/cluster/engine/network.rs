//! A network for each cluster of ours: kind makes one for all and never removes it.

use std::collections::HashMap;

use bollard::errors::Error;
use bollard::models::{NetworkCreateRequest, Volume};
use bollard::query_parameters::{ListNetworksOptionsBuilder, ListVolumesOptions, RemoveVolumeOptionsBuilder};

use super::{CLUSTER_LABEL, Engine, Flavor};
use crate::cluster::ClusterError;

/// The label that says which run made it.
pub(crate) const RUN_LABEL: &str = owned_processes::LABEL;

impl Engine {
    /// Makes the network of a cluster, named like it, with kind's label so that it goes where the nodes go.
    pub(crate) async fn make_network(&self, cluster: &str, run_id: &str) -> Result<(), ClusterError> {
        let labels = [(CLUSTER_LABEL, cluster), (RUN_LABEL, run_id)];
        let options = match self.flavor {
            // As kind itself sets it.
            Flavor::Docker => {
                HashMap::from([("com.docker.network.bridge.enable_ip_masquerade".to_owned(), "true".to_owned())])
            }
            Flavor::Podman => HashMap::new(),
        };
        let request = NetworkCreateRequest {
            name: cluster.to_owned(),
            driver: Some("bridge".to_owned()),
            options: Some(options),
            labels: Some(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
            ..NetworkCreateRequest::default()
        };
        self.docker.create_network(request).await.map(drop).map_err(|error| {
            let failed = self.failed(&format!("make the network {cluster}"), &error);
            if failed.message.contains("subnet") || failed.message.contains("address pool") {
                failed.hint(format!(
                    "the engine has no subnet left: `{} network prune` removes networks that nothing uses",
                    self.flavor.name()
                ))
            } else {
                failed
            }
        })
    }

    /// Which run made the networks of our clusters: cluster name and run id.
    pub(crate) async fn runs_of_clusters(&self) -> Result<HashMap<String, String>, ClusterError> {
        let options = ListNetworksOptionsBuilder::new().filters(&HashMap::from([("label", vec![RUN_LABEL])])).build();
        let networks = self.docker.list_networks(Some(options)).await;
        let networks = networks.map_err(|error| self.failed("list networks", &error))?;
        Ok(networks
            .into_iter()
            .filter_map(|network| {
                let mut labels = network.labels?;
                Some((labels.remove(CLUSTER_LABEL)?, labels.remove(RUN_LABEL)?))
            })
            .collect())
    }

    pub(crate) async fn remove_network(&self, name: &str) -> Result<(), ClusterError> {
        match self.docker.remove_network(name).await {
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(error) => Err(self.failed(&format!("remove the network {name}"), &error)),
        }
    }

    /// Podman's nodes have a volume each that does not go with them, and whose one label is the node's name.
    pub(crate) async fn remove_volumes(&self, cluster: &str) -> Result<(), ClusterError> {
        let volumes = self.docker.list_volumes(None::<ListVolumesOptions>).await;
        let volumes = volumes.map_err(|error| self.failed("list volumes", &error))?.volumes.unwrap_or_default();
        let of_cluster = |volume: &Volume| volume.labels.keys().any(|label| is_node_of(label, cluster));
        for volume in volumes.into_iter().filter(of_cluster) {
            let options = RemoveVolumeOptionsBuilder::new().force(true).build();
            match self.docker.remove_volume(&volume.name, Some(options)).await {
                Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
                Err(error) => return Err(self.failed(&format!("remove the volume {}", volume.name), &error)),
            }
        }
        Ok(())
    }
}

/// Whether kind gave a node of this cluster that name.
fn is_node_of(name: &str, cluster: &str) -> bool {
    let rest = name.strip_prefix(cluster).unwrap_or_default();
    let number = ["-control-plane", "-worker"].iter().find_map(|role| rest.strip_prefix(role));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volumes_of_another_cluster_are_not_taken() {
        for (name, is) in [
            ("labs-control-plane", true),
            ("labs-control-plane3", true),
            ("labs-worker", true),
            ("labs-worker12", true),
            ("labs-two-worker", false),
            ("labs-control-plane-worker", false),
            ("labs", false),
            ("mylabs-worker", false),
        ] {
            assert_eq!(is_node_of(name, "labs"), is, "{name}");
        }
    }
}
