//! Mutating admission policies: what they make of an object before it is validated.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use kube_cel::{Budget, PER_REQUEST};
use serde_json::Value;

use super::{About, Review, about, as_version, inputs, on_pool, policy_of, refused};
use crate::api::known::{MUTATING, MUTATING_BINDINGS};
use crate::api::patch::Patch;
use crate::api::{SharedApi, managed};
use crate::cel::policy::Policy;
use crate::cel::{Inputs, Names};
use crate::defaults;
use crate::object::meta;
use crate::resource::Resource;
use crate::status::ApiError;

/// Lets every policy that the write is about change the object, in the order of the bindings' names. A policy that
/// asks for it is invoked again, once, where one after it has changed the object; or where `again`, which invokes none
/// but those, since a webhook has. Whether the object was changed.
pub async fn mutate(api: &SharedApi, review: &Review<'_>, object: &mut Value, again: bool) -> Result<bool, ApiError> {
    let asks = |about: &About| about.policy["spec"]["reinvocationPolicy"] == "IfNeeded";
    let Review { user, resource, subresource, old, dry_run, connects, .. } = *review;
    let mut namespace = None;
    let mut bound = {
        let review = Review { user, resource, subresource, old, new: Some(object), dry_run, connects };
        about(api, &review, (MUTATING, MUTATING_BINDINGS), &mut namespace).await?
    };
    bound.retain(|about| !again || asks(about));
    let namespace = namespace.unwrap_or_default();
    let mut once_more = BTreeSet::new();
    let mut is_changed = false;
    for round in 0..2 {
        for (at, about) in bound.iter().enumerate() {
            if round == 1 && !once_more.contains(&at) {
                continue;
            }
            let review = Review { user, resource, subresource, old, new: Some(object), dry_run, connects };
            let changed = one(api, &review, about, &namespace).await?;
            if let Some(changed) = changed.filter(|changed| changed != object) {
                *object = changed;
                is_changed = true;
                defaults::apply(&resource.kind, object);
                once_more.extend((0..at).filter(|before| asks(&bound[*before])));
            }
        }
    }
    Ok(is_changed)
}

async fn one(
    api: &SharedApi,
    review: &Review<'_>,
    about: &About,
    namespace: &Value,
) -> Result<Option<Value>, ApiError> {
    let About { policy, binding, resource } = about;
    let place = format!("MutatingAdmissionPolicy '{}' with binding '{}'", meta::name(policy), meta::name(binding));
    let denied = |why: &str| refused(review, "", &format!("{place} denied request: {why}"));
    let all = inputs(api, review, about, namespace).await.map_err(|why| denied(&why))?;
    let ready = policy_of(api, policy).await?;
    let mut object = None;
    for mut inputs in all {
        if let Some(object) = &object {
            inputs.object = Value::clone(object);
        }
        let (policy, resource) = (Arc::clone(&ready), Arc::clone(resource));
        let changed = on_pool(move |stop| changed(&policy, &resource, inputs, &stop)).await?;
        match changed {
            Ok(changed) => object = changed.or(object),
            Err(_) if ready.ignores_failure => {}
            Err(why) => return Err(denied(&why)),
        }
    }
    match object {
        Some(object) => as_version(api, resource, review.resource, object).await.map(Some),
        None => Ok(None),
    }
}

/// What the policy makes of the object; `None` where it is not about it.
fn changed(
    policy: &Policy,
    resource: &Resource,
    mut inputs: Inputs,
    stop: &Arc<AtomicBool>,
) -> Result<Option<Value>, String> {
    if !policy.is_meant(&inputs, stop)? {
        return Ok(None);
    }
    for mutation in &policy.mutations {
        let made = {
            let budget = Budget::of(PER_REQUEST).stopped_by(Arc::clone(stop));
            let names = Names::new(&inputs, &policy.variables, budget);
            let checked = mutation.checked.as_ref().map_err(String::clone)?;
            let value = names.evaluate(checked);
            value.map_err(|error| format!("expression '{}' resulted in error: {error}", mutation.expression))?.json()
        };
        let wrong = |error: ApiError| error.message;
        inputs.object = if mutation.applies {
            managed::applied(resource, &inputs.object, &made)
        } else {
            let body = made.to_string();
            let patch = Patch::parse(resource, "application/json-patch+json", body.as_bytes()).map_err(wrong)?.patch;
            patch.apply(resource, &inputs.object).map_err(wrong)?
        };
    }
    Ok(Some(inputs.object))
}
