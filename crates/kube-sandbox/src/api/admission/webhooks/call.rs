//! One call of one webhook over HTTPS, and what its answer has to be.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Failure;
use super::place::{self, Place, Target};
use crate::api::SharedApi;
use crate::api::limits::LARGEST_BODY;
use crate::object::text;
use crate::status::ApiError;

#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Of JSON.
    pub(super) patch: Option<Vec<u8>>,
    pub(super) warnings: Vec<String>,
}

pub(super) async fn ask(api: &SharedApi, hook: &Value, request: &Value) -> Result<Answer, Failure> {
    let known = ["v1", "v1beta1"];
    let versions = hook["admissionReviewVersions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let version = versions.into_iter().find(|version| known.contains(version));
    let Some(version) = version else {
        return Err(Failure::Call("webhook does not accept known AdmissionReview versions (v1, v1beta1)".to_owned()));
    };
    let review = json!({
        "kind": "AdmissionReview", "apiVersion": format!("admission.k8s.io/{version}"), "request": request,
    });
    let seconds = hook["timeoutSeconds"].as_u64().unwrap_or(10);
    let config = &hook["clientConfig"];
    let place = place::of(config).map_err(|why| Failure::Call(format!("failed to call webhook: {why}")))?;
    let posted = |why: String| {
        Failure::Call(format!("failed to call webhook: Post \"{}?timeout={seconds}s\": {why}", place.url))
    };
    let sent = post(api, &place, config, seconds, review.to_string());
    let (status, body) = tokio::time::timeout(Duration::from_secs(seconds), sent)
        .await
        .map_err(|_| posted("context deadline exceeded".to_owned()))?
        .map_err(posted)?;
    if !(200..300).contains(&status) {
        return Err(Failure::Call(format!("failed to call webhook: {}", unwelcome(status, &body))));
    }
    let answer: Value = serde_json::from_slice(&body)
        .map_err(|error| Failure::Call(format!("failed to call webhook: the answer is no JSON: {error}")))?;
    read(text(hook, "name"), version, text(request, "uid"), &answer)
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

fn read(hook: &str, version: &str, uid: &str, answer: &Value) -> Result<Answer, Failure> {
    let wrong = |why: String| Err(Failure::Call(format!("received invalid webhook response: {why}")));
    let response = &answer["response"];
    if !response.is_object() {
        return wrong("webhook response was absent".to_owned());
    }
    if version == "v1" {
        let (kind, api_version) = (text(answer, "kind"), text(answer, "apiVersion"));
        if (kind, api_version) != ("AdmissionReview", "admission.k8s.io/v1") {
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            let got = format!("{group}/{version}, Kind={kind}");
            return wrong(format!("expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {got}"));
        }
        if text(response, "uid") != uid {
            return wrong(format!("expected response.uid=\"{uid}\", got \"{}\"", text(response, "uid")));
        }
    }
    if response["allowed"] != true {
        return Err(Failure::Refused(refusal(hook, &response["status"])));
    }
    let warnings = response["warnings"].as_array().into_iter().flatten();
    let warnings = warnings.filter_map(Value::as_str).map(str::to_owned).collect();
    let patch = match response["patch"].as_str().filter(|patch| !patch.is_empty()) {
        None => None,
        Some(_) if version == "v1" && response["patchType"].is_null() => {
            return wrong("webhook returned response.patch but not response.patchType".to_owned());
        }
        Some(_) if response["patchType"].as_str().is_some_and(|kind| kind != "JSONPatch") => {
            return wrong(format!("unsupported patch type \"{}\"", text(response, "patchType")));
        }
        Some(patch) => match STANDARD.decode(patch) {
            Ok(patch) => Some(patch),
            Err(error) => return wrong(format!("response.patch is no base64: {error}")),
        },
    };
    Ok(Answer { patch, warnings })
}

/// Those that clients of Kubernetes know.
const REASONS: [&str; 10] = [
    "BadRequest",
    "Conflict",
    "Expired",
    "Forbidden",
    "InternalError",
    "Invalid",
    "MethodNotAllowed",
    "NotFound",
    "TooManyRequests",
    "Unauthorized",
];

/// What the webhook says against the write, as clients are told.
fn refusal(hook: &str, status: &Value) -> ApiError {
    let denied = format!("admission webhook \"{hook}\" denied the request");
    let message = match (text(status, "message"), text(status, "reason")) {
        ("", "") => format!("{denied} without explanation"),
        ("", why) | (why, _) => format!("{denied}: {why}"),
    };
    let code = status["code"].as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400);
    let reason = REASONS.into_iter().find(|reason| *reason == text(status, "reason")).unwrap_or_default();
    ApiError::new(code.unwrap_or(400), reason, message).with_details(status["details"].clone())
}

async fn post(
    api: &SharedApi,
    place: &Place,
    config: &Value,
    seconds: u64,
    body: String,
) -> Result<(u16, Vec<u8>), String> {
    let stream = match &place.target {
        Target::Host(host, port) => connect(host, *port, None).await?,
        Target::Service { namespace, name, port } => {
            let address = place::behind(api, namespace, name, *port).await?;
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
    let body = Limited::new(response.into_body(), LARGEST_BODY).collect().await.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes().to_vec()))
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

/// Trusts the configuration's own authorities; where it has none, those of this machine.
fn client(config: &Value) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let bundle = config["caBundle"].as_str().filter(|bundle| !bundle.is_empty());
    if let Some(bundle) = bundle {
        let pem = STANDARD.decode(bundle).map_err(|error| format!("caBundle: {error}"))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| format!("caBundle: {error}"))?;
            roots.add(certificate).map_err(|error| format!("caBundle: {error}"))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

/// A handshake that failed, as Go tells it.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(answer: &Value) -> Result<Answer, String> {
        read("a.b.c", "v1", "u", answer).map_err(|failure| match failure {
            Failure::Call(why) => why,
            Failure::Refused(error) => format!("{} {}", error.code, error.message),
        })
    }

    fn review(response: &Value) -> Value {
        json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response})
    }

    #[test]
    fn only_a_whole_answer_allows() {
        assert!(parsed(&review(&json!({"uid": "u", "allowed": true}))).is_ok());
        for (answer, why) in [
            (json!({}), "received invalid webhook response: webhook response was absent"),
            (
                json!({"response": {"uid": "u", "allowed": true}}),
                "received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=",
            ),
            (
                review(&json!({"uid": "v", "allowed": true})),
                "received invalid webhook response: expected response.uid=\"u\", got \"v\"",
            ),
            (review(&json!({"uid": "u"})), "400 admission webhook \"a.b.c\" denied the request without explanation"),
            (
                review(&json!({"uid": "u", "allowed": "yes", "status": {"message": "no", "code": 403}})),
                "403 admission webhook \"a.b.c\" denied the request: no",
            ),
            (
                review(&json!({"uid": "u", "allowed": true, "patch": "W10="})),
                "received invalid webhook response: webhook returned response.patch but not response.patchType",
            ),
        ] {
            assert_eq!(parsed(&answer).expect_err("it does not allow"), why);
        }
        let patched = review(&json!({"uid": "u", "allowed": true, "patch": "W10=", "patchType": "JSONPatch"}));
        assert_eq!(parsed(&patched).expect("it allows").patch.as_deref(), Some(&b"[]"[..]));
    }
}
