//! Resource quotas: a new object has to fit, and is counted before it is stored, so that two clients
//! cannot both take the last place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::api::SharedApi;
use crate::object::meta;
use crate::object::quantity::{self, Amounts};
use crate::object::usage::{covers, usage};
use crate::objects;
use crate::objects::selector::Selector;
use crate::resource::Resource;
use crate::status::ApiError;
use crate::store::Written;
use kube_etcd_codec::names;

/// What a container has to say of itself where a quota limits it.
const COMPUTE: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];
const RETRIES: usize = 20;

/// Whether quotas say how many of the kind there may be.
pub(super) fn counts(resource: &Resource) -> bool {
    resource.plural != "resourcequotas" && resource.plural != "events"
}

/// The quotas of a namespace.
pub(super) async fn of(api: &SharedApi, namespace: &str) -> Result<Vec<Value>, ApiError> {
    let Some(quotas) = api.objects.registry.served().known(names::QUOTAS) else { return Ok(Vec::new()) };
    Ok(api.objects.list_all(&quotas, Some(namespace), &Selector::default()).await?.0)
}

pub(super) async fn admit(
    api: &SharedApi,
    resource: &Resource,
    all: Vec<Value>,
    object: &Value,
    dry_run: bool,
) -> Result<(), ApiError> {
    let Some(quotas) = api.objects.registry.served().known(names::QUOTAS) else { return Ok(()) };
    let asked = usage(resource.name(), object);
    let covering: Vec<Value> = all
        .into_iter()
        .filter(|quota| covers(quota, resource.name(), object))
        .filter(|quota| concerns(quota, &asked))
        .collect();
    let refuse = |why: &str| ApiError::forbidden(resource, meta::name(object), why);
    for quota in &covering {
        check(quota, resource, object, &asked).map_err(|why| refuse(&why))?;
    }
    if dry_run {
        return Ok(());
    }
    for quota in covering {
        take(api, &quotas, quota, resource, object, &asked).await?.map_err(|why| refuse(&why))?;
    }
    Ok(())
}

/// Counts the object in, on whatever the quota has become meanwhile.
async fn take(
    api: &SharedApi,
    quotas: &Resource,
    mut quota: Value,
    resource: &Resource,
    object: &Value,
    asked: &Amounts,
) -> Result<Result<(), String>, ApiError> {
    let key = api.objects.store.key(&quotas.folder, Some(meta::namespace(&quota)), Some(meta::name(&quota)));
    for _ in 0..RETRIES {
        if let Err(why) = check(&quota, resource, object, asked) {
            return Ok(Err(why));
        }
        let revision = meta::text(&quota, "resourceVersion").parse().unwrap_or(0);
        let mut counted = quota.clone();
        for (name, amount) in asked.iter().filter(|(name, _)| hard(&quota).contains_key(name.as_str())) {
            let before = quantity::parse(&quota["status"]["used"][name]);
            counted["status"]["used"][name] = json!(quantity::format(name, before + amount));
        }
        let bytes = objects::stored_bytes(quotas, &counted)?;
        match api.objects.store.put_if(&key, revision, bytes, 0).await? {
            Written::At(_) | Written::Stale(None) => return Ok(Ok(())),
            Written::Stale(Some(newer)) => quota = objects::read(quotas, &newer)?,
        }
    }
    Err(ApiError::conflict(quotas, meta::name(&quota), "too many others count against it"))
}

/// Limits count once the quota controller has seen them.
fn hard(quota: &Value) -> BTreeMap<&str, &Value> {
    let hard = quota.pointer("/status/hard").and_then(Value::as_object);
    hard.into_iter().flatten().map(|(name, amount)| (name.as_str(), amount)).collect()
}

fn concerns(quota: &Value, asked: &Amounts) -> bool {
    let hard = hard(quota);
    asked.keys().any(|name| hard.contains_key(name.as_str()))
        || (asked.contains_key("pods") && COMPUTE.iter().any(|name| hard.contains_key(name)))
}

fn check(quota: &Value, resource: &Resource, object: &Value, asked: &Amounts) -> Result<(), String> {
    let name = meta::name(quota);
    let hard = hard(quota);
    if resource.is(names::PODS) {
        let wanted: Vec<&str> = COMPUTE.into_iter().filter(|name| hard.contains_key(name)).collect();
        let missing = unsaid(object, &wanted);
        if !missing.is_empty() {
            return Err(format!("failed quota: {name}: must specify {missing}"));
        }
    }
    let used = |name: &str| quantity::parse(&quota["status"]["used"][name]);
    let over: Vec<(&String, &i128)> = asked
        .iter()
        .filter(|(name, amount)| {
            hard.get(name.as_str()).is_some_and(|limit| **amount > 0 && used(name) + **amount > quantity::parse(limit))
        })
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    let listed = |of: &dyn Fn(&str, i128) -> String| -> String {
        over.iter().map(|(name, amount)| format!("{name}={}", of(name, **amount))).collect::<Vec<_>>().join(",")
    };
    Err(format!(
        "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
        listed(&|name, amount| quantity::format(name, amount)),
        listed(&|name, _| quantity::format(name, used(name))),
        listed(&|name, _| quantity::format(name, quantity::parse(hard[name]))),
    ))
}

/// `limits.cpu for: a,b; requests.cpu for: a`.
fn unsaid(pod: &Value, wanted: &[&str]) -> String {
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in containers(pod) {
        for name in wanted {
            let (part, resource) = name.split_once('.').unwrap_or(("requests", name));
            if container["resources"][part].get(resource).is_none() {
                missing.entry(name).or_default().insert(container["name"].as_str().unwrap_or_default());
            }
        }
    }
    let said: Vec<String> = missing
        .into_iter()
        .map(|(name, containers)| format!("{name} for: {}", containers.into_iter().collect::<Vec<_>>().join(",")))
        .collect();
    said.join("; ")
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| pod["spec"].get(list).and_then(Value::as_array))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(plural: &str) -> std::sync::Arc<Resource> {
        let found = Resource::builtins().into_iter().find(|one| one.group.is_empty() && one.plural == plural);
        found.expect("a resource")
    }

    fn quota(hard: Value, used: Value) -> Value {
        json!({"metadata": {"name": "q"}, "status": {"hard": hard, "used": used}})
    }

    fn judged(quota: &Value, plural: &str, object: &Value) -> Result<(), String> {
        let resource = resource(plural);
        check(quota, &resource, object, &usage(resource.name(), object))
    }

    #[test]
    fn what_does_not_fit_is_told_with_all_three_numbers() {
        let full = quota(json!({"pods": "3", "configmaps": "1"}), json!({"pods": "3", "configmaps": "0"}));
        let pod = json!({"spec": {"containers": [{"name": "c"}]}});
        assert_eq!(
            judged(&full, "pods", &pod),
            Err("exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3".into())
        );
        assert_eq!(judged(&full, "configmaps", &json!({})), Ok(()));
    }

    #[test]
    fn containers_must_say_what_a_quota_limits() {
        let limits = quota(json!({"limits.cpu": "2", "requests.memory": "1Gi"}), json!({}));
        let pod =
            json!({"spec": {"containers": [{"name": "b"}, {"name": "a", "resources": {"limits": {"cpu": "1"}}}]}});
        assert_eq!(
            judged(&limits, "pods", &pod),
            Err("failed quota: q: must specify limits.cpu for: b; requests.memory for: a,b".into())
        );
    }

    #[test]
    fn amounts_are_added_up() {
        let limits = quota(json!({"requests.cpu": "1"}), json!({"requests.cpu": "600m"}));
        let half = json!({"name": "c", "resources": {"requests": {"cpu": "250m"}}});
        assert_eq!(judged(&limits, "pods", &json!({"spec": {"containers": [half]}})), Ok(()));
        assert_eq!(
            judged(&limits, "pods", &json!({"spec": {"containers": [half, half]}})),
            Err("exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1"
                .into())
        );
    }
}
