//! A request's body: bounded in size, in depth and in the time it takes to arrive; understood or refused.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{Request, header};
use http_body_util::BodyExt;
use serde_json::Value;

use super::answer::PROTOBUF;
use super::limits::{Held, Internal, LARGEST_BODY};
use super::{Api, strict};
use crate::object::json_kind;
use crate::resource::Resource;
use crate::status::ApiError;
use kube_etcd_codec::names;

const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// A body as the client sent it, understood.
pub(super) struct Given {
    /// `Null` where there is no body.
    pub(super) value: Value,
    /// Fields that it holds twice.
    pub(super) duplicates: Vec<String>,
}

pub(super) async fn bytes(api: &Api, request: Request<Body>) -> Result<Bytes, ApiError> {
    let too_large =
        || ApiError::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {LARGEST_BODY}"));
    let encoding = text(&request, &header::CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        let why = format!("the body's Content-Encoding {encoding:?} is not supported: send it as it is");
        return Err(ApiError::new(415, "UnsupportedMediaType", why));
    }
    let length = text(&request, &header::CONTENT_LENGTH).parse::<usize>().ok();
    let internal = request.extensions().get::<Internal>().is_some();
    let held = request.extensions().get::<Held>().cloned();
    let _arriving = if internal { None } else { api.limits.arriving(length).await };
    let read = tokio::time::timeout(ARRIVES_WITHIN, collected(request.into_body(), length)).await.map_err(|_| {
        ApiError::new(408, "Timeout", format!("the body did not arrive within {} s", ARRIVES_WITHIN.as_secs()))
    })?;
    let bytes = read.map_err(|error| ApiError::bad_request(format!("the body could not be read: {error}")))?;
    let bytes = bytes.ok_or_else(too_large)?;
    if let Some(held) = held.filter(|_| !internal) {
        api.limits.work_on(&held, bytes.len()).await;
    }
    Ok(bytes)
}

/// `None` where it is too large.
async fn collected(mut body: Body, length: Option<usize>) -> Result<Option<Bytes>, axum::Error> {
    let mut bytes = BytesMut::with_capacity(length.unwrap_or_default().min(LARGEST_BODY));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() + data.len() > LARGEST_BODY {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes.freeze()))
}

fn text<'a>(request: &'a Request<Body>, name: &header::HeaderName) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// What the body is said to be, parameters aside.
pub(super) fn media_type(request: &Request<Body>) -> String {
    text(request, &header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_owned()
}

/// JSON, YAML or Kubernetes' protobuf, of a kind that is called `kind` where it says nothing itself.
pub(super) async fn value(api: &Api, kind: &str, request: Request<Body>) -> Result<Given, ApiError> {
    let content = media_type(&request);
    let bytes = bytes(api, request).await?;
    if bytes.is_empty() && kind == OPTIONS {
        return Ok(Given { value: Value::Null, duplicates: Vec::new() });
    }
    let unrecognized = |why: &str| {
        if kind == OPTIONS {
            return ApiError::bad_request(why);
        }
        let first = &bytes[..bytes.len().min(30)];
        let start: String = if first.is_empty() {
            "<empty>".to_owned()
        } else if first.starts_with(b"{") {
            String::from_utf8_lossy(first).into_owned()
        } else {
            first.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
        };
        let dots = if bytes.len() > 30 { " ..." } else { "" };
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {why} ({start}{dots})"
        ))
    };
    let read = match content.as_str() {
        "application/yaml" => {
            strict::yaml(&bytes).map_err(|why| ApiError::bad_request(format!("error decoding from yaml: {why}")))?
        }
        PROTOBUF => strict::Read { value: protobuf(&bytes)?, duplicates: Vec::new() },
        "" | "application/json" | "*/*" => strict::json(&bytes)
            .map_err(|why| unrecognized(&format!("couldn't get version/kind; json parse error: {why}")))?,
        _ => return Err(ApiError::unsupported_media_type(&format!("application/json, application/yaml, {PROTOBUF}"))),
    };
    if !read.value.is_object() && !read.value.is_null() {
        let found = json_kind(&read.value);
        return Err(unrecognized(&format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
        )));
    }
    for field in ["kind", "apiVersion"] {
        if let Some(found) = read.value.get(field).filter(|one| !one.is_string() && !one.is_null()).map(json_kind) {
            return Err(unrecognized(&format!(
                "couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go struct field .{field} of type string"
            )));
        }
    }
    Ok(Given { value: read.value, duplicates: read.duplicates })
}

/// What the schema has no message for cannot be understood, and is not taken for empty.
fn protobuf(bytes: &[u8]) -> Result<Value, ApiError> {
    if !bytes.starts_with(b"k8s\0") {
        return Err(ApiError::bad_request(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
        ));
    }
    let decoded = kube_etcd_codec::decode(bytes).map_err(|error| ApiError::bad_request(error.to_string()))?.object;
    let field = |name: &str| decoded[name].as_str().unwrap_or_default().to_owned();
    let (version, kind) = (field("apiVersion"), field("kind"));
    if !kube_etcd_codec::has_protobuf(&version, &kind) {
        return Err(ApiError::bad_request(format!(
            "no kind \"{kind}\" is registered for version \"{version}\" in protobuf"
        )));
    }
    Ok(decoded)
}

/// A body that must be an object of this resource.
pub(super) async fn object(api: &Api, resource: &Resource, request: Request<Body>) -> Result<Given, ApiError> {
    // Custom resources have no protobuf.
    if !kube_etcd_codec::has_protobuf(&resource.api_version(), &resource.kind)
        && text(&request, &header::CONTENT_TYPE).starts_with(PROTOBUF)
    {
        return Err(ApiError::unsupported_media_type("application/json, application/yaml"));
    }
    let mut given = value(api, &resource.kind, request).await?;
    if given.value.is_null() {
        given.value = serde_json::json!({});
    }
    let object = &mut given.value;
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let expected = resource.api_version();
    if let Some(why) = unknown_kind(resource, &version, &kind) {
        return Err(ApiError::bad_request(why));
    }
    if !version.is_empty() && version != expected && !(resource.is(names::NEW_EVENTS) && version == "v1") {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        )));
    }
    object["apiVersion"] = expected.into();
    object["kind"] = resource.kind.clone().into();
    // What sets a name in it would make an object of it.
    if object.get("metadata").is_some_and(|metadata| !metadata.is_object()) {
        check_types(resource, object)?;
    }
    Ok(given)
}

/// Values that Go's structs cannot take.
pub(super) fn check_types(resource: &Resource, object: &Value) -> Result<(), ApiError> {
    if resource.custom.is_some() {
        return Ok(());
    }
    crate::validate::types(object).map_err(|why| refused(resource, &why))
}

pub(super) fn refused(resource: &Resource, why: &str) -> ApiError {
    let (kind, version) = (&resource.kind, &resource.version);
    ApiError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
}

/// What is wrong with a body that says it is of another kind.
fn unknown_kind(resource: &Resource, version: &str, kind: &str) -> Option<String> {
    let own = resource.api_version();
    let version = if version.is_empty() { &own } else { version };
    let kind = if kind.is_empty() { &resource.kind } else { kind };
    let short = version.rsplit('/').next().unwrap_or_default();
    let cannot = format!("{kind} in version \"{short}\" cannot be handled as a {}", resource.kind);
    if resource.custom.is_some() {
        let why = format!("{cannot}: no kind \"{kind}\" is registered for the resource {}", resource.plural);
        return (kind != resource.kind).then_some(why);
    }
    // What once was served is known all the same.
    let group = |version: &str| version.rsplit_once('/').map(|(group, _)| group.to_owned());
    let was_served =
        kind == resource.kind && group(version) == group(&own) && (short.contains("alpha") || short.contains("beta"));
    if kube_etcd_codec::kind_by_api_version(version, kind).is_none() && !was_served {
        let scheme = "pkg/api/legacyscheme/scheme.go:30";
        return Some(format!(
            "{cannot}: no kind \"{kind}\" is registered for version \"{version}\" in scheme \"{scheme}\""
        ));
    }
    let group = resource.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
    let why = format!("{cannot}: converting ({short}.{kind}) to ({group}.{}): unknown conversion", resource.kind);
    (kind != resource.kind).then_some(why)
}

/// Of these the real server says what is wrong without saying what they are.
const OPTIONS: &str = "DeleteOptions";

/// A body that says how something is to be done: a `DeleteOptions`, a `Scale`, an `Eviction`. Of another kind, or
/// with a value of the wrong type, it is refused: what is asked for is not to be guessed.
pub(super) async fn options(api: &Api, message: &str, request: Request<Body>) -> Result<Value, ApiError> {
    let (version, kind) = message.rsplit_once('.').unwrap_or(("meta/v1", message));
    let mut given = value(api, kind, request).await?.value;
    if given.is_null() {
        return Ok(given);
    }
    check_options(&mut given, version, kind)?;
    Ok(given)
}

pub(super) fn check_options(given: &mut Value, version: &str, kind: &str) -> Result<(), ApiError> {
    let said = given.get("kind").map_or(Some(""), Value::as_str).unwrap_or("a value that is no text").to_owned();
    if !said.is_empty() && said != kind {
        if kind == OPTIONS {
            let scheme = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27";
            let why = format!("no kind \"{said}\" is registered for version \"meta.k8s.io/v1\" in scheme \"{scheme}\"");
            return Err(ApiError::bad_request(why));
        }
        return Err(ApiError::bad_request(format!(
            "{said} in the body cannot be handled as a {kind}: no kind \"{said}\" is registered for this request"
        )));
    }
    given["apiVersion"] = version.into();
    given["kind"] = kind.into();
    crate::validate::types(given).map_err(|why| {
        if kind == OPTIONS {
            return ApiError::bad_request(why);
        }
        let version = version.rsplit('/').next().unwrap_or(version);
        ApiError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
    })
}
