//! The deletion of one object: grace, propagation, finalizers, preconditions.

use std::sync::Arc;

use serde_json::{Value, json};

use super::write::finished;
use super::{Api, admission};
use crate::object::field_error::FieldError;
use crate::object::{list, meta};
use crate::request::{Call, wrong_dry_run};
use crate::resource::Resource;
use crate::status::ApiError;
use crate::store::Written;
use crate::{definitions, objects};
use kube_etcd_codec::names;

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";
const RETRIES: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Propagation {
    Background,
    Foreground,
    Orphan,
}

pub(super) struct Wish {
    grace: Option<i64>,
    propagation: Option<Propagation>,
    uid: Option<String>,
    revision: Option<String>,
    pub(super) dry_run: bool,
}

impl Wish {
    /// From the body or, where there is none, from the query.
    pub(super) fn of(call: &Call, body: &Value) -> Result<Self, ApiError> {
        let query = (!body.is_object()).then_some(&call.query);
        let text =
            |field: &str| body.get(field).and_then(Value::as_str).or_else(|| query?.get(field)).map(str::to_owned);
        let propagation = text("propagationPolicy");
        let orphan = match query.filter(|query| query.get("orphanDependents").is_some()) {
            Some(query) => Some(query.flag("orphanDependents")),
            None => body.get("orphanDependents").and_then(Value::as_bool),
        };
        let mut wrong = Vec::new();
        if let (Some(_), Some(propagation)) = (orphan, &propagation) {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            wrong.push(FieldError::invalid("propagationPolicy", &json!(propagation), why));
        }
        let propagation = match propagation.as_deref() {
            None => orphan.map(|orphan| if orphan { Propagation::Orphan } else { Propagation::Background }),
            Some("Background") => Some(Propagation::Background),
            Some("Foreground") => Some(Propagation::Foreground),
            Some("Orphan") => Some(Propagation::Orphan),
            Some(other) => {
                let known = ["Foreground", "Background", "Orphan", "nil"];
                wrong.push(FieldError::unsupported("propagationPolicy", &json!(other), &known));
                None
            }
        };
        let stages: Vec<&str> = match query {
            Some(query) => query.all("dryRun").collect(),
            None => list(body, "dryRun").iter().filter_map(Value::as_str).collect(),
        };
        wrong.extend(wrong_dry_run(&stages));
        if !wrong.is_empty() {
            return Err(ApiError::invalid_options("DeleteOptions", &wrong));
        }
        let precondition =
            |field: &str| body.get("preconditions")?.get(field).and_then(Value::as_str).map(str::to_owned);
        let grace = match query {
            Some(query) => query.number("gracePeriodSeconds")?,
            None => body.get("gracePeriodSeconds").and_then(Value::as_i64),
        };
        Ok(Self {
            grace,
            propagation,
            uid: precondition("uid"),
            revision: precondition("resourceVersion"),
            dry_run: !stages.is_empty(),
        })
    }
}

impl Api {
    /// The object as it was left or as it last was, and whether it is gone.
    pub(super) async fn delete(
        self: &Arc<Self>,
        resource: &Arc<Resource>,
        call: &Call,
        name: &str,
        wish: &Wish,
        warnings: &mut Vec<String>,
    ) -> Result<(Value, bool), ApiError> {
        let namespace = call.path.namespace.as_deref();
        admission::on_delete(resource, name)?;
        let key = self.objects.store.key(&resource.folder, namespace, Some(name));
        let mut stored = self.objects.store.get(&key).await?.0.ok_or_else(|| ApiError::not_found(resource, name))?;
        // What this request has marked already: when it is gone then, it went by this deletion.
        let mut marked: Option<Value> = None;
        let mut reviewed = false;
        for _ in 0..RETRIES {
            let old = self.objects.read(resource, &stored).await?;
            match &marked {
                // Another one of this name: nobody asked for its deletion.
                Some(marked) if marked["metadata"]["uid"] != old["metadata"]["uid"] => {
                    return ended(Some(marked.clone()), resource, name);
                }
                Some(_) => {}
                None => {
                    check_preconditions(resource, name, &old, wish)?;
                    if !reviewed {
                        reviewed = true;
                        Box::pin(self.review_deletion(resource, call, &old, wish.dry_run, warnings)).await?;
                    }
                }
            }
            let mut new = old.clone();
            mark(resource, &mut new, wish);
            let gone = finished(resource, &new);
            if wish.dry_run {
                return Ok((if gone { old } else { new }, gone));
            }
            let written = if gone {
                // A pod's deletion is always told before it happens, however short its grace.
                let mut at = stored.revision;
                if resource.is(names::PODS) && new != old {
                    let bytes = objects::stored_bytes(resource, &new)?;
                    match self.objects.store.put_if(&key, at, bytes, stored.lease).await? {
                        Written::At(revision) => {
                            at = revision;
                            marked = Some(new.clone());
                        }
                        Written::Stale(None) => return ended(marked, resource, name),
                        Written::Stale(Some(newer)) => {
                            stored = newer;
                            continue;
                        }
                    }
                }
                self.objects.store.delete_if(&key, at).await?
            } else if new == old {
                return Ok((old, false));
            } else {
                let bytes = self.objects.bytes(resource, &new).await?;
                self.objects.store.put_if(&key, stored.revision, bytes, stored.lease).await?
            };
            match written {
                Written::At(revision) => {
                    let mut object = if gone && !resource.is(names::PODS) { old } else { new };
                    if !gone {
                        meta::set_resource_version(&mut object, revision);
                    }
                    admission::after_update(self, resource, &object, gone).await?;
                    return Ok((object, gone));
                }
                Written::Stale(None) => return ended(marked, resource, name),
                Written::Stale(Some(newer)) => stored = newer,
            }
        }
        Err(ApiError::modified(resource, name))
    }
}

impl Api {
    /// Whether the cluster's own policies and webhooks let the object go.
    async fn review_deletion(
        self: &Arc<Self>,
        resource: &Arc<Resource>,
        call: &Call,
        old: &Value,
        dry_run: bool,
        warnings: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        let review = admission::policies::Review {
            user: &call.user,
            resource,
            subresource: "",
            old: Some(old),
            new: None,
            dry_run,
            connects: None,
        };
        admission::webhooks::mutate(self, &review, &mut Value::Null, warnings).await?;
        admission::policies::check(self, &review, warnings).await?;
        admission::webhooks::check(self, &review, warnings).await
    }
}

/// The object is gone by another hand, which is a success for whoever had marked it.
fn ended(marked: Option<Value>, resource: &Resource, name: &str) -> Result<(Value, bool), ApiError> {
    marked.map(|object| (object, true)).ok_or_else(|| ApiError::not_found(resource, name))
}

fn check_preconditions(resource: &Resource, name: &str, object: &Value, wish: &Wish) -> Result<(), ApiError> {
    let pairs = [
        ("UID", &wish.uid, "uid", "deleted and then recreated"),
        ("ResourceVersion", &wish.revision, "resourceVersion", "modified"),
    ];
    for (label, wanted, field, happened) in pairs {
        let is = meta::text(object, field);
        if let Some(wanted) = wanted
            && wanted != is
        {
            // Here the kind stands in place of the resource.
            let kind = resource.qualified_kind();
            let why = format!(
                "the {label} in the precondition ({wanted}) does not match the {label} in record ({is}). \
                 The object might have been {happened}"
            );
            let message = format!("Operation cannot be fulfilled on {kind} \"{name}\": {why}");
            let mut details = resource.details(name);
            details["kind"] = json!(resource.kind);
            return Err(ApiError::new(409, "Conflict", message).with_details(details));
        }
    }
    Ok(())
}

/// Marks the object as terminating, with as much grace and as many finalizers as it is due.
fn mark(resource: &Resource, object: &mut Value, wish: &Wish) {
    let mut finalizers = meta::finalizers(object);
    if let Some(propagation) = wish.propagation {
        finalizers.retain(|one| one != ORPHAN && one != FOREGROUND);
        match propagation {
            Propagation::Orphan => finalizers.push(ORPHAN.into()),
            Propagation::Foreground => finalizers.push(FOREGROUND.into()),
            Propagation::Background => {}
        }
        meta::set_finalizers(object, &finalizers);
    }
    let namespace = resource.is(names::NAMESPACES);
    let grace = if resource.is(names::PODS) { pod_grace(object, wish.grace) } else { 0 };
    let earlier = object["metadata"]["deletionGracePeriodSeconds"].as_i64();
    let terminating = meta::is_terminating(object);
    // A second deletion can only shorten the grace of the first.
    if terminating && earlier.is_none_or(|earlier| grace >= earlier || wish.grace.is_none()) {
        return;
    }
    let at = meta::from_now(grace);
    if !terminating && let Some(generation) = object["metadata"]["generation"].as_i64() {
        meta::set(object, "generation", generation + 1);
    }
    meta::set(object, "deletionTimestamp", meta::time_text(at));
    if namespace {
        object["status"]["phase"] = json!("Terminating");
    } else if resource.is(names::DEFINITIONS) {
        definitions::mark_terminating(object);
    } else {
        meta::set(object, "deletionGracePeriodSeconds", grace);
    }
}

/// Grace is for a container that may have something to finish.
fn pod_grace(pod: &Value, wanted: Option<i64>) -> i64 {
    let unscheduled = pod.pointer("/spec/nodeName").and_then(Value::as_str).is_none_or(str::is_empty);
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    if unscheduled || matches!(phase, Some("Succeeded" | "Failed")) {
        return 0;
    }
    let grace =
        wanted.or_else(|| pod.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64)).unwrap_or(30);
    if grace < 0 { 1 } else { grace }
}
