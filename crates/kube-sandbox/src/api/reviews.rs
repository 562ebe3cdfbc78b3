//! Kinds that are answered and never stored: reviews of who may do what.

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{SharedApi, body, negotiate};
use crate::authorize::{self, Attributes};
use crate::object::field_error::FieldError;
use crate::object::meta;
use crate::request::Call;
use crate::resource::Resource;
use crate::status::{ApiError, json_response};
use crate::user::User;
use kube_etcd_codec::names;

pub(super) async fn serve(
    api: &SharedApi,
    resource: &Resource,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    if resource.is(names::COMPONENT_STATUSES) {
        return component_statuses(api, resource, call).await;
    }
    negotiate::plain_only(&call.headers)?;
    let mut object = body::object(api, resource, request).await?.value;
    let status = match resource.plural.as_str() {
        "selfsubjectaccessreviews" => access(api, &call.user, &object, "").await?,
        "subjectaccessreviews" | "localsubjectaccessreviews" => {
            let user = reviewed_user(resource, &object)?;
            let within = call.path.namespace.as_deref().unwrap_or_default();
            access(api, &user, &object, within).await?
        }
        "selfsubjectrulesreviews" => rules(api, &call.user, &object).await?,
        "selfsubjectreviews" => json!({"userInfo": call.user.info()}),
        "tokenreviews" => {
            let token = object.pointer("/spec/token").and_then(Value::as_str).unwrap_or_default();
            match api.tokens.user_of(token) {
                Some(user) => json!({"authenticated": true, "user": user.info()}),
                None => json!({"user": {}, "error": "invalid bearer token"}),
            }
        }
        "bindings" => return super::subresource::bind(api, call, &object).await,
        _ => return Err(ApiError::method_not_allowed()),
    };
    object["status"] = status;
    if resource.plural == "selfsubjectreviews" {
        meta::set(&mut object, "creationTimestamp", meta::now_text());
    } else if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    Ok(json_response(StatusCode::CREATED, &object))
}

/// Whom a review of somebody else is about.
fn reviewed_user(resource: &Resource, review: &Value) -> Result<User, ApiError> {
    let spec = &review["spec"];
    let text = |field: &str| spec.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let groups: Vec<String> = serde_json::from_value(spec["groups"].clone()).unwrap_or_default();
    if text("user").is_empty() && groups.is_empty() {
        let error = FieldError::invalid("spec.user", &json!(""), "at least one of user or group must be specified");
        return Err(ApiError::invalid(resource, "", &[error]));
    }
    let extra = serde_json::from_value(spec["extra"].clone()).unwrap_or_default();
    Ok(User { name: text("user"), groups, uid: text("uid"), extra })
}

async fn access(api: &SharedApi, user: &User, review: &Value, within: &str) -> Result<Value, ApiError> {
    let spec = &review["spec"];
    let text = |part: &str, field: &str| {
        spec.pointer(&format!("/{part}/{field}")).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let wanted = if spec.get("nonResourceAttributes").is_some_and(Value::is_object) {
        let part = "nonResourceAttributes";
        Attributes { verb: text(part, "verb"), path: Some(text(part, "path")), ..Attributes::default() }
    } else {
        let part = "resourceAttributes";
        let namespace = text(part, "namespace");
        Attributes {
            verb: text(part, "verb"),
            group: text(part, "group"),
            resource: text(part, "resource"),
            subresource: text(part, "subresource"),
            namespace: if namespace.is_empty() { within.to_owned() } else { namespace },
            name: text(part, "name"),
            path: None,
        }
    };
    let decision = authorize::decide(&api.objects, user, &wanted).await?;
    let mut status = json!({"allowed": decision.allowed});
    if !decision.reason.is_empty() {
        status["reason"] = json!(decision.reason);
    }
    Ok(status)
}

async fn rules(api: &SharedApi, user: &User, review: &Value) -> Result<Value, ApiError> {
    let namespace = review.pointer("/spec/namespace").and_then(Value::as_str).unwrap_or_default();
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let held = authorize::grants(&api.objects, user, namespace).await?;
    let (urls, resources): (Vec<Value>, Vec<Value>) =
        held.all.iter().flat_map(|grant| grant.rules.iter().cloned()).partition(|rule| {
            rule.get("nonResourceURLs").is_some_and(|urls| urls.as_array().is_some_and(|all| !all.is_empty()))
        });
    let mut status = json!({"resourceRules": resources, "nonResourceRules": urls, "incomplete": false});
    if !held.failures().is_empty() {
        status["incomplete"] = json!(true);
        status["evaluationError"] = json!(held.failures().trim_start_matches("RBAC: "));
    }
    Ok(status)
}

async fn component_statuses(api: &SharedApi, resource: &Resource, call: &Call) -> Result<Response, ApiError> {
    let etcd = api.objects.store.get("/registry/health").await;
    let status = |name: &str, healthy: bool, message: &str| {
        json!({
            "apiVersion": "v1", "kind": "ComponentStatus",
            "metadata": {"name": name},
            "conditions": [{"type": "Healthy", "status": if healthy { "True" } else { "False" }, "message": message}],
        })
    };
    let why = etcd.as_ref().err().map_or_else(|| "ok".to_owned(), ToString::to_string);
    let all = [
        status("controller-manager", true, "ok"),
        status("scheduler", true, "ok"),
        status("etcd-0", etcd.is_ok(), &why),
    ];
    if let Some(name) = &call.path.name {
        let found = all.iter().find(|one| meta::name(one) == name);
        let found = found.ok_or_else(|| ApiError::not_found(resource, name))?;
        return Ok(json_response(StatusCode::OK, found));
    }
    let answer = match super::negotiate::form(&call.headers) {
        super::negotiate::Form::Table => super::answer::table(resource, &all, "Metadata", true),
        _ => json!({"kind": "ComponentStatusList", "apiVersion": "v1", "metadata": {}, "items": all}),
    };
    Ok(json_response(StatusCode::OK, &answer))
}
