//! What makes pods.

use serde_json::{Value, json};

use super::{each, inside, is_text, set, set_pointer, storage, template, within};

pub(super) fn deployment(object: &mut Value) {
    within(object, "spec", |spec| {
        template(spec, "template");
        set(spec, "replicas", json!(1));
        set(spec, "revisionHistoryLimit", json!(10));
        set(spec, "progressDeadlineSeconds", json!(600));
        within(spec, "strategy", |strategy| {
            set(strategy, "type", json!("RollingUpdate"));
            if is_text(strategy, "/type", "RollingUpdate") {
                within(strategy, "rollingUpdate", |rolling| {
                    set(rolling, "maxUnavailable", json!("25%"));
                    set(rolling, "maxSurge", json!("25%"));
                });
            }
        });
    });
}

pub(super) fn replica_set(object: &mut Value) {
    within(object, "spec", |spec| {
        template(spec, "template");
        set(spec, "replicas", json!(1));
    });
}

pub(super) fn replication_controller(object: &mut Value) {
    replica_set(object);
    let labels = object.pointer("/spec/template/metadata/labels").filter(|labels| labels.is_object()).cloned();
    let Some(labels) = labels else { return };
    within(object, "spec", |spec| set(spec, "selector", labels.clone()));
    within(object, "metadata", |metadata| set(metadata, "labels", labels));
}

pub(super) fn stateful_set(object: &mut Value) {
    within(object, "spec", |spec| {
        template(spec, "template");
        set(spec, "replicas", json!(1));
        set(spec, "podManagementPolicy", json!("OrderedReady"));
        set(spec, "revisionHistoryLimit", json!(10));
        within(spec, "updateStrategy", |strategy| {
            set(strategy, "type", json!("RollingUpdate"));
            if is_text(strategy, "/type", "RollingUpdate") {
                within(strategy, "rollingUpdate", |rolling| set(rolling, "partition", json!(0)));
            }
        });
        within(spec, "persistentVolumeClaimRetentionPolicy", |policy| {
            set(policy, "whenDeleted", json!("Retain"));
            set(policy, "whenScaled", json!("Retain"));
        });
        each(spec, "volumeClaimTemplates", |claim| {
            set(claim, "apiVersion", json!("v1"));
            set(claim, "kind", json!("PersistentVolumeClaim"));
            storage::claim(claim);
            within(claim, "status", |status| set(status, "phase", json!("Pending")));
        });
    });
}

pub(super) fn daemon_set(object: &mut Value) {
    within(object, "spec", |spec| {
        template(spec, "template");
        set(spec, "revisionHistoryLimit", json!(10));
        within(spec, "updateStrategy", |strategy| {
            set(strategy, "type", json!("RollingUpdate"));
            if is_text(strategy, "/type", "RollingUpdate") {
                within(strategy, "rollingUpdate", |rolling| {
                    set(rolling, "maxUnavailable", json!(1));
                    set(rolling, "maxSurge", json!(0));
                });
            }
        });
    });
}

/// A job without labels has those of its template.
pub(super) fn job_labels(object: &mut Value) {
    let labels = object.pointer("/spec/template/metadata/labels").filter(|labels| labels.is_object()).cloned();
    if let Some(labels) = labels {
        within(object, "metadata", |metadata| set(metadata, "labels", labels));
    }
}

pub(super) fn job(object: &mut Value) {
    job_labels(object);
    within(object, "spec", |spec| {
        template(spec, "template");
        if spec.get("completions").is_none() && spec.get("parallelism").is_none() {
            set(spec, "completions", json!(1));
        }
        set(spec, "parallelism", json!(1));
        let backoff = if spec.get("backoffLimitPerIndex").is_some() { i32::MAX } else { 6 };
        set(spec, "backoffLimit", json!(backoff));
        set_pointer(spec, "completionMode", json!("NonIndexed"));
        set(spec, "suspend", json!(false));
        set(spec, "manualSelector", json!(false));
        let replace = if spec.get("podFailurePolicy").is_some() { "Failed" } else { "TerminatingOrFailed" };
        set(spec, "podReplacementPolicy", json!(replace));
        inside(spec, "podFailurePolicy", |policy| {
            each(policy, "rules", |rule| {
                each(rule, "onPodConditions", |pattern| set(pattern, "status", json!("True")));
            });
        });
    });
}

/// The job's own defaults come when a job is made of it.
pub(super) fn cron_job(object: &mut Value) {
    within(object, "spec", |spec| {
        within(spec, "jobTemplate", |job| {
            within(job, "spec", |spec| template(spec, "template"));
        });
        set(spec, "concurrencyPolicy", json!("Allow"));
        set(spec, "suspend", json!(false));
        set(spec, "successfulJobsHistoryLimit", json!(3));
        set(spec, "failedJobsHistoryLimit", json!(1));
    });
}

pub(super) fn autoscaler(object: &mut Value) {
    let second = object["apiVersion"] == "autoscaling/v2";
    within(object, "spec", |spec| {
        set(spec, "minReplicas", json!(1));
        if !second {
            // The first version knows this one metric.
            set(spec, "targetCPUUtilizationPercentage", json!(80));
            return;
        }
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        set(spec, "metrics", json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]));
        inside(spec, "behavior", |behavior| {
            let policy = |kind: &str, value: i64| json!({"type": kind, "value": value, "periodSeconds": 15});
            within(behavior, "scaleUp", |up| {
                set(up, "stabilizationWindowSeconds", json!(0));
                set_pointer(up, "selectPolicy", json!("Max"));
                set(up, "policies", json!([policy("Pods", 4), policy("Percent", 100)]));
            });
            within(behavior, "scaleDown", |down| {
                set_pointer(down, "selectPolicy", json!("Max"));
                set(down, "policies", json!([policy("Percent", 100)]));
            });
        });
    });
}
