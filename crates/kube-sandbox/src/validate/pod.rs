//! Pods: what of them may change once they are there.

use serde_json::Value;

use super::errors::Errors;
use super::{internal, template};
use crate::object::{copy_field, list};

pub(super) fn pod(pod: &Value, old: Option<&Value>, errors: &mut Errors) {
    template::spec(&pod["spec"], "spec", true, errors);
    let Some(old) = old else {
        if !list(&pod["spec"], "ephemeralContainers").is_empty() {
            errors.forbidden("spec.ephemeralContainers", "cannot be set on create");
        }
        return;
    };
    let (before, after) = (list(&old["spec"], "containers"), list(&pod["spec"], "containers"));
    if before.len() != after.len() {
        errors.forbidden("spec.containers", "pod updates may not add or remove containers");
        return;
    }
    let mut allowed = old["spec"].clone();
    // What may change is taken from the new one; the rest must be the same then.
    for part in ["containers", "initContainers"] {
        let images: Vec<Option<Value>> = list(&pod["spec"], part).iter().map(|one| one.get("image").cloned()).collect();
        let containers = allowed.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten();
        for (container, image) in containers.zip(images) {
            if let Some(image) = image {
                container["image"] = image;
            }
        }
    }
    for field in ["activeDeadlineSeconds", "schedulingGates"] {
        copy_field(&pod["spec"], &mut allowed, field);
    }
    let tolerated = list(&old["spec"], "tolerations");
    if tolerated.iter().all(|one| list(&pod["spec"], "tolerations").contains(one)) {
        copy_field(&pod["spec"], &mut allowed, "tolerations");
    }
    if allowed != pod["spec"] {
        let why = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n";
        errors.forbidden("spec", &format!("{why}{}", internal::difference("PodSpec", &allowed, &pod["spec"])));
    }
}
