//! What stands behind a port that is forwarded: a real process of the control plane, or what a well-known server of a
//! pod would answer over HTTP.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::Ports;
use super::place::{Place, now};
use crate::agent::shell::Asks;

/// Bytes to and from a port.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

#[derive(Debug, Clone)]
pub(super) enum Served {
    Here(Ports),
    Played(Vec<Place>, Value),
}

impl Served {
    /// `None` where nothing is known of what a container of the pod would say.
    pub(super) fn by_pod(runs: &crate::agent::Runs, pod: &Value) -> Option<Self> {
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        let places: Vec<Place> = containers
            .map(|container| Place::of(runs, pod, container["name"].as_str().unwrap_or_default(), false))
            .collect();
        places.iter().any(Place::says_pages).then(|| Self::Played(places, pod.clone()))
    }

    pub(super) async fn connect(&self, port: u16) -> Result<Box<dyn Stream>, String> {
        let refused = || format!("failed to connect to localhost:{port} inside the pod: connection refused");
        match self {
            Self::Here(ports) => {
                let here = ports.here(port).ok_or_else(refused)?;
                let stream = TcpStream::connect(("127.0.0.1", here)).await.map_err(|error| error.to_string())?;
                Ok(Box::new(stream))
            }
            Self::Played(places, pod) => {
                let listens = |place: &&Place| place.listens(i64::from(port));
                let place = places.iter().find(listens).cloned().ok_or_else(refused)?;
                let pod = pod.clone();
                let (near, far) = tokio::io::duplex(64 << 10);
                tokio::spawn(async move {
                    let answer = service_fn(|request: Request<Incoming>| {
                        let page = page(&place, &pod, &request);
                        async move { Ok::<_, Infallible>(page) }
                    });
                    // A client that goes away in the middle is nobody's fault.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .title_case_headers(true)
                        .serve_connection(TokioIo::new(far), answer)
                        .await;
                });
                Ok(Box::new(near))
            }
        }
    }
}

fn page(place: &Place, pod: &Value, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("-");
    let asks = Asks { method: request.method().as_str(), path, agent };
    let Some(page) = place.page(&asks, pod, now()) else {
        let words = "simulated: nothing runs here; what answers this is not known\n";
        let mut response = Response::new(Full::new(Bytes::from(words)));
        *response.status_mut() = http::StatusCode::NOT_IMPLEMENTED;
        return response;
    };
    let mut response = Response::builder().status(page.status);
    if let Some(server) = &page.server {
        response = response.header(header::SERVER, server);
    }
    response.header(header::CONTENT_TYPE, page.kind).body(Full::new(Bytes::from(page.body))).unwrap_or_default()
}
