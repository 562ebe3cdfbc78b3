//! Kubernetes' `Status`: every failure in its own words, with the reason and details that clients act on.

use std::collections::HashSet;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::object::field_error::FieldError;
use crate::resource::Resource;
use crate::store::StoreError;
use kube_etcd_codec::Ordered;

const NO_PATH: &str = "";

/// A failed request.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub details: Value,
}

impl ApiError {
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null }
    }

    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", resource.qualified()))
            .with_details(resource.details(name))
    }

    /// No such path.
    /// What is not served at all is no Status on a real cluster either: clients put it into words of their own.
    pub fn no_path() -> Self {
        Self::new(404, NO_PATH, "404 page not found")
    }

    /// The resource is there, but has no such part.
    pub fn no_subresource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").with_details(json!({}))
    }

    /// What went wrong in a place that has no words for clients.
    pub fn plain(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", resource.qualified()))
            .with_details(resource.details(name))
    }

    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        Self::new(409, "Conflict", message).with_details(resource.details(name))
    }

    pub fn modified(resource: &Resource, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let quoted = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        Self::new(403, "Forbidden", format!("{}{quoted} is forbidden: {why}", resource.qualified()))
            .with_details(resource.details(name))
    }

    pub fn invalid(resource: &Resource, name: &str, errors: &[FieldError]) -> Self {
        let mut details = resource.details(name);
        details["kind"] = json!(resource.kind);
        Self::invalid_fields(&resource.qualified_kind(), name, details, errors)
    }

    /// Options that no request can have.
    pub fn invalid_options(kind: &str, errors: &[FieldError]) -> Self {
        let details = json!({"group": "meta.k8s.io", "kind": kind});
        Self::invalid_fields(&format!("{kind}.meta.k8s.io"), "", details, errors)
    }

    fn invalid_fields(kind: &str, name: &str, mut details: Value, errors: &[FieldError]) -> Self {
        // Told once, though it may be found twice; there may be very many.
        let mut seen = HashSet::new();
        let list: Vec<String> =
            errors.iter().map(ToString::to_string).filter(|said| seen.insert(said.clone())).collect();
        let said = match &list[..] {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let causes: Vec<Value> = errors
            .iter()
            .map(|error| json!({"reason": error.kind.reason(), "message": error.message(), "field": error.field}))
            .collect();
        details["causes"] = json!(causes);
        Self::new(422, "Invalid", format!("{kind} \"{name}\" is invalid: {said}")).with_details(details)
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with_details(json!({}))
    }

    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub fn unsupported_media_type(accepted: &str) -> Self {
        let why = "the body of the request was in an unknown format - accepted media types include:";
        Self::new(415, "UnsupportedMediaType", format!("{why} {accepted}"))
    }

    pub fn internal(message: impl std::fmt::Display) -> Self {
        let message = message.to_string();
        Self::new(500, "InternalError", format!("Internal error occurred: {message}"))
            .with_details(json!({"causes": [{"message": message}]}))
    }

    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Compacted => Self::expired("The resourceVersion for the provided watch is too old."),
            StoreError::Future => Self::new(504, "Timeout", "Too large resource version").with_details(json!({
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            })),
            // kube-apiserver hands on etcd's own words, without a reason.
            StoreError::TooLarge => Self::plain("etcdserver: request is too large"),
            StoreError::TooLong => Self::internal(error),
            StoreError::Etcd(why) => Self::internal(format!("etcdserver: {why}")),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.reason == NO_PATH && self.code == 404 {
            let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            return (StatusCode::NOT_FOUND, plain, format!("{}\n", self.message)).into_response();
        }
        json_response(StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &self.to_status())
    }
}

/// `value` and a line end, as kube-apiserver sends JSON.
pub fn json_response(status: StatusCode, value: &Value) -> Response {
    json_text(status, serde_json::to_vec(&Ordered(value)).unwrap_or_default())
}

/// An object that is JSON already.
pub fn json_text(status: StatusCode, mut text: Vec<u8>) -> Response {
    text.push(b'\n');
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The answer to a deletion that left nothing.
pub fn success(resource: &Resource, name: &str, uid: &Value) -> Value {
    let mut details = resource.details(name);
    if !uid.is_null() {
        details["uid"] = uid.clone();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
