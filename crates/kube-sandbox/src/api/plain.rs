//! Paths that name no resource: health, version, discovery, `OpenAPI`, counters.

use std::fmt::Write as _;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::json;

use super::SharedApi;
use crate::status::ApiError;
use crate::version::{KUBERNETES_VERSION, go_arch};
use crate::{discovery, openapi};

pub(super) async fn answer(api: &SharedApi, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return ApiError::method_not_allowed().into_response();
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let query = uri.query().unwrap_or_default();
    let path = uri.path().trim_end_matches('/');
    let bare = path.trim_start_matches('/');
    let (root, rest) = bare.split_once('/').map_or((bare, None), |(root, rest)| (root, Some(rest)));
    if ["healthz", "livez", "readyz"].contains(&root) {
        return health(api, root, rest, query).await;
    }
    match path {
        "/version" => version(),
        "/metrics" => metrics(api).await,
        path if path.starts_with("/openapi/") => openapi::answer(&api.objects.registry.served(), path, accept),
        path => discovery::answer(&api.objects.registry.served(), &api.address, &paths, path, accept),
    }
}

/// What is looked at besides etcd is done before anything is served, so that it holds once there is an answer.
const DONE: [&str; 30] = [
    "start-apiserver-admission-initializer",
    "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer",
    "priority-and-fairness-filter",
    "storage-object-count-tracker-hook",
    "start-apiextensions-informers",
    "start-apiextensions-controllers",
    "crd-informer-synced",
    "start-system-namespaces-controller",
    "start-cluster-authentication-info-controller",
    "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector",
    "start-legacy-token-tracking-controller",
    "start-service-ip-repair-controllers",
    "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes",
    "priority-and-fairness-config-producer",
    "bootstrap-controller",
    "start-kubernetes-service-cidr-controller",
    "aggregator-reload-proxy-client-cert",
    "start-kube-aggregator-informers",
    "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller",
    "apiservice-registration-controller",
    "apiservice-wait-for-first-sync",
    "apiservice-discovery-controller",
    "kube-apiserver-autoregistration",
    "autoregister-completion",
    "apiservice-openapi-controller",
    "apiservice-openapiv3-controller",
];

/// The checks of one of the three, in the order in which they are told.
fn checks(name: &str) -> Vec<String> {
    let first: &[&str] = match name {
        "readyz" => &["ping", "log", "etcd", "etcd-readiness", "informer-sync"],
        "livez" => &["ping", "log", "loopback-serving-certificate", "etcd"],
        _ => &["ping", "log", "etcd"],
    };
    let hooks = DONE.iter().map(|hook| match *hook {
        "autoregister-completion" => (*hook).to_owned(),
        hook => format!("poststarthook/{hook}"),
    });
    let last = (name == "readyz").then(|| "shutdown".to_owned());
    first.iter().map(ToString::to_string).chain(hooks).chain(last).collect()
}

/// All checks, or the one that is asked for.
async fn health(api: &SharedApi, name: &str, one: Option<&str>, query: &str) -> Response {
    let pairs = || query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let verbose = pairs().any(|(key, _)| key == "verbose");
    let left_out: Vec<&str> = pairs().filter(|(key, _)| *key == "exclude").map(|(_, value)| value).collect();
    let mut all = checks(name);
    if let Some(one) = one {
        all.retain(|check| check == one);
        if all.is_empty() {
            return ApiError::no_path().into_response();
        }
    }
    let (mut lines, mut failed) = (String::new(), false);
    let answers = api.objects.store.get("/registry/health").await.is_ok();
    for check in all {
        let (mark, said) = if left_out.contains(&check.as_str()) {
            ("+", "excluded: ok")
        } else if answers || !check.starts_with("etcd") {
            ("+", "ok")
        } else {
            failed = true;
            ("-", "failed: reason withheld")
        };
        let _ = writeln!(lines, "[{mark}]{check} {said}");
    }
    match (failed, verbose) {
        (false, false) => text(StatusCode::OK, "ok".into()),
        (false, true) => text(StatusCode::OK, format!("{lines}{name} check passed\n")),
        (true, _) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{lines}{name} check failed\n")),
    }
}

/// All paths that answer, as `/` lists them.
fn paths() -> Vec<String> {
    let mut paths = ["/metrics", "/openapi/v2", "/openapi/v3", "/version"].map(str::to_owned).to_vec();
    for name in ["healthz", "livez", "readyz"] {
        paths.push(format!("/{name}"));
        paths.extend(checks(name).into_iter().map(|check| format!("/{name}/{check}")));
    }
    paths
}

/// The counters, and how many objects of each resource etcd holds, asked now.
async fn metrics(api: &SharedApi) -> Response {
    let mut lines = api.counters.text();
    lines.push_str(
        "# HELP apiserver_storage_objects Number of stored objects at the time of last check split by kind.\n# TYPE apiserver_storage_objects gauge\n",
    );
    let mut folders = std::collections::BTreeMap::new();
    for resource in
        api.objects.registry.served().all.iter().filter(|resource| resource.verbs.iter().any(|verb| verb == "list"))
    {
        let group = if resource.group.is_empty() { String::new() } else { format!(".{}", resource.group) };
        folders.entry(resource.folder.clone()).or_insert_with(|| format!("{}{group}", resource.plural));
    }
    for (folder, resource) in folders {
        if let Ok(count) = api.objects.store.count(&api.objects.store.key(&folder, None, None)).await {
            let _ = writeln!(lines, "apiserver_storage_objects{{resource=\"{resource}\"}} {count}");
        }
    }
    text(StatusCode::OK, lines)
}

fn version() -> Response {
    let mut parts = KUBERNETES_VERSION.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let older = minor.parse::<u32>().map_or_else(|_| String::new(), |minor| minor.saturating_sub(1).to_string());
    // Written out, since it is for people: in this order and in lines.
    let lines = [
        ("major", major),
        ("minor", minor),
        ("emulationMajor", major),
        ("emulationMinor", minor),
        ("minCompatibilityMajor", major),
        ("minCompatibilityMinor", older.as_str()),
        ("gitVersion", KUBERNETES_VERSION),
        ("gitCommit", ""),
        ("gitTreeState", "clean"),
        ("buildDate", "1970-01-01T00:00:00Z"),
        ("goVersion", ""),
        ("compiler", "rustc"),
        ("platform", &format!("{}/{}", std::env::consts::OS, go_arch())),
    ]
    .map(|(name, value)| format!("  {}: {}", json!(name), json!(value)));
    let json = HeaderValue::from_static("application/json");
    let mut response = text(StatusCode::OK, format!("{{\n{}\n}}", lines.join(",\n")));
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

fn text(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
