//! status, scale, binding, eviction, token, finalize, and the streams of pods.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::admission::{policies, webhooks};
use super::write::{Change, Part, Write};
use super::{SharedApi, answer, body, change, eviction, negotiate, patch};
use crate::object::field_error::FieldError;
use crate::object::{labels, meta};
use crate::request::Call;
use crate::resource::{Resource, ScalePaths};
use crate::status::{ApiError, json_response};
use crate::{objects, print};
use kube_etcd_codec::names;

/// In seconds, and this is one too many.
const LONGEST_TOKEN: i64 = (1 << 32) + 1;

pub(super) async fn serve(
    api: SharedApi,
    resource: Arc<Resource>,
    subresource: &str,
    call: Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let method = call.method.clone();
    let pods = resource.is(names::PODS);
    match (subresource, &method) {
        ("status", _) if resource.status => part(&api, &resource, &call, request).await,
        ("scale", _) if resource.scale.is_some() => scale(&api, &resource, &call, request).await,
        ("finalize", &Method::PUT) if resource.is(names::NAMESPACES) => finalize(&api, &resource, &call, request).await,
        ("binding", &Method::POST) if pods => {
            let binding = body::options(&api, "v1.Binding", request).await?;
            bind(&api, &call, &binding).await
        }
        ("eviction", &Method::POST) if pods => eviction::evict(&api, &resource, &call, request).await,
        ("token", &Method::POST) if resource.is(names::SERVICEACCOUNTS) => token(&api, &resource, &call, request).await,
        ("ephemeralcontainers", _) if pods => part(&api, &resource, &call, request).await,
        ("approval", _) if resource.is(names::SIGNING_REQUESTS) => part(&api, &resource, &call, request).await,
        ("exec" | "attach" | "log" | "portforward", _) if pods => {
            if subresource != "log" {
                connects(&api, &resource, subresource, &call).await?;
            }
            let pod = api.objects.get(&resource, call.path.namespace.as_deref(), name_of(&call)).await?;
            crate::pods::serve(&api.pods, subresource, &pod, &call, request).await
        }
        _ => Err(ApiError::no_subresource()),
    }
}

/// Whether the cluster's own policies and webhooks allow a connection, before anybody looks for the pod.
async fn connects(api: &SharedApi, resource: &Arc<Resource>, subresource: &str, call: &Call) -> Result<(), ApiError> {
    let options = connect_options(subresource, call);
    let review = policies::Review {
        user: &call.user,
        resource,
        subresource,
        old: None,
        new: Some(&options),
        dry_run: false,
        connects: Some((call.path.namespace.as_deref().unwrap_or_default(), name_of(call))),
    };
    let (mut options, mut warnings) = (options.clone(), Vec::new());
    // Who asks to connect gets what was asked for or nothing: what they make of the options is not followed.
    Box::pin(webhooks::mutate(api, &review, &mut options, &mut warnings)).await?;
    Box::pin(policies::check(api, &review, &mut warnings)).await?;
    Box::pin(webhooks::check(api, &review, &mut warnings)).await
}

/// What a connection asks for, as an object.
fn connect_options(subresource: &str, call: &Call) -> Value {
    let query = &call.query;
    if subresource == "portforward" {
        let ports: Vec<i64> = query.all("ports").flat_map(|list| list.split(',')).flat_map(str::parse).collect();
        let mut options = json!({"kind": "PodPortForwardOptions", "apiVersion": "v1"});
        if !ports.is_empty() {
            options["ports"] = json!(ports);
        }
        return options;
    }
    let kind = if subresource == "exec" { "PodExecOptions" } else { "PodAttachOptions" };
    let mut options = json!({"kind": kind, "apiVersion": "v1"});
    for flag in ["stdin", "stdout", "stderr", "tty"] {
        if query.flag(flag) {
            options[flag] = json!(true);
        }
    }
    if let Some(container) = query.get("container") {
        options["container"] = json!(container);
    }
    let command: Vec<&str> = query.all("command").collect();
    if subresource == "exec" {
        options["command"] = if command.is_empty() { Value::Null } else { json!(command) };
    }
    options
}

fn name_of(call: &Call) -> &str {
    call.path.name.as_deref().unwrap_or_default()
}

/// A part of an object that is read and written like the whole.
async fn part(
    api: &SharedApi,
    resource: &Arc<Resource>,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    match call.method {
        Method::GET => super::read::one(api, resource, call).await,
        Method::PUT | Method::PATCH => change::serve(api, resource, call, request).await,
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// The object's number of replicas as a Scale.
fn scale_of(paths: &ScalePaths, object: &Value) -> Value {
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata[field] = value.clone();
        }
    }
    let mut status = json!({"replicas": number(&paths.status)});
    let selector = paths.selector.as_deref().and_then(|path| object.pointer(path));
    if let Some(selector) = selector {
        status["selector"] = json!(labels::text(selector));
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": {"replicas": number(&paths.spec)}, "status": status,
    })
}

fn scale_table(scale: &Value) -> Value {
    let columns = [
        json!({"name": "Desired", "type": "integer", "jsonPath": ".spec.replicas"}),
        json!({"name": "Available", "type": "integer", "jsonPath": ".status.replicas"}),
        json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}),
    ];
    let mut table = print::custom_table(&columns, std::slice::from_ref(scale), jiff::Timestamp::now());
    table["kind"] = json!("Table");
    table["apiVersion"] = json!("meta.k8s.io/v1");
    table["metadata"] = json!({"resourceVersion": scale["metadata"]["resourceVersion"]});
    table["rows"][0]["object"] = objects::partial(scale);
    table
}

async fn scale(
    api: &SharedApi,
    resource: &Arc<Resource>,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let Some(paths) = resource.scale.clone() else { return Err(ApiError::no_path()) };
    let namespace = call.path.namespace.as_deref();
    if call.method == Method::GET {
        let object = api.objects.get(resource, namespace, name_of(call)).await?;
        let scale = scale_of(&paths, &object);
        return Ok(match negotiate::form(&call.headers) {
            negotiate::Form::Table => json_response(StatusCode::OK, &scale_table(&scale)),
            _ => answer::shown(resource, call, StatusCode::OK, scale),
        });
    }
    let mut write = Write::new(api, resource, call)?;
    let wanted = match call.method {
        Method::PUT => Wanted::Scale(body::options(api, "autoscaling/v1.Scale", request).await?),
        Method::PATCH => {
            let content = body::media_type(&request);
            let bytes = body::bytes(api, request).await?;
            // A Scale has no lists, so that a strategic patch of it, or one to apply, is a merge patch.
            let content = match content.as_str() {
                "application/strategic-merge-patch+json" | "application/apply-patch+yaml" => {
                    "application/merge-patch+json"
                }
                other => other,
            };
            Wanted::Patch(patch::Patch::parse(resource, content, &bytes)?.patch)
        }
        _ => return Err(ApiError::method_not_allowed()),
    };
    let name = name_of(call).to_owned();
    let updated = write
        .update(|current| {
            let mut scale = match &wanted {
                Wanted::Scale(given) => given.clone(),
                Wanted::Patch(patch) => patch.apply(resource, &scale_of(&paths, current))?,
            };
            body::check_options(&mut scale, "autoscaling/v1", "Scale")?;
            let replicas = scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
            if replicas < 0 {
                let why = "must be greater than or equal to 0";
                let error = FieldError::invalid("spec.replicas", &json!(replicas), why);
                let mut invalid = ApiError::invalid(resource, &name, &[error]);
                invalid.message = invalid.message.replacen(&resource.qualified_kind(), "Scale.autoscaling", 1);
                invalid.details["kind"] = json!("Scale");
                invalid.details["group"] = json!("autoscaling");
                return Err(invalid);
            }
            let mut object = current.clone();
            let revision = meta::text(&scale, "resourceVersion");
            if matches!(wanted, Wanted::Scale(_)) && !revision.is_empty() {
                meta::set(&mut object, "resourceVersion", revision);
            }
            set_pointer(&mut object, &paths.spec, json!(replicas));
            Ok(Change::To(object))
        })
        .await?;
    Ok(answer::shown(resource, call, StatusCode::OK, scale_of(&paths, &updated)))
}

enum Wanted {
    Scale(Value),
    Patch(patch::Patch),
}

fn set_pointer(object: &mut Value, pointer: &str, value: Value) {
    let mut at = object;
    for part in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[part];
    }
    *at = value;
}

/// The namespace controller's last word: with no finalizers left, the namespace goes.
async fn finalize(
    api: &SharedApi,
    resource: &Arc<Resource>,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let given = body::object(api, resource, request).await?.value;
    let mut write = Write::new(api, resource, call)?;
    write.part = Part::All;
    let updated = write
        .update(|current| {
            let mut object = current.clone();
            let revision = meta::text(&given, "resourceVersion");
            if !revision.is_empty() {
                meta::set(&mut object, "resourceVersion", revision);
            }
            let finalizers = given.pointer("/spec/finalizers").cloned().unwrap_or_else(|| json!([]));
            if finalizers.as_array().is_none_or(Vec::is_empty) {
                object["spec"] = json!({});
            } else {
                object["spec"]["finalizers"] = finalizers;
            }
            Ok(Change::To(object))
        })
        .await?;
    Ok(change::shown(&write, call, StatusCode::OK, updated))
}

/// The scheduler's word: this pod runs on that node.
pub(super) async fn bind(api: &SharedApi, call: &Call, binding: &Value) -> Result<Response, ApiError> {
    let served = api.objects.registry.served();
    let pods = served.known(names::PODS).ok_or_else(ApiError::no_path)?;
    let name = call.path.name.clone().unwrap_or_else(|| meta::name(binding).to_owned());
    let node = binding.pointer("/target/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if node.is_empty() {
        return Err(ApiError::bad_request("target.name: Required value"));
    }
    let mut write = Write::new(api, &pods, call)?;
    write.name = Some(name.clone());
    write.part = Part::All;
    write
        .update(|current| {
            let bound = current.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
            if meta::is_terminating(current) {
                let why = format!("pod {name} is being deleted, cannot be assigned to a host");
                return Err(ApiError::conflict(&pods, &name, &why));
            }
            if !bound.is_empty() {
                let why = format!("pod {name} is already assigned to node \"{bound}\"");
                return Err(ApiError::conflict(&pods, &name, &why));
            }
            let mut pod = current.clone();
            pod["spec"]["nodeName"] = json!(node);
            let mut conditions =
                current.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
            let scheduled = json!({
                "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": meta::now_text(),
            });
            conditions.retain(|condition| condition["type"] != "PodScheduled");
            conditions.push(scheduled);
            pod["status"]["conditions"] = json!(conditions);
            Ok(Change::To(pod))
        })
        .await?;
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(json_response(StatusCode::CREATED, &status))
}

/// What a token is to end with has to be there.
async fn bound_object(api: &SharedApi, call: &Call, bound: &Value) -> Result<(), ApiError> {
    let text = |field: &str| bound.get(field).and_then(Value::as_str).unwrap_or_default();
    let name = match text("kind") {
        "" => return Ok(()),
        "Pod" => names::PODS,
        "Secret" => names::SECRETS,
        "Node" => names::NODES,
        other => {
            let why = format!("cannot bind token for serviceaccount to object of type {}/{other}", text("apiVersion"));
            return Err(ApiError::bad_request(why));
        }
    };
    let Some(resource) = api.objects.registry.served().find(name.group, "v1", name.plural) else { return Ok(()) };
    let namespace = call.path.namespace.as_deref().filter(|_| resource.namespaced);
    let object = api.objects.get(&resource, namespace, text("name")).await?;
    let uid = meta::text(&object, "uid");
    if !text("uid").is_empty() && text("uid") != uid {
        let why = format!(
            "the UID in the bound object reference ({}) does not match the UID in record. The object might have been deleted and then recreated",
            text("uid")
        );
        return Err(ApiError::conflict(&resource, text("name"), &why));
    }
    Ok(())
}

async fn token(
    api: &SharedApi,
    accounts: &Arc<Resource>,
    call: &Call,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let mut wanted = body::options(api, "authentication.k8s.io/v1.TokenRequest", request).await?;
    if wanted.is_null() {
        wanted = json!({});
    }
    let account = api.objects.get(accounts, call.path.namespace.as_deref(), name_of(call)).await?;
    let seconds = wanted.pointer("/spec/expirationSeconds").and_then(Value::as_i64).unwrap_or(3600);
    let wrong = match seconds {
        ..600 => Some("may not specify a duration less than 10 minutes"),
        LONGEST_TOKEN.. => Some("may not specify a duration larger than 2^32 seconds"),
        _ => None,
    };
    if let Some(why) = wrong {
        let error = FieldError::invalid("spec.expirationSeconds", &json!(seconds), why);
        let mut invalid = ApiError::invalid(accounts, "", &[error]);
        invalid.message = invalid.message.replacen("ServiceAccount", "TokenRequest.authentication.k8s.io", 1);
        return Err(invalid);
    }
    let bound = wanted.pointer("/spec/boundObjectRef").cloned().unwrap_or(Value::Null);
    bound_object(api, call, &bound).await?;
    let audiences: Vec<String> = wanted
        .pointer("/spec/audiences")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let issued = api.tokens.issue(&account, &audiences, seconds).map_err(ApiError::internal)?;
    let answer = json!({
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": meta::name(&account), "namespace": meta::namespace(&account), "creationTimestamp": meta::now_text(),
        },
        "spec": {
            "audiences": issued.audiences, "expirationSeconds": seconds, "boundObjectRef": bound,
        },
        "status": {"token": issued.token, "expirationTimestamp": meta::time_text(issued.expires)},
    });
    Ok(json_response(StatusCode::CREATED, &answer))
}
