//! delete and deletecollection.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use serde_json::json;

use super::deletion::Wish;
use super::{SharedApi, answer, body};
use crate::object::meta;
use crate::objects::selector::Selector;
use crate::request::Call;
use crate::resource::Resource;
use crate::status::{ApiError, json_response, success};

pub(super) async fn one(
    api: &SharedApi,
    resource: &Arc<Resource>,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let wish = Wish::of(call, &body::options(api, "DeleteOptions", request).await?)?;
    let name = call.path.name.as_deref().unwrap_or_default();
    let mut warnings = Vec::new();
    let (object, gone) = api.delete(resource, call, name, &wish, &mut warnings).await?;
    let response = if gone && !resource.builtin.is_some_and(|kind| kind.returned) {
        json_response(StatusCode::OK, &success(resource, name, &object["metadata"]["uid"]))
    } else {
        answer::shown(resource, call, StatusCode::OK, object)
    };
    Ok(answer::warned(response, &warnings))
}

pub(super) async fn collection(
    api: &SharedApi,
    resource: &Arc<Resource>,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let wish = Wish::of(call, &body::options(api, "DeleteOptions", request).await?)?;
    let namespace = call.path.namespace.as_deref();
    let selector = Selector::parse(resource, call.query.get("labelSelector"), call.query.get("fieldSelector"))?;
    let (items, revision) = api.objects.list_all(resource, namespace, &selector).await?;
    let mut deleted = Vec::with_capacity(items.len());
    let mut warnings = Vec::new();
    for item in items {
        match api.delete(resource, call, meta::name(&item), &wish, &mut warnings).await {
            Ok((object, _)) => deleted.push(object),
            // Somebody else was faster.
            Err(error) if error.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    let list = json!({
        "kind": resource.list_kind,
        "apiVersion": resource.api_version(),
        "metadata": {"resourceVersion": revision.to_string()},
        "items": deleted,
    });
    Ok(answer::warned(json_response(StatusCode::OK, &list), &warnings))
}
