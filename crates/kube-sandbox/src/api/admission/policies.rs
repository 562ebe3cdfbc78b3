//! Validating admission policies: what they deny of a write, warn of, or leave.

use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};

use crate::api::request::User;
use crate::api::resource::Resource;
use crate::api::selector::Selector;
use crate::api::status::{ApiError, FieldError, FieldErrorKind};
use crate::api::{SharedApi, meta};
use crate::cel::{self, Failure};

const GROUP: &str = "admissionregistration.k8s.io";
const POLICIES: &str = "validatingadmissionpolicies";
const BINDINGS: &str = "validatingadmissionpolicybindings";

/// Whether there is any binding; most clusters have none, and no write is to pay for looking.
#[derive(Debug, Default)]
pub struct Bound(AtomicU8);

const UNKNOWN: u8 = 0;
const NONE: u8 = 1;
const SOME: u8 = 2;

impl Bound {
    /// To be called when a binding is written.
    pub fn changed(&self, resource: &Resource) {
        if resource.group == GROUP && resource.plural == BINDINGS {
            self.0.store(UNKNOWN, Ordering::SeqCst);
        }
    }
}

/// A write that is about to happen.
pub struct Review<'a> {
    pub user: &'a User,
    pub resource: &'a Resource,
    pub subresource: &'a str,
    pub old: Option<&'a Value>,
    pub new: Option<&'a Value>,
    pub dry_run: bool,
}

impl Review<'_> {
    fn operation(&self) -> &'static str {
        match (self.old, self.new) {
            (None, _) => "CREATE",
            (Some(_), Some(_)) => "UPDATE",
            (Some(_), None) => "DELETE",
        }
    }

    fn subject(&self) -> &Value {
        self.new.or(self.old).unwrap_or(&Value::Null)
    }

    fn request(&self) -> Value {
        let resource = self.resource;
        let subject = self.subject();
        json!({
            "kind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
            "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
            "subResource": self.subresource, "name": meta::name(subject), "namespace": meta::namespace(subject),
            "operation": self.operation(), "userInfo": self.user.info(), "dryRun": self.dry_run,
        })
    }
}

pub async fn check(api: &SharedApi, review: &Review<'_>, warnings: &mut Vec<String>) -> Result<(), ApiError> {
    if review.resource.group == GROUP || api.policies.0.load(Ordering::SeqCst) == NONE {
        return Ok(());
    }
    let served = api.registry.served();
    let (Some(policies), Some(bindings)) = (served.find(GROUP, "v1", POLICIES), served.find(GROUP, "v1", BINDINGS))
    else {
        return Ok(());
    };
    let (bound, _) = api.list_all(&bindings, None, &Selector::default()).await?;
    api.policies.0.store(if bound.is_empty() { NONE } else { SOME }, Ordering::SeqCst);
    for binding in bound {
        let name = binding.pointer("/spec/policyName").and_then(Value::as_str).unwrap_or_default();
        let Ok(policy) = api.get(&policies, None, name).await else { continue };
        let namespace = namespace_of(api, review).await;
        let spec = &policy["spec"];
        let fits = matches(&spec["matchConstraints"], review, &namespace, false)
            && matches(&binding["spec"]["matchResources"], review, &namespace, true);
        if fits {
            judge(api, review, &policy, &binding, &namespace, warnings).await?;
        }
    }
    Ok(())
}

async fn namespace_of(api: &SharedApi, review: &Review<'_>) -> Value {
    let subject = review.subject();
    let name = if review.resource.is("", "namespaces") { meta::name(subject) } else { meta::namespace(subject) };
    match api.registry.served().find("", "v1", "namespaces") {
        Some(namespaces) if !name.is_empty() => api.get(&namespaces, None, name).await.unwrap_or_default(),
        _ => Value::Null,
    }
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether a write is one of those that are meant; a binding that names no resources means all of its policy's.
fn matches(wanted: &Value, review: &Review, namespace: &Value, any: bool) -> bool {
    let selects = |selector: &Value, object: &Value| {
        selector.is_null() || crate::validate::selects(selector, &object["metadata"]["labels"])
    };
    let spaced = review.resource.namespaced || review.resource.is("", "namespaces");
    if (spaced && !selects(&wanted["namespaceSelector"], namespace))
        || !selects(&wanted["objectSelector"], review.subject())
    {
        return false;
    }
    let named = |rules: &str| list(wanted, rules).iter().any(|rule| names(rule, review));
    let rules = list(wanted, "resourceRules");
    ((any && rules.is_empty()) || named("resourceRules")) && !named("excludeResourceRules")
}

fn names(rule: &Value, review: &Review) -> bool {
    let has = |field: &str, wanted: &str| list(rule, field).iter().any(|one| one == "*" || one == wanted);
    let resource = review.resource;
    let full = match review.subresource {
        "" => resource.plural.clone(),
        part => format!("{}/{part}", resource.plural),
    };
    let is_it = list(rule, "resources").iter().filter_map(Value::as_str).any(|one| {
        one == full
            || one == "*/*"
            || (one == "*" && review.subresource.is_empty())
            || one.strip_suffix("/*").is_some_and(|kind| kind == resource.plural)
            || one.strip_prefix("*/").is_some_and(|part| part == review.subresource)
    });
    let name = meta::name(review.subject());
    let names = list(rule, "resourceNames");
    is_it
        && has("apiGroups", &resource.group)
        && has("apiVersions", &resource.version)
        && has("operations", review.operation())
        && (names.is_empty() || names.iter().any(|one| one == name))
        && match rule["scope"].as_str() {
            Some("Namespaced") => resource.namespaced,
            Some("Cluster") => !resource.namespaced,
            _ => true,
        }
}

async fn judge(
    api: &SharedApi,
    review: &Review<'_>,
    policy: &Value,
    binding: &Value,
    namespace: &Value,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    let spec = &policy["spec"];
    let place = format!("ValidatingAdmissionPolicy '{}' with binding '{}'", meta::name(policy), meta::name(binding));
    let denied = |why: &str| Err(refused(review, "", &format!("{place} denied request: {why}")));
    let Ok(parameters) = parameters(api, review, policy, binding).await else {
        let missing = binding.pointer("/spec/paramRef/parameterNotFoundAction");
        if missing.is_some_and(|action| action == "Allow") || spec["failurePolicy"] == "Ignore" {
            return Ok(());
        }
        let why = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
        return denied(why);
    };
    let none = Value::Null;
    let request = review.request();
    for parameter in &parameters {
        let mut variables = json!({});
        let names = |variables: &Value| {
            [
                ("object", review.new.unwrap_or(&none).clone()),
                ("oldObject", review.old.unwrap_or(&none).clone()),
                ("request", request.clone()),
                ("params", parameter.clone()),
                ("namespaceObject", namespace.clone()),
                ("variables", variables.clone()),
            ]
        };
        let value = |expression: &str, variables: &Value| {
            let held = names(variables);
            let held: Vec<(&str, &Value)> = held.iter().map(|(name, value)| (*name, value)).collect();
            cel::evaluate(expression, &held)
        };
        for variable in list(spec, "variables") {
            let (name, text) = (text(variable, "name"), text(variable, "expression"));
            if let Ok(found) = value(text, &variables) {
                variables[name] = found;
            }
        }
        let conditions = list(spec, "matchConditions");
        if conditions.iter().any(|one| value(text(one, "expression"), &variables) == Ok(Value::Bool(false))) {
            continue;
        }
        for validation in list(spec, "validations") {
            let expression = text(validation, "expression");
            let why = match value(expression, &variables) {
                Ok(Value::Bool(true)) | Err(Failure::Unsupported(_)) => continue,
                Err(Failure::Run(_) | Failure::Syntax(_)) if spec["failurePolicy"] == "Ignore" => continue,
                Err(Failure::Run(why) | Failure::Syntax(why)) => {
                    format!("expression '{expression}' resulted in error: {why}")
                }
                Ok(_) => {
                    let told = Some(text(validation, "messageExpression")).filter(|told| !told.is_empty());
                    let told = told.and_then(|told| value(told, &variables).ok()?.as_str().map(str::to_owned));
                    match (told, text(validation, "message")) {
                        (Some(told), _) => told,
                        (None, "") => format!("failed expression: {expression}"),
                        (None, message) => message.to_owned(),
                    }
                }
            };
            for action in list(&binding["spec"], "validationActions") {
                if action == "Deny" {
                    let said = format!("{place} denied request: {why}");
                    return Err(refused(review, text(validation, "reason"), &said));
                }
                if action == "Warn" {
                    warnings.push(format!("Validation failed for {place}: {why}"));
                }
            }
        }
    }
    Ok(())
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// In the words of the reason that the validation gives.
fn refused(review: &Review, reason: &str, said: &str) -> ApiError {
    let name = meta::name(review.subject());
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
    let served = api.registry.served();
    let wanted = |one: &&std::sync::Arc<Resource>| {
        one.group == group && one.version == version && one.kind == text(kind, "kind")
    };
    let resource = served.all.iter().find(wanted).ok_or_else(ApiError::no_path)?;
    let own = meta::namespace(review.subject());
    let namespace = Some(text(reference, "namespace")).filter(|given| !given.is_empty()).unwrap_or(own);
    let namespace = Some(namespace).filter(|_| resource.namespaced);
    let name = text(reference, "name");
    if !name.is_empty() {
        return api.get(resource, namespace, name).await.map(|one| vec![one]);
    }
    let (all, _) = api.list_all(resource, namespace, &Selector::default()).await?;
    let fits = |one: &Value| crate::validate::selects(&reference["selector"], &one["metadata"]["labels"]);
    let found: Vec<Value> = all.into_iter().filter(|one| fits(one)).collect();
    if found.is_empty() { Err(ApiError::no_path()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_resources_and_their_parts() {
        let resources = Resource::builtins();
        let deployments = resources.iter().find(|one| one.is("apps", "deployments")).expect("they are served");
        let review = |subresource: &'static str| Review {
            user: &USER,
            resource: deployments,
            subresource,
            old: None,
            new: Some(&Value::Null),
            dry_run: false,
        };
        let rule = |resources: Value| json!({"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": resources});
        assert!(names(&rule(json!(["deployments"])), &review("")));
        assert!(!names(&rule(json!(["deployments"])), &review("scale")));
        assert!(names(&rule(json!(["deployments/*"])), &review("scale")));
        assert!(names(&rule(json!(["*"])), &review("")));
        assert!(!names(&rule(json!(["pods"])), &review("")));
    }

    static USER: std::sync::LazyLock<User> = std::sync::LazyLock::new(User::admin);
}
