//! Volumes, claims, and their classes.

use serde_json::{Value, json};

use super::text::{UNSET, join, or, plain};
use super::{Column, Printer, Printing, Row, column, number, wide};

pub(super) fn printer(plural: &str) -> Option<Printer> {
    let (columns, cells): Printing = match plural {
        "persistentvolumes" => (VOLUME, volume),
        "persistentvolumeclaims" => (CLAIM, claim),
        "storageclasses" => (CLASS, class),
        "volumeattributesclasses" => (const { &[column("Name"), column("DriverName"), column("Age")] }, attributes),
        "volumeattachments" => (ATTACHMENT, attachment),
        "csinodes" => (const { &[column("Name"), number("Drivers"), column("Age")] }, node),
        "csidrivers" => (DRIVER, driver),
        _ => return None,
    };
    Some(Printer { columns, cells })
}

const VOLUME: &[Column] = &[
    column("Name"),
    column("Capacity"),
    column("Access Modes"),
    column("Reclaim Policy"),
    column("Status"),
    column("Claim"),
    column("StorageClass"),
    column("VolumeAttributesClass"),
    column("Reason"),
    column("Age"),
    wide("VolumeMode"),
];

fn volume(row: &Row<'_>) -> Vec<Value> {
    let claim = row.at("/spec/claimRef");
    let claim = claim.map_or_else(String::new, |one| format!("{}/{}", plain(&one["namespace"]), plain(&one["name"])));
    vec![
        row.name(),
        json!(row.at("/spec/capacity/storage").map_or_else(|| "0".to_owned(), plain)),
        json!(modes(row.list("/spec/accessModes"))),
        json!(row.text("/spec/persistentVolumeReclaimPolicy")),
        phase(row),
        json!(claim),
        json!(class_of(row)),
        json!(row.text_or("/spec/volumeAttributesClassName", UNSET)),
        json!(row.text("/status/reason")),
        row.age(),
        json!(row.text_or("/spec/volumeMode", UNSET)),
    ]
}

const CLAIM: &[Column] = &[
    column("Name"),
    column("Status"),
    column("Volume"),
    column("Capacity"),
    column("Access Modes"),
    column("StorageClass"),
    column("VolumeAttributesClass"),
    column("Age"),
    wide("VolumeMode"),
];

fn claim(row: &Row<'_>) -> Vec<Value> {
    let bound = !row.text("/spec/volumeName").is_empty();
    let capacity = row.at("/status/capacity/storage").filter(|_| bound).map_or_else(String::new, plain);
    let access = if bound { modes(row.list("/status/accessModes")) } else { String::new() };
    vec![
        row.name(),
        phase(row),
        json!(row.text("/spec/volumeName")),
        json!(capacity),
        json!(access),
        json!(class_of(row)),
        json!(row.text_or("/spec/volumeAttributesClassName", UNSET)),
        row.age(),
        json!(row.text_or("/spec/volumeMode", UNSET)),
    ]
}

fn phase(row: &Row<'_>) -> Value {
    json!(if row.is_going() { "Terminating" } else { row.text("/status/phase") })
}

/// The annotation is the older way.
fn class_of<'a>(row: &'a Row<'_>) -> &'a str {
    row.text_or("/metadata/annotations/volume.beta.kubernetes.io~1storage-class", row.text("/spec/storageClassName"))
}

fn modes(modes: &[Value]) -> String {
    let short =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let found = short.iter().filter(|(long, _)| modes.iter().any(|mode| mode == long));
    found.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

const CLASS: &[Column] = &[
    column("Name"),
    column("Provisioner"),
    column("ReclaimPolicy"),
    column("VolumeBindingMode"),
    column("AllowVolumeExpansion"),
    column("Age"),
];

fn class(row: &Row<'_>) -> Vec<Value> {
    let marks = ["storageclass.kubernetes.io~1is-default-class", "storageclass.beta.kubernetes.io~1is-default-class"];
    let default = marks.iter().any(|mark| row.text(&format!("/metadata/annotations/{mark}")) == "true");
    let name = row.text("/metadata/name");
    vec![
        json!(if default { format!("{name} (default)") } else { name.to_owned() }),
        json!(row.text("/provisioner")),
        json!(row.text_or("/reclaimPolicy", "Delete")),
        json!(row.text_or("/volumeBindingMode", "Immediate")),
        json!(row.flag("/allowVolumeExpansion")),
        row.age(),
    ]
}

fn attributes(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.text("/driverName")), row.age()]
}

const ATTACHMENT: &[Column] =
    &[column("Name"), column("Attacher"), column("PV"), column("Node"), column("Attached"), column("Age")];

fn attachment(row: &Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        json!(row.text("/spec/attacher")),
        json!(row.text("/spec/source/persistentVolumeName")),
        json!(row.text("/spec/nodeName")),
        json!(row.flag("/status/attached")),
        row.age(),
    ]
}

fn node(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.size("/spec/drivers")), row.age()]
}

const DRIVER: &[Column] = &[
    column("Name"),
    Column { name: "AttachRequired", kind: "boolean", priority: 0 },
    Column { name: "PodInfoOnMount", kind: "boolean", priority: 0 },
    Column { name: "StorageCapacity", kind: "boolean", priority: 0 },
    column("TokenRequests"),
    Column { name: "RequiresRepublish", kind: "boolean", priority: 0 },
    column("Modes"),
    column("Age"),
];

fn driver(row: &Row<'_>) -> Vec<Value> {
    let tokens = join(row.list("/spec/tokenRequests").iter().map(|one| &one["audience"]), ",");
    let attach = row.at("/spec/attachRequired").and_then(Value::as_bool).unwrap_or(true);
    vec![
        row.name(),
        json!(attach),
        json!(row.flag("/spec/podInfoOnMount")),
        json!(row.flag("/spec/storageCapacity")),
        json!(or(tokens, UNSET)),
        json!(row.flag("/spec/requiresRepublish")),
        json!(or(join(row.list("/spec/volumeLifecycleModes").iter(), ","), "<none>")),
        row.age(),
    ]
}
