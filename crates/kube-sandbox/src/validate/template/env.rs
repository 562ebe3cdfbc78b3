//! A container's environment.

use serde_json::{Value, json};

use super::super::errors::Errors;
use super::super::rules;
use super::limits;
use crate::object::{list, names, text};

const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

pub(super) fn check(variables: &[Value], field: &str, errors: &mut Errors) {
    for (at, variable) in variables.iter().enumerate() {
        let here = format!("{field}[{at}]");
        let name = text(variable, "name");
        if name.is_empty() {
            errors.required(format!("{here}.name"), "");
        } else {
            errors.all_invalid(&format!("{here}.name"), name, names::environment_name(name));
        }
        if let Some(from) = variable.get("valueFrom").filter(|from| !from.is_null()) {
            value_from(variable, from, &format!("{here}.valueFrom"), errors);
        }
    }
}

fn value_from(variable: &Value, from: &Value, field: &str, errors: &mut Errors) {
    let mut sources = 0;
    let mut given = |kind: &str| {
        let one = from.get(kind).filter(|one| !one.is_null());
        sources += usize::from(one.is_some());
        one
    };
    if let Some(source) = given("fieldRef") {
        field_ref(source, &FIELDS, &format!("{field}.fieldRef"), errors);
    }
    if let Some(source) = given("resourceFieldRef") {
        resource_ref(source, false, &format!("{field}.resourceFieldRef"), errors);
    }
    for kind in ["configMapKeyRef", "secretKeyRef"] {
        if let Some(source) = given(kind) {
            let here = format!("{field}.{kind}");
            let (name, key) = (text(source, "name"), text(source, "key"));
            errors.all_invalid(&format!("{here}.name"), name, names::dns_subdomain(name));
            if key.is_empty() {
                errors.required(format!("{here}.key"), "");
            } else {
                errors.all_invalid(&format!("{here}.key"), key, names::config_key(key));
            }
        }
    }
    given("fileKeyRef");
    let why = match sources {
        0 => "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        _ if !text(variable, "value").is_empty() => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.invalid(field, &json!(""), why);
}

/// A field of the pod itself.
pub(super) fn field_ref(source: &Value, known: &[&str], field: &str, errors: &mut Errors) {
    let path = text(source, "fieldPath");
    if path.is_empty() {
        return errors.required(format!("{field}.fieldPath"), "");
    }
    let here = format!("{field}.fieldPath");
    if let Some((map, key)) = path.strip_suffix("']").and_then(|start| start.split_once("['")) {
        match map {
            "metadata.annotations" => errors.all_invalid(field, key, names::qualified_name(&key.to_lowercase())),
            "metadata.labels" => errors.all_invalid(field, key, names::qualified_name(key)),
            _ => {
                let why = format!("error converting fieldPath: field label does not support subscript: {path}");
                errors.invalid(here, &json!(path), &why);
            }
        }
        return;
    }
    let labels =
        ["metadata.annotations", "metadata.labels", "status.phase", "spec.restartPolicy", "spec.schedulerName"];
    if known.contains(&path) {
        return;
    }
    if FIELDS.contains(&path) || labels.contains(&path) {
        errors.unsupported(here, &json!(path), known);
    } else {
        let why = format!("error converting fieldPath: field label not supported: {path}");
        errors.invalid(here, &json!(path), &why);
    }
}

/// What the container asks for, or may have at most.
pub(super) fn resource_ref(source: &Value, in_volume: bool, field: &str, errors: &mut Errors) {
    let resource = text(source, "resource");
    let huge = resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-");
    if in_volume && text(source, "containerName").is_empty() {
        errors.required(format!("{field}.containerName"), "");
    } else if resource.is_empty() {
        errors.required(format!("{field}.resource"), "");
    } else if !RESOURCES.contains(&resource) && !huge {
        errors.unsupported(format!("{field}.resource"), &json!(resource), &RESOURCES);
    }
    let divisor = source.get("divisor").map(limits::shown).unwrap_or_default();
    if matches!(divisor.as_str(), "" | "0") {
        return;
    }
    let (allowed, what): (&[&str], &str) = match resource.split_once('.').map(|(_, name)| name) {
        Some("cpu") => (&["1m", "1"], "values 1m and 1 are supported with the cpu resource"),
        Some("memory") => (SIZES, SIZES_OF_MEMORY),
        Some("ephemeral-storage") => (SIZES, SIZES_OF_STORAGE),
        _ => return,
    };
    if !allowed.contains(&divisor.as_str()) {
        errors.invalid(format!("{field}.divisor"), &json!(resource), &format!("only divisor's {what}"));
    }
}

const SIZES: &[&str] = &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
const SIZES_OF_MEMORY: &str =
    "values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource";
const SIZES_OF_STORAGE: &str = "values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the local ephemeral storage resource";

pub(super) fn from(sources: &[Value], field: &str, errors: &mut Errors) {
    for (at, source) in sources.iter().enumerate() {
        let here = format!("{field}[{at}]");
        let prefix = text(source, "prefix");
        if !prefix.is_empty() {
            errors.all_invalid(&format!("{here}.prefix"), prefix, names::environment_name(prefix));
        }
        let mut given = 0;
        for kind in ["configMapRef", "secretRef"] {
            let Some(one) = source.get(kind).filter(|one| one.is_object()) else { continue };
            given += 1;
            let name = text(one, "name");
            if name.is_empty() {
                errors.required(format!("{here}.{kind}.name"), "");
            } else {
                errors.all_invalid(&format!("{here}.{kind}.name"), name, names::dns_subdomain(name));
            }
        }
        // Said of the whole list, as Kubernetes says it.
        match given {
            0 => errors.invalid(field, &json!(""), "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => errors.invalid(field, &json!(""), "may not have more than one field specified at a time"),
        }
    }
}

/// The files of a downward API volume.
pub(super) fn downward_file(file: &Value, field: &str, errors: &mut Errors) {
    const IN_FILES: [&str; 5] =
        ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
    let path = text(file, "path");
    if path.is_empty() {
        errors.required(format!("{field}.path"), "");
    }
    rules::own_path(&format!("{field}.path"), path, errors);
    let given = |kind: &str| file.get(kind).filter(|one| one.is_object());
    match (given("fieldRef"), given("resourceFieldRef")) {
        (Some(source), other) => {
            field_ref(source, &IN_FILES, &format!("{field}.fieldRef"), errors);
            if other.is_some() {
                let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.invalid(field, &json!("resource"), why);
            }
        }
        (None, Some(source)) => resource_ref(source, true, &format!("{field}.resourceFieldRef"), errors),
        (None, None) => errors.required(field, "one of fieldRef and resourceFieldRef is required"),
    }
    rules::file_mode(&format!("{field}.mode"), file.get("mode"), errors);
}

pub(super) fn downward(source: &Value, field: &str, errors: &mut Errors) {
    rules::file_mode(&format!("{field}.defaultMode"), source.get("defaultMode"), errors);
    for file in list(source, "items") {
        downward_file(file, field, errors);
    }
}
