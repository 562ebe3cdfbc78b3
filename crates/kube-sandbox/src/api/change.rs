//! create, update and patch, of an object or of a part of it: the body read, the object written, the answer.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request, StatusCode};
use serde_json::Value;

use super::write::Write;
use super::{SharedApi, answer, body};
use crate::request::Call;
use crate::resource::Resource;
use crate::status::ApiError;

pub(super) async fn serve(
    api: &SharedApi,
    resource: &Arc<Resource>,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    if call.method == Method::PATCH {
        let content = body::media_type(&request);
        let body = body::bytes(api, request).await?;
        let mut write = Write::new(api, resource, call)?;
        let (patched, code) = write.patch(&content, &body).await?;
        return Ok(shown(&write, call, code, patched));
    }
    let given = body::object(api, resource, request).await?;
    let mut write = Write::new(api, resource, call)?;
    write.duplicates = given.duplicates;
    let (written, code) = match call.method {
        Method::POST => (write.create(given.value).await?, StatusCode::CREATED),
        _ => write.replace(given.value).await?,
    };
    Ok(shown(&write, call, code, written))
}

/// What was written, with the warnings that came up.
pub(super) fn shown(write: &Write, call: &Call, code: StatusCode, object: Value) -> Response {
    answer::warned(answer::shown(&write.resource, call, code, object), &write.warnings)
}
