//! Claims on storage: the class `standard` waits for a pod, then a volume is made on that pod's node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::runtime::{
    CLAIMS, Cache, Context, Controller, Error, Key, Next, Object, PODS, Recorder, Rest, STORAGE_CLASSES, Severity,
    Source, VOLUMES, meta,
};

const SELECTED: &str = "volume.kubernetes.io/selected-node";
const PROTECTION: &str = "kubernetes.io/pvc-protection";
const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";
/// What kind's own storage class is provisioned by.
const PROVISIONER: &str = "rancher.io/local-path";
const PROVISIONED_BY: [&str; 2] =
    ["volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner"];
/// The controller goes over all claims this often.
const RESYNC: Duration = Duration::from_secs(15);

fn names(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
}

fn waits_for_consumer(claim: &Value, classes: &Cache) -> bool {
    let class = classes.find("", meta::text(claim, "/spec/storageClassName"));
    class.is_some_and(|class| class.value()["volumeBindingMode"] == "WaitForFirstConsumer")
}

/// Why a pod cannot be placed for the sake of its claims.
pub(crate) fn refusal(pod: &Value, claims: &Cache, classes: &Cache) -> Option<String> {
    for name in names(pod) {
        let Some(claim) = claims.find(meta::text(pod, "/metadata/namespace"), name) else {
            return Some(format!("persistentvolumeclaim \"{name}\" not found"));
        };
        let value = claim.value();
        if claim.deleting {
            return Some(format!("persistentvolumeclaim \"{name}\" is being deleted"));
        }
        if meta::text(&value, "/spec/volumeName").is_empty() && !waits_for_consumer(&value, classes) {
            return Some("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
    }
    None
}

/// Tells the provisioner where the pod will be; says whether all claims are bound.
pub(crate) async fn select_node(rest: &Rest, claims: &Cache, pod: &Value, node: &str) -> Result<bool, Error> {
    let namespace = meta::text(pod, "/metadata/namespace");
    let mut bound = true;
    for name in names(pod) {
        let Some(claim) = claims.find(namespace, name) else { return Ok(false) };
        let value = claim.value();
        if value["status"]["phase"] == "Bound" {
            continue;
        }
        bound = false;
        if value["metadata"]["annotations"].get(SELECTED).is_none() {
            let patch = json!({"metadata": {"annotations": {SELECTED: node}}});
            claims.wrote(&rest.merge(&CLAIMS, namespace, name, "", &patch).await?);
        }
    }
    Ok(bound)
}

/// Makes volumes for claims and binds the two.
pub(crate) struct Claims {
    rest: Rest,
    claims: Arc<Cache>,
    volumes: Arc<Cache>,
    classes: Arc<Cache>,
    pods: Arc<Cache>,
    events: Recorder,
    provisioner: Recorder,
    /// What was reported of a claim's wait, and when.
    recorded: Mutex<HashMap<Key, (String, Instant)>>,
}

impl Claims {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            claims: context.cache(&CLAIMS),
            volumes: context.cache(&VOLUMES),
            classes: context.cache(&STORAGE_CLASSES),
            pods: context.cache(&PODS),
            events: context.recorder("persistentvolume-controller"),
            provisioner: context.recorder(PROVISIONER),
            recorded: Mutex::default(),
        }
    }

    /// A volume that a person made and that satisfies the claim.
    fn matching(&self, claim: &Value) -> Option<Value> {
        let asked = crate::object::quantity::parse(&claim["spec"]["resources"]["requests"]["storage"]);
        let mut found: Vec<Value> = self
            .volumes
            .all()
            .iter()
            .map(|volume| volume.value())
            .filter(|volume| {
                let reserved = &volume["spec"]["claimRef"];
                let free = reserved.is_null()
                    || (reserved["name"] == claim["metadata"]["name"]
                        && reserved["namespace"] == claim["metadata"]["namespace"]);
                let modes = claim["spec"]["accessModes"].as_array().into_iter().flatten();
                let offered = volume["spec"]["accessModes"].as_array().cloned().unwrap_or_default();
                let class = |value: &Value| meta::text(value, "/spec/storageClassName").to_owned();
                let wanted = meta::text(claim, "/spec/volumeName");
                free && (wanted.is_empty() || volume["metadata"]["name"] == wanted)
                    && class(volume) == class(claim)
                    && modes.into_iter().all(|mode| offered.contains(mode))
                    && crate::object::quantity::parse(&volume["spec"]["capacity"]["storage"]) >= asked
                    && matches!(volume["status"]["phase"].as_str(), None | Some("Available" | "Pending"))
            })
            .collect();
        found.sort_by_key(|volume| crate::object::quantity::parse(&volume["spec"]["capacity"]["storage"]));
        found.into_iter().next()
    }

    async fn provision(&self, claim: &Value, class: &Value, node: &str) -> Result<Value, Error> {
        let name = format!("pvc-{}", meta::text(claim, "/metadata/uid"));
        if let Some(volume) = self.rest.get(&VOLUMES, "", &name).await? {
            return Ok(volume);
        }
        let message = format!("External provisioner is provisioning volume for claim \"{}\"", meta::key_of(claim));
        self.provisioner.record(claim, "", Severity::Normal, "Provisioning", &message).await;
        let volume = json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": name,
                "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER, "local.path.provisioner/selected-node": node},
                "finalizers": ["kubernetes.io/pv-protection"],
            },
            "spec": {
                "accessModes": claim["spec"]["accessModes"],
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                "claimRef": reference(claim),
                "hostPath": {"path": format!("/var/local-path-provisioner/{name}_{}", meta::key_of(claim).to_string().replace('/', "_")), "type": "DirectoryOrCreate"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]},
                ]}]}},
                "persistentVolumeReclaimPolicy": class.get("reclaimPolicy").cloned().unwrap_or_else(|| "Delete".into()),
                "storageClassName": class["metadata"]["name"],
                "volumeMode": "Filesystem",
            },
        });
        let made = self.rest.create(&VOLUMES, "", &volume).await?;
        self.volumes.wrote(&made);
        let message = format!("Successfully provisioned volume {name}");
        self.provisioner.record(claim, "", Severity::Normal, "ProvisioningSucceeded", &message).await;
        Ok(made)
    }

    /// Leaves the making of a volume to whoever provisions for the class.
    async fn hand_over(&self, claim: &Value, provisioner: &str) -> Result<Value, Error> {
        let named = |name: &str| claim["metadata"]["annotations"][name] == provisioner;
        if PROVISIONED_BY.into_iter().all(named) {
            return Ok(claim.clone());
        }
        let annotations: serde_json::Map<_, _> =
            PROVISIONED_BY.into_iter().map(|name| (name.to_owned(), provisioner.into())).collect();
        let key = meta::key_of(claim);
        let patch = json!({"metadata": {"annotations": annotations}});
        let claim = self.rest.merge(&CLAIMS, &key.namespace, &key.name, "", &patch).await?;
        self.claims.wrote(&claim);
        let message = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the \
             system administrator. If volume creation is delayed, please verify that the provisioner is running and \
             correctly registered."
        );
        self.events.record(&claim, "", Severity::Normal, "ExternalProvisioning", &message).await;
        Ok(claim)
    }

    /// Tells why a claim waits; no more often than a controller that goes over all of them in turn.
    async fn complain(&self, key: &Key, claim: &Value, severity: Severity, reason: &str, message: &str) {
        let due = {
            let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
            let last = recorded.insert(key.clone(), (reason.to_owned(), Instant::now()));
            match last {
                Some((held, at)) if held == reason && at.elapsed() < RESYNC => {
                    recorded.insert(key.clone(), (held, at));
                    false
                }
                _ => true,
            }
        };
        if due {
            self.events.record(claim, "", severity, reason, message).await;
        }
    }

    async fn bind(&self, claim: &Value, volume: &Value) -> Result<(), Error> {
        let mut volume = volume.clone();
        let name = meta::text(&volume, "/metadata/name").to_owned();
        if volume["spec"]["claimRef"]["uid"] != claim["metadata"]["uid"] {
            volume["spec"]["claimRef"] = reference(claim);
            volume["metadata"]["annotations"]["pv.kubernetes.io/bound-by-controller"] = "yes".into();
            volume = self.rest.replace(&VOLUMES, "", &volume).await?;
        }
        if volume["status"]["phase"] != "Bound" {
            volume["status"] = json!({"phase": "Bound", "lastPhaseTransitionTime": meta::now()});
            self.volumes.wrote(&self.rest.replace(&VOLUMES, "status", &volume).await?);
        }
        let mut claim = claim.clone();
        if meta::text(&claim, "/spec/volumeName") != name {
            claim["spec"]["volumeName"] = name.into();
            claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] = "yes".into();
            claim["metadata"]["annotations"]["pv.kubernetes.io/bound-by-controller"] = "yes".into();
            claim = self.rest.replace(&CLAIMS, "", &claim).await?;
            self.claims.wrote(&claim);
        }
        claim["status"] = json!({
            "phase": "Bound",
            "accessModes": volume["spec"]["accessModes"],
            "capacity": volume["spec"]["capacity"],
        });
        self.claims.wrote(&self.rest.replace(&CLAIMS, "status", &claim).await?);
        Ok(())
    }

    /// A claim that is being deleted goes once no pod uses it.
    async fn unprotect(&self, claim: &Object) -> Result<(), Error> {
        let used = self.pods.in_namespace(&claim.key.namespace).iter().any(|pod| {
            let over = pod.pod.as_ref().is_some_and(|facts| facts.phase.over());
            !over && names(&pod.value()).any(|name| name == &*claim.key.name)
        });
        if used || !claim.has_finalizer(PROTECTION) {
            return Ok(());
        }
        let kept: Vec<&str> = claim.finalizers.iter().map(|name| &**name).filter(|name| *name != PROTECTION).collect();
        let patch = json!({"metadata": {"uid": &*claim.uid, "finalizers": kept}});
        match self.rest.merge(&CLAIMS, &claim.key.namespace, &claim.key.name, "", &patch).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// A volume that is being deleted goes once no claim is bound to it.
    async fn unprotect_volume(&self, volume: &Object) -> Result<(), Error> {
        if volume.value()["status"]["phase"] == "Bound" || !volume.has_finalizer(VOLUME_PROTECTION) {
            return Ok(());
        }
        let kept: Vec<&str> =
            volume.finalizers.iter().map(|name| &**name).filter(|name| *name != VOLUME_PROTECTION).collect();
        let patch = json!({"metadata": {"uid": &*volume.uid, "finalizers": kept}});
        match self.rest.merge(&VOLUMES, "", &volume.key.name, "", &patch).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// A volume whose claim is gone follows its reclaim policy.
    async fn release(&self, volume: &Value) -> Result<(), Error> {
        let name = meta::text(volume, "/metadata/name");
        let claim = &volume["spec"]["claimRef"];
        let held = self.claims.find(meta::text(claim, "/namespace"), meta::text(claim, "/name"));
        if claim["uid"].is_null() || held.is_some_and(|held| *held.uid == *meta::text(claim, "/uid")) {
            return Ok(());
        }
        if volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete" {
            let patch = json!({"metadata": {"finalizers": null}});
            self.rest.merge(&VOLUMES, "", name, "", &patch).await?;
            self.rest.delete(&VOLUMES, "", name, meta::text(volume, "/metadata/uid"), json!({})).await?;
        } else if volume["status"]["phase"] != "Released" {
            let mut volume = volume.clone();
            volume["status"] = json!({"phase": "Released", "lastPhaseTransitionTime": meta::now()});
            self.volumes.wrote(&self.rest.replace(&VOLUMES, "status", &volume).await?);
        }
        Ok(())
    }
}

fn reference(claim: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "name": claim["metadata"]["name"],
        "namespace": claim["metadata"]["namespace"],
        "uid": claim["metadata"]["uid"],
        "resourceVersion": claim["metadata"]["resourceVersion"],
    })
}

#[async_trait]
impl Controller for Claims {
    /// Volumes have no namespace, claims have one.
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let volumes = |change: &crate::runtime::Change| {
            let mut keys = Vec::new();
            for object in change.either() {
                keys.push(object.key.clone());
                let claim = object.value()["spec"]["claimRef"].clone();
                if claim.is_object() {
                    keys.push(Key::new(meta::text(&claim, "/namespace"), meta::text(&claim, "/name")));
                }
            }
            keys
        };
        let known = Arc::clone(&self.volumes);
        let claims = move |change: &crate::runtime::Change| {
            let mut keys: Vec<Key> = change.either().map(|object| object.key.clone()).collect();
            if change.new.is_none() {
                keys.extend(known.all().iter().map(|volume| volume.key.clone()));
            }
            keys
        };
        let users = |change: &crate::runtime::Change| {
            let over = change.new.as_ref().is_none_or(|pod| pod.pod.as_ref().is_some_and(|facts| facts.phase.over()));
            let pod = change.old.as_ref().filter(|_| over);
            pod.map(|pod| names(&pod.value()).map(|name| Key::new(&pod.key.namespace, name)).collect())
                .unwrap_or_default()
        };
        vec![
            Source::new(Arc::clone(&self.claims), claims),
            Source::new(Arc::clone(&self.volumes), volumes),
            Source::new(Arc::clone(&self.pods), users),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        if key.namespace.is_empty() {
            let held = self.volumes.get(key);
            if let Some(volume) = held.as_ref().filter(|volume| volume.deleting) {
                self.unprotect_volume(volume).await?;
            }
            if let Some(volume) = held.filter(|volume| !volume.deleting) {
                let mut value = volume.value();
                if value["spec"]["claimRef"].is_null() && value["status"]["phase"] != "Available" {
                    value["status"] = json!({"phase": "Available", "lastPhaseTransitionTime": meta::now()});
                    self.volumes.wrote(&self.rest.replace(&VOLUMES, "status", &value).await?);
                }
                self.release(&value).await?;
            }
            return Ok(Next::Change);
        }
        let Some(object) = self.claims.get(key) else {
            self.recorded.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            return Ok(Next::Change);
        };
        if object.deleting {
            self.unprotect(&object).await?;
            return Ok(Next::Change);
        }
        let claim = object.value();
        if claim["status"]["phase"] == "Bound" {
            return Ok(Next::Change);
        }
        let class = self.classes.find("", meta::text(&claim, "/spec/storageClassName")).map(|class| class.value());
        let node = meta::text(&claim, "/metadata/annotations/volume.kubernetes.io~1selected-node").to_owned();
        if let Some(volume) = self.matching(&claim) {
            self.bind(&claim, &volume).await?;
            return Ok(Next::Change);
        }
        let asked = meta::text(&claim, "/spec/storageClassName");
        let (severity, reason, message) = match class {
            Some(class) if class["volumeBindingMode"] == "WaitForFirstConsumer" && node.is_empty() => {
                let message = "waiting for first consumer to be created before binding".to_owned();
                (Severity::Normal, "WaitForFirstConsumer", message)
            }
            Some(class) => {
                let provisioner = meta::text(&class, "/provisioner");
                let claim = self.hand_over(&claim, provisioner).await?;
                if provisioner == PROVISIONER {
                    let volume = self.provision(&claim, &class, &node).await?;
                    self.bind(&claim, &volume).await?;
                    return Ok(Next::Change);
                }
                return Ok(Next::After(RESYNC));
            }
            None if asked.is_empty() => {
                let message = "no persistent volumes available for this claim and no storage class is set".to_owned();
                (Severity::Normal, "FailedBinding", message)
            }
            None => {
                let message = format!("storageclass.storage.k8s.io \"{asked}\" not found");
                (Severity::Warning, "ProvisioningFailed", message)
            }
        };
        self.complain(key, &claim, severity, reason, &message).await;
        Ok(Next::After(RESYNC))
    }
}
