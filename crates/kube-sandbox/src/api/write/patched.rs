//! Patches of every type, apply among them.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Change, Part, Write};
use crate::api::fields::{check_known, check_unknown};
use crate::api::{managed, patch};
use crate::object::field_error::FieldError;
use crate::object::meta;
use crate::request::FieldValidation;
use crate::resource::Resource;
use crate::status::ApiError;

impl Write {
    pub(in crate::api) async fn patch(&mut self, content: &str, body: &[u8]) -> Result<(Value, StatusCode), ApiError> {
        let resource = self.resource.clone();
        let name = self.name.clone().unwrap_or_default();
        let patch::Parsed { patch, duplicates } = patch::Patch::parse(&resource, content, body)?;
        self.duplicates = duplicates;
        if let patch::Patch::Apply(configuration) = &patch {
            managed::check(&resource, self.namespace.as_deref(), configuration)?;
            let exists = self.api.objects.store.get(&self.key(&name)).await?.0.is_some();
            if !exists && self.part == Part::Main {
                if !meta::text(configuration, "uid").is_empty() {
                    return Err(ApiError::not_found(&resource, &name));
                }
                let mut object = configuration.clone();
                meta::remove(&mut object, "managedFields");
                self.check_fields(&mut object)?;
                managed::on_apply_create(&resource, &mut object, configuration, &self.options.manager);
                let created = self.create(object).await?;
                return Ok((created, StatusCode::CREATED));
            }
        }
        let (manager, force, subresource) = (self.options.manager.clone(), self.options.force, self.subresource());
        let mut checked = (false, Vec::new());
        let mut duplicates = std::mem::take(&mut self.duplicates);
        let validation = self.options.validation;
        let updated = self
            .update(|current| {
                let mut patched = match &patch {
                    patch::Patch::Apply(configuration) => {
                        let mut configuration = configuration.clone();
                        if !std::mem::replace(&mut checked.0, true) {
                            let twice = std::mem::take(&mut duplicates);
                            check_known(&resource, &mut configuration, validation, twice, &mut checked.1)?;
                        }
                        return managed::apply(&resource, current, &configuration, &manager, force, subresource)
                            .map(Change::Applied);
                    }
                    other => other.apply(&resource, current)?,
                };
                identity(&resource, current, &patched)?;
                let again = std::mem::replace(&mut checked.0, true);
                let validation = if again { FieldValidation::Ignore } else { validation };
                let mut said = Vec::new();
                check_unknown(&resource, &mut patched, validation, std::mem::take(&mut duplicates), &mut said)
                    .map_err(|error| patch::refused(&patch, &patched, error))?;
                checked.1.append(&mut said);
                if meta::name(&patched).is_empty() {
                    return Err(ApiError::bad_request(format!(
                        "the name of the object ({name} based on URL) was undeterminable: name must be provided"
                    )));
                }
                if meta::name(&patched) != name {
                    return Err(ApiError::bad_request(format!(
                        "the name of the object ({}) does not match the name on the URL ({name})",
                        meta::name(&patched)
                    )));
                }
                Ok(Change::To(patched))
            })
            .await;
        self.warnings.append(&mut checked.1);
        Ok((updated?, StatusCode::OK))
    }
}

/// A patch may not make another object of it.
fn identity(resource: &Resource, current: &Value, patched: &Value) -> Result<(), ApiError> {
    let given = meta::namespace(patched);
    if resource.namespaced && !given.is_empty() && given != meta::namespace(current) {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let uid = meta::text(patched, "uid");
    if !uid.is_empty() && uid != meta::text(current, "uid") {
        let error = FieldError::invalid("metadata.uid", &json!(uid), "field is immutable");
        return Err(ApiError::invalid(resource, meta::name(current), &[error]));
    }
    Ok(())
}
