//! What lies where, and the way in: base path, gate, limits, headers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use tower::Service;

use super::answer::{Failure, in_our_words, with_headers};
use super::gate::Place;
use super::server::State;
use super::{assets, changes, page, picture, sessions, streams, terminals};

/// Of a request; an answer to a question and a block's name are short.
const LARGEST_BODY: usize = 64 << 10;
/// By when it is all here.
const BODY: Duration = Duration::from_secs(10);

pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/", get(assets::course))
        .route("/lab", get(assets::lab))
        .route("/assets/{name}", get(assets::asset))
        .route("/api/course", get(sessions::course))
        .route("/api/open", post(sessions::open))
        .route("/api/present", get(sessions::present))
        .route("/api/sessions/{id}/page", get(page::page))
        .route("/api/sessions/{id}/ask", post(sessions::ask))
        .route("/api/sessions/{id}/run", post(sessions::run))
        .route("/api/sessions/{id}/close", post(sessions::close))
        .route("/api/sessions/{id}/events", get(streams::events))
        .route("/api/sessions/{id}/changes", get(changes::changes))
        .route("/api/sessions/{id}/object", get(changes::object))
        .route("/api/sessions/{id}/timeline", get(changes::timeline))
        .route("/api/sessions/{id}/picture", get(picture::picture))
        .route("/api/sessions/{id}/terminals", post(terminals::open))
        .route("/api/sessions/{id}/terminals/{name}", get(terminals::socket))
        .route("/api/sessions/{id}/terminals/{name}", delete(terminals::close))
        .fallback(async || Failure::missing("page"))
        .method_not_allowed_fallback(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here")
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(state)
}

/// Lets a request in, or says why not. Before that nothing of it is looked at but its head.
pub(super) async fn entered<S>(state: &State, request: Request<Body>, mut router: S) -> Response
where
    S: Service<Request<Body>, Response = Response, Error = std::convert::Infallible>,
{
    let answer = match admitted(state, request).await {
        Ok(request) => match router.call(request).await {
            Ok(answer) => in_our_words(answer).await,
        },
        Err(Refused::Failure(failure)) => failure.into_response(),
        Err(Refused::Moved(to)) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response(),
    };
    with_headers(answer)
}

enum Refused {
    Failure(Failure),
    Moved(String),
}

impl<T: Into<Failure>> From<T> for Refused {
    fn from(failure: T) -> Self {
        Refused::Failure(failure.into())
    }
}

async fn admitted(state: &State, request: Request<Body>) -> Result<Request<Body>, Refused> {
    let (mut parts, body) = request.into_parts();
    match under(&state.base, parts.uri.path()) {
        Under::Path(path) => {
            let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            // The authority stays, which the gate looks at.
            let mut uri = std::mem::take(&mut parts.uri).into_parts();
            let moved = format!("{path}{query}").parse().map_err(|_| Failure::wrong("this is not a path"))?;
            uri.path_and_query = Some(moved);
            parts.uri = Uri::from_parts(uri).map_err(|_| Failure::wrong("this is not a path"))?;
        }
        Under::Moved => {
            // Relative, so that it holds whatever the proxy calls the place.
            let last = state.base.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            state.gate.enter(&parts, Place::Public)?;
            return Err(Refused::Moved(format!("./{last}/")));
        }
    }
    let place = Place::of(&parts.method, parts.uri.path());
    if let Some(access) = state.gate.enter(&parts, place)? {
        parts.extensions.insert(access);
    }
    let limited = Limited::new(body, LARGEST_BODY);
    if parts.method == http::Method::GET || parts.method == http::Method::HEAD {
        return Ok(Request::from_parts(parts, Body::new(limited.map_err(axum::Error::new))));
    }
    let body = match tokio::time::timeout(BODY, limited.collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => {
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the request is larger than 64 KiB").into());
        }
        Err(_) => return Err(Failure::new(StatusCode::REQUEST_TIMEOUT, "the request did not come within 10 s").into()),
    };
    Ok(Request::from_parts(parts, Body::from(body)))
}

enum Under {
    Path(String),
    /// The base path without its last slash: what the page names relatively would lie elsewhere.
    Moved,
}

/// A proxy may hand the base path on, or take it off.
fn under(base: &str, path: &str) -> Under {
    let prefix = base.trim_end_matches('/');
    match path.strip_prefix(prefix) {
        Some("") if !prefix.is_empty() => Under::Moved,
        Some(rest) if rest.starts_with('/') => Under::Path(rest.to_owned()),
        _ => Under::Path(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_may_be_there_or_not() {
        let path = |base: &str, path: &str| match under(base, path) {
            Under::Path(path) => path,
            Under::Moved => "moved".to_owned(),
        };
        assert_eq!(path("/", "/api/course"), "/api/course");
        assert_eq!(path("/user/ann/", "/user/ann/api/course"), "/api/course");
        assert_eq!(path("/user/ann/", "/api/course"), "/api/course");
        assert_eq!(path("/user/ann/", "/user/ann/"), "/");
        assert_eq!(path("/user/ann/", "/user/ann"), "moved");
        assert_eq!(path("/user/ann/", "/user/anna/"), "/user/anna/");
    }
}
