//! Admission policies: what they make of a write, deny of it, warn of, or leave.

mod matching;
mod mutate;

use std::sync::Arc;

use futures::TryFutureExt;
use kube_cel::run_on_pool;
use serde_json::{Value, json};

use crate::api::SharedApi;
use crate::api::known::{BINDINGS, GROUP, POLICIES};
use crate::authorize;
use crate::cel::Inputs;
use crate::cel::policy::{Policy, Verdict};
use crate::object::field_error::{FieldError, FieldErrorKind};
use crate::object::{list, meta, text};
use crate::objects::convert;
use crate::objects::selector::Selector;
use crate::resource::Resource;
use crate::resource::registry::Served;
use crate::status::ApiError;
use crate::user::User;

pub use mutate::mutate;

use kube_etcd_codec::names;
use matching::matches;
pub(super) use matching::{is_named, selected};

/// The expressions of a policy, or of a webhook, ready to be evaluated; compiled when it is new or was changed.
pub(super) async fn compiled(api: &SharedApi, id: &str, version: &str, spec: &Value) -> Result<Arc<Policy>, ApiError> {
    if let Some(known) = api.policies.compiled(id, version) {
        return Ok(known);
    }
    let spec = spec.clone();
    let compiled = Arc::new(on_pool(move |_| Policy::new(&spec)).await?);
    api.policies.keep(id, version, &compiled);
    Ok(compiled)
}

async fn policy_of(api: &SharedApi, policy: &Value) -> Result<Arc<Policy>, ApiError> {
    compiled(api, meta::text(policy, "uid"), meta::text(policy, "resourceVersion"), &policy["spec"]).await
}

/// Work that may take a while, away from the threads that serve requests.
pub(crate) async fn on_pool<T: Send + 'static>(
    work: impl FnOnce(Arc<std::sync::atomic::AtomicBool>) -> T + Send + 'static,
) -> Result<T, ApiError> {
    run_on_pool(work)
        .await
        .map_err(|why| ApiError::new(500, "InternalError", format!("Internal error occurred: {why}")))
}

/// A write that is about to happen.
pub struct Review<'a> {
    pub user: &'a User,
    pub resource: &'a Resource,
    pub subresource: &'a str,
    pub old: Option<&'a Value>,
    pub new: Option<&'a Value>,
    pub dry_run: bool,
    /// Of a connection to an object, which is not written: the object's namespace and name; `new` are its options.
    pub connects: Option<(&'a str, &'a str)>,
}

impl Review<'_> {
    pub(super) fn operation(&self) -> &'static str {
        match (self.old, self.new) {
            _ if self.connects.is_some() => "CONNECT",
            (None, _) => "CREATE",
            (Some(_), Some(_)) => "UPDATE",
            (Some(_), None) => "DELETE",
        }
    }

    pub(super) fn subject(&self) -> &Value {
        self.new.or(self.old).unwrap_or(&Value::Null)
    }

    pub(super) fn name(&self) -> &str {
        self.connects.map_or_else(|| meta::name(self.subject()), |(_, name)| name)
    }

    pub(super) fn namespace(&self) -> &str {
        self.connects.map_or_else(|| meta::namespace(self.subject()), |(namespace, _)| namespace)
    }

    /// The request as a policy sees it that is about this version of the resource.
    pub(super) fn request_as(&self, resource: &Resource) -> Value {
        let mut request = self.request();
        if self.connects.is_some() {
            return request;
        }
        request["kind"] = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
        request["resource"] =
            json!({"group": resource.group, "version": resource.version, "resource": resource.plural});
        request
    }

    fn request(&self) -> Value {
        let resource = self.resource;
        // What connects is of another kind than what it connects to.
        let kind = self.connects.map_or(resource.kind.as_str(), |_| text(self.subject(), "kind"));
        json!({
            "kind": {"group": resource.group, "version": resource.version, "kind": kind},
            "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
            "requestKind": {"group": resource.group, "version": resource.version, "kind": kind},
            "requestResource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
            "requestSubResource": self.subresource, "options": null,
            "subResource": self.subresource, "name": self.name(), "namespace": self.namespace(),
            "operation": self.operation(), "userInfo": self.user.info(), "dryRun": self.dry_run,
        })
    }
}

/// The policies that a write is about, each with its binding.
async fn about(
    api: &SharedApi,
    review: &Review<'_>,
    (policies, bindings): (&'static str, &'static str),
    namespace: &mut Option<Value>,
) -> Result<Vec<About>, ApiError> {
    if review.resource.group == GROUP || api.policies.is_empty(bindings) {
        return Ok(Vec::new());
    }
    let served = api.objects.registry.served();
    let (Some(policies), Some(resource)) = (served.find(GROUP, "v1", policies), served.find(GROUP, "v1", bindings))
    else {
        return Ok(Vec::new());
    };
    let writes = api.policies.writes();
    let (mut bound, _) = api.objects.list_all(&resource, None, &Selector::default()).await?;
    if bound.is_empty() {
        api.policies.found_none(bindings, writes);
        return Ok(Vec::new());
    }
    bound.sort_by(|one, other| meta::name(one).cmp(meta::name(other)));
    let mut all = Vec::new();
    for binding in bound {
        let name = binding.pointer("/spec/policyName").and_then(Value::as_str).unwrap_or_default();
        let Ok(policy) = api.objects.get(&policies, None, name).await else { continue };
        if namespace.is_none() {
            *namespace = Some(namespace_of(api, review).await);
        }
        let space = namespace.as_ref().unwrap_or(&Value::Null);
        let (constraints, resources) = (&policy["spec"]["matchConstraints"], &binding["spec"]["matchResources"]);
        let named = |wanted: &Value, resource: &Resource, any: bool| {
            matches(wanted, &Review { resource, ..*review }, space, any)
        };
        if !versions(&served, review, resources).any(|one| named(resources, one, true)) {
            continue;
        }
        let matched = versions(&served, review, constraints).find(|one| named(constraints, one, false)).map(Arc::clone);
        all.extend(matched.map(|resource| About { policy, binding, resource }));
    }
    Ok(all)
}

/// A policy with its binding, and the version of the resource that it is about.
struct About {
    policy: Value,
    binding: Value,
    resource: Arc<Resource>,
}

/// The versions of a resource that rules may name: the one that is written first, and unless the policy says
/// otherwise the others too.
pub(super) fn versions<'s>(
    served: &'s Served,
    review: &'s Review<'_>,
    wanted: &Value,
) -> impl Iterator<Item = &'s Arc<Resource>> {
    let exact = wanted["matchPolicy"] == "Exact";
    let kept = || served.all.iter().filter(|one| one.folder == review.resource.folder);
    let own = kept().filter(|one| is_same(one, review.resource));
    own.chain(kept().filter(move |one| !exact && !is_same(one, review.resource)))
}

pub(super) fn is_same(one: &Resource, other: &Resource) -> bool {
    one.group == other.group && one.version == other.version && one.plural == other.plural
}

/// An object of one version of a resource as another version shows it.
pub(super) async fn as_version(
    api: &SharedApi,
    from: &Resource,
    to: &Resource,
    object: Value,
) -> Result<Value, ApiError> {
    if is_same(from, to) || object.is_null() {
        Ok(object)
    } else if to.custom.is_some() {
        let converted = api.objects.in_version(to, object).await;
        converted
            .map_err(|error| ApiError::new(500, "InternalError", format!("Internal error occurred: {}", error.message)))
    } else {
        Ok(convert::from_stored(to, convert::to_stored(from, object)))
    }
}

pub async fn check(api: &SharedApi, review: &Review<'_>, warnings: &mut Vec<String>) -> Result<(), ApiError> {
    let mut namespace = None;
    for about in about(api, review, (POLICIES, BINDINGS), &mut namespace).await? {
        judge(api, review, &about, namespace.as_ref().unwrap_or(&Value::Null), warnings).await?;
    }
    Ok(())
}

pub(super) async fn namespace_of(api: &SharedApi, review: &Review<'_>) -> Value {
    let name = if review.resource.is(names::NAMESPACES) { review.name() } else { review.namespace() };
    match api.objects.registry.served().known(names::NAMESPACES) {
        Some(namespaces) if !name.is_empty() => api.objects.get(&namespaces, None, name).await.unwrap_or_default(),
        _ => Value::Null,
    }
}

/// What the expressions of a policy are told, once for each of its parameters; `Err` with the reason where it has none
/// and that denies.
async fn inputs(
    api: &SharedApi,
    review: &Review<'_>,
    About { policy, binding, resource }: &About,
    namespace: &Value,
) -> Result<Vec<Inputs>, String> {
    let Ok(parameters) = parameters(api, review, policy, binding).await else {
        let missing = binding.pointer("/spec/paramRef/parameterNotFoundAction");
        if missing.is_some_and(|action| action == "Allow") || policy["spec"]["failurePolicy"] == "Ignore" {
            return Ok(Vec::new());
        }
        return Err(
            "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
                .to_owned(),
        );
    };
    let failed = |error: ApiError| format!("failed to convert object version: {}", error.message);
    let side = |object: Option<&Value>| {
        as_version(api, review.resource, resource, object.cloned().unwrap_or_default()).map_err(failed)
    };
    let (new, old) = (side(review.new).await?, side(review.old).await?);
    let of = |params: Value| Inputs {
        object: new.clone(),
        old: old.clone(),
        request: review.request_as(resource),
        namespace: namespace.clone(),
        params,
        authorizer: Some(authorize::authorizer(&api.objects, review.user)),
    };
    Ok(parameters.into_iter().map(of).collect())
}

async fn judge(
    api: &SharedApi,
    review: &Review<'_>,
    about: &About,
    namespace: &Value,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    let About { policy, binding, .. } = about;
    let place = format!("ValidatingAdmissionPolicy '{}' with binding '{}'", meta::name(policy), meta::name(binding));
    let inputs = match inputs(api, review, about, namespace).await {
        Ok(inputs) => inputs,
        Err(why) => return Err(refused(review, "", &format!("{place} denied request: {why}"))),
    };
    let compiled = policy_of(api, policy).await?;
    for inputs in inputs {
        let policy = Arc::clone(&compiled);
        let verdicts = on_pool(move |stop| policy.judge(&inputs, &stop)).await?;
        for Verdict { reason, why } in verdicts {
            for action in list(&binding["spec"], "validationActions") {
                if action == "Deny" {
                    return Err(refused(review, &reason, &format!("{place} denied request: {why}")));
                }
                if action == "Warn" {
                    warnings.push(format!("Validation failed for {place}: {why}"));
                }
            }
        }
    }
    Ok(())
}

/// In the words of the reason that the validation gives.
fn refused(review: &Review, reason: &str, said: &str) -> ApiError {
    let name = review.name();
    match reason {
        "Unauthorized" => ApiError::new(401, "Unauthorized", said),
        "RequestEntityTooLarge" => ApiError::new(413, "RequestEntityTooLarge", said),
        "Forbidden" => ApiError::forbidden(review.resource, name, said),
        _ => {
            let resource = review.resource;
            let error = FieldError::new("", FieldErrorKind::Invalid, said);
            let mut invalid = ApiError::invalid(resource, name, &[error]);
            let details = json!({
                "name": name, "group": resource.group, "kind": resource.plural,
                "causes": [{"message": said}],
            });
            invalid.message = format!("{} \"{name}\" is forbidden: {said}", resource.qualified());
            invalid.details = details;
            invalid
        }
    }
}

/// What a policy is told beside the request; one `null` if it wants nothing.
async fn parameters(
    api: &SharedApi,
    review: &Review<'_>,
    policy: &Value,
    binding: &Value,
) -> Result<Vec<Value>, ApiError> {
    let kind = &policy["spec"]["paramKind"];
    if kind.is_null() {
        return Ok(vec![Value::Null]);
    }
    let reference = &binding["spec"]["paramRef"];
    let (group, version) = kube_etcd_codec::split_group(text(kind, "apiVersion"));
    let served = api.objects.registry.served();
    let wanted = |one: &&std::sync::Arc<Resource>| {
        one.group == group && one.version == version && one.kind == text(kind, "kind")
    };
    let resource = served.all.iter().find(wanted).ok_or_else(ApiError::no_path)?;
    let own = review.namespace();
    let namespace = Some(text(reference, "namespace")).filter(|given| !given.is_empty()).unwrap_or(own);
    let namespace = Some(namespace).filter(|_| resource.namespaced);
    let name = text(reference, "name");
    if !name.is_empty() {
        return api.objects.get(resource, namespace, name).await.map(|one| vec![one]);
    }
    let (all, _) = api.objects.list_all(resource, namespace, &Selector::default()).await?;
    let fits = |one: &Value| {
        crate::object::labels::selects(&reference["selector"], |key| one["metadata"]["labels"].get(key)?.as_str())
    };
    let found: Vec<Value> = all.into_iter().filter(|one| fits(one)).collect();
    if found.is_empty() { Err(ApiError::no_path()) } else { Ok(found) }
}
