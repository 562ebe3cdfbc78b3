//! Whether a pod may lie on a node at all, whatever else lies there.

use serde_json::Value;

use crate::object::labels;
use crate::runtime::Object;

pub(crate) fn tolerates(pod: &Value, taint: &Value) -> bool {
    pod["spec"]["tolerations"].as_array().into_iter().flatten().any(|toleration| {
        let text = |field: &str| toleration[field].as_str().unwrap_or_default();
        let effect = text("effect").is_empty() || toleration["effect"] == taint["effect"];
        let every = text("key").is_empty() && text("operator") == "Exists";
        let key = every || toleration["key"] == taint["key"];
        let value = text("operator") == "Exists" || text("value") == taint["value"].as_str().unwrap_or_default();
        effect && key && value
    })
}

/// `nodeSelector` and the required part of node affinity.
pub(crate) fn matches_node(pod: &Value, node: &Object) -> bool {
    let label = |key: &str| node.label(key);
    let selector = pod["spec"]["nodeSelector"].as_object().into_iter().flatten();
    if !selector.into_iter().all(|(key, value)| label(key) == value.as_str()) {
        return false;
    }
    let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let Some(terms) = required["nodeSelectorTerms"].as_array() else { return true };
    let field = |key: &str| (key == "metadata.name").then(|| &*node.key.name);
    terms.iter().any(|term| {
        let labels = term["matchExpressions"].as_array();
        let fields = term["matchFields"].as_array();
        (labels.is_some() || fields.is_some())
            && labels.into_iter().flatten().all(|rule| labels::matches(rule, &label))
            && fields.into_iter().flatten().all(|rule| labels::matches(rule, &field))
    })
}
