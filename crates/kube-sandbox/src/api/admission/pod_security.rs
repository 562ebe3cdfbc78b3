//! Pod security: the levels that a namespace's labels ask for, in the words of Kubernetes' own checks.

mod checks;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::resource::Resource;
use crate::api::selector::Selector;
use crate::api::status::ApiError;
use crate::api::{SharedApi, meta};
use checks::{Level, Violation, violations};

/// The level that a namespace wants in one mode, with the version as messages show it.
fn wanted(namespace: &Value, mode: &str) -> Option<(Level, String)> {
    let labels = &namespace["metadata"]["labels"];
    let name = labels.get(format!("pod-security.kubernetes.io/{mode}"))?.as_str()?;
    let level = match name {
        "baseline" => Level::Baseline,
        "restricted" => Level::Restricted,
        _ => return None,
    };
    let version = labels.get(format!("pod-security.kubernetes.io/{mode}-version")).and_then(Value::as_str);
    Some((level, format!("{name}:{}", version.unwrap_or("latest"))))
}

/// Where a kind keeps the pods that it makes.
fn template(resource: &Resource) -> Option<&'static str> {
    Some(match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "podtemplates") => "/template/spec",
        ("", "replicationcontrollers")
        | ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets")
        | ("batch", "jobs") => "/spec/template/spec",
        ("batch", "cronjobs") => "/spec/jobTemplate/spec/template/spec",
        _ => return None,
    })
}

pub(super) fn check(
    resource: &Resource,
    namespace: &Value,
    object: &Value,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    let pod = resource.is("", "pods");
    let path = if pod { Some("/spec") } else { template(resource) };
    let Some(spec) = path.and_then(|path| object.pointer(path)) else { return Ok(()) };
    if let Some((level, shown)) = wanted(namespace, "enforce").filter(|_| pod) {
        let found = violations(level, spec);
        if !found.is_empty() {
            let why = format!("violates PodSecurity \"{shown}\": {}", told(&found));
            return Err(ApiError::forbidden(resource, meta::name(object), &why));
        }
    }
    if let Some((level, shown)) = wanted(namespace, "warn") {
        let found = violations(level, spec);
        if !found.is_empty() {
            warnings.push(format!("would violate PodSecurity \"{shown}\": {}", told(&found)));
        }
    }
    Ok(())
}

fn told(found: &[Violation]) -> String {
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
    let Some((level, shown)) = wanted(new, "enforce").filter(|after| Some(after) != before.as_ref()) else {
        return Ok(());
    };
    let name = meta::name(new);
    let Some(pods) = api.registry.served().find("", "v1", "pods") else { return Ok(()) };
    let (pods, _) = api.list_all(&pods, Some(name), &Selector::default()).await?;
    let mut offenders: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pod in &pods {
        let found = violations(level, &pod["spec"]);
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
    warnings
        .push(format!("existing pods in namespace \"{name}\" violate the new PodSecurity enforce level \"{shown}\""));
    warnings.extend(lines);
    Ok(())
}
