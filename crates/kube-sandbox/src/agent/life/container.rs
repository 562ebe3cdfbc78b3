//! One container of a pod.

use serde_json::{Map, Value, json};

use super::{Container, Ended, State};
use crate::agent::image;
use crate::runtime::{meta, seconds};

impl Container {
    pub(super) fn of(spec: Value, held: &Value, waiting: &str) -> Self {
        let state = &held["state"];
        let text = |at: &str| meta::text(state, at).to_owned();
        let state = if let Some(running) = state.get("running") {
            State::Running { since: meta::text(running, "/startedAt").to_owned() }
        } else if let Some(ended) = state.get("terminated") {
            State::Ended(Ended {
                code: i32::try_from(meta::int(&ended["exitCode"], 0)).unwrap_or_default(),
                reason: text("/terminated/reason"),
                message: text("/terminated/message"),
                started: ended["startedAt"].clone(),
                finished: ended["finishedAt"].clone(),
                id: text("/terminated/containerID"),
            })
        } else {
            let reason = text("/waiting/reason");
            State::Waiting {
                reason: if reason.is_empty() { waiting.to_owned() } else { reason },
                message: text("/waiting/message"),
            }
        };
        Self {
            spec,
            state,
            last: held.get("lastState").cloned().unwrap_or_else(|| json!({})),
            restarts: meta::int(&held["restartCount"], 0),
            ready: held["ready"] == true,
            started: held["started"] == true,
            id: meta::text(held, "/containerID").to_owned(),
            runs: meta::text(held, "/image").to_owned(),
        }
    }

    /// Whether its image is another one by now than the one that it was started with.
    pub(crate) fn is_changed(&self) -> bool {
        !self.id.is_empty() && self.runs != image::full_name(self.image()) && self.runs != self.image()
    }

    pub(crate) fn name(&self) -> &str {
        meta::text(&self.spec, "/name")
    }

    pub(crate) fn image(&self) -> &str {
        meta::text(&self.spec, "/image")
    }

    /// An init container with `restartPolicy: Always` runs beside the others.
    pub(crate) fn is_sidecar(&self) -> bool {
        self.spec["restartPolicy"] == "Always"
    }

    pub(super) fn side_runs(&self) -> bool {
        self.is_sidecar() && self.started && matches!(self.state, State::Running { .. })
    }

    pub(crate) fn done(&self) -> bool {
        matches!(&self.state, State::Ended(ended) if ended.code == 0)
    }

    pub(crate) fn waits(&mut self, reason: &str, message: &str) {
        if let State::Ended(_) = &self.state {
            self.last = self.state_json();
        }
        self.state = State::Waiting { reason: reason.to_owned(), message: message.to_owned() };
        self.ready = false;
        self.started = false;
    }

    /// Starts it anew; what it was before becomes its last state.
    pub(crate) fn start(&mut self, id: String) {
        self.renew(id);
        self.state = State::Running { since: meta::now() };
        self.ready = false;
        self.started = false;
    }

    fn renew(&mut self, id: String) {
        if let State::Ended(_) = &self.state {
            self.last = self.state_json();
        }
        if !self.id.is_empty() {
            self.restarts += 1;
        }
        self.id = id;
        self.runs = image::full_name(self.image());
    }

    /// Made, and could not be started. One that is started again shows that it waits for it.
    pub(crate) fn cannot_start(&mut self, id: String, message: &str, again: bool) {
        self.renew(id);
        self.state = State::Ended(Ended {
            code: 128,
            reason: "StartError".to_owned(),
            message: message.to_owned(),
            started: "1970-01-01T00:00:00Z".into(),
            finished: meta::now().into(),
            id: self.id.clone(),
        });
        self.ready = false;
        self.started = false;
        if again {
            self.waits("RunContainerError", message);
        }
    }

    /// How it ended the last time, where it waits to be started again.
    pub(crate) fn ended(&self) -> Option<(i32, &Value)> {
        match &self.state {
            State::Ended(ended) => Some((ended.code, &ended.finished)),
            State::Waiting { reason, .. } if reason == "RunContainerError" => {
                Some((128, &self.last["terminated"]["finishedAt"]))
            }
            _ => None,
        }
    }

    /// How many seconds its last run took.
    pub(crate) fn lasted(&self) -> i64 {
        let (started, finished) = match &self.state {
            State::Ended(ended) => (&ended.started, &ended.finished),
            _ => (&self.last["terminated"]["startedAt"], &self.last["terminated"]["finishedAt"]),
        };
        // What never started has no beginning.
        if seconds(started) == 0 { 0 } else { seconds(finished) - seconds(started) }
    }

    pub(crate) fn end(&mut self, code: i32, reason: &str, message: &str) {
        let started = match &self.state {
            State::Running { since } => since.as_str().into(),
            _ => meta::now().into(),
        };
        self.state = State::Ended(Ended {
            code,
            reason: reason.to_owned(),
            message: message.to_owned(),
            started,
            finished: meta::now().into(),
            id: self.id.clone(),
        });
        self.ready = false;
        self.started = false;
    }

    /// It was never started and now never will be.
    pub(crate) fn lost(&mut self) {
        self.state = State::Ended(Ended {
            code: 137,
            reason: "ContainerStatusUnknown".to_owned(),
            message: "The container could not be located when the pod was terminated".to_owned(),
            started: Value::Null,
            finished: Value::Null,
            id: String::new(),
        });
        self.ready = false;
        self.started = false;
    }

    /// After an exit, what `kubectl` shows while the next start is put off.
    pub(crate) fn backs_off(&mut self, message: &str) {
        self.waits("CrashLoopBackOff", message);
    }

    pub(super) fn state_json(&self) -> Value {
        match &self.state {
            State::Waiting { reason, message } if message.is_empty() => json!({"waiting": {"reason": reason}}),
            State::Waiting { reason, message } => json!({"waiting": {"reason": reason, "message": message}}),
            State::Running { since } => json!({"running": {"startedAt": since}}),
            State::Ended(ended) => {
                let mut fields = Map::new();
                fields.insert("exitCode".into(), ended.code.into());
                fields.insert("reason".into(), ended.reason.as_str().into());
                fields.insert("startedAt".into(), ended.started.clone());
                fields.insert("finishedAt".into(), ended.finished.clone());
                if !ended.message.is_empty() {
                    fields.insert("message".into(), ended.message.as_str().into());
                }
                if !ended.id.is_empty() {
                    fields.insert("containerID".into(), ended.id.as_str().into());
                }
                json!({"terminated": fields})
            }
        }
    }

    pub(super) fn status(&self) -> Value {
        let ran = !self.id.is_empty();
        let mut status = json!({
            "name": self.name(),
            "state": self.state_json(),
            "lastState": self.last,
            "ready": self.ready,
            "restartCount": self.restarts,
            "image": if ran { self.runs.clone() } else { self.image().to_owned() },
            "imageID": if ran { image::digest(&self.runs) } else { String::new() },
            "started": self.started,
        });
        if ran {
            status["containerID"] = self.id.as_str().into();
            status["resources"] = self.spec["resources"].clone();
            if status["resources"].is_null() {
                status["resources"] = json!({});
            }
            if let Some(requests) = self.spec["resources"].get("requests") {
                status["allocatedResources"] = requests.clone();
            }
            status["user"] = json!({"linux": {"uid": 0, "gid": 0, "supplementalGroups": [0]}});
        }
        let mounts: Vec<Value> = self.spec["volumeMounts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|mount| {
                let mut seen = json!({"name": mount["name"], "mountPath": mount["mountPath"]});
                if mount["readOnly"] == true {
                    seen["readOnly"] = true.into();
                    seen["recursiveReadOnly"] = "Disabled".into();
                }
                seen
            })
            .collect();
        if !mounts.is_empty() {
            status["volumeMounts"] = mounts.into();
        }
        status
    }
}
