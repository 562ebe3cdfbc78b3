//! What can be done to a pod besides reading it: logs, exec, attach, port-forward. Only the control
//! plane's own pods have anything behind them.

use axum::body::Body;
use axum::response::Response;
use http::Request;
use serde_json::Value;

use super::api::SharedApi;
use super::api::meta;
use super::api::request::Call;
use super::api::status::ApiError;

/// What stands behind the pods of the control plane.
#[derive(Debug, Clone, Default)]
pub struct PodAccess {}

pub async fn serve(
    _api: &SharedApi,
    subresource: &str,
    pod: &Value,
    _call: &Call,
    _request: Request<Body>,
) -> Result<Response, ApiError> {
    Err(no_container(subresource, meta::name(pod)))
}

fn no_container(what: &str, name: &str) -> ApiError {
    ApiError::bad_request(format!(
        "{what}: no container runs behind pod \"{name}\": the sandbox keeps its state only; take `--on kind` for pods that run"
    ))
}
