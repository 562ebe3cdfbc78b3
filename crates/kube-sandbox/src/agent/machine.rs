//! The node itself: its lease, its heartbeat, and what a kubelet reports of a cordon.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::runtime::{
    Cache, Context, Controller, Error, Key, LEASES, NODES, Next, Recorder, Rest, Severity, Source, meta,
};

const LEASE_NAMESPACE: &str = "kube-node-lease";
/// A kubelet renews its lease this often.
const RENEW: Duration = Duration::from_secs(10);
/// And reports its conditions anew this often, though nothing changed.
const HEARTBEAT: i64 = 300;

pub(crate) struct Machine {
    rest: Rest,
    name: Arc<str>,
    nodes: Arc<Cache>,
    events: Recorder,
    /// Whether the node was schedulable when it was last looked at.
    schedulable: Mutex<Option<bool>>,
}

impl Machine {
    pub(crate) fn new(context: &Context, name: &str) -> Self {
        let name: Arc<str> = name.into();
        let rest = context.rest.as_manager("kubelet");
        Self {
            events: Recorder::new(rest.clone(), "kubelet", Some(Arc::clone(&name))),
            rest,
            name,
            nodes: context.cache(&NODES),
            schedulable: Mutex::default(),
        }
    }

    async fn renew(&self, node: &Value) -> Result<(), Error> {
        let patch = json!({"spec": {"renewTime": meta::now_micro()}});
        match self.rest.merge(&LEASES, LEASE_NAMESPACE, &self.name, "", &patch).await {
            Err(error) if error.is_not_found() => {}
            other => return other.map(drop),
        }
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": &*self.name,
                "namespace": LEASE_NAMESPACE,
                "ownerReferences": [{
                    "apiVersion": "v1", "kind": "Node", "name": &*self.name, "uid": node["metadata"]["uid"],
                }],
            },
            "spec": {"holderIdentity": &*self.name, "leaseDurationSeconds": 40, "renewTime": meta::now_micro()},
        });
        self.rest.create(&LEASES, LEASE_NAMESPACE, &lease).await.map(drop)
    }

    async fn beat(&self, node: &Value) -> Result<(), Error> {
        use crate::runtime::seconds;
        let mut conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let oldest = conditions.iter().map(|condition| seconds(&condition["lastHeartbeatTime"])).min();
        if oldest.is_none_or(|oldest| oldest + HEARTBEAT > meta::now_seconds()) {
            return Ok(());
        }
        for condition in &mut conditions {
            condition["lastHeartbeatTime"] = meta::now().into();
        }
        let patch = json!({"status": {"conditions": conditions}});
        self.nodes.wrote(&self.rest.merge(&NODES, "", &self.name, "status", &patch).await?);
        Ok(())
    }

    async fn note_cordon(&self, node: &Value) {
        let now = node["spec"]["unschedulable"] != true;
        let before = self.schedulable.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        if before.is_none_or(|before| before == now) {
            return;
        }
        let reason = if now { "NodeSchedulable" } else { "NodeNotSchedulable" };
        let about = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": &*self.name}});
        let message = format!("Node {} status is now: {reason}", self.name);
        self.events.record(&about, "", Severity::Normal, reason, &message).await;
    }
}

#[async_trait]
impl Controller for Machine {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let name = Arc::clone(&self.name);
        vec![Source::new(Arc::clone(&self.nodes), move |change| {
            change.new.iter().filter(|node| node.key.name == name).map(|node| node.key.clone()).collect()
        })]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(node) = self.nodes.get(key) else { return Ok(Next::Change) };
        let value = node.value();
        self.note_cordon(&value).await;
        self.renew(&value).await?;
        self.beat(&value).await?;
        Ok(Next::After(RENEW))
    }

    fn workers(&self) -> usize {
        1
    }
}
