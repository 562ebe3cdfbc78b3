//! One container after the other: started, watched, put off, started anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::Rng;

use super::command::{self, Course};
use super::life::State;
use super::probe::{self, Failure, Kind};
use super::{Agent, FIRST_BACK_OFF, LONGEST_BACK_OFF, Soonest, Work, image};
use crate::sandbox::controllers::meta;
use crate::sandbox::controllers::runtime::{Error, Severity, seconds};

/// What was told of a pod's probes and lacks, so that it is not told with every look.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<HashMap<Arc<str>, Pod>>>);

#[derive(Default)]
struct Pod {
    /// By container and kind, how many probes were told of.
    probes: HashMap<(String, Kind), i64>,
    /// How often something was lacking, and when to look again.
    lacks: u32,
    next: Option<Instant>,
    /// When it was seen to be deleted, and to be over after that.
    stops: [Option<Instant>; 2],
}

/// The two ends of a pod that is deleted.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Told,
    Over,
}

impl Told {
    pub(super) fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Whether this is news; it is none the second time.
    fn is_news(&self, uid: &Arc<str>, container: &str, kind: Kind, count: i64) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let probes = &mut told.entry(Arc::clone(uid)).or_default().probes;
        probes.insert((container.to_owned(), kind), count).is_none_or(|before| before < count)
    }

    /// Whether nobody looked at this end of the pod before.
    pub(super) fn starts(&self, uid: &Arc<str>, end: End) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.entry(Arc::clone(uid)).or_default().stops[end as usize].is_none()
    }

    /// What is left of the time that this end of the pod takes, counted from the first call.
    pub(super) fn lingers(&self, uid: &Arc<str>, end: End, takes: Duration) -> Option<Duration> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = &mut told.entry(Arc::clone(uid)).or_default().stops[end as usize];
        let left = takes.saturating_sub(since.get_or_insert_with(Instant::now).elapsed());
        (!left.is_zero()).then_some(left)
    }

    /// How long it is pointless to look again.
    fn holds_off(&self, uid: &str) -> Option<Duration> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = told.get(uid)?.next?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Something lacks: `wait` says how long to hold off after so many times.
    fn lacks(&self, uid: &Arc<str>, wait: impl Fn(u32) -> Duration) -> Duration {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pod = told.entry(Arc::clone(uid)).or_default();
        let wait = wait(pod.lacks);
        pod.lacks += 1;
        pod.next = Some(Instant::now() + wait);
        wait
    }
}

/// A kubelet tries again after a failed mount: soon at first, ever later, at most this late.
const FIRST_MOUNT: Duration = Duration::from_millis(500);
const LATEST_MOUNT: Duration = Duration::from_secs(122);
/// And after a container that could not be made of what there is: it comes back to its pods that failed.
const NEXT_SYNC: Duration = Duration::from_secs(10);

impl Agent {
    /// Until all that its volumes show is there, how long to wait before the next look.
    pub(super) async fn mount(&self, work: &Work<'_>) -> Result<Option<Duration>, Error> {
        let uid = &work.object.uid;
        if let Some(left) = self.told.holds_off(uid) {
            return Ok(Some(left));
        }
        let lacking = self.unmounted(work).await?;
        for message in &lacking {
            self.tell(work, "", Severity::Warning, "FailedMount", message).await;
        }
        let wait = |times: u32| (FIRST_MOUNT * 2_u32.saturating_pow(times.min(8))).min(LATEST_MOUNT);
        Ok((!lacking.is_empty()).then(|| self.told.lacks(uid, wait)))
    }

    pub(super) async fn step(
        &self,
        work: &mut Work<'_>,
        init: bool,
        at: usize,
        next: &mut Soonest,
    ) -> Result<(), Error> {
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
                let since = seconds(&since.as_str().into());
                self.watch(work, init, at, since, next).await;
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
        if matches!(&container.state, State::Waiting { reason, .. } if reason == "CreateContainerConfigError")
            && let Some(left) = self.told.holds_off(&work.object.uid)
        {
            next.within(left);
            return Ok(());
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
        if let Some(lack) = self.unconfigured(work, &container.spec).await? {
            self.tell(work, &name, Severity::Warning, "Failed", &format!("Error: {lack}")).await;
            next.within(self.told.lacks(&work.object.uid, |_| NEXT_SYNC));
            let held = if init { &mut work.life.init[at] } else { &mut work.life.main[at] };
            held.waits("CreateContainerConfigError", &lack);
            return Ok(());
        }
        self.tell(work, &name, Severity::Normal, "Created", "Container created").await;
        self.tell(work, &name, Severity::Normal, "Started", "Container started").await;
        let held = if init { &mut work.life.init[at] } else { &mut work.life.main[at] };
        held.start(identity());
        self.watch(work, init, at, meta::now_seconds(), next).await;
        Ok(())
    }

    /// A running container: is it ready by now, has it come to its end?
    async fn watch(&self, work: &mut Work<'_>, init: bool, at: usize, since: i64, next: &mut Soonest) {
        let once = work.life.policy != "Always" || init;
        let grace = meta::int(&work.pod["spec"]["terminationGracePeriodSeconds"], 30);
        let address = if work.life.address.is_empty() { self.address(work) } else { work.life.address.clone() };
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
        let health = probe::health(container, &address, ran);
        container.started = health.started;
        container.ready = health.ready;
        let (name, id) = (container.name().to_owned(), container.id.clone());
        let mut end = None;
        if let Some((kind, condemned)) = health.condemned {
            let code = command::when_stopped(&container.words("command"), &container.words("args"));
            let left = condemned + if code == command::KILLED { grace } else { 0 } - ran;
            if left <= 0 {
                container.end(code, if code == 0 { "Completed" } else { "Error" }, "");
            }
            next.within(seconds_of(left));
            end = Some(kind);
        }
        next.within_some(health.again.map(seconds_of));
        for failure in &health.failures {
            self.tell_failure(work, &name, &id, failure).await;
        }
        if let Some(kind) = end
            && self.told.is_news(&work.object.uid, &format!("{id} killed"), kind, 1)
        {
            let message = format!("Container {name} failed {} probe, will be restarted", kind.name());
            self.tell(work, &name, Severity::Normal, "Killing", &message).await;
        }
    }

    async fn tell_failure(&self, work: &Work<'_>, name: &str, id: &str, failure: &Failure) {
        if self.told.is_news(&work.object.uid, id, failure.kind, failure.count) {
            let message = format!("{} probe failed: {}", failure.kind.title(), failure.said);
            self.tell(work, name, Severity::Warning, "Unhealthy", &message).await;
        }
    }
}

fn seconds_of(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
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
