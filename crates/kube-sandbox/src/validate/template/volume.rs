//! Volumes of a pod.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::errors::{Errors, is_empty};
use super::super::rules;
use super::{claim, env};
use crate::object::{list, names, text};

/// In the order in which Kubernetes looks for them; what comes second is one too many.
const SOURCES: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];

/// The volumes by name.
pub(super) fn check<'a>(volumes: &'a [Value], field: &str, errors: &mut Errors) -> BTreeMap<&'a str, &'a Value> {
    let mut known = BTreeMap::new();
    for (at, volume) in volumes.iter().enumerate() {
        let here = format!("{field}[{at}]");
        let name = text(volume, "name");
        let mut wrong = Errors::default();
        source(volume, &here, &mut wrong);
        if name.is_empty() {
            wrong.required(format!("{here}.name"), "");
        } else {
            wrong.all_invalid(&format!("{here}.name"), name, names::dns_label(name));
        }
        if known.contains_key(name) {
            wrong.duplicate(format!("{here}.name"), &volume["name"]);
        }
        // A volume that is wrong in itself is none that could be mounted.
        if wrong.is_empty() {
            known.insert(name, volume);
        }
        errors.append(wrong);
    }
    known
}

fn source(volume: &Value, field: &str, errors: &mut Errors) {
    let mut found = false;
    for kind in SOURCES {
        let Some(source) = volume.get(kind).filter(|source| !source.is_null()) else { continue };
        let here = format!("{field}.{kind}");
        if std::mem::replace(&mut found, true) {
            errors.forbidden(here, "may not specify more than 1 volume type");
        } else {
            one_source(kind, source, &here, errors);
        }
    }
    if !found {
        errors.required(field, "must specify a volume type");
    }
}

fn one_source(kind: &str, source: &Value, field: &str, errors: &mut Errors) {
    let mut needs = |part: &str| {
        if text(source, part).is_empty() {
            errors.required(format!("{field}.{part}"), "");
        }
    };
    match kind {
        "emptyDir" if source.get("sizeLimit").and_then(kube_etcd_codec::quantity).is_some_and(|size| size < 0.0) => {
            errors.forbidden(format!("{field}.sizeLimit"), "SizeLimit field must be a valid resource quantity");
        }
        "hostPath" => host_path(source, field, errors),
        "secret" => {
            needs("secretName");
            files(source, field, errors);
        }
        "configMap" => {
            needs("name");
            files(source, field, errors);
        }
        "persistentVolumeClaim" => needs("claimName"),
        "csi" => needs("driver"),
        "nfs" => nfs(source, field, errors),
        "downwardAPI" => env::downward(source, field, errors),
        "projected" => projected(source, field, errors),
        "ephemeral" => match source.get("volumeClaimTemplate").filter(|one| one.is_object()) {
            Some(template) => {
                claim::claim_spec(&template["spec"], &format!("{field}.volumeClaimTemplate.spec"), errors);
            }
            None => errors.required(format!("{field}.volumeClaimTemplate"), ""),
        },
        "image" => {
            errors.one_of(format!("{field}.pullPolicy"), &source["pullPolicy"], &["Always", "IfNotPresent", "Never"]);
        }
        _ => {}
    }
}

pub(in super::super) fn host_path(source: &Value, field: &str, errors: &mut Errors) {
    let path = text(source, "path");
    if path.is_empty() {
        return errors.required(format!("{field}.path"), "");
    }
    rules::no_steps_back(&format!("{field}.path"), path, errors);
    let types = ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    errors.one_of(format!("{field}.type"), &source["type"], &types);
}

pub(in super::super) fn nfs(source: &Value, field: &str, errors: &mut Errors) {
    for part in ["server", "path"] {
        if text(source, part).is_empty() {
            errors.required(format!("{field}.{part}"), "");
        }
    }
    if !text(source, "path").starts_with('/') {
        errors.invalid(format!("{field}.path"), &json!(text(source, "path")), "must be an absolute path");
    }
}

fn files(source: &Value, field: &str, errors: &mut Errors) {
    rules::file_mode(&format!("{field}.defaultMode"), source.get("defaultMode"), errors);
    for (at, item) in list(source, "items").iter().enumerate() {
        let here = format!("{field}.items[{at}]");
        for part in ["key", "path"] {
            if text(item, part).is_empty() {
                errors.required(format!("{here}.{part}"), "");
            }
        }
        rules::own_path(&format!("{here}.path"), text(item, "path"), errors);
        rules::file_mode(&format!("{here}.mode"), item.get("mode"), errors);
    }
}

fn projected(source: &Value, field: &str, errors: &mut Errors) {
    rules::file_mode(&format!("{field}.defaultMode"), source.get("defaultMode"), errors);
    for (at, one) in list(source, "sources").iter().enumerate() {
        let here = format!("{field}.sources[{at}]");
        let mut given = 0;
        for kind in ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle"] {
            let Some(part) = one.get(kind).filter(|part| part.is_object()) else { continue };
            given += 1;
            let place = format!("{here}.{kind}");
            match kind {
                "secret" | "configMap" => {
                    if text(part, "name").is_empty() {
                        errors.required(format!("{place}.name"), "");
                    }
                    files(part, &place, errors);
                }
                "downwardAPI" => list(part, "items").iter().for_each(|file| env::downward_file(file, &place, errors)),
                "serviceAccountToken" => {
                    if part["expirationSeconds"].as_i64().is_some_and(|seconds| seconds < 600) {
                        let why = "may not specify a duration less than 10 minutes";
                        errors.invalid(format!("{place}.expirationSeconds"), &part["expirationSeconds"], why);
                    }
                    if text(part, "path").is_empty() {
                        errors.required(format!("{field}.path"), "");
                    } else {
                        rules::own_path(&format!("{field}.path"), text(part, "path"), errors);
                    }
                }
                _ if is_empty(part.get("name")) && is_empty(part.get("signerName")) => {
                    errors.required(place, "either name or signerName must be specified");
                }
                _ => {}
            }
        }
        if given > 1 {
            errors.forbidden(here, "may not specify more than 1 volume type per source");
        }
    }
}
