//! eviction: a deletion that disruption budgets may refuse, and that uses up what they allow.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::deletion::Wish;
use super::write::{Change, Part, Write};
use super::{SharedApi, body};
use crate::object::conditions::set_condition;
use crate::object::labels::selects;
use crate::object::meta;
use crate::objects::selector;
use crate::request::Call;
use crate::resource::Resource;
use crate::status::{ApiError, json_response};
use kube_etcd_codec::names;

/// More evictions than the budgets' controller has seen through yet.
const MOST_DISRUPTED: usize = 2000;

pub(super) async fn evict(
    api: &SharedApi,
    pods: &Arc<Resource>,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let mut eviction = body::options(api, "policy/v1.Eviction", request).await?;
    let mut options = eviction.get_mut("deleteOptions").map(Value::take).unwrap_or_default();
    if options.is_null() {
        options = json!({});
    }
    body::check_options(&mut options, "meta/v1", "DeleteOptions")?;
    if call.write_options()?.dry_run {
        options["dryRun"] = json!(["All"]);
    }
    // Before anything is used up.
    let wish = Wish::of(call, &options)?;
    let name = call.path.name.clone().unwrap_or_default();
    let pod = api.objects.get(pods, call.path.namespace.as_deref(), &name).await?;
    if !disrupts_nothing(&pod)
        && let Some(budget) = budget_of(api, call, &pod).await?
        && !may_go_unready(&pod, &budget)
    {
        use_up(api, call, &name, meta::name(&budget), wish.dry_run).await?;
    }
    if !wish.dry_run {
        mark(api, pods, call).await?;
    }
    api.delete(pods, call, &name, &wish, &mut Vec::new()).await?;
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(json_response(StatusCode::CREATED, &status))
}

fn phase(pod: &Value) -> &str {
    pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default()
}

/// It is over, is going already, or has not begun.
fn disrupts_nothing(pod: &Value) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed" | "Pending") || meta::is_terminating(pod)
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// A pod that is not ready does not count, and so it may go where enough others are.
fn may_go_unready(pod: &Value, budget: &Value) -> bool {
    let number = |path: &str| budget.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let enough =
        number("/status/desiredHealthy") > 0 && number("/status/currentHealthy") >= number("/status/desiredHealthy");
    let always = budget.pointer("/spec/unhealthyPodEvictionPolicy").is_some_and(|policy| policy == "AlwaysAllow");
    !is_ready(pod) && (enough || always)
}

async fn budget_of(api: &SharedApi, call: &Call, pod: &Value) -> Result<Option<Value>, ApiError> {
    let served = api.objects.registry.served();
    let Some(budgets) = served.known(names::BUDGETS) else { return Ok(None) };
    let everything = selector::Selector::default();
    let (mut all, _) = api.objects.list_all(&budgets, call.path.namespace.as_deref(), &everything).await?;
    let label = |key: &str| pod.pointer("/metadata/labels")?.get(key)?.as_str();
    all.retain(|budget| budget["spec"].get("selector").is_some_and(|selector| selects(selector, label)));
    match all.len() {
        0 | 1 => Ok(all.pop()),
        _ => Err(ApiError::new(
            500,
            "InternalError",
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        )),
    }
}

fn refused(why: String) -> ApiError {
    let mut error =
        ApiError::new(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.");
    error.details = json!({"causes": [{"reason": "DisruptionBudget", "message": why}]});
    error
}

/// What the budget becomes by one eviction more.
fn after_one_more(budget: &Value, pod: &str) -> Result<Value, ApiError> {
    let name = meta::name(budget);
    let number = |path: &str| budget.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Err(refused(format!("The disruption budget {name} is still being processed by the server.")));
    }
    let allowed = number("/status/disruptionsAllowed");
    let disrupted = budget.pointer("/status/disruptedPods").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    if disrupted > MOST_DISRUPTED {
        return Err(ApiError::new(
            403,
            "Forbidden",
            format!(
                "poddisruptionbudget.policy \"{name}\" is forbidden: DisruptedPods map too big - too many evictions not confirmed by PDB controller"
            ),
        ));
    }
    if allowed <= 0 {
        let (desired, healthy) = (number("/status/desiredHealthy"), number("/status/currentHealthy"));
        return Err(refused(format!(
            "The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
        )));
    }
    let mut next = budget.clone();
    next["status"]["disruptionsAllowed"] = json!(allowed - 1);
    if allowed == 1 {
        let mut conditions =
            budget.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        let condition = json!({
            "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
            "observedGeneration": number("/status/observedGeneration"),
        });
        set_condition(&mut conditions, condition);
        next["status"]["conditions"] = json!(conditions);
    }
    // Until the pod is seen to go, it is known to be on its way.
    if !next["status"]["disruptedPods"].is_object() {
        next["status"]["disruptedPods"] = json!({});
    }
    next["status"]["disruptedPods"][pod] = json!(meta::now_text());
    Ok(next)
}

async fn use_up(api: &SharedApi, call: &Call, pod: &str, budget: &str, dry: bool) -> Result<(), ApiError> {
    let served = api.objects.registry.served();
    let budgets = served.known(names::BUDGETS).ok_or_else(ApiError::no_path)?;
    let mut write = Write::new(api, &budgets, call)?;
    write.name = Some(budget.to_owned());
    write.part = Part::Status;
    "kube-apiserver".clone_into(&mut write.options.manager);
    write.options.dry_run |= dry;
    write.update(|current| Ok(Change::To(after_one_more(current, pod)?))).await.map(drop)
}

/// The pod says why it goes.
async fn mark(api: &SharedApi, pods: &Arc<Resource>, call: &Call) -> Result<(), ApiError> {
    let mut write = Write::new(api, pods, call)?;
    write.part = Part::Status;
    "kube-apiserver".clone_into(&mut write.options.manager);
    let marked = write.update(|current| {
        let mut pod = current.clone();
        let mut conditions =
            current.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        let condition = json!({
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting", "observedGeneration": current["metadata"]["generation"],
            "lastProbeTime": null,
        });
        set_condition(&mut conditions, condition);
        pod["status"]["conditions"] = json!(conditions);
        Ok(Change::To(pod))
    });
    marked.await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(allowed: i64) -> Value {
        json!({
            "metadata": {"name": "web", "generation": 1},
            "status": {
                "observedGeneration": 1, "disruptionsAllowed": allowed, "desiredHealthy": 2, "currentHealthy": 2 + allowed,
            },
        })
    }

    #[test]
    fn each_eviction_takes_one_from_the_budget() {
        let next = after_one_more(&budget(1), "web-1").expect("one is allowed");
        assert_eq!(next["status"]["disruptionsAllowed"], 0);
        assert!(next["status"]["disruptedPods"]["web-1"].is_string());
        let error = after_one_more(&next, "web-2").expect_err("none is left");
        assert_eq!(error.code, 429);
        let cause = error.details["causes"][0]["message"].as_str().expect("a cause");
        assert_eq!(cause, "The disruption budget web needs 2 healthy pods and has 3 currently");
    }

    #[test]
    fn a_budget_that_nobody_has_counted_yet_refuses() {
        let mut fresh = budget(1);
        fresh["metadata"]["generation"] = json!(2);
        let error = after_one_more(&fresh, "web-1").expect_err("it is not counted");
        assert!(
            error.details["causes"][0]["message"].as_str().is_some_and(|text| text.contains("still being processed"))
        );
    }

    #[test]
    fn an_unready_pod_may_go_where_enough_are_healthy() {
        let unready = json!({"status": {"phase": "Running"}});
        assert!(may_go_unready(&unready, &budget(0)));
        let mut short = budget(0);
        short["status"]["currentHealthy"] = json!(1);
        assert!(!may_go_unready(&unready, &short));
        short["spec"] = json!({"unhealthyPodEvictionPolicy": "AlwaysAllow"});
        assert!(may_go_unready(&unready, &short));
    }
}
