//! The node agent: plays the part of a kubelet for pods whose containers run nowhere, with the milestones,
//! conditions and Events of a real one.

mod address;
mod answer;
mod containers;
mod ending;
mod image;
mod images;
mod life;
mod line;
mod machine;
mod memory;
mod mirror;
mod needs;
mod net;
mod pages;
mod probe;
mod pull;
mod run;
mod runs;
#[expect(
    clippy::match_same_arms,
    clippy::single_match_else,
    clippy::unnecessary_wraps,
    reason = "tools are told apart line by line, and answer in one form"
)]
pub(super) mod shell;
mod surroundings;
mod written;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use self::address::Addresses;
use self::life::{DEADLINE, Life, List, Spot, State};
use self::memory::Memory;
use self::mirror::{MIRROR, Mirrors};
use self::pull::Images;
use crate::object::ports;
use crate::runtime::{
    Cache, Context, Controller, Error, Key, Next, Object, PODS, Recorder, Rest, Severity, Source, meta, seconds,
};

pub(super) use machine::Machine;
pub(super) use run::Run;
pub use runs::Runs;

/// The status of what SIGKILL ended.
const KILLED: i32 = 137;

const FIRST_BACK_OFF: u64 = 10;
const LONGEST_BACK_OFF: u64 = 300;

/// What the node would say of a pod that it finds in this state.
pub(super) fn status_of(pod: &Value) -> Value {
    Life::of(pod).status()
}

pub(super) struct Agent {
    rest: Rest,
    name: Arc<str>,
    host: Ipv4Addr,
    pods: Arc<Cache>,
    events: Recorder,
    addresses: Arc<Addresses>,
    memory: Memory,
    images: Images,
    mirrors: Mirrors,
    runs: Runs,
    map: net::Map,
    /// Pods that are gone without having been told to stop.
    vanished: Arc<Mutex<HashMap<Key, Arc<Object>>>>,
}

/// A pod under work.
struct Work<'a> {
    object: &'a Object,
    pod: Value,
    life: Life,
}

impl Agent {
    pub(super) fn new(context: &Context, runs: &Runs, name: &str, host: Ipv4Addr, addresses: &Arc<Addresses>) -> Self {
        let name: Arc<str> = name.into();
        let rest = context.rest.as_manager("kubelet");
        Self {
            events: Recorder::new(rest.clone(), "kubelet", Some(Arc::clone(&name))),
            rest,
            name,
            host,
            pods: context.cache(&PODS),
            addresses: Arc::clone(addresses),
            memory: Memory::default(),
            images: Images::default(),
            mirrors: Mirrors::default(),
            runs: runs.clone(),
            map: net::Map::new(context, runs.watching()),
            vanished: Arc::default(),
        }
    }

    async fn write(&self, work: &mut Work<'_>) -> Result<(), Error> {
        let status = work.life.status();
        let held = &work.pod["status"];
        let same =
            status.as_object().is_some_and(|status| status.iter().all(|(field, value)| held.get(field) == Some(value)));
        if same {
            return Ok(());
        }
        let patch = json!({"metadata": {"uid": &*work.object.uid}, "status": status});
        let key = &work.object.key;
        work.pod = self.rest.merge(&PODS, &key.namespace, &key.name, "status", &patch).await?;
        self.pods.wrote(&work.pod);
        work.life = Life::of(&work.pod);
        Ok(())
    }

    async fn event(&self, work: &Work<'_>, container: &str, severity: Severity, reason: &str, message: &str) {
        let among = |list: &[life::Container]| list.iter().any(|held| held.name() == container);
        let field = match container {
            "" => String::new(),
            name if among(&work.life.ephemeral) => format!("spec.ephemeralContainers{{{name}}}"),
            name if among(&work.life.init) => format!("spec.initContainers{{{name}}}"),
            name => format!("spec.containers{{{name}}}"),
        };
        self.events.record(&work.pod, &field, severity, reason, message).await;
    }

    /// From bound to waiting for its containers.
    async fn admit(&self, work: &mut Work<'_>) -> Result<(), Error> {
        work.life.host = self.host.to_string();
        work.life.started = meta::now();
        "Pending".clone_into(&mut work.life.phase);
        self.write(work).await
    }

    fn address(&self, work: &Work<'_>) -> String {
        if work.pod["spec"]["hostNetwork"] == true {
            return self.host.to_string();
        }
        self.addresses.of(&work.object.uid).to_string()
    }

    /// Starts what may start now; says when to look again.
    async fn advance(&self, work: &mut Work<'_>) -> Result<Next, Error> {
        let mut next = Soonest::default();
        if let Some(left) = deadline(work) {
            if left.is_zero() {
                return self.run_out(work).await;
            }
            next.within(left);
        }
        for at in 0..work.life.ephemeral.len() {
            self.step(work, Spot { list: List::Ephemeral, at }, &mut next).await?;
        }
        if !work.life.initialized() {
            let at = work.life.init.iter().position(|container| {
                !container.done() && !matches!(container.state, State::Running { .. } if container.is_sidecar())
            });
            if let Some(at) = at {
                self.step(work, Spot { list: List::Init, at }, &mut next).await?;
                self.write_all(work).await?;
                if work.life.over() {
                    return Ok(Next::Change);
                }
                let moved = work.life.init[at].done() || work.life.initialized();
                return Ok(if moved { Next::After(Duration::ZERO) } else { next.next() });
            }
        }
        for at in 0..work.life.main.len() {
            self.step(work, Spot { list: List::Main, at }, &mut next).await?;
        }
        // What runs beside them is watched as long as they run.
        for at in 0..work.life.init.len() {
            if work.life.init[at].is_sidecar() {
                self.step(work, Spot { list: List::Init, at }, &mut next).await?;
            }
        }
        self.write_all(work).await?;
        Ok(next.next())
    }

    async fn run_out(&self, work: &mut Work<'_>) -> Result<Next, Error> {
        const MESSAGE: &str = "Pod was active on the node longer than the specified deadline";
        let (stopped_at, first) = self.memory.since(&work.object.uid, DEADLINE);
        if first {
            self.event(work, "", Severity::Normal, DEADLINE, MESSAGE).await;
            self.tell_to_stop(work).await;
        }
        let grace = containers::grace_of(work);
        if let Some(left) = self.until_all_stopped(work, stopped_at, grace) {
            return Ok(Next::After(left));
        }
        (work.life.reason, work.life.message) = (DEADLINE.to_owned(), MESSAGE.to_owned());
        self.end_all(work, stopped_at, grace);
        self.write_all(work).await?;
        Ok(Next::Change)
    }

    async fn write_all(&self, work: &mut Work<'_>) -> Result<(), Error> {
        let before = work.life.phase.clone();
        work.life.settle_phase();
        if work.life.address.is_empty() {
            work.life.address = self.address(work);
        }
        if work.life.over() && before == "Pending" {
            // A real kubelet reports the containers' end first, and that the pod is over once they are cleared away.
            work.life.shown_phase = Some(before);
            self.write(work).await?;
            work.life.settle_phase();
        }
        if work.life.over() {
            work.life.sandbox = false;
        }
        self.write(work).await
    }
}

/// How long the pod may still be active.
fn deadline(work: &Work<'_>) -> Option<Duration> {
    let allowed = work.pod["spec"]["activeDeadlineSeconds"].as_i64()?;
    let ends = seconds(&work.life.started.as_str().into()).saturating_add(allowed);
    Some(Duration::from_secs(u64::try_from(ends - meta::now_seconds()).unwrap_or_default()))
}

/// The earliest of several times to look again.
#[derive(Default)]
struct Soonest(Option<Duration>);

impl Soonest {
    fn within(&mut self, delay: Duration) {
        self.0 = Some(self.0.map_or(delay, |held| held.min(delay)));
    }

    fn within_some(&mut self, delay: Option<Duration>) {
        if let Some(delay) = delay {
            self.within(delay);
        }
    }

    fn next(self) -> Next {
        self.0.map_or(Next::Change, Next::After)
    }
}

#[async_trait]
impl Controller for Agent {
    type Item = Key;

    fn sources(&self) -> Vec<Source<Key>> {
        let (name, addresses) = (Arc::clone(&self.name), Arc::clone(&self.addresses));
        let (memory, runs, vanished) = (self.memory.clone(), self.runs.clone(), Arc::clone(&self.vanished));
        vec![Source::new(Arc::clone(&self.pods), move |change| {
            let ours = |pod: &&Arc<Object>| pod.pod.as_ref().is_some_and(|facts| facts.node.as_ref() == Some(&name));
            if let (Some(old), None) = (&change.old, &change.new) {
                addresses.free(&old.uid);
                if ours(&old) && memory.starts(&old.uid, memory::End::Seen) {
                    let mut vanished = vanished.lock().unwrap_or_else(PoisonError::into_inner);
                    vanished.insert(old.key.clone(), Arc::clone(old));
                }
                memory.forget(&old.uid);
                runs.forget(&old.uid);
            }
            if let (None, Some(new)) = (&change.old, &change.new)
                && let Ok(address) = meta::text(&new.value(), "/status/podIP").parse()
            {
                addresses.note(&new.uid, address);
            }
            change.new.as_ref().or(change.old.as_ref()).filter(ours).map(|pod| pod.key.clone()).into_iter().collect()
        })]
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        self.report_vanished(key).await;
        let Some(object) = self.pods.get(key) else { return self.mirrors.gone(&self.rest, key).await };
        if object.pod.as_ref().is_none_or(|facts| facts.node.as_ref() != Some(&self.name)) {
            return Ok(Next::Change);
        }
        let pod = object.value();
        // Pods that a real kubelet runs from files are real here: nothing is played for them.
        if pod["metadata"]["annotations"].get(MIRROR).is_some() {
            return self.mirrors.seen(&self.rest, key, &pod).await;
        }
        let mut work = Work { object: &object, life: Life::of(&pod), pod };
        let done = if object.deleting { self.stop(&mut work).await } else { self.go_on(&mut work).await };
        match done {
            // Deleted meanwhile, or another pod has its name by now.
            Err(error) if error.is_not_found() => Ok(Next::Change),
            done => done,
        }
    }

    fn workers(&self) -> usize {
        16
    }
}

impl Agent {
    /// Whether a pod wants a port of this node that another one has that came before it. The scheduler sends none such;
    /// whoever names the node himself may.
    fn is_refused(&self, work: &Work<'_>) -> bool {
        if !ports::wants_any(&work.pod) {
            return false;
        }
        let age = |pod: &Value| {
            (meta::text(pod, "/metadata/creationTimestamp").to_owned(), meta::text(pod, "/metadata/name").to_owned())
        };
        let own = age(&work.pod);
        self.pods.all().into_iter().any(|other| {
            let here =
                other.pod.as_ref().is_some_and(|facts| facts.node.as_ref() == Some(&self.name) && !facts.phase.over());
            if !here || other.uid == work.object.uid {
                return false;
            }
            let other = other.value();
            let before = !meta::text(&other, "/status/startTime").is_empty() || age(&other) < own;
            before && ports::conflict(&work.pod, &other)
        })
    }

    async fn refuse(&self, work: &mut Work<'_>) -> Result<Next, Error> {
        const REASON: &str = "NodePorts";
        const WHY: &str = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
        self.event(work, "", Severity::Warning, REASON, WHY).await;
        let status = json!({
            "phase": "Failed", "reason": REASON, "message": format!("Pod was rejected: {WHY}"), "startTime": meta::now(),
        });
        let key = &work.object.key;
        let patch = json!({"metadata": {"uid": &*work.object.uid}, "status": status});
        let pod = self.rest.merge(&PODS, &key.namespace, &key.name, "status", &patch).await?;
        self.pods.wrote(&pod);
        Ok(Next::Change)
    }

    /// Of a pod that was taken away by force the containers are stopped all the same.
    async fn report_vanished(&self, key: &Key) {
        let object = self.vanished.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        let Some(object) = object else { return };
        let pod = object.value();
        let work = Work { object: &object, life: Life::of(&pod), pod };
        if work.life.over() || work.pod["metadata"]["annotations"].get(MIRROR).is_some() {
            return;
        }
        for container in work.life.all().filter(|container| matches!(container.state, State::Running { .. })) {
            let message = format!("Stopping container {}", container.name());
            self.event(&work, container.name(), Severity::Normal, "Killing", &message).await;
        }
    }

    async fn go_on(&self, work: &mut Work<'_>) -> Result<Next, Error> {
        if work.life.over() {
            return Ok(Next::Change);
        }
        if work.life.started.is_empty() {
            if self.is_refused(work) {
                return self.refuse(work).await;
            }
            self.admit(work).await?;
        }
        if !work.life.sandbox
            && let Some(wait) = self.mount(work).await?
        {
            return Ok(Next::After(wait));
        }
        self.advance(work).await
    }
}
