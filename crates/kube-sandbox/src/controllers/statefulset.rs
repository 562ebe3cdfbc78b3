//! `StatefulSets`: numbered pods, one after the other, each with its own claims.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::pods::{self, Selector};
use super::revisions;
use crate::runtime::{
    CLAIMS, Cache, Context, Controller, Error, Key, Next, Object, PODS, Phase, REVISIONS, Recorder, Rest, STATEFULSETS,
    Severity, Source, meta,
};

const HASH: &str = "controller.kubernetes.io/hash";
const REVISION: &str = "controller-revision-hash";

pub(crate) struct StatefulSets {
    rest: Rest,
    sets: Arc<Cache>,
    pods: Arc<Cache>,
    claims: Arc<Cache>,
    revisions: Arc<Cache>,
    events: Recorder,
}

/// One set as a round of work sees it.
struct Round {
    set: Value,
    /// Pods by their number.
    pods: BTreeMap<i64, Arc<Object>>,
    current: String,
    update: String,
    templates: BTreeMap<String, Value>,
}

impl Round {
    fn start(&self) -> i64 {
        meta::int(&self.set["spec"]["ordinals"]["start"], 0)
    }

    fn end(&self) -> i64 {
        self.start() + meta::int(&self.set["spec"]["replicas"], 1)
    }

    fn in_order(&self) -> bool {
        self.set["spec"]["podManagementPolicy"] != "Parallel"
    }

    fn partition(&self) -> i64 {
        self.start() + meta::int(&self.set["spec"]["updateStrategy"]["rollingUpdate"]["partition"], 0)
    }

    fn healthy(&self, pod: &Object) -> bool {
        let now = meta::now_seconds();
        let min_ready = meta::int(&self.set["spec"]["minReadySeconds"], 0);
        !pod.deleting
            && pod.pod.as_ref().is_some_and(|facts| facts.phase == Phase::Running && facts.available(min_ready, now))
    }

    fn name(&self) -> &str {
        meta::text(&self.set, "/metadata/name")
    }

    /// Pod number `number` as it should be made now.
    fn pod(&self, number: i64) -> Value {
        let name = format!("{}-{number}", self.name());
        let revision = if number < self.partition() { &self.current } else { &self.update };
        let template = self.templates.get(revision).unwrap_or(&self.set["spec"]["template"]);
        let mut pod = pods::from_template(&self.set, template);
        pod["metadata"]["name"] = name.as_str().into();
        let labels = &mut pod["metadata"]["labels"];
        labels["statefulset.kubernetes.io/pod-name"] = name.as_str().into();
        labels["apps.kubernetes.io/pod-index"] = number.to_string().into();
        labels[REVISION] = revision.as_str().into();
        pod["spec"]["hostname"] = name.into();
        if let Some(service) = self.set["spec"]["serviceName"].as_str() {
            pod["spec"]["subdomain"] = service.into();
        }
        let claims: Vec<Value> = self.set["spec"]["volumeClaimTemplates"].as_array().cloned().unwrap_or_default();
        if !claims.is_empty() {
            let mut volumes = pod["spec"]["volumes"].as_array().cloned().unwrap_or_default();
            for claim in &claims {
                let template = meta::text(claim, "/metadata/name");
                volumes.retain(|volume| volume["name"] != template);
                volumes.push(json!({
                    "name": template,
                    "persistentVolumeClaim": {"claimName": format!("{template}-{}-{number}", self.name())},
                }));
            }
            pod["spec"]["volumes"] = volumes.into();
        }
        pod
    }
}

impl StatefulSets {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            sets: context.cache(&STATEFULSETS),
            pods: context.cache(&PODS),
            claims: context.cache(&CLAIMS),
            revisions: context.cache(&REVISIONS),
            events: context.recorder("statefulset-controller"),
        }
    }

    async fn round(&self, object: &Object) -> Result<Round, Error> {
        let set = object.value();
        let claimed = pods::claim(&self.rest, &self.pods, object, &set, &Selector::of(&set)).await?;
        let prefix = format!("{}-", object.key.name);
        let numbered = claimed.into_iter().filter_map(|pod| {
            let number = pod.key.name.strip_prefix(&*prefix)?.parse().ok()?;
            Some((number, pod))
        });
        let pods = numbered.collect();
        let newest = revisions::current(&self.rest, &self.revisions, &set, HASH).await?;
        let update = revisions::name(&newest).to_owned();
        let current = meta::text(&set, "/status/currentRevision");
        let current = if current.is_empty() { update.clone() } else { current.to_owned() };
        let templates = revisions::history(&self.revisions, &set)
            .iter()
            .map(|revision| {
                let mut template = revision["data"]["spec"]["template"].clone();
                if let Some(template) = template.as_object_mut() {
                    template.remove("$patch");
                }
                (revisions::name(revision).to_owned(), template)
            })
            .collect();
        Ok(Round { set, pods, current, update, templates })
    }

    async fn create(&self, round: &mut Round, number: i64) -> Result<(), Error> {
        let namespace = meta::text(&round.set, "/metadata/namespace").to_owned();
        for template in round.set["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
            let name = format!("{}-{}-{number}", meta::text(template, "/metadata/name"), round.name());
            if self.claims.find(&namespace, &name).is_some() {
                continue;
            }
            let mut claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": template["metadata"], "spec": template["spec"]});
            claim["metadata"]["name"] = name.as_str().into();
            claim["metadata"]["namespace"] = namespace.as_str().into();
            for (key, value) in round.set["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten() {
                claim["metadata"]["labels"][key] = value.clone();
            }
            match self.rest.create(&CLAIMS, &namespace, &claim).await {
                Ok(made) => {
                    self.claims.wrote(&made);
                    let message = format!(
                        "Create Claim {name} Pod {}-{number} in StatefulSet {} success",
                        round.name(),
                        round.name()
                    );
                    self.events.record(&round.set, "", Severity::Normal, "SuccessfulCreate", &message).await;
                }
                Err(error) if error.already_exists() => {}
                Err(error) => return Err(error),
            }
        }
        let pod = round.pod(number);
        let name = meta::text(&pod, "/metadata/name").to_owned();
        match pods::create(&self.rest, &self.pods, &pod).await {
            Ok(_) => {
                let message = format!("Create Pod {name} in StatefulSet {} successful", round.name());
                self.events.record(&round.set, "", Severity::Normal, "SuccessfulCreate", &message).await;
                if let Some(made) = self.pods.find(&namespace, &name) {
                    round.pods.insert(number, made);
                }
                Ok(())
            }
            Err(error) if error.is_terminating() => Ok(()),
            Err(error) => {
                let message =
                    format!("create Pod {name} in StatefulSet {} failed error: {}", round.name(), error.message());
                self.events.record(&round.set, "", Severity::Warning, "FailedCreate", &message).await;
                Err(error)
            }
        }
    }

    async fn delete(&self, round: &mut Round, number: i64) -> Result<(), Error> {
        let Some(pod) = round.pods.get(&number).cloned() else { return Ok(()) };
        pods::delete(&self.rest, &self.pods, &pod).await?;
        let message = format!("Delete Pod {} in StatefulSet {} successful", pod.key.name, round.name());
        self.events.record(&round.set, "", Severity::Normal, "SuccessfulDelete", &message).await;
        match self.pods.get(&pod.key) {
            Some(held) => drop(round.pods.insert(number, held)),
            None => drop(round.pods.remove(&number)),
        }
        Ok(())
    }

    /// What may be done now, in order.
    async fn act(&self, round: &mut Round) -> Result<(), Error> {
        let ordered = round.in_order();
        for number in round.start()..round.end() {
            let over = |pod: &Object| pod.pod.as_ref().is_some_and(|facts| facts.phase.over());
            match round.pods.get(&number).cloned() {
                None => {
                    self.create(round, number).await?;
                    if ordered {
                        return Ok(());
                    }
                }
                Some(pod) if over(&pod) && !pod.deleting => {
                    self.delete(round, number).await?;
                    if ordered {
                        return Ok(());
                    }
                }
                Some(pod) if ordered && !round.healthy(&pod) => return Ok(()),
                Some(_) => {}
            }
        }
        let end = round.end();
        let start = round.start();
        let condemned: Vec<i64> =
            round.pods.keys().rev().copied().filter(|number| *number >= end || *number < start).collect();
        for number in condemned {
            let going = round.pods.get(&number).is_some_and(|pod| pod.deleting);
            if !going {
                self.delete(round, number).await?;
            }
            if ordered {
                return Ok(());
            }
        }
        if round.set["spec"]["updateStrategy"]["type"] == "OnDelete" {
            return Ok(());
        }
        for number in (round.partition().max(start)..end).rev() {
            let Some(pod) = round.pods.get(&number).cloned() else { return Ok(()) };
            if pod.label(REVISION) != Some(&round.update) && !pod.deleting {
                return self.delete(round, number).await;
            }
            if !round.healthy(&pod) {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn status_of(round: &Round) -> Value {
    let now = meta::now_seconds();
    let min_ready = meta::int(&round.set["spec"]["minReadySeconds"], 0);
    let count = |counts: &dyn Fn(&Object) -> bool| {
        i64::try_from(round.pods.values().filter(|pod| counts(pod)).count()).unwrap_or(i64::MAX)
    };
    let ready = |pod: &Object| pod.pod.as_ref().is_some_and(|facts| facts.ready && facts.phase == Phase::Running);
    let of = |revision: &str| count(&|pod| !pod.deleting && pod.label(REVISION) == Some(revision));
    let ready_count = count(&ready);
    let available = count(&|pod| ready(pod) && pod.pod.as_ref().is_some_and(|facts| facts.available(min_ready, now)));
    let (mut current, updated) = (of(&round.current), of(&round.update));
    let replicas = count(&|_| true);
    let mut revision = round.current.as_str();
    let rolled =
        round.set["spec"]["updateStrategy"]["type"] != "OnDelete" && updated == replicas && ready_count == replicas;
    if revision != round.update && rolled {
        revision = &round.update;
        current = updated;
    }
    let mut status = meta::without_zeros(&[
        ("observedGeneration", meta::int(&round.set["metadata"]["generation"], 0)),
        ("readyReplicas", ready_count),
        ("currentReplicas", current),
        ("updatedReplicas", updated),
    ]);
    status.insert("replicas".into(), replicas.into());
    status.insert("availableReplicas".into(), available.into());
    status.insert("currentRevision".into(), revision.into());
    status.insert("updateRevision".into(), round.update.as_str().into());
    status.insert("collisionCount".into(), meta::int(&round.set["status"]["collisionCount"], 0).into());
    status.into()
}

#[async_trait]
impl Controller for StatefulSets {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        vec![
            Source::of(Arc::clone(&self.sets)),
            Source::owned(Arc::clone(&self.pods), "StatefulSet"),
            pods::orphans(Arc::clone(&self.pods), Arc::clone(&self.sets)),
            Source::new(Arc::clone(&self.claims), |_| Vec::new()),
            Source::new(Arc::clone(&self.revisions), |_| Vec::new()),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.sets.get(key).filter(|set| !set.deleting) else { return Ok(Next::Change) };
        let mut round = self.round(&object).await?;
        let outcome = self.act(&mut round).await;
        let status = status_of(&round);
        let waits = meta::int(&status["availableReplicas"], 0) < meta::int(&status["readyReplicas"], 0);
        if status != round.set["status"] {
            let mut set = round.set.clone();
            set["status"] = status;
            self.sets.wrote(&self.rest.replace(&STATEFULSETS, "status", &set).await?);
        }
        outcome?;
        let mut live: Vec<&str> = vec![&round.current, &round.update];
        live.extend(round.pods.values().filter_map(|pod| pod.label(REVISION)));
        revisions::truncate(&self.rest, &self.revisions, &round.set, &live).await?;
        Ok(if waits { Next::After(Duration::from_secs(1)) } else { Next::Change })
    }
}
