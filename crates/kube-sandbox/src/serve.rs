//! The HTTPS listener: loopback unless told otherwise, and nobody without a certificate or a token. A connection is
//! bounded in what it may send and in how long it may say nothing.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use http::{HeaderValue, Request, header};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::{Instrument, Span, debug, warn};

use leftover::Whole;

use crate::api::SharedApi;
use crate::error::SandboxError;
use crate::identity::{Bearer, bearer_of};
use crate::object::meta;
use crate::pki::Pki;
use crate::request::is_long_running;
use crate::status::ApiError;
use crate::user::User;
use kube_etcd_codec::names;

mod leftover;

/// What a client may take, and for how long.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Others wait until one ends.
    connections: usize,
    handshake: Duration,
    headers: Duration,
    /// After which a connection without a request is closed, as kube-apiserver closes it.
    idle: Duration,
    /// By when an answer has to be read, unless it goes on for ever by its nature.
    read: Duration,
    look_every: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            // Half of the files that a process may have open by most systems' default.
            connections: 512,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(30),
            idle: Duration::from_secs(90),
            read: Duration::from_secs(120),
            look_every: Duration::from_secs(5),
        }
    }
}

/// A request's line and headers, over HTTP/1.
const LARGEST_HEAD: usize = 128 << 10;
/// Of what is sent and not yet read by the client, a stream.
const UNSENT: usize = 32 << 10;
/// Of what is received and not yet read by a handler, a connection.
const UNREAD: u32 = 256 << 10;

pub(super) fn acceptor(pki: &Pki) -> Result<TlsAcceptor, SandboxError> {
    let bad = |what: &str, error: &dyn std::fmt::Display| SandboxError::new(format!("{what} cannot be used: {error}"));
    let certs = |name: &str| {
        let path = pki.file(name);
        CertificateDer::pem_file_iter(&path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| bad(&path.display().to_string(), &error))
    };
    let key_path = pki.file("apiserver.key");
    let key = PrivateKeyDer::from_pem_file(&key_path).map_err(|error| bad(&key_path.display().to_string(), &error))?;
    let mut roots = RootCertStore::empty();
    for authority in certs("ca.crt")? {
        roots.add(authority).map_err(|error| bad("ca.crt", &error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| bad("ca.crt", &error))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad("TLS", &error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certs("apiserver.crt")?, key)
        .map_err(|error| bad("apiserver.crt", &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Accepts until the task is aborted. Bearer tokens are `api`'s; without one, certificates alone count.
pub(super) async fn run(listener: TcpListener, acceptor: TlsAcceptor, router: Router, api: Option<SharedApi>) {
    within(Bounds::default(), listener, acceptor, router, api).await;
}

async fn within(bounds: Bounds, listener: TcpListener, acceptor: TlsAcceptor, router: Router, api: Option<SharedApi>) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "connection not accepted");
                // Too many open files, most likely; others will close theirs.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let connection = connection(bounds, stream, acceptor.clone(), router.clone(), api.clone());
        let served = async move {
            connection.await;
            drop(place);
        };
        tokio::spawn(served.in_current_span());
    }
}

async fn connection(bounds: Bounds, stream: TcpStream, acceptor: TlsAcceptor, router: Router, api: Option<SharedApi>) {
    let _ = stream.set_nodelay(true);
    let stream = match tokio::time::timeout(bounds.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return debug!(%error, "TLS handshake failed"),
        Err(_) => return debug!("TLS handshake took too long"),
    };
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(|chain| chain.first()).map(|first| bearer_of(first));
    let requests = Arc::new(Requests::default());
    let seen = Arc::clone(&requests);
    // HTTP/2 answers each request in a task of its own.
    let span = Span::current();
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let (router, api, certificate) = (router.clone(), api.clone(), certificate.clone());
        let until = (!is_long_running(request.uri())).then(|| Instant::now() + bounds.read);
        let open = seen.open(until);
        let answered = async move {
            let mut request = request.map(|body| Body::new(Whole::new(body)));
            let authorization = request.headers().get(header::AUTHORIZATION).cloned();
            match user(certificate, authorization, api.as_ref()).await {
                Ok(user) => request.extensions_mut().insert(user),
                Err(error) => {
                    debug!(method = %request.method(), path = request.uri().path(), status = error.code, "not known");
                    return Ok(error.into_response());
                }
            };
            let answer = router.oneshot(request).await?;
            Ok::<_, std::convert::Infallible>(answer.map(|body| {
                // The request is over when its answer is.
                Body::new(body.map_frame(move |frame| {
                    let _ = &open;
                    frame
                }))
            }))
        };
        answered.instrument(span.clone())
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(bounds.headers).max_buf_size(LARGEST_HEAD);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(1000)
        .max_header_list_size(u32::try_from(LARGEST_HEAD).unwrap_or(u32::MAX))
        .max_send_buf_size(UNSENT)
        .initial_connection_window_size(UNREAD)
        .initial_stream_window_size(UNREAD / 2)
        // One that does not even answer a ping is gone.
        .keep_alive_interval(bounds.headers)
        .keep_alive_timeout(bounds.handshake);
    let mut serving = pin!(server.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let mut closing = None;
    loop {
        // A client that goes away is no news.
        if tokio::time::timeout(bounds.look_every, serving.as_mut()).await.is_ok() || requests.overdue() {
            return;
        }
        if requests.idle() > bounds.idle {
            serving.as_mut().graceful_shutdown();
            // What was answered may still wait to be read, and not for ever.
            if *closing.get_or_insert_with(|| Instant::now() + bounds.read) < Instant::now() {
                return;
            }
        }
    }
}

/// The requests of one connection that are not answered to their end.
struct Requests(Mutex<Open>);

struct Open {
    count: u64,
    /// When each has to be over; one that goes on for ever has no end.
    until: HashMap<u64, Option<Instant>>,
    since: Instant,
}

impl Default for Requests {
    fn default() -> Self {
        Self(Mutex::new(Open { count: 0, until: HashMap::new(), since: Instant::now() }))
    }
}

struct Pending {
    of: Arc<Requests>,
    number: u64,
}

impl Requests {
    fn with<T>(&self, look: impl FnOnce(&mut Open) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn open(self: &Arc<Self>, until: Option<Instant>) -> Pending {
        let number = self.with(|open| {
            open.count += 1;
            open.until.insert(open.count, until);
            open.count
        });
        Pending { of: Arc::clone(self), number }
    }

    fn overdue(&self) -> bool {
        let now = Instant::now();
        self.with(|open| open.until.values().any(|until| until.is_some_and(|until| until < now)))
    }

    /// For how long there was none.
    fn idle(&self) -> Duration {
        self.with(|open| if open.until.is_empty() { open.since.elapsed() } else { Duration::ZERO })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.of.with(|open| {
            open.until.remove(&self.number);
            open.since = Instant::now();
        });
    }
}

/// Who asks: the certificate's subject, else the token's owner, else nobody in particular.
async fn user(
    certificate: Option<Bearer>,
    authorization: Option<HeaderValue>,
    api: Option<&SharedApi>,
) -> Result<User, ApiError> {
    match certificate {
        Some(Bearer::User(user)) => Ok(user),
        Some(Bearer::Unreadable) => Err(ApiError::unauthorized()),
        Some(Bearer::Nameless) | None => bearer(authorization.as_ref(), api).await,
    }
}

pub(super) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SandboxError> {
    let failed = |error: std::io::Error| SandboxError::new(format!("the API cannot listen on {address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

/// Who the token stands for. Without one the client is anonymous, as on a real cluster.
async fn bearer(header: Option<&HeaderValue>, api: Option<&SharedApi>) -> Result<User, ApiError> {
    let Some(api) = api else { return Err(ApiError::unauthorized()) };
    let Some(value) = header else { return Ok(User::anonymous()) };
    let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
    let user = token.and_then(|token| api.tokens.user_of(token.trim())).ok_or_else(ApiError::unauthorized)?;
    if let Some((namespace, name)) = user.service_account() {
        // A token does not outlive its account.
        let accounts =
            api.objects.registry.served().known(names::SERVICEACCOUNTS).ok_or_else(ApiError::unauthorized)?;
        let account = api.objects.get(&accounts, Some(namespace), name).await.map_err(|_| ApiError::unauthorized())?;
        if meta::text(&account, "uid") != user.uid {
            return Err(ApiError::unauthorized());
        }
    }
    Ok(user)
}

#[cfg(test)]
mod tests;
