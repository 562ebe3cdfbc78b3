//! Deployments: one `ReplicaSet` a template, and an orderly way from one to the next.

mod rollout;
mod status;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::pods::{self, Selector};
use crate::runtime::{
    Cache, Context, Controller, DEPLOYMENTS, Error, Key, Next, PODS, REPLICASETS, Recorder, Severity, Source, meta,
};

pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
pub(crate) const HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub(crate) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(crate) const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";
const HASH: &str = "pod-template-hash";

pub(crate) struct Deployments {
    pub(crate) context: Context,
    pub(crate) deployments: Arc<Cache>,
    pub(crate) sets: Arc<Cache>,
    pub(crate) pods: Arc<Cache>,
    pub(crate) events: Recorder,
}

/// A deployment with its replica sets, oldest first, as one round of work sees and changes them.
pub(crate) struct Round {
    pub(crate) deployment: Value,
    pub(crate) new: Option<Value>,
    pub(crate) old: Vec<Value>,
}

/// `(maxSurge, maxUnavailable)` in pods.
pub(crate) fn fences(deployment: &Value) -> (i64, i64) {
    let strategy = &deployment["spec"]["strategy"];
    let replicas = meta::int(&deployment["spec"]["replicas"], 1);
    if strategy["type"] == "Recreate" {
        return (0, 0);
    }
    let rolling = &strategy["rollingUpdate"];
    let surge = meta::int_or_percent(&rolling["maxSurge"], replicas, true);
    let mut unavailable = meta::int_or_percent(&rolling["maxUnavailable"], replicas, false);
    if surge == 0 && unavailable == 0 {
        unavailable = 1;
    }
    (surge, unavailable.min(replicas))
}

impl Round {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.old.iter().chain(self.new.iter())
    }

    pub(crate) fn replicas(&self) -> i64 {
        meta::int(&self.deployment["spec"]["replicas"], 1)
    }

    pub(crate) fn name(&self) -> &str {
        meta::text(&self.deployment, "/metadata/name")
    }
}

impl Deployments {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            deployments: context.cache(&DEPLOYMENTS),
            sets: context.cache(&REPLICASETS),
            pods: context.cache(&PODS),
            events: context.recorder("deployment-controller"),
        }
    }

    /// Writes the deployment's status and annotations, as they stand in the round.
    pub(crate) async fn write(&self, round: &mut Round) -> Result<(), Error> {
        round.deployment = self.context.rest.replace(&DEPLOYMENTS, "status", &round.deployment).await?;
        self.deployments.wrote(&round.deployment);
        Ok(())
    }

    /// Finds the replica set of the present template, makes it where `create` says so, and keeps the revisions in step.
    pub(crate) async fn sync_new(&self, round: &mut Round, create: bool) -> Result<(), Error> {
        let revision = round.old.iter().map(revision_of).max().unwrap_or_default() + 1;
        if let Some(new) = &mut round.new {
            let mut changed = rollout::annotate_new(&round.deployment, new, revision, true);
            let min_ready = meta::int(&round.deployment["spec"]["minReadySeconds"], 0);
            if meta::int(&new["spec"]["minReadySeconds"], 0) != min_ready {
                new["spec"]["minReadySeconds"] = min_ready.into();
                changed = true;
            }
            if changed {
                *new = self.context.rest.replace(&REPLICASETS, "", new).await?;
                self.sets.wrote(new);
                return Ok(());
            }
            let revision = new["metadata"]["annotations"][REVISION].clone();
            let name = meta::text(new, "/metadata/name").to_owned();
            let mut needs = rollout::set_annotation(&mut round.deployment, REVISION, revision);
            let known = status::condition(&round.deployment["status"], "Progressing").is_some();
            if !known && status::has_deadline(&round.deployment) {
                let message = format!("Found new replica set \"{name}\"");
                status::set_progressing(&mut round.deployment, "True", "FoundNewReplicaSet", &message);
                needs = true;
            }
            if needs {
                self.write(round).await?;
            }
            return Ok(());
        }
        if create { self.create(round, revision).await } else { Ok(()) }
    }

    async fn create(&self, round: &mut Round, revision: i64) -> Result<(), Error> {
        let deployment = &round.deployment;
        let mut template = deployment["spec"]["template"].clone();
        let hash = meta::hash(&template, meta::int(&deployment["status"]["collisionCount"], 0));
        template["metadata"]["labels"][HASH] = hash.as_str().into();
        let mut selector = deployment["spec"]["selector"].clone();
        selector["matchLabels"][HASH] = hash.as_str().into();
        let name = format!("{}-{hash}", round.name());
        let mut set = json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": deployment["metadata"]["namespace"],
                "labels": template["metadata"]["labels"],
                "ownerReferences": [meta::controller_of(deployment)],
            },
            "spec": {"replicas": 0, "selector": selector, "template": template},
        });
        if let Some(seconds) = deployment["spec"].get("minReadySeconds") {
            set["spec"]["minReadySeconds"] = seconds.clone();
        }
        rollout::annotate_new(deployment, &mut set, revision, false);
        round.new = Some(set.clone());
        let replicas = rollout::new_size(round);
        set["spec"]["replicas"] = replicas.into();
        let namespace = meta::text(&round.deployment, "/metadata/namespace").to_owned();
        let (set, fresh) = match self.context.rest.create(&REPLICASETS, &namespace, &set).await {
            Ok(made) => (made, true),
            Err(error) if error.is_terminating() => {
                round.new = None;
                return Ok(());
            }
            Err(error) if error.already_exists() => {
                let held = self.context.rest.get(&REPLICASETS, &namespace, &name).await?;
                let ours = |held: &Value| {
                    held["metadata"]["ownerReferences"][0]["uid"] == round.deployment["metadata"]["uid"]
                        && same_template(held, &round.deployment)
                };
                match held {
                    Some(held) if ours(&held) => (held, false),
                    _ => {
                        round.new = None;
                        let collisions = meta::int(&round.deployment["status"]["collisionCount"], 0) + 1;
                        round.deployment["status"]["collisionCount"] = collisions.into();
                        self.write(round).await?;
                        return Err(Error::Again(format!("the name {name} is taken")));
                    }
                }
            }
            Err(error) => {
                round.new = None;
                let message = format!("Failed to create new replica set \"{name}\": {}", error.message());
                status::set_progressing(&mut round.deployment, "False", "ReplicaSetCreateError", &message);
                self.write(round).await?;
                self.events.record(&round.deployment, "", Severity::Warning, "ReplicaSetCreateError", &message).await;
                return Err(error);
            }
        };
        self.sets.wrote(&set);
        round.new = Some(set);
        if fresh && replicas > 0 {
            let message = format!("Scaled up replica set {name} from 0 to {replicas}");
            self.events.record(&round.deployment, "", Severity::Normal, "ScalingReplicaSet", &message).await;
        }
        let mut needs = rollout::set_annotation(&mut round.deployment, REVISION, revision.to_string().into());
        if fresh && status::has_deadline(&round.deployment) {
            let message = format!("Created new replica set \"{name}\"");
            status::set_progressing(&mut round.deployment, "True", "NewReplicaSetCreated", &message);
            needs = true;
        }
        if needs {
            self.write(round).await?;
        }
        Ok(())
    }

    /// Brings one replica set to `size`; says whether that changed anything.
    pub(crate) async fn scale(&self, deployment: &Value, set: &mut Value, size: i64) -> Result<bool, Error> {
        let before = meta::int(&set["spec"]["replicas"], 1);
        let (desired, maximum) = rollout::bounds(deployment);
        let annotated = rollout::set_annotation(set, DESIRED, desired.to_string().into())
            | rollout::set_annotation(set, MAXIMUM, maximum.to_string().into());
        if before == size && !annotated {
            return Ok(false);
        }
        set["spec"]["replicas"] = size.into();
        *set = self.context.rest.replace(&REPLICASETS, "", set).await?;
        self.sets.wrote(set);
        if before == size {
            return Ok(false);
        }
        let way = if size > before { "up" } else { "down" };
        let message = format!("Scaled {way} replica set {} from {before} to {size}", meta::text(set, "/metadata/name"));
        self.events.record(deployment, "", Severity::Normal, "ScalingReplicaSet", &message).await;
        Ok(true)
    }

    async fn run(&self, round: &mut Round) -> Result<(), Error> {
        if round.deployment["metadata"].get("deletionTimestamp").is_some() {
            return self.write_counts(round).await;
        }
        let paused = round.deployment["spec"]["paused"] == true;
        if status::note_pause(&mut round.deployment, paused) {
            self.write(round).await?;
        }
        if paused || rollout::is_scaling(round) {
            self.sync_new(round, false).await?;
            self.scale_all(round).await?;
            if paused {
                self.clean_up(round).await?;
            }
            return self.write_counts(round).await;
        }
        if round.deployment["spec"]["strategy"]["type"] == "Recreate" {
            self.recreate(round).await
        } else {
            self.roll(round).await
        }
    }
}

pub(crate) fn revision_of(set: &Value) -> i64 {
    set["metadata"]["annotations"][REVISION].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The same pods, whatever hash they are labelled with.
pub(crate) fn same_template(set: &Value, deployment: &Value) -> bool {
    let mut template = set["spec"]["template"].clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(HASH);
    }
    let plain = |template: &mut Value| {
        if let Some(metadata) = template["metadata"].as_object_mut() {
            metadata.retain(|field, value| {
                field != "creationTimestamp" && !value.as_object().is_some_and(serde_json::Map::is_empty)
            });
        }
    };
    let mut wanted = deployment["spec"]["template"].clone();
    plain(&mut template);
    plain(&mut wanted);
    template == wanted
}

#[async_trait]
impl Controller for Deployments {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let sets = Arc::clone(&self.sets);
        vec![
            Source::of(Arc::clone(&self.deployments)),
            Source::owned(Arc::clone(&self.sets), "Deployment"),
            pods::orphans(Arc::clone(&self.sets), Arc::clone(&self.deployments)),
            // Recreate waits for the last old pod to be gone.
            Source::new(Arc::clone(&self.pods), move |change| {
                let (Some(old), None) = (&change.old, &change.new) else { return Vec::new() };
                let Some(owner) = old.controller().filter(|owner| &*owner.kind == "ReplicaSet") else {
                    return Vec::new();
                };
                let set = sets.find(&old.key.namespace, &owner.name);
                let deployment = set.as_ref().and_then(|set| set.controller());
                deployment
                    .map(|owner| Key { namespace: Arc::clone(&old.key.namespace), name: Arc::clone(&owner.name) })
                    .into_iter()
                    .collect()
            }),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.deployments.get(key) else { return Ok(Next::Change) };
        let deployment = object.value();
        let mut sets =
            pods::claim(&self.context.rest, &self.sets, &object, &deployment, &Selector::of(&deployment)).await?;
        sets.sort_by(|a, b| meta::oldest_first(a, b));
        let mut old: Vec<Value> = sets.iter().filter(|set| !set.deleting).map(|set| set.value()).collect();
        let at = old.iter().position(|set| same_template(set, &deployment));
        let new = at.map(|at| old.remove(at));
        let mut round = Round { deployment, new, old };
        self.run(&mut round).await?;
        // Somebody must notice when a rollout takes too long.
        let waits = status::waits_for_deadline(&round.deployment);
        Ok(waits.map_or(Next::Change, |seconds| Next::After(Duration::from_secs(seconds))))
    }
}

#[cfg(test)]
#[path = "deployment_tests.rs"]
mod tests;
