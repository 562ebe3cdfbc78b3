//! Mirror pods: what the API shows of pods that a kubelet runs from files. Who deletes one deletes a picture,
//! and the kubelet hangs up a new one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::runtime::{Error, Key, Next, PODS, Rest};

pub(super) const MIRROR: &str = "kubernetes.io/config.mirror";

/// A kubelet looks at its pods about once a second. `kubectl delete`, which waits for the end of what it deleted, needs
/// that pause: of a pod that is there again at once it never sees the end.
const SYNC: Duration = Duration::from_secs(1);

/// The pictures that were seen, to hang up again.
#[derive(Default)]
pub(super) struct Mirrors(Mutex<HashMap<Key, Value>>);

impl Mirrors {
    pub(super) async fn seen(&self, rest: &Rest, key: &Key, pod: &Value) -> Result<Next, Error> {
        if pod["metadata"].get("deletionTimestamp").is_some() {
            // No container has to end for it.
            let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
            rest.delete(&PODS, &key.namespace, &key.name, uid, json!({"gracePeriodSeconds": 0})).await?;
            return Ok(Next::Change);
        }
        // The cache keeps no more of a pod than controllers look at.
        if let Some(whole) = rest.get(&PODS, &key.namespace, &key.name).await? {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), whole);
        }
        Ok(Next::Change)
    }

    pub(super) async fn gone(&self, rest: &Rest, key: &Key) -> Result<Next, Error> {
        if !self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key) {
            return Ok(Next::Change);
        }
        tokio::time::sleep(SYNC).await;
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        let Some(mut pod) = held else { return Ok(Next::Change) };
        if let Some(metadata) = pod["metadata"].as_object_mut() {
            metadata.retain(|field, _| {
                matches!(field.as_str(), "name" | "namespace" | "labels" | "annotations" | "ownerReferences")
            });
        }
        let status = pod["status"].clone();
        match rest.create(&PODS, &key.namespace, &pod).await {
            Ok(mut created) => {
                created["status"] = status;
                rest.replace(&PODS, "status", &created).await?;
                Ok(Next::Change)
            }
            Err(error) if error.already_exists() => Ok(Next::Change),
            Err(error) => Err(error),
        }
    }
}
