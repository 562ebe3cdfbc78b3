use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::definitions::KINDS;
use super::*;
use crate::crd;

fn document(group: &str, version: &str) -> Value {
    let all = Resource::builtins();
    let resources: Vec<_> = all.iter().filter(|one| one.group == group && one.version == version).collect();
    document::build(&resources)
}

/// Every reference leads somewhere.
fn check_references(document: &Value, value: &Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(to)) = map.get("$ref") {
                assert!(document.pointer(to.trim_start_matches('#')).is_some(), "{to}");
            }
            map.values().for_each(|value| check_references(document, value));
        }
        Value::Array(items) => items.iter().for_each(|value| check_references(document, value)),
        _ => {}
    }
}

#[test]
fn every_served_kind_has_a_schema_with_descriptions() {
    for resource in Resource::builtins() {
        let document = document(&resource.group, &resource.version);
        check_references(&document, &document);
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let wanted = json!({"group": resource.group, "kind": resource.kind, "version": resource.version});
        let found = schemas.values().find(|schema| schema["x-kubernetes-group-version-kind"][0] == wanted);
        let schema = found.unwrap_or_else(|| panic!("{} has no schema", resource.kind));
        assert!(schema["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", resource.kind);
        let properties = schema["properties"].as_object().unwrap();
        assert!(properties.contains_key("apiVersion") && properties.contains_key("kind"), "{}", resource.kind);
    }
}

#[test]
fn lists_say_how_they_are_merged() {
    let document = document("apps", "v1");
    let schemas = &document["components"]["schemas"];
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    let strategy = &schemas["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["strategy"];
    assert_eq!(strategy["x-kubernetes-patch-strategy"], "retainKeys");
    assert_eq!(schemas["io.k8s.api.core.v1.PodSpec"]["required"], json!(["containers"]));
    let volume = &schemas["io.k8s.api.core.v1.Volume"]["properties"];
    assert!(volume["emptyDir"].is_object(), "inlined structs stand in their parent");
}

/// kubectl looks for the parameter before it trusts the server with validation.
#[test]
fn a_patch_takes_field_validation() {
    let document = document("", "v1");
    let patch = &document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"];
    assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Pod");
    let parameters = patch["parameters"].as_array().unwrap();
    assert!(parameters.iter().any(|one| one["name"] == "fieldValidation" && one["in"] == "query"));
    assert!(document["paths"]["/api/v1/pods"]["get"].is_object());
    assert!(document["paths"]["/api/v1/nodes"]["get"].is_object());
}

#[test]
fn a_custom_kind_is_described_by_its_definition() {
    let definition = json!({
        "metadata": {"name": "crontabs.stable.example.com"},
        "spec": {"group": "stable.example.com", "scope": "Namespaced",
            "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "properties": {"spec": {"type": "object", "properties": {"cronSpec": {"type": "string"}}}}}}}]},
        "status": {"acceptedNames": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList"},
            "conditions": [{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "True"}]}});
    let resources = crd::resources_of(&definition);
    let document = document::build(&resources.iter().collect::<Vec<_>>());
    check_references(&document, &document);
    let schema = &document["components"]["schemas"]["com.example.stable.v1.CronTab"];
    assert_eq!(schema["properties"]["spec"]["properties"]["cronSpec"]["type"], "string");
    assert!(schema["properties"]["metadata"]["allOf"].is_array());
}

/// One operation as `operations.txt.gz` has it: what it is, what it takes and what it answers.
fn line(path: &str, method: &str, item: &Value) -> String {
    let of = &item[method];
    let list = |names: Vec<&str>| if names.is_empty() { "-".to_owned() } else { names.join(",") };
    let keys = |value: &Value| list(value.as_object().into_iter().flatten().map(|(name, _)| &**name).collect());
    let named =
        |value: &Value| list(value.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect());
    let first = |media: &Value| {
        let schema = media.as_object().and_then(|media| media.values().next()).map(|media| &media["schema"]["$ref"]);
        let name = schema.and_then(Value::as_str).and_then(|to| to.rsplit('/').next());
        name.unwrap_or("-").to_owned()
    };
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, ok, body) = (&of[KINDS], &of["responses"]["200"]["content"], &of["requestBody"]["content"]);
    let action = of["x-kubernetes-action"].as_str().unwrap_or("-");
    let kind = format!("{}/{}.{}", word(&kind["group"]), word(&kind["version"]), word(&kind["kind"]));
    let id = word(&of["operationId"]);
    let (answers, forms, bodies) = (keys(&of["responses"]), keys(ok), keys(body));
    let (shared, own) = (named(&item["parameters"]), named(&of["parameters"]));
    format!(
        "{method} {path} {id} {action} {kind} {} {} {answers} {forms} {bodies} {shared} {own}",
        first(ok),
        first(body)
    )
}

/// All that kube-apiserver 1.36 without custom resources publishes, operation by operation and definition by definition.
#[test]
fn what_can_be_asked_is_what_kube_apiserver_says() {
    let all = Resource::builtins();
    let mut places: Vec<(&str, &str)> = all.iter().map(|one| (&*one.group, &*one.version)).collect();
    places.sort_unstable();
    places.dedup();
    let groups: BTreeSet<&str> = places.iter().map(|(group, _)| *group).collect();
    let mut documents: Vec<Value> = places.iter().map(|(group, version)| document(group, version)).collect();
    let others = plain::others(groups.into_iter()).into_iter().map(|(_, path)| path).collect();
    documents.push(document::whole(others, Map::new(), None));
    let mut own = BTreeSet::new();
    let mut defined = BTreeSet::new();
    for document in &documents {
        for (path, item) in document["paths"].as_object().expect("paths") {
            let methods = item.as_object().expect("an item").keys().filter(|name| *name != "parameters");
            own.extend(methods.map(|method| line(path, method, item)));
        }
        defined.extend(document["components"]["schemas"].as_object().expect("schemas").keys().cloned());
    }
    let mut text = String::new();
    let packed = include_bytes!("operations.txt.gz").as_slice();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut text).expect("it unpacks");
    let real: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let (more, less): (Vec<_>, Vec<_>) = (own.difference(&real).collect(), real.difference(&own).collect());
    assert!(more.is_empty() && less.is_empty(), "{} more: {more:#?}\n{} fewer: {less:#?}", more.len(), less.len());
    let known: BTreeSet<String> = definitions::names().map(str::to_owned).collect();
    assert_eq!(defined, known);
}

/// Old clients take each field that is not named to be wrong.
#[test]
fn the_second_version_leaves_open_what_keeps_unknown_fields() {
    let definition = json!({"spec": {
        "group": "stable.example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
            "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            "properties": {"spec": {"type": "object"}},
        }}}],
    }, "status": {
        "acceptedNames": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
        "conditions": [{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "True"}],
    }});
    let (_, definitions) = second::of(crd::resources_of(&definition).iter());
    let kinds = json!([{"group": "stable.example.com", "kind": "Thing", "version": "v1"}]);
    let wanted = json!({"type": "object", "x-kubernetes-group-version-kind": kinds});
    assert_eq!(definitions["com.example.stable.v1.Thing"], wanted);
}

#[test]
fn the_second_version_defines_every_kind() {
    let all = Resource::builtins();
    let (paths, definitions) = second::of(all.iter());
    let document = json!({"paths": paths, "definitions": definitions});
    check_references(&document, &document);
    let text = document.to_string();
    let old = ["\"oneOf\":[", "#/components/", "\"requestBody\":", "\"content\":"].map(|word| text.contains(word));
    assert_eq!(old, [false; 4], "v3 only");
    // By this old clients know whether they may ask for a dry run.
    let patch = &paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert!(patch["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "dryRun")), "{patch}");
    for resource in &all {
        let wanted = json!({"group": resource.group, "kind": resource.kind, "version": resource.version});
        let found = definitions.values().any(|schema| schema["x-kubernetes-group-version-kind"][0] == wanted);
        assert!(found, "{}", resource.kind);
    }
    let port = &definitions["io.k8s.api.core.v1.ServicePort"]["properties"]["targetPort"];
    assert!(
        port["$ref"] == "#/definitions/io.k8s.apimachinery.pkg.util.intstr.IntOrString" || port["type"] == "string"
    );
}
