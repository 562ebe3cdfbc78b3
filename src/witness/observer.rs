//! One look at what is not in the journal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::kube::Api;
use super::snapshot;
use crate::journal::Seen;
use owned_processes::Guard;

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

    async fn api(&self, kubeconfig: &std::path::Path) -> Result<&Api, String> {
        self.api.get_or_try_init(|| Api::open(kubeconfig)).await
    }

    /// Whether the Kubernetes API answers at all, be it with a refusal; why not.
    pub async fn api_answers(&self) -> Result<(), String> {
        match &self.kubeconfig {
            Some(kubeconfig) => self.api(kubeconfig).await?.answers().await,
            None => Ok(()),
        }
    }

    /// An object; without a namespace, in the one that the kubeconfig names.
    pub async fn resource(&self, kind: &str, name: &str, namespace: Option<&str>) -> Seen {
        let Some(kubeconfig) = &self.kubeconfig else {
            return Seen::Unavailable("there is no Kubernetes in this lab".to_owned());
        };
        let api = match self.api(kubeconfig).await {
            Ok(api) => api,
            Err(reason) => return Seen::Unavailable(reason),
        };
        match api.read(kind, name, namespace).await {
            Ok(object) => Seen::Resource(object.map(Arc::new)),
            Err(reason) => Seen::Unavailable(reason),
        }
    }

    pub async fn snapshot(&self, file: &str) -> Seen {
        match snapshot::look(&self.guard, &self.work.join(file)).await {
            // Where a terminal has gone by `cd` is not where checks look.
            Seen::Nothing(_) if Path::new(file).is_relative() => {
                Seen::Nothing(format!("there is no file {file} in LAB_WORK, which is {}", self.work.display()))
            }
            seen => seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owned_processes::GuardSettings;

    #[tokio::test]
    async fn an_api_that_is_gone_is_told_from_one_that_refuses() {
        let dir = tempfile::tempdir().expect("a folder");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = listener.local_addr().expect("an address");
        let kubeconfig = dir.path().join("kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: \"http://{server}\"}}}}]\n\
             users: [{{name: u, user: {{}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
        );
        std::fs::write(&kubeconfig, text).expect("written");
        let settings = GuardSettings {
            watchdog: None,
            grace: std::time::Duration::from_secs(1),
            parents: vec![dir.path().to_owned()],
        };
        let guard = Guard::start(settings).expect("a guard");
        let observer = Observer::new(guard, Some(kubeconfig), dir.path().to_owned());
        let refuses = axum::Router::new().fallback(|| async { axum::http::StatusCode::FORBIDDEN });
        let serving = tokio::spawn(async move { axum::serve(listener, refuses).await });
        assert_eq!(observer.api_answers().await, Ok(()));
        serving.abort();
        drop(serving.await);
        let why = observer.api_answers().await.expect_err("nobody listens");
        assert!(why.starts_with("the Kubernetes API does not answer: "), "{why}");
    }
}
