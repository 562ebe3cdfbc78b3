//! Paths that name no resource: health, version, discovery, `OpenAPI`, counters.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::json;

use super::SharedApi;
use super::status::{ApiError, json_response};
use crate::sandbox::{KUBERNETES_VERSION, discovery, openapi};

pub(super) async fn answer(api: &SharedApi, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return ApiError::method_not_allowed().into_response();
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let query = uri.query().unwrap_or_default();
    let verbose = query.contains("verbose");
    match uri.path().trim_end_matches('/') {
        "/healthz" | "/livez" | "/readyz" => health(api, uri.path().trim_matches('/'), verbose).await,
        "/version" => version(),
        "/metrics" => metrics(api).await,
        path if path.starts_with("/openapi/") => openapi::answer(api, path, query, accept),
        path => discovery::answer(api, path, accept),
    }
}

async fn health(api: &SharedApi, name: &str, verbose: bool) -> Response {
    let etcd = api.store.get("/registry/health").await;
    let mut lines = String::from("[+]ping ok\n");
    match &etcd {
        Ok(_) => lines.push_str("[+]etcd ok\n"),
        Err(_) => lines.push_str("[-]etcd failed: reason withheld\n"),
    }
    match (etcd, verbose) {
        (Ok(_), false) => text(StatusCode::OK, "ok".into()),
        (Ok(_), true) => text(StatusCode::OK, format!("{lines}{name} check passed\n")),
        (Err(_), _) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{lines}{name} check failed\n")),
    }
}

/// The counters, and how many objects of each resource etcd holds, asked now.
async fn metrics(api: &SharedApi) -> Response {
    use std::fmt::Write;

    let mut lines = api.counters.text();
    lines.push_str(
        "# HELP apiserver_storage_objects Number of stored objects at the time of last check split by kind.\n# TYPE apiserver_storage_objects gauge\n",
    );
    let mut folders = std::collections::BTreeMap::new();
    for resource in api.registry.served().all.iter().filter(|resource| resource.verbs.iter().any(|verb| verb == "list"))
    {
        let group = if resource.group.is_empty() { String::new() } else { format!(".{}", resource.group) };
        folders.entry(resource.folder.clone()).or_insert_with(|| format!("{}{group}", resource.plural));
    }
    for (folder, resource) in folders {
        if let Ok(count) = api.store.count(&api.store.key(&folder, None, None)).await {
            let _ = writeln!(lines, "apiserver_storage_objects{{resource=\"{resource}\"}} {count}");
        }
    }
    text(StatusCode::OK, lines)
}

fn version() -> Response {
    let mut parts = KUBERNETES_VERSION.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let older = minor.parse::<u32>().map_or_else(|_| String::new(), |minor| minor.saturating_sub(1).to_string());
    let mut response = json_response(
        StatusCode::OK,
        &json!({
            "major": major,
            "minor": minor,
            "emulationMajor": major,
            "emulationMinor": minor,
            "minCompatibilityMajor": major,
            "minCompatibilityMinor": older,
            "gitVersion": KUBERNETES_VERSION,
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "rustc",
            "platform": format!("{}/{}", std::env::consts::OS, go_arch()),
        }),
    );
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// The machine's architecture as Go names it.
pub fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn text(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
