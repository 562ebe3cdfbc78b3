//! Webhooks: what the servers that configurations name make of a write, or say against it. Called as kube-apiserver
//! calls them, and refused in its words.

mod call;

use std::collections::BTreeSet;
use std::sync::Arc;

use kube_cel::{Budget, MATCH_CONDITIONS};
use serde_json::{Value, json};

use super::policies::{Review, as_version, compiled, is_named, namespace_of, on_pool, selected, versions};
use crate::api::SharedApi;
use crate::api::known::{GROUP, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS};
use crate::api::patch::Patch;
use crate::authorize;
use crate::cel::{Inputs, all_hold};
use crate::defaults;
use crate::object::{meta, text};
use crate::objects::selector::Selector;
use crate::resource::Resource;
use crate::status::ApiError;
use call::Answer;

/// A webhook that a write is about.
struct Hook {
    hook: Value,
    /// Of its configuration.
    uid: String,
    version: String,
    /// The version of the resource that its rules name.
    resource: Arc<Resource>,
}

/// What stands between a webhook and its answer.
enum Failure {
    /// It could not be asked: its `failurePolicy` decides.
    Call(String),
    Refused(ApiError),
}

/// The webhooks whose rules and selectors choose the write, in the order in which they are called.
async fn about(api: &SharedApi, review: &Review<'_>, plural: &'static str) -> Result<(Vec<Hook>, Value), ApiError> {
    // Else a configuration could keep everybody from mending it.
    if review.resource.group == GROUP || api.policies.is_empty(plural) {
        return Ok((Vec::new(), Value::Null));
    }
    let served = api.objects.registry.served();
    let Some(configurations) = served.find(GROUP, "v1", plural) else { return Ok((Vec::new(), Value::Null)) };
    let writes = api.policies.writes();
    let (mut all, _) = api.objects.list_all(&configurations, None, &Selector::default()).await?;
    if all.is_empty() {
        api.policies.found_none(plural, writes);
        return Ok((Vec::new(), Value::Null));
    }
    all.sort_by(|one, other| meta::name(one).cmp(meta::name(other)));
    let namespace = namespace_of(api, review).await;
    let mut hooks = Vec::new();
    for configuration in &all {
        for hook in configuration["webhooks"].as_array().into_iter().flatten() {
            if !selected(hook, review, &namespace) {
                continue;
            }
            let named = |resource: &Resource| {
                let review = Review { resource, ..*review };
                hook["rules"].as_array().into_iter().flatten().any(|rule| is_named(rule, &review))
            };
            let Some(resource) = versions(&served, review, hook).find(|one| named(one)) else { continue };
            hooks.push(Hook {
                hook: hook.clone(),
                uid: meta::text(configuration, "uid").to_owned(),
                version: meta::text(configuration, "resourceVersion").to_owned(),
                resource: Arc::clone(resource),
            });
        }
    }
    Ok((hooks, namespace))
}

impl Hook {
    fn name(&self) -> &str {
        text(&self.hook, "name")
    }

    /// What the webhook and its conditions are told.
    async fn request(&self, api: &SharedApi, review: &Review<'_>) -> Result<Value, ApiError> {
        let resource = &self.resource;
        let side =
            |object: Option<&Value>| as_version(api, review.resource, resource, object.cloned().unwrap_or_default());
        let mut request = review.request_as(resource);
        request["uid"] = json!(uuid::Uuid::new_v4().to_string());
        request["object"] = side(review.new).await?;
        request["oldObject"] = side(review.old).await?;
        let options = match review.operation() {
            "CREATE" => Some("CreateOptions"),
            "UPDATE" => Some("UpdateOptions"),
            "DELETE" => Some("DeleteOptions"),
            _ => None,
        };
        if let Some(options) = options {
            request["options"] = json!({"kind": options, "apiVersion": "meta.k8s.io/v1"});
        }
        if review.dry_run && options.is_some() {
            request["options"]["dryRun"] = json!(["All"]);
        }
        // Go leaves out what is empty.
        if let Some(request) = request.as_object_mut() {
            for field in ["subResource", "requestSubResource", "name", "namespace"] {
                if request.get(field).is_some_and(|value| value == "") {
                    request.remove(field);
                }
            }
        }
        Ok(request)
    }

    /// Whether its conditions want the write, whatever the webhook would say.
    async fn is_meant(
        &self,
        api: &SharedApi,
        review: &Review<'_>,
        request: &Value,
        namespace: &Value,
    ) -> Result<bool, ApiError> {
        if self.hook["matchConditions"].as_array().is_none_or(Vec::is_empty) {
            return Ok(true);
        }
        let key = format!("{}/{}", self.uid, self.name());
        let policy = compiled(api, &key, &self.version, &self.hook).await?;
        let mut request = request.clone();
        let mut take = |field: &str| request.get_mut(field).map(Value::take).unwrap_or_default();
        let (object, old) = (take("object"), take("oldObject"));
        let authorizer = Some(authorize::authorizer(&api.objects, review.user));
        let inputs = Inputs { object, old, request, namespace: namespace.clone(), params: Value::Null, authorizer };
        let ignores = policy.ignores_failure;
        let meant =
            on_pool(move |stop| all_hold(&policy.conditions, &inputs, Budget::of(MATCH_CONDITIONS).stopped_by(stop)))
                .await?;
        match meant {
            Ok(meant) => Ok(meant),
            Err(_) if ignores => Ok(false),
            Err(why) => Err(ApiError::forbidden(review.resource, review.name(), &why)),
        }
    }

    /// `None` where the webhook is not about the write, or failed and may.
    async fn ask(&self, api: &SharedApi, review: &Review<'_>, namespace: &Value) -> Result<Option<Answer>, ApiError> {
        let request = self.request(api, review).await?;
        if !self.is_meant(api, review, &request, namespace).await? {
            return Ok(None);
        }
        match call::ask(api, &self.hook, &request).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Failure::Refused(error)) => Err(error),
            Err(Failure::Call(_)) if self.hook["failurePolicy"] == "Ignore" => Ok(None),
            Err(Failure::Call(why)) => {
                let why = format!("failed calling webhook \"{}\": {why}", self.name());
                Err(ApiError::new(500, "InternalError", format!("Internal error occurred: {why}"))
                    .with_details(json!({"causes": [{"message": why}]})))
            }
        }
    }
}

/// Asks all of them at once; the first that is against it, in their order, is told.
pub async fn check(api: &SharedApi, review: &Review<'_>, warnings: &mut Vec<String>) -> Result<(), ApiError> {
    let (hooks, namespace) = about(api, review, VALIDATING_WEBHOOKS).await?;
    let asked = hooks.iter().map(|hook| hook.ask(api, review, &namespace));
    let mut refused = None;
    for answer in futures::future::join_all(asked).await {
        match answer {
            Ok(answer) => warnings.extend(answer.into_iter().flat_map(|answer| answer.warnings)),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    refused.map_or(Ok(()), Err)
}

/// Lets each change the object in turn. One that asks for it is called again, once, where one after it has changed it.
/// Whether the object was changed.
pub async fn mutate(
    api: &SharedApi,
    review: &Review<'_>,
    object: &mut Value,
    warnings: &mut Vec<String>,
) -> Result<bool, ApiError> {
    let mut is_changed = false;
    let deletes = review.new.is_none() && review.old.is_some() && object.is_null();
    let (hooks, namespace) = {
        let new = (!deletes).then_some(&*object);
        about(api, &Review { new, ..*review }, MUTATING_WEBHOOKS).await?
    };
    let mut again = BTreeSet::new();
    for round in 0..2 {
        for (at, hook) in hooks.iter().enumerate() {
            if round == 1 && !again.contains(&at) {
                continue;
            }
            let now = Review { new: (!deletes).then_some(&*object), ..*review };
            let Some(answer) = hook.ask(api, &now, &namespace).await? else { continue };
            warnings.extend(answer.warnings);
            let Some(patch) = answer.patch.filter(|_| !deletes) else { continue };
            let changed = hook.patched(api, &now, &patch).await.map_err(|error| {
                ApiError::new(500, "InternalError", format!("Internal error occurred: {}", error.message))
            })?;
            if changed != *object {
                *object = changed;
                is_changed = true;
                if review.connects.is_none() {
                    defaults::apply(&review.resource.kind, object);
                }
                let asks = |(_, hook): &(usize, &Hook)| hook.hook["reinvocationPolicy"] == "IfNeeded";
                again.extend(hooks.iter().enumerate().take(at).filter(asks).map(|(before, _)| before));
            }
        }
    }
    Ok(is_changed)
}

impl Hook {
    async fn patched(&self, api: &SharedApi, review: &Review<'_>, patch: &[u8]) -> Result<Value, ApiError> {
        let object = as_version(api, review.resource, &self.resource, review.subject().clone()).await?;
        let patch = Patch::parse(&self.resource, "application/json-patch+json", patch)?.patch;
        as_version(api, &self.resource, review.resource, patch.apply(&self.resource, &object)?).await
    }
}
