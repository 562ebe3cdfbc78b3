//! What a claim asks for, a template of one within a pod included.

use kube_etcd_codec::quantity;
use serde_json::{Value, json};

use super::super::errors::Errors;
use super::super::rules::label_selector;
use super::limits::shown;
use crate::object::{list, names, text};

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
pub(in crate::validate) fn positive(amount: &Value, field: &str, errors: &mut Errors) {
    if quantity(amount).is_some_and(|amount| amount <= 0.0) {
        errors.invalid(field, &json!(shown(amount)), "must be greater than zero");
    }
}

pub(in crate::validate) fn class_name(spec: &Value, field: &str, errors: &mut Errors) {
    let name = text(spec, "storageClassName");
    if !name.is_empty() {
        errors.all_invalid(&format!("{field}.storageClassName"), name, names::dns_subdomain(name));
    }
}

pub(in crate::validate) fn modes(spec: &Value, none: &str, field: &str, errors: &mut Errors) {
    let modes = list(spec, "accessModes");
    if modes.is_empty() {
        errors.required(format!("{field}.accessModes"), none);
    }
    for mode in modes {
        errors.one_of(format!("{field}.accessModes"), mode, &MODES);
    }
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        let why = "may not use ReadWriteOncePod with other access modes";
        errors.forbidden(format!("{field}.accessModes"), why);
    }
}

/// What a claim and the template of one ask for.
pub(in crate::validate) fn claim_spec(spec: &Value, field: &str, errors: &mut Errors) {
    modes(spec, "at least 1 access mode is required", field, errors);
    label_selector(&spec["selector"], &format!("{field}.selector"), errors);
    match spec.pointer("/resources/requests/storage") {
        Some(amount) => positive(amount, &format!("{field}.resources[storage]"), errors),
        None => errors.required(format!("{field}.resources[storage]"), ""),
    }
    class_name(spec, field, errors);
    errors.one_of(format!("{field}.volumeMode"), &spec["volumeMode"], &["Block", "Filesystem"]);
}
