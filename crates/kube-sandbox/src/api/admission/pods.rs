//! Pods: the service account with its token, priority, tolerations, and the quality of service.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::limits;
use crate::api::SharedApi;
use crate::object::meta;
use crate::objects::selector::Selector;
use crate::resource::Resource;
use crate::status::ApiError;
use kube_etcd_codec::names;

const MIRROR: &str = "kubernetes.io/config.mirror";
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// A new namespace has its default account a moment after itself.
const ACCOUNT_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn prepare(pod: &mut Value) {
    let qos = quality_of_service(&pod["spec"]);
    pod["status"] = json!({"phase": "Pending", "qosClass": qos});
}

pub(super) async fn admit(api: &SharedApi, resource: &Resource, pod: &mut Value) -> Result<(), ApiError> {
    limits::pod(api, resource, pod).await?;
    pod["status"]["qosClass"] = json!(quality_of_service(&pod["spec"]));
    if pod.pointer("/metadata/annotations").and_then(|annotations| annotations.get(MIRROR)).is_none() {
        service_account(api, resource, pod).await?;
    }
    priority(api, resource, pod).await?;
    runtime_class(api, resource, pod).await?;
    tolerate_for_a_while(pod);
    Ok(())
}

async fn service_account(api: &SharedApi, resource: &Resource, pod: &mut Value) -> Result<(), ApiError> {
    let account = pod.pointer("/spec/serviceAccountName").and_then(Value::as_str).unwrap_or_default();
    let account = if account.is_empty() { "default" } else { account }.to_owned();
    let namespace = meta::namespace(pod).to_owned();
    let found = account_of(api, &namespace, &account).await?;
    let Some(found) = found else {
        let why =
            format!("error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found");
        return Err(ApiError::forbidden(resource, meta::name(pod), &why));
    };
    pod["spec"]["serviceAccountName"] = json!(account);
    pod["spec"]["serviceAccount"] = json!(account);
    if pod.pointer("/spec/imagePullSecrets").is_none()
        && let Some(secrets) = found.get("imagePullSecrets")
    {
        pod["spec"]["imagePullSecrets"] = secrets.clone();
    }
    let wanted =
        pod.pointer("/spec/automountServiceAccountToken").or_else(|| found.get("automountServiceAccountToken"));
    if wanted != Some(&json!(false)) {
        mount_token(pod);
    }
    Ok(())
}

async fn account_of(api: &SharedApi, namespace: &str, account: &str) -> Result<Option<Value>, ApiError> {
    let served = api.objects.registry.served();
    let Some(accounts) = served.known(names::SERVICEACCOUNTS) else { return Ok(None) };
    let deadline = tokio::time::Instant::now() + ACCOUNT_WITHIN;
    loop {
        match api.objects.get(&accounts, Some(namespace), account).await {
            Ok(found) => return Ok(Some(found)),
            Err(error) if error.code != 404 => return Err(error),
            Err(_) if account != "default" || tokio::time::Instant::now() > deadline => return Ok(None),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

pub fn mount_token(pod: &mut Value) {
    const VOLUME: &str = "kube-api-access-";
    let held = pod.pointer("/spec/volumes").and_then(Value::as_array).into_iter().flatten();
    let held = held.filter_map(|volume| volume["name"].as_str()).find(|name| name.starts_with(VOLUME));
    let (name, mut used) = (held.map_or_else(|| format!("{VOLUME}{}", meta::suffix()), str::to_owned), false);
    let is_held = held.is_some();
    for list in ["containers", "initContainers"] {
        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let mounts = &mut container["volumeMounts"];
            if !mounts.is_array() {
                *mounts = json!([]);
            }
            let Some(mounts) = mounts.as_array_mut() else { continue };
            if mounts.iter().all(|mount| mount["mountPath"] != TOKEN_PATH) {
                mounts.push(json!({"name": name, "readOnly": true, "mountPath": TOKEN_PATH}));
                used = true;
            }
        }
    }
    if !used || is_held {
        return;
    }
    let volumes = &mut pod["spec"]["volumes"];
    if !volumes.is_array() {
        *volumes = json!([]);
    }
    if let Some(volumes) = volumes.as_array_mut() {
        volumes.push(json!({
            "name": name,
            "projected": {
                "defaultMode": 420,
                "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    {"downwardAPI": {"items": [{
                        "path": "namespace",
                        "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                    }]}},
                ],
            },
        }));
    }
}

/// Who leaves the priority out on an update does not mean to change it.
pub(super) fn keep_priority(old: &Value, new: &mut Value) {
    for field in ["priority", "preemptionPolicy"] {
        let given = &new["spec"][field];
        if given.is_null()
            && let Some(held) = old["spec"].get(field)
        {
            new["spec"][field] = held.clone();
        }
    }
}

async fn priority(api: &SharedApi, resource: &Resource, pod: &mut Value) -> Result<(), ApiError> {
    let served = api.objects.registry.served();
    let Some(classes) = served.known(names::PRIORITY_CLASSES) else { return Ok(()) };
    let wanted = pod.pointer("/spec/priorityClassName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let class = if wanted.is_empty() {
        let (all, _) = api.objects.list_all(&classes, None, &Selector::default()).await?;
        all.into_iter().find(|class| class["globalDefault"] == true)
    } else {
        match api.objects.get(&classes, None, &wanted).await {
            Ok(class) => Some(class),
            Err(error) if error.code == 404 => {
                let why = format!("no PriorityClass with name {wanted} was found");
                return Err(ApiError::forbidden(resource, meta::name(pod), &why));
            }
            Err(error) => return Err(error),
        }
    };
    let (value, policy) = class.as_ref().map_or((json!(0), json!("PreemptLowerPriority")), |class| {
        (class["value"].clone(), class.get("preemptionPolicy").cloned().unwrap_or(json!("PreemptLowerPriority")))
    });
    if let Some(class) = &class {
        pod["spec"]["priorityClassName"] = json!(meta::name(class));
    }
    let refused = |given: &Value, what: &str, computed: &Value| {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let why = format!(
            "the {what} ({}) must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name",
            text(given),
            text(computed)
        );
        Err(ApiError::forbidden(resource, meta::name(pod), &why))
    };
    if let Some(given) = pod["spec"].get("priority").filter(|given| !given.is_null() && **given != value) {
        return refused(given, "integer value of priority", &value);
    }
    if let Some(given) = pod["spec"].get("preemptionPolicy").filter(|given| !given.is_null() && **given != policy) {
        return refused(given, "string value of PreemptionPolicy", &policy);
    }
    pod["spec"]["priority"] = value;
    pod["spec"]["preemptionPolicy"] = policy;
    Ok(())
}

/// A runtime may cost something of its own, and may not be on every node.
async fn runtime_class(api: &SharedApi, resource: &Resource, pod: &mut Value) -> Result<(), ApiError> {
    let name = pod["spec"]["runtimeClassName"].as_str().unwrap_or_default().to_owned();
    if name.is_empty() {
        return Ok(());
    }
    let Some(classes) = api.objects.registry.served().known(names::RUNTIME_CLASSES) else {
        return Ok(());
    };
    let class = match api.objects.get(&classes, None, &name).await {
        Ok(class) => class,
        Err(error) if error.code == 404 => {
            let why = format!("pod rejected: RuntimeClass \"{name}\" not found");
            return Err(ApiError::forbidden(resource, meta::name(pod), &why));
        }
        Err(error) => return Err(error),
    };
    if let Some(overhead) = class.pointer("/overhead/podFixed") {
        pod["spec"]["overhead"] = overhead.clone();
    }
    for (key, value) in class.pointer("/scheduling/nodeSelector").and_then(Value::as_object).into_iter().flatten() {
        pod["spec"]["nodeSelector"][key.as_str()] = value.clone();
    }
    if let Some(more) = class.pointer("/scheduling/tolerations").and_then(Value::as_array) {
        let mut tolerations = pod["spec"]["tolerations"].as_array().cloned().unwrap_or_default();
        tolerations.extend(more.iter().filter(|one| !tolerations.contains(one)).cloned().collect::<Vec<_>>());
        pod["spec"]["tolerations"] = json!(tolerations);
    }
    Ok(())
}

/// A pod stays five minutes on a node that is gone or not ready.
pub fn tolerate_for_a_while(pod: &mut Value) {
    let tolerations = &mut pod["spec"]["tolerations"];
    if !tolerations.is_array() {
        *tolerations = json!([]);
    }
    let Some(tolerations) = tolerations.as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = tolerations.iter().any(|one| {
            let effect = one.get("effect").and_then(Value::as_str).unwrap_or_default();
            let its_key = one.get("key").and_then(Value::as_str).unwrap_or_default();
            (its_key == key || its_key.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        });
        if !tolerated {
            tolerations.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300,
            }));
        }
    }
}

/// Guaranteed, Burstable or `BestEffort`, from cpu and memory of all containers.
fn quality_of_service(spec: &Value) -> &'static str {
    let none = Map::new();
    let mut any = false;
    let mut guaranteed = true;
    let lists = ["containers", "initContainers"].map(|list| spec.get(list).and_then(Value::as_array));
    for container in lists.into_iter().flatten().flatten() {
        let of = |what: &str| container["resources"].get(what).and_then(Value::as_object).unwrap_or(&none);
        let (requests, limits) = (of("requests"), of("limits"));
        for resource in ["cpu", "memory"] {
            let (request, limit) = (requests.get(resource), limits.get(resource));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_of_service_follows_requests_and_limits() {
        let spec = |resources: Value| json!({"containers": [{"resources": resources}]});
        assert_eq!(quality_of_service(&spec(json!({}))), "BestEffort");
        assert_eq!(quality_of_service(&spec(json!({"requests": {"cpu": "1"}}))), "Burstable");
        let full = json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}});
        assert_eq!(quality_of_service(&spec(full)), "Guaranteed");
        assert_eq!(quality_of_service(&spec(json!({"limits": {"cpu": "1"}}))), "Burstable");
    }
}
