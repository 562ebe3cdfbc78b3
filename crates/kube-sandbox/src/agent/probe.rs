//! Probes: when each asks, what the container would answer, and what follows. Pure: all of it is worked out from
//! how long the container has run.

use serde_json::Value;

use super::answer::{Answer, answer};
use super::run::Run;
use crate::runtime::meta;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Startup,
    Liveness,
    Readiness,
}

impl Kind {
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Startup => "startupProbe",
            Self::Liveness => "livenessProbe",
            Self::Readiness => "readinessProbe",
        }
    }

    /// As an Event begins.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        }
    }
}

/// A probe that failed: the how-manieth of its kind it was, and what it said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) count: i64,
    pub(super) said: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) started: bool,
    pub(super) ready: bool,
    /// What the latest probes complained of.
    pub(super) failures: Vec<Failure>,
    /// The probe that condemned it, and how many seconds after its start.
    pub(super) condemned: Option<(Kind, i64)>,
    /// How long until a probe may find something new, in seconds.
    pub(super) again: Option<i64>,
}

/// How many of the latest probes are looked at: more than any threshold in use.
const LOOKED_AT: i64 = 500;

/// One probe's asking so far.
struct Asked {
    /// When it had asked well, or ill, often enough in a row, at last.
    good: Option<i64>,
    bad: Option<i64>,
    latest: Option<Failure>,
    next: i64,
    /// Nothing new will come of asking again.
    settled: bool,
}

fn ask(spec: &Value, run: &Run, kind: Kind, address: &str, from: i64, ran: i64) -> Asked {
    let probe = &spec[kind.field()];
    let number = |field: &str, or: i64| meta::int(&probe[field], or).max(1);
    let period = number("periodSeconds", 10);
    let first = meta::int(&probe["initialDelaySeconds"], 0).max(from);
    let mut asked = Asked { good: None, bad: None, latest: None, next: first, settled: false };
    if ran < first {
        return asked;
    }
    let made = (ran - first) / period + 1;
    let (mut well, mut ill) = (0, 0);
    for at in (made - LOOKED_AT).max(0)..made {
        let time = first + at * period;
        asked.settled = false;
        match answer(spec, run, probe, address, time) {
            Answer::Good { for_ever } => {
                (well, ill) = (well + 1, 0);
                asked.latest = None;
                if well == number("successThreshold", 1) {
                    asked.good = Some(time);
                    asked.bad = None;
                }
                asked.settled = for_ever && asked.good.is_some();
            }
            Answer::Bad(said) => {
                (well, ill) = (0, ill + 1);
                asked.latest = Some(Failure { kind, count: at + 1, said });
                if ill == number("failureThreshold", 3) {
                    asked.bad = Some(time);
                    asked.good = None;
                    if kind != Kind::Readiness {
                        return asked;
                    }
                }
            }
        }
    }
    asked.next = first + made * period;
    asked
}

pub(super) fn health(spec: &Value, run: &Run, address: &str, ran: i64) -> Health {
    let mut health = Health { started: true, ready: true, ..Health::default() };
    let mut from = 0;
    let mut soonest: Option<i64> = None;
    for kind in [Kind::Startup, Kind::Liveness, Kind::Readiness] {
        if !spec[kind.field()].is_object() {
            continue;
        }
        let asked = ask(spec, run, kind, address, from, ran);
        health.failures.extend(asked.latest);
        match kind {
            Kind::Startup => {
                if let Some(time) = asked.good {
                    from = time;
                } else {
                    health.started = false;
                    health.ready = false;
                }
            }
            Kind::Liveness => {}
            Kind::Readiness => health.ready = asked.good.is_some(),
        }
        if let (Kind::Startup | Kind::Liveness, Some(time)) = (kind, asked.bad) {
            health.condemned = Some((kind, time));
            return health;
        }
        let passed = kind == Kind::Startup && health.started;
        if !asked.settled && !passed {
            soonest = Some(soonest.map_or(asked.next, |held| held.min(asked.next)));
        }
        if !health.started {
            break;
        }
    }
    health.again = soonest.map(|time| (time - ran).max(1));
    health
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::run::of_spec;

    fn at(spec: &Value, ran: i64) -> Health {
        health(spec, &of_spec(spec), "10.244.0.2", ran)
    }

    #[test]
    fn a_container_without_probes_is_ready_at_once() {
        let health = at(&json!({"image": "nginx"}), 0);
        assert_eq!(health, Health { started: true, ready: true, ..Health::default() });
    }

    #[test]
    fn readiness_comes_after_its_delay_and_the_startup_probe() {
        let spec = json!({
            "image": "nginx",
            "startupProbe": {"exec": {"command": ["true"]}, "initialDelaySeconds": 4, "periodSeconds": 1},
            "readinessProbe": {"exec": {"command": ["true"]}, "initialDelaySeconds": 2, "periodSeconds": 3},
        });
        let at = |ran| at(&spec, ran);
        assert_eq!((at(3).started, at(3).ready, at(3).again), (false, false, Some(1)));
        assert_eq!((at(4).started, at(4).ready, at(4).again), (true, true, None));
    }

    #[test]
    fn a_probe_that_fails_is_counted_and_condemns() {
        let spec = json!({
            "image": "busybox", "command": ["sh", "-c", "touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600"],
            "livenessProbe": {"exec": {"command": ["cat", "/tmp/healthy"]}, "initialDelaySeconds": 5, "periodSeconds": 5},
        });
        let at = |ran| at(&spec, ran);
        assert_eq!((at(29).condemned, at(29).again), (None, Some(1)));
        let said = "cat: can't open '/tmp/healthy': No such file or directory\n".to_owned();
        assert_eq!(at(30).failures, [Failure { kind: Kind::Liveness, count: 6, said }]);
        assert_eq!(at(39).condemned, None);
        assert_eq!(at(41).condemned, Some((Kind::Liveness, 40)));
    }

    #[test]
    fn a_readiness_probe_in_vain_is_asked_again() {
        let spec = json!({
            "image": "nginx:alpine",
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 2},
        });
        let health = at(&spec, 5);
        let said = "Get \"http://10.244.0.2:8080/\": dial tcp 10.244.0.2:8080: connect: connection refused".to_owned();
        assert_eq!(health.failures, [Failure { kind: Kind::Readiness, count: 3, said }]);
        assert_eq!((health.ready, health.again), (false, Some(1)));
    }

    #[test]
    fn a_server_that_is_well_for_ten_seconds_is_condemned() {
        let spec = json!({
            "image": "registry.k8s.io/e2e-test-images/agnhost:2.40", "args": ["liveness"],
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "initialDelaySeconds": 3, "periodSeconds": 3},
        });
        let health = at(&spec, 18);
        assert_eq!(health.condemned, Some((Kind::Liveness, 18)));
        assert_eq!(health.failures[0].said, "HTTP probe failed with statuscode: 500");
    }

    #[test]
    fn a_grpc_probe_is_answered_where_it_is_served() {
        let of =
            |image: &str, port: i64| at(&json!({"image": image, "readinessProbe": {"grpc": {"port": port}}}), 1).ready;
        assert!(of("registry.k8s.io/etcd:3.5.1-0", 2379));
        assert!(!of("registry.k8s.io/etcd:3.5.1-0", 9999));
        assert!(!of("nginx", 80));
    }
}
