//! One object through the Kubernetes API, its kind named as kubectl takes it.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::{Client, Error};
use serde_json::Value;

use crate::cluster::api_client;
use crate::text::nearest;

const ANSWER: Duration = Duration::from_secs(5);

pub(super) struct Api {
    client: Client,
    /// What is served, once asked; asked again when something is not in it.
    served: Mutex<Vec<Served>>,
}

/// A resource type of the API.
#[derive(Debug, Clone)]
struct Served {
    group: String,
    version: String,
    plural: String,
    singular: String,
    short: Vec<String>,
    kind: String,
    namespaced: bool,
}

impl Api {
    pub(super) async fn open(kubeconfig: &Path) -> Result<Self, String> {
        Ok(Self { client: api_client(kubeconfig).await?, served: Mutex::new(Vec::new()) })
    }

    /// Whether it answers at all: a refusal is an answer too.
    pub(super) async fn answers(&self) -> Result<(), String> {
        let asked = self.client.apiserver_version();
        let why = match tokio::time::timeout(ANSWER, asked).await {
            Ok(Ok(_) | Err(Error::Api(_) | Error::SerdeError(_))) => return Ok(()),
            Ok(Err(error)) => message(&error),
            Err(_) => format!("{ANSWER:?} have passed"),
        };
        Err(format!("the Kubernetes API does not answer: {why}"))
    }

    /// `None`: the API answered that it does not exist.
    pub(super) async fn read(&self, kind: &str, name: &str, namespace: Option<&str>) -> Result<Option<Value>, String> {
        tokio::time::timeout(ANSWER, self.read_patiently(kind, name, namespace))
            .await
            .unwrap_or_else(|_| Err(format!("the API did not answer within {ANSWER:?}")))
    }

    async fn read_patiently(&self, kind: &str, name: &str, ns: Option<&str>) -> Result<Option<Value>, String> {
        let served = self.find(kind).await?;
        let namespace = served.namespaced.then(|| ns.unwrap_or_else(|| self.client.default_namespace()));
        if let (false, Some(ns)) = (served.namespaced, ns) {
            return Err(format!("{} are not in a namespace, so not in {ns} either", served.plural));
        }
        match self.get(&served.path(namespace, name)).await {
            Ok(object) => Ok(Some(object)),
            Err(Error::Api(status)) if status.code == 404 => {
                // The type itself may be gone since: then nothing can be said of the object.
                let about_it = status.details.as_ref().is_some_and(|details| details.name == name);
                if !about_it {
                    self.known().clear();
                    self.find(kind).await?;
                }
                Ok(None)
            }
            Err(error) => Err(message(&error)),
        }
    }

    async fn get(&self, path: &str) -> Result<Value, Error> {
        let request = http::Request::get(path).body(Vec::new()).map_err(Error::HttpError)?;
        let (parts, body) = request.into_parts();
        self.client.request(http::Request::from_parts(parts, body)).await
    }

    async fn find(&self, kind: &str) -> Result<Served, String> {
        if let Some(found) = self.known().iter().find(|served| served.is_called(kind)) {
            return Ok(found.clone());
        }
        let served = self.discover().await.map_err(|error| message(&error))?;
        let found = served.iter().find(|served| served.is_called(kind)).cloned();
        let near = nearest(kind, served.iter().map(|served| served.plural.as_str()));
        let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        let result = found.ok_or_else(|| format!("this cluster serves no resource type {kind}{hint}"));
        *self.known() = served;
        result
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Vec<Served>> {
        self.served.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Every type, in the order in which kubectl prefers them: the core group first, then the groups as
    /// the API lists them, each with the version that it prefers first.
    async fn discover(&self) -> Result<Vec<Served>, Error> {
        let core = self.client.list_core_api_resources("v1").await?;
        let groups = self.client.list_api_groups().await?.groups;
        let versions: Vec<String> = groups
            .iter()
            .flat_map(|group| {
                let preferred = group.preferred_version.iter().map(|version| version.group_version.clone());
                let others = group.versions.iter().map(|version| version.group_version.clone());
                let mut all: Vec<String> = preferred.chain(others).collect();
                let mut seen = std::collections::HashSet::new();
                all.retain(|version| seen.insert(version.clone()));
                all
            })
            .collect();
        let lists = join_all(versions.iter().map(|version| self.client.list_api_group_resources(version))).await;
        // An aggregated API that is down must not hide the others.
        let lists = lists.into_iter().flatten();
        Ok(std::iter::once(core).chain(lists).flat_map(served_by).collect())
    }
}

fn served_by(list: APIResourceList) -> Vec<Served> {
    let (group, version) = match list.group_version.split_once('/') {
        Some((group, version)) => (group.to_owned(), version.to_owned()),
        None => (String::new(), list.group_version.clone()),
    };
    let readable = list.resources.into_iter().filter(|r| !r.name.contains('/') && r.verbs.iter().any(|v| v == "get"));
    readable
        .map(|resource| Served {
            group: group.clone(),
            version: version.clone(),
            singular: if resource.singular_name.is_empty() {
                resource.kind.to_lowercase()
            } else {
                resource.singular_name
            },
            plural: resource.name,
            short: resource.short_names.unwrap_or_default(),
            kind: resource.kind,
            namespaced: resource.namespaced,
        })
        .collect()
}

impl Served {
    /// `deploy`, `deployment`, `deployments`, `deployments.apps` or `deployments.v1.apps`.
    fn is_called(&self, name: &str) -> bool {
        let (name, rest) = name.split_once('.').map_or((name, None), |(name, rest)| (name, Some(rest)));
        let named = self.plural == name
            || self.singular == name
            || self.kind.eq_ignore_ascii_case(name)
            || self.short.iter().any(|short| short == name);
        let full =
            || if self.group.is_empty() { self.version.clone() } else { format!("{}.{}", self.version, self.group) };
        named && rest.is_none_or(|rest| rest == self.group || rest == full())
    }

    fn path(&self, namespace: Option<&str>, name: &str) -> String {
        let root = kube_etcd_codec::api_root(&self.group, &self.version);
        let within = namespace.map_or(String::new(), |namespace| format!("/namespaces/{namespace}"));
        format!("{root}{within}/{}/{name}", self.plural)
    }
}

fn message(error: &Error) -> String {
    match error {
        Error::Api(status) => format!("the API answered {}: {}", status.code, status.message),
        other => super::store::StoreError::chain(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployments() -> Served {
        Served {
            group: "apps".into(),
            version: "v1".into(),
            plural: "deployments".into(),
            singular: "deployment".into(),
            short: vec!["deploy".into()],
            kind: "Deployment".into(),
            namespaced: true,
        }
    }

    #[test]
    fn a_kind_is_named_as_kubectl_takes_it() {
        let called = |name: &str| deployments().is_called(name);
        for name in ["deployments", "deployment", "deploy", "deployments.apps", "deployments.v1.apps"] {
            assert!(called(name), "{name}");
        }
        for name in ["deployments.extensions", "deployments.v2.apps", "dep", "deployments."] {
            assert!(!called(name), "{name}");
        }
    }

    #[test]
    fn paths_are_those_of_the_api() {
        assert_eq!(deployments().path(Some("demo"), "web"), "/apis/apps/v1/namespaces/demo/deployments/web");
        let node = Served { group: String::new(), plural: "nodes".into(), namespaced: false, ..deployments() };
        assert_eq!(node.path(None, "n1"), "/api/v1/nodes/n1");
    }
}
