//! Claims of devices, and the devices that there are.

use serde_json::{Value, json};

use super::{each, inside, set, set_pointer, within};
use crate::object::meta;

pub(super) fn claim(object: &mut Value) {
    within(object, "spec", |spec| {
        within(spec, "devices", |devices| {
            each(devices, "requests", |one| {
                inside(one, "exactly", request);
                each(one, "firstAvailable", request);
            });
        });
    });
}

fn request(request: &mut Value) {
    set(request, "allocationMode", json!("ExactCount"));
    if request["allocationMode"] == "ExactCount" {
        set(request, "count", json!(1));
    }
    each(request, "tolerations", |toleration| set(toleration, "operator", json!("Equal")));
}

pub(super) fn slice(object: &mut Value) {
    within(object, "spec", |spec| {
        each(spec, "devices", |device| {
            each(device, "taints", |taint| set_pointer(taint, "timeAdded", json!(meta::now_text())));
        });
    });
}
