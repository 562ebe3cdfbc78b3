//! One look at what is not in the journal.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::kube::Api;
use super::snapshot;
use crate::guard::Guard;
use crate::journal::Seen;

/// Looks at the Kubernetes API and at snapshot files, each time in bounded time.
pub struct Observer {
    guard: Guard,
    /// `None` where there is no Kubernetes.
    kubeconfig: Option<PathBuf>,
    /// `LAB_WORK`: where files lie.
    work: PathBuf,
    api: OnceCell<Api>,
}

impl Observer {
    pub fn new(guard: Guard, kubeconfig: Option<PathBuf>, work: PathBuf) -> Self {
        Self { guard, kubeconfig, work, api: OnceCell::new() }
    }

    /// An object; without a namespace, in the one that the kubeconfig names.
    pub async fn resource(&self, kind: &str, name: &str, namespace: Option<&str>) -> Seen {
        let Some(kubeconfig) = &self.kubeconfig else {
            return Seen::Unavailable("there is no Kubernetes in this lab".to_owned());
        };
        let api = match self.api.get_or_try_init(|| Api::open(kubeconfig)).await {
            Ok(api) => api,
            Err(reason) => return Seen::Unavailable(reason),
        };
        match api.read(kind, name, namespace).await {
            Ok(object) => Seen::Resource(object.map(Arc::new)),
            Err(reason) => Seen::Unavailable(reason),
        }
    }

    pub async fn snapshot(&self, file: &str) -> Seen {
        snapshot::look(&self.guard, &self.work.join(file)).await
    }
}
