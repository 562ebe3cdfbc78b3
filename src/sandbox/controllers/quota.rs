//! `ResourceQuotas`: how much of each is used.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::quantity;
use super::runtime::{Context, Controller, Error, Key, Next, Object, PODS, QUOTAS, Rest, Source, Store};

/// What no watch tells of is counted anew this often.
const RECOUNT: Duration = Duration::from_secs(5);

pub(crate) struct Quotas {
    rest: Rest,
    quotas: Arc<Store>,
    pods: Arc<Store>,
}

impl Quotas {
    pub(crate) fn new(context: &Context) -> Self {
        Self { rest: context.rest.clone(), quotas: context.store(&QUOTAS), pods: context.store(&PODS) }
    }

    fn live_pods(&self, namespace: &str) -> Vec<Value> {
        let live = self
            .pods
            .in_namespace(namespace)
            .into_iter()
            .filter(|pod| !pod.pod.as_ref().is_some_and(|facts| facts.phase.over()));
        live.map(|pod| pod.value()).collect()
    }

    async fn count(&self, path: &str) -> Result<usize, Error> {
        match self.rest.read(path).await {
            Ok(list) => Ok(list["items"].as_array().map_or(0, Vec::len)),
            Err(error) if error.is_not_found() => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn used(&self, namespace: &str, name: &str) -> Result<String, Error> {
        if matches!(name, "pods" | "count/pods") {
            return Ok(self.live_pods(namespace).len().to_string());
        }
        if let Some((field, resource)) = amount(name) {
            let total = self.live_pods(namespace).iter().map(|pod| asked(pod, field, resource)).sum();
            return Ok(quantity::format(resource, total));
        }
        let object = name.strip_prefix("count/").unwrap_or(name);
        let (plural, group) = object.split_once('.').unwrap_or((object, ""));
        let path = match group {
            "" => format!("/api/v1/namespaces/{namespace}/{plural}"),
            group => format!("/apis/{group}/v1/namespaces/{namespace}/{plural}"),
        };
        Ok(self.count(&path).await?.to_string())
    }
}

/// Which part of a container's resources a name counts.
fn amount(name: &str) -> Option<(&'static str, &str)> {
    match name {
        "cpu" | "memory" | "ephemeral-storage" => Some(("requests", name)),
        _ => name
            .strip_prefix("requests.")
            .filter(|resource| *resource != "storage")
            .map(|resource| ("requests", resource))
            .or_else(|| Some(("limits", name.strip_prefix("limits.")?))),
    }
}

fn asked(pod: &Value, field: &str, resource: &str) -> i128 {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    containers.map(|container| quantity::parse(&container["resources"][field][resource])).sum()
}

#[async_trait]
impl Controller for Quotas {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let quotas = Arc::clone(&self.quotas);
        vec![
            // What is used is counted up by the API as it lets things in; only a new wish is counted here.
            Source::new(Arc::clone(&self.quotas), |change| {
                let hard = |object: &Arc<Object>| object.value().pointer("/spec/hard").cloned();
                let same = change.old.as_ref().map(hard) == change.new.as_ref().map(hard);
                change.new.iter().filter(|_| !same).map(|quota| quota.key.clone()).collect()
            }),
            Source::new(Arc::clone(&self.pods), move |change| {
                let over = |pod: &Arc<Object>| pod.pod.as_ref().is_some_and(|facts| facts.phase.over());
                let freed = change.new.as_ref().is_none_or(over);
                let pod = change.either().next().filter(|_| freed);
                pod.map(|pod| quotas.in_namespace(&pod.key.namespace))
                    .unwrap_or_default()
                    .iter()
                    .map(|quota| quota.key.clone())
                    .collect()
            }),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.quotas.get(key).filter(|quota| !quota.deleting) else { return Ok(Next::Change) };
        let mut quota = object.value();
        let hard = quota["spec"]["hard"].as_object().cloned().unwrap_or_default();
        let mut used = Map::new();
        for name in hard.keys() {
            used.insert(name.clone(), self.used(&key.namespace, name).await?.into());
        }
        let others = hard.keys().any(|name| !matches!(name.as_str(), "pods" | "count/pods") && amount(name).is_none());
        let status = json!({"hard": hard, "used": used});
        if status != quota["status"] {
            quota["status"] = status;
            self.quotas.wrote(&self.rest.replace(&QUOTAS, "status", &quota).await?);
        }
        Ok(if others { Next::After(RECOUNT) } else { Next::Change })
    }
}
