//! Kinds that are answered and never stored: reviews of who may do what.

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::request::Call;
use super::resource::Resource;
use super::status::{ApiError, json_response};
use super::{SharedApi, dispatch, meta};

pub(super) async fn serve(
    api: &SharedApi,
    resource: &Resource,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    if resource.is("", "componentstatuses") {
        return component_statuses(api, resource, call).await;
    }
    let mut object = dispatch::body_object(resource, request).await?;
    let status = match resource.plural.as_str() {
        "selfsubjectaccessreviews" | "subjectaccessreviews" | "localsubjectaccessreviews" => {
            json!({"allowed": true, "reason": "this sandbox lets every client of its own do everything"})
        }
        "selfsubjectrulesreviews" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        "selfsubjectreviews" => json!({"userInfo": {"username": call.user.name, "groups": call.user.groups}}),
        "tokenreviews" => {
            let token = object.pointer("/spec/token").and_then(Value::as_str).unwrap_or_default();
            match api.tokens.user_of(token) {
                Some(user) => json!({"authenticated": true, "user": {"username": user.name, "groups": user.groups}}),
                None => json!({"authenticated": false}),
            }
        }
        "bindings" => return super::subresource::bind(api, call, &object).await,
        _ => return Err(ApiError::method_not_allowed()),
    };
    object["status"] = status;
    meta::set(&mut object, "creationTimestamp", Value::Null);
    Ok(json_response(StatusCode::CREATED, &object))
}

async fn component_statuses(api: &SharedApi, resource: &Resource, call: &Call) -> Result<Response, ApiError> {
    let etcd = api.store.get("/registry/health").await;
    let status = |name: &str, healthy: bool, message: &str| {
        json!({
            "apiVersion": "v1", "kind": "ComponentStatus",
            "metadata": {"name": name, "creationTimestamp": null},
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
        super::negotiate::Form::Table => super::read::table(resource, &all, "Metadata", true),
        _ => json!({"kind": "ComponentStatusList", "apiVersion": "v1", "metadata": {}, "items": all}),
    };
    Ok(json_response(StatusCode::OK, &answer))
}
