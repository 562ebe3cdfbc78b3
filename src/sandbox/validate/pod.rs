//! Pods: what of them may change once they are there.

use serde_json::Value;

use super::errors::{Errors, list};
use super::template;

pub(super) fn pod(pod: &Value, old: Option<&Value>, errors: &mut Errors) {
    let Some(old) = old else { return template::spec(&pod["spec"], "spec", errors) };
    template::spec(&pod["spec"], "spec", errors);
    let (before, after) = (list(&old["spec"], "containers"), list(&pod["spec"], "containers"));
    if before.len() != after.len() {
        errors.forbidden("spec.containers", "pod updates may not add or remove containers");
        return;
    }
    let mut allowed = old["spec"].clone();
    // What may change is taken from the new one; the rest must be the same then.
    for list in ["containers", "initContainers"] {
        let images: Vec<Option<Value>> =
            super::errors::list(&pod["spec"], list).iter().map(|one| one.get("image").cloned()).collect();
        let containers = allowed.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for (container, image) in containers.zip(images) {
            if let Some(image) = image {
                container["image"] = image;
            }
        }
    }
    for field in ["activeDeadlineSeconds", "schedulingGates"] {
        copy(&pod["spec"], &mut allowed, field);
    }
    let tolerated = list(&old["spec"], "tolerations");
    if tolerated.iter().all(|one| list(&pod["spec"], "tolerations").contains(one)) {
        copy(&pod["spec"], &mut allowed, "tolerations");
    }
    if allowed != pod["spec"] {
        let why = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n";
        errors.forbidden("spec", &format!("{why}{}", difference(&allowed, &pod["spec"], "")));
    }
}

fn copy(from: &Value, to: &mut Value, field: &str) {
    match (from.get(field), to.as_object_mut()) {
        (Some(value), Some(map)) => drop(map.insert(field.to_owned(), value.clone())),
        (None, Some(map)) => drop(map.remove(field)),
        (_, None) => {}
    }
}

/// The fields that part, a line each.
fn difference(old: &Value, new: &Value, path: &str) -> String {
    match (old, new) {
        (Value::Object(before), Value::Object(after)) => {
            let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            let parts = keys.into_iter().map(|key| {
                let none = Value::Null;
                let (before, after) = (before.get(key).unwrap_or(&none), after.get(key).unwrap_or(&none));
                difference(before, after, &format!("{path}.{key}"))
            });
            parts.collect()
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            let pairs = before.iter().zip(after).enumerate();
            pairs.map(|(at, (before, after))| difference(before, after, &format!("{path}[{at}]"))).collect()
        }
        _ if old == new => String::new(),
        _ => format!("- spec{path}: {old}\n+ spec{path}: {new}\n"),
    }
}
