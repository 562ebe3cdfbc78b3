//! Namespaces, nodes, events, and plain data.

use serde_json::{Value, json};

use super::text::{NONE, or, plain};
use super::{Column, Printer, Printing, Row, column, number, wide};

pub(super) fn printer(plural: &str) -> Option<Printer> {
    let (columns, cells): Printing = match plural {
        "namespaces" => (const { &[column("Name"), column("Status"), column("Age")] }, namespace),
        "nodes" => (NODE, node),
        "events" => (EVENT, event),
        "configmaps" => (const { &[column("Name"), column("Data"), column("Age")] }, config_map),
        "secrets" => (const { &[column("Name"), column("Type"), number("Data"), column("Age")] }, secret),
        "serviceaccounts" => (const { &[column("Name"), column("Age")] }, |row| vec![row.name(), row.age()]),
        "resourcequotas" => (const { &[column("Name"), column("Request"), column("Limit"), column("Age")] }, quota),
        "componentstatuses" => {
            (const { &[column("Name"), column("Status"), column("Message"), column("Error")] }, component)
        }
        _ => return None,
    };
    Some(Printer { columns, cells })
}

fn namespace(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.text("/status/phase")), row.age()]
}

const NODE: &[Column] = &[
    column("Name"),
    column("Status"),
    column("Roles"),
    column("Age"),
    column("Version"),
    wide("Internal-IP"),
    wide("External-IP"),
    wide("OS-Image"),
    wide("Kernel-Version"),
    wide("Container-Runtime"),
];

fn node(row: &Row<'_>) -> Vec<Value> {
    const ROLE: &str = "node-role.kubernetes.io/";
    let conditions = row.list("/status/conditions");
    let ready = conditions.iter().find(|one| one["type"] == "Ready");
    let mut status = match ready {
        Some(one) if one["status"] == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if row.flag("/spec/unschedulable") {
        status += ",SchedulingDisabled";
    }
    let mut roles: Vec<String> = Vec::new();
    for (label, value) in row.at("/metadata/labels").and_then(Value::as_object).into_iter().flatten() {
        match label.strip_prefix(ROLE) {
            Some(role) if !role.is_empty() => roles.push(role.to_owned()),
            None if label == "kubernetes.io/role" && value != "" => roles.push(plain(value)),
            _ => {}
        }
    }
    roles.sort();
    roles.dedup();
    let address = |kind: &str| {
        let found = row.list("/status/addresses").iter().find(|one| one["type"] == kind);
        found.map_or_else(|| NONE.to_owned(), |one| plain(&one["address"]))
    };
    let info = |field: &str| row.text_or(&format!("/status/nodeInfo/{field}"), "<unknown>").to_owned();
    let kernel = match info("architecture").as_str() {
        "<unknown>" => info("kernelVersion"),
        architecture => format!("{} ({architecture})", info("kernelVersion")),
    };
    vec![
        row.name(),
        json!(status),
        json!(or(roles.join(","), NONE)),
        row.age(),
        json!(row.text("/status/nodeInfo/kubeletVersion")),
        json!(address("InternalIP")),
        json!(address("ExternalIP")),
        json!(info("osImage")),
        json!(kernel),
        json!(info("containerRuntimeVersion")),
    ]
}

const EVENT: &[Column] = &[
    column("Last Seen"),
    column("Type"),
    column("Reason"),
    column("Object"),
    wide("Subobject"),
    wide("Source"),
    column("Message"),
    wide("First Seen"),
    Column { name: "Count", kind: "integer", priority: 1 },
    wide("Name"),
];

/// The two groups of events name the same fields differently.
fn event(row: &Row<'_>) -> Vec<Value> {
    let either = |one: &str, other: &str| row.text_or(one, row.text(other)).to_owned();
    let age_of = |pointers: &[&str]| {
        let found = pointers.iter().find(|pointer| row.at(pointer).is_some());
        found.map_or_else(|| "<unknown>".to_owned(), |pointer| row.since(pointer))
    };
    let first = age_of(&["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime"]);
    let mut last = age_of(&["/lastTimestamp", "/deprecatedLastTimestamp"]);
    if last == "<unknown>" {
        last.clone_from(&first);
    }
    let mut count = row.number("/count").max(row.number("/deprecatedCount"));
    if row.at("/series").is_some() {
        last = row.since("/series/lastObservedTime");
        count = row.number("/series/count");
    } else if count == 0 {
        count = 1;
    }
    let kind = either("/involvedObject/kind", "/regarding/kind").to_lowercase();
    let name = either("/involvedObject/name", "/regarding/name");
    let object = if name.is_empty() { kind } else { format!("{kind}/{name}") };
    let component = either("/source/component", "/deprecatedSource/component");
    let component =
        if component.is_empty() { either("/reportingComponent", "/reportingController") } else { component };
    let host = either("/source/host", "/deprecatedSource/host");
    let host = if host.is_empty() { row.text("/reportingInstance").to_owned() } else { host };
    let source = if host.is_empty() { component } else { format!("{component}, {host}") };
    vec![
        json!(last),
        json!(row.text("/type")),
        json!(row.text("/reason")),
        json!(object),
        json!(either("/involvedObject/fieldPath", "/regarding/fieldPath")),
        json!(source),
        json!(either("/message", "/note").trim()),
        json!(first),
        json!(count),
        row.name(),
    ]
}

fn config_map(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!((row.size("/data") + row.size("/binaryData")).to_string()), row.age()]
}

fn secret(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.text("/type")), json!(row.size("/data")), row.age()]
}

fn quota(row: &Row<'_>) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in row.at("/status/hard").and_then(Value::as_object).into_iter().flatten() {
        let used = row.at("/status/used").and_then(|used| used.get(resource)).map_or_else(|| "0".to_owned(), plain);
        let side = if resource.starts_with("limits") { &mut limits } else { &mut requests };
        side.push(format!("{resource}: {used}/{}", plain(hard)));
    }
    vec![row.name(), json!(requests.join(", ")), json!(limits.join(", ")), row.age()]
}

fn component(row: &Row<'_>) -> Vec<Value> {
    let healthy = row.list("/conditions").iter().find(|one| one["type"] == "Healthy");
    let text = |field: &str| healthy.map_or_else(String::new, |one| one[field].as_str().unwrap_or_default().to_owned());
    let status = match text("status").as_str() {
        "True" => "Healthy",
        "False" => "Unhealthy",
        _ => "Unknown",
    };
    vec![row.name(), json!(status), json!(text("message")), json!(text("error"))]
}
