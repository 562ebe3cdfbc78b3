//! A call of a webhook over HTTPS: a review posted where its configuration says that it listens.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::place::{self, Place, Target};
use super::trust::Trust;
use crate::resource::registry::Registry;
use crate::store::Store;

/// As much of an answer as is read.
const LARGEST_ANSWER: usize = 3 << 20;

/// The answer to a review that is posted to the server of a `clientConfig`; `Err` in the words of Kubernetes' client.
pub async fn call(
    store: &Store,
    registry: &Registry,
    (config, patience): (&Value, Duration),
    review: String,
) -> Result<Value, String> {
    let seconds = patience.as_secs();
    let place = place::of(config)?;
    let posted = |why: String| format!("Post \"{}?timeout={seconds}s\": {why}", place.url);
    let sent = post(store, registry, &place, config, seconds, review);
    let Answer { status, is_text, body } = tokio::time::timeout(patience, sent)
        .await
        .map_err(|_| posted("context deadline exceeded".to_owned()))?
        .map_err(posted)?;
    if !(200..300).contains(&status) {
        return Err(unwelcome(status, if is_text { &body } else { &[] }));
    }
    if body.is_empty() {
        return Err(format!("0-length response with status code: {status} and content type: application/json"));
    }
    serde_json::from_slice(&body).map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))
}

/// A status that is no success, in the words of Kubernetes' client.
fn unwelcome(status: u16, body: &[u8]) -> String {
    let said = String::from_utf8_lossy(body).trim().to_owned();
    match status {
        400 => "the server rejected our request for an unknown reason".to_owned(),
        401 => "the server has asked for the client to provide credentials".to_owned(),
        403 => "unknown".to_owned(),
        404 => "the server could not find the requested resource".to_owned(),
        405 => "the server does not allow this method on the requested resource".to_owned(),
        503 => "the server is currently unable to handle the request".to_owned(),
        500.. if said.is_empty() => {
            "an error on the server (\"unknown\") has prevented the request from succeeding".to_owned()
        }
        500.. => format!("an error on the server ({}) has prevented the request from succeeding", json!(said)),
        _ => format!("the server responded with the status code {status} but did not return more information"),
    }
}

struct Answer {
    status: u16,
    /// Or of no type that it names: its words are for people.
    is_text: bool,
    body: Vec<u8>,
}

async fn post(
    store: &Store,
    registry: &Registry,
    place: &Place,
    config: &Value,
    seconds: u64,
    body: String,
) -> Result<Answer, String> {
    let stream = match &place.target {
        Target::Host(host, port) => connect(host, *port, None).await?,
        Target::Service { namespace, name, port } => {
            let address = place::behind(store, registry, namespace, name, *port).await?;
            connect(&address.host, address.port, Some(address.shown)).await?
        }
    };
    let client = client(config)?;
    let name = ServerName::try_from(place.name.clone()).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.map_err(|error| untrusted(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let _connection = Stopped(tokio::spawn(connection));
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}?timeout={seconds}s", place.path))
        .header(header::HOST, &place.authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, */*")
        .header(header::USER_AGENT, "kube-apiserver-admission")
        .body(Full::new(bytes::Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| if error.is_incomplete_message() { "EOF".to_owned() } else { error.to_string() })?;
    let status = response.status().as_u16();
    let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes().starts_with(b"text/"));
    let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await.map_err(|error| error.to_string())?;
    Ok(Answer { status, is_text: kind.unwrap_or(true), body: body.to_bytes().to_vec() })
}

/// Ends with the call that it belongs to.
struct Stopped<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Stopped<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn connect(host: &str, port: u16, shown: Option<String>) -> Result<TcpStream, String> {
    let addresses: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| format!("dial tcp: lookup {host}: no such host"))?
        .collect();
    let mut failed = format!("dial tcp: lookup {host}: no such host");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                let why = match error.kind() {
                    ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                    ErrorKind::NetworkUnreachable => "network is unreachable".to_owned(),
                    ErrorKind::HostUnreachable => "no route to host".to_owned(),
                    _ => error.to_string(),
                };
                let shown = shown.clone().unwrap_or_else(|| address.to_string());
                failed = format!("dial tcp {shown}: connect: {why}");
            }
        }
    }
    Err(failed)
}

/// Trusts the configuration's own certificates; where it has none, the authorities of this machine.
fn client(config: &Value) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let mut own = Vec::new();
    let bundle = STANDARD.decode(config["caBundle"].as_str().unwrap_or_default());
    let bundle = bundle.map_err(|error| format!("caBundle: {error}"))?;
    if bundle.trim_ascii().is_empty() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    } else {
        for certificate in CertificateDer::pem_slice_iter(&bundle) {
            let certificate = certificate.map_err(|error| format!("caBundle: {error}"))?;
            own.push(certificate.clone());
            roots.add(certificate).map_err(|error| format!("caBundle: {error}"))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let by_authority = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| format!("caBundle: {error}"))?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let trust = Arc::new(Trust { by_authority, own });
    let builder = builder.map_err(|error| error.to_string())?.dangerous().with_custom_certificate_verifier(trust);
    Ok(builder.with_no_client_auth())
}

/// A handshake that failed, as Go words it.
fn untrusted(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let why = match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => match wrong {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "certificate signed by unknown authority".to_owned()
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => "certificate has expired or is not yet valid".to_owned(),
            CertificateError::NotValidForNameContext { expected, presented } => {
                format!("certificate is valid for {}, not {}", presented.join(", "), expected.to_str())
            }
            other => format!("{other:?}"),
        },
        Some(rustls::Error::InvalidMessage(_)) => {
            return "tls: first record does not look like a TLS handshake".to_owned();
        }
        _ if error.kind() == ErrorKind::UnexpectedEof => return "EOF".to_owned(),
        _ => return error.to_string(),
    };
    format!("tls: failed to verify certificate: x509: {why}")
}
