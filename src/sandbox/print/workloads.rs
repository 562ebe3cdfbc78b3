//! Pods and what makes them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::text::{NONE, UNSET, human, labels, or, plain, selector, since, yes};
use super::{Column, Printer, Printing, Row, column, number, wide};

pub(super) fn printer(plural: &str) -> Option<Printer> {
    let (columns, cells): Printing = match plural {
        "pods" => (POD, pod),
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

const POD: &[Column] = &[
    column("Name"),
    column("Ready"),
    column("Status"),
    column("Restarts"),
    column("Age"),
    wide("IP"),
    wide("Node"),
    wide("Nominated Node"),
    wide("Readiness Gates"),
];

fn pod(row: &Row<'_>) -> Vec<Value> {
    let summary = summarize(row);
    let restarts = match summary.last_restart {
        Some(last) if summary.restarts > 0 => {
            format!("{} ({} ago)", summary.restarts, human(row.now.duration_since(last).as_secs()))
        }
        _ => summary.restarts.to_string(),
    };
    let gates = row.list("/spec/readinessGates");
    let open = gates.iter().filter(|gate| row.holds(gate["conditionType"].as_str().unwrap_or_default())).count();
    let gates = if gates.is_empty() { NONE.to_owned() } else { format!("{open}/{}", gates.len()) };
    vec![
        row.name(),
        json!(format!("{}/{}", summary.ready, summary.total)),
        json!(summary.status),
        json!(restarts),
        row.age(),
        json!(row.text_or("/status/podIPs/0/ip", NONE)),
        json!(row.text_or("/spec/nodeName", NONE)),
        json!(row.text_or("/status/nominatedNodeName", NONE)),
        json!(gates),
    ]
}

struct Summary {
    ready: usize,
    total: usize,
    status: String,
    restarts: i64,
    last_restart: Option<Timestamp>,
}

/// Restarts, and when the last one was.
#[derive(Default, Clone, Copy)]
struct Restarts {
    count: i64,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, container: &Value) {
        self.count += container["restartCount"].as_i64().unwrap_or_default();
        let ended = container.pointer("/lastState/terminated/finishedAt").and_then(Value::as_str);
        self.last = self.last.max(ended.and_then(|time| time.parse().ok()));
    }
}

/// The words that stand for a pod's state: its phase, or what its containers wait for or ended with.
fn summarize(row: &Row<'_>) -> Summary {
    let phase = row.text("/status/phase");
    let mut status = row.text_or("/status/reason", phase).to_owned();
    let conditions = row.list("/status/conditions");
    if conditions.iter().any(|one| one["type"] == "PodScheduled" && one["reason"] == "SchedulingGated") {
        "SchedulingGated".clone_into(&mut status);
    }
    let inits = row.list("/spec/initContainers");
    let is_sidecar = |name: &Value| inits.iter().any(|one| one["name"] == *name && one["restartPolicy"] == "Always");
    let sidecars = inits.iter().filter(|one| one["restartPolicy"] == "Always").count();
    let total = row.list("/spec/containers").len() + sidecars;
    let (mut all, mut of_sidecars, mut ready, mut initializing) = (Restarts::default(), Restarts::default(), 0, false);
    for (at, container) in row.list("/status/initContainerStatuses").iter().enumerate() {
        all.add(container);
        let sidecar = is_sidecar(&container["name"]);
        if sidecar {
            of_sidecars.add(container);
        }
        let state = &container["state"];
        let waits_for = state["waiting"]["reason"].as_str().filter(|reason| !["", "PodInitializing"].contains(reason));
        let ended = Some(&state["terminated"]).filter(|ended| ended.is_object());
        match (ended, waits_for) {
            (Some(ended), _) if ended["exitCode"] == 0 => continue,
            _ if sidecar && container["started"] == true => {
                ready += usize::from(container["ready"] == true);
                continue;
            }
            (Some(ended), _) => status = format!("Init:{}", how_it_ended(ended)),
            (None, Some(reason)) => status = format!("Init:{reason}"),
            (None, None) => status = format!("Init:{at}/{}", inits.len()),
        }
        initializing = true;
        break;
    }
    let mut restarts = all;
    if !initializing || row.holds("Initialized") {
        restarts = of_sidecars;
        let mut runs = false;
        for container in row.list("/status/containerStatuses").iter().rev() {
            restarts.add(container);
            let state = &container["state"];
            let waits_for = state["waiting"]["reason"].as_str().filter(|reason| !reason.is_empty());
            if let Some(reason) = waits_for {
                reason.clone_into(&mut status);
            } else if state["terminated"].is_object() {
                status = how_it_ended(&state["terminated"]);
            } else if container["ready"] == true && state["running"].is_object() {
                runs = true;
                ready += 1;
            }
        }
        if status == "Completed" && runs {
            status = if row.holds("Ready") { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if row.is_going() && row.text("/status/reason") == "NodeLost" {
        "Unknown".clone_into(&mut status);
    } else if row.is_going() && !["Succeeded", "Failed"].contains(&phase) {
        "Terminating".clone_into(&mut status);
    }
    Summary { ready, total, status, restarts: restarts.count, last_restart: restarts.last }
}

fn how_it_ended(ended: &Value) -> String {
    match (ended["reason"].as_str().unwrap_or_default(), ended["signal"].as_i64().unwrap_or_default()) {
        ("", 0) => format!("ExitCode:{}", ended["exitCode"].as_i64().unwrap_or_default()),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// The row's condition for a pod that will not run any more.
pub(super) fn pod_is_over(pod: &Value) -> Option<Value> {
    let message = match pod["status"]["phase"].as_str()? {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return None,
    };
    Some(json!({"type": "Completed", "status": "True", "reason": pod["status"]["phase"], "message": message}))
}

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
        let (group, _) = crate::codec::split_group(owner["apiVersion"].as_str().unwrap_or_default());
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
