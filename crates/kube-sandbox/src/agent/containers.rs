//! One container after the other: started, watched, put off, started anew.

use std::time::{Duration, Instant};

use rand::Rng;

use super::command::{self, Course};
use super::life::{Container, State};
use super::probe::{self, Failure};
use super::told::NEXT_SYNC;
use super::{Agent, FIRST_BACK_OFF, LONGEST_BACK_OFF, Soonest, Work, image};
use crate::controllers::meta;
use crate::controllers::runtime::{Error, Severity, seconds};

/// A kubelet tries again after a failed mount: soon at first, ever later, at most this late.
const FIRST_MOUNT: Duration = Duration::from_millis(500);
const LATEST_MOUNT: Duration = Duration::from_secs(122);
const SEEN_RUNNING: Duration = Duration::from_millis(50);

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
                let ended = seconds(&container.last["terminated"]["finishedAt"]);
                let wait = self.back_off(work, &container) - (now - ended);
                if wait > 0 {
                    next.within(seconds_of(wait));
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
                let back_off = self.back_off(work, &container);
                if back_off == 0 {
                    return self.start(work, init, at, next).await;
                }
                let killed = self.told.was_killed(&work.object.uid, &container.id);
                let ran_out = now - seconds(&ended.finished);
                let (pod, uid) = (work.object.key.name.to_string(), &work.object.uid);
                let full = format!("{pod}_{}({uid})", work.object.key.namespace);
                // What a kubelet finds dead it leaves so until it comes back to the pod.
                let shown_for = if killed { 0 } else { i64::try_from(NEXT_SYNC.as_secs()).unwrap_or_default() };
                if ran_out < shown_for.min(back_off) || killed {
                    if self.told.puts_off(uid, &container.id) == 0 {
                        let event = format!("Back-off restarting failed container {} in pod {full}", container.name());
                        self.tell(work, container.name(), Severity::Warning, "BackOff", &event).await;
                    }
                    if !killed {
                        next.within(seconds_of(shown_for.min(back_off) - ran_out));
                        return Ok(());
                    }
                }
                let message = format!(
                    "back-off {} restarting failed container={} pod={full}",
                    minutes(back_off),
                    container.name()
                );
                let event = format!("Back-off restarting failed container {} in pod {full}", container.name());
                let held = if init { &mut work.life.init[at] } else { &mut work.life.main[at] };
                held.backs_off(&message);
                if ran_out >= back_off {
                    // Shown before it is started again.
                    self.write_all(work).await?;
                    return self.start(work, init, at, next).await;
                }
                self.tell(work, container.name(), Severity::Warning, "BackOff", &event).await;
                next.within(seconds_of(back_off - ran_out));
                Ok(())
            }
        }
    }

    /// How long after its end a container is started again, in seconds.
    fn back_off(&self, work: &Work<'_>, container: &Container) -> i64 {
        // The run that a probe ended was not yet over when the kubelet counted.
        let killed = self.told.was_killed(&work.object.uid, &container.id);
        back_off(container.restarts - i64::from(killed))
    }

    async fn start(&self, work: &mut Work<'_>, init: bool, at: usize, next: &mut Soonest) -> Result<(), Error> {
        let container = if init { work.life.init[at].clone() } else { work.life.main[at].clone() };
        let (name, image) = (container.name().to_owned(), container.image());
        let trouble = self.told.trouble(&work.object.uid, &name, image);
        if let Some(left) = trouble.as_ref().map(|held| held.next.saturating_duration_since(Instant::now()))
            && !left.is_zero()
        {
            next.within(left);
            return Ok(());
        }
        let fetched = self.fetch(work, &container, trouble.as_ref()).await;
        if !work.life.sandbox {
            work.life.sandbox = true;
            let address = std::mem::take(&mut work.life.address);
            self.write(work).await?;
            work.life.address = address;
        }
        let made = match fetched {
            Ok(()) => self
                .unconfigured(work, &container.spec)
                .await?
                .map_or(Ok(()), |lack| Err(("CreateContainerConfigError".to_owned(), lack))),
            error => error,
        };
        if let Err(result) = made {
            if result.0 == "CreateContainerConfigError" {
                self.tell(work, &name, Severity::Warning, "Failed", &format!("Error: {}", result.1)).await;
            }
            // A kubelet shows what the try before this one came to.
            if let Some((reason, message)) = trouble.map(|held| held.result) {
                let held = if init { &mut work.life.init[at] } else { &mut work.life.main[at] };
                held.waits(&reason, &message);
            }
            next.within(self.told.note_trouble(&work.object.uid, &name, image, result));
            return Ok(());
        }
        self.told.no_trouble(&work.object.uid, &name);
        self.tell(work, &name, Severity::Normal, "Created", "Container created").await;
        self.tell(work, &name, Severity::Normal, "Started", "Container started").await;
        let address = if work.life.address.is_empty() { self.address(work) } else { work.life.address.clone() };
        let held = if init { &mut work.life.init[at] } else { &mut work.life.main[at] };
        held.start(identity());
        // However short it runs, it is seen to run.
        let health = probe::health(held, &address, 0);
        held.started = health.started;
        held.ready = health.ready && (!init || held.is_sidecar());
        next.within(SEEN_RUNNING);
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
                // A part of the start that is done well.
                container.ready = init && code == 0 && !container.is_sidecar();
                if !init && container.restarts == 0 || work.life.policy != "Never" {
                    next.within(Duration::ZERO);
                }
                return;
            }
            next.within(Duration::from_secs(u64::try_from(left.max(1)).unwrap_or(1)));
        }
        let health = probe::health(container, &address, ran);
        container.started = health.started;
        container.ready = health.ready && (!init || container.is_sidecar());
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

/// None after the first run.
fn back_off(restarts: i64) -> i64 {
    if restarts < 1 {
        return 0;
    }
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
