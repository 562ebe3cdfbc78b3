//! Volumes, claims, and their classes.

use serde_json::{Value, json};

use super::{inside, set, set_pointer, within};

pub(super) fn volume(object: &mut Value) {
    within(object, "spec", |spec| {
        set(spec, "persistentVolumeReclaimPolicy", json!("Retain"));
        set_pointer(spec, "volumeMode", json!("Filesystem"));
        inside(spec, "hostPath", |path| set_pointer(path, "type", json!("")));
        inside(spec, "iscsi", |iscsi| set(iscsi, "iscsiInterface", json!("default")));
    });
}

pub(super) fn claim(object: &mut Value) {
    within(object, "spec", |spec| {
        set_pointer(spec, "volumeMode", json!("Filesystem"));
        inside(spec, "dataSource", |source| {
            if source.get("apiGroup").is_none() {
                source["apiGroup"] = json!("");
            }
        });
    });
}

pub(super) fn class(object: &mut Value) {
    set_pointer(object, "reclaimPolicy", json!("Delete"));
    set_pointer(object, "volumeBindingMode", json!("Immediate"));
}

pub(super) fn driver(object: &mut Value) {
    within(object, "spec", |spec| {
        for (field, value) in [
            ("attachRequired", json!(true)),
            ("podInfoOnMount", json!(false)),
            ("storageCapacity", json!(false)),
            ("fsGroupPolicy", json!("ReadWriteOnceWithFSType")),
            ("volumeLifecycleModes", json!(["Persistent"])),
            ("requiresRepublish", json!(false)),
            ("seLinuxMount", json!(false)),
        ] {
            set(spec, field, value);
        }
    });
}
