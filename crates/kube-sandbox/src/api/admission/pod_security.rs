//! Pod security: the levels that a namespace's labels ask for, in the words of Kubernetes' own checks.

mod checks;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::SharedApi;
use crate::object::field_error::FieldError;
use crate::object::meta;
use crate::objects::selector::Selector;
use crate::resource::Resource;
use crate::status::ApiError;
use checks::{Level, Violation, violations};
use kube_etcd_codec::names;

/// What a namespace wants in one mode.
#[derive(PartialEq, Eq)]
struct Wanted {
    level: Level,
    /// Of Kubernetes 1.x, whose checks count.
    minor: u32,
    /// As messages show it.
    shown: String,
}

fn wanted(namespace: &Value, mode: &str) -> Option<Wanted> {
    let labels = &namespace["metadata"]["labels"];
    let name = labels.get(format!("pod-security.kubernetes.io/{mode}"))?.as_str()?;
    let level = match name {
        "privileged" => return None,
        "baseline" => Level::Baseline,
        // What is not understood is taken for the strictest.
        _ => Level::Restricted,
    };
    let version = labels.get(format!("pod-security.kubernetes.io/{mode}-version")).and_then(Value::as_str);
    let version = version.unwrap_or("latest");
    Some(Wanted { level, minor: minor(version).unwrap_or(u32::MAX), shown: format!("{name}:{version}") })
}

fn minor(version: &str) -> Option<u32> {
    if version == "latest" {
        return Some(u32::MAX);
    }
    let minor = version.strip_prefix("v1.")?;
    let plain = minor == "0" || !minor.starts_with(['0', '+']);
    minor.parse().ok().filter(|_| plain)
}

/// What is wrong with the labels of a namespace that is new, or whose labels changed.
pub(super) fn check_labels(old: Option<&Value>, new: &Value) -> Vec<FieldError> {
    let errors = label_errors(new);
    if old.is_some_and(|old| label_errors(old) == errors) { Vec::new() } else { errors }
}

fn label_errors(namespace: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for mode in ["enforce", "audit", "warn"] {
        for (suffix, why) in
            [("", "must be one of privileged, baseline, restricted"), ("-version", "must be \"latest\" or \"v1.x\"")]
        {
            let label = format!("pod-security.kubernetes.io/{mode}{suffix}");
            let Some(value) = namespace["metadata"]["labels"].get(&label) else { continue };
            let text = value.as_str().unwrap_or_default();
            let known = if suffix.is_empty() {
                ["privileged", "baseline", "restricted"].contains(&text)
            } else {
                minor(text).is_some()
            };
            if !known {
                errors.push(FieldError::invalid(format!("metadata.labels[{label}]"), value, why));
            }
        }
    }
    errors
}

/// Where a kind keeps the pods that it makes.
fn template(resource: &Resource) -> Option<&'static str> {
    Some(match resource.name() {
        names::POD_TEMPLATES => "/template/spec",
        names::REPLICATION_CONTROLLERS
        | names::DEPLOYMENTS
        | names::REPLICASETS
        | names::STATEFULSETS
        | names::DAEMONSETS
        | names::JOBS => "/spec/template/spec",
        names::CRONJOBS => "/spec/jobTemplate/spec/template/spec",
        _ => return None,
    })
}

pub(super) fn check(
    resource: &Resource,
    namespace: &Value,
    object: &Value,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    let pod = resource.is(names::PODS);
    let path = if pod { Some("/spec") } else { template(resource) };
    let Some(spec) = path.and_then(|path| object.pointer(path)) else { return Ok(()) };
    if let Some(wanted) = wanted(namespace, "enforce").filter(|_| pod) {
        let found = violations(wanted.level, wanted.minor, spec);
        if !found.is_empty() {
            let why = format!("violates PodSecurity \"{}\": {}", wanted.shown, listed(&found));
            return Err(ApiError::forbidden(resource, meta::name(object), &why));
        }
    }
    if let Some(wanted) = wanted(namespace, "warn") {
        let found = violations(wanted.level, wanted.minor, spec);
        if !found.is_empty() {
            warnings.push(format!("would violate PodSecurity \"{}\": {}", wanted.shown, listed(&found)));
        }
    }
    Ok(())
}

fn listed(found: &[Violation]) -> String {
    found.iter().map(|one| format!("{} ({})", one.reason, one.detail)).collect::<Vec<_>>().join(", ")
}

/// What is there already stays; whoever asks for more than it keeps is told.
pub(super) async fn relabelled(
    api: &SharedApi,
    old: &Value,
    new: &Value,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    let before = wanted(old, "enforce");
    let Some(wanted) = wanted(new, "enforce").filter(|after| Some(after) != before.as_ref()) else {
        return Ok(());
    };
    let name = meta::name(new);
    let Some(pods) = api.objects.registry.served().known(names::PODS) else { return Ok(()) };
    let (pods, _) = api.objects.list_all(&pods, Some(name), &Selector::default()).await?;
    let mut offenders: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pod in &pods {
        let found = violations(wanted.level, wanted.minor, &pod["spec"]);
        if !found.is_empty() {
            let reasons = found.iter().map(|one| one.reason).collect::<Vec<_>>().join(", ");
            offenders.entry(reasons).or_default().push(meta::name(pod));
        }
    }
    if offenders.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<String> = offenders
        .into_iter()
        .map(|(reasons, pods)| match &pods[..] {
            [first] => format!("{first}: {reasons}"),
            [first, _] => format!("{first} (and 1 other pod): {reasons}"),
            [first, others @ ..] => format!("{first} (and {} other pods): {reasons}", others.len()),
            [] => reasons,
        })
        .collect();
    lines.sort();
    let shown = wanted.shown;
    warnings
        .push(format!("existing pods in namespace \"{name}\" violate the new PodSecurity enforce level \"{shown}\""));
    warnings.extend(lines);
    Ok(())
}
