//! What can be done to a pod besides reading it: logs, exec, attach, port-forward. Only the control
//! plane's own pods have anything behind them; the others are told apart by one clear sentence.

mod channels;
mod exec;
mod forward;
mod logs;

use std::path::PathBuf;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use http::{Method, Request, header};
use serde_json::Value;

use super::api::meta;
use super::api::request::Call;
use super::api::status::ApiError;
use channels::Channels;

/// What stands behind the pods of the control plane.
#[derive(Debug, Clone)]
pub struct PodAccess {
    pub node: String,
    pub etcd: Option<EtcdPod>,
}

/// The etcd pod's real process, and where its paths really lie.
#[derive(Debug, Clone)]
pub struct EtcdPod {
    pub pki: PathBuf,
    pub data: PathBuf,
    pub log: PathBuf,
    pub port: u16,
    /// Where it tells its counters without asking for a certificate.
    pub metrics: Option<u16>,
}

/// What a pod turns out to be.
enum Behind<'a> {
    Etcd(&'a EtcdPod),
    /// Another part of the control plane: in this process, without a program of its own.
    ControlPlane,
    Nothing,
}

impl PodAccess {
    fn behind(&self, pod: &Value) -> Behind<'_> {
        let component = pod.pointer("/metadata/labels/component").and_then(Value::as_str).unwrap_or_default();
        let own = meta::namespace(pod) == "kube-system" && meta::name(pod) == format!("{component}-{}", self.node);
        match (own, component, &self.etcd) {
            (true, "etcd", Some(etcd)) => Behind::Etcd(etcd),
            (true, _, _) => Behind::ControlPlane,
            _ => Behind::Nothing,
        }
    }
}

pub async fn serve(
    access: &PodAccess,
    subresource: &str,
    pod: &Value,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let behind = access.behind(pod);
    match subresource {
        "log" if call.method == Method::GET => logs::serve(&behind, pod, &call.query).await,
        "exec" | "attach" => {
            let mut channels = upgraded(request).await?;
            let container = container(pod, call.query.get("container"));
            let command: Vec<String> = call.query.all("command").map(str::to_owned).collect();
            let (stdin, tty) = (call.query.flag("stdin"), call.query.flag("tty"));
            let sentence = no_container(subresource, meta::name(pod));
            let etcd = match behind {
                Behind::Etcd(etcd) => Some(etcd.clone()),
                Behind::ControlPlane | Behind::Nothing => None,
            };
            let nothing = matches!(behind, Behind::Nothing);
            let attach = subresource == "attach";
            Ok(channels.answer(move |mut channels| async move {
                match (container, attach, etcd) {
                    (Err(why), _, _) => channels.fail("BadRequest", 400, &why).await,
                    _ if nothing => channels.fail("BadRequest", 400, &sentence).await,
                    (Ok(_), false, etcd) => exec::run(&mut channels, etcd.as_ref(), &command, stdin, tty).await,
                    (Ok(_), true, Some(etcd)) => logs::follow_into(&mut channels, &etcd.log).await,
                    (Ok(_), true, None) => channels.success().await,
                }
                channels.close().await;
            }))
        }
        "portforward" => match behind {
            Behind::Etcd(etcd) => {
                let ports: Vec<u16> =
                    call.query.all("ports").flat_map(|list| list.split(',')).flat_map(str::parse).collect();
                let served = [Some(etcd.port), etcd.metrics];
                let upgrade = upgraded(request).await?.upgrade;
                Ok(upgrade.map_or_else(
                    || Response::new(Body::empty()),
                    |upgrade| {
                        let upgrade = upgrade.protocols(["v4.channel.k8s.io"]);
                        upgrade.on_upgrade(move |socket| async move { forward::carry(socket, &ports, &served).await })
                    },
                ))
            }
            Behind::ControlPlane | Behind::Nothing => {
                Err(ApiError::bad_request(no_container(subresource, meta::name(pod))))
            }
        },
        _ => Err(ApiError::bad_request(no_container(subresource, meta::name(pod)))),
    }
}

fn no_container(what: &str, name: &str) -> String {
    format!(
        "{what} needs a container, and none runs behind pod \"{name}\": the sandbox keeps the state of pods and runs nothing in them; `--on kind` does"
    )
}

/// The container that is meant, or what is wrong with the name.
fn container(pod: &Value, wanted: Option<&str>) -> Result<String, String> {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let names: Vec<&str> = containers.into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    match wanted {
        None => Ok(names.first().copied().unwrap_or_default().to_owned()),
        Some(wanted) if names.contains(&wanted) => Ok(wanted.to_owned()),
        Some(wanted) => Err(format!("container {wanted} is not valid for pod {}", meta::name(pod))),
    }
}

async fn upgraded(request: Request<Body>) -> Result<Upgraded, ApiError> {
    let (mut parts, _) = request.into_parts();
    let wanted = parts.headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    let close_signals = wanted.is_some_and(|wanted| wanted.contains("v5.channel.k8s.io"));
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await.map_err(|error| {
        ApiError::bad_request(format!(
            "unable to upgrade: this needs a WebSocket, which kubectl 1.31 and later use: {error}"
        ))
    })?;
    Ok(Upgraded { upgrade: Some(upgrade), close_signals })
}

struct Upgraded {
    upgrade: Option<WebSocketUpgrade>,
    close_signals: bool,
}

impl Upgraded {
    fn answer<F, W>(&mut self, work: F) -> Response
    where
        F: FnOnce(Channels) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let close_signals = self.close_signals;
        match self.upgrade.take() {
            Some(upgrade) => upgrade
                .protocols(["v5.channel.k8s.io", "v4.channel.k8s.io"])
                .on_upgrade(move |socket| work(Channels::new(socket, close_signals))),
            None => Response::new(Body::empty()),
        }
    }
}
