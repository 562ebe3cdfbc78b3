//! Limit ranges: what containers get that say nothing, and what is too little or too much.

use serde_json::{Value, json};

use crate::api::SharedApi;
use crate::object::{meta, quantity};
use crate::objects::selector::Selector;
use crate::resource::Resource;
use crate::status::ApiError;
use kube_etcd_codec::names;

/// The rules of a namespace, of one type.
async fn of(api: &SharedApi, namespace: &str) -> Result<Vec<Value>, ApiError> {
    let Some(ranges) = api.objects.registry.served().known(names::LIMIT_RANGES) else { return Ok(Vec::new()) };
    let (ranges, _) = api.objects.list_all(&ranges, Some(namespace), &Selector::default()).await?;
    Ok(ranges.iter().filter_map(|range| range.pointer("/spec/limits")?.as_array()).flatten().cloned().collect())
}

pub(super) async fn pod(api: &SharedApi, resource: &Resource, pod: &mut Value) -> Result<(), ApiError> {
    let limits = of(api, meta::namespace(pod)).await?;
    if limits.is_empty() {
        return Ok(());
    }
    fill(&limits, pod);
    judged(resource, pod, &pod_errors(&limits, pod))
}

pub(super) async fn claim(api: &SharedApi, resource: &Resource, claim: &Value) -> Result<(), ApiError> {
    let limits = of(api, meta::namespace(claim)).await?;
    let asked = claim.pointer("/spec/resources/requests/storage");
    let mut errors = Vec::new();
    for limit in limits.iter().filter(|limit| limit["type"] == "PersistentVolumeClaim") {
        errors.extend(too_little(limit, "PersistentVolumeClaim", "storage", asked, None));
        errors.extend(too_much(limit, "PersistentVolumeClaim", "storage", asked, asked));
    }
    judged(resource, claim, &errors)
}

fn judged(resource: &Resource, object: &Value, errors: &[String]) -> Result<(), ApiError> {
    let why = match errors {
        [] => return Ok(()),
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    Err(ApiError::forbidden(resource, meta::name(object), &why))
}

fn lists(pod: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| pod["spec"].get(list).and_then(Value::as_array))
        .flatten()
}

/// Containers without requests or limits get the defaults, and the pod a note that says so.
fn fill(limits: &[Value], pod: &mut Value) {
    let mut notes = Vec::new();
    for (list, word) in [("containers", "container"), ("initContainers", "init container")] {
        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let name = container["name"].as_str().unwrap_or_default().to_owned();
            for (from, to, said) in [("defaultRequest", "requests", "request"), ("default", "limits", "limit")] {
                let mut set = Vec::new();
                let defaults = limits
                    .iter()
                    .filter(|limit| limit["type"] == "Container")
                    .filter_map(|limit| limit.get(from)?.as_object())
                    .flatten();
                for (resource, amount) in defaults {
                    let target = &mut container["resources"][to];
                    if !target.is_object() {
                        *target = json!({});
                    }
                    if target.get(resource).is_none() {
                        target[resource] = amount.clone();
                        set.push(resource.clone());
                    }
                }
                if !set.is_empty() {
                    set.sort();
                    notes.push(format!("{} {said} for {word} {name}", set.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        let annotations = meta::metadata_mut(pod).entry("annotations").or_insert_with(|| json!({}));
        if !annotations.is_object() {
            *annotations = json!({});
        }
        annotations["kubernetes.io/limit-ranger"] = json!(format!("LimitRanger plugin set: {}", notes.join("; ")));
    }
}

fn pod_errors(limits: &[Value], pod: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    for limit in limits {
        let names =
            |field: &str| limit.get(field).and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name);
        match limit["type"].as_str() {
            Some("Container") => {
                for container in lists(pod) {
                    let amount = |part: &str, name: &str| container["resources"][part].get(name);
                    for name in names("min") {
                        errors.extend(too_little(
                            limit,
                            "Container",
                            name,
                            amount("requests", name),
                            amount("limits", name),
                        ));
                    }
                    for name in names("max") {
                        errors.extend(too_much(
                            limit,
                            "Container",
                            name,
                            amount("limits", name),
                            amount("requests", name),
                        ));
                    }
                    for name in names("maxLimitRequestRatio") {
                        errors.extend(too_far(
                            limit,
                            "Container",
                            name,
                            amount("limits", name),
                            amount("requests", name),
                        ));
                    }
                }
            }
            Some("Pod") => {
                let total = |part: &str, name: &str| {
                    let all: Vec<i128> = pod["spec"]["containers"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|container| container["resources"][part].get(name).map(quantity::parse))
                        .collect();
                    (!all.is_empty()).then(|| json!(quantity::format(name, all.into_iter().sum())))
                };
                for name in names("min") {
                    let (request, most) = (total("requests", name), total("limits", name));
                    errors.extend(too_little(limit, "Pod", name, request.as_ref(), most.as_ref()));
                }
                for name in names("max") {
                    let (request, most) = (total("requests", name), total("limits", name));
                    errors.extend(too_much(limit, "Pod", name, most.as_ref(), request.as_ref()));
                }
            }
            _ => {}
        }
    }
    errors
}

fn said(name: &str, amount: &Value) -> String {
    quantity::format(name, quantity::parse(amount))
}

fn too_little(limit: &Value, what: &str, name: &str, request: Option<&Value>, most: Option<&Value>) -> Option<String> {
    let bound = limit["min"].get(name)?;
    let (least, shown) = (quantity::parse(bound), said(name, bound));
    match (request, most) {
        (None, _) => Some(format!("minimum {name} usage per {what} is {shown}.  No request is specified")),
        (Some(request), _) if quantity::parse(request) < least => {
            Some(format!("minimum {name} usage per {what} is {shown}, but request is {}", said(name, request)))
        }
        (_, Some(most)) if quantity::parse(most) < least => {
            Some(format!("minimum {name} usage per {what} is {shown}, but limit is {}", said(name, most)))
        }
        _ => None,
    }
}

fn too_much(limit: &Value, what: &str, name: &str, most: Option<&Value>, request: Option<&Value>) -> Option<String> {
    let bound = limit["max"].get(name)?;
    let (greatest, shown) = (quantity::parse(bound), said(name, bound));
    // A claim has a request only.
    let claim = what == "PersistentVolumeClaim";
    match (most, request) {
        (None, _) => Some(format!("maximum {name} usage per {what} is {shown}.  No limit is specified")),
        (Some(most), _) if !claim && quantity::parse(most) > greatest => {
            Some(format!("maximum {name} usage per {what} is {shown}, but limit is {}", said(name, most)))
        }
        (_, Some(request)) if quantity::parse(request) > greatest => {
            Some(format!("maximum {name} usage per {what} is {shown}, but request is {}", said(name, request)))
        }
        _ => None,
    }
}

fn too_far(limit: &Value, what: &str, name: &str, most: Option<&Value>, request: Option<&Value>) -> Option<String> {
    let bound = limit["maxLimitRequestRatio"].get(name)?;
    let shown = said(name, bound);
    let (request, most) = (request.map_or(0, quantity::parse), most.map_or(0, quantity::parse));
    if request == 0 {
        return Some(format!(
            "{name} max limit to request ratio per {what} is {shown}, but no request is specified or request is 0"
        ));
    }
    if most == 0 {
        return Some(format!(
            "{name} max limit to request ratio per {what} is {shown}, but no limit is specified or limit is 0"
        ));
    }
    let over = most * 1000 > quantity::parse(bound) * request;
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let ratio = most as f64 / request as f64;
    over.then(|| format!("{name} max limit to request ratio per {what} is {shown}, but provided ratio is {ratio:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_get_what_they_do_not_say() {
        let limits = [
            json!({"type": "Container", "default": {"cpu": "500m", "memory": "1Gi"}, "defaultRequest": {"cpu": "100m"}}),
        ];
        let mut pod =
            json!({"metadata": {}, "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}}}]}});
        fill(&limits, &mut pod);
        assert_eq!(
            pod["spec"]["containers"][0]["resources"],
            json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}})
        );
        assert_eq!(
            pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
            "LimitRanger plugin set: cpu request for container c; memory limit for container c"
        );
    }

    #[test]
    fn too_little_and_too_much_are_told() {
        let limits = [json!({"type": "Container", "min": {"cpu": "100m"}, "max": {"cpu": "1"}})];
        let pod = |request: &str, limit: &str| {
            json!({"spec": {"containers": [
                {"name": "c", "resources": {"requests": {"cpu": request}, "limits": {"cpu": limit}}}]}})
        };
        assert!(pod_errors(&limits, &pod("200m", "1")).is_empty());
        assert_eq!(
            pod_errors(&limits, &pod("50m", "2")),
            [
                "minimum cpu usage per Container is 100m, but request is 50m",
                "maximum cpu usage per Container is 1, but limit is 2"
            ]
        );
    }
}
