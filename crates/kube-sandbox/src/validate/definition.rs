//! Definitions of custom resources.

use serde_json::{Value, json};

use super::errors::{Errors, IMMUTABLE};
use super::{hook, internal, structural};
use crate::object::{list, names, text};

pub(super) fn definition(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    let names = &spec["names"];
    let name = text(&object["metadata"], "name");
    let (group, plural) = (text(spec, "group"), text(names, "plural"));
    if name != format!("{plural}.{group}") {
        errors.invalid("metadata.name", &json!(name), "must be spec.names.plural+\".\"+spec.group");
    }
    if old.is_none() {
        approved(object, group, errors);
    }
    if group.is_empty() {
        errors.required("spec.group", "");
    } else {
        errors.all_invalid("spec.group", group, names::dns_subdomain(group));
        if !group.contains('.') {
            errors.invalid("spec.group", &json!(group), "should be a domain with at least one dot");
        }
    }
    if text(spec, "scope").is_empty() {
        errors.required("spec.scope", "");
    } else {
        errors.one_of("spec.scope", &spec["scope"], &["Cluster", "Namespaced"]);
    }
    if spec["preserveUnknownFields"] == true {
        let why =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.invalid("spec.preserveUnknownFields", &json!(true), why);
    }
    versions(spec, errors);
    for part in ["plural", "singular"] {
        let name = text(names, part);
        let here = format!("spec.names.{part}");
        if name.is_empty() {
            errors.required(here, "");
        } else {
            errors.all_invalid(&here, name, names::dns_1035_label(name));
        }
    }
    for part in ["kind", "listKind"] {
        let name = text(names, part);
        let here = format!("spec.names.{part}");
        if name.is_empty() {
            errors.required(here, "");
        } else {
            let mixed = |why: String| format!("may have mixed case, but should otherwise match: {why}");
            let wrong = names::dns_1035_label(&name.to_lowercase()).into_iter().map(mixed).collect();
            errors.all_invalid(&here, name, wrong);
        }
    }
    if !text(names, "kind").is_empty() && names["kind"] == names["listKind"] {
        errors.invalid("spec.names.listKind", &names["listKind"], "kind and listKind may not be the same");
    }
    for part in ["shortNames", "categories"] {
        for (at, name) in list(names, part).iter().filter_map(Value::as_str).enumerate() {
            errors.all_invalid(&format!("spec.names.{part}[{at}]"), name, names::dns_1035_label(name));
        }
    }
    conversion(&spec["conversion"], errors);
    stored(object, errors);
    if let Some(old) = old
        && list(&old["status"], "conditions").iter().any(|one| one["type"] == "Established" && one["status"] == "True")
    {
        for (field, pointer) in [("spec.group", "/spec/group"), ("spec.scope", "/spec/scope")] {
            errors.unchanged(field, pointer, old, object);
        }
        for part in ["kind", "plural"] {
            if old["spec"]["names"][part] != names[part] {
                errors.invalid(format!("spec.names.{part}"), &names[part], IMMUTABLE);
            }
        }
    }
}

/// Groups of Kubernetes' own are not for everybody.
fn approved(object: &Value, group: &str, errors: &mut Errors) {
    const KEY: &str = "api-approved.kubernetes.io";
    let is_own = ["k8s.io", "kubernetes.io"].iter().any(|own| group == *own || group.ends_with(&format!(".{own}")));
    if is_own && text(&object["metadata"]["annotations"], KEY).is_empty() {
        let why = format!(
            "protected groups must have approval annotation \"{KEY}\", see https://github.com/kubernetes/enhancements/pull/1111"
        );
        errors.required(format!("metadata.annotations[{KEY}]"), &why);
    }
}

/// As it is stored, one schema for all versions stands above them.
fn schema_of<'d>(spec: &'d Value, version: &'d Value) -> Option<&'d Value> {
    let own = version.pointer("/schema/openAPIV3Schema").or_else(|| spec.pointer("/validation/openAPIV3Schema"));
    own.filter(|schema| schema.is_object())
}

/// The places at which messages name what every version has the same, or each its own; and what stands there.
fn each<'d>(spec: &'d Value, part: &str, above: &str) -> Vec<(String, &'d Value)> {
    let versions = list(spec, "versions");
    if versions.windows(2).all(|two| two[0].get(part) == two[1].get(part)) {
        return versions.first().map(|first| (format!("spec.{above}"), first)).into_iter().collect();
    }
    versions.iter().enumerate().map(|(at, version)| (format!("spec.versions[{at}].{part}"), version)).collect()
}

/// The schemas of a definition, with the places at which messages name them.
pub(crate) fn schemas(spec: &Value) -> Vec<(String, &Value)> {
    let each = each(spec, "schema", "validation").into_iter();
    each.filter_map(|(place, version)| Some((format!("{place}.openAPIV3Schema"), schema_of(spec, version)?))).collect()
}

/// Columns, subresources, selectable fields and warnings of the versions.
fn parts(spec: &Value, errors: &mut Errors) {
    const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
    const FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
    for (place, version) in each(spec, "subresources", "subresources") {
        let scale = &version["subresources"]["scale"];
        if !scale.is_object() {
            continue;
        }
        for (name, under) in [("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")] {
            let (path, here) = (text(scale, name), format!("{place}.scale.{name}"));
            if path.is_empty() {
                errors.required(here, "");
            } else if simple_path(path, &here, errors) && !path.starts_with(&format!("{under}.")) {
                errors.invalid(here, &json!(path), &format!("should be a json path under {under}"));
            }
        }
        let (path, here) = (text(scale, "labelSelectorPath"), format!("{place}.scale.labelSelectorPath"));
        if !path.is_empty()
            && simple_path(path, &here, errors)
            && !path.starts_with(".spec.")
            && !path.starts_with(".status.")
        {
            errors.invalid(here, &json!(path), "should be a json path under either .spec or .status");
        }
    }
    for (place, version) in each(spec, "additionalPrinterColumns", "additionalPrinterColumns") {
        for (at, column) in list(version, "additionalPrinterColumns").iter().enumerate() {
            let here = |name: &str| format!("{place}[{at}].{name}");
            if text(column, "name").is_empty() {
                errors.required(here("name"), "");
            }
            match text(column, "type") {
                "" => errors.required(here("type"), &format!("must be one of {}", TYPES.join(","))),
                other if !TYPES.contains(&other) => {
                    errors.invalid(here("type"), &json!(other), &format!("must be one of {}", TYPES.join(",")));
                }
                _ => {}
            }
            let format = text(column, "format");
            if !format.is_empty() && !FORMATS.contains(&format) {
                errors.invalid(here("format"), &json!(format), &format!("must be one of {}", FORMATS.join(",")));
            }
            match text(column, "jsonPath") {
                "" => errors.required(here("JSONPath"), ""),
                path => drop(simple_path(path, &here("JSONPath"), errors)),
            }
        }
    }
    for (at, version) in list(spec, "versions").iter().enumerate() {
        let here = format!("spec.versions[{at}].deprecationWarning");
        let Some(warning) = version.get("deprecationWarning").filter(|one| !one.is_null()) else { continue };
        if version["deprecated"] != true {
            errors.invalid(here, warning, "can only be set for deprecated versions");
        } else if text(version, "deprecationWarning").is_empty() {
            errors.invalid(here, warning, "must not be an empty string");
        } else if text(version, "deprecationWarning").len() > 256 {
            errors.invalid(here, warning, "must be <= 256 characters long");
        }
    }
}

fn simple_path(path: &str, field: &str, errors: &mut Errors) -> bool {
    if !path.starts_with('.') {
        errors.invalid(field, &json!(path), "must be a simple json path starting with .");
    }
    path.starts_with('.')
}

fn versions(spec: &Value, errors: &mut Errors) {
    let versions = list(spec, "versions");
    for (at, version) in versions.iter().enumerate() {
        let name = text(version, "name");
        errors.all_invalid(&format!("spec.versions[{at}].name"), name, names::dns_1035_label(name));
        if schema_of(spec, version).is_none() {
            errors.required(format!("spec.versions[{at}].schema.openAPIV3Schema"), "");
        }
    }
    for (field, schema) in schemas(spec) {
        structural::root(schema, &field, errors);
    }
    parts(spec, errors);
    let shown = || {
        let bare = versions.iter().map(|version| {
            let mut version = version.clone();
            for part in ["schema", "subresources", "additionalPrinterColumns", "selectableFields"] {
                version.as_object_mut().map(|version| version.remove(part));
            }
            internal::text("CustomResourceDefinitionVersion", &version)
        });
        if versions.is_empty() { "null".to_owned() } else { format!("[{}]", bare.collect::<Vec<_>>().join(",")) }
    };
    let mut names: Vec<&str> = versions.iter().map(|version| text(version, "name")).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two[0] == two[1]) {
        errors.invalid_text("spec.versions", &shown(), "must contain unique version names");
    }
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        errors.invalid_text("spec.versions", &shown(), "must have exactly one version marked as storage version");
    }
}

fn conversion(conversion: &Value, errors: &mut Errors) {
    const CONFIG: &str = "spec.conversion.webhookClientConfig";
    const VERSIONS: &str = "spec.conversion.conversionReviewVersions";
    let config = &conversion["webhook"]["clientConfig"];
    let versions = list(&conversion["webhook"], "conversionReviewVersions");
    if !conversion["strategy"].is_null() {
        errors.one_of("spec.conversion.strategy", &conversion["strategy"], &["None", "Webhook"]);
    }
    if conversion["strategy"] != "Webhook" {
        let why = "should not be set when strategy is not set to Webhook";
        if !config.is_null() {
            errors.forbidden(CONFIG, why);
        }
        if !versions.is_empty() {
            errors.forbidden(VERSIONS, why);
        }
        return;
    }
    if config.is_null() {
        errors.required(CONFIG, "required when strategy is set to Webhook");
    } else {
        hook::place(config, CONFIG, errors);
        hook::bundle(config, CONFIG, errors);
    }
    if versions.is_empty() {
        errors.required(VERSIONS, "");
        return;
    }
    for (at, version) in versions.iter().enumerate() {
        let here = format!("{VERSIONS}[{at}]");
        if versions[..at].contains(version) {
            errors.invalid(here, version, "duplicate version");
        } else {
            let version = version.as_str().unwrap_or_default();
            errors.all_invalid(&here, version, names::dns_1035_label(version));
        }
    }
    if !versions.iter().any(|version| version == "v1" || version == "v1beta1") {
        errors.invalid(VERSIONS, &json!(versions), "must include at least one of v1, v1beta1");
    }
}

/// Versions that objects may still be stored in.
fn stored(object: &Value, errors: &mut Errors) {
    let held = list(&object["status"], "storedVersions");
    let versions = list(&object["spec"], "versions");
    if held.is_empty() {
        errors.invalid("status.storedVersions", &Value::Null, "must have at least one stored version");
        return;
    }
    for (at, name) in held.iter().enumerate() {
        if versions.iter().all(|version| version["name"] != *name) {
            let name = name.as_str().unwrap_or_default();
            let why = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            errors.invalid(format!("status.storedVersions[{at}]"), &json!(name), &why);
        }
    }
}
