//! The life of a pod as its status shows it: read, moved on, written back. Pure: the clock comes from outside.

mod container;

use serde_json::{Value, json};

use crate::runtime::meta;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    Waiting { reason: String, message: String },
    Running { since: String },
    Ended(Ended),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) started: Value,
    pub(crate) finished: Value,
    pub(crate) id: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Container {
    pub(crate) spec: Value,
    pub(crate) state: State,
    pub(crate) last: Value,
    pub(crate) restarts: i64,
    pub(crate) ready: bool,
    /// Its startup probe, if it has one, was answered.
    pub(crate) started: bool,
    /// Empty until it was started once.
    pub(crate) id: String,
    /// The image that it runs, in full.
    pub(crate) runs: String,
}

/// A pod as its node sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Life {
    pub(crate) init: Vec<Container>,
    pub(crate) main: Vec<Container>,
    pub(crate) ephemeral: Vec<Container>,
    pub(crate) policy: String,
    pub(crate) phase: String,
    /// The phase in the status while the containers are cleared away.
    pub(crate) shown_phase: Option<String>,
    /// The pod's sandbox stands: its network is there, containers may start.
    pub(crate) sandbox: bool,
    pub(crate) started: String,
    pub(crate) address: String,
    pub(crate) host: String,
    /// Why the whole pod ended, beside what its containers say.
    pub(crate) reason: String,
    pub(crate) message: String,
    generation: Value,
    conditions: Vec<Value>,
    gates: Vec<String>,
}

/// The reason of a pod that ran for longer than it may.
pub(crate) const DEADLINE: &str = "DeadlineExceeded";

/// One of a pod's three lists of containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Init,
    Main,
    Ephemeral,
}

/// A container's place in one of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) list: List,
    pub(crate) at: usize,
}

impl Life {
    pub(crate) fn list(&self, list: List) -> &[Container] {
        match list {
            List::Init => &self.init,
            List::Main => &self.main,
            List::Ephemeral => &self.ephemeral,
        }
    }

    pub(crate) fn at(&mut self, spot: Spot) -> &mut Container {
        match spot.list {
            List::Init => &mut self.init[spot.at],
            List::Main => &mut self.main[spot.at],
            List::Ephemeral => &mut self.ephemeral[spot.at],
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Container> {
        self.init.iter().chain(&self.main).chain(&self.ephemeral)
    }

    pub(crate) fn of(pod: &Value) -> Self {
        let status = &pod["status"];
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let sandbox = conditions
            .iter()
            .any(|condition| condition["type"] == "PodReadyToStartContainers" && condition["status"] == "True");
        let of = |list: &str, statuses: &str, waiting: &str| -> Vec<Container> {
            let statuses = status[statuses].as_array().cloned().unwrap_or_default();
            let containers = pod["spec"][list].as_array().into_iter().flatten();
            containers
                .map(|spec| {
                    let held = statuses.iter().find(|held| held["name"] == spec["name"]);
                    Container::of(spec.clone(), held.unwrap_or(&Value::Null), waiting)
                })
                .collect()
        };
        let init = of("initContainers", "initContainerStatuses", "PodInitializing");
        let waiting = if init.is_empty() { "ContainerCreating" } else { "PodInitializing" };
        let gates = pod["spec"]["readinessGates"].as_array().into_iter().flatten();
        Self {
            main: of("containers", "containerStatuses", waiting),
            ephemeral: of("ephemeralContainers", "ephemeralContainerStatuses", "ContainerCreating"),
            init,
            policy: pod["spec"]["restartPolicy"].as_str().unwrap_or("Always").to_owned(),
            phase: meta::text(status, "/phase").to_owned(),
            shown_phase: None,
            sandbox,
            started: meta::text(status, "/startTime").to_owned(),
            address: meta::text(status, "/podIP").to_owned(),
            host: meta::text(status, "/hostIP").to_owned(),
            reason: meta::text(status, "/reason").to_owned(),
            message: meta::text(status, "/message").to_owned(),
            generation: pod["metadata"]["generation"].clone(),
            conditions,
            gates: gates.filter_map(|gate| gate["conditionType"].as_str()).map(str::to_owned).collect(),
        }
    }

    pub(crate) fn initialized(&self) -> bool {
        self.init.iter().all(|container| container.done() || container.side_runs())
    }

    pub(crate) fn over(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    /// What the containers' states amount to.
    pub(crate) fn settle_phase(&mut self) {
        let ended = |container: &Container| match &container.state {
            State::Ended(ended) => Some(ended.code),
            _ => None,
        };
        let codes: Vec<Option<i32>> = self.main.iter().map(ended).collect();
        let failed_init =
            self.policy == "Never" && self.init.iter().any(|container| ended(container).is_some_and(|code| code != 0));
        let phase = if failed_init || self.reason == DEADLINE {
            "Failed"
        } else if !self.initialized() {
            "Pending"
        } else if codes.iter().all(Option::is_some) && self.policy != "Always" {
            let bad = codes.iter().flatten().any(|code| *code != 0);
            match (bad, self.policy.as_str()) {
                (false, _) => "Succeeded",
                (true, "Never") => "Failed",
                (true, _) => "Running",
            }
        } else if self
            .main
            .iter()
            .any(|container| matches!(container.state, State::Waiting { .. }) && container.id.is_empty())
        {
            "Pending"
        } else {
            "Running"
        };
        phase.clone_into(&mut self.phase);
    }

    fn condition(&self, kind: &str, ok: bool, reason: &str, message: &str, observed: bool) -> Value {
        let status = if ok { "True" } else { "False" };
        let held = self.conditions.iter().find(|held| held["type"] == kind);
        let since = held
            .filter(|held| held["status"] == status)
            .map_or_else(|| meta::now().into(), |held| held["lastTransitionTime"].clone());
        let mut condition = json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since});
        if observed && !self.generation.is_null() {
            condition["observedGeneration"] = self.generation.clone();
        }
        if !reason.is_empty() {
            condition["reason"] = reason.into();
        }
        if !message.is_empty() {
            condition["message"] = message.into();
        }
        condition
    }

    fn conditions(&self) -> Vec<Value> {
        let completed = if self.phase == "Succeeded" { "PodCompleted" } else { "" };
        let names = |containers: Vec<&Container>| {
            containers.iter().map(|container| meta::text(&container.spec, "/name")).collect::<Vec<_>>().join(" ")
        };
        let initialized = if self.initialized() {
            self.condition("Initialized", true, completed, "", true)
        } else {
            let missing =
                names(self.init.iter().filter(|container| !container.done() && !container.side_runs()).collect());
            let message = format!("containers with incomplete status: [{missing}]");
            self.condition("Initialized", false, "ContainersNotInitialized", &message, true)
        };
        let unready = names(self.main.iter().filter(|container| !container.ready).collect());
        let never_ran = self.main.iter().all(|container| container.id.is_empty());
        let (reason, message) = match self.phase.as_str() {
            "Succeeded" => ("PodCompleted", String::new()),
            "Failed" if !never_ran => ("PodFailed", String::new()),
            _ if !unready.is_empty() => ("ContainersNotReady", format!("containers with unready status: [{unready}]")),
            _ => ("", String::new()),
        };
        let containers = reason.is_empty();
        let closed: Vec<&str> = self.gates.iter().map(String::as_str).filter(|gate| !self.holds(gate)).collect();
        let ready = if containers && !closed.is_empty() {
            let each: Vec<String> = closed
                .iter()
                .map(|gate| format!("corresponding condition of pod readiness gate \"{gate}\" does not exist."))
                .collect();
            self.condition("Ready", false, "ReadinessGatesNotReady", &each.join(", "), true)
        } else {
            self.condition("Ready", containers, reason, &message, true)
        };
        let mut conditions = vec![
            self.condition("PodReadyToStartContainers", self.sandbox, "", "", true),
            initialized,
            ready,
            self.condition("ContainersReady", containers, reason, &message, true),
            self.condition("PodScheduled", true, "", "", true),
        ];
        let ours = |kind: &Value| conditions.iter().any(|condition| condition["type"] == *kind);
        let others: Vec<Value> = self.conditions.iter().filter(|held| !ours(&held["type"])).cloned().collect();
        conditions.extend(others);
        conditions
    }

    fn holds(&self, gate: &str) -> bool {
        self.conditions.iter().any(|held| held["type"] == gate && held["status"] == "True")
    }

    /// The part of the pod's status that its node writes.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "phase": self.shown_phase.as_ref().unwrap_or(&self.phase),
            "conditions": self.conditions(),
            "hostIP": self.host,
            "hostIPs": [{"ip": self.host}],
            "startTime": self.started,
            "containerStatuses": self.main.iter().map(Container::status).collect::<Vec<_>>(),
            "resources": {},
        });
        // What a pod of one container has is what that container has.
        if let ([only], true) = (&self.main[..], self.init.is_empty())
            && let Some(requests) = only.spec["resources"].get("requests")
        {
            status["resources"] = only.spec["resources"].clone();
            status["allocatedResources"] = requests.clone();
        }
        if !self.generation.is_null() {
            status["observedGeneration"] = self.generation.clone();
        }
        if !self.address.is_empty() {
            status["podIP"] = self.address.as_str().into();
            status["podIPs"] = json!([{"ip": self.address}]);
        }
        if !self.reason.is_empty() {
            status["reason"] = self.reason.as_str().into();
            status["message"] = self.message.as_str().into();
        }
        if !self.ephemeral.is_empty() {
            status["ephemeralContainerStatuses"] = self.ephemeral.iter().map(Container::status).collect();
        }
        if !self.init.is_empty() {
            status["initContainerStatuses"] = self.init.iter().map(Container::status).collect();
        }
        status
    }
}
