//! The port that a kube-apiserver calls for exec, attach, logs and port-forward of a node's pods.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::Request;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::error::SandboxError;
use crate::pki::Pki;
use crate::pods::{self, PodAccess};
use crate::request::{Call, Query, ResourcePath};
use crate::serve;
use crate::status::ApiError;
use crate::user::User;

/// Nobody else is let in: what a user may do is the API's to say.
const THE_API: &str = "kube-apiserver-kubelet-client";

pub struct Kubelet {
    pub port: u16,
    task: JoinHandle<()>,
}

struct Node {
    pods: PodAccess,
    client: kube::Client,
}

impl Kubelet {
    pub async fn start(pki: &Pki, pods: PodAccess, client: kube::Client) -> Result<Self, SandboxError> {
        let (listener, address) = serve::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let acceptor = serve::acceptor(pki)?;
        let router = Router::new()
            .route("/exec/{namespace}/{pod}/{container}", any(exec))
            .route("/attach/{namespace}/{pod}/{container}", any(attach))
            .route("/containerLogs/{namespace}/{pod}/{container}", any(logs))
            .route("/portForward/{namespace}/{pod}", any(forward))
            .with_state(Arc::new(Node { pods, client }));
        let task = tokio::spawn(serve::run(listener, acceptor, router, None));
        Ok(Self { port: address.port(), task })
    }

    pub fn stop(&self) {
        self.task.abort();
    }
}

type Place = Path<(String, String, String)>;

async fn exec(node: State<Arc<Node>>, place: Place, request: Request<Body>) -> Response {
    let Path((namespace, pod, container)) = place;
    node.answer("exec", &namespace, &pod, Some(container), request).await
}

async fn attach(node: State<Arc<Node>>, place: Place, request: Request<Body>) -> Response {
    let Path((namespace, pod, container)) = place;
    node.answer("attach", &namespace, &pod, Some(container), request).await
}

async fn logs(node: State<Arc<Node>>, place: Place, request: Request<Body>) -> Response {
    let Path((namespace, pod, container)) = place;
    node.answer("log", &namespace, &pod, Some(container), request).await
}

async fn forward(node: State<Arc<Node>>, place: Path<(String, String)>, request: Request<Body>) -> Response {
    let Path((namespace, pod)) = place;
    node.answer("portforward", &namespace, &pod, None, request).await
}

/// What the API calls `stdin` and `ports`, a kubelet calls `input` and `port`.
fn as_asked_of_the_api(query: &Query, container: Option<String>) -> Query {
    let renamed = query.pairs().map(|(name, value)| {
        let name = match name {
            "input" => "stdin",
            "output" => "stdout",
            "error" => "stderr",
            "port" => "ports",
            other => other,
        };
        (name.to_owned(), value.to_owned())
    });
    renamed.chain(container.map(|container| ("container".to_owned(), container))).collect()
}

impl Node {
    async fn answer(
        &self,
        what: &str,
        namespace: &str,
        pod: &str,
        container: Option<String>,
        request: Request<Body>,
    ) -> Response {
        let Some(user) = request.extensions().get::<User>().filter(|user| user.name == THE_API).cloned() else {
            return ApiError::unauthorized().into_response();
        };
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}");
        let found = match Request::get(path).body(Vec::new()) {
            Ok(get) => self.client.request::<Value>(get).await,
            Err(error) => return ApiError::internal(error).into_response(),
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => return ApiError::internal(error).into_response(),
        };
        let call = Call {
            method: request.method().clone(),
            path: ResourcePath::default(),
            query: as_asked_of_the_api(&Query::of(request.uri()), container),
            headers: request.headers().clone(),
            user,
        };
        pods::serve(&self.pods, what, &found, &call, request).await.unwrap_or_else(IntoResponse::into_response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelets_words_become_the_apis() {
        let asked: http::Uri = "/exec/a/b/c?command=sh&command=-c&input=1&output=1&tty=1".parse().expect("a path");
        let query = as_asked_of_the_api(&Query::of(&asked), Some("etcd".into()));
        assert!(query.flag("stdin") && query.flag("stdout") && query.flag("tty") && !query.flag("stderr"));
        assert_eq!(query.all("command").collect::<Vec<_>>(), ["sh", "-c"]);
        assert_eq!(query.get("container"), Some("etcd"));
    }
}
