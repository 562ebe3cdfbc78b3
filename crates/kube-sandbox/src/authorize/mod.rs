//! Who may do what: Kubernetes' role-based access control over the roles and bindings that etcd holds,
//! read anew for each decision so that a binding counts from the moment it is written.

mod escalation;
mod grants;
mod impersonate;
mod rules;

use std::sync::Arc;

use http::Method;
use kube_cel::{Authorizer, Check};

use crate::objects::Objects;
use crate::request::Call;
use crate::status::ApiError;
use crate::user::User;
pub use escalation::check as check_escalation;
pub use grants::grants;
pub use impersonate::impersonated;

/// What somebody wants to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    pub verb: String,
    pub group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    /// Of a request that is about no resource.
    pub path: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    /// Why, as `kubectl auth can-i` and messages say it; often empty where nothing allows it.
    pub reason: String,
}

/// Groups that hold every right whatever the bindings say. kubeadm's administrators have theirs by a
/// binding, but nobody who drives a sandbox is to pay for looking it up.
const ALL_POWERFUL: [&str; 2] = ["system:masters", "kubeadm:cluster-admins"];

impl Attributes {
    /// `verb` is the one that Kubernetes knows the request by.
    pub fn of(call: &Call, verb: &str) -> Self {
        let path = &call.path;
        let name = path.name.clone().unwrap_or_default();
        // A namespace lies in itself.
        let itself = (path.group.is_empty() && path.plural == "namespaces").then(|| name.clone());
        Self {
            verb: verb.to_owned(),
            group: path.group.clone(),
            resource: path.plural.clone(),
            subresource: path.subresource.clone().unwrap_or_default(),
            namespace: path.namespace.clone().or(itself).unwrap_or_default(),
            name,
            path: None,
        }
    }

    pub fn path(method: &Method, path: &str) -> Self {
        Self { verb: method.as_str().to_lowercase(), path: Some(path.to_owned()), ..Self::default() }
    }

    fn refused(&self, user: &User, reason: &str) -> ApiError {
        let user = &user.name;
        let verb = &self.verb;
        let mut said = if let Some(path) = &self.path {
            format!("User \"{user}\" cannot {verb} path \"{path}\"")
        } else {
            let slash = if self.subresource.is_empty() { "" } else { "/" };
            let place = match self.namespace.as_str() {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace \"{namespace}\""),
            };
            format!(
                "User \"{user}\" cannot {verb} resource \"{}{slash}{}\" in API group \"{}\" {place}",
                self.resource, self.subresource, self.group
            )
        };
        if !reason.is_empty() {
            said = format!("{said}: {reason}");
        }
        let qualified =
            if self.group.is_empty() { self.resource.clone() } else { format!("{}.{}", self.resource, self.group) };
        let message = match (self.path.is_some(), self.name.as_str()) {
            (true, _) => format!("forbidden: {said}"),
            (false, "") => format!("{qualified} is forbidden: {said}"),
            (false, name) => format!("{qualified} \"{name}\" is forbidden: {said}"),
        };
        let mut details = serde_json::json!({});
        for (field, value) in [("name", &self.name), ("group", &self.group), ("kind", &self.resource)] {
            if !value.is_empty() {
                details[field] = value.as_str().into();
            }
        }
        ApiError::new(403, "Forbidden", message).with_details(details)
    }
}

/// Refuses, with Kubernetes' own words, what no role allows.
pub async fn check(objects: &Objects, user: &User, attributes: impl FnOnce() -> Attributes) -> Result<(), ApiError> {
    if user.groups.iter().any(|group| ALL_POWERFUL.contains(&group.as_str())) {
        return Ok(());
    }
    let attributes = attributes();
    // On the heap: few requests come here, and all would carry it.
    let decision = Box::pin(decide(objects, user, &attributes)).await?;
    if decision.allowed { Ok(()) } else { Err(attributes.refused(user, &decision.reason)) }
}

/// Decides for expressions, which are evaluated on threads that may wait: not on those of the runtime.
pub fn authorizer(objects: &Arc<Objects>, user: &User) -> Authorizer {
    let (objects, user, runtime) = (Arc::clone(objects), user.clone(), tokio::runtime::Handle::current());
    Authorizer::new(move |check: &Check| {
        let account = check.account.as_ref().map(|(namespace, name)| User::of_account(namespace, name));
        let wanted = Attributes {
            verb: check.verb.clone(),
            group: check.group.clone(),
            resource: check.resource.clone(),
            subresource: check.subresource.clone(),
            namespace: check.namespace.clone(),
            name: check.name.clone(),
            path: check.path.clone(),
        };
        match runtime.block_on(decide(&objects, account.as_ref().unwrap_or(&user), &wanted)) {
            Ok(Decision { allowed, reason }) => kube_cel::Decision { allowed, reason, error: None },
            Err(error) => kube_cel::Decision { error: Some(error.message), ..kube_cel::Decision::default() },
        }
    })
}

pub async fn decide(objects: &Objects, user: &User, wanted: &Attributes) -> Result<Decision, ApiError> {
    if user.groups.iter().any(|group| group == "system:masters") {
        return Ok(Decision { allowed: true, reason: String::new() });
    }
    let held = grants(objects, user, &wanted.namespace).await?;
    let because = held.all.iter().find(|grant| grant.rules.iter().any(|rule| rules::allows(rule, wanted)));
    Ok(match because {
        Some(grant) => Decision { allowed: true, reason: format!("RBAC: allowed by {}", grant.because) },
        None => Decision { allowed: false, reason: held.failures() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Query, ResourcePath};

    fn attributes(path: &str, verb: &str) -> Attributes {
        let call = Call {
            method: Method::GET,
            path: ResourcePath::parse(path).expect("a resource"),
            query: Query::default(),
            headers: http::HeaderMap::new(),
            user: User::admin(),
        };
        Attributes::of(&call, verb)
    }

    fn message(attributes: &Attributes) -> String {
        let user = User { name: "jane".into(), ..User::default() };
        attributes.refused(&user, "").message
    }

    #[test]
    fn a_refusal_has_kubernetes_words() {
        assert_eq!(
            message(&attributes("/api/v1/namespaces/default/pods", "list")),
            "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
        );
        assert_eq!(
            message(&attributes("/apis/apps/v1/namespaces/a/deployments/web/scale", "patch")),
            "deployments.apps \"web\" is forbidden: User \"jane\" cannot patch resource \"deployments/scale\" in API group \"apps\" in the namespace \"a\""
        );
        assert_eq!(
            message(&attributes("/api/v1/nodes", "list")),
            "nodes is forbidden: User \"jane\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"
        );
        assert_eq!(
            message(&attributes("/api/v1/namespaces/shop", "get")),
            "namespaces \"shop\" is forbidden: User \"jane\" cannot get resource \"namespaces\" in API group \"\" in the namespace \"shop\""
        );
        assert_eq!(
            message(&Attributes::path(&Method::GET, "/metrics")),
            "forbidden: User \"jane\" cannot get path \"/metrics\""
        );
    }
}
