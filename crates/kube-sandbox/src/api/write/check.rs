//! Whether an object may be stored: fields that its kind has, and the rules that it must keep.

use std::sync::Arc;

use serde_json::Value;

use super::{Part, Write};
use crate::api::admission::policies::on_pool;
use crate::api::fields::check_unknown;
use crate::cel::rules::budget;
use crate::object::field_error::FieldError;
use crate::object::meta;
use crate::resource::Resource;
use crate::resource::custom::CustomVersion;
use crate::status::ApiError;
use crate::{crd, validate};
use kube_etcd_codec::names;

impl Write {
    /// Finds fields that the schema does not know, and drops them as storing would.
    pub(super) fn check_fields(&mut self, object: &mut Value) -> Result<(), ApiError> {
        let duplicates = std::mem::take(&mut self.duplicates);
        check_unknown(&self.resource, object, self.options.validation, duplicates, &mut self.warnings)?;
        if self.resource.custom.is_some() {
            self.warnings.extend(validate::finalizer_warnings(object));
        }
        if self.resource.is(names::DEFINITIONS) {
            let formats = crd::defaults::unknown_formats(object);
            self.warnings.extend(formats.iter().map(|format| format!("unrecognized format \"{format}\"")));
        }
        Ok(())
    }

    pub(super) async fn validate_create(&self, object: &Value) -> Result<(), ApiError> {
        let name = meta::name(object);
        let errors = match &self.resource.custom {
            Some(custom) => custom_errors(&self.resource, custom, object, None).await?,
            None if has_expressions(&self.resource) => {
                let (kind, object) = (self.resource.kind.clone(), object.clone());
                on_pool(move |_| {
                    let wrong = validate::create(&kind, &object).err();
                    wrong.unwrap_or_else(|| crd::defaults::problems(&kind, &object))
                })
                .await?
            }
            None => validate::create(&self.resource.kind, object).err().unwrap_or_default(),
        };
        if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(&self.resource, name, &errors)) }
    }

    pub(super) async fn validate_update(&self, old: &Value, new: &Value) -> Result<(), ApiError> {
        let errors = match &self.resource.custom {
            Some(custom) => custom_errors(&self.resource, custom, new, Some(old)).await?,
            // Nothing else of the pod can have changed.
            None if self.part == Part::EphemeralContainers => {
                let mut errors = validate::create(&self.resource.kind, new).err().unwrap_or_default();
                errors.retain(|error| error.field != "spec.ephemeralContainers");
                errors
            }
            None if has_expressions(&self.resource) => {
                let (kind, old, new) = (self.resource.kind.clone(), old.clone(), new.clone());
                on_pool(move |_| {
                    let wrong = validate::update(&kind, &old, &new).err();
                    // What was wrong before is borne.
                    let known = || crd::defaults::problems(&kind, &old);
                    wrong.unwrap_or_else(|| {
                        let mut wrong = crd::defaults::problems(&kind, &new);
                        if !wrong.is_empty() {
                            let known = known();
                            wrong.retain(|one| !known.contains(one));
                        }
                        wrong
                    })
                })
                .await?
            }
            None => validate::update(&self.resource.kind, old, new).err().unwrap_or_default(),
        };
        if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(&self.resource, meta::name(old), &errors)) }
    }
}

/// Whether the object's own expressions have to be compiled to validate it.
fn has_expressions(resource: &Resource) -> bool {
    let kinds = [
        "CustomResourceDefinition",
        "ValidatingAdmissionPolicy",
        "MutatingAdmissionPolicy",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
    ];
    kinds.contains(&resource.kind.as_str())
}

/// What is wrong with a custom resource. Its rules are evaluated away from the threads that serve requests.
async fn custom_errors(
    resource: &Resource,
    custom: &Arc<CustomVersion>,
    object: &Value,
    old: Option<&Value>,
) -> Result<Vec<FieldError>, ApiError> {
    let also = crd::scale::problems(resource, object);
    if !custom.has_rules {
        return Ok(crd::schema::validate_object(&custom.schema, None, object, old, also, budget()));
    }
    let (custom, object, old) = (Arc::clone(custom), object.clone(), old.cloned());
    on_pool(move |stop| {
        let budget = budget().stopped_by(stop);
        crd::schema::validate_object(&custom.schema, custom.rules(), &object, old.as_ref(), also, budget)
    })
    .await
}
