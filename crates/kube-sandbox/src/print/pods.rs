//! Pods: the words and counts that stand for what their containers do.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::text::{NONE, human};
use super::{Column, Row, column, wide};

pub(super) const COLUMNS: &[Column] = &[
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

pub(super) fn cells(row: &Row<'_>) -> Vec<Value> {
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
            if row.holds("Ready") { "Running" } else { "NotReady" }.clone_into(&mut status);
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
pub(super) fn is_over(pod: &Value) -> Option<Value> {
    let message = match pod["status"]["phase"].as_str()? {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return None,
    };
    Some(json!({"type": "Completed", "status": "True", "reason": pod["status"]["phase"], "message": message}))
}
