//! OpenAPI v3 (and what little of v2 clients still ask for), by which kubectl validates and explains.

use axum::response::{IntoResponse, Response};

use super::api::SharedApi;
use super::api::status::ApiError;

pub fn answer(_api: &SharedApi, _path: &str, _query: &str, _accept: &str) -> Response {
    ApiError::no_path().into_response()
}
