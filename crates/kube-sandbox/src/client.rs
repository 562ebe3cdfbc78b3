//! A client of the Kubernetes API.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use kube::config::{Config, KubeConfigOptions, Kubeconfig};

const CONNECT: Duration = Duration::from_secs(5);

/// A client for the current context of a kubeconfig file of this run; the error names the file.
pub async fn api_client(kubeconfig: &Path) -> Result<kube::Client, String> {
    let failed = |error: &dyn Display| format!("{}: {error}", kubeconfig.display());
    let file = Kubeconfig::read_from(kubeconfig).map_err(|error| failed(&error))?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options).await.map_err(|error| failed(&error))?;
    config.connect_timeout = Some(CONNECT);
    kube::Client::try_from(config).map_err(|error| failed(&error))
}
