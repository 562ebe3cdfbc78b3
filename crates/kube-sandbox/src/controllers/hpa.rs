//! `HorizontalPodAutoscalers` in a cluster that has no metrics: the bounds are kept, and the conditions say what is
//! lacking.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::discovery;
use crate::object::conditions::set_condition;
use crate::runtime::{
    AUTOSCALERS, ApiResource, Cache, Context, Controller, DEPLOYMENTS, Error, Key, Next, REPLICASETS,
    REPLICATION_CONTROLLERS, Recorder, Rest, STATEFULSETS, Severity, Source, meta,
};

const EVERY: Duration = Duration::from_secs(15);
const NO_METRICS: &str = "unable to fetch metrics from resource metrics API: the server could not find the requested \
                          resource (get pods.metrics.k8s.io)";

pub(crate) struct Autoscalers {
    rest: Rest,
    autoscalers: Arc<Cache>,
    events: Recorder,
    /// When each is looked at next: never sooner than a period after it was seen first, or looked at last.
    due: Mutex<HashMap<Key, Instant>>,
}

/// What is to be done about the replicas of the target.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Disabled,
    Rescale(i64, &'static str),
    /// Within the bounds: from here on metrics are needed.
    Measure,
}

fn plan(spec: &Value, current: i64) -> Plan {
    let (least, most) = (meta::int(&spec["minReplicas"], 1), meta::int(&spec["maxReplicas"], 1));
    if current == 0 && least != 0 {
        Plan::Disabled
    } else if current > most {
        Plan::Rescale(most, "Current number of replicas above Spec.MaxReplicas")
    } else if current < least {
        Plan::Rescale(least, "Current number of replicas below Spec.MinReplicas")
    } else {
        Plan::Measure
    }
}

/// The first metric, and what is reported of it: the reason, and the words of the error.
fn complaint(metric: &Value) -> (&'static str, String, String) {
    let kind = metric["type"].as_str().unwrap_or_default();
    let other = |api: &str, what: &str, resource: &str| {
        format!(
            "unable to get metric {what}: unable to fetch metrics from {api} metrics API: the server could not find the requested resource (get {resource})"
        )
    };
    match kind {
        "Resource" | "ContainerResource" => {
            let part = &metric[if kind == "Resource" { "resource" } else { "containerResource" }];
            let name = part["name"].as_str().unwrap_or_default();
            let of = if part["target"]["averageUtilization"].is_null() { "usage" } else { "utilization" };
            let error = format!("failed to get {name} {of}: unable to get metrics for resource {name}: {NO_METRICS}");
            let reason =
                if kind == "Resource" { "FailedGetResourceMetric" } else { "FailedGetContainerResourceMetric" };
            let whole = match kind {
                "Resource" => format!("failed to get {name} resource metric value: {error}"),
                _ => format!("failed to get {name} container metric value: {error}"),
            };
            (reason, error, whole)
        }
        "Pods" => {
            let name = metric["pods"]["metric"]["name"].as_str().unwrap_or_default();
            let error = other("custom", name, "pods.custom.metrics.k8s.io");
            ("FailedGetPodsMetric", error.clone(), format!("failed to get pods metric value: {error}"))
        }
        "Object" => {
            let name = metric["object"]["metric"]["name"].as_str().unwrap_or_default();
            let error = other("custom", name, "custom.metrics.k8s.io");
            ("FailedGetObjectMetric", error.clone(), format!("failed to get object metric value: {error}"))
        }
        _ => {
            let name = metric["external"]["metric"]["name"].as_str().unwrap_or_default();
            let error = other("external", name, "external.metrics.k8s.io");
            ("FailedGetExternalMetric", error.clone(), format!("failed to get {name} external metric: {error}"))
        }
    }
}

impl Autoscalers {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            rest: context.rest.clone(),
            autoscalers: context.cache(&AUTOSCALERS),
            events: context.recorder("horizontal-pod-autoscaler"),
            due: Mutex::default(),
        }
    }

    fn too_soon(&self, key: &Key) -> Option<Duration> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let at = due.entry(key.clone()).or_insert(now + EVERY);
        if *at > now {
            return Some(*at - now);
        }
        *at = now + EVERY;
        None
    }

    /// The scale of the target, and of which resource it is.
    async fn target(&self, namespace: &str, reference: &Value) -> Result<(ApiResource, Value), String> {
        let text = |field: &str| reference[field].as_str().unwrap_or_default();
        let (kind, group) = (text("kind"), text("apiVersion").rsplit_once('/').map_or("", |(group, _)| group));
        let known = [DEPLOYMENTS, REPLICASETS, STATEFULSETS, REPLICATION_CONTROLLERS];
        let is = |resource: &ApiResource| resource.kind == kind && resource.group == group;
        let resource = if let Some(resource) = known.into_iter().find(is) {
            resource
        } else {
            let served = discovery::deletable(&self.rest).await.map_err(|error| error.message())?;
            let missing = || format!("no matches for kind \"{kind}\" in group \"{group}\"");
            served.into_iter().find(is).ok_or_else(missing)?
        };
        let path = format!("{}/{}/scale", resource.path(namespace), text("name"));
        let scale = self.rest.read(&path).await.map_err(|error| error.message())?;
        Ok((resource, scale))
    }

    async fn write(&self, autoscaler: &Value, status: &Value) -> Result<(), Error> {
        if *status != autoscaler["status"] {
            let mut next = autoscaler.clone();
            next["status"] = status.clone();
            self.autoscalers.wrote(&self.rest.replace(&AUTOSCALERS, "status", &next).await?);
        }
        Ok(())
    }
}

fn set(status: &mut Value, kind: &str, state: &str, reason: &str, message: &str) {
    let mut conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let condition = json!({"type": kind, "status": state, "reason": reason, "message": message});
    set_condition(&mut conditions, condition);
    status["conditions"] = conditions.into();
}

#[async_trait]
impl Controller for Autoscalers {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        vec![Source::of(Arc::clone(&self.autoscalers))]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(object) = self.autoscalers.get(key).filter(|held| !held.deleting) else {
            self.due.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            return Ok(Next::Change);
        };
        if let Some(left) = self.too_soon(key) {
            return Ok(Next::After(left));
        }
        let autoscaler = object.value();
        let mut status = autoscaler["status"].clone();
        if !status.is_object() {
            status = json!({});
        }
        let warn = |reason: &'static str, message: String| {
            let autoscaler = &autoscaler;
            async move { self.events.record(autoscaler, "", Severity::Warning, reason, &message).await }
        };
        let (resource, mut scale) = match self.target(&key.namespace, &autoscaler["spec"]["scaleTargetRef"]).await {
            Ok(target) => target,
            Err(why) => {
                let event_text = format!("the HPA controller was unable to get the target's current scale: {why}");
                warn("FailedGetScale", why).await;
                set(&mut status, "AbleToScale", "False", "FailedGetScale", &event_text);
                self.write(&autoscaler, &status).await?;
                return Ok(Next::After(EVERY));
            }
        };
        let event_text = "the HPA controller was able to get the target's current scale";
        set(&mut status, "AbleToScale", "True", "SucceededGetScale", event_text);
        let current = meta::int(&scale["spec"]["replicas"], 0);
        status["currentReplicas"] = current.into();
        match plan(&autoscaler["spec"], current) {
            Plan::Disabled => {
                let event_text = "scaling is disabled since the replica count of the target is zero";
                set(&mut status, "ScalingActive", "False", "ScalingDisabled", event_text);
                status["desiredReplicas"] = 0.into();
            }
            Plan::Rescale(size, why) => {
                scale["spec"]["replicas"] = size.into();
                self.rest.replace(&resource, "scale", &scale).await?;
                let event_text = format!("the HPA controller was able to update the target scale to {size}");
                set(&mut status, "AbleToScale", "True", "SucceededRescale", &event_text);
                let event_text = format!("New size: {size}; reason: {why}");
                self.events.record(&autoscaler, "", Severity::Normal, "SuccessfulRescale", &event_text).await;
                status["desiredReplicas"] = size.into();
                status["lastScaleTime"] = meta::now().into();
            }
            Plan::Measure => {
                let metrics = autoscaler["spec"]["metrics"].as_array().cloned().unwrap_or_default();
                let Some(first) = metrics.first() else { return Ok(Next::After(EVERY)) };
                let (reason, error, whole) = complaint(first);
                let event_text = format!("the HPA was unable to compute the replica count: {error}");
                warn(reason, error).await;
                set(&mut status, "ScalingActive", "False", reason, &event_text);
                let count = metrics.len();
                // A place for each metric, and nothing measured in it.
                status["currentMetrics"] = metrics.iter().map(|_| json!({"type": ""})).collect();
                let invalid = format!("invalid metrics ({count} invalid out of {count}), first error is: {whole}");
                warn("FailedComputeMetricsReplicas", invalid).await;
                if status["desiredReplicas"].is_null() {
                    status["desiredReplicas"] = 0.into();
                }
            }
        }
        self.write(&autoscaler, &status).await?;
        Ok(Next::After(EVERY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_come_before_metrics() {
        let spec = json!({"minReplicas": 2, "maxReplicas": 4});
        assert_eq!(plan(&spec, 0), Plan::Disabled);
        assert!(matches!(plan(&spec, 1), Plan::Rescale(2, _)));
        assert_eq!(plan(&spec, 3), Plan::Measure);
        assert!(matches!(plan(&spec, 9), Plan::Rescale(4, _)));
    }

    #[test]
    fn a_missing_metric_is_told_in_kubernetes_words() {
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}});
        let (reason, error, _) = complaint(&metric);
        assert_eq!(reason, "FailedGetResourceMetric");
        assert_eq!(
            error,
            "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from \
             resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
        );
    }
}
