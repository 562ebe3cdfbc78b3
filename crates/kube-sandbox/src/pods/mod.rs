//! What can be done to a pod besides reading it: logs, exec, attach, port-forward. Only the control
//! plane's own pods have anything behind them; of the others is answered what their containers are known to do, and
//! where that is nothing, one clear sentence.

mod behind;
mod channels;
mod exec;
mod forward;
mod logs;
mod place;
mod played;
mod spdy;
mod typing;

use std::path::PathBuf;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::agent::Runs;
use crate::object::meta;
use crate::request::Call;
use crate::status::ApiError;
use behind::Served;
use channels::Channels;
use owned_processes::Guard;
use place::Place;

/// What stands behind the pods of the control plane.
#[derive(Debug, Clone)]
pub struct PodAccess {
    pub node: String,
    pub etcd: Option<EtcdPod>,
    /// Of whatever runs in the pods for a client.
    pub guard: Guard,
    /// What the other pods' containers are taken to do.
    pub runs: Runs,
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

impl EtcdPod {
    fn ports(&self) -> Ports {
        Ports { client: self.port, metrics: self.metrics }
    }
}

/// Where the ports of etcd's pod are on this machine.
#[derive(Debug, Clone, Copy)]
struct Ports {
    client: u16,
    metrics: Option<u16>,
}

impl Ports {
    /// Those that kubeadm gives etcd stand for the real ones, which may be named too.
    fn here(self, port: u16) -> Option<u16> {
        match port {
            2379 => Some(self.client),
            2381 => self.metrics,
            port => (port == self.client || Some(port) == self.metrics).then_some(port),
        }
    }
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
        "log" if call.method == Method::GET && matches!(behind, Behind::Nothing) => {
            let name = container(pod, call.query.get("container")).map_err(ApiError::bad_request)?;
            let place = Place::of(&access.runs, pod, &name, call.query.flag("previous"));
            played::log(place, no_container(subresource, meta::name(pod)), &call.query)
        }
        "log" if call.method == Method::GET => logs::serve(&behind, pod, &call.query).await,
        "exec" | "attach" => {
            let mut channels = upgraded(request).await?;
            let container = container(pod, call.query.get("container"));
            let asked = exec::Asked {
                command: call.query.all("command").map(str::to_owned).collect(),
                stdin: call.query.flag("stdin"),
                tty: call.query.flag("tty"),
            };
            let sentence = no_container(subresource, meta::name(pod));
            let etcd = match behind {
                Behind::Etcd(etcd) => Some(etcd.clone()),
                Behind::ControlPlane | Behind::Nothing => None,
            };
            let nothing = matches!(behind, Behind::Nothing);
            let place =
                container.as_ref().ok().filter(|_| nothing).map(|name| Place::of(&access.runs, pod, name, false));
            let attach = subresource == "attach";
            let guard = access.guard.clone();
            Ok(channels.answer(move |mut channels| async move {
                match (container, &place, attach, etcd) {
                    (Err(why), ..) => channels.to.fail("BadRequest", 400, &why).await,
                    (Ok(_), Some(place), true, _) => played::attach(&mut channels, place, &sentence, &asked).await,
                    (Ok(_), Some(place), false, _) => played::exec(&mut channels, place, &sentence, &asked).await,
                    (Ok(_), None, false, etcd) => exec::run(&mut channels, &guard, etcd.as_ref(), &asked).await,
                    (Ok(_), None, true, Some(etcd)) => logs::follow_into(&mut channels, &etcd.log).await,
                    (Ok(_), None, true, None) => channels.to.success().await,
                }
                channels.to.close().await;
            }))
        }
        "portforward" => match behind {
            Behind::Etcd(etcd) => port_forward(Served::Here(etcd.ports()), call, request).await,
            Behind::ControlPlane => Err(ApiError::bad_request(no_container(subresource, meta::name(pod)))),
            Behind::Nothing => match Served::by_pod(&access.runs, pod) {
                Some(served) => port_forward(served, call, request).await,
                None => Err(ApiError::bad_request(no_container(subresource, meta::name(pod)))),
            },
        },
        _ => Err(ApiError::bad_request(no_container(subresource, meta::name(pod)))),
    }
}

/// In the form that the client speaks: SPDY in a WebSocket (kubectl since 1.31), SPDY over the bare
/// connection (kubectl before), or channels of a WebSocket (other clients).
async fn port_forward(served: Served, call: &Call, request: Request<Body>) -> Result<Response, ApiError> {
    if call.header(&header::UPGRADE).eq_ignore_ascii_case("SPDY/3.1") {
        tokio::spawn(async move {
            if let Ok(connection) = hyper::upgrade::on(request).await {
                spdy::carry(spdy::Wire::bare(TokioIo::new(connection)), served).await;
            }
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        for (name, value) in
            [("connection", "Upgrade"), ("upgrade", "SPDY/3.1"), ("x-stream-protocol-version", spdy::PORT_FORWARD)]
        {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        return Ok(response);
    }
    let tunnel = call.header(&header::SEC_WEBSOCKET_PROTOCOL).contains(spdy::TUNNEL);
    let ports: Vec<u16> = call.query.all("ports").flat_map(|list| list.split(',')).flat_map(str::parse).collect();
    let Some(upgrade) = upgraded(request).await?.upgrade else { return Ok(Response::new(Body::empty())) };
    Ok(if tunnel {
        upgrade
            .protocols([spdy::TUNNEL])
            .on_upgrade(move |socket| async move { spdy::carry(spdy::Wire::websocket(socket), served).await })
    } else {
        upgrade
            .protocols(["v4.channel.k8s.io"])
            .on_upgrade(move |socket| async move { forward::carry(socket, &ports, served).await })
    })
}

fn no_container(what: &str, name: &str) -> String {
    format!(
        "{what} needs a container, and none runs behind pod \"{name}\": the sandbox keeps the state of pods and runs nothing in them; `--on kind` does"
    )
}

/// The container that is meant, or what is wrong with the name.
fn container(pod: &Value, wanted: Option<&str>) -> Result<String, String> {
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    let all = lists.iter().flat_map(|list| pod["spec"][*list].as_array().into_iter().flatten());
    let names: Vec<&str> = all.filter_map(|one| one["name"].as_str()).collect();
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
