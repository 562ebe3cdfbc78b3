//! One request to one handler.

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, header};
use tracing::field::Empty;
use tracing::{Instrument, Span, debug, error, error_span, trace, warn};

use super::limits::{GivenUp, Held, Internal};
use super::{SharedApi, negotiate};
use crate::authorize::{self, Attributes};
use crate::request::{Call, Query, ResourcePath, Verb, is_long_running};
use crate::status::ApiError;
use crate::user::User;

pub fn router(api: SharedApi) -> Router {
    Router::new().fallback(handle).with_state(api)
}

async fn handle(State(api): State<SharedApi>, mut request: Request<Body>) -> Response {
    request.extensions_mut().insert(Held::default());
    // Neither the query nor the body: both may hold what is secret.
    let path = request.uri().path();
    let span = error_span!("request", method = %request.method(), path, verb = Empty, resource = Empty, user = Empty);
    logged(&api, request).instrument(span).await
}

async fn logged(api: &SharedApi, request: Request<Body>) -> Response {
    let began = Instant::now();
    let endless = is_long_running(request.uri());
    let internal = request.extensions().get::<Internal>().is_some();
    let answer = api.limits.run(request, endless, async |request| Box::pin(respond(api, request)).await).await;
    let response = answer.unwrap_or_else(|given_up| {
        match &given_up {
            GivenUp::Panic(said) => error!(said, "a panic"),
            GivenUp::NoTurn | GivenUp::TooLong => warn!(why = ?given_up, "request given up"),
        }
        given_up.into_response()
    });
    let (status, took) = (response.status().as_u16(), began.elapsed());
    match status {
        500.. => warn!(status, ?took, "answered"),
        // Most requests are the controllers' own.
        _ if internal => trace!(status, ?took, "answered"),
        _ => debug!(status, ?took, "answered"),
    }
    response
}

async fn respond(api: &SharedApi, request: Request<Body>) -> Response {
    // Who is not said to be somebody is nobody.
    let user = request.extensions().get::<User>().cloned().unwrap_or_else(User::anonymous);
    let user = match authorize::impersonated(&api.objects, user, request.headers()).await {
        Ok(user) => user,
        Err(error) => return error.into_response(),
    };
    Span::current().record("user", &user.name);
    let query = Query::of(request.uri());
    let Some(mut path) = ResourcePath::parse(request.uri().path()) else {
        let (parts, _) = request.into_parts();
        let path = parts.uri.path();
        // Open to anybody by the role that a real cluster binds to anybody, system:public-info-viewer. Where no role can
        // be read, health still has to say so.
        let health = matches!(path, "/healthz" | "/livez" | "/readyz");
        match authorize::check(&api.objects, &user, || Attributes::path(&parts.method, path)).await {
            Err(error) if error.code != 500 || !health => return error.into_response(),
            _ => return super::plain::answer(api, &parts.method, &parts.uri, &parts.headers).await,
        }
    };
    path.watch |= query.flag("watch");
    let call = Call { method: request.method().clone(), path, query, headers: request.headers().clone(), user };
    let verb = Verb::of(&call);
    let plural = call.path.plural.clone();
    Span::current().record("verb", verb.name()).record("resource", &plural);
    let deprecated = match plural.as_str() {
        "endpoints" if call.path.group.is_empty() => Some(super::admission::ENDPOINTS_DEPRECATED),
        "componentstatuses" if call.path.group.is_empty() => Some("v1 ComponentStatus is deprecated in v1.19+"),
        _ => None,
    };
    let custom = api.objects.registry.served().find(&call.path.group, &call.path.version, &plural);
    let custom = custom.and_then(|resource| resource.custom.as_ref()?.deprecated.clone());
    let mut response = Box::pin(serve(api.clone(), call, request)).await.unwrap_or_else(IntoResponse::into_response);
    if let Some(deprecated) = deprecated.filter(|_| !response.headers().contains_key(header::WARNING)) {
        let warning = format!("299 - \"{deprecated}\"");
        response.headers_mut().extend(HeaderValue::from_str(&warning).map(|warning| (header::WARNING, warning)));
    }
    if let Some(value) = custom.and_then(|deprecation| HeaderValue::from_str(&format!("299 - \"{deprecation}\"")).ok())
    {
        response.headers_mut().append(header::WARNING, value);
    }
    api.counters.answered(verb.name(), &plural, response.status().as_u16());
    response
}

async fn serve(api: SharedApi, call: Call, request: Request<Body>) -> Result<Response, ApiError> {
    let path = &call.path;
    let verb = Verb::of(&call);
    authorize::check(&api.objects, &call.user, || Attributes::of(&call, verb.name())).await?;
    let resource =
        api.objects.registry.served().find(&path.group, &path.version, &path.plural).ok_or_else(ApiError::no_path)?;
    if path.namespace.is_some() && !resource.namespaced {
        return Err(ApiError::no_path());
    }
    if let Some(subresource) = path.subresource.clone() {
        return Box::pin(super::subresource::serve(api, resource, &subresource, call, request)).await;
    }
    // One is replaced by its name, and created without; the body is not looked at.
    let misplaced = match verb {
        Verb::Update | Verb::Patch => path.name.is_none(),
        Verb::Create => path.name.is_some(),
        _ => false,
    };
    // Of all namespaces nothing but a list can be had.
    let too_wide = resource.namespaced && path.namespace.is_none() && verb == Verb::DeleteCollection;
    if misplaced || too_wide || !resource.allows(verb.name()) {
        return Err(ApiError::method_not_allowed());
    }
    if resource.namespaced && path.namespace.is_none() && !matches!(verb, Verb::List | Verb::Watch | Verb::Create) {
        return Err(ApiError::no_path());
    }
    if !resource.is_stored() {
        return Box::pin(super::reviews::serve(&api, &resource, &call, request)).await;
    }
    let form = negotiate::form(&call.headers);
    match verb {
        Verb::Watch => super::watch::serve(api, resource, &call, form).await,
        Verb::List => {
            let internal = request.extensions().get::<Internal>().is_some();
            super::read::list(api, resource, &call, form, internal).await
        }
        Verb::Get => super::read::one(&api, &resource, &call).await,
        Verb::Create | Verb::Update | Verb::Patch => super::change::serve(&api, &resource, &call, request).await,
        Verb::Delete => super::delete::one(&api, &resource, &call, request).await,
        Verb::DeleteCollection => super::delete::collection(&api, &resource, &call, request).await,
        Verb::Other => Err(ApiError::method_not_allowed()),
    }
}
