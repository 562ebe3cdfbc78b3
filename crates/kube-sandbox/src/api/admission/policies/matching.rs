//! Whether a write is one of those that a policy or a webhook is about.

use serde_json::Value;

use super::Review;
use crate::object::{labels, list};
use kube_etcd_codec::names;

/// Whether a write is one of those that are meant; a binding that names no resources means all of its policy's.
pub(super) fn matches(wanted: &Value, review: &Review, namespace: &Value, any: bool) -> bool {
    let named = |rules: &str| list(wanted, rules).iter().any(|rule| is_named(rule, review));
    let rules = list(wanted, "resourceRules");
    selected(wanted, review, namespace)
        && ((any && rules.is_empty()) || named("resourceRules"))
        && !named("excludeResourceRules")
}

/// Whether both selectors choose the write.
pub(in crate::api::admission) fn selected(wanted: &Value, review: &Review, namespace: &Value) -> bool {
    let selects = |selector: &Value, object: &Value| {
        selector.is_null() || labels::selects(selector, |key| object["metadata"]["labels"].get(key)?.as_str())
    };
    let sides = [review.new, review.old];
    let spaced = review.resource.namespaced || review.resource.is(names::NAMESPACES);
    (!spaced || selects(&wanted["namespaceSelector"], namespace))
        && sides.into_iter().flatten().any(|object| selects(&wanted["objectSelector"], object))
}

/// Whether a rule names the write's resource and operation.
pub(in crate::api::admission) fn is_named(rule: &Value, review: &Review) -> bool {
    let has = |field: &str, wanted: &str| list(rule, field).iter().any(|one| one == "*" || one == wanted);
    let resource = review.resource;
    let full = match review.subresource {
        "" => resource.plural.clone(),
        part => format!("{}/{part}", resource.plural),
    };
    let is_it = list(rule, "resources").iter().filter_map(Value::as_str).any(|one| {
        one == full
            || one == "*/*"
            || (one == "*" && review.subresource.is_empty())
            || one.strip_suffix("/*").is_some_and(|kind| kind == resource.plural)
            || one.strip_prefix("*/").is_some_and(|part| part == review.subresource)
    });
    let name = review.name();
    let names = list(rule, "resourceNames");
    is_it
        && has("apiGroups", &resource.group)
        && has("apiVersions", &resource.version)
        && has("operations", review.operation())
        && (names.is_empty() || names.iter().any(|one| one == name))
        && match rule["scope"].as_str() {
            Some("Namespaced") => resource.namespaced,
            Some("Cluster") => !resource.namespaced,
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Resource;
    use crate::user::User;

    #[test]
    fn a_rule_names_resources_and_their_parts() {
        let resources = Resource::builtins();
        let deployments = resources.iter().find(|one| one.is(names::DEPLOYMENTS)).expect("they are served");
        let review = |subresource: &'static str| Review {
            user: &USER,
            resource: deployments,
            subresource,
            old: None,
            new: Some(&Value::Null),
            dry_run: false,
            connects: None,
        };
        let rule = |resources: Value| json!({"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": resources});
        assert!(is_named(&rule(json!(["deployments"])), &review("")));
        assert!(!is_named(&rule(json!(["deployments"])), &review("scale")));
        assert!(is_named(&rule(json!(["deployments/*"])), &review("scale")));
        assert!(is_named(&rule(json!(["*"])), &review("")));
        assert!(!is_named(&rule(json!(["pods"])), &review("")));
    }

    static USER: std::sync::LazyLock<User> = std::sync::LazyLock::new(User::admin);
}
