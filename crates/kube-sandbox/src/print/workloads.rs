//! What makes pods.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::text::{NONE, UNSET, human, labels, or, plain, selector, since, yes};
use super::{Column, Printer, Printing, Row, column, number, pods, wide};

pub(super) fn printer(plural: &str) -> Option<Printer> {
    let (columns, cells): Printing = match plural {
        "pods" => (pods::COLUMNS, pods::cells),
        "podtemplates" => (POD_TEMPLATE, pod_template),
        "replicationcontrollers" | "replicasets" => (REPLICA_SET, replica_set),
        "deployments" => (DEPLOYMENT, deployment),
        "daemonsets" => (DAEMON_SET, daemon_set),
        "statefulsets" => (STATEFUL_SET, stateful_set),
        "jobs" => (JOB, job),
        "cronjobs" => (CRON_JOB, cron_job),
        "controllerrevisions" => (CONTROLLER_REVISION, controller_revision),
        "horizontalpodautoscalers" => (AUTOSCALER, autoscaler),
        _ => return None,
    };
    Some(Printer { columns, cells })
}

const CONTAINERS: Column = wide("Containers");
const IMAGES: Column = wide("Images");
const SELECTOR: Column = wide("Selector");

const POD_TEMPLATE: &[Column] = &[column("Name"), column("Containers"), column("Images"), column("Pod Labels")];

fn pod_template(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers("/template/spec");
    vec![row.name(), names, images, json!(labels(row.at("/template/metadata/labels")))]
}

const REPLICA_SET: &[Column] = &[
    column("Name"),
    number("Desired"),
    number("Current"),
    number("Ready"),
    column("Age"),
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn replica_set(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers("/spec/template/spec");
    vec![
        row.name(),
        json!(row.number("/spec/replicas")),
        json!(row.number("/status/replicas")),
        json!(row.number("/status/readyReplicas")),
        row.age(),
        names,
        images,
        selects(row),
    ]
}

/// A replication controller's selector is a plain map.
fn selects(row: &Row<'_>) -> Value {
    let found = row.at("/spec/selector");
    let whole = found.is_some_and(|one| one.get("matchLabels").is_some() || one.get("matchExpressions").is_some());
    let is_map = row.text("/kind") == "ReplicationController" || !whole;
    json!(if is_map { labels(found) } else { selector(found) })
}

const DEPLOYMENT: &[Column] = &[
    column("Name"),
    column("Ready"),
    number("Up-to-date"),
    number("Available"),
    column("Age"),
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn deployment(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers("/spec/template/spec");
    vec![
        row.name(),
        json!(format!("{}/{}", row.number("/status/readyReplicas"), row.number("/spec/replicas"))),
        json!(row.number("/status/updatedReplicas")),
        json!(row.number("/status/availableReplicas")),
        row.age(),
        names,
        images,
        json!(selector(row.at("/spec/selector"))),
    ]
}

const DAEMON_SET: &[Column] = &[
    column("Name"),
    number("Desired"),
    number("Current"),
    number("Ready"),
    number("Up-to-date"),
    number("Available"),
    column("Node Selector"),
    column("Age"),
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn daemon_set(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers("/spec/template/spec");
    vec![
        row.name(),
        json!(row.number("/status/desiredNumberScheduled")),
        json!(row.number("/status/currentNumberScheduled")),
        json!(row.number("/status/numberReady")),
        json!(row.number("/status/updatedNumberScheduled")),
        json!(row.number("/status/numberAvailable")),
        json!(labels(row.at("/spec/template/spec/nodeSelector"))),
        row.age(),
        names,
        images,
        json!(selector(row.at("/spec/selector"))),
    ]
}

const STATEFUL_SET: &[Column] = &[column("Name"), column("Ready"), column("Age"), CONTAINERS, IMAGES];

fn stateful_set(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers("/spec/template/spec");
    let ready = format!("{}/{}", row.number("/status/readyReplicas"), row.number("/spec/replicas"));
    vec![row.name(), json!(ready), row.age(), names, images]
}

const JOB: &[Column] = &[
    column("Name"),
    column("Status"),
    column("Completions"),
    column("Duration"),
    column("Age"),
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn job(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers("/spec/template/spec");
    let done = row.number("/status/succeeded");
    let completions = match (row.at("/spec/completions"), row.number("/spec/parallelism")) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, parallel) if parallel > 1 => format!("{done}/1 of {parallel}"),
        (None, _) => format!("{done}/1"),
    };
    let time = |pointer| row.at(pointer).and_then(Value::as_str).and_then(|time| time.parse::<Timestamp>().ok());
    let took = time("/status/startTime").map_or_else(String::new, |start| {
        let end = time("/status/completionTime").unwrap_or(row.now);
        human(end.duration_since(start).as_secs())
    });
    let status = if row.holds("Complete") {
        "Complete"
    } else if row.holds("Failed") {
        "Failed"
    } else if row.is_going() {
        "Terminating"
    } else {
        let conditions = ["Suspended", "FailureTarget", "SuccessCriteriaMet"];
        conditions.into_iter().find(|one| row.holds(one)).unwrap_or("Running")
    };
    let selects = json!(selector(row.at("/spec/selector")));
    vec![row.name(), json!(status), json!(completions), json!(took), row.age(), names, images, selects]
}

const CRON_JOB: &[Column] = &[
    column("Name"),
    column("Schedule"),
    column("Timezone"),
    Column { name: "Suspend", kind: "boolean", priority: 0 },
    number("Active"),
    column("Last Schedule"),
    column("Age"),
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn cron_job(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers("/spec/jobTemplate/spec/template/spec");
    let last = row.at("/status/lastScheduleTime").and_then(Value::as_str);
    let suspend = row.at("/spec/suspend").and_then(Value::as_bool).map_or(UNSET, yes);
    vec![
        row.name(),
        json!(row.text("/spec/schedule")),
        json!(row.text_or("/spec/timeZone", NONE)),
        json!(suspend),
        json!(row.size("/status/active")),
        json!(last.map_or_else(|| NONE.to_owned(), |time| since(Some(time), row.now))),
        row.age(),
        names,
        images,
        json!(selector(row.at("/spec/jobTemplate/spec/selector"))),
    ]
}

const CONTROLLER_REVISION: &[Column] = &[column("Name"), column("Controller"), number("Revision"), column("Age")];

fn controller_revision(row: &Row<'_>) -> Vec<Value> {
    let owners = row.list("/metadata/ownerReferences");
    let owner = owners.iter().find(|owner| owner["controller"] == true).map(|owner| {
        let (group, _) = kube_etcd_codec::split_group(owner["apiVersion"].as_str().unwrap_or_default());
        let dot = if group.is_empty() { "" } else { "." };
        format!("{}{dot}{group}/{}", plain(&owner["kind"]).to_lowercase(), plain(&owner["name"]))
    });
    let owner = owner.unwrap_or_else(|| NONE.to_owned());
    vec![row.name(), json!(owner), json!(row.number("/revision")), row.age()]
}

const AUTOSCALER: &[Column] = &[
    column("Name"),
    column("Reference"),
    column("Targets"),
    column("MinPods"),
    column("MaxPods"),
    number("Replicas"),
    column("Age"),
];

fn autoscaler(row: &Row<'_>) -> Vec<Value> {
    let reference = format!("{}/{}", row.text("/spec/scaleTargetRef/kind"), row.text("/spec/scaleTargetRef/name"));
    let least = row.at("/spec/minReplicas").map_or_else(|| UNSET.to_owned(), plain);
    vec![
        row.name(),
        json!(reference),
        json!(metrics(row)),
        json!(least),
        json!(row.number("/spec/maxReplicas").to_string()),
        json!(row.number("/status/currentReplicas")),
        row.age(),
    ]
}

/// Current and wanted value of the first two metrics.
fn metrics(row: &Row<'_>) -> String {
    let (specs, now) = (row.list("/spec/metrics"), row.list("/status/currentMetrics"));
    let mut shown = Vec::new();
    if let Some(wanted) = row.at("/spec/targetCPUUtilizationPercentage") {
        let current = row.at("/status/currentCPUUtilizationPercentage");
        let current = current.map_or_else(|| "<unknown>".to_owned(), |value| format!("{value}%"));
        shown.push(format!("cpu: {current}/{wanted}%"));
    }
    for (at, spec) in specs.iter().enumerate() {
        let source = match spec["type"].as_str().unwrap_or_default() {
            "Resource" => "resource",
            "ContainerResource" => "containerResource",
            "Pods" => "pods",
            "Object" => "object",
            "External" => "external",
            _ => {
                shown.push("<unknown type>".to_owned());
                continue;
            }
        };
        let (wanted, current) = (&spec[source]["target"], now.get(at).map(|one| &one[source]["current"]));
        let value = |field: &str| {
            let current = current.map(|one| &one[field]).filter(|value| !value.is_null());
            (current.map_or_else(|| "<unknown>".to_owned(), plain), plain(&wanted[field]))
        };
        let (current, wanted) = if !wanted["averageValue"].is_null() {
            let (current, wanted) = value("averageValue");
            let unit = if source.ends_with("esource") || source == "pods" { "" } else { " (avg)" };
            (current, format!("{wanted}{unit}"))
        } else if source.ends_with("esource") {
            let (current, wanted) = value("averageUtilization");
            let percent = |text: String| if text.starts_with('<') { text } else { format!("{text}%") };
            (percent(current), if wanted == "null" { "<auto>".to_owned() } else { percent(wanted) })
        } else {
            value("value")
        };
        let name = if source.ends_with("esource") { plain(&spec[source]["name"]) + ": " } else { String::new() };
        shown.push(format!("{name}{current}/{wanted}"));
    }
    let more = shown.len().saturating_sub(2);
    shown.truncate(2);
    let text = or(shown.join(", "), NONE);
    if more > 0 { format!("{text} + {more} more...") } else { text }
}
