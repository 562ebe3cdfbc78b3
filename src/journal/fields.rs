//! What a change changed: field by field, and who wrote it as far as the object itself shows. Secrets are left out.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use super::{Change, Stored};
use kube_etcd_codec::DecodeError;

/// What a change is made of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Difference {
    pub fields: Vec<FieldChange>,
    /// The managers whose entry in `managedFields` the change brought or altered.
    pub writers: Vec<String>,
}

/// A field that was set (`before` is none), altered, or taken away (`after` is none).
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// `metadata.labels.purpose`, `status.conditions[Ready].status`; empty for a value that is no object.
    pub path: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Told apart by these, where every item of a list has one.
const IDENTITIES: [&str; 5] = ["name", "type", "key", "containerPort", "ip"];
/// Counts what was changed elsewhere, and who owns which field.
const NOISE: [&str; 2] = ["metadata.managedFields", "metadata.generation"];
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// A longer value is cut where it is shown in a line.
const LONGEST: usize = 60;

/// What changes along with something else.
const DETAILS: [&str; 9] = [
    "lastTransitionTime",
    "lastUpdateTime",
    "lastProbeTime",
    "lastHeartbeatTime",
    "observedGeneration",
    "message",
    "startTime",
    "startedAt",
    "finishedAt",
];

impl FieldChange {
    /// Whether it only goes along with another.
    pub fn is_detail(&self) -> bool {
        self.path.contains(APPLIED) || DETAILS.iter().any(|detail| self.path.ends_with(&format!(".{detail}")))
    }
}

impl Change {
    /// Against the value that was there before.
    pub fn difference(&self) -> Result<Difference, DecodeError> {
        difference(self.previous.as_deref(), self.value.as_deref())
    }
}

/// From one value of a key to another.
pub fn difference(before: Option<&Stored>, after: Option<&Stored>) -> Result<Difference, DecodeError> {
    let (before, after) = (Sides::of(before)?, Sides::of(after)?);
    let mut fields = Vec::new();
    walk(&mut String::new(), before.as_pair(), after.as_pair(), &mut fields);
    // Times and counts that go with every change come after what changed.
    fields.sort_by_key(FieldChange::is_detail);
    let writers = after.raw.as_ref().map(|after| writers(before.raw.as_ref(), after)).unwrap_or_default();
    Ok(Difference { fields, writers })
}

/// A value with all that is in it, and as it may be shown.
struct Sides {
    raw: Option<Value>,
    shown: Option<Value>,
}

type Pair<'a> = Option<(&'a Value, &'a Value)>;

impl Sides {
    fn of(stored: Option<&Stored>) -> Result<Self, DecodeError> {
        let Some(stored) = stored else { return Ok(Self { raw: None, shown: None }) };
        let object = Value::clone(&*stored.object()?);
        if object.is_null() {
            // A text.
            let hidden = || Value::String(format!("<{} bytes, hidden>", stored.bytes().len()));
            let text = Value::String(stored.text());
            let shown = if stored.is_opaque() { hidden() } else { text.clone() };
            return Ok(Self { raw: Some(text), shown: Some(shown) });
        }
        let mut shown = object.clone();
        kube_etcd_codec::conceal(&mut shown);
        Ok(Self { raw: Some(object), shown: Some(shown) })
    }

    fn as_pair(&self) -> Pair<'_> {
        Some((self.raw.as_ref()?, self.shown.as_ref()?))
    }
}

/// Walks what is there, and shows what may be shown of it.
fn walk(path: &mut String, before: Pair<'_>, after: Pair<'_>, found: &mut Vec<FieldChange>) {
    // A field that is null is as one that is not there.
    let (before, after) = (before.filter(|(raw, _)| !raw.is_null()), after.filter(|(raw, _)| !raw.is_null()));
    if NOISE.contains(&path.as_str()) || before.map(|(raw, _)| raw) == after.map(|(raw, _)| raw) {
        return;
    }
    match (before.map(parts), after.map(parts)) {
        (Some(Parts::Map(before)), Some(Parts::Map(after))) => maps(path, Some(before), Some(after), found),
        (None, Some(Parts::Map(after))) if !after.0.is_empty() => maps(path, None, Some(after), found),
        (Some(Parts::Map(before)), None) if !before.0.is_empty() => maps(path, Some(before), None, found),
        (Some(Parts::List(before)), Some(Parts::List(after))) => lists(path, before, after, found),
        (None, Some(Parts::List(after))) if !after.0.is_empty() => lists(path, (&[], &[]), after, found),
        (Some(Parts::List(before)), None) if !before.0.is_empty() => lists(path, before, (&[], &[]), found),
        _ => found.push(FieldChange {
            path: path.clone(),
            before: before.map(|(_, shown)| shown.clone()),
            after: after.map(|(_, shown)| shown.clone()),
        }),
    }
}

enum Parts<'a> {
    Map((&'a Map<String, Value>, &'a Map<String, Value>)),
    List((&'a [Value], &'a [Value])),
    /// And what is hidden as a whole.
    One,
}

fn parts<'a>((raw, shown): (&'a Value, &'a Value)) -> Parts<'a> {
    match (raw, shown) {
        (Value::Object(raw), Value::Object(shown)) => Parts::Map((raw, shown)),
        (Value::Array(raw), Value::Array(shown)) if raw.len() == shown.len() => Parts::List((raw, shown)),
        _ => Parts::One,
    }
}

type Maps<'a> = Option<(&'a Map<String, Value>, &'a Map<String, Value>)>;

fn maps(path: &mut String, before: Maps<'_>, after: Maps<'_>, found: &mut Vec<FieldChange>) {
    let names = |maps: Maps<'_>| maps.map(|(raw, _)| raw.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let mut names_of_both = names(before);
    names_of_both
        .extend(names(after).into_iter().filter(|name| !before.is_some_and(|(raw, _)| raw.contains_key(name))));
    for name in names_of_both {
        let length = path.len();
        step(path, &name);
        walk(path, named(before, &name), named(after, &name), found);
        path.truncate(length);
    }
}

/// The names are the same, by the way that things are hidden.
fn named<'a>(maps: Maps<'a>, name: &str) -> Pair<'a> {
    let (raw, shown) = maps?;
    Some((raw.get(name)?, shown.get(name).unwrap_or(&Value::Null)))
}

fn item(list: List<'_>, place: usize) -> Pair<'_> {
    Some((list.0.get(place)?, list.1.get(place)?))
}

fn step(path: &mut String, name: &str) {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) && !name.is_empty();
    match (is_plain, path.is_empty()) {
        (true, true) => path.push_str(name),
        (true, false) => path.push_str(&format!(".{name}")),
        (false, _) => path.push_str(&format!("[{name}]")),
    }
}

type List<'a> = (&'a [Value], &'a [Value]);

/// Items are the same where they have the same name; where they have none, where they are equal or stand in one place.
fn lists(path: &mut String, before: List<'_>, after: List<'_>, found: &mut Vec<FieldChange>) {
    if let Some(identity) =
        IDENTITIES.iter().find(|identity| tells_apart(before.0, identity) && tells_apart(after.0, identity))
    {
        let ids = |list: List<'_>| list.0.iter().map(|item| id(item, identity)).collect::<Vec<_>>();
        let (old, new) = (ids(before), ids(after));
        let all = old.iter().chain(new.iter().filter(|id| !old.contains(id)));
        for id in all {
            let place = |ids: &[String]| ids.iter().position(|known| known == id);
            let was = place(&old).and_then(|place| item(before, place));
            let is = place(&new).and_then(|place| item(after, place));
            let length = path.len();
            path.push_str(&format!("[{id}]"));
            let first = found.len();
            walk(path, was, is, found);
            // Its place gives its name.
            if (was.is_none() || is.is_none()) && found.len() > first + 1 {
                let name = format!("{path}.{identity}");
                found.retain(|field| field.path != name);
            }
            path.truncate(length);
        }
        return;
    }
    let is_plain = |list: &[Value]| list.iter().all(|item| !item.is_object() && !item.is_array());
    if is_plain(before.0) && is_plain(after.0) {
        let gone = before.0.iter().zip(before.1).filter(|(raw, _)| !after.0.contains(raw));
        found.extend(gone.map(|(_, shown)| FieldChange {
            path: path.clone(),
            before: Some(shown.clone()),
            after: None,
        }));
        let come = after.0.iter().zip(after.1).filter(|(raw, _)| !before.0.contains(raw));
        found.extend(come.map(|(_, shown)| FieldChange {
            path: path.clone(),
            before: None,
            after: Some(shown.clone()),
        }));
        return;
    }
    for place in 0..before.0.len().max(after.0.len()) {
        let length = path.len();
        path.push_str(&format!("[{place}]"));
        walk(path, item(before, place), item(after, place), found);
        path.truncate(length);
    }
}

fn id(item: &Value, identity: &str) -> String {
    match &item[identity] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn tells_apart(list: &[Value], identity: &str) -> bool {
    let ids: BTreeSet<String> = list
        .iter()
        .filter(|item| matches!(item.get(identity), Some(Value::String(_) | Value::Number(_))))
        .map(|item| id(item, identity))
        .collect();
    ids.len() == list.len()
}

/// Whoever has an entry that is new, of another time, or with more fields: fewer are left to whom another took some.
fn writers(before: Option<&Value>, after: &Value) -> Vec<String> {
    let entries = |object: &Value| object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let known = before.map(entries).unwrap_or_default();
    let mut writers = Vec::new();
    for entry in &entries(after) {
        let is_same =
            |known: &&Value| ["manager", "operation", "subresource"].iter().all(|part| known[*part] == entry[*part]);
        let wrote = known
            .iter()
            .find(is_same)
            .is_none_or(|known| known["time"] != entry["time"] || !is_within(&entry["fieldsV1"], &known["fieldsV1"]));
        let manager = entry["manager"].as_str().unwrap_or("?");
        let writer = match entry["subresource"].as_str() {
            Some(subresource) if !subresource.is_empty() => format!("{manager} ({subresource})"),
            _ => manager.to_owned(),
        };
        if wrote && !writers.contains(&writer) {
            writers.push(writer);
        }
    }
    writers
}

fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| is_within(part, whole)))
        }
        (part, whole) => part == whole,
    }
}

/// `metadata.labels.purpose: demo added`, `spec.replicas 1 → 3`.
impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the value" } else { &self.path };
        match (&self.before, &self.after) {
            (None, Some(after)) => write!(f, "{path}: {} added", shown(after)),
            (Some(before), None) => write!(f, "{path}: {} removed", shown(before)),
            (Some(before), Some(after)) if before == after => write!(f, "{path}: changed, {}", shown(after)),
            (Some(before), Some(after)) => write!(f, "{path} {} → {}", shown(before), shown(after)),
            (None, None) => write!(f, "{path}"),
        }
    }
}

/// In one line, and not too long a one.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_control) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn stored(value: &Value) -> Arc<Stored> {
        Stored::new(value.to_string())
    }

    fn lines(before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
        let (before, after) = (before.map(stored), after.map(stored));
        let difference = difference(before.as_deref(), after.as_deref()).expect("they decode");
        difference.fields.iter().map(ToString::to_string).collect()
    }

    fn changed(before: &Value, after: &Value) -> Vec<String> {
        lines(Some(before), Some(after))
    }

    #[test]
    fn fields_are_told_where_they_are() {
        let before = json!({"metadata": {"name": "web", "generation": 1}, "spec": {"replicas": 1}});
        let after = json!({"metadata": {"name": "web", "generation": 2, "labels": {"purpose": "demo", "a.b/c": "x"}},
                           "spec": {"replicas": 3}});
        assert_eq!(
            changed(&before, &after),
            ["metadata.labels[a.b/c]: x added", "metadata.labels.purpose: demo added", "spec.replicas 1 → 3"]
        );
        assert_eq!(
            changed(&after, &before),
            ["metadata.labels[a.b/c]: x removed", "metadata.labels.purpose: demo removed", "spec.replicas 3 → 1"]
        );
        assert_eq!(changed(&after, &after), Vec::<String>::new());
    }

    #[test]
    fn items_of_lists_are_told_apart_by_their_names() {
        let conditions = |list: &[(&str, &str)]| {
            let list: Vec<Value> = list.iter().map(|(kind, status)| json!({"type": kind, "status": status})).collect();
            json!({"status": {"conditions": list}})
        };
        let before = conditions(&[("Ready", "False"), ("Old", "True")]);
        let after = conditions(&[("New", "True"), ("Ready", "True")]);
        assert_eq!(
            changed(&before, &after),
            [
                "status.conditions[Ready].status False → True",
                "status.conditions[Old].status: True removed",
                "status.conditions[New].status: True added",
            ]
        );
        let finalizers = |list: &[&str]| json!({"metadata": {"finalizers": list}});
        assert_eq!(
            changed(&finalizers(&["a", "b"]), &finalizers(&["b", "c"])),
            ["metadata.finalizers: a removed", "metadata.finalizers: c added"]
        );
        let rules =
            |list: &[&str]| json!({"rules": list.iter().map(|verb| json!({"verbs": [verb]})).collect::<Vec<_>>()});
        assert_eq!(changed(&rules(&["get"]), &rules(&["get", "list"])), ["rules[1].verbs: list added"]);
    }

    #[test]
    fn a_secrets_text_is_told_to_change_and_not_told() {
        let secret = |text: &str| json!({"apiVersion": "v1", "kind": "Secret", "data": {"p": text}});
        let shown = changed(&secret("aHVudGVyMQ=="), &secret("aHVudGVyMg=="));
        assert_eq!(shown, ["data.p: changed, <7 bytes, hidden>"]);
        let made = lines(None, Some(&secret("aHVudGVyMg==")));
        assert!(made.contains(&"data.p: <7 bytes, hidden> added".to_owned()), "{made:?}");
    }

    #[test]
    fn a_text_is_a_value_as_a_whole() {
        let text = |text: &str| Stored::new(text.to_owned());
        let difference = difference(Some(&text("a")), Some(&text("b"))).expect("texts");
        assert_eq!(difference.fields[0].to_string(), "the value a → b");
    }

    #[test]
    fn who_wrote_it_is_who_has_a_new_entry() {
        let entry = |manager: &str, time: &str, subresource: &str| json!({"manager": manager, "operation": "Update", "time": time, "subresource": subresource});
        let object = |entries: &[Value]| json!({"metadata": {"managedFields": entries}});
        let before =
            stored(&object(&[entry("kubectl-create", "1", ""), entry("kube-controller-manager", "1", "status")]));
        let after =
            stored(&object(&[entry("kubectl-create", "1", ""), entry("kube-controller-manager", "2", "status")]));
        let shown = difference(Some(&before), Some(&after)).expect("objects");
        assert_eq!(
            shown,
            Difference { fields: Vec::new(), writers: vec!["kube-controller-manager (status)".to_owned()] }
        );
    }

    #[test]
    fn who_lost_a_field_did_not_write() {
        let entry = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Update", "time": "1", "fieldsV1": fields});
        let object = |entries: &[Value]| stored(&json!({"metadata": {"managedFields": entries}}));
        let before = object(&[entry("kubectl-create", json!({"f:spec": {"f:a": {}, "f:replicas": {}}}))]);
        let scale = entry("kubectl", json!({"f:spec": {"f:replicas": {}}}));
        let after = object(&[entry("kubectl-create", json!({"f:spec": {"f:a": {}}})), scale]);
        assert_eq!(difference(Some(&before), Some(&after)).expect("objects").writers, ["kubectl"]);
    }

    #[test]
    fn what_goes_along_is_told_last_and_null_is_nothing() {
        let before = json!({"status": {"conditions": [{"type": "Ready", "lastTransitionTime": "1", "lastProbeTime": null, "status": "False"}]}});
        let after = json!({"status": {"conditions": [{"type": "Ready", "lastTransitionTime": "2", "status": "True"}]}});
        assert_eq!(
            changed(&before, &after),
            ["status.conditions[Ready].status False → True", "status.conditions[Ready].lastTransitionTime 1 → 2"]
        );
    }
}
