//! The listener: which names it answers to, how many may come at once, how long they may take, and its end.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::course::Library;
use super::gate::Gate;
use super::hosted_sessions::HostedSessions;
use super::routes;
use super::secret::Secret;
use super::stall::Unstalled;

/// Connections at once; others wait until one ends.
const CONNECTIONS: usize = 512;
/// Sockets without the secret at once.
const UNKNOWN: usize = 32;
/// By when a request's line and headers are there, and the next request's after the one before.
const HEADERS: Duration = Duration::from_secs(30);
/// A request's line and headers.
const LARGEST_HEAD: usize = 32 << 10;
/// What is sent is read by then, or whoever asked is gone.
const UNREAD: Duration = Duration::from_secs(60);
/// What is under way when the server ends has so long to be answered.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

pub struct Settings {
    pub listen: SocketAddr,
    /// Where the page lies under a proxy: `/` or `/user/ann/`.
    pub base: String,
    /// Further names for the server in `Host` headers.
    pub hosts: Vec<String>,
    /// Further origins from which pages may ask: `https://hub.example.org`.
    pub origins: Vec<String>,
    pub secret: Secret,
    /// That of a link that only looks on.
    pub present: Option<Secret>,
    pub library: Arc<dyn Library>,
    /// This very program, which the word `lab` starts.
    pub program: PathBuf,
    /// A session without a page is left after so long.
    pub idle: Duration,
}

/// A server that has its port.
pub struct Server {
    listener: TcpListener,
    state: Arc<State>,
    cancel: CancellationToken,
}

/// What every request finds.
pub(super) struct State {
    pub(super) gate: Gate,
    pub(super) base: String,
    /// The link that looks on, without its base.
    pub(super) links: Vec<String>,
    pub(super) hosted: HostedSessions,
    /// Places for sockets that have not shown the secret yet.
    pub(super) unknown: Arc<Semaphore>,
}

impl Server {
    /// `cancel` ends it: sessions are left then, and can be resumed.
    pub async fn bind(settings: Settings, cancel: CancellationToken) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let mut hosts: BTreeSet<String> = settings.hosts.iter().cloned().collect();
        let mut origins: BTreeSet<String> = settings.origins.iter().cloned().collect();
        for name in own_names(address) {
            origins.insert(format!("http://{name}"));
            hosts.insert(name);
        }
        let named = settings.origins.iter().filter_map(|origin| origin.split_once("://"));
        hosts.extend(named.map(|(_, name)| name.to_owned()));
        // Those that are named are those under which it is reached.
        let links = match settings.origins.as_slice() {
            [] => vec![format!("http://{}", own_names(address).first().cloned().unwrap_or_default())],
            origins => origins.to_vec(),
        };
        let hosted = HostedSessions::new(settings.library, settings.program, settings.idle, cancel.clone());
        let gate = Gate { hosts, origins, full: settings.secret, present: settings.present };
        Ok(Self {
            listener,
            state: Arc::new(State {
                gate,
                base: settings.base,
                links,
                hosted,
                unknown: Arc::new(Semaphore::new(UNKNOWN)),
            }),
            cancel,
        })
    }

    /// The port that it has.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Under which it is opened, without a secret.
    pub fn links(&self) -> Vec<String> {
        self.state.links.iter().map(|link| format!("{link}{}", self.state.base)).collect()
    }

    /// Serves until it is asked to end; what could not be cleaned up then, for a person.
    pub async fn run(self) -> Vec<String> {
        let router = routes::router(Arc::clone(&self.state));
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = tokio::task::JoinSet::new();
        let tending = tokio::spawn(tend(Arc::clone(&self.state), self.cancel.clone()));
        loop {
            let place = tokio::select! {
                place = Arc::clone(&places).acquire_owned() => place,
                () = self.cancel.cancelled() => break,
            };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = self.cancel.cancelled() => break,
            };
            while connections.try_join_next().is_some() {}
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(%error, "connection not accepted");
                    // Too many open files, most likely; others will close theirs.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (router, state, cancel) = (router.clone(), Arc::clone(&self.state), self.cancel.clone());
            connections.spawn(async move {
                connection(stream, router, state, cancel).await;
                drop(place);
            });
        }
        drop(self.listener);
        tending.abort();
        let left = self.state.hosted.leave_all().await;
        // Answers that say so are on their way.
        drop(tokio::time::timeout(LAST_ANSWERS, async { while connections.join_next().await.is_some() {} }).await);
        connections.abort_all();
        left
    }
}

/// Sessions that nobody looks at are left.
async fn tend(state: Arc<State>, cancel: CancellationToken) {
    let mut every = tokio::time::interval(state.hosted.look_every());
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => state.hosted.leave_idle().await,
            () = cancel.cancelled() => return,
        }
    }
}

/// The names by which a browser of this machine reaches it. One that listens elsewhere too is named by --host.
fn own_names(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        let mut names = vec![format!("127.0.0.1:{port}"), format!("[::1]:{port}"), format!("localhost:{port}")];
        if address.is_ipv6() {
            names.swap(0, 1);
        }
        return names;
    }
    vec![address.to_string()]
}

async fn connection(stream: TcpStream, router: axum::Router, state: Arc<State>, cancel: CancellationToken) {
    // Each key that is typed is a packet of its own.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let (router, state) = (router.clone(), Arc::clone(&state));
        async move {
            let request = request.map(Body::new);
            let answer =
                routes::entered(&state, request, router.into_service::<Body>().map_err(|never| match never {})).await;
            Ok::<_, Infallible>(answer)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(LARGEST_HEAD);
    let mut serving =
        pin!(builder.serve_connection(TokioIo::new(Unstalled::new(stream, UNREAD)), service).with_upgrades());
    tokio::select! {
        served = serving.as_mut() => return log_end(served),
        () = cancel.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    log_end(serving.await);
}

/// A client that goes away is no news.
fn log_end(served: Result<(), hyper::Error>) {
    if let Err(error) = served {
        debug!(%error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_loopback_is_reached_by_its_three_names_only() {
        let names = own_names("127.0.0.1:80".parse().expect("an address"));
        assert_eq!(names, ["127.0.0.1:80", "[::1]:80", "localhost:80"]);
        assert_eq!(own_names("[::1]:80".parse().expect("an address"))[0], "[::1]:80");
        assert_eq!(own_names("192.0.2.7:80".parse().expect("an address")), ["192.0.2.7:80"]);
    }
}
