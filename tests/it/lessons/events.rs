//! The Events of a saved run against a table of those that a real cluster has.
//!
//! A table names objects, by `Kind/name` (and `in NAMESPACE`) with `*` for what differs from run to run, each once for
//! all that it fits, and below each its Events in the order in which they first come: `component type reason field: message`, with `*`
//! in the message. Before a row, `?` says that it may be missing (the lab may end first) and `+` that it may come any
//! number of times, or not at all. Each component writes its Events in order; between two of them no cluster keeps
//! one, so that a table has each component's for itself. Comments name what the table was taken from: a recording
//! (`tests/data/real-cluster/traces`), or the function of Kubernetes 1.36 that writes the Event.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::sandbox::line_fits;

/// By object, and in it by component: each Event as `component type reason field: message`.
type Streams = BTreeMap<String, BTreeMap<String, Vec<String>>>;

struct Row {
    marker: Option<char>,
    component: String,
    text: String,
}

pub(super) fn compare(table: &str, journal: &str) -> Result<(), String> {
    let table = read(table);
    let seen = events(journal);
    let mut met = BTreeSet::new();
    for (object, streams) in &seen {
        let Some((name, rows)) = table.iter().find(|(name, _)| line_fits(name, object)) else {
            return Err(format!("the table has no {object}: {streams:#?}"));
        };
        met.insert(name);
        let components: BTreeSet<&str> = rows.iter().map(|row| &*row.component).collect();
        let others: Vec<&String> = streams.keys().filter(|key| !components.contains(key.as_str())).collect();
        if !others.is_empty() {
            return Err(format!("the table has no {others:?} for {object}: {streams:#?}"));
        }
        for component in components {
            let rows: Vec<&Row> = rows.iter().filter(|row| row.component == component).collect();
            let seen = streams.get(component).map_or(&[][..], Vec::as_slice);
            follow(&rows, seen).map_err(|why| format!("{object}: {why}; it has: {seen:#?}"))?;
        }
    }
    let missing: Vec<&str> = table.iter().filter(|(name, _)| !met.contains(name)).map(|(name, _)| &**name).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("no Events of {missing:?}")) }
}

fn follow(rows: &[&Row], seen: &[String]) -> Result<(), String> {
    let mut at = 0;
    for row in rows {
        let mut times = 0;
        while seen.get(at).is_some_and(|seen| line_fits(&row.text, seen)) && (times == 0 || row.marker == Some('+')) {
            at += 1;
            times += 1;
        }
        if times == 0 && row.marker.is_none() {
            return Err(format!("expected {:?}, not {:?}", row.text, seen.get(at)));
        }
    }
    seen.get(at).map_or(Ok(()), |more| Err(format!("{more:?} is not in the table")))
}

fn read(table: &str) -> Vec<(String, Vec<Row>)> {
    let mut objects: Vec<(String, Vec<Row>)> = Vec::new();
    for line in table.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let Some(row) = line.strip_prefix("  ") else {
            objects.push((line.to_owned(), Vec::new()));
            continue;
        };
        let (marker, text) = match row.strip_prefix("? ").map(|text| ('?', text)) {
            Some((marker, text)) => (Some(marker), text),
            None => row.strip_prefix("+ ").map_or((None, row), |text| (Some('+'), text)),
        };
        let component = text.split(' ').next().unwrap_or_default().to_owned();
        let (_, rows) = objects.last_mut().expect("a row stands below an object");
        rows.push(Row { marker, component, text: text.to_owned() });
    }
    objects
}

/// The Events of the lab's own namespaces, each where it came first.
fn events(journal: &str) -> Streams {
    let mut streams = Streams::new();
    let mut known = BTreeSet::new();
    for line in journal.lines() {
        let entry: Value = serde_json::from_str(line).expect("a line is JSON");
        let key = entry["key"].as_str().unwrap_or_default();
        let event = &entry["value"]["object"];
        let involved = &event["involvedObject"];
        let own = key.starts_with("/registry/events/") && !key.starts_with("/registry/events/kube-");
        if !own || event.is_null() || involved["kind"] == "Node" || !known.insert(key.to_owned()) {
            continue;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let component = text(&event["source"]["component"]);
        let field = text(&involved["fieldPath"]);
        let space = if field.is_empty() { "" } else { " " };
        let (severity, reason, message) = (text(&event["type"]), text(&event["reason"]), text(&event["message"]));
        let row = format!("{component} {severity} {reason}{space}{field}: {message}");
        let namespace = text(&involved["namespace"]);
        let place = if namespace == "default" { String::new() } else { format!(" in {namespace}") };
        let object = format!("{}/{}{place}", text(&involved["kind"]), text(&involved["name"]));
        streams.entry(object).or_default().entry(component).or_default().push(row);
    }
    streams
}

#[test]
fn a_table_is_followed_row_by_row() {
    let line = |key: &str, reason: &str, message: &str| {
        let event = serde_json::json!({
            "type": "Normal", "reason": reason, "message": message, "source": {"component": "kubelet"},
            "involvedObject": {"kind": "Pod", "namespace": "default", "name": "web-1"},
        });
        serde_json::json!({"type": "PUT", "key": format!("/registry/events/default/{key}"), "value": {"object": event}})
            .to_string()
    };
    let journal = [line("a", "Pulled", "in 1ms"), line("b", "Started", "up"), line("a", "Pulled", "in 2ms")].join("\n");
    let table = "# source\nPod/web-*\n  kubelet Normal Pulled: in *ms\n  kubelet Normal Started: up\n";
    assert_eq!(compare(table, &journal), Ok(()));
    assert_eq!(compare(&format!("{table}  ? kubelet Normal Killing: x\n"), &journal), Ok(()));
    assert!(compare(&format!("{table}  kubelet Normal Killing: x\n"), &journal).is_err());
    assert!(compare(&format!("{table}Pod/db\n  kubelet Normal Killing: x\n"), &journal).is_err());
    let other_order = "Pod/web-*\n  kubelet Normal Started: up\n  kubelet Normal Pulled: in *ms\n";
    assert!(compare(other_order, &journal).is_err());
    assert!(compare("Pod/web-*\n  kubelet Normal Pulled: in *ms\n", &journal).is_err());
    assert!(compare("Pod/other\n  kubelet Normal Pulled: in *ms\n", &journal).is_err());
}
