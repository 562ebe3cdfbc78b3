//! One container after the other: started, watched, put off, started anew.

use std::time::{Duration, Instant};

use rand::Rng;

use super::life::{Container, List, Spot, State};
use super::memory::NEXT_SYNC;
use super::probe::{self, Failure};
use super::run::{Run, message};
use super::shell::End;
use super::{Agent, FIRST_BACK_OFF, KILLED, LONGEST_BACK_OFF, Soonest, Work, answer};
use crate::runtime::{Error, Severity, meta, seconds};

/// A kubelet tries again after a failed mount: soon at first, ever later, at most this late.
const FIRST_MOUNT: Duration = Duration::from_millis(500);
const LATEST_MOUNT: Duration = Duration::from_secs(122);
const SEEN_RUNNING: Duration = Duration::from_millis(50);

impl Agent {
    /// Until all that its volumes show is there, how long to wait before the next look.
    pub(super) async fn mount(&self, work: &Work<'_>) -> Result<Option<Duration>, Error> {
        let uid = &work.object.uid;
        if let Some(left) = self.memory.holds_off(uid) {
            return Ok(Some(left));
        }
        let lacking = self.unmounted(work).await?;
        for message in &lacking {
            self.event(work, "", Severity::Warning, "FailedMount", message).await;
        }
        let wait = |times: u32| (FIRST_MOUNT * 2_u32.saturating_pow(times.min(8))).min(LATEST_MOUNT);
        Ok((!lacking.is_empty()).then(|| self.memory.lacks(uid, wait)))
    }

    pub(super) async fn step(&self, work: &mut Work<'_>, spot: Spot, next: &mut Soonest) -> Result<(), Error> {
        let container = work.life.list(spot.list)[spot.at].clone();
        if let Some((code, finished)) = container.ended() {
            return self.ended(work, spot, code, seconds(finished), next).await;
        }
        match &container.state {
            State::Waiting { reason, .. } if reason == "CrashLoopBackOff" => {
                let ended = seconds(&container.last["terminated"]["finishedAt"]);
                let wait = self.back_off(work, &container) - (meta::now_seconds() - ended);
                if wait > 0 {
                    next.within(seconds_of(wait));
                    return Ok(());
                }
                self.start(work, spot, next).await
            }
            State::Waiting { .. } | State::Ended(_) => self.start(work, spot, next).await,
            State::Running { since } => {
                let since = seconds(&since.as_str().into());
                if container.is_changed() {
                    return self.replace(work, spot, since, next).await;
                }
                self.watch(work, spot, since, next).await
            }
        }
    }

    /// Its image is another one: what runs is ended, the new one is started.
    async fn replace(&self, work: &mut Work<'_>, spot: Spot, since: i64, next: &mut Soonest) -> Result<(), Error> {
        let container = work.life.list(spot.list)[spot.at].clone();
        let name = container.name();
        let (stopped_at, first) = self.memory.since(&work.object.uid, &format!("{} changed", container.id));
        if first {
            let message = format!("Container {name} definition changed, will be restarted");
            self.event(work, name, Severity::Normal, "Killing", &message).await;
        }
        self.run_of(work, spot.list, &container, since).await?;
        if let Some(left) = self.until_stopped(work, &container, stopped_at, grace_of(work)) {
            next.within(left);
            return Ok(());
        }
        self.end_stopped(work, spot, stopped_at, grace_of(work));
        self.start(work, spot, next).await
    }

    /// It is over: started again at once, later, or never.
    async fn ended(
        &self,
        work: &mut Work<'_>,
        spot: Spot,
        code: i32,
        finished: i64,
        next: &mut Soonest,
    ) -> Result<(), Error> {
        let container = work.life.list(spot.list)[spot.at].clone();
        if spot.list == List::Ephemeral || !starts_again(&work.life.policy, spot.list, &container, code) {
            return Ok(());
        }
        let back_off = self.back_off(work, &container);
        if back_off == 0 || container.is_changed() {
            return self.start(work, spot, next).await;
        }
        let killed = self.memory.was_killed(&work.object.uid, &container.id);
        let ran_out = meta::now_seconds() - finished;
        let (pod, uid) = (work.object.key.name.to_string(), &work.object.uid);
        let full = format!("{pod}_{}({uid})", work.object.key.namespace);
        // What a kubelet finds dead it leaves so until it comes back to the pod.
        let shown_for = if killed { 0 } else { i64::try_from(NEXT_SYNC.as_secs()).unwrap_or_default() };
        let event = format!("Back-off restarting failed container {} in pod {full}", container.name());
        if ran_out < shown_for.min(back_off) || killed {
            if self.memory.puts_off(uid, &container.id) == 0 {
                self.event(work, container.name(), Severity::Warning, "BackOff", &event).await;
            }
            if !killed {
                next.within(seconds_of(shown_for.min(back_off) - ran_out));
                return Ok(());
            }
        }
        let message =
            format!("back-off {} restarting failed container={} pod={full}", minutes(back_off), container.name());
        work.life.at(spot).backs_off(&message);
        if ran_out >= back_off {
            // Shown before it is started again.
            self.write_all(work).await?;
            return self.start(work, spot, next).await;
        }
        self.event(work, container.name(), Severity::Warning, "BackOff", &event).await;
        next.within(seconds_of(back_off - ran_out));
        Ok(())
    }

    /// How long after its end a container is started again, in seconds.
    fn back_off(&self, work: &Work<'_>, container: &Container) -> i64 {
        // The run that a probe ended was not yet over when the kubelet counted.
        let killed = self.memory.was_killed(&work.object.uid, &container.id);
        let restarts = self.memory.crashes(&work.object.uid, container.name(), container.restarts, container.lasted());
        back_off(restarts - i64::from(killed))
    }

    async fn start(&self, work: &mut Work<'_>, spot: Spot, next: &mut Soonest) -> Result<(), Error> {
        let container = work.life.list(spot.list)[spot.at].clone();
        let (name, image) = (container.name().to_owned(), container.image());
        let trouble = self.memory.trouble(&work.object.uid, &name, image);
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
                self.event(work, &name, Severity::Warning, "Failed", &format!("Error: {}", result.1)).await;
            }
            // A kubelet shows what the try before this one came to.
            if let Some((reason, message)) = trouble.map(|held| held.result) {
                work.life.at(spot).waits(&reason, &message);
            }
            next.within(self.memory.note_trouble(&work.object.uid, &name, image, result));
            return Ok(());
        }
        self.memory.no_trouble(&work.object.uid, &name);
        self.event(work, &name, Severity::Normal, "Created", "Container created").await;
        let once = spot.list != List::Main || work.life.policy != "Always";
        let mut run = self.begun(work, &container.spec, once && !container.is_sidecar()).await?;
        run.id = identity();
        if let Some(program) = run.line.first().filter(|program| run.world.programs.has(program) == Some(false)) {
            let lacking =
                if program.contains('/') { "no such file or directory" } else { "executable file not found in $PATH" };
            let path = if program.contains('/') { format!("stat {program}: ") } else { String::new() };
            let why = format!(
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                 failed: unable to start container process: exec: \"{program}\": {path}{lacking}"
            );
            self.event(work, &name, Severity::Warning, "Failed", &format!("Error: {why}")).await;
            let again = spot.list != List::Ephemeral && starts_again(&work.life.policy, spot.list, &container, 128);
            work.life.at(spot).cannot_start(run.id, &why, again);
            next.within(Duration::ZERO);
            return Ok(());
        }
        self.event(work, &name, Severity::Normal, "Started", "Container started").await;
        work.life.at(spot).start(run.id.clone());
        let hook = &container.spec["lifecycle"]["postStart"]["exec"];
        let hooked = hook.is_object().then(|| run.beside(&answer::command(hook), run.world.start));
        if let Some(hooked) = &hooked {
            run.besides.extend(hooked.changes.iter().cloned());
        }
        self.runs.begin(&work.object.uid, &name, run.clone());
        if let Some(unknown) = &run.played.unknown {
            self.report_unknown(work, &name, &run, unknown).await;
        }
        if let Some(End::At { code: 1.., .. }) = hooked.map(|hooked| hooked.end) {
            self.event(work, &name, Severity::Warning, "FailedPostStartHook", "PostStartHook failed").await;
            self.event(work, &name, Severity::Normal, "Killing", "FailedPostStartHook").await;
            self.end(work, spot, &run, run.when_stopped(), None);
            next.within(SEEN_RUNNING);
            return Ok(());
        }
        let address = if work.life.address.is_empty() { self.address(work) } else { work.life.address.clone() };
        // However short it runs, it is seen to run.
        let health = probe::health(&container.spec, &run, &address, 0);
        let held = work.life.at(spot);
        held.started = health.started && spot.list != List::Ephemeral;
        held.ready = health.ready && (spot.list == List::Main || held.is_sidecar());
        next.within(SEEN_RUNNING);
        Ok(())
    }

    /// Once for each pod, what nobody can know where nothing runs.
    async fn report_unknown(&self, work: &Work<'_>, name: &str, run: &Run, unknown: &str) {
        if !self.memory.is_first_unknown(&work.object.uid) {
            return;
        }
        let taken = match run.end() {
            End::Never => "is taken to go on until it is stopped",
            _ => "is taken to go well",
        };
        let message = format!("simulated: nothing runs here; of container {name}, {unknown} is not known and {taken}");
        self.event(work, name, Severity::Normal, "Simulated", &message).await;
    }

    /// What was found out when the container was started; anew, where the agent itself came later.
    async fn run_of(&self, work: &Work<'_>, list: List, container: &Container, since: i64) -> Result<Run, Error> {
        if let Some(run) = self.followed(work, container.name(), &container.id) {
            return Ok(run);
        }
        let once = list != List::Main || work.life.policy != "Always";
        let mut run = self.begun(work, &container.spec, once && !container.is_sidecar()).await?;
        run.world.start = since * 1000;
        let mut run = Run { id: container.id.clone(), ..run.anew() };
        let hook = &container.spec["lifecycle"]["postStart"]["exec"];
        if hook.is_object() {
            run.besides = run.beside(&answer::command(hook), run.world.start).changes;
        }
        self.runs.begin(&work.object.uid, container.name(), run.clone());
        Ok(run)
    }

    /// Notes the end of a container's run.
    pub(super) fn end(&self, work: &mut Work<'_>, spot: Spot, run: &Run, code: i32, reason: Option<&str>) {
        let now = jiff::Timestamp::now().as_millisecond();
        let container = work.life.at(spot);
        self.runs.change(&work.object.uid, container.name(), &container.id, |held| held.ended = Some(now));
        let message = message(run, &container.spec, code, now);
        let reason = reason.unwrap_or(if code == 0 { "Completed" } else { "Error" });
        container.end(code, reason, &message);
    }

    /// A running container: is it ready by now, has it come to its end?
    async fn watch(&self, work: &mut Work<'_>, spot: Spot, since: i64, next: &mut Soonest) -> Result<(), Error> {
        let address = if work.life.address.is_empty() { self.address(work) } else { work.life.address.clone() };
        let container = work.life.list(spot.list)[spot.at].clone();
        let run = self.run_of(work, spot.list, &container, since).await?;
        let ran = meta::now_seconds() - since;
        let (ends, code, reason) = match run.end() {
            End::At { at, code } => (Some(*at), *code, None),
            End::OutOfMemory { at } => (Some(*at), KILLED, Some("OOMKilled")),
            End::Open { at } => {
                let left = at - jiff::Timestamp::now().as_millisecond();
                next.within(Duration::from_millis(u64::try_from(left.max(200)).unwrap_or(200)));
                (None, 0, None)
            }
            End::Never => (None, 0, None),
        };
        if let Some(ends) = ends {
            let after = (ends - run.world.start) / 1000;
            let left = after - ran;
            if left <= 0 && (after == 0 || ran > 0) {
                self.end(work, spot, &run, code, reason);
                let container = work.life.at(spot);
                // A part of the start that is done well.
                container.ready = spot.list == List::Init && code == 0 && !container.is_sidecar();
                if spot.list == List::Main && container.restarts == 0 || work.life.policy != "Never" {
                    next.within(Duration::ZERO);
                }
                return Ok(());
            }
            next.within(seconds_of(left.max(1)));
        }
        let health = probe::health(&container.spec, &run, &address, ran);
        let held = work.life.at(spot);
        held.started = health.started && spot.list != List::Ephemeral;
        held.ready = health.ready && (spot.list == List::Main || held.is_sidecar());
        let (name, id) = (container.name().to_owned(), container.id.clone());
        let mut end = None;
        if let Some((kind, condemned)) = health.condemned {
            // A probe may give it less time than the pod does.
            let own = container.spec[kind.field()]["terminationGracePeriodSeconds"].as_i64();
            let (stopped_at, grace) = ((since + condemned) * 1000, own.unwrap_or_else(|| grace_of(work)));
            if let Some(left) = self.until_stopped(work, &container, stopped_at, grace) {
                next.within(left);
            } else {
                self.end_stopped(work, spot, stopped_at, grace);
                next.within(Duration::ZERO);
            }
            end = Some(kind);
        }
        next.within_some(health.again.map(seconds_of));
        for failure in &health.failures {
            self.report_failure(work, &name, &id, failure).await;
        }
        if let Some(kind) = end
            && self.memory.is_news(&work.object.uid, &format!("{id} killed"), kind, 1)
        {
            let message = format!("Container {name} failed {} probe, will be restarted", kind.name());
            self.event(work, &name, Severity::Normal, "Killing", &message).await;
        }
        Ok(())
    }

    async fn report_failure(&self, work: &Work<'_>, name: &str, id: &str, failure: &Failure) {
        if self.memory.is_news(&work.object.uid, id, failure.kind, failure.count) {
            let message = format!("{} probe failed: {}", failure.kind.title(), failure.said);
            self.event(work, name, Severity::Warning, "Unhealthy", &message).await;
        }
    }
}

fn starts_again(policy: &str, list: List, container: &Container, code: i32) -> bool {
    if list == List::Init && container.is_sidecar() {
        return true;
    }
    match (policy, list) {
        ("Always", List::Main) => true,
        ("Never", _) => false,
        _ => code != 0,
    }
}

/// How many seconds a pod has to end in, once it is told to.
pub(super) fn grace_of(work: &Work<'_>) -> i64 {
    meta::int(&work.pod["spec"]["terminationGracePeriodSeconds"], 30)
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
