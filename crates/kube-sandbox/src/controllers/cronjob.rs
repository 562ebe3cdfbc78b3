//! `CronJobs`: a job at each minute that the schedule names.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::job_status;
use crate::cron::Schedule;
use crate::runtime::{
    CRONJOBS, Cache, Context, Controller, Error, JOBS, Key, Next, Object, Recorder, Rest, Severity, Source, meta,
    seconds,
};

pub(crate) struct CronJobs {
    rest: Rest,
    crons: Arc<Cache>,
    jobs: Arc<Cache>,
    events: Recorder,
}

impl CronJobs {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            crons: context.cache(&CRONJOBS),
            jobs: context.cache(&JOBS),
            events: context.recorder("cronjob-controller"),
        }
    }

    async fn remove(&self, cron: &Value, job: &Object) -> Result<(), Error> {
        let options = json!({"propagationPolicy": "Background"});
        self.rest.delete(&JOBS, &job.key.namespace, &job.key.name, &job.uid, options).await?;
        self.jobs.forgot(&job.key, &job.uid);
        let message = format!("Deleted job {}", job.key.name);
        self.events.record(cron, "", Severity::Normal, "SuccessfulDelete", &message).await;
        Ok(())
    }

    /// Of the jobs that are over as many stay as the limits say.
    async fn trim(&self, cron: &Value, owned: &[Arc<Object>]) -> Result<(), Error> {
        for (kind, limit, default) in
            [("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)]
        {
            let mut over: Vec<&Arc<Object>> =
                owned.iter().filter(|job| !job.deleting && ended_as(&job.value(), kind)).collect();
            over.sort_by(|a, b| meta::oldest_first(a, b));
            let limit = usize::try_from(meta::int(&cron["spec"][limit], default)).unwrap_or_default();
            for job in over.iter().take(over.len().saturating_sub(limit)) {
                self.remove(cron, job).await?;
            }
        }
        Ok(())
    }

    async fn start(&self, cron: &mut Value, due: i64, active: &[Arc<Object>]) -> Result<bool, Error> {
        match cron["spec"]["concurrencyPolicy"].as_str() {
            Some("Forbid") if !active.is_empty() => {
                let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.events.record(cron, "", Severity::Normal, "JobAlreadyActive", message).await;
                return Ok(false);
            }
            Some("Replace") => {
                for job in active {
                    self.remove(cron, job).await?;
                }
            }
            _ => {}
        }
        let namespace = meta::text(cron, "/metadata/namespace").to_owned();
        let template = &cron["spec"]["jobTemplate"];
        let name = format!("{}-{}", meta::text(cron, "/metadata/name"), due / 60);
        let mut job = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "annotations": template["metadata"].get("annotations").cloned().unwrap_or_else(|| json!({})),
                "ownerReferences": [meta::controller_of(cron)],
            },
            "spec": template["spec"],
        });
        if let Some(labels) = template["metadata"].get("labels") {
            job["metadata"]["labels"] = labels.clone();
        }
        let at = Timestamp::from_second(due).map(meta::time).unwrap_or_default();
        job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] = at.into();
        match self.rest.create(&JOBS, &namespace, &job).await {
            Ok(made) => {
                self.jobs.wrote(&made);
                let message = format!("Created job {name}");
                self.events.record(cron, "", Severity::Normal, "SuccessfulCreate", &message).await;
            }
            Err(error) if error.already_exists() || error.is_terminating() => {}
            Err(error) => {
                let message = format!("Error creating job: {}", error.message());
                self.events.record(cron, "", Severity::Warning, "FailedCreate", &message).await;
                return Err(error);
            }
        }
        Ok(true)
    }

    async fn note(&self, object: &Object, scheduled: Option<i64>) -> Result<(), Error> {
        let mut cron = object.value();
        let mut status = cron["status"].as_object().cloned().unwrap_or_default();
        let owned = self.jobs.owned_by(&object.uid);
        let known: Vec<String> = cron["status"]["active"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|job| job["uid"].as_str().map(str::to_owned))
            .collect();
        let mut active = Vec::new();
        for job in &owned {
            let value = job.value();
            // `kubectl create job --from` makes it a job of ours, but not one that we made.
            if value["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual" {
                if job_status::over(&value).is_none() {
                    let message = format!("Saw a job that the controller did not create or forgot: {}", job.key.name);
                    self.events.record(&cron, "", Severity::Warning, "UnexpectedJob", &message).await;
                }
                continue;
            }
            if job_status::over(&value).is_none() {
                active.push(json!({
                    "kind": "Job", "namespace": &*job.key.namespace, "name": &*job.key.name, "uid": &*job.uid,
                    "apiVersion": "batch/v1", "resourceVersion": job.version.to_string(),
                }));
                continue;
            }
            let kind = if ended_as(&value, "Complete") { "Complete" } else { "Failed" };
            if known.iter().any(|uid| **uid == *job.uid) {
                let message = format!("Saw completed job: {}, condition: {kind}", job.key.name);
                self.events.record(&cron, "", Severity::Normal, "SawCompletedJob", &message).await;
            }
            let ended = &value["status"]["completionTime"];
            if kind == "Complete" && seconds(ended) > status.get("lastSuccessfulTime").map_or(0, seconds) {
                status.insert("lastSuccessfulTime".into(), ended.clone());
            }
        }
        if active.is_empty() {
            status.remove("active");
        } else if known.len() != active.len() || !active.iter().all(|job| known.iter().any(|uid| job["uid"] == **uid)) {
            status.insert("active".into(), active.into());
        }
        if let Some(at) = scheduled.and_then(|at| Timestamp::from_second(at).ok()) {
            status.insert("lastScheduleTime".into(), meta::time(at).into());
        }
        if Value::from(status.clone()) != cron["status"] {
            cron["status"] = status.into();
            self.crons.wrote(&self.rest.replace(&CRONJOBS, "status", &cron).await?);
        }
        Ok(())
    }
}

fn ended_as(job: &Value, kind: &str) -> bool {
    let conditions = job["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == kind && condition["status"] == "True")
}

#[async_trait]
impl Controller for CronJobs {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        vec![Source::of(Arc::clone(&self.crons)), Source::owned(Arc::clone(&self.jobs), "CronJob")]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.crons.get(key).filter(|cron| !cron.deleting) else { return Ok(Next::Change) };
        let mut cron = object.value();
        self.trim(&cron, &self.jobs.owned_by(&object.uid)).await?;
        let zone = meta::text(&cron, "/spec/timeZone");
        let zone = if zone.is_empty() { Ok(TimeZone::UTC) } else { TimeZone::get(zone) };
        let (Ok(zone), Ok(schedule)) = (zone, Schedule::parse(meta::text(&cron, "/spec/schedule"))) else {
            let message = format!("unparseable schedule: {}", meta::text(&cron, "/spec/schedule"));
            self.events.record(&cron, "", Severity::Warning, "UnparseableSchedule", &message).await;
            return Ok(Next::Change);
        };
        if cron["spec"]["suspend"] == true {
            self.note(&object, None).await?;
            return Ok(Next::Change);
        }
        let now = meta::now_seconds();
        let last = seconds(&cron["status"]["lastScheduleTime"]);
        let mut from = if last > 0 { last } else { object.created };
        if let Some(patience) = meta::number(&cron["spec"]["startingDeadlineSeconds"]) {
            from = from.max(now - patience);
        }
        let mut scheduled = None;
        if let Some(due) = schedule.last_between(from, now, &zone) {
            let owned = self.jobs.owned_by(&object.uid);
            let active: Vec<_> = owned.into_iter().filter(|job| job_status::over(&job.value()).is_none()).collect();
            if self.start(&mut cron, due, &active).await? {
                scheduled = Some(due);
            }
        }
        self.note(&object, scheduled).await?;
        let next = schedule.next_after(meta::now_seconds(), &zone);
        Ok(next
            .map_or(Next::Change, |at| Next::After(Duration::from_secs(u64::try_from(at - now).unwrap_or(1).max(1)))))
    }
}
