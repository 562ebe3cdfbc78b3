//! What makes pods: selectors that fit their templates, counts, and what cannot change.

use serde_json::{Map, Value, json};

use super::errors::{Errors, IMMUTABLE, is_empty, list, text};
use super::{meta, rules, template};

pub(super) fn deployment(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    errors.not_negative("spec.replicas", spec.get("replicas"));
    let fits = selector(spec, "deployment", errors);
    selects_its_template(spec, fits, errors);
    template::check(&spec["template"], "spec.template", errors);
    always_restarts(spec, errors);
    let strategy = &spec["strategy"];
    errors.one_of("spec.strategy.type", &strategy["type"], &["Recreate", "RollingUpdate"]);
    if strategy["type"] == "Recreate" && strategy.get("rollingUpdate").is_some_and(|one| !one.is_null()) {
        let why = "may not be specified when strategy `type` is 'Recreate'";
        errors.forbidden("spec.strategy.rollingUpdate", why);
    }
    if let Some(rolling) = strategy.get("rollingUpdate") {
        let none = |field: &str| matches!(rolling.get(field), Some(one) if *one == json!(0) || *one == json!("0%"));
        if none("maxUnavailable") && none("maxSurge") {
            let why = "may not be 0 when `maxSurge` is 0";
            errors.invalid("spec.strategy.rollingUpdate.maxUnavailable", &rolling["maxUnavailable"], why);
        }
    }
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
    errors.one_of("spec.podManagementPolicy", &spec["podManagementPolicy"], &["OrderedReady", "Parallel"]);
    errors.one_of("spec.updateStrategy.type", &spec["updateStrategy"]["type"], &["OnDelete", "RollingUpdate"]);
    errors.not_negative("spec.replicas", spec.get("replicas"));
    let fits = selector(spec, "statefulset", errors);
    selects_its_template(spec, fits, errors);
    template::check(&spec["template"], "spec.template", errors);
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

pub(super) fn daemon_set(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    let fits = selector(spec, "daemonset", errors);
    selects_its_template(spec, fits, errors);
    template::check(&spec["template"], "spec.template", errors);
    always_restarts(spec, errors);
    errors.one_of("spec.updateStrategy.type", &spec["updateStrategy"]["type"], &["OnDelete", "RollingUpdate"]);
    for count in ["minReadySeconds", "revisionHistoryLimit"] {
        errors.not_negative(format!("spec.{count}"), spec.get(count));
    }
    keeps_selector(object, old, errors);
}

pub(super) fn job(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    for count in ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"] {
        errors.not_negative(format!("spec.{count}"), spec.get(count));
    }
    errors.one_of("spec.completionMode", &spec["completionMode"], &["Indexed", "NonIndexed"]);
    if spec["completionMode"] == "Indexed" && spec.get("completions").is_none_or(Value::is_null) {
        errors.required("spec.completions", "when completion mode is Indexed");
    }
    template::check(&spec["template"], "spec.template", errors);
    ends(spec, "spec.template.spec", errors);
    let Some(old) = old else { return };
    errors.unchanged("spec.selector", "/spec/selector", old, object);
    let suspended = old["spec"]["suspend"] == true && old["status"].get("startTime").is_none();
    let template = |object: &Value| {
        let mut template = object["spec"]["template"].clone();
        if suspended {
            for part in ["nodeSelector", "tolerations", "affinity", "schedulingGates"] {
                template["spec"].as_object_mut().map(|map| map.remove(part));
            }
            template.as_object_mut().map(|map| map.remove("metadata"));
        }
        template
    };
    if template(old) != template(object) {
        errors.invalid("spec.template", &spec["template"], IMMUTABLE);
    }
    errors.unchanged("spec.completionMode", "/spec/completionMode", old, object);
    let elastic = spec["completionMode"] == "Indexed" && spec["completions"] == spec["parallelism"];
    if !elastic {
        errors.unchanged("spec.completions", "/spec/completions", old, object);
    }
}

fn ends(spec: &Value, field: &str, errors: &mut Errors) {
    let policy = &spec["template"]["spec"]["restartPolicy"];
    // What was not said has become `Always` by now.
    if policy == "Always" {
        errors.required(format!("{field}.restartPolicy"), "valid values: \"OnFailure\", \"Never\"");
    }
}

pub(super) fn cron_job(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let schedule = text(spec, "schedule");
    if schedule.is_empty() {
        errors.required("spec.schedule", "");
    } else if schedule.contains("TZ") {
        let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.invalid("spec.schedule", &spec["schedule"], why);
    } else if let Err(why) = is_schedule(schedule) {
        errors.invalid("spec.schedule", &spec["schedule"], &why);
    }
    if let Some(zone) = spec.get("timeZone").and_then(Value::as_str)
        && (zone.eq_ignore_ascii_case("local") || zone.is_empty() || jiff::tz::TimeZone::get(zone).is_err())
    {
        errors.invalid("spec.timeZone", &spec["timeZone"], &format!("unknown time zone {zone}"));
    }
    errors.one_of("spec.concurrencyPolicy", &spec["concurrencyPolicy"], &["Allow", "Forbid", "Replace"]);
    for count in ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        errors.not_negative(format!("spec.{count}"), spec.get(count));
    }
    let job = &spec["jobTemplate"]["spec"];
    template::check(&job["template"], "spec.jobTemplate.spec.template", errors);
    ends(job, "spec.jobTemplate.spec.template.spec", errors);
}

/// The five fields of cron, or one of its words.
fn is_schedule(text: &str) -> Result<(), String> {
    if let Some(word) = text.strip_prefix('@') {
        let words = ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];
        let every = word.strip_prefix("every ").is_some_and(|span| span.ends_with(['s', 'm', 'h']));
        return if words.contains(&word) || every { Ok(()) } else { Err(format!("unrecognized descriptor: {text}")) };
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != 5 {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    }
    let ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
    for (field, (low, high)) in fields.iter().zip(ranges) {
        for part in field.split(',') {
            let range = part.split('/').next().unwrap_or_default();
            for end in range.split('-') {
                let named = end.len() == 3 && end.chars().all(|c| c.is_ascii_alphabetic());
                match end.parse::<u32>() {
                    _ if ["*", "?"].contains(&end) || named => {}
                    Ok(number) if number < low => {
                        return Err(format!("beginning of range ({number}) below minimum ({low}): {part}"));
                    }
                    Ok(number) if number > high => {
                        return Err(format!("end of range ({number}) above maximum ({high}): {part}"));
                    }
                    Ok(_) => {}
                    Err(_) => {
                        return Err(format!(
                            "failed to parse int from {end}: strconv.Atoi: parsing \"{end}\": invalid syntax"
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

pub(super) fn autoscaler(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let (least, most) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64().unwrap_or_default());
    if least.is_some_and(|least| least < 1) {
        errors.invalid("spec.minReplicas", &spec["minReplicas"], "must be greater than or equal to 1");
    }
    if most < 1 {
        errors.invalid("spec.maxReplicas", &json!(most), "must be greater than 0");
    }
    if least.is_some_and(|least| most < least) {
        let why = "must be greater than or equal to `minReplicas`";
        errors.invalid("spec.maxReplicas", &json!(most), why);
    }
    for part in ["kind", "name"] {
        if text(&spec["scaleTargetRef"], part).is_empty() {
            errors.required(format!("spec.scaleTargetRef.{part}"), "");
        }
    }
}

/// Whether there is a selector to compare with.
fn selector(spec: &Value, kind: &str, errors: &mut Errors) -> bool {
    let Some(selector) = spec.get("selector").filter(|selector| selector.is_object()) else {
        errors.required("spec.selector", "");
        // A selector that is not there selects nothing.
        return true;
    };
    label_selector(selector, "spec.selector", errors);
    if is_empty(selector.get("matchLabels")) && is_empty(selector.get("matchExpressions")) {
        errors.invalid("spec.selector", selector, &format!("empty selector is invalid for {kind}"));
        return false;
    }
    true
}

pub(super) fn label_selector(selector: &Value, field: &str, errors: &mut Errors) {
    meta::labels(selector.get("matchLabels"), &format!("{field}.matchLabels"), errors);
    for (at, one) in list(selector, "matchExpressions").iter().enumerate() {
        let here = format!("{field}.matchExpressions[{at}]");
        let values = list(one, "values");
        match text(one, "operator") {
            "In" | "NotIn" if values.is_empty() => {
                let why = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.required(format!("{here}.values"), why);
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.forbidden(format!("{here}.values"), why);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.invalid(format!("{here}.operator"), &json!(other), "not a valid selector operator"),
        }
        let key = text(one, "key");
        errors.all_invalid(&format!("{here}.key"), key, rules::qualified_name(key));
    }
}

fn selects_its_template(spec: &Value, has_selector: bool, errors: &mut Errors) {
    let labels = spec.pointer("/template/metadata/labels").filter(|labels| labels.is_object()).unwrap_or(&Value::Null);
    let selected = spec["selector"].is_object() && selects(&spec["selector"], labels);
    if has_selector && !selected {
        let why = "`selector` does not match template `labels`";
        errors.invalid("spec.template.metadata.labels", labels, why);
    }
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let expressions = list(selector, "matchExpressions").iter();
    wanted.into_iter().all(|(key, value)| labels.get(key) == Some(value))
        && expressions.into_iter().all(|one| {
            let found = labels.get(text(one, "key"));
            let listed = found.is_some_and(|value| list(one, "values").contains(value));
            match text(one, "operator") {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                _ => false,
            }
        })
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
