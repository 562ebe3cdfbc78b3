//! Answers: JSON, refusals in words, and the headers that every one of them carries.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use super::course::Refusal;
use super::gate::Denied;

/// The page's own scripts and styles, and nothing else: none that stands in the page's text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
    font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Of a refusal.
const LONGEST_REASON: usize = 4 << 10;

/// Tells the page that an answer is ours and not a proxy's.
const OURS: HeaderName = HeaderName::from_static("x-keywitness");

static HEADERS: [(HeaderName, &str); 7] = [
    (OURS, "1"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// What axum refuses by itself (a query that lacks a part, a socket that is none), in the form of our own refusals.
pub(super) async fn in_our_words(answer: Response) -> Response {
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !answer.status().is_client_error() || !kind.starts_with("text/plain") {
        return answer;
    }
    let status = answer.status();
    let text = axum::body::to_bytes(answer.into_body(), LONGEST_REASON).await.unwrap_or_default();
    Failure::new(status, String::from_utf8_lossy(&text)).into_response()
}

/// What the handler has set stays.
pub(super) fn with_headers(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    let set =
        HEADERS.iter().cloned().chain([(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")]);
    for (name, value) in set {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    answer
}

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    refusal: Refusal,
}

impl Failure {
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, refusal: Refusal { reason: reason.into(), hint: None } }
    }

    pub(super) fn reason(&self) -> &str {
        &self.refusal.reason
    }

    pub(super) fn wrong(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub(super) fn missing(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    /// The session has ended, or was not begun.
    pub(super) fn gone() -> Self {
        Self {
            status: StatusCode::GONE,
            refusal: Refusal::new("this session has ended", "open the lab again to go on where it was left"),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { status: StatusCode::CONFLICT, refusal }
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        Self::new(denied.status(), denied.reason())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(self.refusal)).into_response()
    }
}

pub(super) type Answered<T = Response> = Result<T, Failure>;

pub(super) fn done() -> Response {
    answer(&json!({}))
}

pub(super) fn answer(value: &impl Serialize) -> Response {
    Json(value).into_response()
}
