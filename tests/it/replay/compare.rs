//! Two streams of events by the rules of `tests/data/real-cluster/README.md`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::normal::{Names, differences};
use super::recording::Event;

/// A stream with common names.
#[derive(Default)]
pub(crate) struct Stream(Vec<Told>);

struct Told {
    put: bool,
    /// The key as it is, to tell objects of the same shape apart.
    key: String,
    shape: String,
    revision: i64,
    first: bool,
    value: Value,
}

impl Stream {
    pub(crate) fn of(events: &[Event], names: &mut Names) -> Self {
        let mut stream = Self::default();
        stream.extend(events, names);
        stream
    }

    pub(crate) fn extend(&mut self, events: &[Event], names: &mut Names) {
        self.0.extend(events.iter().map(|event| Told {
            put: event.is_put(),
            key: event.key.clone(),
            shape: names.text(&event.key),
            revision: event.mod_revision,
            first: event.version == 1,
            value: names.value(&event.value),
        }));
    }

    /// What was there at a revision: values by the shape of their key, in a stable order.
    pub(crate) fn state(&self, until: i64) -> State {
        let mut live: BTreeMap<&str, &Told> = BTreeMap::new();
        for told in self.0.iter().filter(|told| told.revision <= until) {
            if told.put {
                live.insert(&told.key, told);
            } else {
                live.remove(told.key.as_str());
            }
        }
        let mut state = BTreeMap::new();
        for told in live.values() {
            let values: &mut Vec<Value> = state.entry(place(told)).or_default();
            values.push(told.value.clone());
        }
        for values in state.values_mut() {
            values.sort_by_key(Value::to_string);
        }
        State(state)
    }

    /// First PUT and DELETE of each key, in order, without Events. Deletions that follow each other are the work of
    /// controllers that do not wait for each other (and of Go's maps, which have no order); so are the two things
    /// that each new namespace is given, and the two that each Service is.
    fn order(&self) -> Vec<String> {
        let mut order = self.sequence();
        let loose = |entry: &String| {
            let independent = [
                "/kube-root-ca.crt",
                "/registry/serviceaccounts/",
                "/registry/services/endpoints/",
                "/registry/endpointslices/",
            ];
            entry.starts_with("DELETE ") || independent.iter().any(|part| entry.contains(part))
        };
        for run in order.chunk_by_mut(|a, b| loose(a) && loose(b)) {
            run.sort();
        }
        order
    }

    fn sequence(&self) -> Vec<String> {
        let kept =
            self.0.iter().filter(|told| (told.first || !told.put) && !told.shape.starts_with("/registry/events/"));
        kept.map(|told| format!("{} {}", if told.put { "PUT" } else { "DELETE" }, told.shape)).collect()
    }

    /// What each object went through.
    fn lives(&self) -> BTreeMap<String, Vec<String>> {
        let mut lives: BTreeMap<&str, (&str, Vec<&'static str>)> = BTreeMap::new();
        for told in self.0.iter().filter(|told| !told.shape.starts_with("/registry/events/")) {
            let life = &mut lives.entry(&told.key).or_insert((&told.shape, Vec::new())).1;
            for milestone in milestones(told) {
                if !life.contains(&milestone) {
                    life.push(milestone);
                }
            }
        }
        let mut shapes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (shape, life) in lives.values() {
            shapes.entry((*shape).to_owned()).or_default().push(life.join(", "));
        }
        for lives in shapes.values_mut() {
            lives.sort();
        }
        shapes
    }

    /// How each key's first value looked.
    fn births(&self) -> State {
        let mut state: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for told in self.0.iter().filter(|told| told.put && told.first) {
            state.entry(place(told)).or_default().push(told.value.clone());
        }
        for values in state.values_mut() {
            values.sort_by_key(Value::to_string);
        }
        State(state)
    }
}

/// Events are told apart by what they say.
fn place(told: &Told) -> String {
    if told.shape.starts_with("/registry/events/") {
        let text = |field: &str| told.value[field].as_str().unwrap_or_default();
        return format!("{} ({}: {})", told.shape, text("reason"), text("message"));
    }
    told.shape.clone()
}

fn milestones(told: &Told) -> Vec<&'static str> {
    if !told.put {
        return vec!["deleted"];
    }
    let value = &told.value;
    let mut found = Vec::new();
    if told.first {
        found.push("created");
    }
    if value["kind"] == "Pod" {
        if value["spec"].get("nodeName").is_some() {
            found.push("scheduled");
        }
        match value["status"]["phase"].as_str() {
            Some("Running") => found.push("running"),
            Some("Succeeded") => found.push("succeeded"),
            Some("Failed") => found.push("failed"),
            _ => {}
        }
        let conditions = value["status"]["conditions"].as_array().into_iter().flatten();
        if conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True") {
            found.push("ready");
        }
    }
    if value["status"]["phase"] == "Terminating" {
        found.push("terminating");
    }
    if value["metadata"].get("deletionTimestamp").is_some() {
        // It follows what else the same PUT tells.
        found.push("deletionTimestamp set");
    }
    found
}

/// Live values by the shape of their key.
#[derive(PartialEq)]
pub(crate) struct State(BTreeMap<String, Vec<Value>>);

impl State {
    pub(crate) fn differences(&self, ours: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let none = Vec::new();
        let places: std::collections::BTreeSet<&String> = self.0.keys().chain(ours.0.keys()).collect();
        for place in places {
            let (recorded, seen) = (self.0.get(place).unwrap_or(&none), ours.0.get(place).unwrap_or(&none));
            if recorded.len() != seen.len() {
                found.push(format!("{place}: {} of them, recorded {}", seen.len(), recorded.len()));
                continue;
            }
            for (recorded, seen) in recorded.iter().zip(seen) {
                found
                    .extend(differences(recorded, seen).into_iter().map(|difference| format!("{place}: {difference}")));
            }
        }
        found
    }
}

/// All but the states between, which are compared step by step.
pub(crate) fn compare(recorded: &Stream, ours: &Stream) -> Vec<String> {
    let mut found: Vec<String> = recorded
        .births()
        .differences(&ours.births())
        .into_iter()
        .map(|difference| format!("first value: {difference}"))
        .collect();
    let (one, other) = (recorded.lives(), ours.lives());
    for (shape, lives) in &one {
        let seen = other.get(shape);
        if seen != Some(lives) {
            found.push(format!("milestones: {shape}: {:?}, recorded {lives:?}", seen.cloned().unwrap_or_default()));
        }
    }
    found.extend(
        other
            .keys()
            .filter(|shape| !one.contains_key(*shape))
            .map(|shape| format!("milestones: {shape} is not in the recording")),
    );
    let (one, other) = (recorded.order(), ours.order());
    if one != other {
        let at = one.iter().zip(&other).position(|(a, b)| a != b).unwrap_or(one.len().min(other.len()));
        let near = |order: &[String]| order.iter().skip(at).take(4).cloned().collect::<Vec<_>>().join("; ");
        found.push(format!("order: {} | recorded {}", near(&other), near(&one)));
    }
    found
}
