//! What the cluster itself needs: leases, priorities, certificates, devices, its own extensions.

use serde_json::{Value, json};

use super::text::{NONE, human, plain};
use super::{Column, Printer, Printing, Row, column, number};

pub(super) fn printer(plural: &str) -> Option<Printer> {
    let (columns, cells): Printing = match plural {
        "leases" => (const { &[column("Name"), column("Holder"), column("Age")] }, lease),
        "priorityclasses" => (PRIORITY, priority),
        "runtimeclasses" => (const { &[column("Name"), column("Handler"), column("Age")] }, runtime),
        "certificatesigningrequests" => (SIGNING, signing),
        "flowschemas" => (FLOW, flow),
        "prioritylevelconfigurations" => (LEVEL, level),
        "apiservices" => {
            (const { &[column("Name"), column("Service"), column("Available"), column("Age")] }, api_service)
        }
        "deviceclasses" | "resourceclaimtemplates" => {
            (const { &[column("Name"), column("Age")] }, |row| vec![row.name(), row.age()])
        }
        "resourceclaims" => (const { &[column("Name"), column("State"), column("Age")] }, claim),
        "resourceslices" => (SLICE, slice),
        _ => return None,
    };
    Some(Printer { columns, cells })
}

fn lease(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.text("/spec/holderIdentity")), row.age()]
}

const PRIORITY: &[Column] = &[
    column("Name"),
    number("Value"),
    Column { name: "Global-Default", kind: "boolean", priority: 0 },
    column("Age"),
    column("PreemptionPolicy"),
];

fn priority(row: &Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        json!(row.number("/value")),
        json!(row.flag("/globalDefault")),
        row.age(),
        json!(row.text("/preemptionPolicy")),
    ]
}

fn runtime(row: &Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.text("/handler")), row.age()]
}

const SIGNING: &[Column] = &[
    column("Name"),
    column("Age"),
    column("SignerName"),
    column("Requestor"),
    column("RequestedDuration"),
    column("Condition"),
];

fn signing(row: &Row<'_>) -> Vec<Value> {
    let has = |kind: &str| row.list("/status/conditions").iter().any(|one| one["type"] == kind);
    let mut condition = match () {
        () if has("Denied") => "Denied",
        () if has("Approved") => "Approved",
        () => "Pending",
    }
    .to_owned();
    if has("Failed") {
        condition += ",Failed";
    }
    if !row.text("/status/certificate").is_empty() {
        condition += ",Issued";
    }
    let span = row.at("/spec/expirationSeconds").and_then(Value::as_i64);
    vec![
        row.name(),
        row.age(),
        json!(row.text_or("/spec/signerName", NONE)),
        json!(row.text("/spec/username")),
        json!(span.map_or_else(|| NONE.to_owned(), human)),
        json!(condition),
    ]
}

const FLOW: &[Column] = &[
    column("Name"),
    column("PriorityLevel"),
    number("MatchingPrecedence"),
    column("DistinguisherMethod"),
    column("Age"),
    column("MissingPL"),
];

fn flow(row: &Row<'_>) -> Vec<Value> {
    let dangling = row.list("/status/conditions").iter().find(|one| one["type"] == "Dangling");
    vec![
        row.name(),
        json!(row.text("/spec/priorityLevelConfiguration/name")),
        json!(row.number("/spec/matchingPrecedence")),
        json!(row.text_or("/spec/distinguisherMethod/type", NONE)),
        row.age(),
        json!(dangling.map_or_else(|| "?".to_owned(), |one| plain(&one["status"]))),
    ]
}

const LEVEL: &[Column] = &[
    column("Name"),
    column("Type"),
    column("NominalConcurrencyShares"),
    column("Queues"),
    column("HandSize"),
    column("QueueLengthLimit"),
    column("Age"),
];

fn level(row: &Row<'_>) -> Vec<Value> {
    let text = |pointer: &str| row.at(pointer).map_or_else(|| json!(NONE), |value| json!(plain(value)));
    let shares = text("/spec/limited/nominalConcurrencyShares");
    let queues = "/spec/limited/limitResponse/queuing";
    vec![
        row.name(),
        json!(row.text("/spec/type")),
        shares,
        text(&format!("{queues}/queues")),
        text(&format!("{queues}/handSize")),
        text(&format!("{queues}/queueLengthLimit")),
        row.age(),
    ]
}

fn api_service(row: &Row<'_>) -> Vec<Value> {
    let service = row
        .at("/spec/service")
        .map_or_else(|| "Local".to_owned(), |one| format!("{}/{}", plain(&one["namespace"]), plain(&one["name"])));
    let available = row.list("/status/conditions").iter().find(|one| one["type"] == "Available");
    let available = available.map_or_else(
        || "Unknown".to_owned(),
        |one| match one["status"].as_str() {
            Some("True") => "True".to_owned(),
            status => format!("{} ({})", status.unwrap_or("Unknown"), plain(&one["reason"])),
        },
    );
    vec![row.name(), json!(service), json!(available), row.age()]
}

fn claim(row: &Row<'_>) -> Vec<Value> {
    let mut states = Vec::new();
    if row.is_going() {
        states.push("deleted");
    }
    match row.at("/status/allocation") {
        Some(_) => states.push("allocated"),
        None if !row.is_going() => states.push("pending"),
        None => {}
    }
    if row.size("/status/reservedFor") > 0 {
        states.push("reserved");
    }
    vec![row.name(), json!(states.join(",")), row.age()]
}

const SLICE: &[Column] = &[column("Name"), column("Node"), column("Driver"), column("Pool"), column("Age")];

fn slice(row: &Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        json!(row.text_or("/spec/nodeName", "<unset>")),
        json!(row.text("/spec/driver")),
        json!(row.text("/spec/pool/name")),
        row.age(),
    ]
}
