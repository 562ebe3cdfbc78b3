//! create, update and patch: what every write goes through, whichever way it came.

mod check;
mod keep;
mod patched;

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Api, SharedApi, admission, managed};

use crate::object::field_error::FieldError;
use crate::object::meta;
use crate::request::{Call, WriteOptions};
use crate::resource::Resource;
use crate::status::ApiError;
use crate::store::{Ground, Stored, Written};
use crate::{authorize, defaults, objects, validate};

use keep::same;
use kube_etcd_codec::names;

/// How often a change is tried again on what another client wrote meanwhile.
const RETRIES: usize = 100;

/// Which part of an object a request may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Main,
    Status,
    /// Of a pod: containers to debug it with.
    EphemeralContainers,
    /// Of a signing request: what an approver thinks of it.
    Approval,
    /// Any, as the API's own writes are: what they change is their business.
    All,
}

/// One write request on its way.
pub struct Write {
    pub api: SharedApi,
    pub resource: Arc<Resource>,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub options: WriteOptions,
    pub warnings: Vec<String>,
    /// Fields that the body holds twice.
    pub duplicates: Vec<String>,
    pub part: Part,
    /// What was known, and not read, when the object was looked at.
    ground: Vec<Ground>,
    call: Call,
}

/// What an update made of the object that it found.
pub(super) enum Change {
    To(Value),
    /// Server-side apply has kept the managed fields itself.
    Applied(Value),
}

impl Write {
    pub(super) fn new(api: &SharedApi, resource: &Arc<Resource>, call: &Call) -> Result<Self, ApiError> {
        Ok(Self {
            api: api.clone(),
            resource: resource.clone(),
            namespace: call.path.namespace.clone(),
            name: call.path.name.clone(),
            options: call.write_options()?,
            warnings: Vec::new(),
            duplicates: Vec::new(),
            part: match call.path.subresource.as_deref() {
                Some("status") => Part::Status,
                Some("ephemeralcontainers") => Part::EphemeralContainers,
                Some("approval") => Part::Approval,
                _ => Part::Main,
            },
            ground: Vec::new(),
            call: call.clone(),
        })
    }

    fn key(&self, name: &str) -> String {
        self.api.objects.store.key(&self.resource.folder, self.namespace.as_deref(), Some(name))
    }

    /// Stores a new object; its name may still have to be drawn. Answers with what a client would read.
    pub(super) async fn create(&mut self, object: Value) -> Result<Value, ApiError> {
        let (warnings, duplicates) = (self.warnings.len(), self.duplicates.clone());
        let trusted = !self.options.dry_run && self.namespace.is_some();
        let again = trusted.then(|| object.clone());
        let done = self.store_new(object, trusted).await;
        let mut created = match (done, again) {
            (Ok(Some(created)), _) => created,
            (Err(error), None) => return Err(error),
            // What is said against the object rests on the namespace as well.
            (Err(error), Some(_)) if self.stands_on_ground().await? => return Err(error),
            // The namespace is not as it was known: it is read, and all is looked at once more.
            (_, again) => {
                self.api.namespaces.forget(self.namespace.as_deref().unwrap_or_default());
                self.warnings.truncate(warnings);
                self.duplicates = duplicates;
                let made = Box::pin(self.store_new(again.unwrap_or_default(), false)).await?;
                made.ok_or_else(|| ApiError::internal("an object that rests on nothing was not stored"))?
            }
        };
        defaults::on_read(&mut created);
        validate::as_go_reads_it(&mut created);
        Ok(created)
    }

    /// Whether the keys that the last attempt rested on are as they were known.
    async fn stands_on_ground(&self) -> Result<bool, ApiError> {
        for ground in &self.ground {
            if let Ground::At(key, revision) = ground
                && self.api.objects.store.get(key).await?.0.is_none_or(|stored| stored.revision != *revision)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `None` where what was known of the namespace, and `trusted`, is so no more.
    async fn store_new(&mut self, mut object: Value, trusted: bool) -> Result<Option<Value>, ApiError> {
        let resource = self.resource.clone();
        if resource.custom.as_ref().is_some_and(|custom| custom.terminating) {
            let why = "create not allowed while custom resource definition is terminating";
            return Err(ApiError::new(405, "MethodNotAllowed", why));
        }
        self.take_namespace(&mut object)?;
        if let Some(name) = &self.name {
            // Only by apply and update-as-create, whose URL names it.
            meta::set(&mut object, "name", name.as_str());
        }
        let drawn = meta::name(&object).is_empty();
        let prefix = meta::text(&object, "generateName").to_owned();
        if drawn && !prefix.is_empty() {
            meta::set(&mut object, "name", meta::generated_name(&prefix));
        }
        if !meta::text(&object, "resourceVersion").is_empty() && meta::text(&object, "resourceVersion") != "0" {
            return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
        }
        self.check_fields(&mut object)?;
        validate::as_go_holds_it(&mut object);
        for field in ["resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
            meta::remove(&mut object, field);
        }
        meta::set(&mut object, "uid", uuid::Uuid::new_v4().to_string());
        meta::set(&mut object, "creationTimestamp", meta::now_text());
        if resource.counts_generations() {
            meta::set(&mut object, "generation", 1);
        }
        admission::prepare_create(&resource, &mut object, &self.call.user);
        let is_unlabelled = object["metadata"]["labels"].as_object().is_none_or(Map::is_empty);
        defaults::apply(&resource.kind, &mut object);
        validate::as_go_prints_it(&mut object);
        if self.options.manager != managed::NOBODY && object.pointer("/metadata/managedFields").is_none() {
            managed::on_update(&resource, None, &mut object, &self.options.manager, self.subresource());
        }
        admission::complete_create(&resource, &mut object, is_unlabelled);
        let (namespace, warnings) = (self.namespace.as_deref(), &mut self.warnings);
        let known = namespace.filter(|_| trusted).and_then(|namespace| self.api.namespaces.get(namespace));
        self.ground = known.as_ref().map(|known| known.ground.clone()).unwrap_or_default();
        let quotas = admission::on_create(&self.api, &resource, namespace, &mut object, warnings, known).await?;
        self.mutate(None, &mut object).await?;
        authorize::check_escalation(&self.api.objects, &self.call.user, &resource, None, &object).await?;
        self.validate_create(&object).await?;
        self.review(None, Some(&object)).await?;

        let reserved = admission::reserve(&self.api, &resource, &mut object, quotas, self.options.dry_run).await?;
        let name = meta::name(&object).to_owned();
        let key = self.key(&name);
        if self.options.dry_run {
            if self.api.objects.store.get(&key).await?.0.is_some() {
                return Err(ApiError::already_exists(&resource, &name));
            }
            return Box::pin(self.as_if_kept(&key, object)).await.map(Some);
        }
        let bytes = self.api.objects.bytes(&resource, &object).await?;
        let kept = objects::is_converted(&resource).then(|| bytes.clone());
        let lease = if resource.folder == "events" { self.api.events_lease().await? } else { 0 };
        match self.api.objects.store.create_on(&key, bytes, lease, &self.ground).await? {
            Written::At(revision) => {
                self.ground.clear();
                meta::set_resource_version(&mut object, revision);
                object = Box::pin(self.as_kept(&key, revision, kept, object)).await?;
                self.api.policies.changed(&resource);
                admission::after_create(&self.api, &resource, &object).await?;
                Ok(Some(object))
            }
            Written::Stale(_) => {
                reserved.release(&self.api).await;
                if self.ground.is_empty() { Err(ApiError::already_exists(&resource, &name)) } else { Ok(None) }
            }
        }
    }

    /// PUT: the whole object is the client's.
    pub(super) async fn replace(&mut self, mut object: Value) -> Result<(Value, StatusCode), ApiError> {
        let resource = self.resource.clone();
        let name = self.name.clone().unwrap_or_default();
        self.take_namespace(&mut object)?;
        if meta::name(&object).is_empty() {
            meta::set(&mut object, "name", name.as_str());
        }
        if meta::name(&object) != name {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({name})",
                meta::name(&object)
            )));
        }
        let given = meta::text(&object, "resourceVersion").to_owned();
        // Who names a revision has read it.
        let exists = !given.is_empty() || self.api.objects.store.get(&self.key(&name)).await?.0.is_some();
        let creates_on_update = resource.builtin.is_some_and(|kind| kind.put_creates);
        if !exists && creates_on_update && self.part == Part::Main {
            let created = self.create(object).await?;
            return Ok((created, StatusCode::CREATED));
        }
        if exists && given.is_empty() && resource.custom.is_some() {
            let error = FieldError::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
            return Err(ApiError::invalid(&resource, &name, &[error]));
        }
        self.check_fields(&mut object)?;
        defaults::apply(&resource.kind, &mut object);
        let updated = self
            .update(|current| {
                let uid = meta::text(&object, "uid");
                if !uid.is_empty() && uid != meta::text(current, "uid") {
                    return Err(ApiError::conflict(
                        &resource,
                        &name,
                        &format!(
                            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                            meta::text(current, "uid")
                        ),
                    ));
                }
                Ok(Change::To(object.clone()))
            })
            .await?;
        Ok((updated, StatusCode::OK))
    }

    /// Reads, lets `change` say what it becomes, checks, and writes; again on what is newer if somebody
    /// was faster and the client did not insist on a revision.
    pub(super) async fn update(
        &mut self,
        change: impl FnMut(&Value) -> Result<Change, ApiError>,
    ) -> Result<Value, ApiError> {
        let mut updated = self.store_changed(change).await?;
        defaults::on_read(&mut updated);
        validate::as_go_reads_it(&mut updated);
        Ok(updated)
    }

    async fn store_changed(
        &mut self,
        mut change: impl FnMut(&Value) -> Result<Change, ApiError>,
    ) -> Result<Value, ApiError> {
        let resource = self.resource.clone();
        let name = self.name.clone().unwrap_or_default();
        let key = self.key(&name);
        let mut stored =
            self.api.objects.store.get(&key).await?.0.ok_or_else(|| ApiError::not_found(&resource, &name))?;
        for _ in 0..RETRIES {
            let old = self.api.objects.read(&resource, &stored).await?;
            let (mut new, applied) = match change(&old)? {
                Change::To(new) => (new, false),
                Change::Applied(new) => (new, true),
            };
            let given = meta::text(&new, "resourceVersion").to_owned();
            if !given.is_empty() && given != "0" && given != stored.revision.to_string() {
                return Err(ApiError::modified(&resource, &name));
            }
            self.keep_what_is_kept(&old, &mut new)?;
            validate::as_go_holds_it(&mut new);
            if self.part != Part::All {
                defaults::apply(&resource.kind, &mut new);
                admission::prepare_update(&resource, &old, &mut new);
            }
            validate::as_go_prints_it(&mut new);
            if !applied && self.options.manager != managed::NOBODY {
                managed::on_update(&resource, Some(&old), &mut new, &self.options.manager, self.subresource());
            }
            if self.part != Part::All {
                admission::on_update(&self.api, &resource, &old, &mut new, &mut self.warnings).await?;
                self.mutate(Some(&old), &mut new).await?;
                authorize::check_escalation(&self.api.objects, &self.call.user, &resource, Some(&old), &new).await?;
                self.validate_update(&old, &new).await?;
                self.review(Some(&old), Some(&new)).await?;
            }
            self.count_generation(&old, &mut new);
            if same(&old, &new) {
                return Ok(old);
            }
            if self.options.dry_run {
                return Box::pin(self.as_if_kept(&key, new)).await;
            }
            let gone = meta::is_terminating(&new) && finished(&resource, &new);
            let mut kept = None;
            let written = if gone {
                self.api.objects.store.delete_if(&key, stored.revision).await?
            } else {
                let bytes = self.api.objects.bytes(&resource, &new).await?;
                kept = objects::is_converted(&resource).then(|| bytes.clone());
                self.api.objects.store.put_if(&key, stored.revision, bytes, stored.lease).await?
            };
            match written {
                Written::At(revision) => {
                    meta::set_resource_version(&mut new, revision);
                    let new = Box::pin(self.as_kept(&key, revision, kept, new)).await?;
                    self.api.policies.changed(&resource);
                    admission::after_update(&self.api, &resource, &new, gone).await?;
                    return Ok(new);
                }
                Written::Stale(None) => return Err(ApiError::not_found(&resource, &name)),
                Written::Stale(Some(newer)) => {
                    // Our own retry would overwrite what the client has not seen.
                    if !given.is_empty() && given != "0" && self.is_put() {
                        return Err(ApiError::modified(&resource, &name));
                    }
                    stored = newer;
                }
            }
        }
        Err(ApiError::modified(&resource, &name))
    }

    /// What was written as it is read again: the stored version may know less of it, or more.
    async fn as_kept(
        &self,
        key: &str,
        revision: i64,
        kept: Option<Vec<u8>>,
        written: Value,
    ) -> Result<Value, ApiError> {
        let Some(value) = kept else { return Ok(written) };
        let stored = Stored { key: key.to_owned(), value, revision, lease: 0 };
        self.api.objects.read(&self.resource, &stored).await
    }

    /// The same of a write that only shows what would come of it.
    async fn as_if_kept(&self, key: &str, written: Value) -> Result<Value, ApiError> {
        if !objects::is_converted(&self.resource) {
            return Ok(written);
        }
        let version = written["metadata"].get("resourceVersion").cloned();
        let kept = self.api.objects.bytes(&self.resource, &written).await?;
        let mut shown = self.as_kept(key, 0, Some(kept), written).await?;
        match version {
            Some(version) => meta::set(&mut shown, "resourceVersion", version),
            None => {
                meta::remove(&mut shown, "resourceVersion");
            }
        }
        Ok(shown)
    }

    fn is_put(&self) -> bool {
        self.call.method == http::Method::PUT
    }

    pub(super) fn subresource(&self) -> &'static str {
        match self.part {
            Part::Status => "status",
            Part::EphemeralContainers => "ephemeralcontainers",
            Part::Approval => "approval",
            Part::Main if self.call.path.subresource.as_deref() == Some("scale") => "scale",
            Part::Main | Part::All => "",
        }
    }

    /// What the cluster's own policies and webhooks make of it.
    async fn mutate(&mut self, old: Option<&Value>, object: &mut Value) -> Result<(), ApiError> {
        let review = admission::policies::Review {
            user: &self.call.user,
            resource: &self.resource,
            subresource: self.subresource(),
            old,
            new: None,
            dry_run: self.options.dry_run,
            connects: None,
        };
        let by_policies = Box::pin(admission::policies::mutate(&self.api, &review, object, false)).await?;
        let by_webhooks = Box::pin(admission::webhooks::mutate(&self.api, &review, object, &mut self.warnings)).await?;
        if by_webhooks {
            Box::pin(admission::policies::mutate(&self.api, &review, object, true)).await?;
        }
        if old.is_none() && (by_policies || by_webhooks) {
            let (resource, namespace) = (&self.resource, self.namespace.as_deref());
            Box::pin(admission::on_changed(&self.api, resource, namespace, object, &mut self.warnings)).await?;
        }
        Ok(())
    }

    /// Whether the cluster's own policies and webhooks allow it.
    async fn review(&mut self, old: Option<&Value>, new: Option<&Value>) -> Result<(), ApiError> {
        let review = admission::policies::Review {
            user: &self.call.user,
            resource: &self.resource,
            subresource: self.subresource(),
            old,
            new,
            dry_run: self.options.dry_run,
            connects: None,
        };
        // On the heap: most writes have nothing to be checked.
        Box::pin(admission::policies::check(&self.api, &review, &mut self.warnings)).await?;
        Box::pin(admission::webhooks::check(&self.api, &review, &mut self.warnings)).await
    }

    fn take_namespace(&self, object: &mut Value) -> Result<(), ApiError> {
        let given = meta::namespace(object).to_owned();
        match &self.namespace {
            Some(namespace) if given.is_empty() => meta::set(object, "namespace", namespace.as_str()),
            Some(namespace) if given != *namespace => {
                return Err(ApiError::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
            Some(_) => {}
            None if self.resource.namespaced => {
                return Err(ApiError::bad_request("an empty namespace may not be set during creation"));
            }
            None => {
                meta::remove(object, "namespace");
            }
        }
        Ok(())
    }
}

/// Whether a terminating object has nothing left to wait for.
pub(super) fn finished(resource: &Resource, object: &Value) -> bool {
    let own = object.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let grace = object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    meta::finalizers(object).is_empty() && !(resource.is(names::NAMESPACES) && own) && grace == 0
}

impl Api {
    /// Events vanish after an hour, as on a cluster; many share a lease.
    async fn events_lease(&self) -> Result<i64, ApiError> {
        const HOUR: i64 = 3600;
        const SHARED_FOR: std::time::Duration = std::time::Duration::from_secs(60);
        let mut lease = self.events_lease.lock().await;
        if let Some((id, since)) = *lease
            && since.elapsed() < SHARED_FOR
        {
            return Ok(id);
        }
        let id = self.objects.store.lease(HOUR + 60).await?;
        *lease = Some((id, std::time::Instant::now()));
        Ok(id)
    }
}
