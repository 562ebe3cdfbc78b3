//! The HTTPS listener: loopback unless told otherwise, and nobody without a certificate or a token.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use http::{HeaderValue, Request, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::SandboxError;
use super::api::SharedApi;
use super::api::meta;
use super::api::request::{User, credential};
use super::api::status::ApiError;
use super::pki::Pki;

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

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
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files, most likely; others will close theirs.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (acceptor, router, api) = (acceptor.clone(), router.clone(), api.clone());
        tokio::spawn(async move {
            let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await else { return };
            let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(user_of);
            let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                let (router, api, certificate) = (router.clone(), api.clone(), certificate.clone());
                async move {
                    let mut request = request.map(Body::new);
                    let user = match certificate {
                        Some(user) => user,
                        None => match bearer(request.headers().get(header::AUTHORIZATION), api.as_ref()).await {
                            Ok(user) => user,
                            Err(error) => return Ok(error.into_response()),
                        },
                    };
                    request.extensions_mut().insert(user);
                    router.oneshot(request).await
                }
            });
            let mut server = auto::Builder::new(TokioExecutor::new());
            server.http2().max_concurrent_streams(1000);
            // A client that goes away is no news.
            let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
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
        let accounts = api.registry.served().find("", "v1", "serviceaccounts").ok_or_else(ApiError::unauthorized)?;
        let account = api.get(&accounts, Some(namespace), name).await.map_err(|_| ApiError::unauthorized())?;
        if meta::text(&account, "uid") != user.uid {
            return Err(ApiError::unauthorized());
        }
    }
    Ok(user)
}

/// The certificate's common name, and its organizations as groups. The chain was verified already, so
/// that all which is left to find are two kinds of text in it.
fn user_of(certificate: &CertificateDer<'_>) -> User {
    const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
    const ORGANIZATION: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x0a];
    let name = texts(certificate, COMMON_NAME).pop().unwrap_or_default();
    let mut groups = texts(certificate, ORGANIZATION);
    groups.push("system:authenticated".into());
    let print = ring::digest::digest(&ring::digest::SHA256, certificate);
    let mut id = String::from("X509SHA256=");
    for byte in print.as_ref() {
        // Writing to a text cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    User { name, groups, uid: String::new(), extra: credential(id) }
}

/// Every text that follows this ASN.1 object identifier: the issuer's first, then the subject's.
fn texts(certificate: &[u8], identifier: &[u8]) -> Vec<String> {
    certificate
        .windows(identifier.len())
        .enumerate()
        .filter(|(_, window)| *window == identifier)
        .filter_map(|(at, _)| {
            let (_, rest) = certificate.get(at + identifier.len()..)?.split_first()?;
            let (&length, rest) = rest.split_first()?;
            String::from_utf8(rest.get(..usize::from(length))?.to_vec()).ok()
        })
        .collect()
}
