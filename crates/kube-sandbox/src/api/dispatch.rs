//! One request to one handler.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;

use super::request::{Call, Query, ResourcePath, User};
use super::resource::Resource;
use super::status::{ApiError, json_response};
use super::{SharedApi, negotiate, objects};
use crate::authorize::{self, Attributes};
use kube_etcd_codec::{self as codec, Storage};

/// As much as kube-apiserver takes.
const LARGEST_BODY: usize = 3 << 20;
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

pub fn router(api: SharedApi) -> Router {
    Router::new().fallback(handle).with_state(api)
}

async fn handle(State(api): State<SharedApi>, request: Request<Body>) -> Response {
    let user = request.extensions().get::<User>().cloned().unwrap_or_else(User::admin);
    let user = match authorize::impersonated(&api, user, request.headers()).await {
        Ok(user) => user,
        Err(error) => return error.into_response(),
    };
    let query = Query::of(request.uri());
    let Some(mut path) = ResourcePath::parse(request.uri().path()) else {
        let (parts, _) = request.into_parts();
        let path = parts.uri.path();
        // Health is for anybody, and no matter of roles: it is asked for when those cannot be read.
        let public = matches!(path, "/healthz" | "/livez" | "/readyz" | "/version");
        if !public && let Err(error) = authorize::check(&api, &user, || Attributes::path(&parts.method, path)).await {
            return error.into_response();
        }
        return super::plain::answer(&api, &parts.method, &parts.uri, &parts.headers).await;
    };
    path.watch |= query.flag("watch");
    let call = Call { method: request.method().clone(), path, query, headers: request.headers().clone(), user };
    let verb = verb(&call);
    let plural = call.path.plural.clone();
    let deprecated = match plural.as_str() {
        "endpoints" if call.path.group.is_empty() => Some(super::admission::ENDPOINTS_DEPRECATED),
        "componentstatuses" if call.path.group.is_empty() => Some("v1 ComponentStatus is deprecated in v1.19+"),
        _ => None,
    };
    let custom = api.registry.served().find(&call.path.group, &call.path.version, &plural);
    let custom = custom.and_then(|resource| resource.custom.as_ref()?.deprecated.clone());
    let mut response = serve(api.clone(), call, request).await.unwrap_or_else(IntoResponse::into_response);
    if let Some(deprecated) = deprecated.filter(|_| !response.headers().contains_key(header::WARNING)) {
        let warning = format!("299 - \"{deprecated}\"");
        response.headers_mut().extend(HeaderValue::from_str(&warning).map(|warning| (header::WARNING, warning)));
    }
    if let Some(value) = custom.and_then(|told| HeaderValue::from_str(&format!("299 - \"{told}\"")).ok()) {
        response.headers_mut().append(header::WARNING, value);
    }
    api.counters.answered(verb, &plural, response.status().as_u16());
    response
}

/// The verb as discovery and the counters name it.
fn verb(call: &Call) -> &'static str {
    let named = call.path.name.is_some();
    match call.method {
        Method::GET | Method::HEAD if call.path.watch => "watch",
        Method::GET | Method::HEAD if named => "get",
        Method::GET | Method::HEAD => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ => "other",
    }
}

async fn serve(api: SharedApi, call: Call, request: Request<Body>) -> Result<Response, ApiError> {
    let path = &call.path;
    authorize::check(&api, &call.user, || Attributes::of(&call, verb(&call))).await?;
    let resource =
        api.registry.served().find(&path.group, &path.version, &path.plural).ok_or_else(ApiError::no_path)?;
    if path.namespace.is_some() && !resource.namespaced {
        return Err(ApiError::no_path());
    }
    if let Some(subresource) = path.subresource.clone() {
        return Box::pin(super::subresource::serve(api, resource, &subresource, call, request)).await;
    }
    let verb = verb(&call);
    if !resource.allows(verb) {
        return Err(ApiError::method_not_allowed());
    }
    if resource.namespaced && path.namespace.is_none() && !matches!(verb, "list" | "watch" | "create") {
        return Err(ApiError::no_path());
    }
    if !resource.is_stored() {
        return Box::pin(super::reviews::serve(&api, &resource, &call, request)).await;
    }
    let form = negotiate::form(&call.headers);
    match verb {
        "watch" => super::watch::serve(api, resource, &call, form).await,
        "list" => super::read::list(api, resource, &call, form).await,
        "get" => {
            let name = call.path.name.as_deref().unwrap_or_default();
            let object = api.get(&resource, call.path.namespace.as_deref(), name).await?;
            Ok(shown(&resource, &call, StatusCode::OK, object))
        }
        "create" => {
            let object = body_object(&resource, request).await?;
            let mut write = api.write(&resource, &call)?;
            let created = write.create(object).await?;
            Ok(write.answer(StatusCode::CREATED, created))
        }
        "update" => {
            let object = body_object(&resource, request).await?;
            let mut write = api.write(&resource, &call)?;
            let (updated, code) = write.replace(object).await?;
            Ok(write.answer(code, updated))
        }
        "patch" => {
            let content = content_type(&call);
            let body = body_bytes(request).await?;
            let mut write = api.write(&resource, &call)?;
            let (patched, code) = write.patch(&content, &body).await?;
            Ok(write.answer(code, patched))
        }
        "delete" => super::delete::one(&api, &resource, &call, body_options(request).await?).await,
        "deletecollection" => super::delete::collection(&api, &resource, &call, body_options(request).await?).await,
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// An object in the form that the client wants.
pub(super) fn shown(resource: &Arc<Resource>, call: &Call, status: StatusCode, object: Value) -> Response {
    match negotiate::form(&call.headers) {
        negotiate::Form::Object => json_response(status, &object),
        negotiate::Form::Metadata => json_response(status, &objects::partial(&object)),
        negotiate::Form::Table => {
            let include = call.query.get("includeObject").unwrap_or("Metadata").to_owned();
            json_response(status, &super::read::table(resource, &[object], &include, true))
        }
        negotiate::Form::Protobuf => match codec::encode(&object) {
            Ok(bytes) => {
                let mut response = Response::new(Body::from(bytes));
                *response.status_mut() = status;
                let media = HeaderValue::from_static(PROTOBUF);
                response.headers_mut().insert(header::CONTENT_TYPE, media);
                response
            }
            Err(error) => ApiError::internal(error).into_response(),
        },
    }
}

pub(super) fn content_type(call: &Call) -> String {
    call.header(&header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_owned()
}

pub(super) async fn body_bytes(request: Request<Body>) -> Result<Bytes, ApiError> {
    Limited::new(request.into_body(), LARGEST_BODY).collect().await.map(http_body_util::Collected::to_bytes).map_err(
        |error| match error.downcast_ref::<http_body_util::LengthLimitError>() {
            Some(_) => ApiError::new(
                413,
                "RequestEntityTooLarge",
                format!("Request entity too large: limit is {LARGEST_BODY}"),
            ),
            None => ApiError::bad_request(format!("the body could not be read: {error}")),
        },
    )
}

fn header_text<'a>(request: &'a Request<Body>, name: &header::HeaderName) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// JSON, YAML or Kubernetes' protobuf; `Null` where there is no body.
pub(super) async fn body_value(request: Request<Body>) -> Result<Value, ApiError> {
    let content = header_text(&request, &header::CONTENT_TYPE);
    let content = content.split(';').next().unwrap_or_default().trim().to_owned();
    let body = body_bytes(request).await?;
    if body.is_empty() {
        return Ok(Value::Null);
    }
    match content.as_str() {
        "application/yaml" => std::str::from_utf8(&body)
            .map_err(|error| error.to_string())
            .and_then(|text| serde_saphyr::from_str(text).map_err(|error| error.to_string()))
            .map_err(|error| ApiError::bad_request(format!("error decoding from yaml: {error}"))),
        PROTOBUF => {
            codec::decode(&body).map(|decoded| decoded.object).map_err(|error| ApiError::bad_request(error.to_string()))
        }
        "" | "application/json" | "*/*" => serde_json::from_slice(&body).map_err(|error| {
            ApiError::bad_request(format!(
                "the object provided is unrecognized (must be of type Status or a known kind): couldn't get version/kind; json parse error: {error}"
            ))
        }),
        _ => Err(ApiError::unsupported_media_type(
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

/// A body that must be an object of this resource.
pub(super) async fn body_object(resource: &Resource, request: Request<Body>) -> Result<Value, ApiError> {
    // Custom resources have no protobuf; of the extensions' own kinds this API knows none.
    let has_protobuf = resource.builtin.is_some_and(|kind| kind.storage != Storage::Json);
    if !has_protobuf && header_text(&request, &header::CONTENT_TYPE).starts_with(PROTOBUF) {
        return Err(ApiError::unsupported_media_type("application/json, application/yaml"));
    }
    let mut object = body_value(request).await?;
    if object.is_null() {
        object = serde_json::json!({});
    }
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let expected = resource.api_version();
    if !version.is_empty() && version != expected && !(resource.is("events.k8s.io", "events") && version == "v1") {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        )));
    }
    if !kind.is_empty() && kind != resource.kind {
        return Err(ApiError::bad_request(format!(
            "{kind} in version \"{}\" cannot be handled as a {}: no kind \"{kind}\" is registered for the resource {}",
            resource.version, resource.kind, resource.plural
        )));
    }
    object["apiVersion"] = expected.into();
    object["kind"] = resource.kind.clone().into();
    Ok(object)
}

async fn body_options(request: Request<Body>) -> Result<Value, ApiError> {
    body_value(request).await
}
