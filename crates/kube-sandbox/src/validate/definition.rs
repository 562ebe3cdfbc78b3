//! Definitions of custom resources.

use serde_json::{Value, json};

use super::errors::{Errors, IMMUTABLE};
use super::{hook, internal};
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

fn versions(spec: &Value, errors: &mut Errors) {
    let versions = list(spec, "versions");
    let one_schema = versions.windows(2).all(|two| two[0].get("schema") == two[1].get("schema"));
    for (at, version) in versions.iter().enumerate() {
        let name = text(version, "name");
        errors.all_invalid(&format!("spec.versions[{at}].name"), name, names::dns_1035_label(name));
        let here = if one_schema { "spec.validation".to_owned() } else { format!("spec.versions[{at}].schema") };
        // As it is stored, one schema for all versions stands above them.
        let schema = version.pointer("/schema/openAPIV3Schema").or_else(|| spec.pointer("/validation/openAPIV3Schema"));
        match schema.filter(|schema| schema.is_object()) {
            None => errors.required(format!("spec.versions[{at}].schema.openAPIV3Schema"), ""),
            Some(schema) if !one_schema || at == 0 => root(schema, &format!("{here}.openAPIV3Schema"), errors),
            Some(_) => {}
        }
    }
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

fn root(schema: &Value, field: &str, errors: &mut Errors) {
    match text(schema, "type") {
        "object" => {}
        "" => errors.required(format!("{field}.type"), "must not be empty at the root"),
        other => errors.invalid(format!("{field}.type"), &json!(other), "must be object at the root"),
    }
    let mut wrong = Errors::default();
    structural(schema, field, true, &mut wrong);
    // Rules of a schema that is wrong itself would be told of in ways that help nobody.
    if wrong.is_empty() {
        wrong.extend(crate::cel::rules::problems(schema, field, &|rule| internal::text("ValidationRule", rule)));
    }
    errors.append(wrong);
}

/// What a schema must be for its objects to be pruned and defaulted by it.
fn structural(schema: &Value, field: &str, is_root: bool, errors: &mut Errors) {
    let kind = text(schema, "type");
    let flag = |name: &str| schema[name] == true;
    let untyped = flag("x-kubernetes-int-or-string") || flag("x-kubernetes-preserve-unknown-fields");
    if kind.is_empty() && !untyped && !is_root {
        let what = if field.rsplit('.').next() == Some("items") { "array items" } else { "object fields" };
        errors.required(format!("{field}.type"), &format!("must not be empty for specified {what}"));
    }
    if kind == "array" && schema.get("items").is_none() {
        errors.required(format!("{field}.items"), "must be specified");
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && let Err(error) = regex::Regex::new(pattern)
    {
        let why = error.to_string();
        let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let why = format!("must be a valid regular expression, but isn't: error parsing regexp: {last}");
        errors.invalid(format!("{field}.pattern"), &json!(pattern), &why);
    }
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        structural(inner, &format!("{field}.properties[{name}]"), false, errors);
    }
    for part in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(part).filter(|inner| inner.is_object()) {
            structural(inner, &format!("{field}.{part}"), false, errors);
        }
    }
    let kinds = ["array", "boolean", "integer", "number", "object", "string"];
    if !kind.is_empty() {
        errors.one_of(format!("{field}.type"), &schema["type"], &kinds);
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
