use super::*;
use crate::kinds::Storage;

#[test]
fn every_key_of_a_fresh_cluster_names_a_row_and_comes_back() {
    for key in include_str!("../../../tests/data/fresh-cluster-keys.txt").lines() {
        let resource = by_key("/registry", key).unwrap_or_else(|| panic!("{key} names nothing"));
        let kind = resource.kind.unwrap_or_else(|| panic!("{key} is no built-in kind"));
        assert_eq!(kind.key_of("/registry", resource.namespace.as_deref(), &resource.name), key);
    }
}

#[test]
fn every_recorded_value_lies_where_its_row_says() {
    for line in include_str!("../../../tests/data/values.jsonl").lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let (key, object) = (record["key"].as_str().unwrap(), &record["value"]);
        let api_version = object["apiVersion"].as_str().unwrap();
        let resource = by_key("/registry", key).unwrap();
        let Some(kind) = resource.kind else {
            assert_eq!(resource.group, "stable.example.com");
            continue;
        };
        assert_eq!((kind.api_version().as_str(), kind.kind), (api_version, object["kind"].as_str().unwrap()), "{key}");
        let json = !record["value_base64"].as_str().unwrap().starts_with("azhz");
        assert_eq!(kind.storage == Storage::Json, json, "{key}");
    }
}

#[test]
fn special_folders_and_custom_resources() {
    assert_eq!(by_key("/registry", "/registry/minions/n1").unwrap().plural, "nodes");
    assert_eq!(by_key("/registry", "/registry/services/specs/shop/web").unwrap().plural, "services");
    let custom = by_key("/registry", "/registry/stable.example.com/crontabs/default/mine").unwrap();
    assert_eq!((custom.kind, custom.namespace.as_deref(), custom.name.as_str()), (None, Some("default"), "mine"));
    assert_eq!(by_key("/registry", "/registry/pods/default"), None);
    assert_eq!(by_key("/registry", "/registry/pods/default/"), None);
    assert_eq!(by_key("/registry", "compact_rev_key"), None);
    assert_eq!(by_key("/k8s", "/k8s/leases/a/b").unwrap().name, "b");
}

#[test]
fn the_first_row_of_a_name_is_the_one_meant() {
    assert_eq!(kind_by_kind("", "Endpoints").unwrap().folder, "services/endpoints");
    assert_eq!(by_key("/registry", "/registry/events/default/e").unwrap().group, "");
    assert_eq!(kind_by_api_version("autoscaling/v1", "HorizontalPodAutoscaler").unwrap().stored, "v2");
}

#[test]
fn folders_are_known_by_their_first_segment() {
    for known in ["minions", "services", "ingress", "controllers", "pods", "apiextensions.k8s.io"] {
        assert!(known_folder(known), "{known}");
    }
    for unknown in ["nodes", "pod", "ingresses", "bindings", "tokenreviews", ""] {
        assert!(!known_folder(unknown), "{unknown}");
    }
}
