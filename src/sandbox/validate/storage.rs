//! Volumes, claims, and their classes.

use serde_json::{Map, Value};

use super::errors::{Errors, is_empty, list, text};

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
/// All else in a volume's spec is the place where its data lie.
const NO_SOURCE: [&str; 10] = [
    "capacity",
    "accessModes",
    "claimRef",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "mountOptions",
    "volumeMode",
    "nodeAffinity",
    "volumeAttributesClassName",
    "status",
];

pub(super) fn volume(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    modes(spec, "at least one access mode is required", errors);
    if is_empty(spec.get("capacity")) {
        errors.required("spec.capacity", "");
    } else if spec["capacity"].get("storage").is_none() {
        let given = spec["capacity"].clone();
        errors.unsupported("spec.capacity", &given, &["storage"]);
    }
    let sources: Vec<&String> =
        spec.as_object().into_iter().flat_map(Map::keys).filter(|key| !NO_SOURCE.contains(&key.as_str())).collect();
    match sources[..] {
        [] => errors.required("spec", "must specify a volume type"),
        [_] => {}
        [_, second, ..] => errors.forbidden(format!("spec.{second}"), "may not specify more than 1 volume type"),
    }
    errors.one_of(
        "spec.persistentVolumeReclaimPolicy",
        &spec["persistentVolumeReclaimPolicy"],
        &["Delete", "Recycle", "Retain"],
    );
    if let (Some(old), [source]) = (old, &sources[..])
        && old["spec"].get(source.as_str()) != spec.get(source.as_str())
    {
        errors.forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation");
    }
}

fn modes(spec: &Value, none: &str, errors: &mut Errors) {
    let modes = list(spec, "accessModes");
    if modes.is_empty() {
        errors.required("spec.accessModes", none);
    }
    for mode in modes {
        errors.one_of("spec.accessModes", mode, &MODES);
    }
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        let why = "may not use ReadWriteOncePod with other access modes";
        errors.forbidden("spec.accessModes", why);
    }
}

pub(super) fn claim(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    modes(spec, "at least 1 access mode is required", errors);
    if spec.pointer("/resources/requests/storage").is_none() {
        errors.required("spec.resources[storage]", "");
    }
    let Some(old) = old else { return };
    let kept = |object: &Value| {
        let mut spec = object["spec"].clone();
        if let Some(map) = spec.as_object_mut() {
            for part in ["resources", "volumeName", "volumeAttributesClassName"] {
                map.remove(part);
            }
            // A class may still come to a claim that has none.
            if text(&old["spec"], "storageClassName").is_empty() {
                map.remove("storageClassName");
            }
        }
        spec
    };
    let bound = &old["spec"]["volumeName"];
    let renamed = !bound.is_null() && bound != "" && *bound != spec["volumeName"];
    if kept(old) != kept(object) || renamed {
        let why =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.forbidden("spec", why);
    }
    let size = |object: &Value| object.pointer("/spec/resources/requests/storage").and_then(crate::codec::quantity);
    if size(object) < size(old) {
        errors.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity");
    }
}

pub(super) fn class(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    if text(object, "provisioner").is_empty() {
        errors.required("provisioner", "");
    }
    errors.one_of("reclaimPolicy", &object["reclaimPolicy"], &["Delete", "Retain"]);
    errors.one_of("volumeBindingMode", &object["volumeBindingMode"], &["Immediate", "WaitForFirstConsumer"]);
    let Some(old) = old else { return };
    for part in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        if old.get(part) != object.get(part) {
            match part {
                "volumeBindingMode" => {
                    errors.invalid(part, &object[part], super::errors::IMMUTABLE);
                }
                _ => errors.forbidden(part, &format!("updates to {part} are forbidden.")),
            }
        }
    }
}
