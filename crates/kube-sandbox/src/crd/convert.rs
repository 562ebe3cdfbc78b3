//! A definition as v1 shows it, and as v1beta1, which is what etcd holds.

use serde_json::{Map, Value, json};

/// What v1beta1 has once for all versions and v1 has in each.
const PER_VERSION: &[(&str, &str)] = &[
    ("validation", "schema"),
    ("subresources", "subresources"),
    ("additionalPrinterColumns", "additionalPrinterColumns"),
    ("selectableFields", "selectableFields"),
];

pub fn to_v1beta1(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let versions = spec.get_mut("versions").and_then(Value::as_array_mut);
    let mut lifted = Map::new();
    if let Some(versions) = versions {
        for version in versions.iter_mut() {
            rename_columns(version, "jsonPath", "JSONPath");
        }
        for (beta, v1) in PER_VERSION {
            let first = versions.first().and_then(|version| version.get(*v1)).cloned();
            let Some(first) = first else { continue };
            // What all versions have alike is lifted, as the conversion in Kubernetes does.
            if versions.iter().all(|version| version.get(*v1) == Some(&first)) {
                for version in versions.iter_mut() {
                    version.as_object_mut().map(|version| version.remove(*v1));
                }
                lifted.insert((*beta).to_owned(), first);
            }
        }
        if let Some(name) = versions.first().and_then(|version| version.get("name")).cloned() {
            lifted.insert("version".into(), name);
        }
    }
    spec.extend(lifted);
    if let Some(conversion) = spec.get_mut("conversion").and_then(Value::as_object_mut)
        && let Some(Value::Object(webhook)) = conversion.remove("webhook")
    {
        for (from, to) in
            [("clientConfig", "webhookClientConfig"), ("conversionReviewVersions", "conversionReviewVersions")]
        {
            if let Some(value) = webhook.get(from) {
                conversion.insert(to.into(), value.clone());
            }
        }
    }
    spec.entry("preserveUnknownFields").or_insert(json!(false));
    let status = object.as_object_mut().map(|map| map.entry("status").or_insert_with(|| json!({})));
    if let Some(status) = status.and_then(Value::as_object_mut) {
        status.entry("conditions").or_insert(Value::Null);
        status.entry("acceptedNames").or_insert_with(|| json!({"plural": "", "kind": ""}));
        status.entry("storedVersions").or_insert(Value::Null);
    }
}

pub fn to_v1(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    spec.remove("version");
    for (beta, v1) in PER_VERSION {
        let Some(shared) = spec.remove(*beta) else { continue };
        for version in spec.get_mut("versions").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(version) = version.as_object_mut() {
                version.entry(*v1).or_insert_with(|| shared.clone());
            }
        }
    }
    for version in spec.get_mut("versions").and_then(Value::as_array_mut).into_iter().flatten() {
        rename_columns(version, "JSONPath", "jsonPath");
    }
    if let Some(conversion) = spec.get_mut("conversion").and_then(Value::as_object_mut)
        && let Some(config) = conversion.remove("webhookClientConfig")
    {
        let versions = conversion.remove("conversionReviewVersions").unwrap_or(Value::Null);
        conversion.insert("webhook".into(), json!({"clientConfig": config, "conversionReviewVersions": versions}));
    }
    if spec.get("preserveUnknownFields") == Some(&json!(false)) {
        spec.remove("preserveUnknownFields");
    }
}

fn rename_columns(version: &mut Value, from: &str, to: &str) {
    for column in version.get_mut("additionalPrinterColumns").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(column) = column.as_object_mut()
            && let Some(path) = column.remove(from)
        {
            column.insert(to.into(), path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_comes_back_from_its_stored_form() {
        let v1 = json!({"spec": {
            "group": "example.com",
            "conversion": {"strategy": "None"},
            "versions": [
                {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}},
                 "additionalPrinterColumns": [{"name": "Spec", "type": "string", "jsonPath": ".spec.x"}]},
                {"name": "v2", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "string"}}},
            ],
        }, "status": {"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": ["v1"]}});
        let mut object = v1.clone();
        to_v1beta1(&mut object);
        assert_eq!(object.pointer("/spec/version"), Some(&json!("v1")));
        assert_eq!(object.pointer("/spec/versions/0/additionalPrinterColumns/0/JSONPath"), Some(&json!(".spec.x")));
        assert_eq!(object.pointer("/spec/validation"), None, "the versions differ, so nothing is lifted");
        to_v1(&mut object);
        assert_eq!(object, v1);
    }

    #[test]
    fn one_schema_is_lifted_as_the_recording_has_it() {
        let mut object =
            json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
        to_v1beta1(&mut object);
        assert_eq!(
            object["spec"],
            json!({"preserveUnknownFields": false, "validation": {"openAPIV3Schema": {"type": "object"}},
                   "version": "v1", "versions": [{"name": "v1"}]})
        );
    }
}
