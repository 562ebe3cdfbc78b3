//! What makes pods: selectors that fit their templates, counts, and what cannot change.

use serde_json::{Map, Value, json};

use super::errors::{Errors, is_empty};
use super::{internal, job, rules, template};
use crate::cron::Schedule;
use crate::object::labels::selects;
use crate::object::{list, names, text};

pub(super) fn deployment(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    errors.not_negative("spec.replicas", spec.get("replicas"));
    let fits = selector(spec, "deployment", errors);
    selects_its_template(spec, fits, errors);
    template::check(&spec["template"], "spec.template", errors);
    always_restarts(spec, errors);
    deployment_strategy(&spec["strategy"], errors);
    for count in ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
        errors.not_negative(format!("spec.{count}"), spec.get(count));
    }
    if let (Some(deadline), Some(ready)) =
        (spec["progressDeadlineSeconds"].as_i64(), Some(spec["minReadySeconds"].as_i64().unwrap_or(0)))
        && deadline <= ready
    {
        let why = "must be greater than minReadySeconds";
        errors.invalid("spec.progressDeadlineSeconds", &spec["progressDeadlineSeconds"], why);
    }
    keeps_selector(object, old, errors);
}

fn deployment_strategy(strategy: &Value, errors: &mut Errors) {
    let rolling = strategy.get("rollingUpdate").filter(|one| !one.is_null());
    match text(strategy, "type") {
        "Recreate" if rolling.is_some() => {
            let why = "may not be specified when strategy `type` is 'Recreate'";
            errors.forbidden("spec.strategy.rollingUpdate", why);
        }
        "Recreate" => {}
        "RollingUpdate" => {
            let field = "spec.strategy.rollingUpdate";
            let Some(rolling) = rolling else { return };
            rules::count_or_percent(&format!("{field}.maxUnavailable"), rolling.get("maxUnavailable"), false, errors);
            rules::count_or_percent(&format!("{field}.maxSurge"), rolling.get("maxSurge"), false, errors);
            let none = |field: &str| matches!(rolling.get(field), Some(one) if *one == json!(0) || *one == json!("0%"));
            if none("maxUnavailable") && none("maxSurge") {
                let why = "may not be 0 when `maxSurge` is 0";
                errors.invalid(format!("{field}.maxUnavailable"), &rolling["maxUnavailable"], why);
            }
            let text = rolling["maxUnavailable"].as_str().unwrap_or_default();
            if text.strip_suffix('%').and_then(|share| share.parse::<u64>().ok()).is_some_and(|share| share > 100) {
                errors.invalid(format!("{field}.maxUnavailable"), &json!(text), "must not be greater than 100%");
            }
        }
        _ => {
            let shown = internal::text("DeploymentStrategy", strategy);
            errors.unsupported_text("spec.strategy", &shown, &["Recreate", "RollingUpdate"]);
        }
    }
}

pub(super) fn replica_set(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    errors.not_negative("spec.replicas", spec.get("replicas"));
    errors.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"));
    let fits = selector(spec, "deployment", errors);
    selects_its_template(spec, fits, errors);
    template::check(&spec["template"], "spec.template", errors);
    always_restarts(spec, errors);
    keeps_selector(object, old, errors);
}

pub(super) fn replication_controller(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    errors.not_negative("spec.replicas", spec.get("replicas"));
    let selected = spec.get("selector").and_then(Value::as_object);
    if selected.is_none_or(Map::is_empty) {
        errors.required("spec.selector", "");
    }
    if is_empty(spec.get("template")) {
        errors.required("spec.template", "");
        return;
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if selected.into_iter().flatten().any(|(key, value)| labels.get(key) != Some(value)) {
        let why = "`selector` does not match template `labels`";
        errors.invalid("spec.template.metadata.labels", labels, why);
    }
    template::check(&spec["template"], "spec.template", errors);
    always_restarts(spec, errors);
}

pub(super) fn stateful_set(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    if !["OrderedReady", "Parallel"].contains(&text(spec, "podManagementPolicy")) {
        let why = "must be 'OrderedReady' or 'Parallel'";
        errors.invalid("spec.podManagementPolicy", &spec["podManagementPolicy"], why);
    }
    if !["OnDelete", "RollingUpdate"].contains(&text(&spec["updateStrategy"], "type")) {
        let shown = internal::text("StatefulSetUpdateStrategy", &spec["updateStrategy"]);
        errors.invalid_text("spec.updateStrategy", &shown, "must be 'RollingUpdate' or 'OnDelete'");
    }
    for (at, claim) in list(spec, "volumeClaimTemplates").iter().enumerate() {
        template::claim::claim_spec(&claim["spec"], &format!("spec.volumeClaimTemplates[{at}].spec"), errors);
    }
    let service = text(spec, "serviceName");
    if !service.is_empty() {
        errors.all_invalid("spec.serviceName", service, names::dns_label(service));
    }
    errors.not_negative(
        "spec.updateStrategy.rollingUpdate.partition",
        spec.pointer("/updateStrategy/rollingUpdate/partition"),
    );
    errors.not_negative("spec.ordinals.start", spec.pointer("/ordinals/start"));
    let retention = &spec["persistentVolumeClaimRetentionPolicy"];
    for part in ["whenDeleted", "whenScaled"] {
        let here = format!("spec.persistentVolumeClaimRetentionPolicy.{part}");
        errors.one_of(here, &retention[part], &["Retain", "Delete"]);
    }
    errors.not_negative("spec.replicas", spec.get("replicas"));
    let fits = selector(spec, "statefulset", errors);
    selects_its_template(spec, fits, errors);
    template::check(&with_claims(spec), "spec.template", errors);
    always_restarts(spec, errors);
    let Some(old) = old else { return };
    let may_change = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let kept = |object: &Value| {
        let mut spec = object["spec"].clone();
        spec.as_object_mut().into_iter().for_each(|map| map.retain(|key, _| !may_change.contains(&key.as_str())));
        spec
    };
    if kept(old) != kept(object) {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        errors.forbidden("spec", why);
    }
}

/// The template as its pods will have it, with a volume for each claim.
fn with_claims(spec: &Value) -> Value {
    let mut template = spec["template"].clone();
    let claims = list(spec, "volumeClaimTemplates").iter().map(|claim| {
        let name = &claim["metadata"]["name"];
        json!({"name": name, "persistentVolumeClaim": {"claimName": name}})
    });
    let mut volumes: Vec<Value> = claims.collect();
    let named = |volume: &Value| volumes.iter().all(|one| one["name"] != volume["name"]);
    let others: Vec<Value> = list(&template["spec"], "volumes").iter().filter(|one| named(one)).cloned().collect();
    volumes.extend(others);
    if template["spec"].is_object() {
        template["spec"]["volumes"] = json!(volumes);
    }
    template
}

pub(super) fn revision(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    if is_empty(object.get("data")) {
        errors.required("data", "data is mandatory");
    }
    errors.not_negative("revision", object.get("revision"));
    if let Some(old) = old {
        errors.unchanged("data", "/data", old, object);
    }
}

pub(super) fn daemon_set(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    let fits = selector(spec, "daemonset", errors);
    selects_its_template(spec, fits, errors);
    // What is claimed by template is a volume of every pod.
    let mut template = spec["template"].clone();
    let claims = spec["volumeClaimTemplates"].as_array().into_iter().flatten();
    let claimed: Vec<Value> = claims
        .map(|claim| {
            let name = &claim["metadata"]["name"];
            json!({"name": name, "persistentVolumeClaim": {"claimName": name}})
        })
        .collect();
    if !claimed.is_empty() {
        let mut volumes = template["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        volumes.retain(|volume| claimed.iter().all(|claim| claim["name"] != volume["name"]));
        volumes.extend(claimed);
        template["spec"]["volumes"] = volumes.into();
    }
    template::check(&template, "spec.template", errors);
    always_restarts(spec, errors);
    if !spec["template"]["spec"]["activeDeadlineSeconds"].is_null() {
        let why = "activeDeadlineSeconds in DaemonSet is not Supported";
        errors.forbidden("spec.template.spec.activeDeadlineSeconds", why);
    }
    if !["OnDelete", "RollingUpdate"].contains(&text(&spec["updateStrategy"], "type")) {
        let shown = internal::text("DaemonSetUpdateStrategy", &spec["updateStrategy"]);
        errors.unsupported_text("spec.updateStrategy", &shown, &["RollingUpdate", "OnDelete"]);
    }
    for count in ["minReadySeconds", "revisionHistoryLimit"] {
        errors.not_negative(format!("spec.{count}"), spec.get(count));
    }
    keeps_selector(object, old, errors);
}

pub(super) fn cron_job(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let schedule = text(spec, "schedule");
    if schedule.is_empty() {
        errors.required("spec.schedule", "");
    } else if schedule.contains("TZ") {
        let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.invalid("spec.schedule", &spec["schedule"], why);
    } else if let Err(why) = Schedule::parse(schedule) {
        errors.invalid("spec.schedule", &spec["schedule"], &why);
    }
    errors.not_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"));
    if let Some(zone) = spec.get("timeZone").and_then(Value::as_str) {
        if zone.is_empty() {
            errors.invalid("spec.timeZone", &spec["timeZone"], "timeZone must be nil or non-empty string");
        } else if zone.eq_ignore_ascii_case("local") || jiff::tz::TimeZone::get(zone).is_err() {
            errors.invalid("spec.timeZone", &spec["timeZone"], &format!("unknown time zone {zone}"));
        }
    }
    errors.one_of("spec.concurrencyPolicy", &spec["concurrencyPolicy"], &["Allow", "Forbid", "Replace"]);
    job::look(&spec["jobTemplate"]["spec"], "spec.jobTemplate.spec", errors);
    for count in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        errors.not_negative(format!("spec.{count}"), spec.get(count));
    }
}

/// Whether there is a selector to compare with.
fn selector(spec: &Value, kind: &str, errors: &mut Errors) -> bool {
    let Some(selector) = spec.get("selector").filter(|selector| selector.is_object()) else {
        errors.required("spec.selector", "");
        // A selector that is not there selects nothing.
        return true;
    };
    rules::label_selector(selector, "spec.selector", errors);
    if is_empty(selector.get("matchLabels")) && is_empty(selector.get("matchExpressions")) {
        errors.invalid("spec.selector", &json!({}), &format!("empty selector is invalid for {kind}"));
        return false;
    }
    true
}

fn selects_its_template(spec: &Value, has_selector: bool, errors: &mut Errors) {
    let labels = spec.pointer("/template/metadata/labels").filter(|labels| labels.is_object()).unwrap_or(&Value::Null);
    let known = ["In", "NotIn", "Exists", "DoesNotExist"];
    let readable = list(&spec["selector"], "matchExpressions").iter().all(|one| known.contains(&text(one, "operator")));
    if !readable {
        return errors.invalid("spec.selector", &spec["selector"], "invalid label selector");
    }
    let selected = spec["selector"].is_object() && selects(&spec["selector"], |key| labels.get(key)?.as_str());
    if has_selector && !selected {
        let why = "`selector` does not match template `labels`";
        errors.invalid("spec.template.metadata.labels", labels, why);
    }
}

fn always_restarts(spec: &Value, errors: &mut Errors) {
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if policy.is_string() && policy != "Always" {
        errors.unsupported("spec.template.spec.restartPolicy", policy, &["Always"]);
    }
}

fn keeps_selector(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    if let Some(old) = old {
        errors.unchanged("spec.selector", "/spec/selector", old, object);
    }
}
