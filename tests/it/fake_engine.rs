//! A container engine that answers what a test says, for failures that a real one shows only on other machines.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

/// What the engine has and what it was told to do.
#[derive(Clone, Default)]
pub(crate) struct Engine {
    pub(crate) version: String,
    pub(crate) images: Vec<String>,
    /// What each pull's stream says, one after another; the last of them again and again.
    pub(crate) pulls: Vec<String>,
    /// Containers with kind's label, and what they wrote; kind's load balancer has ended, all others run.
    pub(crate) nodes: HashMap<String, String>,
    /// A kind cluster of one node that was there before.
    pub(crate) cluster: Option<String>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Engine {
    pub(crate) fn new() -> Self {
        Self { version: "28.3.0".to_owned(), ..Self::default() }
    }

    /// Serves on a socket in the folder until the test ends.
    pub(crate) fn serve(&self, dir: &Path) -> PathBuf {
        let socket = dir.join("docker.sock");
        let listener = std::os::unix::net::UnixListener::bind(&socket).expect("the socket binds");
        listener.set_nonblocking(true).expect("non-blocking");
        let router = Router::new().fallback(answer).with_state(self.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).expect("a listener");
                axum::serve(listener, router).await.expect("it serves");
            });
        });
        socket
    }

    /// The stream of the last pull.
    fn pulled(&self) -> Option<&String> {
        let count = self.changes().iter().filter(|call| call.ends_with("/images/create")).count();
        self.pulls.get(count.checked_sub(1)?).or(self.pulls.last())
    }

    /// `METHOD /path` of every call that changes something.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.calls.lock().expect("the calls").iter().filter(|call| !call.starts_with("GET")).cloned().collect()
    }
}

async fn answer(State(engine): State<Engine>, request: Request) -> Response {
    let path = request.uri().path();
    // The API's version stands before every path.
    let path = path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/')).map_or(path, |(_, rest)| rest);
    let path = path.trim_start_matches('/').to_owned();
    engine.calls.lock().expect("the calls").push(format!("{} /{path}", request.method()));
    let missing = || (http::StatusCode::NOT_FOUND, Json(json!({"message": "no such thing"}))).into_response();
    if let Some(image) = path.strip_prefix("images/").and_then(|rest| rest.strip_suffix("/json")) {
        let pulled = engine.pulled().is_some_and(|stream| stream.contains("Status: Downloaded"));
        return if pulled || engine.images.iter().any(|one| one == image) {
            Json(json!({"Id": "sha256:0"})).into_response()
        } else {
            missing()
        };
    }
    if let Some(name) = path.strip_prefix("containers/").and_then(|rest| rest.strip_suffix("/logs")) {
        return engine.nodes.get(name).cloned().map_or_else(missing, |log| raw_log(&log).into_response());
    }
    let body: Value = match path.as_str() {
        "version" => json!({"Version": engine.version, "ApiVersion": "1.51", "MinAPIVersion": "1.24"}),
        "info" => json!({"CgroupVersion": "2", "SecurityOptions": []}),
        "images/create" => return engine.pulled().cloned().unwrap_or_default().into_response(),
        "images/json" | "networks" => json!([]),
        "containers/json" if engine.cluster.is_some() => {
            let name = engine.cluster.as_deref().unwrap_or_default();
            json!([{"Id": "1", "Names": [format!("/{name}-control-plane")], "State": "running", "Labels":
                {"io.x-k8s.kind.role": "control-plane", "io.x-k8s.kind.cluster": name}}])
        }
        // There are nodes only once a network was made for them.
        "containers/json" if engine.changes().is_empty() => json!([]),
        "containers/json" => engine
            .nodes
            .keys()
            .map(|name| {
                let balancer = name.ends_with("external-load-balancer");
                let (role, state) =
                    if balancer { ("external-load-balancer", "exited") } else { ("control-plane", "running") };
                json!({"Id": name, "Names": [format!("/{name}")], "State": state,
                       "Labels": {"io.x-k8s.kind.role": role}})
            })
            .collect(),
        "networks/create" => json!({"Id": "1", "Warning": ""}),
        "volumes" => json!({"Volumes": [], "Warnings": []}),
        _ if request.method() == http::Method::DELETE => return http::StatusCode::NO_CONTENT.into_response(),
        _ => return missing(),
    };
    Json(body).into_response()
}

/// As the engine frames a log: the stream's number, three zeros, a length.
fn raw_log(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a short log").to_be_bytes();
    [&[1, 0, 0, 0][..], &length, text.as_bytes()].concat()
}
