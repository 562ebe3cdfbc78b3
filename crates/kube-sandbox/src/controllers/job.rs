//! Jobs: pods until enough have completed, with each end counted exactly once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::job_policy::{self, Failures, INDEX_FAILURES, INDEX_IGNORED, Past, Taken};
use super::job_status;
use super::pods::{self, Selector};
use crate::runtime::{
    Cache, Context, Controller, Error, JOBS, Key, Next, Object, PODS, Phase, Recorder, Rest, Severity, Source, meta,
};

pub(crate) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

pub(crate) struct Jobs {
    rest: Rest,
    jobs: Arc<Cache>,
    pods: Arc<Cache>,
    events: Recorder,
    failures: Mutex<HashMap<Key, Failures>>,
}

impl Jobs {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            jobs: context.cache(&JOBS),
            pods: context.cache(&PODS),
            events: context.recorder("job-controller"),
            failures: Mutex::default(),
        }
    }

    async fn write(&self, job: &mut Value, status: Value) -> Result<(), Error> {
        let held = self.jobs.get(&meta::key_of(job)).map(|held| held.value()["status"].clone());
        let same = held.is_some_and(|held| held == status);
        job["status"] = status;
        if same {
            return Ok(());
        }
        *job = self.rest.replace(&JOBS, "status", job).await?;
        self.jobs.wrote(job);
        Ok(())
    }

    /// Counts pods that are over: first their uids in the status, then the finalizer off, then the numbers.
    async fn count(&self, job: &mut Value, owned: &[Arc<Object>]) -> Result<(), Error> {
        let over: Vec<&Arc<Object>> = owned
            .iter()
            .filter(|pod| pod.has_finalizer(TRACKING))
            .filter(|pod| {
                pod.pod.as_ref().is_some_and(|facts| facts.phase == Phase::Succeeded) || job_policy::failed(job, pod)
            })
            .collect();
        let ends: Vec<Arc<Object>> = over.iter().map(|pod| Arc::clone(pod)).collect();
        self.note_failures(job, &ends);
        let ignored: Vec<Arc<str>> = over
            .iter()
            .filter(|pod| job_policy::failed(job, pod) && job_policy::taken(job, &pod.value()) == Taken::Ignored)
            .map(|pod| Arc::clone(&pod.uid))
            .collect();
        let mut status = job["status"].clone();
        let uncounted = |phase: Phase| -> Vec<&str> {
            over.iter()
                .filter(|pod| {
                    let ended = pod.pod.as_ref().map_or(Phase::Failed, |facts| facts.phase);
                    (ended == Phase::Succeeded) == (phase == Phase::Succeeded) && !ignored.contains(&pod.uid)
                })
                .map(|pod| &*pod.uid)
                .collect()
        };
        let (good, bad) = (uncounted(Phase::Succeeded), uncounted(Phase::Failed));
        if !over.is_empty() {
            let known = |list: &str, uids: &[&str]| {
                let mut held: Vec<Value> =
                    status["uncountedTerminatedPods"][list].as_array().cloned().unwrap_or_default();
                held.extend(
                    uids.iter()
                        .filter(|uid| !held.contains(&Value::from(**uid)))
                        .map(|uid| Value::from(*uid))
                        .collect::<Vec<_>>(),
                );
                held
            };
            let (succeeded, failed) = (known("succeeded", &good), known("failed", &bad));
            let mut pending = json!({});
            if !succeeded.is_empty() {
                pending["succeeded"] = succeeded.into();
            }
            if !failed.is_empty() {
                pending["failed"] = failed.into();
            }
            status["uncountedTerminatedPods"] = pending.clone();
            job_status::counts(&mut status, owned);
            self.write(job, status.clone()).await?;
            for pod in over {
                self.untrack(pod).await?;
            }
            status = job["status"].clone();
            // A server before 1.22 keeps no such field.
            status["uncountedTerminatedPods"] = pending;
        }
        let waiting = status["uncountedTerminatedPods"].clone();
        for (list, total) in [("succeeded", "succeeded"), ("failed", "failed")] {
            let held = waiting[list].as_array().map_or(0, Vec::len);
            if held > 0 {
                status[total] = (meta::int(&status[total], 0) + i64::try_from(held).unwrap_or_default()).into();
            }
        }
        status["uncountedTerminatedPods"] = json!({});
        if job["spec"]["completionMode"] == "Indexed" {
            job_status::note_indexes(&mut status, owned, INDEX);
        }
        job["status"] = status;
        job_status::note_failed_indexes(job, owned, INDEX);
        Ok(())
    }

    fn note_failures(&self, job: &Value, ends: &[Arc<Object>]) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.entry(meta::key_of(job)).or_default().note(job, ends);
    }

    fn failures(&self, key: &Key) -> Failures {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied().unwrap_or_default()
    }

    async fn untrack(&self, pod: &Object) -> Result<(), Error> {
        let kept: Vec<&str> = pod.finalizers.iter().map(|name| &**name).filter(|name| *name != TRACKING).collect();
        let kept = if kept.is_empty() { Value::Null } else { kept.into() };
        let patch = json!({"metadata": {"uid": &*pod.uid, "finalizers": kept}});
        match self.rest.merge(&PODS, &pod.key.namespace, &pod.key.name, "", &patch).await {
            Ok(patched) => {
                // It was all that kept it.
                if pod.deleting && patched["metadata"]["deletionGracePeriodSeconds"] == 0 {
                    self.pods.forgot(&pod.key, &pod.uid);
                } else {
                    self.pods.wrote(&patched);
                }
                Ok(())
            }
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, job: &Value, index: Option<i64>, past: Past) -> Result<(), Error> {
        let mut pod = pods::from_template(job, &job["spec"]["template"]);
        pod["metadata"]["finalizers"] = json!([TRACKING]);
        if let Some(index) = index {
            let name = meta::text(job, "/metadata/name").to_owned();
            pod["metadata"]["annotations"][INDEX] = index.to_string().into();
            if job_policy::counts_by_index(job) {
                pod["metadata"]["annotations"][INDEX_FAILURES] = past.failures.to_string().into();
                if past.ignored > 0 {
                    pod["metadata"]["annotations"][INDEX_IGNORED] = past.ignored.to_string().into();
                }
            }
            pod["metadata"]["labels"][INDEX] = index.to_string().into();
            pod["metadata"]["generateName"] = format!("{name}-{index}-").into();
            pod["spec"]["hostname"] = format!("{name}-{index}").into();
            for container in pod["spec"]["containers"].as_array_mut().into_iter().flatten() {
                let mut env = container["env"].as_array().cloned().unwrap_or_default();
                let path = format!("metadata.labels['{INDEX}']");
                env.push(json!({"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {"fieldPath": path}}}));
                container["env"] = env.into();
            }
        }
        match pods::create(&self.rest, &self.pods, &pod).await {
            Ok(made) => {
                let message = format!("Created pod: {}", meta::text(&made, "/metadata/name"));
                self.events.record(job, "", Severity::Normal, "SuccessfulCreate", &message).await;
                Ok(())
            }
            Err(error) if error.is_terminating() => Ok(()),
            Err(error) => {
                let message = format!("Error creating: {}", error.message());
                self.events.record(job, "", Severity::Warning, "FailedCreate", &message).await;
                Err(error)
            }
        }
    }

    /// Ends pods that are too many; no failures of the job.
    async fn drop_surplus(&self, job: &Value, pods: &[Arc<Object>]) -> Result<(), Error> {
        for pod in pods.iter().filter(|pod| pod.has_finalizer(TRACKING)) {
            self.untrack(pod).await?;
        }
        self.remove(job, pods).await
    }

    async fn remove(&self, job: &Value, pods: &[Arc<Object>]) -> Result<(), Error> {
        for pod in pods {
            self::pods::delete(&self.rest, &self.pods, pod).await?;
            let message = format!("Deleted pod: {}", pod.key.name);
            self.events.record(job, "", Severity::Normal, "SuccessfulDelete", &message).await;
        }
        Ok(())
    }

    /// Brings the number of running pods to what is wanted; how long a failure still holds that up.
    async fn scale(&self, job: &Value, owned: &[Arc<Object>], active: &[Arc<Object>]) -> Result<Option<i64>, Error> {
        let running = i64::try_from(active.len()).unwrap_or(i64::MAX);
        let status = &job["status"];
        let parallel = meta::int(&job["spec"]["parallelism"], 1);
        let succeeded = meta::int(&status["succeeded"], 0);
        let wanted = match meta::number(&job["spec"]["completions"]) {
            Some(completions) => parallel.min(completions - succeeded),
            // Without a number of completions the first success is enough; the rest may end.
            None if succeeded > 0 => running,
            None => parallel,
        };
        if running > wanted {
            let surplus = usize::try_from(running - wanted.max(0)).unwrap_or_default();
            self.drop_surplus(job, &active[active.len().saturating_sub(surplus)..]).await?;
            return Ok(None);
        }
        let left = self.failures(&meta::key_of(job)).wait(job);
        if running < wanted && left > 0 {
            return Ok(Some(left));
        }
        // A pod that is still going holds its place where only failures are replaced.
        let going = owned
            .iter()
            .filter(|pod| pod.deleting && pod.pod.as_ref().is_some_and(|facts| !facts.phase.over()))
            .count();
        let held = if job_policy::replaces_only_failed(job) { i64::try_from(going).unwrap_or_default() } else { 0 };
        let missing = (wanted - running - held).max(0);
        if job["spec"]["completionMode"] != "Indexed" {
            for _ in 0..missing {
                self.create(job, None, Past::default()).await?;
            }
            return Ok(None);
        }
        let by_index = job_policy::counts_by_index(job);
        let pasts = if by_index { job_policy::pasts(job, owned, INDEX) } else { BTreeMap::new() };
        let past = |index: i64| pasts.get(&index).copied().unwrap_or_default();
        let free = job_status::free_indexes(job, active, INDEX);
        let waits = free.iter().map(|index| past(*index).wait).filter(|wait| *wait > 0).min();
        let ready = free.into_iter().filter(|index| past(*index).wait <= 0);
        for index in ready.take(usize::try_from(missing).unwrap_or_default()) {
            self.create(job, Some(index), past(index)).await?;
        }
        Ok(waits)
    }

    async fn finish(
        &self,
        job: &mut Value,
        kind: &str,
        reason: &str,
        message: &str,
        active: &[Arc<Object>],
    ) -> Result<(), Error> {
        let target = if kind == "Complete" { "SuccessCriteriaMet" } else { "FailureTarget" };
        let mut status = job["status"].clone();
        if job_status::add(&mut status, target, reason, message) {
            self.write(job, status).await?;
        }
        self.remove(job, active).await?;
        let object = self.jobs.get(&meta::key_of(job));
        let left = object.map(|object| pods::owned(&self.pods, &object)).unwrap_or_default();
        let mut status = job["status"].clone();
        let going = |pod: &Arc<Object>| pod.pod.as_ref().is_some_and(|facts| !facts.phase.over());
        if left.iter().any(|pod| pod.has_finalizer(TRACKING) || going(pod)) {
            // Their ends are counted before the job is called over.
            job_status::counts(&mut status, &left);
            return self.write(job, status).await;
        }
        job_status::add(&mut status, kind, reason, message);
        job_status::counts(&mut status, &left);
        if kind == "Complete" {
            status["completionTime"] = meta::now().into();
        }
        self.write(job, status).await?;
        let (severity, event, words) = if kind == "Complete" {
            (Severity::Normal, "Completed", "Job completed")
        } else {
            (Severity::Warning, reason, message)
        };
        self.events.record(job, "", severity, event, words).await;
        Ok(())
    }

    async fn run(&self, object: &Object) -> Result<Next, Error> {
        let mut job = object.value();
        let owned = pods::claim(&self.rest, &self.pods, object, &job, &Selector::of(&job)).await?;
        if job_status::over(&job).is_some() {
            for pod in owned.iter().filter(|pod| pod.has_finalizer(TRACKING)) {
                self.untrack(pod).await?;
            }
            return Ok(Next::Change);
        }
        let suspended = job["spec"]["suspend"] == true;
        if job["status"].get("startTime").is_none() && !suspended {
            job["status"]["startTime"] = meta::now().into();
        }
        // The API's own defaulting puts the template's labels on a job that has none.
        if job["metadata"].get("labels").is_none() {
            job["metadata"]["labels"] = job["spec"]["template"]["metadata"]["labels"].clone();
        }
        // Of the same look as what is counted: a pod that ends in between would be in neither, and be replaced.
        let (active, _) = pods::active(&owned);
        self.count(&mut job, &owned).await?;
        if let Some((kind, reason, message)) = job_status::verdict(&job, &owned) {
            self.finish(&mut job, kind, &reason, &message, &active).await?;
            return Ok(Next::Change);
        }
        let mut status = job["status"].clone();
        if let Some((reason, words, held)) = job_status::note_suspension(&mut status, suspended) {
            self.events.record(&job, "", Severity::Normal, reason, words).await;
            if held {
                if let Some(status) = status.as_object_mut() {
                    status.remove("startTime");
                }
            } else {
                status["startTime"] = meta::now().into();
            }
        }
        job["status"] = status.clone();
        let wait = if suspended {
            self.drop_surplus(&job, &active).await?;
            None
        } else {
            self.scale(&job, &owned, &active).await?
        };
        let owned = pods::owned(&self.pods, object);
        job_status::counts(&mut status, &owned);
        self.write(&mut job, status).await?;
        let deadline = job_status::deadline(&job);
        let soonest = wait.into_iter().chain(deadline).min();
        Ok(soonest
            .map_or(Next::Change, |seconds| Next::After(Duration::from_secs(u64::try_from(seconds).unwrap_or(1)))))
    }

    /// A job that is over goes when its time is up.
    async fn expire(&self, object: &Object) -> Result<Next, Error> {
        let job = object.value();
        let (Some(ended), Some(lives)) =
            (job_status::over(&job), meta::number(&job["spec"]["ttlSecondsAfterFinished"]))
        else {
            return Ok(Next::Change);
        };
        let left = ended + lives - meta::now_seconds();
        if left > 0 {
            return Ok(Next::After(Duration::from_secs(u64::try_from(left).unwrap_or(1))));
        }
        let options = json!({"propagationPolicy": "Foreground"});
        self.rest.delete(&JOBS, &object.key.namespace, &object.key.name, &object.uid, options).await?;
        Ok(Next::Change)
    }
}

#[async_trait]
impl Controller for Jobs {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        vec![
            Source::of(Arc::clone(&self.jobs)),
            Source::owned(Arc::clone(&self.pods), "Job"),
            pods::orphans(Arc::clone(&self.pods), Arc::clone(&self.jobs)),
        ]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.jobs.get(key) else {
            self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            // Pods whose job is gone are freed, else they could never go.
            for pod in self.pods.in_namespace(&key.namespace) {
                let orphan = pod.controller().is_some_and(|owner| &*owner.kind == "Job" && owner.name == key.name);
                if orphan && pod.has_finalizer(TRACKING) {
                    self.untrack(&pod).await?;
                }
            }
            return Ok(Next::Change);
        };
        if object.deleting {
            for pod in pods::owned(&self.pods, &object).iter().filter(|pod| pod.has_finalizer(TRACKING)) {
                self.untrack(pod).await?;
            }
            return Ok(Next::Change);
        }
        match self.run(&object).await? {
            Next::Change => self.expire(&object).await,
            next @ Next::After(_) => Ok(next),
        }
    }
}
