//! Label and field selectors.

use serde_json::Value;

use crate::object::labels::{self, Requirement};
use crate::resource::Resource;
use crate::status::ApiError;
use kube_etcd_codec::names;

#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldRequirement {
    field: String,
    value: String,
    equal: bool,
}

/// Which objects of a kind a list, a watch or a deletion is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

impl Selector {
    pub fn parse(resource: &Resource, labels: Option<&str>, fields: Option<&str>) -> Result<Self, ApiError> {
        let parsed_labels = labels::parse(labels.unwrap_or_default()).map_err(ApiError::bad_request)?;
        let parsed_fields = parse_fields(fields.unwrap_or_default()).map_err(ApiError::bad_request)?;
        for requirement in &parsed_fields {
            if !selectable(resource, &requirement.field) {
                return Err(ApiError::bad_request(not_selectable(resource, &requirement.field)));
            }
        }
        Ok(Self { labels: parsed_labels, fields: parsed_fields })
    }

    pub fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The one name that the selector leaves, so that one key is read rather than a folder.
    pub fn name(&self) -> Option<&str> {
        self.fields.iter().find(|one| one.equal && one.field == "metadata.name").map(|one| one.value.as_str())
    }

    pub fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| object.pointer("/metadata/labels")?.get(key)?.as_str();
        let labels = self.labels.iter().all(|requirement| requirement.holds(label));
        labels && self.fields.iter().all(|one| (field(object, &one.field) == one.value) == one.equal)
    }
}

/// An object's field as selectors see it: text, and empty where it is not there.
fn field(object: &Value, path: &str) -> String {
    let get = |path: &str| path.split('.').try_fold(object, |value, part| value.get(part));
    let spellings = event_spellings(path);
    let value = spellings.iter().find_map(|one| get(one).filter(|value| *value != "")).or_else(|| get(path));
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        _ if path == "spec.unschedulable" || path == "spec.hostNetwork" => "false".into(),
        _ if path.ends_with("status.successful") || path.ends_with("status.replicas") => "0".into(),
        _ => String::new(),
    }
}

/// An Event's fields go by other names in events.k8s.io; who wrote it stands in one of two places.
fn event_spellings(path: &str) -> Vec<String> {
    let spellings = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    match path {
        "source" => {
            spellings(&["source.component", "deprecatedSource.component", "reportingComponent", "reportingController"])
        }
        "reportingComponent" | "reportingController" => spellings(&["reportingComponent", "reportingController"]),
        _ => match path.strip_prefix("involvedObject.").or_else(|| path.strip_prefix("regarding.")) {
            Some(field) => vec![format!("involvedObject.{field}"), format!("regarding.{field}")],
            None => Vec::new(),
        },
    }
}

/// Kinds that have fields of their own to select by say it in other words than those that have none.
fn not_selectable(resource: &Resource, field: &str) -> String {
    if resource.custom.is_some() || own_fields(resource).is_some_and(|_| !resource.is(names::JOBS)) {
        format!("field label not supported: {field}")
    } else if resource.is(names::JOBS) {
        format!("field label \"{field}\" not supported for Job")
    } else {
        format!("\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
    }
}

fn selectable(resource: &Resource, field: &str) -> bool {
    if field == "metadata.name" || (field == "metadata.namespace" && resource.namespaced) {
        return true;
    }
    if let Some(custom) = &resource.custom {
        return custom.selectable.iter().any(|known| known == field);
    }
    own_fields(resource).is_some_and(|known| known.contains(&field))
}

fn own_fields(resource: &Resource) -> Option<&'static [&'static str]> {
    let known: &[&str] = match resource.name() {
        names::PODS => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        names::EVENTS | names::NEW_EVENTS => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "reason",
            "reportingComponent",
            "reportingController",
            "source",
            "type",
        ],
        names::NODES => &["spec.unschedulable"],
        names::NAMESPACES => &["status.phase"],
        names::SECRETS => &["type"],
        names::SERVICES => &["spec.clusterIP", "spec.type"],
        names::REPLICATION_CONTROLLERS => &["status.replicas"],
        names::JOBS => &["status.successful"],
        names::SIGNING_REQUESTS => &["spec.signerName"],
        _ => return None,
    };
    Some(known)
}

fn parse_fields(text: &str) -> Result<Vec<FieldRequirement>, String> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (field, equal, value) = if let Some((field, value)) = part.split_once("!=") {
                (field, false, value)
            } else if let Some((field, value)) = part.split_once("==") {
                (field, true, value)
            } else if let Some((field, value)) = part.split_once('=') {
                (field, true, value)
            } else {
                return Err(format!("invalid selector: '{part}'; can't understand '{part}'"));
            };
            Ok(FieldRequirement { field: field.to_owned(), value: value.replace('\\', ""), equal })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn matches(labels: &str, object: &Value) -> bool {
        Selector { labels: labels::parse(labels).expect("a selector"), fields: Vec::new() }.matches(object)
    }

    #[test]
    fn an_event_is_found_by_either_name_of_its_fields() {
        let core = json!({"involvedObject": {"kind": "Pod"}, "source": {"component": "kubelet"}});
        let own = json!({"regarding": {"kind": "Pod"}, "deprecatedSource": {}, "reportingController": "kubelet"});
        for event in [&core, &own] {
            for wanted in ["source=kubelet", "involvedObject.kind=Pod", "regarding.kind=Pod"] {
                let fields = parse_fields(wanted).expect("a selector");
                assert!(Selector { labels: Vec::new(), fields }.matches(event), "{wanted} {event}");
            }
        }
    }

    #[test]
    fn labels_are_chosen_as_kubernetes_does() {
        let pod = json!({"metadata": {"labels": {"app": "web", "tier": "front"}}});
        for (selector, expected) in [
            ("app=web", true),
            ("app==web,tier=front", true),
            ("app!=web", false),
            ("other!=web", true),
            ("app in (db, web)", true),
            ("app notin (db)", true),
            ("app notin (web),tier", false),
            ("tier", true),
            ("!tier", false),
            ("!missing", true),
            ("missing", false),
            ("tier>1", false),
            ("", true),
        ] {
            assert_eq!(matches(selector, &pod), expected, "{selector}");
        }
    }

    #[test]
    fn a_missing_field_is_empty_text() {
        assert_eq!(field(&json!({"spec": {}}), "spec.nodeName"), "");
        assert_eq!(field(&json!({"spec": {}}), "spec.unschedulable"), "false");
        assert_eq!(field(&json!({"status": {"phase": "Running"}}), "status.phase"), "Running");
    }
}
