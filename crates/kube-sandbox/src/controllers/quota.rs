//! `ResourceQuotas`: how much of each is used.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::object::quantity::{self, Amounts};
use crate::object::usage::{counted, covers, usage};
use crate::runtime::{Cache, Context, Controller, Error, Key, Next, Object, PODS, QUOTAS, Rest, Source};
use kube_etcd_codec::names::{self, Name};

/// What no watch reports is counted anew this often.
const RECOUNT: Duration = Duration::from_secs(5);
/// A status that somebody else wrote is put right this often (kube-controller-manager's `--resource-quota-sync-period`).
const RESYNC: Duration = Duration::from_secs(300);

pub(crate) struct Quotas {
    rest: Rest,
    quotas: Arc<Cache>,
    pods: Arc<Cache>,
}

impl Quotas {
    pub(crate) fn new(context: &Context) -> Self {
        Self { rest: context.rest.clone(), quotas: context.cache(&QUOTAS), pods: context.cache(&PODS) }
    }

    /// What is there of a kind; a watch reports pods, the others are listed.
    async fn objects(&self, namespace: &str, kind: Name<'_>) -> Result<Vec<Value>, Error> {
        if kind == names::PODS {
            return Ok(self.pods.in_namespace(namespace).iter().map(|pod| pod.value()).collect());
        }
        let path = format!("{}/namespaces/{namespace}/{}", kube_etcd_codec::api_root(kind.group, "v1"), kind.plural);
        match self.rest.read(&path).await {
            Ok(list) => Ok(list["items"].as_array().cloned().unwrap_or_default()),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// What the limits of a quota are used up to.
    async fn used(&self, namespace: &str, quota: &Value) -> Result<Amounts, Error> {
        let limits = || quota["spec"]["hard"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        let mut used: Amounts = limits().map(|name| (name.to_owned(), 0)).collect();
        for kind in limits().map(counted).collect::<BTreeSet<_>>() {
            let objects = self.objects(namespace, kind).await?;
            for object in objects.iter().filter(|object| covers(quota, kind, object)) {
                for (name, amount) in usage(kind, object) {
                    if let Some(total) = used.get_mut(&name) {
                        *total += amount;
                    }
                }
            }
        }
        Ok(used)
    }
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
        let used = self.used(&key.namespace, &quota).await?;
        let used: Map<String, Value> =
            used.into_iter().map(|(name, amount)| (name.clone(), quantity::format(&name, amount).into())).collect();
        let others = hard.keys().any(|name| counted(name) != names::PODS);
        let status = json!({"hard": hard, "used": used});
        if status != quota["status"] {
            quota["status"] = status;
            self.quotas.wrote(&self.rest.replace(&QUOTAS, "status", &quota).await?);
        }
        Ok(Next::After(if others { RECOUNT } else { RESYNC }))
    }
}
