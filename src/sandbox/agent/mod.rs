//! The node agent: plays the part of a kubelet for pods whose containers run nowhere, with the milestones,
//! conditions and Events of a real one.

mod address;
mod command;
mod ending;
mod image;
mod life;
mod machine;
mod mirror;
mod pull;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rand::Rng;
use serde_json::{Value, json};

use self::address::Addresses;
use self::command::Course;
use self::life::{Life, State};
use self::mirror::{MIRROR, Mirrors};
use self::pull::Attempts;
use super::controllers::meta;
use super::controllers::runtime::{
    Context, Controller, Error, Key, Next, Object, PODS, Recorder, Rest, Severity, Source, Store, seconds,
};

pub(super) use machine::Machine;

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
    pods: Arc<Store>,
    events: Recorder,
    addresses: Arc<Addresses>,
    /// How the images of a pod were asked for in vain.
    attempts: Arc<Mutex<HashMap<Arc<str>, Attempts>>>,
    mirrors: Mirrors,
}

/// A pod under work.
struct Work<'a> {
    object: &'a Object,
    pod: Value,
    life: Life,
}

impl Agent {
    pub(super) fn new(context: &Context, name: &str, host: Ipv4Addr, addresses: &Arc<Addresses>) -> Self {
        let name: Arc<str> = name.into();
        let rest = context.rest.as_manager("kubelet");
        Self {
            events: Recorder::new(rest.clone(), "kubelet", Some(Arc::clone(&name))),
            rest,
            name,
            host,
            pods: context.store(&PODS),
            addresses: Arc::clone(addresses),
            attempts: Arc::default(),
            mirrors: Mirrors::default(),
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

    async fn tell(&self, work: &Work<'_>, container: &str, severity: Severity, reason: &str, message: &str) {
        let init = work.life.init.iter().any(|held| held.name() == container);
        let field = match container {
            "" => String::new(),
            name if init => format!("spec.initContainers{{{name}}}"),
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
        if !work.life.initialized() {
            let at = work.life.init.iter().position(|container| {
                !container.done() && !matches!(container.state, State::Running { .. } if container.is_sidecar())
            });
            if let Some(at) = at {
                self.step(work, true, at, &mut next).await?;
                self.write_all(work).await?;
                if work.life.over() {
                    return Ok(Next::Change);
                }
                let moved = work.life.init[at].done() || work.life.initialized();
                return Ok(if moved { Next::After(Duration::ZERO) } else { next.next() });
            }
        }
        for at in 0..work.life.main.len() {
            self.step(work, false, at, &mut next).await?;
        }
        self.write_all(work).await?;
        Ok(next.next())
    }

    async fn write_all(&self, work: &mut Work<'_>) -> Result<(), Error> {
        let before = work.life.phase.clone();
        work.life.settle_phase();
        if work.life.address.is_empty() {
            work.life.address = self.address(work);
        }
        if work.life.over() && before == "Pending" {
            // A real kubelet tells of the containers' end first, and that the pod is over once they are cleared away.
            work.life.told = Some(before);
            self.write(work).await?;
            work.life.settle_phase();
        }
        if work.life.over() {
            work.life.sandbox = false;
        }
        self.write(work).await
    }

    async fn step(&self, work: &mut Work<'_>, init: bool, at: usize, next: &mut Soonest) -> Result<(), Error> {
        let container = if init { work.life.init[at].clone() } else { work.life.main[at].clone() };
        let now = meta::now_seconds();
        match &container.state {
            State::Waiting { reason, .. } if reason == "CrashLoopBackOff" => {
                let wait = back_off(container.restarts) - (now - seconds(&container.last["terminated"]["finishedAt"]));
                if wait > 0 {
                    next.within(Duration::from_secs(u64::try_from(wait).unwrap_or(1)));
                    return Ok(());
                }
                self.start(work, init, at, next).await
            }
            State::Waiting { .. } => self.start(work, init, at, next).await,
            State::Running { since } => {
                Self::watch(work, init, at, seconds(&since.as_str().into()), next);
                Ok(())
            }
            State::Ended(ended) => {
                let policy = if init && container.is_sidecar() { "Always" } else { work.life.policy.as_str() };
                let again = match (policy, init) {
                    ("Always", false) => true,
                    ("Never", _) => false,
                    _ => ended.code != 0,
                } || (init && container.is_sidecar());
                if !again {
                    return Ok(());
                }
                if container.restarts == 0 {
                    return self.start(work, init, at, next).await;
                }
                let wait = back_off(container.restarts);
                let (pod, uid) = (work.object.key.name.to_string(), &work.object.uid);
                let full = format!("{pod}_{}({uid})", work.object.key.namespace);
                let message =
                    format!("back-off {} restarting failed container={} pod={full}", minutes(wait), container.name());
                let event = format!("Back-off restarting failed container {} in pod {full}", container.name());
                self.tell(work, container.name(), Severity::Warning, "BackOff", &event).await;
                let held = if init { &mut work.life.init[at] } else { &mut work.life.main[at] };
                held.backs_off(&message);
                next.within(Duration::from_secs(u64::try_from(wait).unwrap_or(1)));
                Ok(())
            }
        }
    }

    async fn start(&self, work: &mut Work<'_>, init: bool, at: usize, next: &mut Soonest) -> Result<(), Error> {
        let container = if init { work.life.init[at].clone() } else { work.life.main[at].clone() };
        let name = container.name().to_owned();
        let policy = meta::text(&container.spec, "/imagePullPolicy").to_owned();
        if let Some(wait) = self.holds_off(work, &container) {
            if wait.is_zero() && matches!(&container.state, State::Waiting { reason, .. } if reason == "ErrImagePull") {
                // Shown long enough; the next attempt comes after the back-off.
                let message = format!(
                    "Back-off pulling image \"{}\": ErrImagePull: {}",
                    container.image(),
                    message_of(&container.state)
                );
                let held = if init { &mut work.life.init[at] } else { &mut work.life.main[at] };
                held.waits("ImagePullBackOff", &message);
                next.within(self.back_off_pull(work));
                return Ok(());
            }
            if !wait.is_zero() {
                next.within(wait);
                return Ok(());
            }
        }
        let fetched = self.fetch(work, &name, container.image(), &policy).await;
        if !work.life.sandbox {
            work.life.sandbox = true;
            let address = std::mem::take(&mut work.life.address);
            self.write(work).await?;
            work.life.address = address;
        }
        if let Err((reason, message)) = fetched {
            if reason == "ErrImagePull" {
                self.tell_failed_pull(work, &name, container.image(), &message).await;
                next.within(self.note_failure(work));
            }
            let held = if init { &mut work.life.init[at] } else { &mut work.life.main[at] };
            held.waits(&reason, &message);
            return Ok(());
        }
        self.tell(work, &name, Severity::Normal, "Created", "Container created").await;
        self.tell(work, &name, Severity::Normal, "Started", "Container started").await;
        let held = if init { &mut work.life.init[at] } else { &mut work.life.main[at] };
        held.start(identity());
        Self::watch(work, init, at, meta::now_seconds(), next);
        Ok(())
    }

    /// A running container: is it ready by now, has it come to its end?
    fn watch(work: &mut Work<'_>, init: bool, at: usize, since: i64, next: &mut Soonest) {
        let once = work.life.policy != "Always" || init;
        let container = if init { &mut work.life.init[at] } else { &mut work.life.main[at] };
        let course = command::foresee(
            image::repository(container.image()),
            &container.words("command"),
            &container.words("args"),
            once && !container.is_sidecar(),
        );
        let ran = meta::now_seconds() - since;
        if let Course::Exits { code, after } = course {
            let left = i64::try_from(after.as_secs()).unwrap_or(i64::MAX) - ran;
            if left <= 0 && (after.as_secs() == 0 || ran > 0) {
                container.end(code, if code == 0 { "Completed" } else { "Error" }, "");
                if !init && container.restarts == 0 || work.life.policy != "Never" {
                    next.within(Duration::ZERO);
                }
                return;
            }
            next.within(Duration::from_secs(u64::try_from(left.max(1)).unwrap_or(1)));
        }
        let delay = meta::int(&container.spec["readinessProbe"]["initialDelaySeconds"], 0);
        container.ready = ran >= delay;
        if !container.ready {
            next.within(Duration::from_secs(u64::try_from(delay - ran).unwrap_or(1)));
        }
    }
}

fn message_of(state: &State) -> &str {
    match state {
        State::Waiting { message, .. } => message,
        _ => "",
    }
}

fn back_off(restarts: i64) -> i64 {
    let doublings = u32::try_from((restarts - 1).clamp(0, 5)).unwrap_or_default();
    i64::try_from((FIRST_BACK_OFF << doublings).min(LONGEST_BACK_OFF)).unwrap_or(i64::MAX)
}

/// Seconds as Go prints a duration.
fn minutes(seconds: i64) -> String {
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

fn identity() -> String {
    let mut random = rand::rng();
    let [a, b]: [u128; 2] = random.random();
    format!("containerd://{a:032x}{b:032x}")
}

/// The earliest of several times to look again.
#[derive(Default)]
struct Soonest(Option<Duration>);

impl Soonest {
    fn within(&mut self, delay: Duration) {
        self.0 = Some(self.0.map_or(delay, |held| held.min(delay)));
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
        let attempts = Arc::clone(&self.attempts);
        vec![Source::new(Arc::clone(&self.pods), move |change| {
            let ours = |pod: &&Arc<Object>| pod.pod.as_ref().is_some_and(|facts| facts.node.as_ref() == Some(&name));
            if let (Some(old), None) = (&change.old, &change.new) {
                addresses.free(&old.uid);
                attempts.lock().unwrap_or_else(PoisonError::into_inner).remove(&old.uid);
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
    async fn go_on(&self, work: &mut Work<'_>) -> Result<Next, Error> {
        if work.life.over() {
            return Ok(Next::Change);
        }
        if work.life.started.is_empty() {
            self.admit(work).await?;
        }
        self.advance(work).await
    }
}
